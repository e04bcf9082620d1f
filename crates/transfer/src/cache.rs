//! Manifests kept between runs. They are named by their digests, so none is ever out of date.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use oci::{Digest, Manifest, MediaType};
use tokio::fs;

/// Tells files apart that one process writes at once.
static NUMBER: AtomicU64 = AtomicU64::new(0);

/// Manifests in a directory, or nowhere. A hint alone: what can't be read or written is asked of the registry again.
#[derive(Clone, Debug, Default)]
pub struct ManifestCache {
    directory: Option<PathBuf>,
}

impl ManifestCache {
    /// Keeps manifests in a directory, which is made where it is missing.
    #[must_use]
    pub fn at(directory: PathBuf) -> Self {
        Self {
            directory: Some(directory),
        }
    }

    /// Keeps nothing.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Returns a manifest that was kept. Bytes that do not have the digest are no manifest.
    pub(crate) async fn get(&self, digest: &Digest) -> Option<Manifest> {
        let bytes = fs::read(self.path(digest)?).await.ok()?;
        let end = bytes.iter().position(|byte| *byte == b'\n')?;
        let media_type = MediaType::new(std::str::from_utf8(&bytes[..end]).ok()?);
        let body = bytes::Bytes::from(bytes).slice(end + 1..);
        let same = Digest::of(digest.algorithm(), &body) == *digest;
        let manifest = same.then(|| Manifest::parse_as(body, Some(&media_type), digest.clone()));
        manifest?.ok()
    }

    /// Keeps a manifest.
    pub(crate) async fn keep(&self, manifest: &Manifest) {
        if let Some(path) = self.path(manifest.digest()) {
            // A full disk or a directory that is not ours costs speed, and nothing else.
            let _ = write(&path, manifest).await;
        }
    }

    fn path(&self, digest: &Digest) -> Option<PathBuf> {
        let directory = self.directory.as_ref()?;
        let hex = digest.hex();
        Some(
            directory
                .join(digest.algorithm().as_str())
                .join(hex.get(..2)?)
                .join(hex),
        )
    }
}

/// Writes a file whole or not at all: readers never see half of it.
async fn write(path: &Path, manifest: &Manifest) -> io::Result<()> {
    if fs::try_exists(path).await? {
        return Ok(());
    }
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).await?;
    }
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let temporary = path.with_extension(format!("{}-{number}.tmp", std::process::id()));
    let mut bytes = format!("{}\n", manifest.media_type()).into_bytes();
    bytes.extend_from_slice(manifest.bytes());
    fs::write(&temporary, bytes).await?;
    fs::rename(&temporary, path).await
}
