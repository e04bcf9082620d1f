//! The transport that goes over the network.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use http::header::{CONTENT_LENGTH, HeaderMap, HeaderValue};
use http::{Method, StatusCode};
use reqwest::{Body, Certificate, ClientBuilder, Identity};
use tokio::time::timeout;
use url::Url;

use crate::address::{self, Place};
use crate::failure::classify;
use crate::progress::{Outgoing, Progress, commit_time, incoming};
use crate::resolver::Resolver;
use crate::{
    Error, ErrorKind, Reach, Request, RequestBody, Response, Transport, TransportError, TransportErrorKind,
};

/// A connection stands within this time or not at all.
const CONNECT: Duration = Duration::from_secs(10);
/// The head of a response is there within this time, unless a body is streamed out first.
const HEAD: Duration = Duration::from_secs(60);
/// Registries and their proxies close idle connections after a minute or less; ours are gone before.
const IDLE: Duration = Duration::from_secs(15);

/// Whom a registry's transport trusts, and as whom it comes.
#[derive(Clone, Default)]
pub struct TlsSettings {
    /// Certificates (PEM) of authorities to trust besides the system's.
    pub ca: Option<Vec<u8>>,
    /// Our certificate and its key (PEM), shown to the registry alone.
    pub client_identity: Option<(Vec<u8>, Vec<u8>)>,
    /// Takes whatever certificate the registry shows. Other hosts are always verified.
    pub insecure_skip_verify: bool,
}

impl fmt::Debug for TlsSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsSettings")
            .field("ca", &self.ca.is_some())
            .field("client_identity", &self.client_identity.is_some())
            .field("insecure_skip_verify", &self.insecure_skip_verify)
            .finish()
    }
}

/// Sends requests over HTTP/1.1: one request is one connection, and a large blob never shares one.
pub struct HttpTransport {
    ca: Vec<Certificate>,
    identity: Option<Identity>,
    insecure_skip_verify: bool,
    user_agent: String,
    clients: Mutex<BTreeMap<(Reach, Route), reqwest::Client>>,
}

/// How a host is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Route {
    /// Without a proxy: a proxy's loopback is not ours.
    Direct,
    /// By the proxy that the system names, where it names one.
    System,
}

impl fmt::Debug for HttpTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpTransport")
            .field("insecure_skip_verify", &self.insecure_skip_verify)
            .finish_non_exhaustive()
    }
}

impl HttpTransport {
    /// Makes the transport of one registry.
    ///
    /// # Errors
    /// Certificates and keys that can't be read.
    pub fn new(tls: &TlsSettings, user_agent: impl Into<String>) -> Result<Self, Error> {
        let transport = Self {
            ca: tls
                .ca
                .as_deref()
                .map(certificates)
                .transpose()?
                .unwrap_or_default(),
            identity: tls.client_identity.as_ref().map(identity).transpose()?,
            insecure_skip_verify: tls.insecure_skip_verify,
            user_agent: user_agent.into(),
            clients: Mutex::new(BTreeMap::new()),
        };
        transport
            .client(Reach::Registry, Route::Direct)
            .map_err(|error| Error::new(ErrorKind::Other, "TLS can't be set up").caused_by(error))?;
        Ok(transport)
    }

    fn client(&self, reach: Reach, route: Route) -> Result<reqwest::Client, reqwest::Error> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&(reach, route)) {
            return Ok(client.clone());
        }
        let client = self.build(reach, route)?;
        clients.insert((reach, route), client.clone());
        Ok(client)
    }

    fn build(&self, reach: Reach, route: Route) -> Result<reqwest::Client, reqwest::Error> {
        let with_system = self
            .builder(reach, route)
            .tls_certs_merge(self.ca.iter().cloned());
        // A machine without any certificates can still talk to a registry with its own, or without TLS.
        with_system.build().or_else(|error| {
            let without = self.builder(reach, route).tls_certs_only(self.ca.iter().cloned());
            without.build().map_err(|_| error)
        })
    }

    fn builder(&self, reach: Reach, route: Route) -> ClientBuilder {
        let mut builder = reqwest::Client::builder()
            .user_agent(&self.user_agent)
            .http1_only()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .connect_timeout(CONNECT)
            .pool_idle_timeout(IDLE)
            .tcp_nodelay(true);
        if reach == Reach::Registry {
            builder = builder.tls_danger_accept_invalid_certs(self.insecure_skip_verify);
            if let Some(identity) = self.identity.clone() {
                builder = builder.identity(identity);
            }
        }
        builder = builder.dns_resolver(match reach {
            Reach::Registry | Reach::Declared => Resolver::Anywhere,
            Reach::Elsewhere => Resolver::Outward,
        });
        match route {
            Route::Direct => builder.no_proxy(),
            Route::System => builder,
        }
    }
}

