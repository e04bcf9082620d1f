//! The one door to the network: a request in, a response out.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use http::{HeaderMap, Method, StatusCode};
use url::Url;

use crate::call::Effort;
use crate::{ByteStream, Error, ErrorKind, SafeUrl};

/// Sends requests. [`HttpTransport`](crate::HttpTransport) does it for real.
///
/// It follows no redirect, keeps no cookie, adds no credential and decodes no body.
#[async_trait]
pub trait Transport: fmt::Debug + Send + Sync {
    /// Sends one request and returns as soon as the head of the response is there.
    async fn send(&self, request: Request) -> Result<Response, TransportError>;
}

/// What is sent.
pub struct Request {
    /// The method.
    pub method: Method,
    /// The whole address.
    pub url: Url,
    /// The headers, without `Content-Length`: the body knows it.
    pub headers: HeaderMap,
    /// The body.
    pub body: RequestBody,
    /// How much the address is trusted.
    pub reach: Reach,
}

/// How much an address is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reach {
    /// The registry itself: its client certificate and its exception from verification apply.
    Registry,
    /// Another host that the configuration or the built-in table names: certificates are always verified.
    Declared,
    /// Where an answer pointed: certificates are always verified, and a name must not resolve to this machine, to its link
    /// or to a metadata service.
    Elsewhere,
}

/// The body of a request.
pub enum RequestBody {
    /// None.
    Empty,
    /// All of it at once.
    Bytes(Bytes),
    /// As it comes, exactly `length` bytes of it.
    Stream {
        /// How many bytes the stream has.
        length: u64,
        /// The stream.
        body: ByteStream,
    },
    /// None, where the other side then stores what came before: its answer may take as long as that.
    Closing {
        /// How many bytes are stored.
        stored: u64,
    },
}

/// What came back.
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body; it ends in an error where fewer bytes came than were announced.
    pub body: BoxStream<'static, Result<Bytes, TransportError>>,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Request({} {})", self.method, SafeUrl::new(&self.url))
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Response({})", self.status)
    }
}

/// What sort of failure it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TransportErrorKind {
    /// Nothing listens there.
    Refused,
    /// The name did not resolve or the address could not be reached. Nothing was sent.
    Connect,
    /// The two sides could not agree on TLS, or the certificate was refused.
    Tls,
    /// No head of a response in time.
    Timeout,
    /// No byte moved for too long.
    Stalled,
    /// The connection broke, or ended before the announced length.
    Interrupted,
    /// The response was not HTTP.
    Decode,
    /// The body that was to be sent failed by itself; its error is the source.
    Body,
    /// The address is forbidden.
    Forbidden,
}

/// Why no response came, or why its body ended early.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct TransportError {
    kind: TransportErrorKind,
    message: String,
    hint: Option<&'static str>,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl TransportError {
    /// Makes an error.
    pub fn new(kind: TransportErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            hint: None,
            source: None,
        }
    }

    /// Adds what to do next.
    #[must_use]
    pub fn with_hint(mut self, hint: &'static str) -> Self {
        self.hint = Some(hint);
        self
    }

    /// Adds what caused it.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Returns what sort of failure it was.
    #[must_use]
    pub fn kind(&self) -> TransportErrorKind {
        self.kind
    }

    /// Makes the error of a whole call. A body that failed by itself stays its own error.
    pub(crate) fn into_error(self, what: &str, effort: Effort) -> Error {
        let message = format!("{what}: {}", self.message);
        let error = Error::new(meaning(self.kind), message).after(effort);
        let error = match self.hint {
            Some(hint) => error.with_hint(hint),
            None => error,
        };
        match self
            .source
            .map(<dyn std::error::Error + Send + Sync>::downcast::<Error>)
        {
            Some(Ok(body)) => *body,
            Some(Err(source)) => error.caused_by(source),
            None => error,
        }
    }
}

fn meaning(kind: TransportErrorKind) -> ErrorKind {
    match kind {
        TransportErrorKind::Tls | TransportErrorKind::Forbidden => ErrorKind::Policy,
        TransportErrorKind::Refused
        | TransportErrorKind::Connect
        | TransportErrorKind::Timeout
        | TransportErrorKind::Stalled
        | TransportErrorKind::Interrupted
        | TransportErrorKind::Decode
        | TransportErrorKind::Body => ErrorKind::Network,
    }
}
