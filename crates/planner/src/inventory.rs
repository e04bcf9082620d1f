//! What stands in a repository, as its vendor lists it in few requests.

use std::collections::{BTreeMap, BTreeSet};

use oci::{Digest, MediaType, Tag};

/// What stands in a repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    names: BTreeSet<Tag>,
    tags: BTreeMap<Tag, Digest>,
    manifests: Option<BTreeMap<Digest, Listed>>,
    locked: BTreeSet<Tag>,
}

/// A manifest as a listing names it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// Its media type, where the listing tells.
    pub media_type: Option<MediaType>,
    /// What it is attached to, where the listing tells.
    pub subject: Subject,
}

/// What a listing tells about what a manifest is attached to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Subject {
    /// Nothing: the manifest itself has to be read.
    #[default]
    Untold,
    /// It is attached to nothing.
    None,
    /// It is attached to this manifest.
    Of(Digest),
}

impl Inventory {
    /// A listing of tags alone: other manifests may stand there too.
    #[must_use]
    pub fn of_tags(tags: BTreeMap<Tag, Digest>) -> Self {
        Self {
            names: tags.keys().cloned().collect(),
            tags,
            manifests: None,
            locked: BTreeSet::new(),
        }
    }

    /// A listing of every manifest, tagged or not. What it does not name does not stand there.
    #[must_use]
    pub fn whole(tags: BTreeMap<Tag, Digest>, manifests: BTreeMap<Digest, Listed>) -> Self {
        Self {
            manifests: Some(manifests),
            ..Self::of_tags(tags)
        }
    }

    /// Adds which tags can't be moved.
    #[must_use]
    pub fn with_locked(self, locked: BTreeSet<Tag>) -> Self {
        Self { locked, ..self }
    }

    /// Returns all tags.
    #[must_use]
    pub fn names(&self) -> &BTreeSet<Tag> {
        &self.names
    }

    /// Returns what every tag stands at.
    #[must_use]
    pub fn tags(&self) -> &BTreeMap<Tag, Digest> {
        &self.tags
    }

    /// Returns every manifest; `None` where only tags are listed.
    #[must_use]
    pub fn manifests(&self) -> Option<&BTreeMap<Digest, Listed>> {
        self.manifests.as_ref()
    }

    /// Returns true where the tag can't be moved.
    #[must_use]
    pub fn is_locked(&self, tag: &Tag) -> bool {
        self.locked.contains(tag)
    }
}
