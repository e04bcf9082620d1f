//! Questions that change nothing.

use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, RANGE, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use oci::{Descriptor, Digest, Manifest, ManifestReference, MediaType, Tag};
use serde::Deserialize;

use super::asker::{Prober, authority, told};
use super::facts::{
    BlobFacts, ChallengeFacts, LimitFacts, ManifestFacts, RangeFacts, Reads, RedirectFacts, ReferrersFacts,
    SignInFacts, TagsFacts, Told,
};
use crate::call::{Redirects, Reply, Target};
use crate::challenge::{Challenge, challenges};
use crate::printable::printable;
use crate::redirect::is_redirect;
use crate::remote::link;
use crate::{Error, ErrorKind, Reach, Registry, Request, RequestBody};

/// How many tags are asked for to see how pages are made.
const FEW: usize = 2;

/// One tag more than ECR lists at once.
const MANY: usize = 1_001;

/// The most bytes of a list of tags that are read.
const MAX_LIST: usize = 8 << 20;

/// How deep indexes are followed to find a blob.
const MAX_DEPTH: usize = 4;

const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

#[derive(Deserialize)]
struct List {
    #[serde(default)]
    tags: Option<Vec<String>>,
}

impl Prober {
    /// Asks everything that can be asked without a change.
    ///
    /// # Errors
    /// A registry that does not answer, lets nobody in, or does not have the repository. What fails later is a fact.
    pub async fn reads(&self) -> Result<Reads, Error> {
        let mut sign_in = self.front().await?;
        let (tags, tag) = self.tags().await?;
        let limit = self.limit().await;
        sign_in.credential = self.client.exchange()?.auth.origin();
        let Some(tag) = tag else {
            return Ok(empty(sign_in, tags, limit));
        };
        let manifest = self.manifest(&tag).await;
        let root = self.root(tag).await;
        let sample = match &root {
            Ok(root) => self.blob_of(root.clone()).await,
            Err(why) => Err(why.clone()),
        };
        let (blob, redirect, range) = match &sample {
            Ok(sample) => self.blob(sample).await,
            Err(why) => (Err(why.clone()), Err(why.clone()), Err(why.clone())),
        };
        Ok(Reads {
            sign_in,
            tags,
            limit,
            manifest,
            blob,
            redirect,
            range,
            referrers: match root {
                Ok(root) => self.referrers(root.digest()).await,
                Err(why) => Err(why),
            },
            sample: sample.map(|blob| blob.digest),
        })
    }

    /// Asks for the front page as nobody, whatever credential there is.
    ///
    /// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#determining-support>
    async fn front(&self) -> Result<SignInFacts, Error> {
        let exchange = self.client.exchange()?;
        let action = format!("ask {} for its front page", self.client.host());
        let url = exchange.home.resolve(exchange.home.url(), "/v2/")?;
        let request = Request {
            method: Method::GET,
            url,
            headers: HeaderMap::from_iter([(USER_AGENT, exchange.user_agent.clone())]),
            body: RequestBody::Empty,
            reach: Reach::Registry,
        };
        let response = exchange
            .transport
            .send(request)
            .await
            .map_err(|error| error.into_error(&action, crate::Effort::default()))?;
        self.note(&response.headers);
        let challenges = challenges(&response.headers);
        Ok(SignInFacts {
            status: response.status.as_u16(),
            challenges: challenges.iter().map(|challenge| self.asked(challenge)).collect(),
            credential: None,
        })
    }

    fn asked(&self, challenge: &Challenge) -> ChallengeFacts {
        let realm = challenge
            .parameter("realm")
            .filter(|_| challenge.scheme == "bearer");
        let base = self.client.exchange().ok().map(|exchange| exchange.home.url());
        ChallengeFacts {
            scheme: printable(&challenge.scheme),
            token_service: realm
                .and_then(|realm| base?.join(realm).ok())
                .map(|url| authority(&url)),
            service: challenge.parameter("service").map(printable),
        }
    }

    /// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-tags>
    async fn tags(&self) -> Result<(TagsFacts, Option<Tag>), Error> {
        let action = format!("list tags in {}/{}", self.client.host(), self.name);
        let call = self.read(Method::GET, self.path(format_args!("tags/list?n={FEW}")));
        let reply = self.send(call).await.map_err(|error| error.during(&action))?;
        match reply.status {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Err(self.missing()),
            _ => return Err(Error::from_reply(&action, reply).await),
        }
        let next = link::next(&reply.headers).and_then(|next| self.location(&reply.url, &next));
        let names = names(reply).await.map_err(|error| error.during(&action))?;
        let facts = TagsFacts {
            asked: FEW,
            listed: names.len(),
            next,
        };
        Ok((facts, names.iter().find_map(|name| name.parse().ok())))
    }

    fn missing(&self) -> Error {
        let message = format!("there is no repository {}/{}", self.client.host(), self.name);
        Error::new(ErrorKind::NotFound, message).with_hint("name a repository that has a tag")
    }

    async fn limit(&self) -> Told<LimitFacts> {
        let call = self.read(Method::GET, self.path(format_args!("tags/list?n={MANY}")));
        let head = self.head(call).await?;
        Ok(LimitFacts {
            asked: MANY,
            status: head.status.as_u16(),
        })
    }

