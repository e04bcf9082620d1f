//! How much a registry is asked to do at once.

use std::collections::BTreeMap;

/// The permits of all registries, by number. Whoever needs several takes all at once or none, so nobody waits with
/// permits in hand.
#[derive(Debug)]
pub(crate) struct Gates {
    gates: Vec<Gate>,
}

#[derive(Clone, Copy, Debug)]
struct Gate {
    capacity: usize,
    taken: usize,
}

/// The permits that a read took: how many at which registry.
pub(crate) type Permits = BTreeMap<usize, usize>;

impl Gates {
    pub(crate) fn new(capacities: impl IntoIterator<Item = usize>) -> Self {
        let gate = |capacity: usize| Gate {
            capacity: capacity.max(1),
            taken: 0,
        };
        Self {
            gates: capacities.into_iter().map(gate).collect(),
        }
    }

    /// Takes a permit for a small request. A quarter of them is left to blobs, which would else wait for ever.
    pub(crate) fn take_small(&mut self, registry: usize) -> bool {
        let gate = &mut self.gates[registry];
        let fits = gate.taken < gate.capacity - gate.capacity / 4;
        gate.taken += usize::from(fits);
        fits
    }

    /// Returns how much the registry may be asked to do at once.
    pub(crate) fn capacity(&self, registry: usize) -> usize {
        self.gates[registry].capacity
    }

    pub(crate) fn give_small(&mut self, registry: usize) {
        self.gates[registry].taken -= 1;
    }

    /// Takes the permits for a read and its uploads. Where one registry has fewer in all, those it has are enough.
    pub(crate) fn take(&mut self, needs: &Permits) -> Option<Permits> {
        let permits: Permits = needs
            .iter()
            .map(|(&registry, &count)| (registry, count.min(self.gates[registry].capacity)))
            .collect();
        let free = |(&registry, &count): (&usize, &usize)| {
            let gate = self.gates[registry];
            gate.taken + count <= gate.capacity
        };
        if !permits.iter().all(free) {
            return None;
        }
        for (&registry, count) in &permits {
            self.gates[registry].taken += count;
        }
        Some(permits)
    }

    /// Gives back one permit of a registry, if the read still has one.
    pub(crate) fn give_one(&mut self, permits: &mut Permits, registry: usize) {
        if let Some(count) = permits.get_mut(&registry).filter(|count| **count > 0) {
            *count -= 1;
            self.gates[registry].taken -= 1;
        }
    }

    pub(crate) fn give(&mut self, permits: &Permits) {
        for (&registry, count) in permits {
            self.gates[registry].taken -= count;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_requests_leave_a_quarter_to_blobs() {
        let mut gates = Gates::new([8]);
        assert_eq!((0..10).filter(|_| gates.take_small(0)).count(), 6);
        let permits = gates.take(&Permits::from([(0, 2)])).unwrap();
        assert!(gates.take(&Permits::from([(0, 1)])).is_none());
        gates.give(&permits);
        gates.give_small(0);
        assert!(gates.take(&Permits::from([(0, 3)])).is_some());
    }

    #[test]
    fn a_read_takes_all_its_permits_or_none() {
        let mut gates = Gates::new([1, 1]);
        assert!(gates.take_small(1));
        assert!(gates.take(&Permits::from([(0, 1), (1, 1)])).is_none());
        assert!(gates.take_small(0));
    }

    #[test]
    fn a_registry_with_one_permit_can_be_read_and_written_at_once() {
        let mut gates = Gates::new([1]);
        assert_eq!(
            gates.take(&Permits::from([(0, 3)])),
            Some(Permits::from([(0, 1)]))
        );
    }
}
