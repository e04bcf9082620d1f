//! What Harbor's API answers with.
//!
//! The fields are those of [`api/v2.0/swagger.yaml`](https://github.com/goharbor/harbor/blob/v2.13.0/api/v2.0/swagger.yaml).

use oci::{Digest, MediaType, RepositoryName};
use serde::Deserialize;

/// A manifest with its tags and what is attached to it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub(super) struct Artifact {
    pub(super) digest: Digest,
    manifest_media_type: Option<String>,
    tags: Option<Vec<Tagged>>,
    accessories: Option<Vec<Accessory>>,
    references: Option<Vec<Reference>>,
}

/// A tag of an artifact.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub(super) struct Tagged {
    pub(super) name: String,
    #[serde(default)]
    pub(super) immutable: Option<bool>,
}

/// A manifest that is attached to an artifact.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub(super) struct Accessory {
    pub(super) digest: Digest,
    #[serde(rename = "type", default)]
    kind: Option<String>,
}

/// A manifest that an index names.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub(super) struct Reference {
    pub(super) child_digest: Digest,
}

/// A project.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub(super) struct Project {
    #[serde(rename = "name")]
    _name: String,
    registry_id: Option<i64>,
}

/// A repository; its name has the project in front.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub(super) struct Repository {
    pub(super) name: RepositoryName,
}

impl Artifact {
    pub(super) fn media_type(&self) -> Option<MediaType> {
        let text = self.manifest_media_type.as_deref()?;
        (!text.is_empty()).then(|| MediaType::new(text))
    }

    pub(super) fn tags(&self) -> &[Tagged] {
        self.tags.as_deref().unwrap_or_default()
    }

    pub(super) fn accessories(&self) -> &[Accessory] {
        self.accessories.as_deref().unwrap_or_default()
    }

    pub(super) fn children(&self) -> &[Reference] {
        self.references.as_deref().unwrap_or_default()
    }
}

impl Accessory {
    /// Returns true where it may be attached by its tag alone: cosign's older way, which Harbor shows like the newer one.
    pub(super) fn may_lack_a_subject(&self) -> bool {
        self.kind
            .as_deref()
            .is_none_or(|kind| kind.is_empty() || kind == "signature.cosign")
    }
}

impl Project {
    pub(super) fn is_proxy_cache(&self) -> bool {
        self.registry_id.is_some_and(|id| id > 0)
    }
}
