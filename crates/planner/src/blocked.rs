//! What can't be planned, gathered so that a root cause is named once.

use std::collections::BTreeMap;

use crate::{Problem, ProblemKind, RegistryName, Side};

/// Problems and how many tags each of them holds back.
#[derive(Debug, Default)]
pub(crate) struct Blocked(BTreeMap<Problem, u64>);

impl Blocked {
    /// Adds a problem that holds back `tags` tags of target places.
    pub(crate) fn add(&mut self, problem: Problem, tags: u64) {
        *self.0.entry(Problem { tags: 0, ..problem }).or_default() += tags;
    }

    /// Returns the number of tags held back.
    pub(crate) fn tags(&self) -> u64 {
        self.0.values().sum()
    }

    /// Returns the problems in order; those by which a whole registry is out of reach are one.
    pub(crate) fn into_problems(self) -> Vec<Problem> {
        let mut out: Vec<Problem> = Vec::new();
        let mut whole: BTreeMap<(RegistryName, Side, ProblemKind), usize> = BTreeMap::new();
        for (problem, tags) in self.0 {
            let key = (problem.registry.clone(), problem.side, problem.kind);
            let reaches = matches!(problem.kind, ProblemKind::Network | ProblemKind::Auth);
            match whole.get(&key) {
                Some(&index) if reaches => {
                    let first = &mut out[index];
                    first.tags += tags;
                    if first.repository != problem.repository {
                        first.repository = None;
                    }
                    if first.tag != problem.tag {
                        first.tag = None;
                    }
                }
                _ => {
                    whole.insert(key, out.len());
                    out.push(Problem { tags, ..problem });
                }
            }
        }
        out.sort();
        out
    }
}
