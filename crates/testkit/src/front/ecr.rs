//! Amazon ECR's data plane, in front of a registry.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, RANGE, WWW_AUTHENTICATE};
use http::{Method, Response, StatusCode};
use oci::{Digest, RepositoryName};
use registry::Operation;
use serde_json::Value;
use tokio::time::Instant;

use super::Tally;
use super::door::{Door, Front};
use super::parts::Parts;
use super::storage::{Storage, Whose};
use super::upstream::Upstream;
use super::visit::{Visit, refusal};
use crate::listening::Body;

/// No manifest is longer.
const MAX_MANIFEST: usize = 4 << 20;

/// What a front thinks of a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It lets in.
    Good,
    /// It did.
    Expired,
    /// It never did.
    Unknown,
}

/// Judges the password of the user `AWS`.
pub type Verifier = Arc<dyn Fn(&str) -> Verdict + Send + Sync>;

/// By which rules an [`EcrFront`] goes. Each can be switched off.
#[derive(Clone)]
pub struct EcrRules {
    /// Asks every request for `AWS` and a password by `Basic`. One that has expired is answered with
    /// `403 DENIED`, the words of which are widely quoted; the rest is the registry authentication of
    /// <https://docs.aws.amazon.com/AmazonECR/latest/userguide/registry_auth.html>
    pub password: Option<Verifier>,
    /// The least bytes of a part that is not the last; a part is judged when the next one or the commit comes. The words
    /// are those of CloudTrail, the status is ours (dotnet/sdk-container-builds#424, #279).
    pub part_minimum: Option<u64>,
    /// Parts follow one another: `First byte of the layer part is 0 instead of 52428800` (uber-archive/makisu#224), as a
    /// 416 (crashappsec/chalk#682). Nobody is told how far an upload is (dotnet/sdk#33019).
    pub in_order: bool,
    /// A part is answered with 201 (openai/tart#273), and with the `Range` of the first one (aws/containers-roadmap#2831).
    pub stuck_range: bool,
    /// The most tags of a page; more is answered with 405 (google/go-containerregistry#681).
    pub page_limit: Option<u64>,
    /// Blobs are read from S3, by a signed address that takes no `Authorization` (renovatebot/renovate#3877).
    pub redirects: bool,
    /// Only blobs that a manifest of the other repository names are mounted (aws/containers-roadmap#2860). Manifests that
    /// were put around the front do not count.
    pub committed_mounts: bool,
    /// How many manifests a second are taken, and at most at once: a bucket of as many that fills up as fast.
    /// <https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html>
    pub put_image_rate: Option<u32>,
    /// A tag that stands is never put again, not even with what it stands for (aws/containers-roadmap#2380, #862).
    pub immutable_tags: bool,
}

impl Default for EcrRules {
    /// All of them but the password, the rate and immutable tags, which depend on who asks.
    fn default() -> Self {
        Self {
            password: None,
            part_minimum: Some(5 << 20),
            in_order: true,
            stuck_range: true,
            page_limit: Some(1_000),
            redirects: true,
            committed_mounts: true,
            put_image_rate: None,
            immutable_tags: false,
        }
    }
}

impl fmt::Debug for EcrRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EcrRules").finish_non_exhaustive()
    }
}

/// A front; it ends when dropped.
#[derive(Debug)]
pub struct EcrFront {
    front: Front,
    ecr: Arc<Ecr>,
}

#[derive(Debug)]
struct Ecr {
    rules: EcrRules,
    storage: Storage,
    parts: Parts,
    committed: Mutex<BTreeMap<RepositoryName, BTreeSet<Digest>>>,
    bucket: Mutex<Option<(f64, Instant)>>,
}

impl EcrFront {
    /// Starts a front of `upstream`, a `host:port`, on a free loopback port.
    ///
    /// # Panics
    /// Where no port can be had.
    pub async fn start(upstream: &str, rules: EcrRules) -> Self {
        let ecr = Arc::new(Ecr {
            rules,
            storage: Storage::open(upstream, Whose::Amazon).await,
            parts: Parts::default(),
            committed: Mutex::default(),
            bucket: Mutex::default(),
        });
        let front = Front::open(upstream, Arc::clone(&ecr)).await;
        Self { front, ecr }
    }

    /// Returns `127.0.0.1:PORT`.
    #[must_use]
    pub fn host(&self) -> String {
        self.front.host()
    }

