//! Where blobs, manifests and tags are kept.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use oci::{Descriptor, Digest, Manifest, RepositoryName, Tag};

use crate::layout_store::LayoutStore;
use crate::memory::Memory;

/// How much of a file is read at once, to keep the memory of a response small.
const READ: usize = 128 << 10;

/// Why a store could not do what it should.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// The layout on disk failed.
    #[error("the layout behind this registry failed: {0}")]
    Layout(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A file could not be read or written.
    #[error("the storage of this registry failed: {0}")]
    File(#[from] io::Error),
}

/// What became of an upload's bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Committed {
    /// They have the promised digest and are kept.
    Kept,
    /// They have another digest and are gone.
    Mismatch,
}

/// An upload's bytes on their way in.
pub(crate) trait BlobSink: Send {
    /// Takes the next bytes.
    fn write(&mut self, bytes: Bytes) -> Result<(), StoreError>;
    /// Keeps the bytes in `repository` if they have `digest`.
    fn commit(self: Box<Self>, repository: &RepositoryName, digest: &Digest)
    -> Result<Committed, StoreError>;
}

/// A blob's bytes on their way out.
pub(crate) enum BlobSource {
    /// Pieces in memory.
    Pieces(Arc<[Bytes]>),
    /// A file.
    File(File),
}

/// A blob that was found.
pub(crate) struct FoundBlob {
    pub(crate) size: u64,
    pub(crate) source: BlobSource,
}

/// What a registry keeps. Every call may wait for a disk.
pub(crate) trait Store: Send + Sync {
    fn blob_size(&self, repository: &RepositoryName, digest: &Digest) -> Result<Option<u64>, StoreError>;
    fn open_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Option<FoundBlob>, StoreError>;
    /// Starts an upload whose digest is as yet unknown.
    fn start_blob(&self) -> Result<Box<dyn BlobSink>, StoreError>;
    /// Makes a blob of `from`, or of any repository, visible in `to`. False where there is none.
    fn mount_blob(
        &self,
        to: &RepositoryName,
        digest: &Digest,
        from: Option<&RepositoryName>,
    ) -> Result<bool, StoreError>;
    fn remove_blob(&self, repository: &RepositoryName, digest: &Digest) -> Result<bool, StoreError>;
    fn resolve(&self, repository: &RepositoryName, tag: &Tag) -> Result<Option<Digest>, StoreError>;
    fn manifest(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Option<Arc<Manifest>>, StoreError>;
    /// Keeps a manifest, and points `tags` to it.
    fn put_manifest(
        &self,
        repository: &RepositoryName,
        manifest: &Arc<Manifest>,
        tags: &[Tag],
    ) -> Result<(), StoreError>;
    /// Removes a manifest and every tag that points to it.
    fn remove_manifest(&self, repository: &RepositoryName, digest: &Digest) -> Result<bool, StoreError>;
    fn untag(&self, repository: &RepositoryName, tag: &Tag) -> Result<bool, StoreError>;
    /// Lists a repository's tags in ASCII order; nothing where there is no such repository.
    fn tags(&self, repository: &RepositoryName) -> Result<Option<Vec<Tag>>, StoreError>;
    /// Lists the repositories in ASCII order.
    fn repositories(&self) -> Result<Vec<RepositoryName>, StoreError>;
    /// Lists the manifests whose subject is `subject`, by digest.
    fn referrers(&self, repository: &RepositoryName, subject: &Digest)
    -> Result<Vec<Descriptor>, StoreError>;
}

/// One of the two stores.
#[derive(Clone)]
pub(crate) enum Storage {
    Memory(Arc<Memory>),
    Layout(Arc<LayoutStore>),
}

impl Storage {
    /// Calls the store, away from the threads that serve requests where it may wait for a disk.
    pub(crate) async fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Store) -> T + Send + 'static,
    ) -> T {
        match self {
            Self::Memory(memory) => work(memory.as_ref()),
            Self::Layout(layout) => {
                let layout = Arc::clone(layout);
                blocking(move || work(layout.as_ref())).await
            }
        }
    }
}

/// Runs `work` where it may block. A panic in it is passed on.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

impl BlobSource {
    /// Streams these bytes of the blob.
    pub(crate) fn body(self, range: Range<u64>) -> Body {
        match self {
            Self::Pieces(pieces) => Body::from_stream(stream::iter(
                cut(&pieces, &range).into_iter().map(Ok::<_, io::Error>),
            )),
            Self::File(file) => file_body(file, range),
        }
    }
}

/// Returns the pieces within `range`, sharing their memory.
fn cut(pieces: &[Bytes], range: &Range<u64>) -> Vec<Bytes> {
    let mut start = 0;
    let mut within = Vec::new();
    for piece in pieces {
        let end = start + piece.len() as u64;
        let (from, to) = (range.start.max(start), range.end.min(end));
        if from < to {
            within.push(piece.slice((from - start) as usize..(to - start) as usize));
        }
        start = end;
    }
    within
}

fn file_body(file: File, range: Range<u64>) -> Body {
    Body::from_stream(stream::try_unfold(
        (file, range),
        |(mut file, range)| async move {
            if range.is_empty() {
                return Ok::<_, io::Error>(None);
            }
            blocking(move || {
                let bytes = read_at(&mut file, &range)?;
                let next = range.start + bytes.len() as u64..range.end;
                Ok(Some((bytes, (file, next))))
            })
            .await
        },
    ))
}

fn read_at(file: &mut File, range: &Range<u64>) -> io::Result<Bytes> {
    let length = (range.end - range.start).min(READ as u64) as usize;
    let mut buffer = vec![0; length];
    file.seek(SeekFrom::Start(range.start))?;
    file.read_exact(&mut buffer)?;
    Ok(buffer.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_spans_pieces() {
        let pieces = [
            Bytes::from_static(b"abc"),
            Bytes::from_static(b""),
            Bytes::from_static(b"defg"),
        ];
        let text = |range| cut(&pieces, &range).concat();
        assert_eq!(text(0..7), b"abcdefg");
        assert_eq!(text(2..4), b"cd");
        assert_eq!(text(3..3), b"");
        assert_eq!(text(6..7), b"g");
    }
}
