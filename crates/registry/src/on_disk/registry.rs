//! A layout as a registry.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use layout::Store;
use oci::RepositoryName;

use super::contents::Contents;
use super::failure::failure;
use super::repository::{LayoutRepository, blocking};
use crate::{DeleteRepository, Error, ReadRepository, Registry, Traffic, WriteRepository};

/// An OCI image layout, in a directory or an archive, whose entries are tags of repositories.
///
/// A layout does not record which repository a blob belongs to: every repository shows them all, and a mount succeeds
/// where the blob is there.
#[derive(Debug)]
pub struct LayoutRegistry {
    contents: Arc<Contents>,
    bare: Option<RepositoryName>,
    meter: Arc<Meter>,
}

/// Counts the bytes of blobs.
#[derive(Debug, Default)]
pub(super) struct Meter {
    pub(super) read: AtomicU64,
    pub(super) written: AtomicU64,
}

impl LayoutRegistry {
    /// Makes a registry of a layout. Entries that name no repository, a bare tag or nothing, stand in the one called
    /// `bare`; without it they are not shown.
    #[must_use]
    pub fn new(layout: impl Into<Box<dyn Store>>, bare: Option<RepositoryName>) -> Self {
        Self {
            contents: Arc::new(Contents::new(layout.into())),
            bare,
            meter: Arc::default(),
        }
    }

    /// Opens a repository for reading and deleting.
    #[must_use]
    pub fn deleter(&self, repository: &RepositoryName) -> Arc<dyn DeleteRepository> {
        self.open(repository)
    }

    fn open(&self, name: &RepositoryName) -> Arc<LayoutRepository> {
        let key = (self.bare.as_ref() != Some(name)).then(|| name.clone());
        Arc::new(LayoutRepository {
            contents: Arc::clone(&self.contents),
            name: name.clone(),
            key,
            meter: Arc::clone(&self.meter),
        })
    }
}

#[async_trait]
impl Registry for LayoutRegistry {
    fn reader(&self, repository: &RepositoryName) -> Arc<dyn ReadRepository> {
        self.open(repository)
    }

    fn writer(&self, repository: &RepositoryName) -> Arc<dyn WriteRepository> {
        self.open(repository)
    }

    async fn catalog(&self) -> Result<Option<Vec<RepositoryName>>, Error> {
        let (contents, bare) = (Arc::clone(&self.contents), self.bare.clone());
        let action = format!("list repositories of {}", contents.layout.path().display());
        blocking(move || contents.repositories(bare.as_ref()))
            .await
            .map(Some)
            .map_err(|error| failure(&action, error))
    }

    fn traffic(&self) -> Traffic {
        Traffic {
            read: self.meter.read.load(Ordering::Relaxed),
            written: self.meter.written.load(Ordering::Relaxed),
            ..Traffic::default()
        }
    }

    async fn finish(&self) -> Result<(), Error> {
        let contents = Arc::clone(&self.contents);
        let action = format!("finish {}", contents.layout.path().display());
        blocking(move || contents.layout.finish())
            .await
            .map_err(|error| failure(&action, error))
    }
}
