//! What a mirror takes from a source: the thing it is pinned to, or what its tag conditions select.

use std::collections::{BTreeMap, BTreeSet};

use oci::{Digest, Tag};

use super::{Selected, Walk, problem};
use crate::ask::Gap;
use crate::config::{self, Age, Count, Selection, SelectionProblem, Youth, select};
use crate::created;
use crate::plan::Note;
use crate::spec::{Mirror, Pinned, Source};
use crate::{Problem, ProblemKind, Side};

impl<'a> Walk<'a, '_> {
    pub(super) fn selected(
        &mut self,
        number: usize,
        mirror: &'a Mirror,
        source: &'a Source,
        tags: &BTreeSet<Tag>,
    ) -> Vec<Selected> {
        if let Some(pinned) = &source.pinned {
            return self.pinned(source, pinned, tags).into_iter().collect();
        }
        let selection = self.selection(mirror, source, tags);
        let alone = mirror.counts_alone(&source.place);
        for problem in &selection.problems {
            if alone || !matches!(problem, SelectionProblem::TooFew { .. }) {
                self.selection_problem(source, problem);
            }
        }
        if !alone {
            let key = (number, &source.place);
            self.counts.insert(key, selection.counts);
        }
        self.note_untold(source, &selection.untold);
        let digests = selection.digests.into_iter();
        let digests: Vec<Digest> = digests.filter(|digest| self.stands(source, digest)).collect();
        let tags = selection.tags.into_iter().map(|tag| Selected {
            tag: Some(tag),
            digest: None,
        });
        let digests = digests.into_iter().map(|digest| Selected {
            tag: None,
            digest: Some(digest),
        });
        tags.chain(digests).collect()
    }

    fn pinned(&mut self, source: &Source, pinned: &Pinned, tags: &BTreeSet<Tag>) -> Option<Selected> {
        let missing = pinned
            .tag
            .as_ref()
            .filter(|tag| pinned.digest.is_none() && !tags.contains(*tag));
        if let Some(tag) = missing {
            self.selection_problem(source, &SelectionProblem::Missing(tag.clone()));
            return None;
        }
        // What nobody has read yet is missed when it is read here; what was read elsewhere need not stand here.
        let known = pinned.digest.as_ref();
        let known = known.filter(|digest| self.ask.known(digest).is_some());
        if known.is_some_and(|digest| !self.stands(source, digest)) {
            return None;
        }
        Some(Selected {
            tag: pinned.tag.clone(),
            digest: pinned.digest.clone(),
        })
    }

    /// Selects among the tags of a source; asks how old they are where that decides.
    fn selection(&mut self, mirror: &Mirror, source: &Source, tags: &BTreeSet<Tag>) -> Selection {
        let now = self.ask.moment();
        let mut problems: BTreeMap<Tag, Box<Problem>> = BTreeMap::new();
        let mut ages = |tag: &Tag, within: Age| {
            let youth = created::youth(self.ask, &source.place, tag, now.before(within));
            youth.unwrap_or_else(|gap| match gap {
                Gap::Pending => Youth::Pending,
                Gap::Blocked(problem) => {
                    problems.insert(tag.clone(), problem);
                    Youth::Blocked
                }
            })
        };
        let selection = select(&mirror.tags, tags, &mut ages);
        for (tag, mut problem) in problems {
            // Where another set takes the tag, its age is of no matter.
            if !selection.tags.contains(&tag) {
                problem.tag = Some(tag);
                self.blocked.add(*problem, source.targets.len() as u64);
            }
        }
        selection
    }

    /// Says of how many tags nothing tells when they were made.
    fn note_untold(&mut self, source: &Source, untold: &BTreeSet<Tag>) {
        let Some(first) = untold.first() else {
            return;
        };
        let text = match untold.len() {
            1 => format!("nothing tells when {first} was made; `created_within` leaves it out"),
            count => format!(
                "nothing tells when {count} tags were made, {first} among them; `created_within` leaves them out"
            ),
        };
        self.wanted.notes.insert(Note {
            place: Some(source.place.clone()),
            text,
        });
    }

    /// Says whether a manifest that is named by its digest stands at the source. It is read, as it is needed in any case.
    fn stands(&mut self, source: &Source, digest: &Digest) -> bool {
        match self.ask.holds(&source.place, digest) {
            Ok(true) => return true,
            Ok(false) => {
                let error = format!("the manifest {digest} does not exist");
                let problem = problem(&source.place, Side::Source, ProblemKind::NotFound, error);
                let hint = "check the digest, and that it is of this repository".to_owned();
                let problem = Problem {
                    hint: Some(hint),
                    ..problem
                };
                self.blocked.add(problem, source.targets.len() as u64);
            }
            Err(Gap::Blocked(problem)) => self.blocked.add(*problem, source.targets.len() as u64),
            Err(Gap::Pending) => {}
        }
        false
    }

    fn selection_problem(&mut self, source: &Source, selection: &SelectionProblem) {
        let error = selection.to_string();
        let mut problem = problem(&source.place, Side::Source, ProblemKind::NotFound, error);
        let mut tags = 0;
        if let SelectionProblem::Missing(tag) = selection {
            problem.tag = Some(tag.clone());
            tags = source.targets.len() as u64;
        }
        problem.hint = Some("`transship tags` lists what is there".to_owned());
        self.blocked.add(problem, tags);
    }

    /// Says where all repositories that a glob found have too few tags between them.
    pub(super) fn shortfalls(&mut self, number: usize, mirror: &'a Mirror) {
        for found in mirror.found.iter().filter(|found| found.complete) {
            let counts = found
                .sources
                .iter()
                .map(|place| self.counts.get(&(number, place)));
            // What could not be listed is told already.
            let Some(counts) = counts.collect::<Option<Vec<_>>>() else {
                continue;
            };
            for shortfall in config::shortfalls(&mirror.tags, &sums(&counts)) {
                let error = format!("in the repositories that `{}` matches, {shortfall}", found.glob);
                self.blocked.add(
                    Problem {
                        registry: found.registry.clone(),
                        repository: None,
                        tag: None,
                        side: Side::Source,
                        kind: ProblemKind::NotFound,
                        error,
                        hint: Some("loosen the conditions, or lower at_least".to_owned()),
                        tags: 0,
                    },
                    0,
                );
            }
        }
    }
}

/// Adds up, set by set.
fn sums(counts: &[&Vec<Count>]) -> Vec<Count> {
    let sets = counts.iter().map(|counts| counts.len()).max().unwrap_or_default();
    let sum = |set: usize| {
        let of_set = counts.iter().filter_map(|counts| counts.get(set));
        of_set.fold(Count::default(), |sum, count| Count {
            found: sum.found + count.found,
            available: sum.available + count.available,
        })
    };
    (0..sets).map(sum).collect()
}
