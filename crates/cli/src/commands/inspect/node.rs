//! What is found behind a reference.

use std::collections::BTreeMap;

use oci::{Content, Descriptor, Digest, Manifest, MediaType, Platform, Tag};
use serde::Serialize;

/// A manifest, with what it names and what is attached to it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Node {
    pub(super) digest: Digest,
    pub(super) media_type: MediaType,
    /// The size of the manifest itself, in bytes.
    pub(super) size: u64,
    pub(super) artifact_type: Option<String>,
    pub(super) platform: Option<Platform>,
    pub(super) annotations: BTreeMap<String, String>,
    /// What it refers to.
    pub(super) subject: Option<Digest>,
    pub(super) config: Option<Descriptor>,
    pub(super) layers: Vec<Descriptor>,
    pub(super) manifests: Vec<Node>,
    pub(super) referrers: Vec<Attached>,
    pub(super) state: State,
    pub(super) error: Option<String>,
}

/// Whether a manifest was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    /// It was.
    Read,
    /// There is none.
    Missing,
    /// It could not be.
    Failed,
    /// It was not asked for: it stands too deep, too many came before it, or it is named within itself.
    NotRead,
}

/// Something that is attached.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Attached {
    /// How it was found, in every way that leads to it.
    pub(super) via: Vec<Via>,
    /// The tag it was found under.
    pub(super) tag: Option<Tag>,
    #[serde(flatten)]
    pub(super) node: Node,
}

/// How an attachment is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Via {
    /// The registry lists it.
    ReferrersApi,
    /// The fallback tag of its subject lists it.
    FallbackTag,
    /// It stands under a tag of cosign's.
    CosignTag,
}

impl Node {
    /// Describes what was read. What belongs to it comes later.
    pub(super) fn read(manifest: &Manifest) -> Self {
        let (config, layers) = match manifest.content() {
            Content::Image { config, layers } => (Some(config.clone()), layers.clone()),
            Content::Index { .. } => (None, manifest.blobs().cloned().collect()),
        };
        Self {
            artifact_type: manifest.artifact_type().map(str::to_owned),
            annotations: manifest.annotations().clone(),
            subject: manifest.subject().map(|subject| subject.digest.clone()),
            config,
            layers,
            ..Self::listed(&manifest.descriptor(), State::Read)
        }
    }

    /// Describes what was not read, as far as it is described where it is listed.
    pub(super) fn listed(descriptor: &Descriptor, state: State) -> Self {
        Self {
            digest: descriptor.digest.clone(),
            media_type: descriptor.media_type.clone(),
            size: descriptor.size,
            artifact_type: descriptor.artifact_type.clone(),
            platform: descriptor.platform.clone(),
            annotations: BTreeMap::new(),
            subject: None,
            config: None,
            layers: Vec::new(),
            manifests: Vec::new(),
            referrers: Vec::new(),
            state,
            error: None,
        }
    }

    /// Counts what is in this state, itself included, once per digest.
    pub(super) fn count(&self, state: State) -> usize {
        let mut found = BTreeMap::new();
        self.each(&mut |node| {
            if node.state == state {
                found.insert(node.digest.clone(), ());
            }
        });
        found.len()
    }

    /// Visits itself and all that belongs to it.
    pub(super) fn each(&self, visit: &mut impl FnMut(&Self)) {
        visit(self);
        for child in &self.manifests {
            child.each(visit);
        }
        for attached in &self.referrers {
            attached.node.each(visit);
        }
    }

    /// Returns its own blobs.
    pub(super) fn blobs(&self) -> impl Iterator<Item = &Descriptor> {
        self.config.iter().chain(&self.layers)
    }
}
