//! Manifests and configs kept between runs. They are named by their digests, so none is ever out of date.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use oci::{Digest, Manifest, MediaType};
use tokio::fs;
use tokio::io::AsyncWriteExt;

/// Tells files apart that one process writes at once.
static NUMBER: AtomicU64 = AtomicU64::new(0);

/// Manifests and configs of images in a directory, or nowhere. A hint alone: what can't be read or written is asked of the registry again.
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
        let (media_type, bytes) = self.read(digest).await?;
        Manifest::parse_as(bytes, Some(&media_type), digest.clone()).ok()
    }

    /// Keeps a manifest.
    pub(crate) async fn keep(&self, manifest: &Manifest) {
        self.write(manifest.digest(), manifest.media_type(), manifest.bytes())
            .await;
    }

    /// Returns the config of an image that was kept.
    pub(crate) async fn config(&self, digest: &Digest) -> Option<Bytes> {
        let (media_type, bytes) = self.read(digest).await?;
        (media_type == MediaType::OCI_CONFIG).then_some(bytes)
    }

    /// Keeps the config of an image.
    pub(crate) async fn keep_config(&self, digest: &Digest, bytes: &Bytes) {
        self.write(digest, &MediaType::OCI_CONFIG, bytes).await;
    }

    async fn read(&self, digest: &Digest) -> Option<(MediaType, Bytes)> {
        let bytes = fs::read(self.path(digest)?).await.ok()?;
        let end = bytes.iter().position(|byte| *byte == b'\n')?;
        let media_type = MediaType::new(std::str::from_utf8(&bytes[..end]).ok()?);
        let body = Bytes::from(bytes).slice(end + 1..);
        (Digest::of(digest.algorithm(), &body) == *digest).then_some((media_type, body))
    }

    async fn write(&self, digest: &Digest, media_type: &MediaType, bytes: &Bytes) {
        if let Some(path) = self.path(digest) {
            // A full disk or a directory that is not ours costs speed, and nothing else.
            let _ = write(&path, media_type, bytes).await;
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
async fn write(path: &Path, media_type: &MediaType, body: &Bytes) -> io::Result<()> {
    if fs::try_exists(path).await? {
        return Ok(());
    }
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).await?;
    }
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let temporary = path.with_extension(format!("{}-{number}.tmp", std::process::id()));
    let mut bytes = format!("{media_type}\n").into_bytes();
    bytes.extend_from_slice(body);
    // Configs of private images may hold what is nobody else's business.
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    options.mode(0o600);
    let mut file = options.open(&temporary).await?;
    file.write_all(&bytes).await?;
    file.flush().await?;
    fs::rename(&temporary, path).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let text =
            r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;
        Manifest::parse(Bytes::from_static(text.as_bytes()), None).unwrap()
    }

    #[tokio::test]
    async fn what_was_kept_is_found_again() {
        let directory = tempfile::tempdir().unwrap();
        let cache = ManifestCache::at(directory.path().join("manifests"));
        assert_eq!(cache.get(manifest().digest()).await, None);
        cache.keep(&manifest()).await;
        assert_eq!(cache.get(manifest().digest()).await, Some(manifest()));
    }

    #[tokio::test]
    async fn a_config_is_found_again_and_is_no_manifest_nor_a_manifest_a_config() {
        let directory = tempfile::tempdir().unwrap();
        let cache = ManifestCache::at(directory.path().to_owned());
        let config = Bytes::from_static(br#"{"created":"2024-01-31T00:00:00Z"}"#);
        let digest = Digest::sha256(&config);
        assert_eq!(cache.config(&digest).await, None);
        cache.keep_config(&digest, &config).await;
        assert_eq!(cache.config(&digest).await, Some(config));
        assert_eq!(cache.get(&digest).await, None);
        cache.keep(&manifest()).await;
        assert_eq!(cache.config(manifest().digest()).await, None);
    }

    #[tokio::test]
    async fn bytes_that_changed_are_no_manifest() {
        let directory = tempfile::tempdir().unwrap();
        let cache = ManifestCache::at(directory.path().to_owned());
        cache.keep(&manifest()).await;
        let path = cache.path(manifest().digest()).unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() = b' ';
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(cache.get(manifest().digest()).await, None);
    }

    #[tokio::test]
    async fn nowhere_keeps_nothing_and_a_directory_that_can_not_be_made_costs_nothing() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for cache in [ManifestCache::none(), ManifestCache::at(file.path().to_owned())] {
            cache.keep(&manifest()).await;
            assert_eq!(cache.get(manifest().digest()).await, None);
        }
    }
}
