//! Registries as a pure model: what they hold, what they answer, what they take.
//!
//! A [`World`] answers the planner's questions and carries out its plans, and is as strict as the strictest registry:
//! a manifest whose blobs or children are missing is refused.

use std::collections::{BTreeMap, BTreeSet};

use oci::{Descriptor, Digest, Manifest, RepositoryName, Tag};
use planner::{Capabilities, Creation, Import, Listing, Moment, MountRule, Place, RegistryName, Standing};

use crate::image::Content;

mod answer;
mod apply;
mod attached;
mod consistency;
pub mod random;
mod wish;

pub use apply::{Applied, Outcome};
pub use attached::Depth;
pub use wish::{mirror, place, tag};

/// Several registries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct World {
    /// The registries by name.
    pub registries: BTreeMap<RegistryName, ModelRegistry>,
    /// What time it is.
    pub now: Moment,
    /// When images were made, by their configs.
    pub made: BTreeMap<Digest, Moment>,
}

/// One registry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelRegistry {
    /// What it can do.
    pub options: Options,
    /// The repositories that exist.
    pub repositories: BTreeMap<RepositoryName, ModelRepository>,
    /// The repositories that answer every question with a refusal.
    pub unreadable: BTreeSet<RepositoryName>,
    /// What a call has created, where that is less than a whole path.
    pub units: BTreeMap<RepositoryName, Standing>,
}

/// What a registry can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// From where it mounts.
    pub mount: MountRule,
    /// From where it is said to mount, if that is not so.
    pub said_to_mount: Option<MountRule>,
    /// How its repositories come to be.
    pub creation: Creation,
    /// How a repository without tags is listed.
    pub untagged: Untagged,
    /// Whether it has the referrers API.
    pub referrers: ReferrersApi,
    /// What its vendor lists.
    pub inventory: Inventories,
    /// How many segments of a path name what a call creates.
    pub depth: Option<usize>,
    /// The family of registries that mount from each other.
    pub family: Option<String>,
    /// How many manifests an import takes, where images are imported.
    pub imports: Option<usize>,
    /// Whether it takes an index of which some children are missing.
    pub sparse: bool,
    /// Whether it answers at all.
    pub state: State,
}

/// Whether a registry has the referrers API, and whether that is known before it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReferrersApi {
    /// It has, and its capabilities say so.
    Announced,
    /// It has; that must be found out.
    Present,
    /// It has not; that must be found out.
    Absent,
    /// It has not, and its capabilities say so.
    Denied,
}

/// How a repository without tags is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Untagged {
    /// As one that has none.
    Empty,
    /// As one that does not exist.
    Absent,
}

/// What a vendor's listing tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inventories {
    /// There is none.
    None,
    /// There is one, and it is refused.
    Refused,
    /// Tags alone.
    Tags,
    /// All manifests, without what they are attached to.
    Untold,
    /// All manifests, and what they are attached to.
    Told,
}

/// Whether a registry answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It does.
    Up,
    /// It does not.
    Down,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            mount: MountRule::Any,
            said_to_mount: None,
            creation: Creation::OnPush,
            untagged: Untagged::Empty,
            referrers: ReferrersApi::Absent,
            inventory: Inventories::None,
            depth: None,
            family: None,
            imports: None,
            sparse: false,
            state: State::Up,
        }
    }
}

impl Options {
    fn has_referrers_api(&self) -> bool {
        matches!(self.referrers, ReferrersApi::Announced | ReferrersApi::Present)
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            mount: self.said_to_mount.unwrap_or(self.mount),
            creation: self.creation,
            referrers_api: match self.referrers {
                ReferrersApi::Announced => Some(true),
                ReferrersApi::Denied => Some(false),
                ReferrersApi::Present | ReferrersApi::Absent => None,
            },
            depth: self.depth,
            listing: match self.inventory {
                Inventories::None => Listing::Tags,
                _ => Listing::Inventory,
            },
            family: self.family.clone(),
            import: self.imports.map(|manifests| Import { manifests }),
            sparse_index: Some(self.sparse),
            ..Capabilities::default()
        }
    }
}

/// What one repository holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelRepository {
    /// Blobs and their sizes.
    pub blobs: BTreeMap<Digest, u64>,
    /// Manifests.
    pub manifests: BTreeMap<Digest, Manifest>,
    /// Tags and what they name.
    pub tags: BTreeMap<Tag, Digest>,
}

