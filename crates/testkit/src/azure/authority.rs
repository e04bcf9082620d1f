//! The authority that vouches for the doubles. Clients take no leaf that is an authority itself.

use std::sync::Arc;

use rcgen::{BasicConstraints, Certificate, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::TlsAcceptor;

pub(super) struct Authority {
    certificate: Certificate,
    acceptor: TlsAcceptor,
}

impl Authority {
    pub(super) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no name is malformed");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Python's TLS refuses an authority that does not say what its key is for.
        params.key_usages = vec![
            rcgen::KeyUsagePurpose::KeyCertSign,
            rcgen::KeyUsagePurpose::CrlSign,
        ];
        params.distinguished_name.push(DnType::CommonName, "testkit");
        let key = KeyPair::generate().expect("a key can be generated");
        let certificate = params.self_signed(&key).expect("a certificate can be signed");
        let issuer = Issuer::new(params, key);
        let acceptor = acceptor(&issuer);
        Self {
            certificate,
            acceptor,
        }
    }

    pub(super) fn certificate(&self) -> String {
        self.certificate.pem()
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        self.acceptor.clone()
    }
}

fn acceptor(issuer: &Issuer<'static, KeyPair>) -> TlsAcceptor {
    let mut params = CertificateParams::new([String::from("localhost")]).expect("the name is sound");
    // A leaf of the same name as its authority is taken for one that vouches for itself.
    params.distinguished_name.push(DnType::CommonName, "localhost");
    params.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate().expect("a key can be generated");
    let certificate = params
        .signed_by(&key, issuer)
        .expect("a certificate can be signed");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the usual versions of TLS are spoken")
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        )
        .expect("the key is the certificate's");
    TlsAcceptor::from(Arc::new(config))
}
