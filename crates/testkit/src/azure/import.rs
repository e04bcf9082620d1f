//! Imports, as long-running operations.
//!
//! <https://learn.microsoft.com/rest/api/container-registry/registries/import-image>

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use futures_util::future::BoxFuture;
use http::{Response, StatusCode};
use serde_json::{Value, json};

use super::management::RESULTS;
use super::ticket::Asked;
use super::{SUBSCRIPTION, Shared, answer, resource_id};
use crate::listening::Body;

/// How often an import is asked for before it has ended.
const POLLS: usize = 2;

/// What an import asked for, and how it went.
#[derive(Clone, Debug)]
pub struct Import {
    /// The body of the request.
    pub body: Value,
    /// How often it was asked how it goes.
    pub polls: usize,
}

/// How an import fails: `code` and `message` of its error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The code.
    pub code: String,
    /// The message.
    pub message: String,
}

/// All imports.
pub(super) struct Hub(Mutex<Inner>);

struct Inner {
    imports: Vec<Import>,
    end: Result<(), Failure>,
    copier: Option<Copier>,
    properties: Value,
}

/// Carries an import out.
pub(super) type Copier = Arc<dyn Fn(Value) -> BoxFuture<'static, Result<(), Failure>> + Send + Sync>;

impl Default for Hub {
    fn default() -> Self {
        Self(Mutex::new(Inner {
            imports: Vec::new(),
            end: Ok(()),
            copier: None,
            properties: json!({}),
        }))
    }
}

impl Hub {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().expect("no holder of the imports panics")
    }

    pub(super) fn set_end(&self, end: Result<(), Failure>) {
        self.inner().end = end;
    }

    pub(super) fn set_copier(&self, copier: Copier) {
        self.inner().copier = Some(copier);
    }

    pub(super) fn imports(&self) -> Vec<Import> {
        self.inner().imports.clone()
    }

    /// Counts a poll of an import.
    fn polled(&self, id: &str) -> Option<(Import, Result<(), Failure>, Option<Copier>)> {
        let number: usize = id.strip_prefix("registries-")?.parse().ok()?;
        let mut inner = self.inner();
        let (end, copier) = (inner.end.clone(), inner.copier.clone());
        let import = inner.imports.get_mut(number)?;
        import.polls += 1;
        Some((import.clone(), end, copier))
    }

    pub(super) fn set_properties(&self, properties: Value) {
        self.inner().properties = properties;
    }

    pub(super) fn properties(&self) -> Value {
        self.inner().properties.clone()
    }
}

pub(super) fn begin(asked: &Asked, shared: &Shared) -> io::Result<Response<Body>> {
    let body: Value = serde_json::from_slice(&asked.body).map_err(io::Error::other)?;
    if let Some(wrong) = wrong(&body) {
        return answer::management_error(StatusCode::BAD_REQUEST, "InvalidParameters", wrong);
    }
    let number = {
        let mut inner = shared.hub.inner();
        inner.imports.push(Import { body, polls: 0 });
        inner.imports.len() - 1
    };
    let host = asked
        .headers
        .get("host")
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let place = format!(
        "https://{host}/subscriptions/{SUBSCRIPTION}/{RESULTS}/registries-{number}?api-version=2025-11-01"
    );
    running(&place)
}

/// What the documentation says of the parameters.
fn wrong(body: &Value) -> Option<&'static str> {
    let source = &body["source"];
    let own = source["resourceId"].as_str();
    if source["sourceImage"].as_str().is_none_or(str::is_empty) {
        return Some("Source image is required.");
    }
    if own.is_some() == source["registryUri"].is_string() {
        return Some("Either resourceId or registryUri is required.");
    }
    if own.is_some_and(|id| id != resource_id()) {
        return Some("The source registry can't be found.");
    }
    let credentials = &source["credentials"];
    if !credentials.is_null() && !credentials["password"].is_string() {
        return Some("Credentials need a password.");
    }
    let lists = ["targetTags", "untaggedTargetRepositories"];
    let named = lists
        .iter()
        .any(|list| body[list].as_array().is_some_and(|list| !list.is_empty()));
    let mode = body["mode"].as_str().unwrap_or("NoForce");
    if !named || !matches!(mode, "NoForce" | "Force") {
        return Some("Target and mode are required.");
    }
    None
}

fn running(place: &str) -> io::Result<Response<Body>> {
    let headers = [("location", place), ("retry-after", "0")];
    answer::with(StatusCode::ACCEPTED, &headers, &Value::Null)
}

/// Says how an import goes; it is carried out at the last of the polls.
pub(super) async fn poll(id: &str, shared: &Shared) -> io::Result<Response<Body>> {
    let Some((import, end, copier)) = shared.hub.polled(id) else {
        return answer::management_error(StatusCode::NOT_FOUND, "OperationNotFound", "no such operation");
    };
    if import.polls < POLLS {
        // Without a location: the one before holds.
        return answer::with(StatusCode::ACCEPTED, &[("retry-after", "0")], &Value::Null);
    }
    let carried_out = match &copier {
        Some(copy) => copy(import.body.clone()).await,
        None => end,
    };
    if let Err(failure) = carried_out {
        // Seen in the field: https://github.com/Azure/azure-powershell/issues/17348
        return answer::management_error(StatusCode::BAD_REQUEST, &failure.code, &failure.message);
    }
    if copier.is_none() {
        arrive(&import.body, shared);
    }
    answer::ok(&Value::Null)
}

/// Shows what was imported in the listings.
fn arrive(body: &Value, shared: &Shared) {
    let Some((_, digest)) = body["source"]["sourceImage"]
        .as_str()
        .and_then(|image| image.split_once('@'))
    else {
        return;
    };
    for repository in body["untaggedTargetRepositories"]
        .as_array()
        .into_iter()
        .flatten()
    {
        if let Some(repository) = repository.as_str() {
            let media_type = "application/vnd.oci.image.manifest.v1+json";
            shared.directory.put(repository, None, digest, media_type);
        }
    }
}
