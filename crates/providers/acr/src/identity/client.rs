//! The transport under azure_identity: ours, with its certificates, its proxies and its deadlines.

use std::sync::Arc;

use async_trait::async_trait;
use azure_core::error::{Error, ErrorKind};
use azure_core::http::headers::Headers;
use azure_core::http::request::Body;
use azure_core::http::{AsyncRawResponse, HttpClient, Request, StatusCode};
use futures_util::StreamExt as _;
use registry::{Reach, RequestBody, Transport, TransportError, TransportErrorKind};
use url::Url;

/// No answer with a token is longer.
const MAX_ANSWER: usize = 1 << 20;

/// Sends what azure_identity sends.
#[derive(Debug)]
pub(super) struct Client(pub(super) Arc<dyn Transport>);

#[async_trait]
impl HttpClient for Client {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let response = self.0.send(translated(request)?).await.map_err(failure)?;
        let mut headers = Headers::new();
        for (name, value) in &response.headers {
            if let Ok(value) = value.to_str() {
                headers.insert(name.as_str().to_owned(), value.to_owned());
            }
        }
        let status = StatusCode::from(response.status.as_u16());
        let mut body = response.body;
        let mut bytes = Vec::new();
        while let Some(chunk) = body.next().await {
            bytes.extend_from_slice(&chunk.map_err(failure)?);
            if bytes.len() > MAX_ANSWER {
                let message = format!("the answer is longer than {MAX_ANSWER} bytes");
                return Err(Error::with_message(ErrorKind::Io, message));
            }
        }
        Ok(AsyncRawResponse::from_bytes(status, headers, bytes))
    }
}

fn translated(request: &Request) -> azure_core::Result<registry::Request> {
    let broken = |what: &str| Error::with_message(ErrorKind::Other, format!("the request has no {what}"));
    let mut headers = http::HeaderMap::new();
    for (name, value) in request.headers().iter() {
        let name = http::HeaderName::try_from(name.as_str()).map_err(|_| broken("sound header"))?;
        let mut value = http::HeaderValue::try_from(value.as_str()).map_err(|_| broken("sound header"))?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    let body = match request.body() {
        Body::Bytes(bytes) if bytes.is_empty() => RequestBody::Empty,
        Body::Bytes(bytes) => RequestBody::Bytes(bytes.clone()),
        Body::SeekableStream(_) => return Err(broken("body that can be sent")),
    };
    Ok(registry::Request {
        method: http::Method::from_bytes(request.method().as_str().as_bytes())
            .map_err(|_| broken("sound method"))?,
        url: Url::parse(request.url().as_str()).map_err(|_| broken("address"))?,
        headers,
        body,
        reach: Reach::Declared,
    })
}

/// What is none of the network's fault is of a kind that azure_core does not repeat: it would for most of a minute.
fn failure(error: TransportError) -> Error {
    let kind = match error.kind() {
        TransportErrorKind::Tls | TransportErrorKind::Forbidden | TransportErrorKind::Body => {
            ErrorKind::Other
        }
        TransportErrorKind::Refused
        | TransportErrorKind::Connect
        | TransportErrorKind::Timeout
        | TransportErrorKind::Stalled
        | TransportErrorKind::Interrupted
        | TransportErrorKind::Decode => ErrorKind::Connection,
    };
    Error::new(kind, error)
}
