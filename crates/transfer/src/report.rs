//! What a run did: the report, as it is written to its file.

use std::collections::{BTreeMap, BTreeSet};

use oci::{Digest, RepositoryName, Tag};
use planner::{OpId, Place, Plan, Problem, ProblemKind, RegistryName, Side};
use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::{Outcome, StopReason};

/// The version of the report's form.
const SCHEMA: u32 = 1;

/// What a run did. The times are the caller's to fill in: no clock is read here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The version of the form.
    pub schema: u32,
    /// The program, `transship 0.1.0`.
    pub tool: String,
    /// The digest of the plan; none where no plan came to be.
    pub plan: Option<Digest>,
    /// The digest of what is wanted.
    pub config: Option<Digest>,
    /// When the run began, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<String>,
    /// When it ended, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<String>,
    /// The exit code, as [`Report::exit_code`] says.
    pub exit_code: u8,
    /// How the run ended.
    pub outcome: RunOutcome,
    /// Who stopped it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped_by: Option<StopReason>,
    /// How long it took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elapsed_seconds: Option<f64>,
    /// One entry per tag written, in order.
    pub changes: Vec<Change>,
    /// Tags by what became of them; attachments are none.
    pub tags: TagTally,
    /// Repositories by what became of them.
    #[serde(default)]
    pub repositories: RepositoryTally,
    /// Ops by what became of them, counted per place.
    pub ops: OpTally,
    /// Bytes of blobs by registry.
    pub bytes: TransferredBytes,
    /// Requests by registry and method.
    pub requests: BTreeMap<RegistryName, BTreeMap<String, u64>>,
    /// Requests and uploads that were tried again.
    pub retries: u64,
    /// What the plan could not plan.
    pub blocked: Vec<Problem>,
    /// Root causes of what failed.
    pub failures: Vec<Failure>,
    /// The ops that were done or found done, each with its place. Too many for the file.
    #[serde(skip)]
    pub achieved: BTreeSet<(OpId, Place)>,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunOutcome {
    /// Everything was done.
    Succeeded,
    /// Nothing was done, and something failed or is blocked.
    Failed,
    /// Something was done, and something failed or is blocked.
    Partial,
    /// The run was stopped before its end.
    Interrupted,
}

/// A tag that was written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Change {
    /// The registry.
    pub registry: RegistryName,
    /// The repository.
    pub repository: RepositoryName,
    /// The tag.
    pub tag: Tag,
    /// What stood there.
    pub before: Option<Digest>,
    /// What stands there now.
    pub after: Digest,
}

/// Tags by what became of them, counted per place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagTally {
    /// Made or moved.
    pub written: u64,
    /// As wanted already.
    pub unchanged: u64,
    /// Different, and left by `on_change: keep`.
    pub kept: u64,
    /// Not written, because of a failure.
    pub failed: u64,
}

/// Repositories by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepositoryTally {
    /// Made by a call of the vendor's.
    pub created: u64,
    /// Given other settings.
    pub updated: u64,
}

/// Ops by what became of them, counted per place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpTally {
    /// Done.
    pub done: u64,
    /// Found done.
    pub already_done: u64,
    /// Done by a mount.
    pub mounted: u64,
    /// Tried, and failed.
    pub failed: u64,
    /// Not tried.
    pub skipped: u64,
}

impl OpTally {
    pub(crate) fn count(&mut self, outcome: Outcome) {
        let counter = match outcome {
            Outcome::Done => &mut self.done,
            Outcome::AlreadyDone => &mut self.already_done,
            Outcome::Mounted => &mut self.mounted,
            Outcome::TagKept | Outcome::Failed => &mut self.failed,
            Outcome::Skipped => &mut self.skipped,
        };
        *counter += 1;
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.done += other.done;
        self.already_done += other.already_done;
        self.mounted += other.mounted;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }

    /// Counts what stood `at` a registry as failed: it did not last, found or done. Returns how many ops that costs.
    pub(crate) fn lose(&mut self, at: Self) -> u64 {
        self.done -= at.done;
        // It may have been found where another name of the same archive had put it.
        self.already_done -= at.already_done;
        self.mounted -= at.mounted;
        self.failed += at.achieved();
        at.achieved()
    }

    fn achieved(&self) -> u64 {
        self.done + self.already_done + self.mounted
    }
}

/// Bytes of blobs by registry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransferredBytes {
    /// Received.
    pub read: BTreeMap<RegistryName, u64>,
    /// Sent.
    pub written: BTreeMap<RegistryName, u64>,
    /// Mounted, and so not sent.
    pub mounted: BTreeMap<RegistryName, u64>,
}

/// The root cause of one or more failures.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Failure {
    /// The op that met it first.
    pub op: OpId,
    /// The registry it lies at.
    pub registry: RegistryName,
    /// The repository where it was met first.
    pub repository: RepositoryName,
    /// The tag, if one is concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<Tag>,
    /// Which side failed.
    pub side: Side,
    /// What sort of failure it is.
    pub kind: ProblemKind,
    /// What failed and why.
    pub error: String,
    /// What to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// How many ops failed or were skipped because of it, counted per place.
    #[serde(default)]
    pub affected: u64,
}

impl Failure {
    /// Makes the failure of an op, which concerns nothing yet.
    pub(crate) fn of(op: &OpId, fault: &Fault) -> Self {
        Self {
            op: op.clone(),
            registry: fault.place.registry.clone(),
            repository: fault.place.repository.clone(),
            tag: fault.tag.clone(),
            side: fault.side,
            kind: fault.kind,
            error: fault.error.to_string(),
            hint: fault.hint.as_deref().map(ToOwned::to_owned),
            affected: 0,
        }
    }

