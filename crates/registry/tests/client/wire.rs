//! The transport on real sockets.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use http::{HeaderMap, Method};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use transship_registry::credentials::Static;
use transship_registry::{
    Client, ClientSettings, Error, ErrorKind, HttpTransport, Reach, Registry, Request, RequestBody, Response,
    TlsSettings, Transport, TransportError, TransportErrorKind,
};

/// A server that answers every connection's first request with the same bytes and closes it.
struct Server {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    async fn start(answer: impl Into<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let (answer, seen) = (answer.into(), Arc::clone(&heads));
        let task = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let head = head(&mut stream).await;
                seen.lock().unwrap().push(head);
                let _gone = stream.write_all(answer.as_bytes()).await;
                let _gone = stream.shutdown().await;
            }
        });
        Self { address, heads, task }
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }

    fn url(&self) -> url::Url {
        format!("http://{}/x", self.address).parse().unwrap()
    }
}

/// Reads up to the end of a request's head, and a body as long as it says.
async fn head(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).to_lowercase();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return text;
            }
        }
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return text,
            Ok(read) => bytes.extend_from_slice(&buffer[..read]),
        }
    }
}

fn transport() -> HttpTransport {
    HttpTransport::new(&TlsSettings::default(), "transship-test").unwrap()
}

fn request(method: Method, url: url::Url, body: RequestBody) -> Request {
    Request {
        method,
        url,
        headers: HeaderMap::new(),
        body,
        reach: Reach::Registry,
    }
}

async fn send(server: &Server, method: Method, body: RequestBody) -> Result<Response, TransportError> {
    transport().send(request(method, server.url(), body)).await
}

async fn body_of(server: &Server) -> Result<Vec<Bytes>, TransportErrorKind> {
    let response = send(server, Method::GET, RequestBody::Empty).await.unwrap();
    response
        .body
        .try_collect()
        .await
        .map_err(|error: TransportError| error.kind())
}

#[tokio::test]
async fn a_body_that_ends_before_its_length_is_interrupted() {
    let whole = Server::start("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n12345").await;
    assert_eq!(body_of(&whole).await.unwrap().concat(), b"12345");
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n12345",
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n",
    ] {
        let cut = Server::start(answer).await;
        assert_eq!(
            body_of(&cut).await,
            Err(TransportErrorKind::Interrupted),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn the_head_of_a_body_is_whole_without_the_body() {
    let server = Server::start("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n").await;
    let response = send(&server, Method::HEAD, RequestBody::Empty).await.unwrap();
    assert_eq!(response.headers["content-length"], "5");
    assert_eq!(response.body.count().await, 0);
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_a_packed_body_stays_packed() {
    let server = Server::start(
        "HTTP/1.1 307 Moved\r\nLocation: http://127.0.0.1:1/\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
    )
    .await;
    let response = send(&server, Method::GET, RequestBody::Empty).await.unwrap();
    assert_eq!(response.status, 307);
    let body: Vec<Bytes> = response.body.try_collect().await.unwrap();
    assert_eq!(body.concat(), b"abc");
}

#[tokio::test]
async fn a_connection_that_closes_without_an_answer_is_interrupted() {
    let server = Server::start("").await;
    let error = send(&server, Method::GET, RequestBody::Empty)
        .await
        .err()
        .unwrap();
    assert_eq!(error.kind(), TransportErrorKind::Interrupted);
}

#[tokio::test]
async fn a_port_where_nothing_listens_refuses() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap())
        .parse()
        .unwrap();
    drop(listener);
    let error = transport()
        .send(request(Method::GET, url, RequestBody::Empty))
        .await
        .err()
        .unwrap();
    assert_eq!(error.kind(), TransportErrorKind::Refused);
}

#[tokio::test]
async fn a_server_without_tls_is_told_from_one_that_is_down() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap())
        .parse()
        .unwrap();
    let plain = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut greeting = [0; 5];
        stream.read_exact(&mut greeting).await.unwrap();
        let _gone = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        stream
    };
    let sender = transport();
    let (sent, _stream) = tokio::join!(sender.send(request(Method::GET, url, RequestBody::Empty)), plain);
    let error = sent.err().unwrap();
    assert_eq!(error.kind(), TransportErrorKind::Tls);
    assert!(error.to_string().contains("does not speak TLS"), "{error}");
}

