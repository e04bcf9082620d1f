//! Docker Hub: its own listing of tags, which names what every tag stands at.

mod page;
mod session;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use http::StatusCode;
use http::header::{AUTHORIZATION, HeaderValue};
use oci::{Digest, ManifestReference, RepositoryName, Tag};
use planner::{Inventory, Standing};
use registry::{CredentialSource, Error, ErrorKind, Operation, Registry, Rest, RestReply, RestRequest};
use serde_json::Value;
use url::Url;

use self::page::{Page, Tagged};
use self::session::Session;
use crate::{Advice, Ensured, GenericProvider, Importing, Lister, Listing, Profile, Provider};

/// Where the API is, whatever the registry's host.
const API: &str = "https://hub.docker.com";

/// How many tags are asked for at once: no page has more.
const PAGE: usize = 100;

/// The most pages that are read of one repository.
const MAX_PAGES: usize = 10_000;

/// Docker Hub.
///
/// Public repositories are listed without a credential. For others the credential of the registry is exchanged for a
/// token, once. Where the API has no answer, the protocol's own listing is left to do the work.
#[derive(Debug)]
pub struct HubProvider {
    generic: GenericProvider,
    profile: Profile,
    rest: Rest,
    api: Url,
    session: Session,
    registry: Arc<dyn Registry>,
}

impl HubProvider {
    /// Makes the provider of Docker Hub. `rest` reaches the API, `registry` is the registry itself.
    ///
    /// # Panics
    /// Never: the address of the API is one.
    #[must_use]
    pub fn new(
        name: impl Into<String>,
        credentials: Arc<dyn CredentialSource>,
        profile: Profile,
        rest: Rest,
        registry: Arc<dyn Registry>,
    ) -> Self {
        Self {
            generic: GenericProvider::of(name, Arc::clone(&credentials), profile.clone()),
            profile,
            rest,
            api: Url::parse(API).expect("the address of the API is one"),
            session: Session::new(credentials),
            registry,
        }
    }

    /// Asks another address than Docker Hub's own.
    #[must_use]
    pub fn at(self, api: Url) -> Self {
        Self { api, ..self }
    }

    /// Reads all pages.
    ///
    /// <https://docs.docker.com/reference/api/hub/latest/#tag/repositories/operation/ListRepositoryTags>
    async fn listed(&self, namespace: &str, name: &str) -> Result<Read, Error> {
        let mut found = BTreeMap::new();
        let mut sample: Option<(Tag, Tagged)> = None;
        for number in 1..=MAX_PAGES {
            let page = match self.page(namespace, name, number).await? {
                Asked::Page(page) => page,
                Asked::Refused(why) => return Ok(Read::Unusable(why)),
            };
            let before = found.len();
            for (tag, tagged) in page.tags {
                if sample
                    .as_ref()
                    .is_none_or(|(_, best)| best.images < tagged.images)
                {
                    sample = Some((tag.clone(), tagged.clone()));
                }
                found.insert(tag, tagged.digest);
            }
            if page.is_last {
                // Pages are cut anew each time: a tag that goes while they are read hides another.
                return Ok(match found.len() < page.count {
                    true => Read::Unusable("the listing changed while it was read".to_owned()),
                    false => Read::Whole { found, sample },
                });
            }
            if found.len() == before {
                return Ok(Read::Unusable(
                    "the pages of the listing go in a circle".to_owned(),
                ));
            }
        }
        Ok(Read::Unusable(format!(
            "the listing has more than {MAX_PAGES} pages"
        )))
    }

    async fn page(&self, namespace: &str, name: &str, number: usize) -> Result<Asked, Error> {
        let path = format!("/v2/namespaces/{namespace}/repositories/{name}/tags");
        let url = self
            .api
            .join(&format!("{path}?page={number}&page_size={PAGE}"))
            .map_err(|error| {
                Error::new(ErrorKind::Other, format!("{} has no such address", self.api)).caused_by(error)
            })?;
        let reply = self.asked(RestRequest::get(url)).await?;
        if reply.status != StatusCode::OK {
            return Ok(Asked::Refused(refused(&reply)));
        }
        Ok(match Page::parse(&reply.body) {
            Ok(page) => Asked::Page(page),
            Err(why) => Asked::Refused(why),
        })
    }

    /// Asks with what there is, and once more with a token where that does not do.
    async fn asked(&self, request: RestRequest) -> Result<RestReply, Error> {
        let shown = self.session.token().await;
        let reply = self
            .rest
            .send(&bearing(request.clone(), shown.as_deref()))
            .await?;
        let helps = match shown {
            Some(_) => reply.status == StatusCode::UNAUTHORIZED,
            None => may_be_hidden(reply.status),
        };
        if !helps {
            return Ok(reply);
        }
        match self
            .session
            .log_in(&self.rest, &self.api, shown.as_deref())
            .await?
        {
            Some(token) => self.rest.send(&bearing(request, Some(&token))).await,
            None => Ok(reply),
        }
    }

