//! Clients of fronts, and what is sent through them.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use oci::{Descriptor, Digest, Manifest, MediaType, RepositoryName, Tag};
use serde_json::json;
use testkit::image::noise;
use transship_registry::{
    Client, ClientSettings, Credential, CredentialSource, Error, HttpTransport, ReadRepository, Registry,
    SignIn, TlsSettings, Upload, Wire, WriteRepository,
};

#[derive(Debug)]
struct Nobody;

#[async_trait]
impl CredentialSource for Nobody {
    async fn sign_in(&self) -> Result<SignIn, Error> {
        Ok(SignIn::anonymous())
    }
}

pub(crate) fn connect(host: &str, wire: Wire) -> Arc<dyn Registry> {
    connect_as(host, wire, Arc::new(Nobody))
}

pub(crate) fn connect_as(host: &str, wire: Wire, source: Arc<dyn CredentialSource>) -> Arc<dyn Registry> {
    let settings = ClientSettings {
        plain_http: true,
        wire,
        ..ClientSettings::new(host.parse().unwrap())
    };
    let transport = HttpTransport::new(&TlsSettings::default(), &settings.user_agent).unwrap();
    Arc::new(Client::new(settings, Arc::new(transport), source))
}

pub(crate) fn amazon(password: &str) -> Credential {
    Credential::Basic {
        username: "AWS".to_owned(),
        password: password.into(),
    }
}

pub(crate) fn in_parts(chunk: u64) -> Wire {
    Wire {
        upload: Upload::Chunked { above: chunk, chunk },
        ..Wire::default()
    }
}

pub(crate) fn name(text: &str) -> RepositoryName {
    text.parse().unwrap()
}

/// A registry to stand behind a front.
pub(crate) async fn behind() -> loopback::Server {
    loopback::Registry::in_memory()
        .serve(([127, 0, 0, 1], 0).into())
        .await
        .unwrap()
}

pub(crate) fn layer(seed: u64, size: usize) -> (Descriptor, Bytes) {
    let bytes = noise(seed, size);
    let digest = Digest::sha256(&bytes);
    (Descriptor::new(MediaType::OCI_LAYER, digest, size as u64), bytes)
}

pub(crate) async fn upload(
    repository: &dyn WriteRepository,
    (blob, bytes): &(Descriptor, Bytes),
) -> Result<(), Error> {
    let session = repository.start_upload().await?;
    let pieces: Vec<Result<Bytes, Error>> = (0..bytes.len())
        .step_by(60_000)
        .map(|start| Ok(bytes.slice(start..bytes.len().min(start + 60_000))))
        .collect();
    repository
        .upload_blob(session, blob, stream::iter(pieces).boxed())
        .await
}

pub(crate) async fn read(repository: &dyn ReadRepository, blob: &Descriptor) -> Result<Vec<u8>, Error> {
    let pieces: Vec<Bytes> = repository.read_blob(blob).await?.try_collect().await?;
    Ok(pieces.concat())
}

/// An image of one layer, whose configuration is the layer too.
pub(crate) fn image(layer: &Descriptor) -> Manifest {
    let config = json!({ "mediaType": MediaType::OCI_CONFIG, "digest": layer.digest, "size": layer.size });
    let document = json!({
        "schemaVersion": 2,
        "mediaType": MediaType::OCI_MANIFEST,
        "config": config,
        "layers": [layer],
    });
    Manifest::parse(document.to_string().into(), None).unwrap()
}

pub(crate) async fn put(
    repository: &dyn WriteRepository,
    tag: &str,
    manifest: &Manifest,
) -> Result<(), Error> {
    let reference = tag.parse::<Tag>().unwrap().into();
    repository.put_manifest(&reference, manifest).await.map(drop)
}
