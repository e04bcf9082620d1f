//! Google Artifact Registry's data plane, in front of a registry.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex};

use http::header::{CONTENT_TYPE, HeaderName, LOCATION};
use http::{Method, Response};
use oci::{Digest, RepositoryName};
use registry::Operation;
use url::form_urlencoded;

use super::Tally;
use super::door::{Door, Front};
use super::upstream::Upstream;
use super::visit::{GOOGLE_UPLOADS, Visit};
use crate::listening::Body;

/// Tells whether a project has a repository, the first two segments of a path.
pub type Existing = Arc<dyn Fn(&str, &str) -> bool + Send + Sync>;

/// Takes note of a manifest that came to stand in a repository.
pub type Stored = Arc<dyn Fn(&Stand) + Send + Sync>;

/// A manifest that came to stand in a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stand {
    /// Where it stands.
    pub repository: RepositoryName,
    /// What it was put as: a tag, or its digest.
    pub reference: String,
    /// Its digest.
    pub digest: Digest,
    /// Its media type.
    pub media_type: String,
}

/// The hosts of Google's registries that mount from each other. Clones are the same family.
#[derive(Clone, Debug, Default)]
pub struct Family(Arc<Mutex<BTreeSet<String>>>);

/// By which rules a [`GarFront`] goes. Each can be switched off.
#[derive(Clone)]
pub struct GarRules {
    /// A blob goes whole, or in one PATCH: a second one is refused. <https://cloud.google.com/artifact-registry/docs/reference/docker-api>
    /// (dotnet/sdk-container-builds#287, kitops-ml/kitops#780); status and words are ours.
    pub one_patch: bool,
    /// Uploads go to addresses outside of `/v2`, a new one after each request, and each is good for one
    /// (gitpod-io/gitpod#10214, containerd/containerd#1318).
    pub upload_addresses: bool,
    /// Only these repositories are there: `NAME_UNKNOWN`, `Repository "R" not found`.
    pub existing: Option<Existing>,
    /// Who may only read is refused every write in these words, with 403 and the code `DENIED`. Google's are
    /// `Permission "artifactregistry.repositories.uploadArtifacts" denied on resource "R" (or it may not exist)`.
    pub uploads_denied: Option<String>,
    /// Is told what is stored: at Google's, the API lists it at once.
    pub stored: Option<Stored>,
    /// A tag that stands is not moved: `cannot update tag T. The repository has enabled tag immutability`.
    pub immutable_tags: bool,
    /// The hosts that a mount may name as its `origin` (google/go-containerregistry#1321, #1388). All of them must stand in
    /// front of one registry. Another host gets an upload session.
    pub family: Family,
}

impl Default for GarRules {
    /// All of them but those that depend on the project.
    fn default() -> Self {
        Self {
            one_patch: true,
            upload_addresses: true,
            existing: None,
            uploads_denied: None,
            stored: None,
            immutable_tags: false,
            family: Family::default(),
        }
    }
}

impl fmt::Debug for GarRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GarRules").finish_non_exhaustive()
    }
}

/// A front; it ends when dropped.
#[derive(Debug)]
pub struct GarFront {
    front: Front,
}

#[derive(Debug)]
struct Gar {
    rules: GarRules,
    addresses: Mutex<Addresses>,
}

/// Where uploads go on, by the path that was told.
#[derive(Debug, Default)]
struct Addresses {
    count: u64,
    open: BTreeMap<String, Address>,
}

#[derive(Clone, Debug)]
struct Address {
    path: String,
    query: String,
    /// How many parts went there before.
    patches: u32,
}

impl GarFront {
    /// Starts a front of `upstream`, a `host:port`, on a free loopback port. It joins the family of its rules.
    ///
    /// # Panics
    /// Where no port can be had.
    pub async fn start(upstream: &str, rules: GarRules) -> Self {
        let family = rules.family.clone();
        let gar = Arc::new(Gar {
            rules,
            addresses: Mutex::default(),
        });
        let front = Front::open(upstream, gar).await;
        family.join(front.host());
        Self { front }
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
}

impl Family {
    /// Takes a host in. Fronts join by their address; this is for another name by which one of them is reached.
    ///
    /// # Panics
    /// Never: nothing panics while it holds the hosts.
    pub fn join(&self, host: impl Into<String>) {
        self.0
            .lock()
            .expect("no holder of the hosts panics")
            .insert(host.into());
    }