    /// Returns what it has seen.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.front.tally()
    }

    /// Breaks off the next `times` reads of blobs after as many bytes.
    pub fn cut_downloads(&self, times: usize, after: u64) {
        self.ecr.storage.cut(times, after);
    }

    /// Returns the statuses that the storage behind the redirects has answered.
    #[must_use]
    pub fn downloads(&self) -> Vec<u16> {
        self.ecr.storage.statuses()
    }
}

impl Door for Ecr {
    async fn answer(&self, mut visit: Visit, upstream: &Upstream) -> io::Result<Response<Body>> {
        if let Some(verifier) = &self.rules.password {
            match verdict(&visit, verifier) {
                Verdict::Good => _ = visit.headers.remove(AUTHORIZATION),
                Verdict::Expired => {
                    let expired = "Your authorization token has expired. Reauthenticate and try again.";
                    return visit.refuse(403, "DENIED", expired).await;
                }
                Verdict::Unknown => return ask(visit).await,
            }
        }
        match visit.operation {
            Some(Operation::ListTags) => self.list(visit, upstream).await,
            Some(Operation::GetBlob) if self.rules.redirects => self.read(visit, upstream).await,
            Some(Operation::StartUpload) => self.start(visit, upstream).await,
            Some(Operation::SendChunk) => self.take_part(visit, upstream).await,
            Some(Operation::FinishUpload) => self.finish(visit, upstream).await,
            Some(Operation::PutManifest) => self.put(visit, upstream).await,
            None if self.rules.in_order && visit.is_in_session() && visit.method == Method::GET => {
                visit
                    .refuse(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry")
                    .await
            }
            _ => upstream.pass(visit).await,
        }
    }
}

impl Ecr {
    async fn list(&self, visit: Visit, upstream: &Upstream) -> io::Result<Response<Body>> {
        let asked: Option<u64> = visit.parameter("n").and_then(|n| n.parse().ok());
        match self.rules.page_limit {
            Some(limit) if asked.is_some_and(|asked| asked > limit) => {
                let message = format!(
                    "Invalid parameter at 'maxResults' failed to satisfy constraint: 'Member must have value less than \
                     or equal to {limit}'"
                );
                visit.refuse(405, "UNSUPPORTED", &message).await
            }
            _ => upstream.pass(visit).await,
        }
    }

    async fn read(&self, visit: Visit, upstream: &Upstream) -> io::Result<Response<Body>> {
        let digest = visit.reference.parse().ok();
        match (visit.repository.clone(), digest) {
            (Some(repository), Some(digest)) if upstream.has(&visit.path, &visit.headers).await? => {
                Ok(self.storage.redirect(&repository, &digest, &visit.headers))
            }
            _ => upstream.pass(visit).await,
        }
    }

    async fn start(&self, mut visit: Visit, upstream: &Upstream) -> io::Result<Response<Body>> {
        let from = visit.parameter("from").and_then(|from| from.parse().ok());
        let digest = visit.parameter("mount").and_then(|digest| digest.parse().ok());
        let may = matches!((from, digest), (Some(from), Some(digest)) if self.is_committed(&from, &digest));
        if self.rules.committed_mounts && !may {
            visit.forget(&["mount", "from"]);
        }
        upstream.pass(visit).await
    }

    fn is_committed(&self, repository: &RepositoryName, digest: &Digest) -> bool {
        let committed = self.committed.lock().expect("no holder of the names panics");
        committed
            .get(repository)
            .is_some_and(|digests| digests.contains(digest))
    }

    async fn take_part(&self, visit: Visit, upstream: &Upstream) -> io::Result<Response<Body>> {
        let Ok(part) = visit.part() else {
            return visit
                .refuse(416, "BLOB_UPLOAD_INVALID", "Content-Range is not <first>-<last>")
                .await;
        };
        // Docker's one PATCH without a range is cut into parts by ECR itself.
        let Some((first, last)) = part else {
            return upstream.pass(visit).await;
        };
        let progress = self.parts.of(&visit.path);
        let received = progress.map_or(0, |progress| progress.received);
        if self.rules.in_order && first != received {
            let message = format!("First byte of the layer part is {first} instead of {received}");
            return visit.refuse(416, "BLOB_UPLOAD_INVALID", &message).await;
        }
        if progress.is_some_and(|progress| self.is_too_small(progress.last)) {
            return too_small(visit).await;
        }
        let session = visit.path.clone();
        let mut answer = upstream.pass(visit).await?;
        if answer.status().is_success() {
            let progress = self.parts.add(&session, last - first + 1);
            if self.rules.stuck_range {
                *answer.status_mut() = StatusCode::CREATED;
                let range = format!("0-{}", progress.first)
                    .parse()
                    .map_err(io::Error::other)?;
                answer.headers_mut().insert(RANGE, range);
            }
        }
        Ok(answer)
    }