impl From<&Content> for ModelRepository {
    fn from(content: &Content) -> Self {
        let parse = |bytes: &bytes::Bytes, media_type| {
            Manifest::parse(bytes.clone(), Some(media_type)).expect("what was built is a manifest")
        };
        Self {
            blobs: content
                .blobs
                .iter()
                .map(|(digest, bytes)| (digest.clone(), bytes.len() as u64))
                .collect(),
            manifests: content
                .manifests
                .iter()
                .map(|file| (file.digest.clone(), parse(&file.bytes, &file.media_type)))
                .collect(),
            tags: content.tags.clone(),
        }
    }
}

impl ModelRepository {
    /// Returns what a manifest names and must stand beside it, and does not.
    #[must_use]
    pub fn missing(&self, manifest: &Manifest) -> Vec<Digest> {
        let blobs = manifest
            .blobs()
            .filter(|blob| !blob.media_type.is_nondistributable() && !self.blobs.contains_key(&blob.digest));
        let children = manifest
            .children()
            .filter(|child| !self.manifests.contains_key(&child.digest));
        blobs
            .chain(children)
            .map(|descriptor| descriptor.digest.clone())
            .collect()
    }

    /// Returns what refers to `subject`, as the referrers API lists it.
    #[must_use]
    pub fn referrers(&self, subject: &Digest) -> Vec<Descriptor> {
        let refers = |manifest: &&Manifest| {
            manifest
                .subject()
                .is_some_and(|descriptor| descriptor.digest == *subject)
        };
        self.manifests
            .values()
            .filter(refers)
            .map(Manifest::referrer_descriptor)
            .collect()
    }

    /// Copies a manifest with all it names from another repository, but nothing that is attached to it.
    pub fn copy(&mut self, from: &Self, digest: &Digest) {
        let Some(manifest) = from.manifests.get(digest) else {
            return;
        };
        for blob in manifest.blobs() {
            if let Some(size) = from.blobs.get(&blob.digest) {
                self.blobs.insert(blob.digest.clone(), *size);
            }
        }
        for child in manifest.children() {
            self.copy(from, &child.digest);
        }
        self.manifests.insert(digest.clone(), manifest.clone());
    }
}

impl World {
    /// Returns a world without registries.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a registry.
    ///
    /// # Panics
    /// Where `name` is no name.
    #[must_use]
    pub fn registry(mut self, name: &str, options: Options) -> Self {
        let name = name.parse().expect("a test's registry has a name");
        let registry = ModelRegistry {
            options,
            ..ModelRegistry::default()
        };
        self.registries.insert(name, registry);
        self
    }

    /// Adds what `build` makes to a repository, written `registry/repository`.
    #[must_use]
    pub fn holds(mut self, at: &str, build: impl FnOnce(&mut Content)) -> Self {
        let mut content = Content::new();
        build(&mut content);
        let made = ModelRepository::from(&content);
        let told = content.blobs.iter();
        self.made
            .extend(told.filter_map(|(digest, bytes)| Some((digest.clone(), planner::created(bytes)?))));
        let repository = self.at_mut(&place(at));
        repository.blobs.extend(made.blobs);
        repository.manifests.extend(made.manifests);
        repository.tags.extend(made.tags);
        self
    }

    /// Returns a repository, if it exists.
    #[must_use]
    pub fn at(&self, place: &Place) -> Option<&ModelRepository> {
        self.registries
            .get(&place.registry)?
            .repositories
            .get(&place.repository)
    }

    /// Returns a repository to change; it comes to be if it must.
    ///
    /// # Panics
    /// Where there is no such registry.
    pub fn at_mut(&mut self, place: &Place) -> &mut ModelRepository {
        let registry = self
            .registries
            .get_mut(&place.registry)
            .expect("the registry was added");
        registry.repositories.entry(place.repository.clone()).or_default()
    }

    /// Returns what the planner is told of the registries.
    #[must_use]
    pub fn capabilities(&self) -> BTreeMap<RegistryName, Capabilities> {
        self.registries
            .iter()
            .map(|(name, registry)| (name.clone(), registry.options.capabilities()))
            .collect()
    }
}
