//! Listening on loopback and answering, for what is served from inside the tests.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::BoxBody;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

/// What an answer carries.
pub(crate) type Body = BoxBody<Bytes, io::Error>;

/// A free loopback port that is listened on; it ends when dropped, with every connection to it.
#[derive(Debug)]
pub(crate) struct Listening {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Listening {
    /// Answers every request by `answer`; an error closes the connection without an answer.
    pub(crate) async fn start<A, F>(answer: A) -> Self
    where
        A: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
        F: Future<Output = io::Result<Response<Body>>> + Send + 'static,
    {
        Self::start_with(None, answer).await
    }

    /// Does the same, over TLS where there is an acceptor for it.
    pub(crate) async fn start_with<A, F>(tls: Option<TlsAcceptor>, answer: A) -> Self
    where
        A: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
        F: Future<Output = io::Result<Response<Body>>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a loopback port is free");
        let address = listener.local_addr().expect("a listener has an address");
        let task = tokio::spawn(accept(listener, tls, answer));
        Self { address, task }
    }

    pub(crate) fn host(&self) -> String {
        self.address.to_string()
    }

    pub(crate) fn stop(&self) {
        self.task.abort();
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn accept<A, F>(listener: TcpListener, tls: Option<TlsAcceptor>, answer: A)
where
    A: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = io::Result<Response<Body>>> + Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Ok((stream, _)) = listener.accept() => {
                connections.spawn(serve(stream, tls.clone(), answer.clone()));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve<A, F>(stream: TcpStream, tls: Option<TlsAcceptor>, answer: A)
where
    A: Fn(Request<Incoming>) -> F,
    F: Future<Output = io::Result<Response<Body>>>,
{
    // Without it, the small segments of a head and its body wait for each other's acknowledgement.
    let _ = stream.set_nodelay(true);
    match tls {
        None => talk(stream, answer).await,
        Some(tls) => {
            // A client that does not trust us goes away: that is what some tests are about.
            if let Ok(stream) = tls.accept(stream).await {
                talk(stream, answer).await;
            }
        }
    }
}

async fn talk<S, A, F>(stream: S, answer: A)
where
    S: AsyncRead + AsyncWrite + Unpin,
    A: Fn(Request<Incoming>) -> F,
    F: Future<Output = io::Result<Response<Body>>>,
{
    // An error is a connection that one side broke: that is what the tests are about.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service_fn(answer))
        .await;
}

pub(crate) fn never(nothing: Infallible) -> io::Error {
    match nothing {}
}
