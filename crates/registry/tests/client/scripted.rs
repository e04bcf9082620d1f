//! A transport that plays a registry, and credentials that count.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{HeaderMap, HeaderName, StatusCode};
use tokio::time::Instant;
use transship_registry::{
    Client, ClientSettings, Credential, CredentialSource, Error, Reach, Request, RequestBody, Response,
    Secret, SignIn, Transport, TransportError, TransportErrorKind,
};
use url::Url;

/// A request that arrived.
#[derive(Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) reach: Reach,
    pub(crate) at: Instant,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(crate) fn authorization(&self) -> Option<&str> {
        self.header("authorization")
    }

    pub(crate) fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }
}

/// What is answered.
pub(crate) struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Bytes,
    failure: Option<TransportErrorKind>,
}

pub(crate) fn answer(status: u16) -> Answer {
    Answer {
        status,
        headers: HeaderMap::new(),
        body: Bytes::new(),
        failure: None,
    }
}

pub(crate) fn failure(kind: TransportErrorKind) -> Answer {
    Answer {
        failure: Some(kind),
        ..answer(200)
    }
}

impl Answer {
    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers
            .append(HeaderName::from_static(name), value.parse().unwrap());
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }
}

pub(crate) fn challenge(realm: &str) -> Answer {
    answer(401).header(
        "www-authenticate",
        &format!(r#"Bearer realm="{realm}",service="r.example""#),
    )
}

pub(crate) fn token(token: &str, life: u32) -> Answer {
    answer(200).body(format!(r#"{{"token":"{token}","expires_in":{life}}}"#))
}

type Play = dyn Fn(&Seen) -> Answer + Send + Sync;

/// Answers by a function and remembers what it was asked.
pub(crate) struct Scripted {
    play: Box<Play>,
    seen: Mutex<Vec<Seen>>,
}

impl fmt::Debug for Scripted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scripted")
    }
}

impl Scripted {
    pub(crate) fn new(play: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self {
            play: Box::new(play),
            seen: Mutex::default(),
        })
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Returns the requests whose path starts so.
    pub(crate) fn to(&self, path: &str) -> Vec<Seen> {
        let mut seen = self.seen();
        seen.retain(|request| request.url.path().starts_with(path));
        seen
    }
}

#[async_trait]
impl Transport for Scripted {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        let body = match request.body {
            RequestBody::Empty | RequestBody::Closing { .. } => Bytes::new(),
            RequestBody::Bytes(bytes) => bytes,
            RequestBody::Stream { mut body, .. } => {
                let mut whole = Vec::new();
                while let Some(Ok(chunk)) = body.next().await {
                    whole.extend_from_slice(&chunk);
                }
                whole.into()
            }
        };
        let seen = Seen {
            method: request.method.to_string(),
            url: request.url,
            headers: request.headers,
            body,
            reach: request.reach,
            at: Instant::now(),
        };
        self.seen.lock().unwrap().push(seen.clone());
        let answer = (self.play)(&seen);
        // Lets the others run, as a network would.
        for _ in 0..8 {
            tokio::task::yield_now().await;
        }
        if let Some(kind) = answer.failure {
            return Err(TransportError::new(kind, "scripted"));
        }
        Ok(Response {
            status: StatusCode::from_u16(answer.status).unwrap(),
            headers: answer.headers,
            body: stream::iter([Ok(answer.body)]).boxed(),
        })
    }
}

/// Credentials that are handed out in turn; the last is handed out for ever.
#[derive(Debug)]
pub(crate) struct Source {
    credentials: Vec<Credential>,
    asked: AtomicUsize,
}

impl Source {
    pub(crate) fn new(credentials: impl Into<Vec<Credential>>) -> Arc<Self> {
        Arc::new(Self {
            credentials: credentials.into(),
            asked: AtomicUsize::new(0),
        })
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl CredentialSource for Source {
    async fn sign_in(&self) -> Result<SignIn, Error> {
        let turn = self.asked.fetch_add(1, Ordering::Relaxed);
        Ok(SignIn {
            credential: self.credentials[turn.min(self.credentials.len() - 1)].clone(),
            origin: "the test's file".to_owned(),
            expires: None,
        })
    }
}

pub(crate) fn password(password: &str) -> Credential {
    Credential::Basic {
        username: "user".to_owned(),
        password: Secret::new(password),
    }
}

pub(crate) fn settings() -> ClientSettings {
    ClientSettings {
        concurrency: 64,
        ..ClientSettings::new("r.example".parse().unwrap())
    }
}

pub(crate) fn client(transport: &Arc<Scripted>, source: &Arc<Source>) -> Client {
    let (transport, source) = (Arc::clone(transport), Arc::clone(source));
    Client::new(settings(), transport, source)
}

pub(crate) fn anonymous(transport: &Arc<Scripted>) -> Client {
    client(transport, &Source::new([Credential::Anonymous]))
}
