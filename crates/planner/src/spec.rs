//! The specification: what belongs where, resolved and checked.

use std::collections::{BTreeMap, BTreeSet};

use oci::{Digest, Host, Platform, RepositoryName, Tag};
use serde::{Deserialize, Serialize};

use crate::config::{Connection, LayoutForm, TagSet};
use crate::{Place, Problem, RegistryName};

/// What belongs where: the configuration after names, groups, defaults and templates are resolved.
#[derive(Clone, Debug)]
pub struct Spec {
    /// Every registry that a mirror reads or writes, declared or not.
    pub registries: BTreeMap<RegistryName, Registry>,
    /// The mirrors, in the order of the file.
    pub mirrors: Vec<Mirror>,
    /// The digest of what is wanted as it is written, without `auth`, `tls`, `limits`, and how a registry wants to be talked to.
    /// What was found is no part of it.
    pub digest: Digest,
}

impl Spec {
    /// Returns the registries whose repositories have to be listed: those of discoveries that are not made yet.
    #[must_use]
    pub fn discovers(&self) -> BTreeSet<&RegistryName> {
        let discoveries = self.mirrors.iter().flat_map(|mirror| &mirror.discoveries);
        discoveries.map(|discovery| &discovery.registry).collect()
    }

    /// Returns the registries that are written, those among them that only a discovery tells.
    #[must_use]
    pub fn writes(&self) -> BTreeSet<&RegistryName> {
        let sources = self.mirrors.iter().flat_map(|mirror| &mirror.sources);
        let targets = sources
            .flat_map(|source| &source.targets)
            .map(|target| &target.place.registry);
        let discoveries = self.mirrors.iter().flat_map(|mirror| &mirror.discoveries);
        let templates = discoveries.flat_map(|discovery| &discovery.targets);
        targets
            .chain(templates.map(|template| &template.registry))
            .collect()
    }

    /// Returns what discoveries could not do, in order, each once. It belongs among what a plan calls blocked.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let problems: BTreeSet<&Problem> = self.mirrors.iter().flat_map(|mirror| &mirror.problems).collect();
        problems.into_iter().cloned().collect()
    }
}

/// How to reach a registry.
#[derive(Clone, Debug)]
pub struct Registry {
    /// Where it is.
    pub endpoint: Endpoint,
    /// The connection as written: `${NAME}` and secret references unexpanded.
    pub connection: Connection,
}

/// Where a registry is; two names with one endpoint are one registry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// A registry that is asked over HTTP.
    Host(Host),
    /// An OCI image layout, by its path as written after expansion.
    Layout(String),
    /// An OCI image layout in a tar file, likewise.
    OciArchive(String),
    /// A tar file of `docker save`, likewise.
    DockerArchive(String),
}

impl Endpoint {
    /// Makes the endpoint of what stands on disk.
    #[must_use]
    pub fn on_disk(form: LayoutForm, path: String) -> Self {
        match form {
            LayoutForm::Directory => Self::Layout(path),
            LayoutForm::OciArchive => Self::OciArchive(path),
            LayoutForm::DockerArchive => Self::DockerArchive(path),
        }
    }

    /// Returns what a reference to something in a repository begins with. What stands on disk is named as a whole.
    #[must_use]
    pub fn name(&self, repository: &RepositoryName) -> String {
        match self {
            Self::Host(host) => format!("{host}/{repository}"),
            Self::Layout(path) => format!("{}{path}", LayoutForm::Directory.transport()),
            Self::OciArchive(path) => format!("{}{path}", LayoutForm::OciArchive.transport()),
            Self::DockerArchive(path) => format!("{}{path}", LayoutForm::DockerArchive.transport()),
        }
    }

    /// Returns the form and the path of what stands on disk.
    #[must_use]
    pub fn layout(&self) -> Option<(LayoutForm, &str)> {
        match self {
            Self::Host(_) => None,
            Self::Layout(path) => Some((LayoutForm::Directory, path)),
            Self::OciArchive(path) => Some((LayoutForm::OciArchive, path)),
            Self::DockerArchive(path) => Some((LayoutForm::DockerArchive, path)),
        }
    }
}

