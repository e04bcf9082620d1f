//! TLS on real sockets: whom we trust, and as whom we come.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::{HeaderMap, Method};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use transship_registry::credentials::Anonymous;
use transship_registry::{
    Client, ClientSettings, Error, ErrorKind, HttpTransport, Reach, Request, RequestBody, TlsSettings,
    Transport, TransportError, TransportErrorKind,
};

/// An authority that vouches for names.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: rcgen::Certificate,
}

/// A certificate with its key.
struct Vouched {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self {
            issuer: Issuer::new(params, key),
            certificate,
        }
    }

    fn vouch(&self, params: &CertificateParams) -> Vouched {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Vouched { certificate, key }
    }

    fn vouch_for(&self, name: &str) -> Vouched {
        self.vouch(&CertificateParams::new([name.to_owned()]).unwrap())
    }

    fn trusted(&self) -> TlsSettings {
        TlsSettings {
            ca: Some(self.certificate.pem().into_bytes()),
            ..TlsSettings::default()
        }
    }
}

impl Vouched {
    fn pem(&self) -> (Vec<u8>, Vec<u8>) {
        let certificate = self.certificate.pem().into_bytes();
        (certificate, self.key.serialize_pem().into_bytes())
    }
}

/// A registry behind TLS that counts what it is asked.
struct Server {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    /// Starts a server that shows `vouched`, and wants a certificate of `clients` where there is one.
    async fn start(vouched: &Vouched, clients: Option<&Authority>) -> Self {
        let acceptor = TlsAcceptor::from(Arc::new(configuration(vouched, clients)));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (connections, requests) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let (connected, asked) = (Arc::clone(&connections), Arc::clone(&requests));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                connected.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(serve(acceptor.clone(), stream, Arc::clone(&asked)));
            }
        });
        Self {
            address,
            connections,
            requests,
            task,
        }
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Asks for the front page.
    async fn ping(&self, tls: &TlsSettings, plain_http: bool) -> Result<(), Error> {
        let settings = ClientSettings {
            plain_http,
            ..ClientSettings::new(self.address.to_string().parse().unwrap())
        };
        let transport = HttpTransport::new(tls, "test").unwrap();
        Client::new(settings, Arc::new(transport), Arc::new(Anonymous))
            .ping()
            .await
    }

    async fn refused(&self, tls: &TlsSettings) -> Error {
        let error = self.ping(tls, false).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Policy, "{error}");
        assert_eq!(self.requests(), 0);
        assert_eq!(self.connections(), 1, "asking again does not help");
        error
    }

    async fn send(&self, tls: &TlsSettings, reach: Reach) -> Result<(), TransportError> {
        let request = Request {
            method: Method::GET,
            url: format!("https://{}/", self.address).parse().unwrap(),
            headers: HeaderMap::new(),
            body: RequestBody::Empty,
            reach,
        };
        let transport = HttpTransport::new(tls, "test").unwrap();
        transport.send(request).await.map(drop)
    }
}