    /// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#checking-if-content-exists-in-the-registry>
    async fn manifest(&self, tag: &Tag) -> Told<ManifestFacts> {
        let mut call = self.read(Method::HEAD, self.path(format_args!("manifests/{tag}")));
        call.headers.insert(ACCEPT, manifests());
        let head = self.head(call).await?;
        let digest = head.header(CONTENT_DIGEST);
        Ok(ManifestFacts {
            status: head.status.as_u16(),
            digest: digest.is_some_and(|text| text.trim().parse::<Digest>().is_ok()),
            size: head.header(CONTENT_LENGTH).is_some(),
        })
    }

    async fn root(&self, tag: Tag) -> Told<Manifest> {
        let gone = format!("the tag {tag} has no manifest");
        self.read_manifest(ManifestReference::Tag(tag)).await?.ok_or(gone)
    }

    async fn read_manifest(&self, reference: ManifestReference) -> Told<Option<Manifest>> {
        let reader = self.client.reader(&self.name);
        reader
            .get_manifest(&reference)
            .await
            .map_err(|error| told(&error))
    }

    /// Finds a blob that a manifest names, in an index that of its first image.
    async fn blob_of(&self, mut manifest: Manifest) -> Told<Descriptor> {
        for _ in 0..MAX_DEPTH {
            let blobs = manifest
                .blobs()
                .filter(|blob| !blob.media_type.is_nondistributable());
            // The largest is a layer, which is what storage elsewhere is for.
            if let Some(blob) = blobs.filter(|blob| blob.size > 0).max_by_key(|blob| blob.size) {
                return Ok(blob.clone());
            }
            let Some(child) = manifest.children().next() else {
                break;
            };
            let reference = ManifestReference::Digest(child.digest.clone());
            match self.read_manifest(reference).await? {
                Some(child) => manifest = child,
                None => break,
            }
        }
        Err("the first tag names no blob".to_owned())
    }

    async fn blob(&self, blob: &Descriptor) -> (Told<BlobFacts>, Told<RedirectFacts>, Told<RangeFacts>) {
        let target = || self.path(format_args!("blobs/{}", blob.digest));
        let found = self
            .head(self.read(Method::HEAD, target()))
            .await
            .map(|head| BlobFacts {
                status: head.status.as_u16(),
                size: head.header(CONTENT_LENGTH) == Some(blob.size.to_string().as_str()),
            });
        let first = self.first_byte(target(), Redirects::Show).await;
        let redirect = first.clone().map(|(status, to)| RedirectFacts {
            status: status.as_u16(),
            to,
        });
        let last = match first {
            Ok((status, _)) if is_redirect(status) => self.first_byte(target(), Redirects::Follow).await,
            first => first,
        };
        let range = last.map(|(status, _)| RangeFacts {
            status: status.as_u16(),
        });
        (found, redirect, range)
    }

    /// Asks for the first byte of a blob; a registry that sends the whole instead is not listened to.
    ///
    /// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-blobs>
    async fn first_byte(&self, target: Target, redirects: Redirects) -> Told<(StatusCode, Option<String>)> {
        let mut call = self.read(Method::GET, target);
        call.redirects = redirects;
        call.headers.insert(RANGE, HeaderValue::from_static("bytes=0-0"));
        let head = self.head(call).await?;
        let to = head
            .location()
            .filter(|_| is_redirect(head.status))
            .and_then(|location| head.url.join(location).ok());
        Ok((head.status, to.map(|url| authority(&url))))
    }

    /// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-referrers>
    async fn referrers(&self, subject: &Digest) -> Told<ReferrersFacts> {
        let mut call = self.read(Method::GET, self.path(format_args!("referrers/{subject}")));
        let accept = HeaderValue::from_static("application/vnd.oci.image.index.v1+json");
        call.headers.insert(ACCEPT, accept);
        let head = self.head(call).await?;
        let index = head
            .header(CONTENT_TYPE)
            .is_some_and(|text| MediaType::new(text) == MediaType::OCI_INDEX);
        Ok(ReferrersFacts {
            status: head.status.as_u16(),
            index,
        })
    }
}

/// What is known of a repository without tags.
fn empty(sign_in: SignInFacts, tags: TagsFacts, limit: Told<LimitFacts>) -> Reads {
    const WHY: &str = "the repository has no tag";
    let why = || WHY.to_owned();
    Reads {
        sign_in,
        tags,
        limit,
        manifest: Err(why()),
        blob: Err(why()),
        redirect: Err(why()),
        range: Err(why()),
        referrers: Err(why()),
        sample: Err(why()),
    }
}

async fn names(reply: Reply) -> Result<Vec<String>, Error> {
    let bytes = reply.bytes(MAX_LIST).await?;
    let list: List = serde_json::from_slice(&bytes).map_err(|error| {
        Error::new(ErrorKind::Integrity, "the list of tags is malformed").caused_by(error)
    })?;
    Ok(list.tags.unwrap_or_default())
}

fn manifests() -> HeaderValue {
    let types = MediaType::MANIFESTS;
    let types: Vec<&str> = types.iter().map(MediaType::as_str).collect();
    HeaderValue::from_str(&types.join(", ")).expect("media types are visible ASCII")
}
