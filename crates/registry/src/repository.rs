//! The powers over a repository.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use oci::{Descriptor, Digest, Host, Manifest, ManifestReference, RepositoryName, Tag};
use url::Url;

use crate::Error;

/// Bytes as they arrive; an error ends them.
pub type ByteStream = BoxStream<'static, Result<Bytes, Error>>;

/// The power to read a repository.
#[async_trait]
pub trait ReadRepository: fmt::Debug + Send + Sync {
    /// Lists all tags, page by page; `None` where the repository does not exist.
    ///
    /// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-tags>
    async fn tags(&self) -> Result<Option<Vec<Tag>>, Error>;

    /// Describes a manifest without reading it; `None` where there is none.
    ///
    /// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#checking-if-content-exists-in-the-registry>
    async fn head_manifest(&self, reference: &ManifestReference) -> Result<Option<Descriptor>, Error>;

    /// Reads a manifest; `None` where there is none. Asked for by digest, the bytes have that digest.
    ///
    /// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests>
    async fn get_manifest(&self, reference: &ManifestReference) -> Result<Option<Manifest>, Error>;

    /// Lists what refers to `subject`, by the referrers API alone.
    ///
    /// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-referrers>
    async fn referrers(&self, subject: &Digest) -> Result<Referrers, Error>;

    /// Returns the size of a blob; `None` where there is none.
    ///
    /// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#checking-if-content-exists-in-the-registry>
    async fn head_blob(&self, digest: &Digest) -> Result<Option<u64>, Error>;

    /// Reads a blob from its start, resuming where the connection breaks.
    ///
    /// Size and digest are verified before the last bytes are handed out: a stream that ends without an error
    /// was the blob.
    ///
    /// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-blobs>
    async fn read_blob(&self, blob: &Descriptor) -> Result<ByteStream, Error>;
}

/// The power to write a repository.
#[async_trait]
pub trait WriteRepository: ReadRepository {
    /// Mounts `digest` from another repository of this registry, or of one that shares its blobs.
    ///
    /// Where the registry declines with an upload session, that session is then ours to finish or drop.
    ///
    /// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#mounting-a-blob-from-another-repository>
    async fn mount_blob(&self, digest: &Digest, from: &MountFrom) -> Result<Mount, Error>;

    /// Opens an upload session.
    ///
    /// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#post-then-put>
    async fn start_upload(&self) -> Result<UploadSession, Error>;

    /// Sends a blob into a session and commits it. The body has exactly `blob.size` bytes or ends in an error.
    ///
    /// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#post-then-put>
    async fn upload_blob(
        &self,
        session: UploadSession,
        blob: &Descriptor,
        body: ByteStream,
    ) -> Result<(), Error>;

    /// Puts a manifest by tag or by its digest, byte for byte.
    ///
    /// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-manifests>
    async fn put_manifest(
        &self,
        reference: &ManifestReference,
        manifest: &Manifest,
    ) -> Result<ManifestPut, Error>;
}

/// The power to delete from a repository.
#[async_trait]
pub trait DeleteRepository: ReadRepository {
    /// Deletes a tag and leaves its manifest, or a manifest and with it every tag that stands at it. Blobs stay.
    ///
    /// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#content-management>
    ///
    /// # Errors
    /// A refusal for other reasons than that the registry does not offer it.
    async fn delete(&self, reference: &ManifestReference) -> Result<Deletion, Error>;
}

/// How a deletion ended.
#[derive(Debug)]
pub enum Deletion {
    /// It was taken.
    Done,
    /// There was nothing to delete, or so it is answered.
    Missing,
    /// The registry does not offer it, in these words.
    Unsupported(Error),
}

/// What refers to a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Referrers {
    /// The registry's list.
    List(Vec<Descriptor>),
    /// The registry has no referrers API.
    Unsupported,
}

/// Where a blob is mounted from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MountFrom {
    /// The repository.
    pub repository: RepositoryName,
    /// The host of its registry, where that is another one (`origin`, an extension of Google's).
    pub origin: Option<Host>,
}

impl From<RepositoryName> for MountFrom {
    fn from(repository: RepositoryName) -> Self {
        Self {
            repository,
            origin: None,
        }
    }
}

/// How a mount ended.
#[derive(Debug)]
pub enum Mount {
    /// The blob stands in the repository now.
    Mounted,
    /// The registry declined and opened an upload session instead.
    Declined(UploadSession),
    /// The registry declined and opened nothing.
    Refused,
}

/// An open upload: where the next request goes. It carries the registry's state and is not printed.
pub struct UploadSession {
    pub(crate) location: Url,
    /// The smallest part that the registry takes, but for the last, in bytes.
    pub(crate) least_chunk: u64,
}

impl UploadSession {
    /// Makes a session of where its next request goes, for registries that are implemented elsewhere.
    #[must_use]
    pub fn new(location: Url) -> Self {
        Self {
            location,
            least_chunk: 0,
        }
    }
}

impl fmt::Debug for UploadSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UploadSession({})", self.location.path())
    }
}

/// How a registry took a manifest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ManifestPut {
    /// The subject the registry recorded (`OCI-Subject`), where it has the referrers API.
    pub subject: Option<Digest>,
}

/// A registry: where repositories are opened.
#[async_trait]
pub trait Registry: fmt::Debug + Send + Sync {
    /// Opens a repository for reading. Nothing is sent yet.
    fn reader(&self, repository: &RepositoryName) -> Arc<dyn ReadRepository>;

    /// Opens a repository for reading and writing. Nothing is sent yet.
    fn writer(&self, repository: &RepositoryName) -> Arc<dyn WriteRepository>;

    /// Lists the repositories, sorted; `None` where the registry does not offer that.
    ///
    /// <https://distribution.github.io/distribution/spec/api/#listing-repositories>
    async fn catalog(&self) -> Result<Option<Vec<RepositoryName>>, Error>;

    /// Returns what was sent and received so far.
    fn traffic(&self) -> Traffic;

    /// Makes what was written last, where writing alone does not: an archive is put in its place. It is called once
    /// nothing is written any more, however that ended.
    ///
    /// # Errors
    /// Then nothing of what was written lasts.
    async fn finish(&self) -> Result<(), Error>;
}

/// What was sent to and received from a registry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Requests by method, retries included, those to token services left out.
    pub requests: BTreeMap<String, u64>,
    /// Requests that were sent again.
    pub retries: u64,
    /// Bytes of blobs received.
    pub read: u64,
    /// Bytes of blobs sent.
    pub written: u64,
}
