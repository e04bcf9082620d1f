//! A vendor's API beside the protocol: JSON over the same transport.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue, USER_AGENT};
use http::{Method, StatusCode};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use url::Url;

use crate::call::{Effort, Repeat};
use crate::retry::{self, Decision, Outcome, decide};
use crate::{Error, ErrorKind, Reach, Request, RequestBody, SafeUrl, Transport, TransportError};

/// The most of an answer that is read, in bytes.
const MAX_ANSWER: usize = 32 << 20;

/// How often a request that failed is sent, at most.
const TRIES: u32 = 5;

/// Talks to a vendor's API. Redirects are not followed, and the caller brings the credential.
#[derive(Clone)]
pub struct Rest {
    transport: Arc<dyn Transport>,
    reach: Reach,
}

/// What is asked.
#[derive(Clone, Debug)]
pub struct RestRequest {
    /// The method.
    pub method: Method,
    /// The whole address.
    pub url: Url,
    /// The headers, the credential among them.
    pub headers: HeaderMap,
    /// The body.
    pub body: RestBody,
}

/// The body of a request. It may hold a secret, so its `Debug` shows nothing of it.
#[derive(Clone)]
pub enum RestBody {
    /// None.
    Empty,
    /// A JSON document.
    Json(serde_json::Value),
    /// A form, `application/x-www-form-urlencoded`.
    Form(String),
}

/// What was answered, whatever the status.
#[derive(Clone, Debug)]
pub struct RestReply {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
    /// The address that was asked.
    pub url: Url,
}

impl fmt::Debug for RestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "Empty",
            Self::Json(_) => "Json(..)",
            Self::Form(_) => "Form(..)",
        })
    }
}

impl fmt::Debug for Rest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rest")
            .field("reach", &self.reach)
            .finish_non_exhaustive()
    }
}

impl Rest {
    /// Talks through `transport` to addresses that are trusted as far as `reach` says.
    #[must_use]
    pub fn new(transport: Arc<dyn Transport>, reach: Reach) -> Self {
        Self { transport, reach }
    }

    /// Sends a request, again where the network failed or the API wants less, and returns the answer whatever its status.
    ///
    /// A request that is not safe to send twice is sent again only where it certainly did not arrive, or was throttled.
    ///
    /// # Errors
    /// No answer after all tries.
    pub async fn send(&self, request: &RestRequest) -> Result<RestReply, Error> {
        let start = Instant::now();
        let mut tries = 0;
        loop {
            tries += 1;
            let result = self.once(request).await;
            let outcome = outcome(&result);
            let effort = Effort {
                tries,
                elapsed: start.elapsed(),
            };
            match decide(outcome, repeat(request, outcome), tries, TRIES, full_jitter) {
                Decision::Again(after) => tokio::time::sleep(after).await,
                Decision::Stop => {
                    let what = || format!("{} {}", request.method, SafeUrl::new(&request.url));
                    return result.map_err(|error| error.into_error(&what(), effort));
                }
            }
        }
    }

    async fn once(&self, request: &RestRequest) -> Result<RestReply, TransportError> {
        let mut headers = request.headers.clone();
        headers.insert(
            USER_AGENT,
            HeaderValue::from_static(concat!("transship/", env!("CARGO_PKG_VERSION"))),
        );
        headers
            .entry(ACCEPT)
            .or_insert(HeaderValue::from_static("application/json"));
        let body = match &request.body {
            RestBody::Empty => RequestBody::Empty,
            RestBody::Json(value) => {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                RequestBody::Bytes(value.to_string().into())
            }
            RestBody::Form(form) => {
                let form_type = HeaderValue::from_static("application/x-www-form-urlencoded");
                headers.insert(CONTENT_TYPE, form_type);
                RequestBody::Bytes(form.clone().into())
            }
        };
        let mut response = self
            .transport
            .send(Request {
                method: request.method.clone(),
                url: request.url.clone(),
                headers,
                body,
                reach: self.reach,
            })
            .await?;
        let mut bytes = BytesMut::new();
        while let Some(chunk) = response.body.next().await {
            let chunk = chunk?;
            if bytes.len() + chunk.len() > MAX_ANSWER {
                let message = format!("the answer is longer than {MAX_ANSWER} bytes");
                return Err(TransportError::new(crate::TransportErrorKind::Decode, message));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(RestReply {
            status: response.status,
            headers: response.headers,
            body: bytes.freeze(),
            url: request.url.clone(),
        })
    }
}

impl RestRequest {
    /// Asks for a document.
    #[must_use]
    pub fn get(url: Url) -> Self {
        Self {
            method: Method::GET,
            url,
            headers: HeaderMap::new(),
            body: RestBody::Empty,
        }
    }

    /// Sends a document.
    #[must_use]
    pub fn send(method: Method, url: Url, body: RestBody) -> Self {
        Self {
            method,
            url,
            headers: HeaderMap::new(),
            body,
        }
    }

    /// Adds a header.
    #[must_use]
    pub fn with(mut self, name: http::HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }
}

impl RestReply {
    /// Reads the body as a document.
    ///
    /// # Errors
    /// A body that is not what `what` names.
    pub fn json<T: DeserializeOwned>(&self, what: &str) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(|error| {
            let message = format!("{what} from {} is malformed", SafeUrl::new(&self.url));
            Error::new(ErrorKind::Integrity, message).caused_by(error)
        })
    }

    /// Makes the error of an answer that refuses. `action` says what was tried.
    #[must_use]
    pub fn refusal(&self, action: &str) -> Error {
        Error::of_answer(action, self.status, &self.body)
    }
}

fn outcome(result: &Result<RestReply, TransportError>) -> Outcome {
    match result {
        Ok(reply) => Outcome::Status(reply.status, retry::retry_after(&reply.headers, Timestamp::now)),
        Err(error) => Outcome::Failed(error.kind()),
    }
}

fn repeat(request: &RestRequest, outcome: Outcome) -> Repeat {
    let throttled = matches!(outcome, Outcome::Status(StatusCode::TOO_MANY_REQUESTS, _));
    match request.method {
        Method::GET | Method::HEAD | Method::PUT | Method::PATCH | Method::DELETE => Repeat::Safe,
        _ if throttled => Repeat::Safe,
        _ => Repeat::Never,
    }
}

/// Delays are drawn evenly between zero and their bound, so that clients which failed together do not return together.
fn full_jitter(bound: Duration) -> Duration {
    bound.mul_f64(fastrand::f64())
}
