//! A layout: a directory with `oci-layout`, `index.json` and `blobs`.

use std::collections::{BTreeSet, HashSet};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use oci::{Algorithm, Descriptor, Digest, RepositoryName, Tag};
use serde_json::Value;

use crate::blob::{BlobWriter, Blobs, read_limited, regular_file, verify};
use crate::entry::Entry;
use crate::error::{LayoutError, if_present, io};
use crate::index::Index;
use crate::lock::Lock;
use crate::temporary::{Access, Temporary, sweep};

/// The largest `index.json` that is read, in bytes: room for half a million entries.
pub(crate) const MAX_INDEX: u64 = 256 << 20;

/// The largest `oci-layout` that is read, in bytes. It holds one property.
pub(crate) const MAX_MARKER: u64 = 64 << 10;

/// What `oci-layout` says.
///
/// <https://github.com/opencontainers/image-spec/blob/main/image-layout.md#oci-layout-file>
pub(crate) const MARKER: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;

/// An OCI image layout on disk. Clones share it.
///
/// Nothing is cached: every call sees what other processes have written.
#[derive(Clone, Debug)]
pub struct Layout {
    root: Arc<Path>,
}

impl Layout {
    /// Opens a layout that exists.
    ///
    /// # Errors
    /// A directory without `oci-layout`, another version than 1.0.0, and an `index.json` that can't be read.
    pub fn open(path: &Path) -> Result<Self, LayoutError> {
        let layout = Self::at(path);
        let marker = layout.marker();
        if regular_file(&marker)?.is_none() {
            return Err(LayoutError::NotALayout {
                path: path.to_owned(),
            });
        }
        let file = File::open(&marker).map_err(io("open", &marker))?;
        check_version(&read_limited(&file, &marker, MAX_MARKER)?, &marker)?;
        layout.index()?;
        Ok(layout)
    }

