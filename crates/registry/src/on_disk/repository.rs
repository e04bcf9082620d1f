//! A repository of a layout.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use layout::LayoutError;
use oci::{Descriptor, Digest, Manifest, ManifestReference, MediaType, RepositoryName, Tag};
use url::Url;

use super::blobs;
use super::contents::{Contents, Found};
use super::failure::failure;
use super::registry::Meter;
use crate::{
    ByteStream, DeleteRepository, Deletion, Error, ErrorKind, ManifestPut, Mount, MountFrom, ReadRepository,
    Referrers, UploadSession, WriteRepository,
};

/// A repository of a layout: the entries that name it, and all the layout's blobs.
#[derive(Clone)]
pub(super) struct LayoutRepository {
    pub(super) contents: Arc<Contents>,
    pub(super) name: RepositoryName,
    /// How its entries name it: not at all in the repository for bare tags.
    pub(super) key: Option<RepositoryName>,
    pub(super) meter: Arc<Meter>,
}

impl LayoutRepository {
    /// Says what is tried, for errors: `put manifest sha256:... in /mirror, repository base/app`.
    pub(super) fn action(&self, what: impl fmt::Display) -> String {
        let path = self.contents.layout.path().display();
        format!("{what} in {path}, repository {}", self.name)
    }

    /// Does what touches the disk where it blocks nobody.
    async fn at_disk<T: Send + 'static>(
        &self,
        action: &str,
        work: impl FnOnce(&Contents, Option<&RepositoryName>) -> Result<T, LayoutError> + Send + 'static,
    ) -> Result<T, Error> {
        let (contents, key) = (Arc::clone(&self.contents), self.key.clone());
        blocking(move || work(&contents, key.as_ref()))
            .await
            .map_err(|error| failure(action, error))
    }
}

/// Runs what blocks on a thread for that. Where it panics, so does the caller.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Only the runtime cancels such work, when it ends; then nobody waits for this any more.
            Err(_) => std::future::pending().await,
        },
    }
}

impl fmt::Debug for LayoutRepository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.contents.layout.path().display();
        write!(f, "LayoutRepository({path}, {})", self.name)
    }
}

#[async_trait]
impl ReadRepository for LayoutRepository {
    async fn tags(&self) -> Result<Option<Vec<Tag>>, Error> {
        self.at_disk(&self.action("list tags"), Contents::tags).await
    }

    async fn head_manifest(&self, reference: &ManifestReference) -> Result<Option<Descriptor>, Error> {
        let action = self.action(format_args!("look for manifest {reference}"));
        let reference = reference.clone();
        self.at_disk(&action, move |contents, key| contents.describe(key, &reference))
            .await
    }

    async fn get_manifest(&self, reference: &ManifestReference) -> Result<Option<Manifest>, Error> {
        let action = self.action(format_args!("read manifest {reference}"));
        let reference = reference.clone();
        let read = self
            .at_disk(&action, move |contents, key| contents.read(key, &reference))
            .await?;
        let Some((Found { digest, entry }, bytes)) = read else {
            return Ok(None);
        };
        let media_type: Option<&MediaType> = entry.as_ref().map(|entry| &entry.media_type);
        match Manifest::parse_as(bytes, media_type, digest) {
            Ok(manifest) => Ok(Some(manifest)),
            Err(error) => Err(Error::new(ErrorKind::Integrity, "the manifest is refused")
                .caused_by(error)
                .during(&action)),
        }
    }

    async fn referrers(&self, subject: &Digest) -> Result<Referrers, Error> {
        let action = self.action(format_args!("list referrers of {subject}"));
        let subject = subject.clone();
        self.at_disk(&action, move |contents, key| contents.referrers(key, &subject))
            .await
            .map(Referrers::List)
    }

    async fn head_blob(&self, digest: &Digest) -> Result<Option<u64>, Error> {
        let action = self.action(format_args!("look for blob {digest}"));
        let digest = digest.clone();
        self.at_disk(&action, move |contents, _| contents.layout.blob_size(&digest))
            .await
    }

    async fn read_blob(&self, blob: &Descriptor) -> Result<ByteStream, Error> {
        blobs::read(self, blob).await
    }
}

#[async_trait]
impl WriteRepository for LayoutRepository {
    async fn mount_blob(&self, digest: &Digest, _from: &MountFrom) -> Result<Mount, Error> {
        Ok(match self.head_blob(digest).await? {
            Some(_) => Mount::Mounted,
            None => Mount::Refused,
        })
    }

    async fn start_upload(&self) -> Result<UploadSession, Error> {
        // Nothing is opened yet: an upload that never comes leaves no file behind.
        let location = Url::parse("layout:upload").expect("the address is well formed");
        Ok(UploadSession::new(location))
    }

    async fn upload_blob(
        &self,
        _session: UploadSession,
        blob: &Descriptor,
        body: ByteStream,
    ) -> Result<(), Error> {
        blobs::write(self, blob, body).await
    }

    async fn put_manifest(
        &self,
        reference: &ManifestReference,
        manifest: &Manifest,
    ) -> Result<ManifestPut, Error> {
        let action = self.action(format_args!("put manifest {reference}"));
        let subject = manifest.subject().map(|subject| subject.digest.clone());
        let (reference, manifest) = (reference.clone(), manifest.clone());
        self.at_disk(&action, move |contents, key| {
            contents.put(key, &reference, &manifest)
        })
        .await?;
        Ok(ManifestPut { subject })
    }
}

#[async_trait]
impl DeleteRepository for LayoutRepository {
    async fn delete(&self, reference: &ManifestReference) -> Result<Deletion, Error> {
        let action = self.action(format_args!("delete {reference}"));
        let reference = reference.clone();
        let removed = self
            .at_disk(&action, move |contents, key| contents.delete(key, &reference))
            .await?;
        Ok(if removed {
            Deletion::Done
        } else {
            Deletion::Missing
        })
    }
}
