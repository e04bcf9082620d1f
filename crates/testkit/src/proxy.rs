//! A proxy in front of a registry that counts what passes, and breaks what it is told to.
//!
//! It keeps the `Host` header, so that the locations a registry answers with lead back through the proxy.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, Method, Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, BodyStream, Full, StreamBody};
use hyper::body::{Body as _, Frame, Incoming};

use crate::exchange::{Exchange, Exchanges};
use crate::fault::{Fault, RequestHead};
use crate::listening::{Body, Listening, never};

type Faults = dyn Fn(&RequestHead) -> Fault + Send + Sync;

/// A running proxy; it ends when dropped, with every connection through it.
pub struct Proxy {
    listening: Listening,
    shared: Arc<Shared>,
}

struct Shared {
    upstream: String,
    client: reqwest::Client,
    entries: Mutex<Vec<Arc<Entry>>>,
    faults: RwLock<Arc<Faults>>,
}

#[derive(Debug)]
struct Entry {
    head: RequestHead,
    status: AtomicU16,
    request_bytes: Arc<AtomicU64>,
    response_bytes: Arc<AtomicU64>,
}

impl Proxy {
    /// Listens on a free loopback port, and passes everything on to `upstream`, a `host:port`.
    ///
    /// # Panics
    /// Where no port can be had.
    pub async fn start(upstream: &str) -> Self {
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .expect("a client of defaults can be built");
        let shared = Arc::new(Shared {
            upstream: upstream.to_owned(),
            client,
            entries: Mutex::default(),
            faults: RwLock::new(Arc::new(|_| Fault::None)),
        });
        let answerer = Arc::clone(&shared);
        let listening = Listening::start(move |request| answer(request, Arc::clone(&answerer))).await;
        Self { listening, shared }
    }

    /// Returns `127.0.0.1:PORT`.
    #[must_use]
    pub fn host(&self) -> String {
        self.listening.host()
    }

    /// Decides, from now on, what happens to each request.
    ///
    /// # Panics
    /// Never: nothing panics while it holds the faults.
    pub fn set_faults(&self, faults: impl Fn(&RequestHead) -> Fault + Send + Sync + 'static) {
        *self
            .shared
            .faults
            .write()
            .expect("no holder of the faults panics") = Arc::new(faults);
    }

    /// Passes everything on again.
    pub fn heal(&self) {
        self.set_faults(|_| Fault::None);
    }

    /// Stops listening and closes every connection: from now on the registry is not there.
    pub fn die(&self) {
        self.listening.stop();
    }

    /// Returns what has passed so far.
    ///
    /// # Panics
    /// Never: nothing panics while it holds the entries.
    #[must_use]
    pub fn exchanges(&self) -> Exchanges {
        let entries = self
            .shared
            .entries
            .lock()
            .expect("no holder of the entries panics");
        Exchanges(entries.iter().map(|entry| entry.exchange()).collect())
    }

    /// Forgets what has passed, so that the next question is about what comes.
    ///
    /// # Panics
    /// Never: nothing panics while it holds the entries.
    pub fn forget(&self) {
        self.shared
            .entries
            .lock()
            .expect("no holder of the entries panics")
            .clear();
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {}", self.listening.host(), self.shared.upstream)
    }
}

impl Entry {
    fn exchange(&self) -> Exchange {
        Exchange {
            method: self.head.method.clone(),
            path: self.head.path.clone(),
            query: self.head.query.clone(),
            status: self.status.load(Ordering::SeqCst),
            request_bytes: self.request_bytes.load(Ordering::SeqCst),
            response_bytes: self.response_bytes.load(Ordering::SeqCst),
        }
    }
}

impl Shared {
    fn enter(&self, request: &Request<Incoming>) -> Arc<Entry> {
        let mut entries = self.entries.lock().expect("no holder of the entries panics");
        let head = RequestHead {
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            query: request.uri().query().unwrap_or_default().to_owned(),
            before: entries.len(),
        };
        let entry = Arc::new(Entry {
            head,
            status: AtomicU16::new(0),
            request_bytes: Arc::default(),
            response_bytes: Arc::default(),
        });
        entries.push(Arc::clone(&entry));
        entry
    }

    fn fault(&self, head: &RequestHead) -> Fault {
        let faults = Arc::clone(&self.faults.read().expect("no holder of the faults panics"));
        faults(head)
    }
}

