//! Sources that were found and get in each other's way.

use std::collections::{BTreeMap, BTreeSet};

use super::collisions::{Spot, Writer, Writers, static_tags};
use crate::spec::{Mirror, Source, Target};
use crate::{Place, Problem, ProblemKind, Side, Spec};

/// How many sources an error names.
const NAMED: usize = 3;

/// What of a mirror can't be: sources, and targets of sources.
#[derive(Clone, Debug, Default)]
pub(crate) struct Clashes {
    sources: BTreeSet<usize>,
    targets: BTreeSet<(usize, usize)>,
    problems: Vec<Problem>,
}

impl Clashes {
    /// Takes out what can't be, and says why.
    pub(crate) fn clear_away(self, mirror: &mut Mirror) {
        let mut gone = BTreeSet::new();
        let sources = std::mem::take(&mut mirror.sources).into_iter().enumerate();
        for (at, mut source) in sources {
            let mut target = 0..;
            source.targets.retain(|_| {
                target
                    .next()
                    .is_some_and(|target| !self.targets.contains(&(at, target)))
            });
            if self.sources.contains(&at) || source.targets.is_empty() {
                gone.insert(source.place);
            } else {
                mirror.sources.push(source);
            }
        }
        // One that is pinned too may still be a source, of another kind.
        for found in &mut mirror.found {
            found.retain(|place| !gone.contains(place));
        }
        mirror.found.retain(|found| !found.sources.is_empty());
        mirror.problems.extend(self.problems);
    }
}

/// A target of a source of a mirror, by their positions.
type Way = (usize, usize, usize);

/// Finds per mirror of `spec` what collides, by the rules that the configuration is checked with. `written` is the
/// specification as it stands in the file, whose sources come first in each mirror.
pub(crate) fn clashes(spec: &Spec, written: &Spec) -> Vec<Clashes> {
    let mut checker = Checker {
        spec,
        written,
        writers: BTreeMap::new(),
        colliding: BTreeMap::new(),
        clashes: vec![Clashes::default(); spec.mirrors.len()],
    };
    for way in ways(spec) {
        checker.write(way);
    }
    checker.tell_collisions();
    for (mirror, mirrored) in spec.mirrors.iter().enumerate() {
        for source in 0..mirrored.sources.len() {
            checker.read(mirror, source);
        }
    }
    checker.clashes
}

fn ways(spec: &Spec) -> impl Iterator<Item = Way> {
    let mirrors = spec.mirrors.iter().enumerate();
    mirrors.flat_map(|(mirror, mirrored)| {
        let sources = mirrored.sources.iter().enumerate();
        sources.flat_map(move |(source, read)| {
            (0..read.targets.len()).map(move |target| (mirror, source, target))
        })
    })
}

struct Checker<'a> {
    spec: &'a Spec,
    written: &'a Spec,
    writers: BTreeMap<Spot<'a>, Writers<'a, Way>>,
    /// Who collides in each repository.
    colliding: BTreeMap<&'a Place, BTreeSet<Way>>,
    clashes: Vec<Clashes>,
}

impl<'a> Checker<'a> {
    fn source(&self, (mirror, source, _): Way) -> &'a Source {
        &self.spec.mirrors[mirror].sources[source]
    }

    fn target(&self, way: Way) -> &'a Target {
        &self.source(way).targets[way.2]
    }

    fn spot(&self, place: &'a Place) -> Option<Spot<'a>> {
        let registry = self.spec.registries.get(&place.registry)?;
        Some((&registry.endpoint, &place.repository))
    }

    fn was_found(&self, mirror: usize, source: usize) -> bool {
        source >= self.written.mirrors[mirror].sources.len()
    }

    fn write(&mut self, way: Way) {
        let (source, target) = (self.source(way), self.target(way));
        let (Some(from), Some(to)) = (self.spot(&source.place), self.spot(&target.place)) else {
            return;
        };
        if from == to {
            let error = "it would be copied to itself".to_owned();
            return self.drop_target(way, error);
        }
        let writer = Writer {
            source: from,
            pinned: source.pinned.as_ref(),
            who: way,
        };
        let sets = &self.spec.mirrors[way.0].tags;
        let tags = static_tags(sets, writer.pinned, target.tag.as_deref());
        if let Some((other, _)) = self.writers.entry(to).or_default().add(writer, tags) {
            let colliding = self.colliding.entry(&target.place).or_default();
            colliding.extend([other.who, way]);
        }
    }

    fn tell_collisions(&mut self) {
        for ways in std::mem::take(&mut self.colliding).into_values() {
            let sources: BTreeSet<&Place> = ways.iter().map(|way| &self.source(*way).place).collect();
            let names: Vec<String> = sources
                .iter()
                .take(NAMED)
                .map(|place| format!("`{place}`"))
                .collect();
            let more = match sources.len().saturating_sub(NAMED) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let error = format!("several sources write into it: {}{more}", names.join(", "));
            for way in ways {
                self.drop_target(way, error.clone());
            }
        }
    }

    /// Takes out a source that is written too; one that stands in the file stays, and what was found is not written there.
    fn read(&mut self, mirror: usize, source: usize) {
        let place = &self.spec.mirrors[mirror].sources[source].place;
        let Some(writers) = self.spot(place).and_then(|spot| self.writers.get(&spot)) else {
            return;
        };
        let ways: Vec<Way> = writers.all().map(|writer| writer.who).collect();
        let Some(first) = ways.iter().min() else { return };
        if self.was_found(mirror, source) {
            let error = format!(
                "it is read here, and written from `{}`",
                self.source(*first).place
            );
            let problem = problem(place, Side::Source, error);
            self.clashes[mirror].sources.insert(source);
            self.clashes[mirror].problems.push(problem);
        } else {
            for way in ways {
                self.drop_target(way, "it is read elsewhere, and would be written here".to_owned());
            }
        }
    }

    /// Takes out a target of a source that was found.
    fn drop_target(&mut self, way: Way, error: String) {
        let (mirror, source, target) = way;
        if self.was_found(mirror, source) {
            let problem = problem(&self.target(way).place, Side::Target, error);
            self.clashes[mirror].targets.insert((source, target));
            self.clashes[mirror].problems.push(problem);
        }
    }
}

fn problem(place: &Place, side: Side, error: String) -> Problem {
    let hint = "narrow the globs, or let `{repository}` in `to` keep the places apart";
    Problem {
        registry: place.registry.clone(),
        repository: Some(place.repository.clone()),
        tag: None,
        side,
        kind: ProblemKind::Policy,
        error,
        hint: Some(hint.to_owned()),
        tags: 0,
    }
}
