//! An archive: a layout in a tar file.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use oci::{Descriptor, Digest, RepositoryName, Tag};

use super::assembly::assemble;
use super::held::{Blob, Held, member};
use super::spool::{Spool, WriteLock};
use crate::blob::BlobWriter;
use crate::entry::Entry;
use crate::error::LayoutError;
use crate::index::Index;
use crate::layout::Layout;
use crate::settled::settled;
use crate::store::{BlobReader, Store, Version};

/// A tar file that holds an OCI image layout, or what `docker save` wrote. Clones share it.
///
/// Nothing is unpacked: blobs are read where they stand. What is written stands in a directory beside the file until
/// [`Store::finish`] makes a new file of the old one and of that, and puts it in the old one's place. Without that the
/// archive stays as it was.
#[derive(Clone, Debug)]
pub struct Archive(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// As it was named.
    path: PathBuf,
    /// The file that is made or replaced, through links.
    target: PathBuf,
    form: Form,
    state: Mutex<State>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Layout,
    Docker,
}

#[derive(Clone, Debug)]
struct State {
    held: Arc<Held>,
    spool: Option<Arc<Spool>>,
    /// Why what was written is lost, if it is. Whoever shares the archive is told, however often it asks.
    lost: Option<Arc<LayoutError>>,
}

impl Archive {
    /// Opens an OCI image layout in a tar file.
    ///
    /// # Errors
    /// What is no tar file or no layout.
    pub fn open(path: &Path) -> Result<Self, LayoutError> {
        Ok(Self::new(path, Form::Layout, Held::layout(path)?))
    }

    /// Opens an OCI image layout in a tar file; one that is missing comes to be with what is written.
    ///
    /// # Errors
    /// As [`Archive::open`].
    pub fn open_or_create(path: &Path) -> Result<Self, LayoutError> {
        Ok(Self::new(path, Form::Layout, Held::layout_if_any(path)?))
    }

    /// Opens what `docker save` wrote, to read it. Each image has a manifest of Docker's version 2, schema 2.
    ///
    /// # Errors
    /// What is no tar file, has no `manifest.json`, or lacks what that names.
    pub fn open_docker(path: &Path) -> Result<Self, LayoutError> {
        Ok(Self::new(path, Form::Docker, Held::docker(path)?))
    }

    fn new(path: &Path, form: Form, held: Held) -> Self {
        let state = State {
            held: Arc::new(held),
            spool: None,
            lost: None,
        };
        Self(Arc::new(Shared {
            path: path.to_owned(),
            target: settled(path),
            form,
            state: Mutex::new(state),
        }))
    }

    /// Returns the digests of the images that `docker save` wrote, in order.
    #[must_use]
    pub fn images(&self) -> Vec<Digest> {
        self.state().held.images.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // It is only ever replaced whole, so a panic elsewhere leaves it sound.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> State {
        self.lock().clone()
    }

    /// Returns where to write, and begins to write where nobody has.
    fn spool(&self) -> Result<Arc<Spool>, LayoutError> {
        let Shared {
            path, target, form, ..
        } = &*self.0;
        if *form == Form::Docker {
            return Err(LayoutError::ReadOnly { path: path.clone() });
        }
        let mut state = self.lock();
        self.refuse_lost(&state)?;
        if let Some(spool) = &state.spool {
            return Ok(Arc::clone(spool));
        }
        let lock = WriteLock::take(target)?;
        if Version::at(target) != state.held.version {
            // Another process was done with it between our look and our write. What we saw must be there still: what
            // is written may consist of it.
            let now = Held::layout_if_any(target)?;
            if !now.has_blobs_of(&state.held) {
                return Err(LayoutError::Changed { path: path.clone() });
            }
            state.held = Arc::new(now);
        }
        if let Some(name) = state.held.link.clone() {
            return Err(LayoutError::Member {
                path: path.clone(),
                name,
                problem: "is a link and no part of a layout, and would be lost",
            });
        }
        let spool = Arc::new(Spool::start(lock, &state.held.index.clone().into_bytes())?);
        state.spool = Some(Arc::clone(&spool));
        Ok(spool)
    }

    fn refuse_lost(&self, state: &State) -> Result<(), LayoutError> {
        let Some(source) = state.lost.clone() else {
            return Ok(());
        };
        let path = self.0.path.clone();
        Err(LayoutError::Lost { path, source })
    }