fn configuration(vouched: &Vouched, clients: Option<&Authority>) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match clients {
        Some(clients) => {
            let mut roots = RootCertStore::empty();
            roots.add(clients.certificate.der().clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
        None => builder.with_no_client_auth(),
    };
    let key = vouched.key.serialize_der().try_into().unwrap();
    builder
        .with_single_cert(vec![vouched.certificate.der().clone()], key)
        .unwrap()
}

async fn serve(acceptor: TlsAcceptor, stream: TcpStream, asked: Arc<AtomicUsize>) {
    let Ok(mut stream) = acceptor.accept(stream).await else {
        return;
    };
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    asked.fetch_add(1, Ordering::Relaxed);
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
    let _gone = stream.write_all(answer).await;
    let _gone = stream.shutdown().await;
}

fn hint(error: &Error) -> &str {
    error.hint().unwrap_or_default()
}

#[tokio::test]
async fn an_authority_of_the_sites_own_is_trusted_where_it_is_given() {
    let authority = Authority::new();
    let server = Server::start(&authority.vouch_for("127.0.0.1"), None).await;
    server.ping(&authority.trusted(), false).await.unwrap();
    assert_eq!(server.requests(), 1);
}

#[tokio::test]
async fn an_unknown_authority_is_refused_at_once_with_both_ways_out() {
    let server = Server::start(&Authority::new().vouch_for("127.0.0.1"), None).await;
    let error = server.refused(&TlsSettings::default()).await;
    let text = error.to_string();
    assert!(text.contains(&server.address.to_string()), "{text}");
    assert!(
        text.ends_with("authority that is not trusted"),
        "tried once: {text}"
    );
    assert!(hint(&error).contains("tls: { ca: FILE }"), "{error:?}");
    assert!(hint(&error).contains("insecure_skip_verify: true"), "{error:?}");
}

#[tokio::test]
async fn another_authority_than_the_one_given_is_refused() {
    let server = Server::start(&Authority::new().vouch_for("127.0.0.1"), None).await;
    server.refused(&Authority::new().trusted()).await;
}

#[tokio::test]
async fn a_certificate_for_another_name_is_told_as_that() {
    let authority = Authority::new();
    let server = Server::start(&authority.vouch_for("r.example"), None).await;
    let error = server.refused(&authority.trusted()).await;
    assert!(error.to_string().contains("for another name"), "{error}");
}

#[tokio::test]
async fn a_certificate_that_has_ended_is_told_as_that() {
    let authority = Authority::new();
    let mut params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    params.not_after = date_time_ymd(2001, 1, 1);
    let server = Server::start(&authority.vouch(&params), None).await;
    let error = server.refused(&authority.trusted()).await;
    assert!(error.to_string().contains("not valid now"), "{error}");
}

#[tokio::test]
async fn any_certificate_is_taken_where_that_is_declared_and_from_the_registry_alone() {
    let server = Server::start(&Authority::new().vouch_for("r.example"), None).await;
    let tls = TlsSettings {
        insecure_skip_verify: true,
        ..TlsSettings::default()
    };
    server.ping(&tls, false).await.unwrap();
    for reach in [Reach::Declared, Reach::Elsewhere] {
        let error = server.send(&tls, reach).await.unwrap_err();
        assert_eq!(error.kind(), TransportErrorKind::Tls, "{reach:?}");
    }
    assert_eq!(server.requests(), 1);
}

#[tokio::test]
async fn a_client_certificate_that_is_wanted_is_shown_and_its_lack_is_told() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let vouched = authority.vouch_for("127.0.0.1");
    let server = Server::start(&vouched, Some(&clients)).await;
    let error = server.refused(&authority.trusted()).await;
    assert!(error.to_string().contains("client certificate"), "{error}");
    assert!(hint(&error).contains("client_cert"), "{error:?}");

    let tls = TlsSettings {
        client_identity: Some(clients.vouch_for("mirror").pem()),
        ..authority.trusted()
    };
    server.ping(&tls, false).await.unwrap();
    assert_eq!(server.requests(), 1);

    let stranger = TlsSettings {
        client_identity: Some(Authority::new().vouch_for("mirror").pem()),
        ..authority.trusted()
    };
    let error = server.send(&stranger, Reach::Registry).await.unwrap_err();
    assert_eq!(error.kind(), TransportErrorKind::Tls, "{error}");
}

#[tokio::test]
async fn our_certificate_is_shown_to_the_registry_alone() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let server = Server::start(&authority.vouch_for("127.0.0.1"), Some(&clients)).await;
    let tls = TlsSettings {
        client_identity: Some(clients.vouch_for("mirror").pem()),
        ..authority.trusted()
    };
    for reach in [Reach::Declared, Reach::Elsewhere] {
        let error = server.send(&tls, reach).await.unwrap_err();
        assert_eq!(error.kind(), TransportErrorKind::Tls, "{reach:?}");
    }
    assert_eq!(server.requests(), 0);
}

#[tokio::test]
async fn a_registry_with_tls_that_is_asked_without_is_told_as_that() {
    let server = Server::start(&Authority::new().vouch_for("127.0.0.1"), None).await;
    let error = server.ping(&TlsSettings::default(), true).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Network);
    assert!(error.to_string().contains("not HTTP"), "{error}");
    assert!(hint(&error).contains("plain_http"), "{error:?}");
}
