//! Manifests: bytes with a digest, and what they name.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;

use crate::json::null_as_default;
use crate::{Descriptor, Digest, JsonError, MediaKind, MediaType, json};

/// The largest manifest that is read or written, in bytes: what the specification asks registries to accept at least.
///
/// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-manifests>
pub const MAX_MANIFEST: usize = 4 << 20;

/// The most layers of an image, or children of an index: far beyond real ones, near what a hostile one could hold.
pub const MAX_CHILDREN: usize = 10_000;

/// A manifest as it stands in a registry.
///
/// Equality and identity are those of the bytes; nothing is ever re-serialised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    bytes: Bytes,
    digest: Digest,
    media_type: MediaType,
    content: Content,
    subject: Option<Descriptor>,
    artifact_type: Option<String>,
    annotations: BTreeMap<String, String>,
}

/// What a manifest names directly.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "most manifests are images, so boxing the config would save little"
)]
pub enum Content {
    /// An image or another artifact: a config and layers, all blobs.
    Image {
        /// The config.
        config: Descriptor,
        /// The layers, bottom first.
        layers: Vec<Descriptor>,
    },
    /// An index: manifests, and rarely blobs (BuildKit's caches).
    Index {
        /// The children, in order.
        manifests: Vec<Descriptor>,
    },
}

/// Why bytes are refused as a manifest.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// Larger than [`MAX_MANIFEST`].
    #[error("a manifest of {0} bytes is larger than the {MAX_MANIFEST} bytes that registries must accept")]
    TooLarge(usize),
    /// Not strict JSON.
    #[error("the manifest is not a JSON document")]
    Json(#[source] JsonError),
    /// JSON of another shape.
    #[error("the manifest is malformed")]
    Shape(#[source] JsonError),
    /// Docker schema 1.
    #[error(
        "Docker schema 1 manifests are not supported: their digest does not cover their bytes; re-push the image with a current tool"
    )]
    Schema1,
    /// `schemaVersion` is missing or not 2.
    #[error("the manifest's schemaVersion is not 2")]
    SchemaVersion,
    /// The document is an image and an index at once (CVE-2021-41190).
    #[error("the manifest is ambiguous: it has both `manifests` and `config`, `layers` or `fsLayers`")]
    Ambiguous,
    /// Neither an image nor an index.
    #[error("the manifest names neither `manifests` nor `config` and `layers`")]
    Neither,
    /// The transport and the document disagree, or the document and its shape.
    #[error("the manifest was served as {served} but calls itself {written}")]
    MediaTypeMismatch {
        /// What the `Content-Type` said, or what the shape says.
        served: MediaType,
        /// What the document says.
        written: MediaType,
    },
    /// More layers or children than [`MAX_CHILDREN`].
    #[error("the manifest names {0} layers or children, more than {MAX_CHILDREN}")]
    TooMany(usize),
    /// Descriptors of one digest with different sizes: one of them lies.
    #[error("the manifest gives {digest} two sizes, {first} and {second}")]
    SizeConflict {
        /// The digest named twice.
        digest: Digest,
        /// The size that stands first.
        first: u64,
        /// The size that differs from it.
        second: u64,
    },
    /// A media type that is not a manifest's.
    #[error("{0} is not the media type of a manifest")]
    NotAManifest(MediaType),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    schema_version: Option<u64>,
    media_type: Option<MediaType>,
    config: Option<Descriptor>,
    #[serde(default, deserialize_with = "null_as_default")]
    layers: Vec<Descriptor>,
    #[serde(default, deserialize_with = "null_as_default")]
    manifests: Vec<Descriptor>,
    subject: Option<Descriptor>,
    artifact_type: Option<String>,
    #[serde(default, deserialize_with = "null_as_default")]
    annotations: BTreeMap<String, String>,
}

impl Manifest {
    /// Reads a manifest that was served as `content_type`, and hashes it with SHA-256.
    ///
    /// # Errors
    /// A document that is too large, not strict JSON, ambiguous, of schema 1 or of another media type than served.
    pub fn parse(bytes: Bytes, content_type: Option<&MediaType>) -> Result<Self, ManifestError> {
        refuse_large(&bytes)?;
        let digest = Digest::sha256(&bytes);
        Self::parse_as(bytes, content_type, digest)
    }

    /// Reads a manifest whose digest the caller has computed from these very bytes (a SHA-512 one, say).
    ///
    /// # Errors
    /// As [`Manifest::parse`].
    pub fn parse_as(
        bytes: Bytes,
        content_type: Option<&MediaType>,
        digest: Digest,
    ) -> Result<Self, ManifestError> {
        refuse_large(&bytes)?;
        let value = json::read(&bytes).map_err(ManifestError::Json)?;
        let shape = shape(&value)?;
        let document: Document =
            serde_json::from_value(value).map_err(|error| ManifestError::Shape(error.into()))?;
        if document.schema_version != Some(2) {
            return Err(ManifestError::SchemaVersion);
        }
        let manifest = Self {
            bytes,
            digest,
            media_type: settle_media_type(shape, document.media_type, content_type)?,
            content: match document.config {
                Some(config) => Content::Image {
                    config,
                    layers: document.layers,
                },
                None => Content::Index {
                    manifests: document.manifests,
                },
            },
            subject: document.subject,
            artifact_type: document.artifact_type,
            annotations: document.annotations,
        };
        manifest.refuse_hostile_lists()?;
        Ok(manifest)
    }

    /// Returns the bytes, exactly as they were served.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Returns the digest of the bytes.
    #[must_use]
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// Returns the manifest's own media type.
    #[must_use]
    pub fn media_type(&self) -> &MediaType {
        &self.media_type
    }