/// Answers one request; an error closes the connection without an answer.
async fn answer(request: Request<Incoming>, shared: Arc<Shared>) -> Result<Response<Body>, io::Error> {
    let entry = shared.enter(&request);
    let fault = shared.fault(&entry.head);
    let response = match fault {
        Fault::Reset => return Err(broken()),
        Fault::Stall => std::future::pending().await,
        Fault::Status(status) => refuse(request, status, &entry).await?,
        Fault::Delay(delay) => {
            tokio::time::sleep(delay).await;
            forward(request, &shared, &entry, fault).await?
        }
        Fault::None | Fault::Cut { .. } | Fault::Throttle { .. } => {
            forward(request, &shared, &entry, fault).await?
        }
    };
    entry.status.store(response.status().as_u16(), Ordering::SeqCst);
    Ok(response)
}

fn broken() -> io::Error {
    io::Error::new(
        io::ErrorKind::ConnectionReset,
        "the proxy was told to break the connection",
    )
}

async fn refuse(request: Request<Incoming>, status: u16, entry: &Entry) -> Result<Response<Body>, io::Error> {
    let bytes = Arc::clone(&entry.request_bytes);
    let mut body = std::pin::pin!(metered(chunks(request.into_body()), bytes, Fault::None));
    // Read to its end: an early answer may be lost to a client that is still sending.
    while body.next().await.transpose()?.is_some() {}
    let text = r#"{"errors":[{"code":"UNKNOWN","message":"told to by a test","detail":null}]}"#;
    let body = Full::new(Bytes::from_static(text.as_bytes()))
        .map_err(never)
        .boxed();
    let response = Response::builder()
        .status(status)
        .header("content-type", "application/json");
    response.body(body).map_err(io::Error::other)
}

async fn forward(
    request: Request<Incoming>,
    shared: &Shared,
    entry: &Entry,
    fault: Fault,
) -> Result<Response<Body>, io::Error> {
    let (head, body) = request.into_parts();
    let target = head.uri.path_and_query().map_or("/", |path| path.as_str());
    let url = format!("http://{}{target}", shared.upstream);
    let mut upstream = shared
        .client
        .request(head.method.clone(), url)
        .headers(end_to_end(head.headers));
    if !body.is_end_stream() {
        let chunks = metered(chunks(body), Arc::clone(&entry.request_bytes), fault);
        upstream = upstream.body(reqwest::Body::wrap_stream(chunks));
    }
    let answer = upstream.send().await.map_err(io::Error::other)?;
    let mut response = Response::builder().status(answer.status());
    if let Some(headers) = response.headers_mut() {
        *headers = end_to_end(answer.headers().clone());
    }
    let body = if head.method == Method::HEAD {
        Full::new(Bytes::new()).map_err(never).boxed()
    } else {
        let chunks = answer.bytes_stream().map(|chunk| chunk.map_err(io::Error::other));
        let chunks = metered(chunks, Arc::clone(&entry.response_bytes), fault);
        BoxBody::new(StreamBody::new(chunks.map(|chunk| chunk.map(Frame::data))))
    };
    response.body(body).map_err(io::Error::other)
}

pub(crate) fn end_to_end(mut headers: HeaderMap) -> HeaderMap {
    headers.remove(CONNECTION);
    // With a length, both sides frame by it; without one, each chooses its own framing.
    if headers.remove(TRANSFER_ENCODING).is_some() {
        headers.remove(CONTENT_LENGTH);
    }
    headers
}

pub(crate) fn chunks(body: Incoming) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    BodyStream::new(body).filter_map(|frame| async {
        match frame {
            Ok(frame) => frame.into_data().ok().map(Ok),
            Err(error) => Some(Err(io::Error::other(error))),
        }
    })
}

pub(crate) fn metered(
    chunks: impl Stream<Item = io::Result<Bytes>> + Send + Sync + 'static,
    passed: Arc<AtomicU64>,
    fault: Fault,
) -> impl Stream<Item = io::Result<Bytes>> + Send + Sync + 'static {
    chunks.then(move |chunk| {
        let passed = Arc::clone(&passed);
        async move {
            let chunk = chunk?;
            let length = chunk.len() as u64;
            let before = passed.fetch_add(length, Ordering::SeqCst);
            match fault {
                Fault::Cut { after } if before + length > after => return Err(broken()),
                Fault::Throttle { bytes_per_second } => {
                    let seconds = length as f64 / bytes_per_second as f64;
                    tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
                }
                _ => {}
            }
            Ok(chunk)
        }
    })
}
