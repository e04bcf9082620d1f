//! What can be wrong with a layout.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use oci::{Digest, JsonError};

/// Why a layout could not be read or written. Every variant names the file or directory.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LayoutError {
    /// The operating system refused.
    #[error("cannot {action} {}", .path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// The refusal.
        source: io::Error,
    },
    /// The directory has no `oci-layout`.
    #[error("{} is not an OCI image layout: it has no `oci-layout` file", .path.display())]
    NotALayout {
        /// The directory.
        path: PathBuf,
    },
    /// `oci-layout` names a version that is not known.
    #[error("{} has another imageLayoutVersion than 1.0.0", .path.display())]
    Version {
        /// The `oci-layout` file.
        path: PathBuf,
    },
    /// Not strict JSON: malformed, nested too deeply, or with duplicate keys.
    #[error("{} is not a JSON document", .path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What the reader found.
        source: JsonError,
    },
    /// JSON of another shape than the specification's.
    #[error("{} is malformed: {expected}", .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What should stand there.
        expected: &'static str,
    },
    /// An entry of `index.json` that is not a descriptor.
    #[error("{} is malformed: entry {position} of `manifests` is not a descriptor", .path.display())]
    Entry {
        /// The `index.json` file.
        path: PathBuf,
        /// The entry, counted from 0.
        position: usize,
        /// What the reader found.
        source: JsonError,
    },
    /// A symbolic link, or another thing that is not of the kind the layout needs. Links are never followed.
    #[error("{} is not a {expected} but a link or another kind of file", .path.display())]
    Kind {
        /// The link, or what else stands there.
        path: PathBuf,
        /// `regular file` or `directory`.
        expected: &'static str,
    },
    /// Larger than the caller reads.
    #[error("{} has {size} bytes, more than the {limit} that are read", .path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its length.
        size: u64,
        /// The most that is read.
        limit: u64,
    },
    /// Content that does not have the digest it was given or is stored under.
    #[error("{}: the content is {actual}, not {expected}", .path.display())]
    Digest {
        /// The blob.
        path: PathBuf,
        /// The digest that names it.
        expected: Digest,
        /// The digest of its bytes.
        actual: Digest,
    },
    /// Several entries with one name point to different content.
    #[error("{} has several entries `{name}` with different digests", .path.display())]
    Ambiguous {
        /// The `index.json` file.
        path: PathBuf,
        /// The `org.opencontainers.image.ref.name`.
        name: String,
    },
    /// A directory where an archive should be.
    #[error("{} is a directory, not an archive", .path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
    },
    /// A pipe or a device where an archive should be.
    #[error("{} is a stream, and an archive is read at many places at once", .path.display())]
    Stream {
        /// The stream.
        path: PathBuf,
    },
    /// An archive that is compressed as a whole.
    #[error("{} is compressed with {compression}, and an archive is read at many places at once", .path.display())]
    Compressed {
        /// The file.
        path: PathBuf,
        /// The program that compressed it.
        compression: &'static str,
    },
    /// Not the tar format.
    #[error("{} is not a tar archive, or a damaged one", .path.display())]
    Tar {
        /// The file.
        path: PathBuf,
        /// What the reader found.
        source: io::Error,
    },
    /// An archive that ends too early.
    #[error("{} is cut off: it ends within `{name}`", .path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// The member that is not whole.
        name: String,
    },
    /// A member of an archive that is refused or missing.
    #[error("{}: the member `{name}` {problem}", .path.display())]
    Member {
        /// The archive.
        path: PathBuf,
        /// The member.
        name: String,
        /// What is wrong with it, as the rest of a sentence.
        problem: &'static str,
    },
    /// An archive of other content than the one it was opened as.
    #[error("{} has no `{name}`, so it is not {}", .path.display(), sort(.name))]
    Lacks {
        /// The archive.
        path: PathBuf,
        /// The member that every such archive has.
        name: &'static str,
        /// What a reference begins with that reads it, if one does.
        instead: Option<&'static str>,
    },
    /// Another process writes the archive.
    #[error("{} is being written by another process", .path.display())]
    Busy {
        /// The archive.
        path: PathBuf,
    },
    /// The archive is no longer the one that was opened.
    #[error("{} was changed by another program in the meantime, and was left as that made it", .path.display())]
    Changed {
        /// The archive.
        path: PathBuf,
    },
    /// The archive could not be made, for whoever wrote to it.
    #[error("{} has nothing of what was written to it", .path.display())]
    Lost {
        /// The archive.
        path: PathBuf,
        /// Why not.
        source: Arc<LayoutError>,
    },
    /// An archive of a kind that is only read.
    #[error("{} is an archive of `docker save`, which is only read", .path.display())]
    ReadOnly {
        /// The archive.
        path: PathBuf,
    },
}

impl LayoutError {
    /// Returns the file or directory that is at fault.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Io { path, .. }
            | Self::NotALayout { path }
            | Self::Version { path }
            | Self::Json { path, .. }
            | Self::Malformed { path, .. }
            | Self::Entry { path, .. }
            | Self::Kind { path, .. }
            | Self::TooLarge { path, .. }
            | Self::Digest { path, .. }
            | Self::Ambiguous { path, .. }
            | Self::Directory { path }
            | Self::Stream { path }
            | Self::Compressed { path, .. }
            | Self::Tar { path, .. }
            | Self::Truncated { path, .. }
            | Self::Member { path, .. }
            | Self::Lacks { path, .. }
            | Self::Busy { path }
            | Self::Changed { path }
            | Self::Lost { path, .. }
            | Self::ReadOnly { path } => path,
        }
    }

    /// Returns what to do next, where that is known.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Directory { path } => format!("a layout in a directory is written oci:{}", path.display()),
            Self::Stream { .. } => "write it to a file first, and name that".to_owned(),
            Self::Compressed { compression, .. } => {
                format!("decompress it with {compression} first, and name the .tar file")
            }
            Self::Tar { .. } | Self::Truncated { .. } => "copy or make the archive again".to_owned(),
            Self::Lacks { path, instead, .. } => {
                let reference = format!("{}{}", (*instead)?, path.display());
                format!("{reference} reads it, and `transship copy` makes a layout of it where one is needed")
            }
            Self::Busy { .. } => "wait until that is done, and run it again".to_owned(),
            Self::Changed { .. } => "run it again".to_owned(),
            Self::Lost { source, .. } => return source.hint(),
            Self::ReadOnly { .. } => "write an OCI image layout instead: oci-archive:FILE".to_owned(),
            _ => return None,
        })
    }
}

/// Says what an archive is not that lacks a member.
fn sort(name: &str) -> &'static str {
    match name {
        "manifest.json" => "an archive of `docker save`",
        _ => "an archive of an OCI image layout",
    }
}

/// Says what was tried on which path, for `map_err`.
pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> LayoutError {
    let path = path.to_owned();
    move |source| LayoutError::Io { action, path, source }
}

/// Turns an absent file into nothing.
pub(crate) fn if_present<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