    /// Returns what the manifest names.
    #[must_use]
    pub fn content(&self) -> &Content {
        &self.content
    }

    /// Returns the manifest that this one is attached to.
    #[must_use]
    pub fn subject(&self) -> Option<&Descriptor> {
        self.subject.as_ref()
    }

    /// Returns the type of the artifact: the document's own, else the config's media type.
    ///
    /// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-referrers>
    #[must_use]
    pub fn artifact_type(&self) -> Option<&str> {
        match (&self.artifact_type, &self.content) {
            (Some(own), _) if !own.is_empty() => Some(own),
            (_, Content::Image { config, .. }) => Some(config.media_type.as_str()),
            _ => None,
        }
    }

    /// Returns the manifest's annotations.
    #[must_use]
    pub fn annotations(&self) -> &BTreeMap<String, String> {
        &self.annotations
    }

    /// Returns the descriptor a parent or a referrers list would hold for this manifest, without annotations.
    #[must_use]
    pub fn descriptor(&self) -> Descriptor {
        Descriptor::new(
            self.media_type.clone(),
            self.digest.clone(),
            self.bytes.len() as u64,
        )
    }

    /// Returns the descriptor of this manifest in a list of referrers: with its artifact type and its annotations.
    ///
    /// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-referrers>
    #[must_use]
    pub fn referrer_descriptor(&self) -> Descriptor {
        Descriptor {
            artifact_type: self.artifact_type().map(str::to_owned),
            annotations: self.annotations.clone(),
            ..self.descriptor()
        }
    }

    /// Returns the children that are manifests.
    pub fn children(&self) -> impl Iterator<Item = &Descriptor> {
        self.named()
            .filter(|descriptor| descriptor.media_type.kind() != MediaKind::Blob)
    }

    /// Returns the blobs: config and layers, and an index's children that are no manifests.
    pub fn blobs(&self) -> impl Iterator<Item = &Descriptor> {
        let is_index = matches!(self.content, Content::Index { .. });
        self.named()
            .filter(move |descriptor| !is_index || descriptor.media_type.kind() == MediaKind::Blob)
    }

    fn refuse_hostile_lists(&self) -> Result<(), ManifestError> {
        let (Content::Image { layers: list, .. } | Content::Index { manifests: list }) = &self.content;
        if list.len() > MAX_CHILDREN {
            return Err(ManifestError::TooMany(list.len()));
        }
        let mut sizes = HashMap::new();
        for descriptor in self.named().chain(&self.subject) {
            let second = descriptor.size;
            let first = *sizes.entry(&descriptor.digest).or_insert(second);
            if first != second {
                return Err(ManifestError::SizeConflict {
                    digest: descriptor.digest.clone(),
                    first,
                    second,
                });
            }
        }
        Ok(())
    }

    fn named(&self) -> impl Iterator<Item = &Descriptor> {
        let (config, rest) = match &self.content {
            Content::Image { config, layers } => (Some(config), layers),
            Content::Index { manifests } => (None, manifests),
        };
        config.into_iter().chain(rest)
    }
}

fn refuse_large(bytes: &Bytes) -> Result<(), ManifestError> {
    if bytes.len() > MAX_MANIFEST {
        return Err(ManifestError::TooLarge(bytes.len()));
    }
    Ok(())
}

/// Tells an image from an index by what the document holds. A list that is `null` counts as absent.
fn shape(value: &Value) -> Result<MediaKind, ManifestError> {
    let has = |key: &str| value.get(key).is_some_and(|value| !value.is_null());
    if has("manifests") && (has("layers") || has("config") || has("fsLayers")) {
        return Err(ManifestError::Ambiguous);
    }
    if has("fsLayers") || value.get("schemaVersion").and_then(Value::as_u64) == Some(1) {
        return Err(ManifestError::Schema1);
    }
    // Go programs write an index without children as `"manifests": null`.
    let empty_index = value.get("manifests").is_some() && !has("layers");
    match (has("manifests"), has("config")) {
        (false, true) => Ok(MediaKind::Image),
        (true, false) => Ok(MediaKind::Index),
        (false, false) if empty_index => Ok(MediaKind::Index),
        _ => Err(ManifestError::Neither),
    }
}

fn settle_media_type(
    shape: MediaKind,
    written: Option<MediaType>,
    content_type: Option<&MediaType>,
) -> Result<MediaType, ManifestError> {
    let served = content_type.filter(|served| !is_generic(served));
    let media_type = match (served, written.filter(|written| !written.as_str().is_empty())) {
        (Some(served), Some(written)) if *served != written => {
            return Err(ManifestError::MediaTypeMismatch {
                served: served.clone(),
                written,
            });
        }
        (_, Some(media_type)) => media_type,
        (Some(served), None) => served.clone(),
        (None, None) => by_shape(shape),
    };
    match media_type.kind() {
        MediaKind::Schema1 => Err(ManifestError::Schema1),
        MediaKind::Blob => Err(ManifestError::NotAManifest(media_type)),
        kind if kind != shape => Err(ManifestError::MediaTypeMismatch {
            served: by_shape(shape),
            written: media_type,
        }),
        MediaKind::Image | MediaKind::Index => Ok(media_type),
    }
}

fn by_shape(shape: MediaKind) -> MediaType {
    match shape {
        MediaKind::Index => MediaType::OCI_INDEX,
        _ => MediaType::OCI_MANIFEST,
    }
}

/// Returns true for content types that say nothing about the document.
fn is_generic(media_type: &MediaType) -> bool {
    matches!(
        media_type.as_str(),
        "" | "application/json" | "application/octet-stream" | "text/plain"
    )
}