    /// Opens a layout to write to, and makes what is missing of it.
    ///
    /// Removes the temporary files that killed processes left behind.
    ///
    /// # Errors
    /// As [`Layout::open`], and what the disk refuses.
    pub fn open_or_create(path: &Path) -> Result<Self, LayoutError> {
        let layout = Self::at(path);
        fs::create_dir_all(&layout.root).map_err(io("create", path))?;
        let marker = layout.marker();
        regular_file(&marker)?;
        let mut options = OpenOptions::new();
        let file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&marker);
        let lock = Lock::on(file.map_err(io("create", &marker))?, &marker)?;
        layout.complete(&lock)?;
        sweep(&layout.root, &lock)?;
        Ok(layout)
    }

    fn at(path: &Path) -> Self {
        let here = path.as_os_str().is_empty();
        Self {
            root: if here { Path::new(".") } else { path }.into(),
        }
    }

    /// Makes what is missing, under the lock: of several processes that create a layout the first does it.
    fn complete(&self, lock: &Lock) -> Result<(), LayoutError> {
        let (marker, index) = (self.marker(), self.index_path());
        let mut file = lock.file();
        if file.metadata().map_err(io("read", &marker))?.len() == 0 {
            file.write_all(MARKER)
                .and_then(|()| file.sync_all())
                .map_err(io("write", &marker))?;
        } else {
            check_version(&read_limited(file, &marker, MAX_MARKER)?, &marker)?;
        }
        Blobs::of(&self.root).make_directory(Algorithm::Sha256)?;
        if regular_file(&index)?.is_none() {
            return self.replace(&index, &Index::empty(), lock);
        }
        self.index().map(drop)
    }

    /// Returns the layout's directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// Returns every entry of `index.json`, in order.
    ///
    /// Entries whose digest has an algorithm that is not registered are left out: nothing can be read through them.
    ///
    /// # Errors
    /// An `index.json` that is missing, larger than 256 MiB or malformed.
    pub fn entries(&self) -> Result<Vec<Entry>, LayoutError> {
        Ok(self.index()?.into_entries())
    }

    /// Returns the repositories that have entries; none stands for names that are a bare tag or absent.
    ///
    /// # Errors
    /// As [`Layout::entries`].
    pub fn repositories(&self) -> Result<BTreeSet<Option<RepositoryName>>, LayoutError> {
        Ok(self
            .entries()?
            .into_iter()
            .map(|entry| entry.repository)
            .collect())
    }

    /// Returns the tags of a repository.
    ///
    /// # Errors
    /// As [`Layout::entries`].
    pub fn tags(&self, repository: Option<&RepositoryName>) -> Result<BTreeSet<Tag>, LayoutError> {
        let mut entries = self.entries()?;
        entries.retain(|entry| entry.repository.as_ref() == repository);
        Ok(entries.into_iter().filter_map(|entry| entry.tag).collect())
    }

    /// Returns what a tag points to.
    ///
    /// # Errors
    /// As [`Layout::entries`], and several entries of that name with different digests.
    pub fn resolve(
        &self,
        repository: Option<&RepositoryName>,
        tag: &Tag,
    ) -> Result<Option<Descriptor>, LayoutError> {
        self.index()?.resolve(repository, tag)
    }

    /// Returns what a repository's entries point to, with and without tags, each digest once, in order.
    ///
    /// # Errors
    /// As [`Layout::entries`].
    pub fn manifests_of(&self, repository: Option<&RepositoryName>) -> Result<Vec<Descriptor>, LayoutError> {
        let mut entries = self.entries()?;
        let mut seen = HashSet::new();
        entries.retain(|entry| {
            entry.repository.as_ref() == repository && seen.insert(entry.descriptor.digest.clone())
        });
        Ok(entries.into_iter().map(|entry| entry.descriptor).collect())
    }

    /// Points a tag at a descriptor, whatever it pointed at before.
    ///
    /// An untagged entry of the repository with the same digest becomes the tagged one. Writes nothing where nothing changes.
    ///
    /// # Errors
    /// As [`Layout::entries`], and what the disk refuses. The index is then as it was.
    pub fn tag(
        &self,
        repository: Option<&RepositoryName>,
        tag: &Tag,
        descriptor: &Descriptor,
    ) -> Result<(), LayoutError> {
        let entry = self.entry(repository, Some(tag), descriptor);
        self.change(|index| index.tag(entry)).map(drop)
    }

    /// Removes a tag's entry. Returns false where there was none. Blobs stay.
    ///
    /// # Errors
    /// As [`Layout::tag`].
    pub fn untag(&self, repository: Option<&RepositoryName>, tag: &Tag) -> Result<bool, LayoutError> {
        self.change(|index| index.untag(repository, tag))
    }

    /// Adds an entry without a tag, unless the repository has one of that digest.
    ///
    /// The annotation `land.transship.repository` says where it belongs.
    ///
    /// # Errors
    /// As [`Layout::tag`].
    pub fn add_untagged(
        &self,
        repository: Option<&RepositoryName>,
        descriptor: &Descriptor,
    ) -> Result<(), LayoutError> {
        let entry = self.entry(repository, None, descriptor);
        self.change(|index| index.add(entry)).map(drop)
    }

    /// Removes every entry of a repository that points to `digest`, tags included. Returns false where there was none.
    ///
    /// # Errors
    /// As [`Layout::tag`].
    pub fn forget(&self, repository: Option<&RepositoryName>, digest: &Digest) -> Result<bool, LayoutError> {
        self.change(|index| index.forget(repository, digest))
    }

    /// Returns a blob's length, if the layout has it.
    ///
    /// # Errors
    /// Links, and what else is no regular file in a directory.
    pub fn blob_size(&self, digest: &Digest) -> Result<Option<u64>, LayoutError> {
        Ok(Blobs::of(&self.root)
            .find(digest)?
            .map(|(_, metadata)| metadata.len()))
    }

    /// Lists the blobs and their lengths, by algorithm.
    pub(crate) fn blobs(&self) -> Result<Vec<(Digest, u64)>, LayoutError> {
        Blobs::of(&self.root).list()
    }

    /// Opens a blob. Its bytes are not verified.
    ///
    /// # Errors
    /// As [`Layout::blob_size`].
    pub fn open_blob(&self, digest: &Digest) -> Result<Option<File>, LayoutError> {
        Ok(Blobs::of(&self.root).open(digest)?.map(|(_, file)| file))
    }

    /// Reads a blob of at most `limit` bytes and verifies them.
    ///
    /// # Errors
    /// As [`Layout::blob_size`], a blob that is larger, and bytes of another digest.
    pub fn read_blob(&self, digest: &Digest, limit: usize) -> Result<Option<Bytes>, LayoutError> {
        let Some((path, file)) = Blobs::of(&self.root).open(digest)? else {
            return Ok(None);
        };
        let bytes = read_limited(&file, &path, limit as u64)?;
        verify(&path, digest, Digest::of(digest.algorithm(), &bytes))?;
        Ok(Some(bytes.into()))
    }

    /// Writes a whole blob, replacing a damaged one.
    ///
    /// # Errors
    /// Bytes of another digest, links where the blob belongs, and what the disk refuses.
    pub fn write_blob(&self, digest: &Digest, bytes: &[u8]) -> Result<(), LayoutError> {
        let path = Blobs::of(&self.root).make_room(digest)?;
        verify(&path, digest, Digest::of(digest.algorithm(), bytes))?;
        let mut temporary = self.temporary(Access::Owner)?;
        temporary.write(bytes)?;
        temporary.persist(&path)
    }

    /// Starts to write a blob whose bytes come piece by piece.
    ///
    /// # Errors
    /// What the disk refuses.
    pub fn start_blob(&self) -> Result<BlobWriter, LayoutError> {
        Ok(BlobWriter::new(
            Arc::clone(&self.root),
            self.temporary(Access::Owner)?,
        ))
    }

    /// Removes a blob. Returns false where there was none. Entries stay.
    ///
    /// # Errors
    /// As [`Layout::blob_size`], and what the disk refuses.
    pub fn remove_blob(&self, digest: &Digest) -> Result<bool, LayoutError> {
        let Some((path, _)) = Blobs::of(&self.root).find(digest)? else {
            return Ok(false);
        };
        let removed = if_present(fs::remove_file(&path)).map_err(io("remove", &path))?;
        Ok(removed.is_some())
    }

    fn entry(
        &self,
        repository: Option<&RepositoryName>,
        tag: Option<&Tag>,
        descriptor: &Descriptor,
    ) -> Entry {
        Entry {
            repository: repository.cloned(),
            tag: tag.cloned(),
            descriptor: descriptor.clone(),
        }
    }

    /// Reads the index, changes it and writes it back where `change` says so, all under the lock.
    fn change(&self, change: impl FnOnce(&mut Index) -> bool) -> Result<bool, LayoutError> {
        let lock = self.lock()?;
        let mut index = self.index()?;
        let changed = change(&mut index);
        if changed {
            self.replace(&self.index_path(), &index.into_bytes(), &lock)?;
        }
        Ok(changed)
    }

    fn replace(&self, path: &Path, bytes: &[u8], lock: &Lock) -> Result<(), LayoutError> {
        let mut temporary = Temporary::new(&self.root, lock)?;
        temporary.write(bytes)?;
        temporary.persist(path)
    }

    pub(crate) fn index(&self) -> Result<Index, LayoutError> {
        let path = self.index_path();
        regular_file(&path)?;
        let file = File::open(&path).map_err(io("open", &path))?;
        Index::parse(&path, &read_limited(&file, &path, MAX_INDEX)?)
    }

    pub(crate) fn temporary(&self, access: Access) -> Result<Temporary, LayoutError> {
        Temporary::with(&self.root, access, &self.lock()?)
    }

    fn lock(&self) -> Result<Lock, LayoutError> {
        Lock::take(&self.marker())
    }

    fn marker(&self) -> PathBuf {
        self.root.join("oci-layout")
    }

    fn index_path(&self) -> PathBuf {
        self.root.join("index.json")
    }
}

/// Refuses an `oci-layout` that says anything but version 1.0.0.
pub(crate) fn check_version(marker: &[u8], path: &Path) -> Result<(), LayoutError> {
    let json = |source| LayoutError::Json {
        path: path.to_owned(),
        source,
    };
    let version = oci::read_json(marker).map_err(json)?;
    match version.get("imageLayoutVersion").and_then(Value::as_str) {
        Some("1.0.0") => Ok(()),
        _ => Err(LayoutError::Version {
            path: path.to_owned(),
        }),
    }
}
