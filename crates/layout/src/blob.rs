//! Blobs of a layout: where they stand, and how they are read and written.

use std::fs::{self, File, Metadata};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use oci::{Algorithm, Digest, Hasher};

use crate::error::{LayoutError, if_present, io};
use crate::temporary::Temporary;

/// How much of a file is read at once to hash it.
const CHUNK: usize = 64 << 10;

/// How often a blob may be replaced while it is being opened.
const REPLACEMENTS: usize = 8;

/// Where the blobs of a layout stand: `blobs/<algorithm>/<hex>`. Links on the way are refused.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Blobs<'a> {
    root: &'a Path,
}

impl<'a> Blobs<'a> {
    pub(crate) fn of(root: &'a Path) -> Self {
        Self { root }
    }

    /// Returns the blob's path and what stands there, if anything.
    pub(crate) fn find(self, digest: &Digest) -> Result<Option<(PathBuf, Metadata)>, LayoutError> {
        let directory = self.directory(digest.algorithm());
        for directory in [self.root.join("blobs"), directory.clone()] {
            if check_directory(&directory)?.is_none() {
                return Ok(None);
            }
        }
        let path = directory.join(digest.hex());
        Ok(regular_file(&path)?.map(|metadata| (path, metadata)))
    }

    /// Opens a blob that is a regular file.
    pub(crate) fn open(self, digest: &Digest) -> Result<Option<(PathBuf, File)>, LayoutError> {
        // A writer may put the same blob in place anew between the look and the opening.
        for _ in 0..REPLACEMENTS {
            let Some((path, seen)) = self.find(digest)? else {
                return Ok(None);
            };
            let Some(file) = if_present(File::open(&path)).map_err(io("open", &path))? else {
                continue;
            };
            if is_same_file(&seen, &file.metadata().map_err(io("read", &path))?) {
                return Ok(Some((path, file)));
            }
        }
        let path = self.directory(digest.algorithm()).join(digest.hex());
        Err(LayoutError::Kind {
            path,
            expected: "regular file",
        })
    }

    /// Lists the blobs and their lengths. What has no digest for a name is none.
    pub(crate) fn list(self) -> Result<Vec<(Digest, u64)>, LayoutError> {
        let mut blobs = Vec::new();
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
            let directory = self.directory(algorithm);
            let Some(entries) = if_present(fs::read_dir(&directory)).map_err(io("list", &directory))? else {
                continue;
            };
            for entry in entries {
                let entry = entry.map_err(io("list", &directory))?;
                let name = entry.file_name();
                let digest = format!("{}:{}", algorithm.as_str(), name.to_string_lossy());
                if let Ok(digest) = digest.parse()
                    && let Some(metadata) = regular_file(&entry.path())?
                {
                    blobs.push((digest, metadata.len()));
                }
            }
        }
        Ok(blobs)
    }

    /// Makes the directory of an algorithm where it is missing, and returns the path for the blob.
    pub(crate) fn make_room(self, digest: &Digest) -> Result<PathBuf, LayoutError> {
        self.make_directory(digest.algorithm())?;
        let path = self.directory(digest.algorithm()).join(digest.hex());
        regular_file(&path)?;
        Ok(path)
    }

    /// Makes `blobs/<algorithm>` where it is missing.
    pub(crate) fn make_directory(self, algorithm: Algorithm) -> Result<(), LayoutError> {
        for directory in [self.root.join("blobs"), self.directory(algorithm)] {
            if check_directory(&directory)?.is_none() {
                fs::create_dir_all(&directory).map_err(io("create", &directory))?;
            }
        }
        Ok(())
    }

    fn directory(self, algorithm: Algorithm) -> PathBuf {
        self.root.join("blobs").join(algorithm.as_str())
    }
}

/// Returns what stands at `path`, a regular file, or nothing.
pub(crate) fn regular_file(path: &Path) -> Result<Option<Metadata>, LayoutError> {
    match if_present(fs::symlink_metadata(path)).map_err(io("read", path))? {
        Some(metadata) if !metadata.is_file() => Err(LayoutError::Kind {
            path: path.to_owned(),
            expected: "regular file",
        }),
        metadata => Ok(metadata),
    }
}

