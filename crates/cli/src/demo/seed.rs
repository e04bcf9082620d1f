//! Fills the source, over HTTP as any other program would.

use std::collections::BTreeSet;

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, stream};
use oci::{Descriptor, Digest, Manifest, ManifestReference};
use registry::{Error, Registry, WriteRepository};

use super::catalogue::{Push, Sample};
use crate::failure::Failure;

/// Pushes every sample.
pub(super) async fn fill(source: &dyn Registry, samples: &[Sample]) -> Result<(), Failure> {
    for sample in samples {
        let repository = source.writer(&sample.name());
        let mut sent = BTreeSet::new();
        for artifact in &sample.pushes {
            push(repository.as_ref(), artifact, &mut sent)
                .await
                .map_err(|error| {
                    Failure::failed(format!("push a sample to {}", sample.repository)).because(&error)
                })?;
        }
    }
    Ok(())
}

async fn push(
    repository: &dyn WriteRepository,
    push: &Push,
    sent: &mut BTreeSet<Digest>,
) -> Result<(), Error> {
    for (descriptor, bytes) in &push.artifact.blobs {
        if sent.insert(descriptor.digest.clone()) {
            upload(repository, descriptor, bytes.clone()).await?;
        }
    }
    for manifest in &push.artifact.manifests {
        put(repository, &manifest.digest().clone().into(), manifest).await?;
    }
    put(repository, &push.reference, push.artifact.root()).await
}

async fn upload(repository: &dyn WriteRepository, blob: &Descriptor, bytes: Bytes) -> Result<(), Error> {
    let session = repository.start_upload().await?;
    let body = stream::once(async move { Ok(bytes) }.boxed()).boxed();
    repository.upload_blob(session, blob, body).await
}

async fn put(
    repository: &dyn WriteRepository,
    reference: &ManifestReference,
    manifest: &Manifest,
) -> Result<(), Error> {
    repository.put_manifest(reference, manifest).await.map(|_| ())
}
