//! A part of a specification.

use std::collections::BTreeSet;

use globset::GlobMatcher;

use super::tags::glob;
use crate::spec::{Check, Mirror, Source};
use crate::{Place, Problem, RegistryName, Spec};

impl Spec {
    /// Keeps the work whose mirror name, or source or target `name/repository`, matches one of `globs`.
    ///
    /// A matching mirror or source is kept whole, a matching target with its source. `*` stops at `/`, `**` does not. The digest stays
    /// that of the whole configuration. What is found has to be found before: see [`Spec::discovered`].
    ///
    /// A problem is kept with the mirror, and where a glob matches its place. A glob that matches nothing at a registry which could
    /// not be searched keeps what is known about that.
    ///
    /// # Errors
    /// A text that is no glob, or one that matches nothing.
    pub fn only(&self, globs: &[String]) -> Result<Self, String> {
        let mut only = Only::new(globs)?;
        let kept: Vec<Option<Mirror>> = self.mirrors.iter().map(|mirror| only.mirror(mirror)).collect();
        let excused: Vec<Option<Mirror>> = self.mirrors.iter().map(|mirror| only.excused(mirror)).collect();
        let mirrors = kept.into_iter().zip(excused).filter_map(merged).collect();
        if let Some(unused) = only.unused() {
            return Err(format!("`{unused}` matches no mirror, source or target"));
        }
        let mut kept = Self {
            mirrors,
            ..self.clone()
        };
        let used = kept.used();
        kept.registries.retain(|name, _| used.contains(name));
        Ok(kept)
    }

    /// Overrides how far unchanged tags are trusted. The digest stays that of the configuration.
    #[must_use]
    pub fn with_check(mut self, check: Check) -> Self {
        for mirror in &mut self.mirrors {
            mirror.check = check;
        }
        self
    }

    fn used(&self) -> BTreeSet<RegistryName> {
        let sources = self.mirrors.iter().flat_map(|mirror| &mirror.sources);
        let places = sources.flat_map(|source| {
            std::iter::once(&source.place).chain(source.targets.iter().map(|target| &target.place))
        });
        let discoveries = self.mirrors.iter().flat_map(|mirror| &mirror.discoveries);
        let named = discoveries.flat_map(|discovery| {
            std::iter::once(&discovery.registry)
                .chain(discovery.targets.iter().map(|target| &target.registry))
        });
        let places = places.map(|place| &place.registry);
        places.chain(named).cloned().collect()
    }
}

struct Only<'a> {
    globs: Vec<(&'a str, GlobMatcher)>,
    used: BTreeSet<usize>,
    /// Those without a match that something excuses.
    excused: BTreeSet<usize>,
}

/// Returns true where the first segment of a glob matches the name of a registry.
fn may_name(text: &str, registry: &RegistryName) -> bool {
    let first = text.split('/').next().unwrap_or_default();
    glob(first).is_ok_and(|glob| glob.compile_matcher().is_match(registry.as_str()))
}

/// Puts what was kept of a mirror together with what excuses a glob.
fn merged(parts: (Option<Mirror>, Option<Mirror>)) -> Option<Mirror> {
    match parts {
        (Some(mut kept), Some(excused)) => {
            kept.problems.extend(excused.problems);
            Some(kept)
        }
        (kept, excused) => kept.or(excused),
    }
}

fn part(mirror: &Mirror, sources: Vec<Source>, problems: Vec<Problem>) -> Mirror {
    let kept: BTreeSet<&Place> = sources.iter().map(|source| &source.place).collect();
    let mut found = mirror.found.clone();
    for found in &mut found {
        found.retain(|place| kept.contains(place));
    }
    found.retain(|found| !found.sources.is_empty());
    Mirror {
        found,
        problems,
        discoveries: Vec::new(),
        sources,
        ..mirror.clone()
    }
}

impl<'a> Only<'a> {
    fn new(globs: &'a [String]) -> Result<Self, String> {
        let compiled = globs.iter().map(|text| {
            let glob = glob(text).map_err(|error| error.to_string())?;
            Ok((text.as_str(), glob.compile_matcher()))
        });
        Ok(Self {
            globs: compiled.collect::<Result<_, String>>()?,
            used: BTreeSet::new(),
            excused: BTreeSet::new(),
        })
    }

    /// Notes every glob that matches: none may be left without use.
    fn matches(&mut self, text: &str) -> bool {
        let matching = self
            .globs
            .iter()
            .enumerate()
            .filter(|(_, (_, glob))| glob.is_match(text));
        let matching: Vec<usize> = matching.map(|(at, _)| at).collect();
        self.used.extend(&matching);
        !matching.is_empty()
    }

    fn place(&mut self, place: &Place) -> bool {
        self.matches(&place.to_string())
    }

    fn mirror(&mut self, mirror: &Mirror) -> Option<Mirror> {
        let whole = self.matches(&mirror.name);
        let sources: Vec<Source> = mirror
            .sources
            .iter()
            .filter_map(|source| self.source(source))
            .collect();
        let problems: Vec<Problem> = mirror
            .problems
            .iter()
            .filter(|problem| self.problem(problem))
            .cloned()
            .collect();
        match (whole, sources.is_empty() && problems.is_empty()) {
            (true, _) => Some(mirror.clone()),
            (false, true) => None,
            (false, false) => Some(part(mirror, sources, problems)),
        }
    }

    /// Says whether a problem lies at a repository that a glob matches.
    fn problem(&mut self, problem: &Problem) -> bool {
        let repository = problem.repository.as_ref();
        repository.is_some_and(|repository| self.matches(&format!("{}/{repository}", problem.registry)))
    }

    /// Keeps the problems of a mirror that may be why a glob matches nothing: those of whole registries that the glob may name.
    fn excused(&mut self, mirror: &Mirror) -> Option<Mirror> {
        let mut problems = Vec::new();
        for problem in mirror
            .problems
            .iter()
            .filter(|problem| problem.repository.is_none())
        {
            let unused =
                (0..self.globs.len()).filter(|at| !self.used.contains(at) || self.excused.contains(at));
            let excused: Vec<usize> = unused
                .filter(|at| may_name(self.globs[*at].0, &problem.registry))
                .collect();
            if !excused.is_empty() {
                problems.push(problem.clone());
                self.used.extend(&excused);
                self.excused.extend(&excused);
            }
        }
        (!problems.is_empty()).then(|| part(mirror, Vec::new(), problems))
    }

    fn source(&mut self, source: &Source) -> Option<Source> {
        let whole = self.place(&source.place);
        let matching = source.targets.iter().filter(|target| self.place(&target.place));
        let targets: Vec<_> = matching.cloned().collect();
        match (whole, targets.is_empty()) {
            (true, _) => Some(source.clone()),
            (false, true) => None,
            (false, false) => Some(Source {
                targets,
                ..source.clone()
            }),
        }
    }

    fn unused(&self) -> Option<&'a str> {
        self.globs
            .iter()
            .enumerate()
            .find(|(at, _)| !self.used.contains(at))
            .map(|(_, (text, _))| *text)
    }
}
