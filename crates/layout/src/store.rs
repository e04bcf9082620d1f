//! What layouts have in common, in a directory or in a file.

use std::fmt;
use std::fs::{File, Metadata};
use std::io::{self, Cursor, Read};
use std::path::Path;
use std::time::SystemTime;

use bytes::Bytes;
use oci::{Descriptor, Digest, RepositoryName, Tag};

use crate::archives::{Archive, SectionReader};
use crate::blob::BlobWriter;
use crate::entry::Entry;
use crate::error::LayoutError;
use crate::layout::Layout;

/// Blobs by digest, and entries that name repositories and tags: a [`Layout`], or an [`Archive`].
pub trait Store: fmt::Debug + Send + Sync {
    /// Returns the directory or the file.
    fn path(&self) -> &Path;

    /// Looks which version of the entries stands now; nothing where it can't be looked at: then reading it says why.
    fn version(&self) -> Option<Version>;

    /// Returns every entry, in order.
    ///
    /// # Errors
    /// An index that can't be read.
    fn entries(&self) -> Result<Vec<Entry>, LayoutError>;

    /// Returns what a tag points to.
    ///
    /// # Errors
    /// As [`Store::entries`], and several entries of that name with different digests.
    fn resolve(
        &self,
        repository: Option<&RepositoryName>,
        tag: &Tag,
    ) -> Result<Option<Descriptor>, LayoutError>;

    /// Points a tag at a descriptor, whatever it pointed at before.
    ///
    /// # Errors
    /// As [`Store::entries`], and what the disk refuses.
    fn tag(&self, repository: Option<&RepositoryName>, tag: &Tag, to: &Descriptor)
    -> Result<(), LayoutError>;

    /// Removes a tag's entry. Returns false where there was none. Blobs stay.
    ///
    /// # Errors
    /// As [`Store::tag`].
    fn untag(&self, repository: Option<&RepositoryName>, tag: &Tag) -> Result<bool, LayoutError>;

    /// Adds an entry without a tag, unless the repository has one of that digest.
    ///
    /// # Errors
    /// As [`Store::tag`].
    fn add_untagged(&self, repository: Option<&RepositoryName>, to: &Descriptor) -> Result<(), LayoutError>;

    /// Removes every entry of a repository that points to `digest`. Returns false where there was none. Blobs stay.
    ///
    /// # Errors
    /// As [`Store::tag`].
    fn forget(&self, repository: Option<&RepositoryName>, digest: &Digest) -> Result<bool, LayoutError>;

    /// Returns a blob's length, if there is one.
    ///
    /// # Errors
    /// What is no regular file where the blob belongs.
    fn blob_size(&self, digest: &Digest) -> Result<Option<u64>, LayoutError>;

    /// Opens a blob. Its bytes are not verified.
    ///
    /// # Errors
    /// As [`Store::blob_size`].
    fn open_blob(&self, digest: &Digest) -> Result<Option<BlobReader>, LayoutError>;

    /// Reads a blob of at most `limit` bytes and verifies them.
    ///
    /// # Errors
    /// As [`Store::blob_size`], a blob that is larger, and bytes of another digest.
    fn read_blob(&self, digest: &Digest, limit: usize) -> Result<Option<Bytes>, LayoutError>;

    /// Writes a whole blob, replacing a damaged one.
    ///
    /// # Errors
    /// Bytes of another digest, and what the disk refuses.
    fn write_blob(&self, digest: &Digest, bytes: &[u8]) -> Result<(), LayoutError>;

    /// Starts to write a blob whose bytes come piece by piece.
    ///
    /// # Errors
    /// What the disk refuses.
    fn start_blob(&self) -> Result<BlobWriter, LayoutError>;

    /// Makes what was written last, where writing alone does not.
    ///
    /// # Errors
    /// What the disk refuses. Then the store is as it was before the first write, and takes no others: this fails again
    /// for everyone who shares it.
    fn finish(&self) -> Result<(), LayoutError>;
}

