//! Root causes: each once, however many ops it cost.

use std::collections::BTreeMap;

use oci::Tag;
use planner::{OpId, ProblemKind, RegistryName, Side};

use crate::Failure;
use crate::fault::{Contact, Fault};

/// How many ops may fail in a row on the network, with no success between, before a registry is given up.
pub(crate) const STRIKES: u32 = 3;

/// Names a root cause.
pub(crate) type CauseId = usize;

/// What two failures with one root cause have in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    registry: RegistryName,
    side: Side,
    kind: ProblemKind,
    tag: Option<Tag>,
    fact: String,
}

/// Collects root causes, and notices when a registry is lost.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    causes: Vec<Failure>,
    known: BTreeMap<Key, CauseId>,
    strikes: BTreeMap<RegistryName, u32>,
    lost: BTreeMap<RegistryName, CauseId>,
}

/// Whether a fault cost the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It goes on.
    Standing,
    /// It was given up just now.
    Lost,
}

impl Ledger {
    /// Notes that a registry did what it was asked.
    pub(crate) fn answered(&mut self, registry: &RegistryName) {
        self.strikes.remove(registry);
    }

    /// Counts a fault against its registry; returns true where that is now one too many.
    pub(crate) fn strike(&mut self, fault: &Fault) -> bool {
        if fault.kind != ProblemKind::Network {
            return false;
        }
        let strikes = self.strikes.entry(fault.place.registry.clone()).or_default();
        *strikes += 1;
        fault.contact == Contact::Failed || *strikes >= STRIKES
    }

    /// Notes a fault that cost an op. `fatal` says that its registry is given up for it.
    pub(crate) fn record(&mut self, op: &OpId, fault: &Fault, fatal: bool) -> (CauseId, Verdict) {
        let registry = &fault.place.registry;
        if let Some(&cause) = self.lost.get(registry)
            && fault.kind == ProblemKind::Network
        {
            return (cause, Verdict::Standing);
        }
        let cause = self.cause(op, fault);
        if !fatal {
            return (cause, Verdict::Standing);
        }
        self.causes[cause].error = lost_text(fault);
        self.lost.insert(registry.clone(), cause);
        (cause, Verdict::Lost)
    }

    fn cause(&mut self, op: &OpId, fault: &Fault) -> CauseId {
        let key = Key {
            registry: fault.place.registry.clone(),
            side: fault.side,
            kind: fault.kind,
            tag: fault.tag.clone(),
            fact: fault.fact.to_string(),
        };
        let causes = &mut self.causes;
        *self.known.entry(key).or_insert_with(|| {
            causes.push(failure(op, fault));
            causes.len() - 1
        })
    }

    /// Counts an op that failed or was skipped because of a cause.
    pub(crate) fn affect(&mut self, cause: CauseId) {
        self.causes[cause].affected += 1;
    }

    /// Returns why a registry was given up, if it was.
    pub(crate) fn lost(&self, registry: &RegistryName) -> Option<CauseId> {
        self.lost.get(registry).copied()
    }

    /// Returns what a cause says.
    pub(crate) fn error(&self, cause: CauseId) -> &str {
        &self.causes[cause].error
    }

    /// Returns all root causes in order. What failed on the network at a registry before it was given up is counted
    /// with that.
    pub(crate) fn into_failures(self) -> Vec<Failure> {
        let mut absorbed = vec![0; self.causes.len()];
        let mut kept = Vec::new();
        for (cause, failure) in self.causes.iter().enumerate() {
            match self.lost.get(&failure.registry) {
                Some(&other) if other != cause && failure.kind == ProblemKind::Network => {
                    absorbed[other] += failure.affected;
                }
                _ => kept.push(cause),
            }
        }
        let whole = |cause: CauseId| {
            let failure = self.causes[cause].clone();
            Failure {
                affected: failure.affected + absorbed[cause],
                ..failure
            }
        };
        let mut failures: Vec<Failure> = kept.into_iter().map(whole).collect();
        failures.sort();
        failures
    }
}

fn failure(op: &OpId, fault: &Fault) -> Failure {
    Failure {
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

fn lost_text(fault: &Fault) -> String {
    let registry = &fault.place.registry;
    match fault.contact {
        Contact::Failed => format!("registry {registry} can't be reached: {}", fault.fact),
        Contact::Made => {
            format!(
                "registry {registry} is given up after {STRIKES} failures in a row: {}",
                fault.error
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(registry: &str, repository: &str, kind: ProblemKind, error: &str) -> Fault {
        let place = planner::Place {
            registry: registry.parse().unwrap(),
            repository: repository.parse().unwrap(),
        };
        Fault::new(Side::Target, &place, kind, error)
    }

    fn op(id: &str) -> OpId {
        OpId(id.to_owned())
    }

    #[test]
    fn one_fact_is_one_cause() {
        let mut ledger = Ledger::default();
        let first = ledger
            .record(
                &op("a"),
                &fault("x", "one", ProblemKind::Auth, "who are you"),
                false,
            )
            .0;
        let second = ledger
            .record(
                &op("b"),
                &fault("x", "two", ProblemKind::Auth, "who are you"),
                false,
            )
            .0;
        let other = ledger
            .record(
                &op("c"),
                &fault("y", "one", ProblemKind::Auth, "who are you"),
                false,
            )
            .0;
        assert_eq!(first, second);
        assert_ne!(first, other);
        assert_eq!(ledger.into_failures().len(), 2);
    }

    #[test]
    fn three_network_failures_in_a_row_are_one_too_many() {
        let mut ledger = Ledger::default();
        let fault = fault("x", "one", ProblemKind::Network, "503");
        assert!(!ledger.strike(&fault) && !ledger.strike(&fault));
        ledger.answered(&fault.place.registry);
        assert!(!ledger.strike(&fault) && !ledger.strike(&fault) && ledger.strike(&fault));
    }

    #[test]
    fn a_failure_that_is_not_the_networks_is_no_strike() {
        let mut ledger = Ledger::default();
        let fault = fault("x", "one", ProblemKind::Permission, "no");
        assert!((0..10).all(|_| !ledger.strike(&fault)));
    }

    #[test]
    fn what_failed_before_a_registry_was_lost_is_counted_with_that() {
        let mut ledger = Ledger::default();
        let early = fault("x", "one", ProblemKind::Network, "put one: 503");
        let late = fault("x", "two", ProblemKind::Network, "put two: 503");
        let first = ledger.record(&op("a"), &early, false).0;
        ledger.affect(first);
        let (second, verdict) = ledger.record(&op("b"), &late, true);
        ledger.affect(second);
        assert_eq!(verdict, Verdict::Lost);
        let again = ledger.record(&op("c"), &early, true);
        assert_eq!(again, (second, Verdict::Standing));
        let failures = ledger.into_failures();
        assert_eq!(failures.len(), 1);
        assert_eq!(failures[0].affected, 2);
        assert_eq!(
            failures[0].error,
            "registry x is given up after 3 failures in a row: put two: 503"
        );
    }
}
