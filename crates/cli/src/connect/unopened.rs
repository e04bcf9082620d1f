//! Layouts that can't be read: because they are not there yet, or because they are broken.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use layout::{Layout, LayoutError};
use oci::{Descriptor, Digest, Manifest, ManifestReference, RepositoryName, Tag};
use registry::{
    ByteStream, Error, ErrorKind, LayoutRegistry, ManifestPut, Mount, MountFrom, ReadRepository, Referrers,
    Registry, Traffic, UploadSession, WriteRepository,
};

use super::on_disk;

/// A layout that can't be read. Planning makes none; the first one who writes does.
#[derive(Debug)]
pub(super) struct Unopened {
    /// What is made when somebody writes; nothing where what is there is broken.
    missing: Option<(PathBuf, Option<RepositoryName>)>,
    made: OnceLock<Result<LayoutRegistry, Nothing>>,
}

/// A repository of such a layout.
#[derive(Clone, Debug)]
enum Nothing {
    /// It holds nothing, and that is all there is to know.
    Empty,
    /// It answers every question with this, and with what to do next.
    Broken(ErrorKind, String, Option<String>),
}

impl Unopened {
    /// A layout that is not there yet.
    pub(super) fn empty(path: &Path, bare: Option<RepositoryName>) -> Self {
        Self {
            missing: Some((path.to_owned(), bare)),
            made: OnceLock::new(),
        }
    }

    /// A layout that can't be opened.
    pub(super) fn broken(error: &LayoutError) -> Self {
        Self {
            missing: None,
            made: Err(Nothing::broken(error)).into(),
        }
    }

    /// What is no layout, and what to do about it.
    pub(super) fn refused(problem: String, hint: String) -> Self {
        Self {
            missing: None,
            made: Err(Nothing::Broken(ErrorKind::Other, problem, Some(hint))).into(),
        }
    }

    fn make(&self) -> &Result<LayoutRegistry, Nothing> {
        self.made.get_or_init(|| {
            let (path, bare) = self.missing.as_ref().ok_or(Nothing::Empty)?;
            let layout = Layout::open_or_create(path).map_err(|error| Nothing::broken(&error))?;
            Ok(LayoutRegistry::new(layout, bare.clone()))
        })
    }
}

#[async_trait]
impl Registry for Unopened {
    fn reader(&self, repository: &RepositoryName) -> Arc<dyn ReadRepository> {
        match self.made.get() {
            Some(Ok(layout)) => layout.reader(repository),
            Some(Err(nothing)) => Arc::new(nothing.clone()),
            None => Arc::new(Nothing::Empty),
        }
    }

    fn writer(&self, repository: &RepositoryName) -> Arc<dyn WriteRepository> {
        match self.make() {
            Ok(layout) => layout.writer(repository),
            Err(nothing) => Arc::new(nothing.clone()),
        }
    }

    async fn catalog(&self) -> Result<Option<Vec<RepositoryName>>, Error> {
        match self.made.get() {
            Some(Ok(layout)) => layout.catalog().await,
            Some(Err(nothing)) => nothing.answer(Some(Vec::new())),
            None => Ok(Some(Vec::new())),
        }
    }

    fn traffic(&self) -> Traffic {
        match self.made.get() {
            Some(Ok(layout)) => layout.traffic(),
            Some(Err(_)) | None => Traffic::default(),
        }
    }

    async fn finish(&self) -> Result<(), Error> {
        match self.made.get() {
            Some(Ok(layout)) => layout.finish().await,
            Some(Err(_)) | None => Ok(()),
        }
    }
}

impl Nothing {
    fn broken(error: &LayoutError) -> Self {
        let cause = std::error::Error::source(error)
            .map(|cause| format!(": {cause}"))
            .unwrap_or_default();
        Self::Broken(on_disk::kind(error), format!("{error}{cause}"), error.hint())
    }

    fn answer<T>(&self, empty: T) -> Result<T, Error> {
        match self {
            Self::Empty => Ok(empty),
            Self::Broken(kind, problem, hint) => {
                let error = Error::new(*kind, problem.clone());
                Err(match hint {
                    Some(hint) => error.with_hint(hint.clone()),
                    None => error,
                })
            }
        }
    }

    fn refuse<T>(&self) -> Result<T, Error> {
        self.answer(())?;
        Err(Error::new(ErrorKind::NotFound, "there is no layout"))
    }
}

#[async_trait]
impl ReadRepository for Nothing {
    async fn tags(&self) -> Result<Option<Vec<Tag>>, Error> {
        self.answer(None)
    }

    async fn head_manifest(&self, _reference: &ManifestReference) -> Result<Option<Descriptor>, Error> {
        self.answer(None)
    }

    async fn get_manifest(&self, _reference: &ManifestReference) -> Result<Option<Manifest>, Error> {
        self.answer(None)
    }

    async fn referrers(&self, _subject: &Digest) -> Result<Referrers, Error> {
        self.answer(Referrers::List(Vec::new()))
    }

    async fn head_blob(&self, _digest: &Digest) -> Result<Option<u64>, Error> {
        self.answer(None)
    }

    async fn read_blob(&self, _blob: &Descriptor) -> Result<ByteStream, Error> {
        self.refuse()
    }
}

#[async_trait]
impl WriteRepository for Nothing {
    async fn mount_blob(&self, _digest: &Digest, _from: &MountFrom) -> Result<Mount, Error> {
        self.refuse()
    }

    async fn start_upload(&self) -> Result<UploadSession, Error> {
        self.refuse()
    }

    async fn upload_blob(
        &self,
        _session: UploadSession,
        _blob: &Descriptor,
        _body: ByteStream,
    ) -> Result<(), Error> {
        self.refuse()
    }

    async fn put_manifest(
        &self,
        _reference: &ManifestReference,
        _manifest: &Manifest,
    ) -> Result<ManifestPut, Error> {
        self.refuse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn reading_a_missing_layout_makes_nothing_and_writing_makes_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("mirror");
        let registry = Unopened::empty(&path, None);
        let repository = "base/redis".parse().unwrap();
        assert_eq!(registry.reader(&repository).tags().await.unwrap(), None);
        assert_eq!(registry.catalog().await.unwrap(), Some(Vec::new()));
        assert!(!path.exists());
        let _writer = registry.writer(&repository);
        assert!(path.join("oci-layout").exists());
    }

    #[tokio::test]
    async fn a_broken_layout_says_so_to_every_question() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("oci-layout"), "{").unwrap();
        let registry = Unopened::broken(&Layout::open(directory.path()).unwrap_err());
        let repository = "base/redis".parse().unwrap();
        assert!(registry.reader(&repository).tags().await.is_err());
        assert!(registry.catalog().await.is_err());
        assert!(registry.writer(&repository).start_upload().await.is_err());
    }

    #[tokio::test]
    async fn a_layout_that_may_not_be_read_is_a_matter_of_permission() {
        let registry = Unopened::broken(&LayoutError::Io {
            action: "create",
            path: "mirror".into(),
            source: std::io::ErrorKind::PermissionDenied.into(),
        });
        let error = registry.catalog().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Permission);
    }
}
