//! A registry whose refusals say what to grant.

use std::sync::Arc;

use async_trait::async_trait;
use oci::{Descriptor, Digest, Manifest, ManifestReference, RepositoryName, Tag};
use registry::{
    ByteStream, Error, ManifestPut, Mount, MountFrom, Operation, ReadRepository, Referrers, Registry,
    Traffic, UploadSession, WriteRepository,
};

use crate::Provider;

/// A registry whose refusals carry the advice of its provider.
#[derive(Debug)]
pub struct AdvisedRegistry {
    registry: Arc<dyn Registry>,
    provider: Arc<dyn Provider>,
}

impl AdvisedRegistry {
    /// Puts the advice of `provider` on the refusals of `registry`.
    #[must_use]
    pub fn new(registry: Arc<dyn Registry>, provider: Arc<dyn Provider>) -> Self {
        Self { registry, provider }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Registry for AdvisedRegistry {
    fn reader(&self, repository: &RepositoryName) -> Arc<dyn ReadRepository> {
        Arc::new(Advised {
            repository: self.registry.reader(repository),
            name: repository.clone(),
            provider: Arc::clone(&self.provider),
        })
    }

    fn writer(&self, repository: &RepositoryName) -> Arc<dyn WriteRepository> {
        Arc::new(Advised {
            repository: self.registry.writer(repository),
            name: repository.clone(),
            provider: Arc::clone(&self.provider),
        })
    }

    async fn catalog(&self) -> Result<Option<Vec<RepositoryName>>, Error> {
        self.registry.catalog().await
    }

    fn traffic(&self) -> Traffic {
        self.registry.traffic()
    }

    async fn finish(&self) -> Result<(), Error> {
        self.registry.finish().await
    }
}

#[derive(Debug)]
struct Advised<R: ?Sized> {
    name: RepositoryName,
    provider: Arc<dyn Provider>,
    repository: Arc<R>,
}

impl<R: ?Sized> Advised<R> {
    fn advise<T>(&self, operation: Operation, result: Result<T, Error>) -> Result<T, Error> {
        result.map_err(
            |error| match self.provider.advise(operation, &self.name, &error) {
                Some(advice) => advice.on(error),
                None => error,
            },
        )
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<R: ReadRepository + ?Sized> ReadRepository for Advised<R> {
    async fn tags(&self) -> Result<Option<Vec<Tag>>, Error> {
        self.advise(Operation::ListTags, self.repository.tags().await)
    }

    async fn head_manifest(&self, reference: &ManifestReference) -> Result<Option<Descriptor>, Error> {
        self.advise(
            Operation::HeadManifest,
            self.repository.head_manifest(reference).await,
        )
    }

    async fn get_manifest(&self, reference: &ManifestReference) -> Result<Option<Manifest>, Error> {
        self.advise(
            Operation::GetManifest,
            self.repository.get_manifest(reference).await,
        )
    }

    async fn referrers(&self, subject: &Digest) -> Result<Referrers, Error> {
        self.advise(Operation::ListReferrers, self.repository.referrers(subject).await)
    }

    async fn head_blob(&self, digest: &Digest) -> Result<Option<u64>, Error> {
        self.advise(Operation::HeadBlob, self.repository.head_blob(digest).await)
    }

    async fn read_blob(&self, blob: &Descriptor) -> Result<ByteStream, Error> {
        self.advise(Operation::GetBlob, self.repository.read_blob(blob).await)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<R: WriteRepository + ?Sized> WriteRepository for Advised<R> {
    async fn mount_blob(&self, digest: &Digest, from: &MountFrom) -> Result<Mount, Error> {
        self.advise(
            Operation::StartUpload,
            self.repository.mount_blob(digest, from).await,
        )
    }

    async fn start_upload(&self) -> Result<UploadSession, Error> {
        self.advise(Operation::StartUpload, self.repository.start_upload().await)
    }

    async fn upload_blob(
        &self,
        session: UploadSession,
        blob: &Descriptor,
        body: ByteStream,
    ) -> Result<(), Error> {
        self.advise(
            Operation::FinishUpload,
            self.repository.upload_blob(session, blob, body).await,
        )
    }

    async fn put_manifest(
        &self,
        reference: &ManifestReference,
        manifest: &Manifest,
    ) -> Result<ManifestPut, Error> {
        self.advise(
            Operation::PutManifest,
            self.repository.put_manifest(reference, manifest).await,
        )
    }
}