    fn has(&self, host: &str) -> bool {
        self.0
            .lock()
            .expect("no holder of the hosts panics")
            .contains(host)
    }
}

impl Door for Gar {
    async fn answer(&self, mut visit: Visit, upstream: &Upstream) -> io::Result<Response<Body>> {
        if let Some(missing) = self.missing(&visit) {
            return visit.refuse(404, "NAME_UNKNOWN", &missing).await;
        }
        let writes = !matches!(visit.method, Method::GET | Method::HEAD);
        if let Some(denied) = self.rules.uploads_denied.as_ref().filter(|_| writes) {
            return visit.refuse(403, "DENIED", denied).await;
        }
        let mut patches = u32::from(visit.method == Method::PATCH);
        if self.rules.upload_addresses && (visit.path.starts_with(GOOGLE_UPLOADS) || visit.is_in_session()) {
            let address = self.take(&visit.path);
            let Some(address) = address else {
                let message = "the upload is not known, or its address was used";
                return visit.refuse(404, "BLOB_UPLOAD_UNKNOWN", message).await;
            };
            if self.rules.one_patch && patches > 0 && address.patches > 0 {
                let message = "chunked uploads are not supported";
                return visit.refuse(400, "UNSUPPORTED", message).await;
            }
            patches += address.patches;
            address.enter(&mut visit);
        }
        match visit.operation {
            Some(Operation::StartUpload) => self.mount(&mut visit),
            Some(Operation::PutManifest) => {
                if let Some(tag) = self.stands(&visit, upstream).await? {
                    let message =
                        format!("cannot update tag {tag}. The repository has enabled tag immutability");
                    return visit.refuse(400, "MANIFEST_INVALID", &message).await;
                }
            }
            _ => {}
        }
        let host = visit.host().to_owned();
        let put = Put::of(&visit);
        let mut answer = upstream.pass(visit).await?;
        if let (Some(stored), Some(stand)) = (&self.rules.stored, put.and_then(|put| put.stand(&answer))) {
            stored(&stand);
        }
        if self.rules.upload_addresses {
            self.readdress(&mut answer, &host, patches);
        }
        Ok(answer)
    }
}

impl Gar {
    /// Says what is not there, where the repository is not.
    fn missing(&self, visit: &Visit) -> Option<String> {
        let existing = self.rules.existing.as_ref()?;
        let name = visit.repository.as_ref()?.to_string();
        let mut segments = name.split('/');
        let (project, repository) = (segments.next()?, segments.next().unwrap_or_default());
        (!existing(project, repository)).then(|| format!("Repository \"{repository}\" not found"))
    }

    /// Turns a mount from one of the family into one within the store that they share.
    fn mount(&self, visit: &mut Visit) {
        match visit.parameter("origin") {
            Some(origin) if self.rules.family.has(&origin) => visit.forget(&["origin"]),
            Some(_) => visit.forget(&["origin", "mount", "from"]),
            None => {}
        }
    }

    /// Returns the tag that a manifest is put as, where it must not be moved.
    async fn stands(&self, visit: &Visit, upstream: &Upstream) -> io::Result<Option<String>> {
        let is_tag = visit.reference.parse::<oci::Tag>().is_ok();
        let stands = self.rules.immutable_tags && is_tag && upstream.has(&visit.path, &visit.headers).await?;
        Ok(stands.then(|| visit.reference.clone()))
    }

    /// Takes an address that was told. It is gone then.
    fn take(&self, path: &str) -> Option<Address> {
        let mut addresses = self.addresses.lock().expect("no holder of the addresses panics");
        addresses.open.remove(path)
    }

    /// Tells a new address where the registry tells one of its own.
    fn readdress(&self, answer: &mut Response<Body>, host: &str, patches: u32) {
        let location = answer
            .headers()
            .get(LOCATION)
            .and_then(|location| location.to_str().ok());
        let Some(location) = location.filter(|location| location.contains("/blobs/uploads/")) else {
            return;
        };
        let path = location
            .strip_prefix("http://")
            .and_then(|rest| rest.find('/').map(|start| &rest[start..]))
            .unwrap_or(location);
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let mut addresses = self.addresses.lock().expect("no holder of the addresses panics");
        addresses.count += 1;
        let told = format!(
            "{GOOGLE_UPLOADS}namespaces/p/repositories/r/uploads/{:016x}",
            addresses.count
        );
        let address = Address {
            path: path.to_owned(),
            query: query.to_owned(),
            patches,
        };
        addresses.open.insert(told.clone(), address);
        let location = format!("http://{host}{told}");
        answer
            .headers_mut()
            .insert(LOCATION, location.parse().expect("an address is visible ASCII"));
    }
}

/// A manifest that is being put.
struct Put {
    repository: RepositoryName,
    reference: String,
    media_type: String,
}

impl Put {
    fn of(visit: &Visit) -> Option<Self> {
        if visit.operation != Some(Operation::PutManifest) {
            return None;
        }
        Some(Self {
            repository: visit.repository.clone()?,
            reference: visit.reference.clone(),
            media_type: visit.header(CONTENT_TYPE)?.to_owned(),
        })
    }

    /// Returns what stands there now, where the registry took it.
    fn stand(self, answer: &Response<Body>) -> Option<Stand> {
        let digest = answer
            .headers()
            .get(HeaderName::from_static("docker-content-digest"));
        let digest = digest.filter(|_| answer.status().is_success())?;
        Some(Stand {
            repository: self.repository,
            reference: self.reference,
            digest: digest.to_str().ok()?.parse().ok()?,
            media_type: self.media_type,
        })
    }
}

impl Address {
    /// Leads a request to where the registry takes it.
    fn enter(self, visit: &mut Visit) {
        let mut query = form_urlencoded::Serializer::new(self.query);
        if let Some(digest) = visit.parameter("digest") {
            query.append_pair("digest", &digest);
        }
        visit.path = self.path;
        visit.query = query.finish();
    }
}