pub(crate) fn check_directory(path: &Path) -> Result<Option<()>, LayoutError> {
    match if_present(fs::symlink_metadata(path)).map_err(io("read", path))? {
        Some(metadata) if !metadata.is_dir() => Err(LayoutError::Kind {
            path: path.to_owned(),
            expected: "directory",
        }),
        metadata => Ok(metadata.map(drop)),
    }
}

/// Tells whether what was opened is what was looked at, and no link put there in between.
#[cfg(unix)]
fn is_same_file(seen: &Metadata, opened: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (seen.dev(), seen.ino()) == (opened.dev(), opened.ino())
}

#[cfg(not(unix))]
fn is_same_file(_seen: &Metadata, opened: &Metadata) -> bool {
    opened.is_file()
}

/// Takes the bytes of a blob whose digest may not be known yet.
///
/// They stand in a temporary file in the layout until [`BlobWriter::commit`]; dropped before, nothing is left.
#[derive(Debug)]
pub struct BlobWriter {
    root: Arc<Path>,
    temporary: Temporary,
    // Most digests are SHA-256, so that hash is made on the way. For another the file is read once more.
    hasher: Hasher,
    written: u64,
}

impl BlobWriter {
    pub(crate) fn new(root: Arc<Path>, temporary: Temporary) -> Self {
        Self {
            root,
            temporary,
            hasher: Hasher::new(Algorithm::Sha256),
            written: 0,
        }
    }

    /// Appends bytes.
    ///
    /// # Errors
    /// Where the disk refuses them.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), LayoutError> {
        self.temporary.write(bytes)?;
        self.hasher.update(bytes);
        self.written += bytes.len() as u64;
        Ok(())
    }

    /// Returns how many bytes were appended.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Puts the blob in its place, once its bytes are on the disk and have the digest `expected`.
    ///
    /// # Errors
    /// Bytes of another digest ([`LayoutError::Digest`]), a link where the blob belongs, and what the disk refuses.
    /// The temporary file is removed then too.
    pub fn commit(self, expected: &Digest) -> Result<(), LayoutError> {
        let actual = match expected.algorithm() {
            Algorithm::Sha256 => self.hasher.finish(),
            Algorithm::Sha512 => hash_file(self.temporary.path(), Algorithm::Sha512)?,
        };
        let path = Blobs::of(&self.root).make_room(expected)?;
        verify(&path, expected, actual)?;
        self.temporary.persist(&path)
    }
}

/// Refuses content that has another digest than the one that names it.
pub(crate) fn verify(path: &Path, expected: &Digest, actual: Digest) -> Result<(), LayoutError> {
    if actual == *expected {
        return Ok(());
    }
    Err(LayoutError::Digest {
        path: path.to_owned(),
        expected: expected.clone(),
        actual,
    })
}

fn hash_file(path: &Path, algorithm: Algorithm) -> Result<Digest, LayoutError> {
    let mut file = File::open(path).map_err(io("open", path))?;
    let mut hasher = Hasher::new(algorithm);
    let mut chunk = vec![0; CHUNK];
    loop {
        match file.read(&mut chunk).map_err(io("read", path))? {
            0 => return Ok(hasher.finish()),
            length => hasher.update(&chunk[..length]),
        }
    }
}

/// Reads a file that must not be longer than `limit`.
pub(crate) fn read_limited(file: &File, path: &Path, limit: u64) -> Result<Vec<u8>, LayoutError> {
    let size = file.metadata().map_err(io("read", path))?.len();
    let mut bytes = Vec::new();
    if size <= limit {
        file.take(limit.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(io("read", path))?;
    }
    let size = size.max(bytes.len() as u64);
    if size > limit {
        return Err(LayoutError::TooLarge {
            path: path.to_owned(),
            size,
            limit,
        });
    }
    Ok(bytes)
}