    /// Puts the new archive in the old one's place, where anything changed.
    fn replace(&self, held: &Held, spool: &Spool) -> Result<Option<Held>, LayoutError> {
        let index = spool.layout().index()?.sorted();
        let bytes = |index: &Index| index.clone().sorted().into_bytes();
        if bytes(&index) == bytes(&held.index) && spool.layout().blobs()?.is_empty() {
            return Ok(None);
        }
        assemble(&self.0.target, held, spool, index)?;
        Held::layout(&self.0.target).map(Some)
    }

    fn written(&self) -> Option<Layout> {
        self.lock().spool.as_ref().map(|spool| spool.layout().clone())
    }

    fn path_of(&self, digest: &Digest) -> PathBuf {
        self.0.path.join(member(digest))
    }
}

impl Store for Archive {
    fn path(&self) -> &Path {
        &self.0.path
    }

    fn version(&self) -> Option<Version> {
        let State { held, spool, .. } = self.state();
        match spool {
            Some(spool) => Store::version(spool.layout()),
            None => held.version.clone(),
        }
    }

    fn entries(&self) -> Result<Vec<Entry>, LayoutError> {
        let State { held, spool, .. } = self.state();
        match spool {
            Some(spool) => spool.layout().entries(),
            None => Ok(held.index.entries().cloned().collect()),
        }
    }

    fn resolve(
        &self,
        repository: Option<&RepositoryName>,
        tag: &Tag,
    ) -> Result<Option<Descriptor>, LayoutError> {
        let State { held, spool, .. } = self.state();
        match spool {
            Some(spool) => spool.layout().resolve(repository, tag),
            None => held.index.resolve(repository, tag),
        }
    }

    fn tag(
        &self,
        repository: Option<&RepositoryName>,
        tag: &Tag,
        to: &Descriptor,
    ) -> Result<(), LayoutError> {
        self.spool()?.layout().tag(repository, tag, to)
    }

    fn untag(&self, repository: Option<&RepositoryName>, tag: &Tag) -> Result<bool, LayoutError> {
        self.spool()?.layout().untag(repository, tag)
    }

    fn add_untagged(&self, repository: Option<&RepositoryName>, to: &Descriptor) -> Result<(), LayoutError> {
        self.spool()?.layout().add_untagged(repository, to)
    }

    fn forget(&self, repository: Option<&RepositoryName>, digest: &Digest) -> Result<bool, LayoutError> {
        self.spool()?.layout().forget(repository, digest)
    }

    fn blob_size(&self, digest: &Digest) -> Result<Option<u64>, LayoutError> {
        if let Some(layout) = self.written()
            && let Some(size) = layout.blob_size(digest)?
        {
            return Ok(Some(size));
        }
        Ok(self.state().held.blobs.get(digest).map(Blob::size))
    }

    fn open_blob(&self, digest: &Digest) -> Result<Option<BlobReader>, LayoutError> {
        if let Some(layout) = self.written()
            && let Some(file) = layout.open_blob(digest)?
        {
            return Ok(Some(file.into()));
        }
        Ok(self.state().held.blobs.get(digest).map(Blob::reader))
    }

    fn read_blob(&self, digest: &Digest, limit: usize) -> Result<Option<Bytes>, LayoutError> {
        if let Some(layout) = self.written()
            && let Some(bytes) = layout.read_blob(digest, limit)?
        {
            return Ok(Some(bytes));
        }
        let held = self.state().held;
        let blob = held.blobs.get(digest);
        blob.map(|blob| blob.read(&self.path_of(digest), digest, limit as u64))
            .transpose()
    }

    fn write_blob(&self, digest: &Digest, bytes: &[u8]) -> Result<(), LayoutError> {
        self.spool()?.layout().write_blob(digest, bytes)
    }

    fn start_blob(&self) -> Result<BlobWriter, LayoutError> {
        self.spool()?.layout().start_blob()
    }

    fn finish(&self) -> Result<(), LayoutError> {
        let mut state = self.lock();
        self.refuse_lost(&state)?;
        let Some(spool) = state.spool.take() else {
            return Ok(());
        };
        match self.replace(&state.held, &spool) {
            Ok(None) => {}
            Ok(Some(held)) => state.held = Arc::new(held),
            Err(error) => state.lost = Some(Arc::new(error)),
        }
        self.refuse_lost(&state)
    }
}