#[tokio::test]
async fn a_name_that_answers_point_to_must_not_lead_to_this_machine() {
    let server = Server::start("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    let url: url::Url = format!("http://localhost:{}/", server.address.port())
        .parse()
        .unwrap();
    let elsewhere = Request {
        reach: Reach::Elsewhere,
        ..request(Method::GET, url, RequestBody::Empty)
    };
    let error = transport().send(elsewhere).await.err().unwrap();
    assert_eq!(error.kind(), TransportErrorKind::Forbidden);
    assert!(server.heads().is_empty());
}

#[tokio::test]
async fn a_stream_is_sent_with_its_length_and_an_empty_write_with_zero() {
    let server = Server::start("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n").await;
    let chunks = [Ok("123".into()), Ok("45".into())];
    let body = stream::iter(chunks).boxed();
    send(&server, Method::PUT, RequestBody::Stream { length: 5, body })
        .await
        .unwrap();
    send(&server, Method::POST, RequestBody::Empty).await.unwrap();
    let heads = server.heads();
    assert!(
        heads[0].contains("content-length: 5\r\n") && heads[0].ends_with("\r\n\r\n12345"),
        "{heads:?}"
    );
    assert!(!heads[0].contains("transfer-encoding"), "{heads:?}");
    assert!(heads[1].contains("content-length: 0\r\n"), "{heads:?}");
}

#[tokio::test]
async fn a_source_that_breaks_off_stays_the_sources_error() {
    let server = Server::start("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n").await;
    let chunks = [
        Ok("123".into()),
        Err(Error::new(ErrorKind::NotFound, "the source is gone")),
    ];
    let body = stream::iter(chunks).boxed();
    let error = send(&server, Method::PUT, RequestBody::Stream { length: 5, body })
        .await
        .err()
        .unwrap();
    assert_eq!(error.kind(), TransportErrorKind::Body);
    let source = std::error::Error::source(&error).unwrap();
    assert_eq!(source.to_string(), "the source is gone");
}

#[tokio::test]
async fn a_redirect_to_another_port_carries_no_credential() {
    let sink =
        Server::start("HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\r\n")
            .await;
    let challenge = "HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\r\n";
    let redirect = format!(
        "HTTP/1.1 307 Moved\r\nLocation: {}\r\nContent-Length: 0\r\n\r\n",
        sink.url()
    );
    let first = Server::start(challenge).await;
    for (registry, redirects) in [(&first, false), (&Server::start(redirect).await, true)] {
        let settings = ClientSettings {
            plain_http: true,
            retries: 0,
            ..ClientSettings::new(registry.address.to_string().parse().unwrap())
        };
        let password = Static::new("the test", "user", Arc::new(|| Ok("CANARY".into())));
        let client = Client::new(settings, Arc::new(transport()), Arc::new(password));
        let reader = client.reader(&"a".parse().unwrap());
        assert!(reader.head_blob(&oci::Digest::sha256(b"")).await.is_err());
        assert_eq!(sink.heads().is_empty(), !redirects);
    }
    assert!(first.heads().last().unwrap().contains("authorization: basic"));
    assert!(sink.heads().iter().all(|head| !head.contains("authorization")));
}

#[tokio::test]
async fn a_server_that_takes_a_request_and_never_answers_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let silent = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        head(&mut stream).await;
        // From here on only the clock moves.
        tokio::time::pause();
        std::future::pending::<()>().await;
    };
    let sender = transport();
    let sending = sender.send(request(Method::GET, url.parse().unwrap(), RequestBody::Empty));
    let error = tokio::select! {
        sent = sending => sent.err().unwrap(),
        () = silent => unreachable!("it never ends"),
    };
    assert_eq!(error.kind(), TransportErrorKind::Timeout);
}

#[tokio::test]
async fn an_answer_before_the_end_of_a_body_lets_go_of_the_body() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let hasty = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut first = [0; 1024];
        stream.read_exact(&mut first).await.unwrap();
        let answer = b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n";
        stream.write_all(answer).await.unwrap();
        // The rest is neither read nor refused.
        stream
    };
    let (source, chunks) = tokio::sync::mpsc::channel(1);
    let body = stream::unfold(chunks, |mut chunks| async {
        let chunk = chunks.recv().await?;
        Some((chunk, chunks))
    })
    .boxed();
    let body = RequestBody::Stream {
        length: 1 << 30,
        body,
    };
    let sender = transport();
    let fed = async { while source.send(Ok(Bytes::from(vec![0; 64 << 10]))).await.is_ok() {} };
    // A connection that is stuck ends by itself after 30 s: this is sooner.
    let fed = tokio::time::timeout(Duration::from_secs(10), fed);
    let sent = async {
        let (sent, stream) = tokio::join!(
            sender.send(request(Method::PUT, url.parse().unwrap(), body)),
            hasty
        );
        assert_eq!(sent.unwrap().status, 413);
        stream
    };
    let (fed, _stream) = tokio::join!(fed, sent);
    assert!(fed.is_ok(), "the body is still held");
}
