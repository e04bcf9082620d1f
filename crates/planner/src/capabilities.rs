//! What a registry can do, as plain data.

use serde::{Deserialize, Serialize};

use crate::Place;

/// How a registry mounts a blob from another of its repositories.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MountRule {
    /// Any blob that stands in the other repository.
    Any,
    /// Only a blob that a manifest in the other repository names (ECR).
    Committed,
    /// Not at all.
    Never,
}

/// How a repository comes to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Creation {
    /// The first push makes it.
    OnPush,
    /// An API call makes it.
    Call,
    /// Somebody else makes it: an absent repository is a problem.
    Never,
}

/// Whether a repository is listed whole in few requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Listing {
    /// Tag by tag, as the protocol has it.
    Tags,
    /// By an inventory.
    Inventory,
}

/// How images are copied by the registry itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Import {
    /// The most manifests that one import takes.
    pub manifests: usize,
}

/// How many operations a second a registry documents as its limit, where it does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quotas {
    /// PUT of manifests.
    pub put_manifest: Option<u32>,
    /// POST that opens an upload or mounts.
    pub start_upload: Option<u32>,
    /// PUT that commits a blob.
    pub finish_upload: Option<u32>,
}

/// What a registry can do; the planner's only knowledge of providers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    /// How it mounts.
    pub mount: MountRule,
    /// How repositories come to be.
    pub creation: Creation,
    /// Whether it answers the referrers API; `None` where that must be asked.
    pub referrers_api: Option<bool>,
    /// Whether it takes an index of which some children are missing; `None` where nobody knows.
    pub sparse_index: Option<bool>,
    /// How many segments of a path name what a call creates; `None`: all of them.
    pub depth: Option<usize>,
    /// How repositories are listed.
    pub listing: Listing,
    /// The family of registries that mount blobs from each other, if it belongs to one.
    pub family: Option<String>,
    /// How images are copied by the registry itself, where that is wanted.
    pub import: Option<Import>,
    /// What it documents as its limits.
    pub quotas: Quotas,
}

impl Capabilities {
    /// Returns the place that a call of the vendor's creates: `place` itself, or one above it.
    ///
    /// Where calls create it, a first segment with a `.` is a domain and counts for none: Google's `example.com/project`.
    #[must_use]
    pub fn unit(&self, place: &Place) -> Place {
        let first = place.repository.as_str().split('/').next().unwrap_or_default();
        let domain = self.creation == Creation::Call && first.contains('.');
        place.unit(self.depth.map(|depth| depth + usize::from(domain)))
    }
}

impl Default for Capabilities {
    fn default() -> Self {
        Self {
            mount: MountRule::Any,
            creation: Creation::OnPush,
            referrers_api: None,
            sparse_index: None,
            depth: None,
            listing: Listing::Tags,
            family: None,
            import: None,
            quotas: Quotas::default(),
        }
    }
}
