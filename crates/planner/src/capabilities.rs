//! What a registry can do, as plain data.

use serde::{Deserialize, Serialize};

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

/// What a registry can do; the planner's only knowledge of providers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    /// How it mounts.
    pub mount: MountRule,
    /// How repositories come to be.
    pub creation: Creation,
    /// Whether it answers the referrers API; `None` where that must be asked.
    pub referrers_api: Option<bool>,
}

impl Default for Capabilities {
    fn default() -> Self {
        Self {
            mount: MountRule::Any,
            creation: Creation::OnPush,
            referrers_api: None,
        }
    }
}
