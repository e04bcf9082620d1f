//! From a request to its answer.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HeaderName, HeaderValue};
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode};
use oci::{Digest, RepositoryName};
use url::form_urlencoded;

use crate::failure::{Code, Failure};
use crate::options::Options;
use crate::record::Recorder;
use crate::route::{Resource, Route};
use crate::session::Sessions;
use crate::store::Storage;
use crate::token::Tokens;
use crate::{auth, blobs, manifests, referrers, tags, token, uploads};

/// How much of a body that nobody wanted is read all the same, so that the client sees the answer and no reset.
const DRAIN: usize = 16 << 20;

/// How long that may take.
const DRAIN_TIME: Duration = Duration::from_millis(250);

/// A request's body.
pub(crate) type Incoming = Pin<Box<dyn Stream<Item = Result<Bytes, axum::Error>> + Send>>;

/// What a handler returns.
pub(crate) type Answer = Result<Response, Failure>;

/// Everything a registry is made of.
pub(crate) struct Service {
    pub(crate) storage: Storage,
    pub(crate) options: Options,
    pub(crate) sessions: Sessions,
    pub(crate) tokens: Tokens,
    pub(crate) recorder: Recorder,
}

/// A request without its body, and what its parameters say.
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    query: Vec<(String, String)>,
}

impl Call {
    fn new(parts: Parts) -> Self {
        let query = parts.uri.query().unwrap_or_default().as_bytes();
        Self {
            query: form_urlencoded::parse(query).into_owned().collect(),
            path: parts.uri.path().to_owned(),
            method: parts.method,
            headers: parts.headers,
        }
    }

    /// Returns the first parameter of this name.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// Returns every parameter of this name.
    pub(crate) fn parameters<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.query
            .iter()
            .filter(move |(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// Returns a header's text.
    pub(crate) fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Returns true for what changes nothing.
    pub(crate) fn reads(&self) -> bool {
        self.method == Method::GET || self.method == Method::HEAD
    }
}

/// Reads a digest that a client wrote.
pub(crate) fn digest(text: &str) -> Result<Digest, Failure> {
    text.parse()
        .map_err(|error: oci::ParseDigestError| Failure::new(Code::DigestInvalid, error.to_string()))
}

/// Makes a response without a body.
pub(crate) fn empty<const N: usize>(status: StatusCode, headers: [(&'static str, String); N]) -> Response {
    respond(status, headers, Body::empty())
}

/// Makes a response. A header whose value no header can carry is left out.
pub(crate) fn respond<const N: usize>(
    status: StatusCode,
    headers: [(&'static str, String); N],
    body: Body,
) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response
                .headers_mut()
                .append(HeaderName::from_static(name), value);
        }
    }
    response
}

/// Makes a JSON document of `media_type` the response.
pub(crate) fn json(media_type: &'static str, value: &serde_json::Value) -> Response {
    let mut response = Response::new(Body::from(value.to_string()));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

/// Answers a request.
pub(crate) async fn answer(service: Arc<Service>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let entry = service.recorder.start(&parts);
    let mut body = entry.count_received(body);
    let expects = parts.headers.contains_key(EXPECT);
    let call = Call::new(parts);
    let answer = Box::pin(service.route(&call, &mut body)).await;
    // A body that waits for our word to be sent must not be asked for now.
    if !expects {
        drain(&mut body).await;
    }
    let mut response = answer.unwrap_or_else(IntoResponse::into_response);
    let version = HeaderValue::from_static("registry/2.0");
    response
        .headers_mut()
        .insert("docker-distribution-api-version", version);
    entry.count_sent(measured(response))
}

/// Writes the length where it is known, lest a wrapped body be sent in chunks.
fn measured(mut response: Response) -> Response {
    let length = axum::body::HttpBody::size_hint(response.body())
        .exact()
        .filter(|length| *length > 0);
    if let Some(length) = length {
        response
            .headers_mut()
            .entry(CONTENT_LENGTH)
            .or_insert_with(|| length.into());
    }
    response
}

async fn drain(body: &mut Incoming) {
    let mut left = DRAIN;
    let rest = async {
        while let Some(Ok(bytes)) = body.next().await {
            left = left.saturating_sub(bytes.len());
            if left == 0 {
                break;
            }
        }
    };
    // Where the client is slower than that, it has to live with a closed connection.
    let _ = tokio::time::timeout(DRAIN_TIME, rest).await;
}

impl Service {
    async fn route(&self, call: &Call, body: &mut Incoming) -> Answer {
        let route = Route::parse(&call.path)?;
        if route == Route::Token {
            return token::issue(self, call, body).await;
        }
        auth::check(self, call, &route)?;
        match (call.method.as_str(), route) {
            ("GET" | "HEAD", Route::Base) => Ok(json("application/json", &serde_json::json!({}))),
            ("GET", Route::Catalog) => tags::catalog(self, call).await,
            (_, Route::In(repository, resource)) => {
                self.permit(call, &resource)?;
                self.within(call, repository, resource, body).await
            }
            _ => Err(not_supported()),
        }
    }

    async fn within(
        &self,
        call: &Call,
        repository: RepositoryName,
        resource: Resource,
        body: &mut Incoming,
    ) -> Answer {
        match (call.method.as_str(), resource) {
            ("GET", Resource::Tags) => tags::list(self, call, repository).await,
            ("GET", Resource::Referrers(subject)) => referrers::list(self, call, repository, &subject).await,
            ("GET" | "HEAD", Resource::Manifest(text)) => manifests::get(self, call, repository, &text).await,
            ("PUT", Resource::Manifest(text)) => manifests::put(self, call, repository, &text, body).await,
            ("DELETE", Resource::Manifest(text)) => manifests::delete(self, repository, &text).await,
            ("GET" | "HEAD", Resource::Blob(text)) => blobs::get(self, call, repository, &text).await,
            ("DELETE", Resource::Blob(text)) => blobs::delete(self, repository, &text).await,
            ("POST", Resource::Uploads) => uploads::start(self, call, repository, body).await,
            ("PATCH", Resource::Session(id)) => uploads::append(self, call, &repository, &id, body).await,
            ("PUT", Resource::Session(id)) => uploads::finish(self, call, repository, &id, body).await,
            ("GET", Resource::Session(id)) => uploads::status(self, &repository, &id),
            ("DELETE", Resource::Session(id)) => uploads::cancel(self, &repository, &id),
            _ => Err(not_supported()),
        }
    }

    /// Refuses what the options switch off.
    fn permit(&self, call: &Call, resource: &Resource) -> Result<(), Failure> {
        let deletes = call.method == Method::DELETE && !matches!(resource, Resource::Session(_));
        if (self.options.read_only && !call.reads()) || (deletes && !self.options.delete) {
            return Err(not_supported());
        }
        Ok(())
    }
}

fn not_supported() -> Failure {
    Failure::new(Code::Unsupported, "this registry does not support that operation")
}
