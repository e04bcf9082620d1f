//! Root causes: each once, however many ops it cost.

use std::collections::{BTreeMap, BTreeSet};

use oci::Tag;
use planner::{OpId, Place, ProblemKind, RegistryName, Side};

use crate::Failure;
use crate::fault::{Contact, Fault};

/// How many ops may fail in a row on the network, with no success between, before what they went to is given up: their
/// repository, or the registry where the failures are of several repositories.
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
    /// The repositories of a registry that failed since it last did what it was asked, and how often in all.
    strikes: BTreeMap<RegistryName, (u32, BTreeSet<Place>)>,
    /// How often a repository failed since it last did what it was asked.
    place_strikes: BTreeMap<Place, u32>,
    lost: BTreeMap<RegistryName, CauseId>,
    lost_places: BTreeMap<Place, CauseId>,
}

/// What a fault costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Loss {
    /// Its op alone.
    Op,
    /// Its repository, which is given up.
    Place,
    /// Its registry, which is given up.
    Registry,
}

impl Ledger {
    /// Notes that a place did what it was asked.
    pub(crate) fn answered(&mut self, place: &Place) {
        self.strikes.remove(&place.registry);
        self.place_strikes.remove(place);
    }

    /// Counts a fault against its place and its registry, and says what it costs.
    pub(crate) fn strike(&mut self, fault: &Fault) -> Loss {
        if fault.kind != ProblemKind::Network {
            return Loss::Op;
        }
        let (strikes, places) = self.strikes.entry(fault.place.registry.clone()).or_default();
        *strikes += 1;
        places.insert(fault.place.clone());
        let at_place = self.place_strikes.entry(fault.place.clone()).or_default();
        *at_place += 1;
        if fault.contact == Contact::Failed || (*strikes >= STRIKES && places.len() > 1) {
            Loss::Registry
        } else if *at_place >= STRIKES {
            Loss::Place
        } else {
            Loss::Op
        }
    }

