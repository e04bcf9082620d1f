//! Azure Container Registry's data plane, in front of a registry.

use std::fmt;
use std::io;
use std::sync::Arc;

use http::header::{LOCATION, RANGE};
use http::{Method, Response};
use registry::Operation;

use super::Tally;
use super::door::{Door, Front};
use super::parts::Parts;
use super::storage::{Storage, Whose};
use super::upstream::Upstream;
use super::visit::{Visit, refusal, with_text};
use crate::listening::Body;

/// Tells whether a repository, or a tag of it, is locked.
pub type Locked = Arc<dyn Fn(&str, Option<&str>) -> bool + Send + Sync>;

/// By which rules an [`AcrFront`] goes. Each can be switched off.
///
/// There is no rule for the size of a part: Microsoft's clients send 4 MiB, but no source says that more is refused.
#[derive(Clone)]
pub struct AcrRules {
    /// The most bytes of one request's body; more is answered with 413 (goharbor/harbor#23015: about 20 MB).
    pub body_limit: Option<u64>,
    /// A part says `Content-Range: first-last`, without `bytes`, and parts follow one another.
    /// <https://learn.microsoft.com/rest/api/containerregistry/container-registry-blob/upload-chunk>
    pub strict_ranges: bool,
    /// Locations are relative. <https://github.com/Azure/acr/blob/main/docs/http-headers.md>
    pub relative_locations: bool,
    /// Blobs are read from Azure Blob, by a signed address that takes no `Authorization`.
    pub redirects: bool,
    /// What is locked is neither written nor deleted: 405 (Azure/acr-cli#70).
    /// <https://learn.microsoft.com/azure/container-registry/container-registry-image-lock>
    pub locked: Option<Locked>,
}

impl Default for AcrRules {
    /// All of them, and nothing locked.
    fn default() -> Self {
        Self {
            body_limit: Some(20_000_000),
            strict_ranges: true,
            relative_locations: true,
            redirects: true,
            locked: None,
        }
    }
}

impl fmt::Debug for AcrRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AcrRules").finish_non_exhaustive()
    }
}

/// A front; it ends when dropped.
#[derive(Debug)]
pub struct AcrFront {
    front: Front,
    acr: Arc<Acr>,
}

#[derive(Debug)]
struct Acr {
    rules: AcrRules,
    storage: Storage,
    parts: Parts,
}

impl AcrFront {
    /// Starts a front of `upstream`, a `host:port`, on a free loopback port.
    ///
    /// # Panics
    /// Where no port can be had.
    pub async fn start(upstream: &str, rules: AcrRules) -> Self {
        let acr = Arc::new(Acr {
            rules,
            storage: Storage::open(upstream, Whose::Azure).await,
            parts: Parts::default(),
        });
        let front = Front::open(upstream, Arc::clone(&acr)).await;
        Self { front, acr }
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
        self.acr.storage.cut(times, after);
    }

    /// Returns the statuses that the storage behind the redirects has answered.
    #[must_use]
    pub fn downloads(&self) -> Vec<u16> {
        self.acr.storage.statuses()
    }
}

impl Door for Acr {
    async fn answer(&self, mut visit: Visit, upstream: &Upstream) -> io::Result<Response<Body>> {
        if self.is_locked(&visit) {
            let message = "The operation is disallowed on this registry, repository or image. View troubleshooting steps \
                           at https://aka.ms/acr/faq/#why-does-my-pull-or-push-request-fail-with-disallowed-operation";
            return visit.refuse(405, "REGISTRY_DISALLOWED_OPERATION", message).await;
        }
        if let Some(limit) = self.rules.body_limit {
            let fits = match visit.length() {
                Some(length) => length <= limit,
                // Without a length, only reading tells.
                None => return self.unmeasured(visit, limit, upstream).await,
            };
            if !fits {
                visit.read(0).await?;
                return Ok(too_large());
            }
        }
        self.within_limit(visit, upstream).await
    }
}

impl Acr {
    fn is_locked(&self, visit: &Visit) -> bool {
        let changes = !matches!(visit.method, Method::GET | Method::HEAD);
        let (Some(locked), Some(repository)) = (&self.rules.locked, &visit.repository) else {
            return false;
        };
        let tag = Some(visit.reference.as_str()).filter(|_| visit.path.contains("/manifests/"));
        changes && locked(repository.as_str(), tag)
    }

    async fn unmeasured(
        &self,
        mut visit: Visit,
        limit: u64,
        upstream: &Upstream,
    ) -> io::Result<Response<Body>> {
        match visit.read(usize::try_from(limit).unwrap_or(usize::MAX)).await? {
            Some(body) if body.is_empty() => self.within_limit(visit, upstream).await,
            Some(body) => upstream.pass_with(visit, body).await,
            None => Ok(too_large()),
        }
    }

    async fn within_limit(&self, visit: Visit, upstream: &Upstream) -> io::Result<Response<Body>> {
        let mut answer = match visit.operation {
            Some(Operation::GetBlob) if self.rules.redirects => return self.read(visit, upstream).await,
            Some(Operation::SendChunk) if self.rules.strict_ranges => self.take_part(visit, upstream).await?,
            _ => upstream.pass(visit).await?,
        };
        if self.rules.relative_locations {
            make_relative(&mut answer);
        }
        Ok(answer)
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

    async fn take_part(&self, mut visit: Visit, upstream: &Upstream) -> io::Result<Response<Body>> {
        let received = self.parts.of(&visit.path).map_or(0, |progress| progress.received);
        let in_order = |(first, _): &(u64, u64)| *first == received;
        let (first, last) = match visit.part() {
            Ok(None) => return upstream.pass(visit).await,
            Ok(Some(part)) if in_order(&part) => part,
            Ok(Some(_)) | Err(()) => {
                visit.read(0).await?;
                return Ok(out_of_order(&visit.path, received));
            }
        };
        let session = visit.path.clone();
        let answer = upstream.pass(visit).await?;
        if answer.status().is_success() {
            self.parts.add(&session, last - first + 1);
        }
        Ok(answer)
    }
}

fn too_large() -> Response<Body> {
    with_text(
        413,
        "text/html",
        "<html><head><title>413 Request Entity Too Large - AzureContainerRegistry</title></head></html>"
            .to_owned(),
    )
}

fn out_of_order(session: &str, received: u64) -> Response<Body> {
    let message = "range must be <first>-<last> and follow what was received";
    let mut answer = refusal(416, "BLOB_UPLOAD_INVALID", message);
    let range = format!("0-{}", received.saturating_sub(1));
    for (name, value) in [(RANGE, range.as_str()), (LOCATION, session)] {
        let value = value.parse().expect("a path is visible ASCII");
        answer.headers_mut().insert(name, value);
    }
    answer
}

fn make_relative(answer: &mut Response<Body>) {
    let location = answer
        .headers()
        .get(LOCATION)
        .and_then(|location| location.to_str().ok());
    let rest = location
        .and_then(|location| location.split_once("://"))
        .map(|(_, rest)| rest);
    let path = rest.and_then(|rest| rest.find('/').map(|start| rest[start..].to_owned()));
    if let Some(path) = path.and_then(|path| path.parse().ok()) {
        answer.headers_mut().insert(LOCATION, path);
    }
}
