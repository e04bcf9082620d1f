//! Registries to ask, and things to put there.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use oci::{Descriptor, Digest, Manifest, MediaType, RepositoryName};
use registry::{
    ByteStream, Client, ClientSettings, Credential, CredentialSource, Error, HttpTransport, Registry, Secret,
    SignIn, TlsSettings, Upload,
};
use serde_json::json;

#[derive(Debug)]
struct Known(Credential);

#[async_trait]
impl CredentialSource for Known {
    async fn sign_in(&self) -> Result<SignIn, Error> {
        Ok(SignIn {
            credential: self.0.clone(),
            origin: "the test".to_owned(),
            expires: None,
        })
    }
}

/// Connects to a registry that speaks plain HTTP; nothing is sent twice.
pub(crate) fn connect(host: &str, credential: Credential) -> Arc<dyn Registry> {
    connect_with(settings(host), credential)
}

/// Those of a registry that speaks plain HTTP; nothing is sent twice.
pub(crate) fn settings(host: &str) -> ClientSettings {
    ClientSettings {
        plain_http: true,
        retries: 0,
        ..ClientSettings::new(host.parse().unwrap())
    }
}

/// Connects to a registry that gets blobs in parts of `chunk` bytes, and each part a second time where need be.
pub(crate) fn in_parts(host: &str, chunk: u64) -> Arc<dyn Registry> {
    let mut settings = ClientSettings {
        retries: 1,
        ..settings(host)
    };
    settings.wire.upload = Upload::Chunked { above: chunk, chunk };
    connect_with(settings, Credential::Anonymous)
}

pub(crate) fn connect_with(settings: ClientSettings, credential: Credential) -> Arc<dyn Registry> {
    Arc::new(client(settings, credential))
}

pub(crate) fn client(settings: ClientSettings, credential: Credential) -> Client {
    let transport = HttpTransport::new(&TlsSettings::default(), &settings.user_agent).unwrap();
    Client::new(settings, Arc::new(transport), Arc::new(Known(credential)))
}

pub(crate) fn anonymous(host: &str) -> Arc<dyn Registry> {
    connect(host, Credential::Anonymous)
}

pub(crate) fn basic() -> Credential {
    Credential::Basic {
        username: "user".to_owned(),
        password: Secret::new("password"),
    }
}

pub(crate) fn name(text: &str) -> RepositoryName {
    text.parse().unwrap()
}

pub(crate) fn blob(content: &[u8]) -> Descriptor {
    Descriptor::new(
        MediaType::OCI_LAYER,
        Digest::sha256(content),
        content.len() as u64,
    )
}

/// Bytes that compress and repeat badly, so that a piece in the wrong place shows.
pub(crate) fn content(length: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..length).map(|_| next()).collect()
}

/// A body in pieces.
pub(crate) fn body(content: &[u8]) -> ByteStream {
    let pieces: Vec<Result<Bytes, Error>> = content
        .chunks(10_000)
        .map(|piece| Ok(Bytes::copy_from_slice(piece)))
        .collect();
    stream::iter(pieces).boxed()
}

pub(crate) async fn collect(stream: ByteStream) -> Result<Vec<u8>, Error> {
    let pieces: Vec<Bytes> = stream.try_collect().await?;
    Ok(pieces.concat())
}

fn parse(document: &serde_json::Value) -> Manifest {
    Manifest::parse(document.to_string().into(), None).unwrap()
}

pub(crate) fn image(config: &Descriptor, layers: &[Descriptor]) -> Manifest {
    let config = Descriptor {
        media_type: MediaType::OCI_CONFIG,
        ..config.clone()
    };
    parse(&json!({
        "schemaVersion": 2,
        "mediaType": MediaType::OCI_MANIFEST,
        "config": config,
        "layers": layers,
    }))
}

pub(crate) fn index(children: &[Descriptor]) -> Manifest {
    parse(&json!({
        "schemaVersion": 2,
        "mediaType": MediaType::OCI_INDEX,
        "manifests": children,
    }))
}

pub(crate) fn artifact(kind: &str, config: &Descriptor, subject: &Descriptor) -> Manifest {
    let config = Descriptor {
        media_type: MediaType::OCI_EMPTY,
        ..config.clone()
    };
    parse(&json!({
        "schemaVersion": 2,
        "mediaType": MediaType::OCI_MANIFEST,
        "artifactType": kind,
        "config": config,
        "layers": [],
        "subject": subject,
        "annotations": { "kind": kind },
    }))
}
