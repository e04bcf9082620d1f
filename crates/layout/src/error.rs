//! What can be wrong with a layout.

use std::io;
use std::path::{Path, PathBuf};

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
            | Self::Ambiguous { path, .. } => path,
        }
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
