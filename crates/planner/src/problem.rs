//! Problems: what failed, on which side, why, and what to do next.

use oci::{RepositoryName, Tag};
use serde::{Deserialize, Serialize};

use crate::RegistryName;

/// Which end of a transfer a problem lies on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Where things are read.
    Source,
    /// Where things are written.
    Target,
}

/// What sort of problem it is; decides the exit code and what can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProblemKind {
    /// The registry does not know who asks, or refuses the credential.
    Auth,
    /// The registry knows who asks and says no.
    Permission,
    /// A repository, tag, manifest or blob that must exist does not.
    NotFound,
    /// Throttled out, after retries.
    RateLimit,
    /// The target's tag can't be moved.
    Immutable,
    /// The target changed since the plan.
    Stale,
    /// Somebody else keeps changing at the target what is changed here.
    Contended,
    /// No answer, or a broken one, after retries.
    Network,
    /// Bytes that do not match their digest or size.
    Integrity,
    /// The registry has no room left.
    Quota,
    /// The configuration says no.
    Policy,
    /// Anything else.
    Other,
}

impl ProblemKind {
    /// Returns true where running again later can help by itself (exit code 75).
    #[must_use]
    pub fn is_temporary(self) -> bool {
        matches!(self, Self::RateLimit | Self::Contended)
    }

    /// Returns true where only other credentials or permissions help (exit code 77).
    #[must_use]
    pub fn is_permission(self) -> bool {
        matches!(self, Self::Auth | Self::Permission)
    }
}

/// One problem that keeps something from being planned.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Problem {
    /// The registry it lies at.
    pub registry: RegistryName,
    /// The repository, unless the whole registry is concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<RepositoryName>,
    /// The tag, if one is concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<Tag>,
    /// Which side failed.
    pub side: Side,
    /// What sort of problem it is.
    pub kind: ProblemKind,
    /// What failed and why, as a sentence fragment.
    pub error: String,
    /// What to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// How many tags, counted per target place, can't be planned because of it.
    #[serde(default)]
    pub tags: u64,
}