/// Tells one version of a store's entries from another: their file is replaced, never written in place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version(Option<SystemTime>, u64, u64);

impl Version {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self(metadata.modified().ok(), metadata.len(), number(metadata))
    }

    /// Looks at a file; nothing where it can't be looked at.
    pub(crate) fn at(path: &Path) -> Option<Self> {
        Some(Self::of(&std::fs::metadata(path).ok()?))
    }
}

#[cfg(unix)]
fn number(metadata: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

#[cfg(not(unix))]
fn number(_metadata: &Metadata) -> u64 {
    0
}

/// The bytes of a blob, wherever they stand. They are not verified.
#[derive(Debug)]
pub struct BlobReader(Bytestream);

#[derive(Debug)]
enum Bytestream {
    File(File),
    Section(SectionReader),
    Memory(Cursor<Bytes>),
}

impl Read for BlobReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.0 {
            Bytestream::File(file) => file.read(buffer),
            Bytestream::Section(section) => section.read(buffer),
            Bytestream::Memory(bytes) => bytes.read(buffer),
        }
    }
}

impl From<File> for BlobReader {
    fn from(file: File) -> Self {
        Self(Bytestream::File(file))
    }
}

impl From<SectionReader> for BlobReader {
    fn from(section: SectionReader) -> Self {
        Self(Bytestream::Section(section))
    }
}

impl From<Bytes> for BlobReader {
    fn from(bytes: Bytes) -> Self {
        Self(Bytestream::Memory(Cursor::new(bytes)))
    }
}

impl Store for Layout {
    fn path(&self) -> &Path {
        self.path()
    }

    fn version(&self) -> Option<Version> {
        Version::at(&self.path().join("index.json"))
    }

    fn entries(&self) -> Result<Vec<Entry>, LayoutError> {
        self.entries()
    }

    fn resolve(
        &self,
        repository: Option<&RepositoryName>,
        tag: &Tag,
    ) -> Result<Option<Descriptor>, LayoutError> {
        self.resolve(repository, tag)
    }

    fn tag(
        &self,
        repository: Option<&RepositoryName>,
        tag: &Tag,
        to: &Descriptor,
    ) -> Result<(), LayoutError> {
        self.tag(repository, tag, to)
    }

    fn untag(&self, repository: Option<&RepositoryName>, tag: &Tag) -> Result<bool, LayoutError> {
        self.untag(repository, tag)
    }

    fn add_untagged(&self, repository: Option<&RepositoryName>, to: &Descriptor) -> Result<(), LayoutError> {
        self.add_untagged(repository, to)
    }

    fn forget(&self, repository: Option<&RepositoryName>, digest: &Digest) -> Result<bool, LayoutError> {
        self.forget(repository, digest)
    }

    fn blob_size(&self, digest: &Digest) -> Result<Option<u64>, LayoutError> {
        self.blob_size(digest)
    }

    fn open_blob(&self, digest: &Digest) -> Result<Option<BlobReader>, LayoutError> {
        Ok(self.open_blob(digest)?.map(BlobReader::from))
    }

    fn read_blob(&self, digest: &Digest, limit: usize) -> Result<Option<Bytes>, LayoutError> {
        self.read_blob(digest, limit)
    }

    fn write_blob(&self, digest: &Digest, bytes: &[u8]) -> Result<(), LayoutError> {
        self.write_blob(digest, bytes)
    }

    fn start_blob(&self) -> Result<BlobWriter, LayoutError> {
        self.start_blob()
    }

    fn finish(&self) -> Result<(), LayoutError> {
        Ok(())
    }
}

impl From<Layout> for Box<dyn Store> {
    fn from(layout: Layout) -> Self {
        Box::new(layout)
    }
}

impl From<Archive> for Box<dyn Store> {
    fn from(archive: Archive) -> Self {
        Box::new(archive)
    }
}