    /// Compares one tag with what the registry itself says: the digest of a listed tag is documented nowhere.
    async fn agrees(&self, repository: &RepositoryName, tag: Tag, listed: &Digest) -> bool {
        let reader = self.registry.reader(repository);
        match reader.head_manifest(&ManifestReference::Tag(tag)).await {
            Ok(standing) => standing.is_some_and(|standing| standing.digest == *listed),
            // Whoever asks the registry next is told why.
            Err(_) => false,
        }
    }
}

/// What became of a listing.
enum Read {
    Whole {
        found: BTreeMap<Tag, Digest>,
        /// The tag with the most platforms.
        sample: Option<(Tag, Tagged)>,
    },
    Unusable(String),
}

enum Asked {
    Page(Page),
    Refused(String),
}

fn bearing(request: RestRequest, token: Option<&str>) -> RestRequest {
    let header = token.and_then(|token| HeaderValue::from_str(&format!("Bearer {token}")).ok());
    match header {
        Some(mut header) => {
            header.set_sensitive(true);
            request.with(AUTHORIZATION, header)
        }
        None => request,
    }
}

/// What the API answers for a repository that it does not show to everyone.
fn may_be_hidden(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND
    )
}

fn refused(reply: &RestReply) -> String {
    match reply.status {
        StatusCode::TOO_MANY_REQUESTS => "Docker Hub's API asks for fewer requests".to_owned(),
        status => format!("Docker Hub's API answers {}", status.as_u16()),
    }
}

impl fmt::Display for HubProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.generic, f)
    }
}

#[async_trait]
impl Lister for HubProvider {
    async fn inventory(&self, repository: &RepositoryName) -> Result<Listing, Error> {
        let parts = repository.as_str().split_once('/');
        let Some((namespace, name)) = parts.filter(|(_, name)| !name.contains('/')) else {
            return Ok(Listing::Unavailable(None));
        };
        let (found, sample) = match self.listed(namespace, name).await {
            Ok(Read::Whole { found, sample }) => (found, sample),
            Ok(Read::Unusable(why)) => return Ok(Listing::Unavailable(Some(why))),
            // The API is another host than the registry, and may be out of reach where that is not.
            Err(error) if error.is_temporary() => {
                return Ok(Listing::Unavailable(Some(error.message().to_owned())));
            }
            Err(error) => return Err(error),
        };
        // An empty listing may also be that of a repository that is being removed: the registry knows.
        let Some((tag, sample)) = sample else {
            return Ok(Listing::Unavailable(None));
        };
        if !self.agrees(repository, tag.clone(), &sample.digest).await {
            let why = format!("Docker Hub's API and its registry disagree about {tag}");
            return Ok(Listing::Unavailable(Some(why)));
        }
        Ok(Listing::Inventory(Inventory::of_tags(found)))
    }

    async fn repositories(&self) -> Result<Option<Vec<RepositoryName>>, Error> {
        Ok(None)
    }

    async fn find_repository(
        &self,
        repository: &RepositoryName,
        settings: Option<&Value>,
    ) -> Result<Option<Standing>, Error> {
        self.generic.find_repository(repository, settings).await
    }

    async fn blobs(
        &self,
        repository: &RepositoryName,
        blobs: &[Digest],
    ) -> Result<Option<BTreeSet<Digest>>, Error> {
        self.generic.blobs(repository, blobs).await
    }
}

#[async_trait]
impl Provider for HubProvider {
    fn profile(&self) -> &Profile {
        &self.profile
    }

    fn credentials(&self) -> Arc<dyn CredentialSource> {
        self.generic.credentials()
    }

    fn advise(&self, operation: Operation, repository: &RepositoryName, error: &Error) -> Option<Advice> {
        if !matches!(error.kind(), ErrorKind::Auth | ErrorKind::Permission) {
            return None;
        }
        let (scope, words) = if writes(operation) {
            ("repo:write", "Read & Write")
        } else {
            ("repo:read", "Read-only")
        };
        Some(Advice {
            identity: format!("the account that signs in to {self}"),
            action: format!("{scope} on {repository}"),
            grant: format!(
                "give the access token the permission \"{words}\", and its account or team that access to {repository}"
            ),
        })
    }

    async fn ensure_repository(
        &self,
        repository: &RepositoryName,
        settings: Option<&Value>,
    ) -> Result<Ensured, Error> {
        self.generic.ensure_repository(repository, settings).await
    }

    async fn update_repository(
        &self,
        repository: &RepositoryName,
        settings: Option<&Value>,
    ) -> Result<(), Error> {
        self.generic.update_repository(repository, settings).await
    }

    async fn import(&self, import: &Importing) -> Result<(), Error> {
        self.generic.import(import).await
    }

    async fn seal(
        &self,
        repository: &RepositoryName,
        tag: &Tag,
        settings: Option<&Value>,
    ) -> Result<(), Error> {
        self.generic.seal(repository, tag, settings).await
    }
}

/// Returns true for what changes a repository.
pub(crate) fn writes(operation: Operation) -> bool {
    matches!(
        operation,
        Operation::PutManifest | Operation::StartUpload | Operation::SendChunk | Operation::FinishUpload
    )
}
