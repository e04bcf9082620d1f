//! The Artifact Registry API: repositories, the operations that make them, and what stands in them.
//!
//! It follows [the reference](https://docs.cloud.google.com/artifact-registry/docs/reference/rest) and is tried with Google's
//! own Python client. What is sent to it is kept, so that it can be checked against Google's discovery document.

mod packages;
mod repositories;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use serde_json::{Value, json};

pub use self::packages::Image;
use self::repositories::Making;
use super::Asked;
use super::answer::{Answer, refusal, refusal_for, respond};
use crate::listening::{Body, Listening};

type Door = dyn Fn(Option<&str>) -> bool + Send + Sync;

/// A running API; it ends when dropped.
pub struct ArtifactRegistry {
    listening: Listening,
    shared: Arc<Shared>,
}

struct Shared {
    door: Box<Door>,
    state: Mutex<State>,
}

/// What stands there.
#[derive(Default)]
struct State {
    repositories: BTreeMap<String, Value>,
    /// By the package's name, slashes of the image escaped.
    packages: BTreeMap<String, Vec<Image>>,
    operations: BTreeMap<String, Making>,
    looks: usize,
    page: Option<usize>,
    denied: BTreeSet<String>,
    disabled: bool,
    failures: VecDeque<Failure>,
    asked: Vec<Asked>,
}

/// What happens to the next creation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It is refused.
    Refused(u16, Value),
    /// It is taken up and ends in this error, a `google.rpc.Status`.
    Ends(Value),
    /// Somebody else makes the repository first.
    Overtaken,
}

impl ArtifactRegistry {
    /// Listens on a free loopback port, for everybody.
    ///
    /// # Panics
    /// Where no port can be had.
    pub async fn start() -> Self {
        Self::start_for(|_| true).await
    }

    /// Listens on a free loopback port for those whose token `door` lets in.
    ///
    /// # Panics
    /// Where no port can be had.
    pub async fn start_for(door: impl Fn(Option<&str>) -> bool + Send + Sync + 'static) -> Self {
        let shared = Arc::new(Shared {
            door: Box::new(door),
            state: Mutex::default(),
        });
        let answerer = Arc::clone(&shared);
        let listening = Listening::start(move |request| serve(request, Arc::clone(&answerer))).await;
        Self { listening, shared }
    }

    /// Returns `127.0.0.1:PORT`.
    #[must_use]
    pub fn host(&self) -> String {
        self.listening.host()
    }

    /// Returns its address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.host())
    }

    /// Puts a repository there: `projects/P/locations/L/repositories/R`, and what else describes it.
    pub fn add_repository(&self, name: &str, mut repository: Value) {
        repository["name"] = json!(name);
        self.shared
            .state()
            .repositories
            .insert(name.to_owned(), repository);
    }

    /// Returns a repository as it stands.
    #[must_use]
    pub fn repository(&self, name: &str) -> Option<Value> {
        self.shared.state().repositories.get(name).cloned()
    }

    /// Puts images under a name within a repository.
    pub fn add_images(&self, repository: &str, image: &str, images: Vec<Image>) {
        let package = format!("{repository}/packages/{}", image.replace('/', "%2F"));
        self.shared.state().packages.insert(package, images);
    }

    /// Puts a manifest under an image's name, as a push does, and moves the tag to it where there is one.
    pub fn put_image(
        &self,
        repository: &str,
        image: &str,
        digest: &str,
        media_type: &str,
        tag: Option<&str>,
    ) {
        let package = format!("{repository}/packages/{}", image.replace('/', "%2F"));
        let mut state = self.shared.state();
        let images = state.packages.entry(package).or_default();
        if !images.iter().any(|image| image.digest == digest) {
            images.push(Image {
                digest: digest.to_owned(),
                media_type: media_type.to_owned(),
                tags: Vec::new(),
            });
        }
        let Some(tag) = tag else { return };
        for image in images {
            image.tags.retain(|other| other != tag);
            if image.digest == digest {
                image.tags.push(tag.to_owned());
            }
        }
    }

    /// Takes a manifest from under an image's name, with all its tags.
    pub fn remove_image(&self, repository: &str, image: &str, digest: &str) {
        let package = format!("{repository}/packages/{}", image.replace('/', "%2F"));
        let mut state = self.shared.state();
        let images = state.packages.get_mut(&package);
        images
            .into_iter()
            .for_each(|images| images.retain(|image| image.digest != digest));
    }

    /// Lists at most so many at once, fewer than are asked for.
    pub fn page_at_most(&self, page: usize) {
        self.shared.state().page = Some(page);
    }

    /// Says that an operation goes on, so many times from now on, before it is done.
    pub fn operations_take(&self, looks: usize) {
        self.shared.state().looks = looks;
    }

    /// Refuses a permission from now on.
    pub fn deny(&self, permission: &str) {
        self.shared.state().denied.insert(permission.to_owned());
    }

    /// Takes the API out of use.
    pub fn disable(&self) {
        self.shared.state().disabled = true;
    }

    /// Decides what happens to the next creation.
    pub fn next_creation(&self, failure: Failure) {
        self.shared.state().failures.push_back(failure);
    }

    /// Returns all requests in the order of arrival.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        self.shared.state().asked.clone()
    }

    /// Forgets what it was asked.
    pub fn forget(&self) {
        self.shared.state().asked.clear();
    }
}