/// One entry of `mirrors`.
#[derive(Clone, Debug)]
pub struct Mirror {
    /// Its name: as written, else made from the first source.
    pub name: String,
    /// Where it reads, in order.
    pub sources: Vec<Source>,
    /// The sets of tag conditions; a tag is taken if any set takes it. Empty takes every tag.
    pub tags: Vec<TagSet>,
    /// What is done about a tag that differs at the target.
    pub on_change: OnChange,
    /// How far an unchanged tag is trusted.
    pub check: Check,
    /// Whether attachments follow.
    pub referrers: Referrers,
    /// What happens to layers that are fetched from elsewhere.
    pub foreign_layers: ForeignLayers,
    /// What is taken of an index.
    pub platforms: Platforms,
    /// The sources that are yet to be found; see [`Spec::discovered`].
    pub discoveries: Vec<Discovery>,
    /// The sources that were found, by the glob that found them.
    pub found: Vec<Found>,
    /// What kept sources from being found or from being read.
    pub problems: Vec<Problem>,
}

impl Mirror {
    /// Returns true for a source whose tags `at_least` counts by themselves; those that a glob found count together.
    #[must_use]
    pub fn counts_alone(&self, source: &Place) -> bool {
        !self.found.iter().any(|found| found.sources.contains(source))
    }
}

/// Repositories of a registry that are sources where they match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discovery {
    /// The registry.
    pub registry: RegistryName,
    /// Globs of which one must match; `*` stops at `/`, `**` does not.
    pub globs: Vec<String>,
    /// Where the tags of each go.
    pub targets: Vec<TargetTemplate>,
}

/// Where the tags of a repository go whose name is not known yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetTemplate {
    /// The registry.
    pub registry: RegistryName,
    /// The repository, with `{host}`, `{repository}` and `{name}` of the source.
    pub path: String,
    /// As in [`Target`].
    pub tag: Option<String>,
}

/// The repositories that one glob found; `at_least` counts once for all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The registry.
    pub registry: RegistryName,
    /// The glob.
    pub glob: String,
    /// The repositories, which are sources of the same mirror.
    pub sources: BTreeSet<Place>,
    /// Whether these are all that the glob found; `at_least` says nothing about a part.
    pub complete: bool,
}

impl Found {
    /// Keeps what `keep` takes, and remembers where that is not everything.
    pub(crate) fn retain(&mut self, keep: impl FnMut(&Place) -> bool) {
        let before = self.sources.len();
        self.sources.retain(keep);
        self.complete &= self.sources.len() == before;
    }
}

/// One repository that a mirror reads, and where its tags go.
#[derive(Clone, Debug)]
pub struct Source {
    /// The repository.
    pub place: Place,
    /// The one thing taken from it, where `from` names a tag or a digest; then tag conditions do not apply.
    pub pinned: Option<Pinned>,
    /// Where its tags go, templates expanded.
    pub targets: Vec<Target>,
}

/// A tag, a digest, or a tag that must stand at a digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pinned {
    /// The tag.
    pub tag: Option<Tag>,
    /// The digest; it decides.
    pub digest: Option<Digest>,
}

/// Where a source's tags go.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    /// The repository.
    pub place: Place,
    /// What the tag becomes: a text with `{tag}` in it, or a fixed tag. `None` keeps it.
    pub tag: Option<String>,
}

/// What is taken of an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Platforms {
    /// All of it.
    All,
    /// The children for these platforms. The index stays as it is, and names what does not follow.
    Sparse(Vec<Platform>),
    /// The children for these platforms, under a new index that names no others.
    Rewrite(Vec<Platform>),
}

impl Platforms {
    /// Returns the platforms that are taken, or nothing where all are.
    #[must_use]
    pub fn chosen(&self) -> Option<&[Platform]> {
        match self {
            Self::All => None,
            Self::Sparse(platforms) | Self::Rewrite(platforms) => Some(platforms),
        }
    }
}

/// What is done about a tag that differs at the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnChange {
    /// It is moved.
    Update,
    /// It is left, and named.
    Keep,
    /// It is left, and blocks.
    Refuse,
}

/// How far an unchanged tag is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// Its digest proves its content; the root's attachments are compared.
    Tags,
    /// Children and theirs are looked for too.
    Manifests,
    /// And their blobs.
    Blobs,
}

/// Whether attachments follow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Referrers {
    /// All of them.
    All,
    /// None of them.
    None,
    /// Those of these artifact types.
    ArtifactTypes(Vec<String>),
}

/// What happens to layers that are fetched from elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ForeignLayers {
    /// They stay where they are.
    Skip,
    /// They are copied like any other layer.
    Copy,
}
