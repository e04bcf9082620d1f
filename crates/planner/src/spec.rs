//! The specification: what belongs where, resolved and checked.

use std::collections::BTreeMap;

use oci::{Digest, Host, Platform, Tag};
use serde::{Deserialize, Serialize};

use crate::config::{Connection, TagSet};
use crate::{Place, RegistryName};

/// What belongs where: the configuration after names, groups, defaults and templates are resolved.
#[derive(Clone, Debug)]
pub struct Spec {
    /// Every registry that a mirror reads or writes, declared or not.
    pub registries: BTreeMap<RegistryName, Registry>,
    /// The mirrors, in the order of the file.
    pub mirrors: Vec<Mirror>,
    /// The digest of what is wanted, without `auth`, `tls` and `limits`.
    pub digest: Digest,
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
    /// The platforms taken; empty means all.
    pub platforms: Vec<Platform>,
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