    async fn finish(&self, visit: Visit, upstream: &Upstream) -> io::Result<Response<Body>> {
        // With a body, what came before was not the last part.
        let before = self.parts.of(&visit.path).filter(|_| visit.has_body());
        if before.is_some_and(|progress| self.is_too_small(progress.last)) {
            return too_small(visit).await;
        }
        let session = visit.path.clone();
        let answer = upstream.pass(visit).await?;
        if answer.status().is_success() {
            self.parts.end(&session);
        }
        Ok(answer)
    }

    fn is_too_small(&self, part: u64) -> bool {
        self.rules.part_minimum.is_some_and(|minimum| part < minimum)
    }

    async fn put(&self, visit: Visit, upstream: &Upstream) -> io::Result<Response<Body>> {
        if !self.is_in_rate() {
            return visit.refuse(429, "TOOMANYREQUESTS", "Rate exceeded").await;
        }
        let tag = Some(&visit.reference).filter(|reference| reference.parse::<oci::Tag>().is_ok());
        if let Some(tag) = tag
            && self.rules.immutable_tags
            && upstream.has(&visit.path, &visit.headers).await?
        {
            let repository = visit
                .repository
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default();
            let message = format!(
                "The image tag '{tag}' already exists in the '{repository}' repository and cannot be overwritten because \
                 the repository is immutable."
            );
            return visit.refuse(400, "TAG_INVALID", &message).await;
        }
        self.commit(visit, upstream).await
    }

    /// Puts a manifest and remembers what it names.
    async fn commit(&self, mut visit: Visit, upstream: &Upstream) -> io::Result<Response<Body>> {
        let repository = visit.repository.clone();
        let Some(manifest) = visit.read(MAX_MANIFEST).await? else {
            return Ok(refusal(413, "SIZE_INVALID", "the manifest is too long"));
        };
        let names = names(&manifest);
        let answer = upstream.pass_with(visit, manifest).await?;
        if let Some(repository) = repository.filter(|_| answer.status().is_success()) {
            let mut committed = self.committed.lock().expect("no holder of the names panics");
            committed.entry(repository).or_default().extend(names);
        }
        Ok(answer)
    }

    /// Takes one out of the bucket.
    fn is_in_rate(&self) -> bool {
        let Some(rate) = self.rules.put_image_rate.map(f64::from) else {
            return true;
        };
        let now = Instant::now();
        let mut bucket = self.bucket.lock().expect("no holder of the bucket panics");
        let (left, since) = bucket.unwrap_or((rate, now));
        let left = (left + (now - since).as_secs_f64() * rate).min(rate);
        let fits = left >= 1.0;
        *bucket = Some((if fits { left - 1.0 } else { left }, now));
        fits
    }
}

fn verdict(visit: &Visit, verifier: &Verifier) -> Verdict {
    let pair = visit
        .header(AUTHORIZATION)
        .and_then(|value| value.strip_prefix("Basic "))
        .and_then(|pair| STANDARD.decode(pair).ok())
        .and_then(|pair| String::from_utf8(pair).ok());
    match pair.as_deref().and_then(|pair| pair.strip_prefix("AWS:")) {
        Some(password) => verifier(password),
        None => Verdict::Unknown,
    }
}

async fn ask(visit: Visit) -> io::Result<Response<Body>> {
    let challenge = format!(
        "Basic realm=\"https://{}/\",service=\"ecr.amazonaws.com\"",
        visit.host()
    );
    let mut answer = visit.refuse(401, "UNAUTHORIZED", "Not Authorized").await?;
    let challenge = challenge.parse().map_err(io::Error::other)?;
    answer.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    Ok(answer)
}

async fn too_small(visit: Visit) -> io::Result<Response<Body>> {
    let message = "All layer parts except the last part should be at least 5MB";
    visit.refuse(400, "BLOB_UPLOAD_INVALID", message).await
}

/// Lists the blobs that an image's manifest names.
fn names(manifest: &[u8]) -> Vec<Digest> {
    let document: Value = serde_json::from_slice(manifest).unwrap_or_default();
    let layers = document["layers"].as_array().cloned().unwrap_or_default();
    let blobs = layers.iter().chain([&document["config"]]);
    blobs
        .filter_map(|blob| blob["digest"].as_str()?.parse().ok())
        .collect()
}