    /// Returns the place where it was met first.
    #[must_use]
    pub fn place(&self) -> Place {
        Place {
            registry: self.registry.clone(),
            repository: self.repository.clone(),
        }
    }
}

impl Report {
    /// Makes the report of a run that did nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            schema: SCHEMA,
            tool: concat!("transship ", env!("CARGO_PKG_VERSION")).to_owned(),
            plan: None,
            config: None,
            started: None,
            finished: None,
            exit_code: 0,
            outcome: RunOutcome::Succeeded,
            stopped_by: None,
            elapsed_seconds: None,
            changes: Vec::new(),
            tags: TagTally::default(),
            repositories: RepositoryTally::default(),
            ops: OpTally::default(),
            bytes: TransferredBytes::default(),
            requests: BTreeMap::new(),
            retries: 0,
            blocked: Vec::new(),
            failures: Vec::new(),
            achieved: BTreeSet::new(),
        }
    }

    /// Makes the report of a plan of which nothing is done yet.
    #[must_use]
    pub fn of(plan: &Plan) -> Self {
        let tags = &plan.summary.tags;
        Self {
            plan: Some(plan.digest.clone()),
            config: Some(plan.config.clone()),
            blocked: plan.blocked.clone(),
            tags: TagTally {
                unchanged: tags.unchanged,
                kept: tags.keep,
                ..TagTally::default()
            },
            ..Self::new()
        }
        .concluded()
    }

    /// Settles the outcome and the exit code from everything else.
    #[must_use]
    pub fn concluded(mut self) -> Self {
        self.outcome = self.judge();
        self.exit_code = self.exit_code();
        self
    }

    fn judge(&self) -> RunOutcome {
        let sound = self.failures.is_empty() && self.blocked.is_empty();
        match (self.stopped_by, sound) {
            (Some(_), _) => RunOutcome::Interrupted,
            (None, true) => RunOutcome::Succeeded,
            (None, false) if self.ops.achieved() + self.tags.unchanged == 0 => RunOutcome::Failed,
            (None, false) => RunOutcome::Partial,
        }
    }

    /// Returns the exit code: 0; 130 after Ctrl-C; 75 where every cause is temporary, 77 where every cause is
    /// authentication or permission; else 1.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        let failed = self.failures.iter().map(|failure| failure.kind);
        let kinds: Vec<ProblemKind> = failed
            .chain(self.blocked.iter().map(|problem| problem.kind))
            .collect();
        match self.stopped_by {
            Some(StopReason::Interrupt) => 130,
            Some(StopReason::Terminate) if kinds.iter().all(|kind| kind.is_temporary()) => 75,
            Some(StopReason::Terminate) => 1,
            None if kinds.is_empty() => 0,
            None if kinds.iter().all(|kind| kind.is_temporary()) => 75,
            None if kinds.iter().all(|kind| kind.is_permission()) => 77,
            None => 1,
        }
    }
}

impl Default for Report {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(kind: ProblemKind) -> Failure {
        Failure {
            op: OpId("upload-1".to_owned()),
            registry: "site".parse().unwrap(),
            repository: "base".parse().unwrap(),
            tag: None,
            side: Side::Target,
            kind,
            error: "no".to_owned(),
            hint: None,
            affected: 1,
        }
    }

    fn failed(kinds: &[ProblemKind], stopped_by: Option<StopReason>) -> Report {
        let failures = kinds.iter().map(|&kind| failure(kind)).collect();
        Report {
            failures,
            stopped_by,
            ..Report::new()
        }
        .concluded()
    }

    #[test]
    fn the_exit_code_says_what_running_again_would_bring() {
        use ProblemKind::{Auth, Network, Permission, RateLimit};
        assert_eq!(failed(&[], None).exit_code, 0);
        assert_eq!(failed(&[RateLimit, RateLimit], None).exit_code, 75);
        assert_eq!(failed(&[Auth, Permission], None).exit_code, 77);
        assert_eq!(failed(&[Auth, RateLimit], None).exit_code, 1);
        assert_eq!(failed(&[Network], None).exit_code, 1);
    }

    #[test]
    fn a_stop_decides_unless_something_else_failed_too() {
        assert_eq!(failed(&[], Some(StopReason::Interrupt)).exit_code, 130);
        assert_eq!(failed(&[], Some(StopReason::Terminate)).exit_code, 75);
        assert_eq!(
            failed(&[ProblemKind::Quota], Some(StopReason::Terminate)).exit_code,
            1
        );
        assert_eq!(
            failed(&[], Some(StopReason::Terminate)).outcome,
            RunOutcome::Interrupted
        );
    }

    #[test]
    fn what_is_blocked_counts_as_a_cause() {
        let problem = Problem {
            registry: "site".parse().unwrap(),
            repository: None,
            tag: None,
            side: Side::Target,
            kind: ProblemKind::Auth,
            error: "refused".to_owned(),
            hint: None,
            tags: 1,
        };
        let report = Report {
            blocked: vec![problem],
            ..Report::new()
        }
        .concluded();
        assert_eq!((report.exit_code, report.outcome), (77, RunOutcome::Failed));
    }

    #[test]
    fn the_report_reads_back() {
        let report = failed(&[ProblemKind::Stale], None);
        let text = serde_json::to_string(&report).unwrap();
        assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
    }
}