fn certificates(pem: &[u8]) -> Result<Vec<Certificate>, Error> {
    let unreadable = || {
        Error::new(
            ErrorKind::Other,
            "the authority's certificates can't be read (PEM is expected)",
        )
    };
    match Certificate::from_pem_bundle(pem) {
        Ok(certificates) if certificates.is_empty() => Err(unreadable()),
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(unreadable().caused_by(error)),
    }
}

fn identity((certificate, key): &(Vec<u8>, Vec<u8>)) -> Result<Identity, Error> {
    let pem = [certificate.as_slice(), b"\n", key.as_slice()].concat();
    Identity::from_pem(&pem).map_err(|_| {
        // The cause is left out: it could quote the key.
        Error::new(
            ErrorKind::Other,
            "the client certificate and its key can't be read (PEM is expected)",
        )
    })
}

#[async_trait]
impl Transport for HttpTransport {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        let head_only = request.method == Method::HEAD;
        let client = self
            .client(request.reach, route(&request.url))
            .map_err(classify)?;
        let builder = client.request(request.method.clone(), request.url);
        let response = match request.body {
            RequestBody::Stream { length, body } => {
                let progress = Progress::new(body, length);
                let outgoing = Outgoing::new(length, Arc::clone(&progress));
                let builder = builder
                    .headers(sized(request.headers, length))
                    .body(Body::wrap_stream(outgoing));
                watched(builder.send(), &progress).await?
            }
            RequestBody::Bytes(bytes) => {
                in_time(HEAD, builder.headers(request.headers).body(bytes).send()).await?
            }
            RequestBody::Closing { stored } => {
                let sending = builder.headers(sized(request.headers, 0)).send();
                in_time(commit_time(stored), sending).await?
            }
            RequestBody::Empty if needs_length(&request.method) => {
                in_time(HEAD, builder.headers(sized(request.headers, 0)).send()).await?
            }
            RequestBody::Empty => in_time(HEAD, builder.headers(request.headers).send()).await?,
        };
        Ok(received(response, head_only))
    }
}

/// Some front doors answer 411 to a write that does not say that it has no body.
fn needs_length(method: &Method) -> bool {
    matches!(*method, Method::POST | Method::PUT | Method::PATCH)
}

fn sized(mut headers: HeaderMap, length: u64) -> HeaderMap {
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    headers
}

fn route(url: &Url) -> Route {
    let loopback = url
        .host()
        .is_some_and(|host| address::place(&host) == Place::Machine);
    if loopback { Route::Direct } else { Route::System }
}

type Sent = Result<reqwest::Response, reqwest::Error>;

async fn in_time(
    limit: Duration,
    sending: impl Future<Output = Sent>,
) -> Result<reqwest::Response, TransportError> {
    match timeout(limit, sending).await {
        Ok(sent) => sent.map_err(classify),
        Err(_) => {
            let message = format!("no answer for {} s", limit.as_secs());
            Err(TransportError::new(TransportErrorKind::Timeout, message))
        }
    }
}

async fn watched(
    sending: impl Future<Output = Sent>,
    progress: &Progress,
) -> Result<reqwest::Response, TransportError> {
    let ended = tokio::select! {
        sent = sending => sent.map_err(classify),
        stalled = progress.stalled() => return Err(stalled),
    };
    progress.finish();
    ended.map_err(|error| match progress.take_failure() {
        Some(failure) => {
            TransportError::new(TransportErrorKind::Body, "the body broke off").caused_by(failure)
        }
        None => error,
    })
}

fn received(response: reqwest::Response, head_only: bool) -> Response {
    let (status, headers) = (response.status(), response.headers().clone());
    let bodiless = head_only || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let announced = if bodiless { None } else { announced(&headers) };
    let body = response
        .bytes_stream()
        .map(|chunk| chunk.map_err(classify))
        .boxed();
    Response {
        status,
        headers,
        body: incoming(body, announced),
    }
}

fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_reached_without_a_proxy() {
        for (url, expected) in [
            ("http://127.0.0.1:5000/", Route::Direct),
            ("http://localhost/", Route::Direct),
            ("http://[::1]/", Route::Direct),
            ("https://r.example/", Route::System),
            ("https://10.0.0.1/", Route::System),
        ] {
            assert_eq!(route(&url.parse().unwrap()), expected, "{url}");
        }
    }

    #[test]
    fn unreadable_certificates_and_keys_are_told() {
        let ca = TlsSettings {
            ca: Some(b"nonsense".to_vec()),
            ..TlsSettings::default()
        };
        assert!(
            HttpTransport::new(&ca, "test")
                .unwrap_err()
                .to_string()
                .contains("authority")
        );
        let identity = TlsSettings {
            client_identity: Some((b"x".to_vec(), b"CANARY".to_vec())),
            ..TlsSettings::default()
        };
        let error = HttpTransport::new(&identity, "test").unwrap_err();
        assert!(error.to_string().contains("client certificate"));
        assert!(!format!("{error:?} {identity:?}").contains("CANARY"));
    }
}
