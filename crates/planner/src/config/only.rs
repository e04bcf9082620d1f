//! A part of a specification.

use std::collections::BTreeSet;

use globset::GlobMatcher;

use super::tags::glob;
use crate::spec::{Check, Mirror, Source};
use crate::{Place, RegistryName, Spec};

impl Spec {
    /// Keeps the work whose mirror name, or source or target `name/repository`, matches one of `globs`.
    ///
    /// A matching mirror or source is kept whole, a matching target with its source. `*` stops at `/`, `**` does not. The digest stays
    /// that of the whole configuration.
    ///
    /// # Errors
    /// A text that is no glob, or one that matches nothing.
    pub fn only(&self, globs: &[String]) -> Result<Self, String> {
        let mut only = Only::new(globs)?;
        let mirrors: Vec<Mirror> = self
            .mirrors
            .iter()
            .filter_map(|mirror| only.mirror(mirror))
            .collect();
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
        places.map(|place| place.registry.clone()).collect()
    }
}

struct Only<'a> {
    globs: Vec<(&'a str, GlobMatcher)>,
    used: BTreeSet<usize>,
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
        match (whole, sources.is_empty()) {
            (true, _) => Some(mirror.clone()),
            (false, true) => None,
            (false, false) => Some(Mirror {
                sources,
                ..mirror.clone()
            }),
        }
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
