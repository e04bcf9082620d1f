//! Asking, and what all questions share.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use http::header::{HeaderMap, HeaderName, LOCATION};
use http::{Method, StatusCode};
use oci::RepositoryName;
use url::Url;

use super::facts::{LocationFacts, Told};
use crate::call::{Call, CallBody, Redirects, Repeat, Reply, Scope, Target};
use crate::printable::printable;
use crate::{Client, Error};

/// How the names of headers begin that speak of limits.
const LIMITS: [&str; 5] = [
    "ratelimit",
    "x-ratelimit",
    "x-rate-limit",
    "x-ms-ratelimit",
    "retry-after",
];

/// The most headers about limits that are kept.
const MAX_LIMITS: usize = 20;

/// Finds out how one registry behaves, by its repository `name`.
pub struct Prober {
    pub(super) client: Client,
    pub(super) name: RepositoryName,
    limits: Mutex<BTreeMap<String, String>>,
}

impl fmt::Debug for Prober {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Prober({}/{})", self.client.host(), self.name)
    }
}

impl Prober {
    /// Asks the registry that `client` talks to. Nothing is sent yet.
    #[must_use]
    pub fn new(client: Client, name: RepositoryName) -> Self {
        Self {
            client,
            name,
            limits: Mutex::default(),
        }
    }

    /// Returns what answers have said about limits so far: headers, by name, as they were last.
    #[must_use]
    pub fn limits(&self) -> BTreeMap<String, String> {
        self.limits.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes the path of something in the repository.
    pub(super) fn path(&self, rest: impl fmt::Display) -> Target {
        Target::Path(format!("/v2/{}/{rest}", self.name))
    }

    /// A question.
    pub(super) fn read(&self, method: Method, target: Target) -> Call {
        let mut call = Call::ping();
        call.method = method;
        call.target = target;
        call.scope = Scope::pull(&self.name);
        call
    }

    /// What opens, feeds or cancels a session: sent once, and never elsewhere.
    pub(super) fn write(&self, method: Method, target: Target, body: CallBody) -> Call {
        let mut call = self.read(method, target);
        call.scope = Scope::push(&self.name);
        call.repeat = Repeat::Never;
        call.redirects = Redirects::Show;
        call.body = body;
        call
    }

    pub(super) async fn send(&self, call: Call) -> Result<Reply, Error> {
        // A call is large, and probes await many of them.
        let reply = Box::pin(self.client.send(call)).await?;
        self.note(&reply.headers);
        Ok(reply)
    }

    /// Sends a call of which only the head of its answer matters.
    pub(super) async fn head(&self, call: Call) -> Told<Head> {
        let reply = self.send(call).await.map_err(|error| told(&error))?;
        let head = Head {
            status: reply.status,
            headers: reply.headers.clone(),
            url: reply.url.clone(),
        };
        reply.drain().await;
        Ok(head)
    }

    /// Keeps what an answer says about limits.
    pub(super) fn note(&self, headers: &HeaderMap) {
        let mut limits = self.limits.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, value) in headers {
            let speaks = LIMITS.iter().any(|start| name.as_str().starts_with(start));
            let room = limits.len() < MAX_LIMITS || limits.contains_key(name.as_str());
            if let (true, true, Ok(value)) = (speaks, room, value.to_str()) {
                limits.insert(name.as_str().to_owned(), printable(value));
            }
        }
    }

    /// Describes an address that the answer from `base` named.
    pub(super) fn location(&self, base: &Url, text: &str) -> Option<LocationFacts> {
        let url = base.join(text).ok()?;
        let home = self.client.resolve(base, text).is_ok();
        Some(LocationFacts {
            absolute: Url::parse(text).is_ok() || text.starts_with("//"),
            under_v2: url.path().starts_with("/v2/"),
            elsewhere: (!home).then(|| authority(&url)),
        })
    }
}

/// The head of an answer.
pub(super) struct Head {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) url: Url,
}

impl Head {
    pub(super) fn header(&self, name: impl http::header::AsHeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Returns a header for people.
    pub(super) fn shown(&self, name: &HeaderName) -> Option<String> {
        self.header(name).map(printable)
    }

    pub(super) fn location(&self) -> Option<&str> {
        self.header(LOCATION)
    }
}

/// Returns `host[:port]` of an address.
pub(super) fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// Says in one line why there is no answer.
pub(super) fn told(error: &Error) -> String {
    error.to_string()
}
