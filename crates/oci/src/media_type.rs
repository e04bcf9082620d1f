//! Media types, and what a manifest of each is.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

/// A media type, without parameters.
///
/// In a document it stands as written, at most 255 visible ASCII characters: it ends up in headers and on terminals.
///
/// <https://www.rfc-editor.org/rfc/rfc6838#section-4.2>
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct MediaType(Cow<'static, str>);

/// What a descriptor's media type says it points to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MediaKind {
    /// A manifest with a config and layers.
    Image,
    /// A manifest that lists manifests.
    Index,
    /// Docker's schema 1, which has no content of its own digest: refused.
    Schema1,
    /// Anything else: a blob.
    Blob,
}

impl MediaType {
    /// The longest media type that a document may name, in characters.
    pub const MAX: usize = 255;

    /// An OCI image manifest.
    pub const OCI_MANIFEST: Self = Self::known("application/vnd.oci.image.manifest.v1+json");
    /// An OCI image index.
    pub const OCI_INDEX: Self = Self::known("application/vnd.oci.image.index.v1+json");
    /// A Docker image manifest, version 2 schema 2.
    pub const DOCKER_MANIFEST: Self = Self::known("application/vnd.docker.distribution.manifest.v2+json");
    /// A Docker manifest list.
    pub const DOCKER_LIST: Self = Self::known("application/vnd.docker.distribution.manifest.list.v2+json");
    /// A Docker manifest, version 2 schema 1.
    pub const DOCKER_SCHEMA1: Self = Self::known("application/vnd.docker.distribution.manifest.v1+json");
    /// A signed Docker manifest, version 2 schema 1.
    pub const DOCKER_SCHEMA1_SIGNED: Self =
        Self::known("application/vnd.docker.distribution.manifest.v1+prettyjws");
    /// An OCI image config.
    pub const OCI_CONFIG: Self = Self::known("application/vnd.oci.image.config.v1+json");
    /// The empty JSON object, for artifacts without a config.
    pub const OCI_EMPTY: Self = Self::known("application/vnd.oci.empty.v1+json");
    /// An uncompressed OCI layer.
    pub const OCI_LAYER: Self = Self::known("application/vnd.oci.image.layer.v1.tar");
    /// A gzip-compressed OCI layer.
    pub const OCI_LAYER_GZIP: Self = Self::known("application/vnd.oci.image.layer.v1.tar+gzip");
    /// A Docker image config.
    pub const DOCKER_CONFIG: Self = Self::known("application/vnd.docker.container.image.v1+json");
    /// A gzip-compressed Docker layer.
    pub const DOCKER_LAYER: Self = Self::known("application/vnd.docker.image.rootfs.diff.tar.gzip");

    /// What an `Accept` header names when a manifest is asked for: all of them, so that no registry converts.
    pub const MANIFESTS: [Self; 4] = [
        Self::OCI_INDEX,
        Self::OCI_MANIFEST,
        Self::DOCKER_LIST,
        Self::DOCKER_MANIFEST,
    ];

    const fn known(text: &'static str) -> Self {
        Self(Cow::Borrowed(text))
    }

    /// Takes a `Content-Type` or `mediaType`: parameters are dropped, letters lowered.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let essence = text.split(';').next().unwrap_or(text).trim();
        Self(Cow::Owned(essence.to_ascii_lowercase()))
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Says what stands behind a descriptor of this type.
    #[must_use]
    pub fn kind(&self) -> MediaKind {
        if *self == Self::OCI_MANIFEST || *self == Self::DOCKER_MANIFEST {
            MediaKind::Image
        } else if *self == Self::OCI_INDEX || *self == Self::DOCKER_LIST {
            MediaKind::Index
        } else if *self == Self::DOCKER_SCHEMA1 || *self == Self::DOCKER_SCHEMA1_SIGNED {
            MediaKind::Schema1
        } else {
            MediaKind::Blob
        }
    }

    /// Returns true for layers that are fetched from elsewhere and not pushed by default (foreign, non-distributable).
    ///
    /// <https://github.com/opencontainers/image-spec/blob/main/layer.md#non-distributable-layers>
    #[must_use]
    pub fn is_nondistributable(&self) -> bool {
        self.0
            .starts_with("application/vnd.oci.image.layer.nondistributable.")
            || self.0.starts_with("application/vnd.docker.image.rootfs.foreign.")
    }
}

impl<'de> Deserialize<'de> for MediaType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.len() > Self::MAX || !text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return Err(serde::de::Error::custom(
                "a media type is at most 255 visible ASCII characters",
            ));
        }
        Ok(Self(Cow::Owned(text)))
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