impl fmt::Debug for ArtifactRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url())
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of the state panics")
    }
}

impl State {
    fn answer(&mut self, asked: &Asked) -> Answer {
        if self.disabled {
            return refusal_for(
                StatusCode::FORBIDDEN,
                "PERMISSION_DENIED",
                "Artifact Registry API has not been used in project 1 before or it is disabled.",
                "SERVICE_DISABLED",
            );
        }
        let name = resource(&asked.path);
        let segments: Vec<&str> = name.split('/').collect();
        let (permission, resource) = match (&asked.method, segments.as_slice()) {
            (&Method::GET, [.., "repositories", _]) => ("repositories.get", name.as_str()),
            (&Method::PATCH, [.., "repositories", _]) => ("repositories.update", name.as_str()),
            (&Method::POST, [.., "repositories"]) => {
                ("repositories.create", name.trim_end_matches("/repositories"))
            }
            (&Method::GET, [.., "packages", _, "versions"]) => ("versions.list", name.as_str()),
            (&Method::GET, [.., "packages", _, "tags"]) => ("tags.list", name.as_str()),
            (&Method::GET, [.., "operations", _]) => return self.operation(&name),
            _ => return refusal(StatusCode::NOT_FOUND, "NOT_FOUND", "Method not found."),
        };
        if let Some(denied) = self.denies(permission, resource) {
            return denied;
        }
        match permission {
            "repositories.get" => self.get(&name),
            "repositories.update" => self.patch(&name, asked),
            "repositories.create" => self.create(resource, asked),
            "versions.list" => self.versions(name.trim_end_matches("/versions"), asked),
            _ => self.tags(name.trim_end_matches("/tags"), asked),
        }
    }

    fn denies(&self, permission: &str, resource: &str) -> Option<Answer> {
        let permission = format!("artifactregistry.{permission}");
        if !self.denied.contains(&permission) {
            return None;
        }
        let resource = resource.split("/packages/").next().unwrap_or_default();
        let message = format!(
            "Permission '{permission}' denied on resource '//artifactregistry.googleapis.com/{resource}' (or it may not exist)."
        );
        Some(refusal_for(
            StatusCode::FORBIDDEN,
            "PERMISSION_DENIED",
            &message,
            "IAM_PERMISSION_DENIED",
        ))
    }
}

/// Returns the name in a path. What follows a `/` is escaped in it, once or, as some clients do, twice.
///
/// <https://github.com/googleapis/googleapis/blob/master/google/api/http.proto>
fn resource(path: &str) -> String {
    path.trim_start_matches("/v1/")
        .replace("%25", "%")
        .replace("%3A", ":")
        .replace("%2f", "%2F")
}

async fn serve(request: Request<Incoming>, shared: Arc<Shared>) -> io::Result<Response<Body>> {
    let asked = Asked::read(request).await?;
    let mut state = shared.state();
    state.asked.push(asked.clone());
    if !(shared.door)(asked.bearer()) {
        drop(state);
        return respond(refusal(
            StatusCode::UNAUTHORIZED,
            "UNAUTHENTICATED",
            "Request had invalid authentication credentials.",
        ));
    }
    let answer = state.answer(&asked);
    drop(state);
    respond(answer)
}