    /// Notes a fault that cost an op, or more. Returns what is given up just now, which is less where that was given
    /// up before.
    pub(crate) fn record(&mut self, op: &OpId, fault: &Fault, loss: Loss) -> (CauseId, Loss) {
        if fault.kind == ProblemKind::Network
            && let Some(cause) = self.lost(&fault.place)
            && (loss < Loss::Registry || self.lost.contains_key(&fault.place.registry))
        {
            return (cause, Loss::Op);
        }
        let cause = self.cause(op, fault);
        match loss {
            Loss::Op => return (cause, loss),
            Loss::Place => self.lost_places.insert(fault.place.clone(), cause),
            Loss::Registry => self.lost.insert(fault.place.registry.clone(), cause),
        };
        self.causes[cause].error = lost_text(fault, loss);
        (cause, loss)
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
            causes.push(Failure::of(op, fault));
            causes.len() - 1
        })
    }

    /// Counts an op that failed or was skipped because of a cause.
    pub(crate) fn affect(&mut self, cause: CauseId) {
        self.causes[cause].affected += 1;
    }

    /// Returns why a place was given up, alone or with its registry, if it was.
    pub(crate) fn lost(&self, place: &Place) -> Option<CauseId> {
        let registry = self.lost.get(&place.registry);
        registry.or_else(|| self.lost_places.get(place)).copied()
    }

    /// Returns what a cause says.
    pub(crate) fn error(&self, cause: CauseId) -> &str {
        &self.causes[cause].error
    }

    /// Returns all root causes in order. What failed on the network at a place before that was given up is counted with
    /// that.
    pub(crate) fn into_failures(self) -> Vec<Failure> {
        let mut absorbed = vec![0; self.causes.len()];
        let mut kept = Vec::new();
        for (cause, failure) in self.causes.iter().enumerate() {
            match self.lost(&failure.place()) {
                Some(other) if other != cause && failure.kind == ProblemKind::Network => {
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

fn lost_text(fault: &Fault, loss: Loss) -> String {
    let registry = &fault.place.registry;
    let what = match (fault.contact, loss) {
        (Contact::Failed, _) => return format!("registry {registry} can't be reached: {}", fault.fact),
        (Contact::Made, Loss::Registry) => format!("registry {registry}"),
        (Contact::Made, Loss::Op | Loss::Place) => format!("repository {}", fault.place),
    };
    format!(
        "{what} is given up after {STRIKES} failures in a row: {}",
        fault.error
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(registry: &str, repository: &str, kind: ProblemKind, error: &str) -> Fault {
        let place = Place {
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
                Loss::Op,
            )
            .0;
        let second = ledger
            .record(
                &op("b"),
                &fault("x", "two", ProblemKind::Auth, "who are you"),
                Loss::Op,
            )
            .0;
        let other = ledger
            .record(
                &op("c"),
                &fault("y", "one", ProblemKind::Auth, "who are you"),
                Loss::Op,
            )
            .0;
        assert_eq!(first, second);
        assert_ne!(first, other);
        assert_eq!(ledger.into_failures().len(), 2);
    }

    #[test]
    fn three_network_failures_in_a_row_are_one_too_many_for_their_repository() {
        let mut ledger = Ledger::default();
        let fault = fault("x", "one", ProblemKind::Network, "503");
        assert_eq!(
            [ledger.strike(&fault), ledger.strike(&fault)],
            [Loss::Op, Loss::Op]
        );
        ledger.answered(&fault.place);
        assert_eq!(
            [ledger.strike(&fault), ledger.strike(&fault)],
            [Loss::Op, Loss::Op]
        );
        assert_eq!(ledger.strike(&fault), Loss::Place);
    }

    #[test]
    fn failures_of_several_repositories_are_their_registrys() {
        let mut ledger = Ledger::default();
        let one = fault("x", "one", ProblemKind::Network, "503");
        let two = fault("x", "two", ProblemKind::Network, "503");
        assert_eq!([ledger.strike(&one), ledger.strike(&one)], [Loss::Op, Loss::Op]);
        assert_eq!(ledger.strike(&two), Loss::Registry);
    }

    #[test]
    fn a_failure_that_is_not_the_networks_is_no_strike() {
        let mut ledger = Ledger::default();
        let fault = fault("x", "one", ProblemKind::Permission, "no");
        assert!((0..10).all(|_| ledger.strike(&fault) == Loss::Op));
    }

    #[test]
    fn a_lost_repository_leaves_its_registry() {
        let mut ledger = Ledger::default();
        let one = fault("x", "one", ProblemKind::Network, "put one: 503");
        let two = fault("x", "two", ProblemKind::Network, "put two: 503");
        let (cause, loss) = ledger.record(&op("a"), &one, Loss::Place);
        assert_eq!(loss, Loss::Place);
        assert_eq!(ledger.lost(&one.place), Some(cause));
        assert_eq!(ledger.lost(&two.place), None);
        assert_eq!(ledger.record(&op("b"), &two, Loss::Registry).1, Loss::Registry);
        assert_eq!(ledger.into_failures().len(), 1);
    }

    #[test]
    fn what_failed_before_a_registry_was_lost_is_counted_with_that() {
        let mut ledger = Ledger::default();
        let early = fault("x", "one", ProblemKind::Network, "put one: 503");
        let late = fault("x", "two", ProblemKind::Network, "put two: 503");
        let first = ledger.record(&op("a"), &early, Loss::Op).0;
        ledger.affect(first);
        let (second, loss) = ledger.record(&op("b"), &late, Loss::Registry);
        ledger.affect(second);
        assert_eq!(loss, Loss::Registry);
        let again = ledger.record(&op("c"), &early, Loss::Registry);
        assert_eq!(again, (second, Loss::Op));
        let failures = ledger.into_failures();
        assert_eq!(failures.len(), 1);
        assert_eq!(failures[0].affected, 2);
        assert_eq!(
            failures[0].error,
            "registry x is given up after 3 failures in a row: put two: 503"
        );
    }
}
