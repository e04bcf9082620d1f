//! A server whose every byte the test decides.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// What came in.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) method: String,
    pub(crate) target: String,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn line(&self) -> String {
        format!("{} {}", self.method, self.target)
    }
}

/// What goes out, on a connection that is closed after it.
pub(crate) struct Raw {
    head: String,
    body: Vec<u8>,
    endless: bool,
}

impl Raw {
    /// A status and nothing else.
    pub(crate) fn new(status: u16) -> Self {
        Self {
            head: format!("HTTP/1.1 {status} Scripted\r\nConnection: close\r\n"),
            body: Vec::new(),
            endless: false,
        }
    }

    /// No answer at all.
    pub(crate) fn silence() -> Self {
        Self {
            head: String::new(),
            ..Self::new(200)
        }
    }

    pub(crate) fn header(mut self, name: &str, value: impl std::fmt::Display) -> Self {
        self.head.push_str(&format!("{name}: {value}\r\n"));
        self
    }

    /// A body without a length: it ends where the connection does.
    pub(crate) fn unframed(mut self, body: &[u8]) -> Self {
        self.body = body.to_vec();
        self
    }

    pub(crate) fn body(self, body: &[u8]) -> Self {
        self.header("Content-Length", body.len()).unframed(body)
    }

    pub(crate) fn json(self, body: &serde_json::Value) -> Self {
        let body = body.to_string();
        self.header("Content-Type", "application/json")
            .body(body.as_bytes())
    }

    /// The body again and again, until the other side has had enough.
    pub(crate) fn endless(mut self) -> Self {
        self.endless = true;
        self
    }

    async fn send(&self, stream: &mut TcpStream) -> std::io::Result<()> {
        if self.head.is_empty() {
            return Ok(());
        }
        stream.write_all(format!("{}\r\n", self.head).as_bytes()).await?;
        stream.write_all(&self.body).await?;
        if self.endless {
            loop {
                stream.write_all(&self.body).await?;
            }
        }
        stream.shutdown().await
    }
}

type Answer = dyn Fn(&Received, usize) -> Raw + Send + Sync;

/// A listening script. Dropped, it ends.
pub(crate) struct Scripted {
    address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
    task: JoinHandle<()>,
}

impl Scripted {
    /// Answers every request as `answer` says, which is also told how many came before.
    pub(crate) async fn new(answer: impl Fn(&Received, usize) -> Raw + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let received = Arc::default();
        Self {
            address: listener.local_addr().unwrap(),
            task: tokio::spawn(accept(listener, Arc::new(answer), Arc::clone(&received))),
            received,
        }
    }

    pub(crate) fn host(&self) -> String {
        self.address.to_string()
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.received().iter().map(Received::line).collect()
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, answer: Arc<Answer>, received: Arc<Mutex<Vec<Received>>>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(serve(stream, Arc::clone(&answer), Arc::clone(&received)));
    }
}

async fn serve(mut stream: TcpStream, answer: Arc<Answer>, received: Arc<Mutex<Vec<Received>>>) {
    let Some(request) = read(&mut stream).await else {
        return;
    };
    if request.target == "/v2/" {
        // A client may look at the front page whenever it likes to.
        let _ = Raw::new(200).body(b"").send(&mut stream).await;
        return;
    }
    let before = {
        let mut received = received.lock().unwrap();
        received.push(request.clone());
        received.len() - 1
    };
    // Where the client hangs up first, the test looks at what the client says.
    let _ = answer(&request, before).send(&mut stream).await;
}

async fn read(stream: &mut TcpStream) -> Option<Received> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(position) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break position + 4;
        }
        more(stream, &mut bytes).await?;
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.lines();
    let mut first = lines.next()?.split(' ');
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(key, value)| (key.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let mut request = Received {
        method: first.next()?.to_owned(),
        target: first.next()?.to_owned(),
        headers,
        body: bytes.split_off(end),
    };
    let length = request
        .header("content-length")
        .and_then(|length| length.parse().ok());
    while request.body.len() < length.unwrap_or(0) {
        more(stream, &mut request.body).await?;
    }
    Some(request)
}

async fn more(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<()> {
    match stream.read_buf(bytes).await {
        Ok(0) | Err(_) => None,
        Ok(_) => Some(()),
    }
}
