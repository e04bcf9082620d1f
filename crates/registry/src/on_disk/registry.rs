//! A layout as a registry.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use layout::Layout;
use oci::RepositoryName;

use super::contents::Contents;
use super::repository::LayoutRepository;
use crate::{ReadRepository, Registry, Traffic, WriteRepository};

/// An OCI image layout whose entries are tags of repositories.
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
    pub fn new(layout: Layout, bare: Option<RepositoryName>) -> Self {
        Self {
            contents: Arc::new(Contents::new(layout)),
            bare,
            meter: Arc::default(),
        }
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

impl Registry for LayoutRegistry {
    fn reader(&self, repository: &RepositoryName) -> Arc<dyn ReadRepository> {
        self.open(repository)
    }

    fn writer(&self, repository: &RepositoryName) -> Arc<dyn WriteRepository> {
        self.open(repository)
    }

    fn traffic(&self) -> Traffic {
        Traffic {
            read: self.meter.read.load(Ordering::Relaxed),
            written: self.meter.written.load(Ordering::Relaxed),
            ..Traffic::default()
        }
    }
}
