//! From listings of registries to sources.

use std::collections::{BTreeMap, BTreeSet};

use globset::GlobMatcher;
use oci::RepositoryName;

use super::clashes::clashes;
use super::names::read_path;
use super::tags::glob;
use super::template::{Filling, fill_found};
use crate::spec::{Discovery, Endpoint, Found, Mirror, Source, Target, TargetTemplate};
use crate::{Place, Problem, ProblemKind, RegistryName, Side, Spec};

/// The repositories of registries, or why they could not be listed.
pub type Listings = BTreeMap<RegistryName, Result<Vec<RepositoryName>, Problem>>;

impl Spec {
    /// Turns discoveries into sources, by the listings of their registries. What stands in the file stays as it is, and so does the
    /// digest; the same listings give the same specification, in whatever order they are.
    ///
    /// What can't be is a problem of its mirror and keeps nothing else from being read: a registry that could not be listed, a
    /// glob that matches nothing, a name that a target can't have, and what two sources would get in each other's way with.
    /// Where one of the two stands in the file, it goes on; of two that were found, neither does.
    #[must_use]
    pub fn discovered(&self, listings: &Listings) -> Self {
        let mut finder = Finder {
            spec: self,
            listings,
            names: spots(self),
        };
        let mut spec = self.clone();
        for mirror in &mut spec.mirrors {
            for discovery in std::mem::take(&mut mirror.discoveries) {
                finder.find(mirror, &discovery);
            }
        }
        let clashes = clashes(&spec, self);
        for (mirror, clashes) in spec.mirrors.iter_mut().zip(clashes) {
            clashes.clear_away(mirror);
        }
        spec
    }
}

/// For each repository that is known the name of its registry that stands for it, whatever other name reaches it.
fn spots(spec: &Spec) -> BTreeMap<(Endpoint, RepositoryName), RegistryName> {
    let mut names = BTreeMap::new();
    let sources = spec.mirrors.iter().flat_map(|mirror| &mirror.sources);
    let places = sources.flat_map(|source| {
        std::iter::once(&source.place).chain(source.targets.iter().map(|target| &target.place))
    });
    for place in places {
        if let Some(registry) = spec.registries.get(&place.registry) {
            let spot = (registry.endpoint.clone(), place.repository.clone());
            names.entry(spot).or_insert_with(|| place.registry.clone());
        }
    }
    names
}

struct Finder<'a> {
    spec: &'a Spec,
    listings: &'a Listings,
    names: BTreeMap<(Endpoint, RepositoryName), RegistryName>,
}

impl Finder<'_> {
    fn find(&mut self, mirror: &mut Mirror, discovery: &Discovery) {
        let listing = match self.listings.get(&discovery.registry) {
            Some(Ok(listing)) => listing.iter().collect::<BTreeSet<_>>(),
            Some(Err(problem)) => return mirror.problems.push(problem.clone()),
            None => {
                let error = "its repositories were not listed".to_owned();
                return mirror
                    .problems
                    .push(problem(discovery, ProblemKind::Other, error));
            }
        };
        let mut matching = BTreeSet::new();
        for text in &discovery.globs {
            let matched = match glob(text) {
                Ok(glob) => matches(&glob.compile_matcher(), &listing),
                Err(error) => {
                    let error = error.to_string();
                    mirror
                        .problems
                        .push(problem(discovery, ProblemKind::Policy, error));
                    continue;
                }
            };
            if matched.is_empty() {
                mirror.problems.push(nothing(discovery, text, listing.len()));
                continue;
            }
            let sources = matched
                .iter()
                .filter_map(|repository| self.place(&discovery.registry, repository));
            mirror.found.push(Found {
                registry: discovery.registry.clone(),
                glob: text.clone(),
                sources: sources.collect(),
                complete: true,
            });
            matching.extend(matched);
        }
        for repository in matching {
            self.add(mirror, discovery, repository);
        }
    }

    /// Adds a source, unless the mirror reads the whole repository already.
    fn add(&mut self, mirror: &mut Mirror, discovery: &Discovery, repository: &RepositoryName) {
        let Some(place) = self.place(&discovery.registry, repository) else {
            return;
        };
        let known = |source: &Source| source.place == place && source.pinned.is_none();
        if mirror.sources.iter().any(known) {
            return;
        }
        let mut targets: Vec<Target> = Vec::new();
        for template in &discovery.targets {
            match self.target(&discovery.registry, repository, template) {
                // Two templates may come to one place, for some names.
                Ok(target) if targets.contains(&target) => {}
                Ok(target) => targets.push(target),
                Err(error) => mirror.problems.push(Problem {
                    repository: Some(repository.clone()),
                    hint: Some("write another `to`, or narrow the globs".to_owned()),
                    ..problem(discovery, ProblemKind::Policy, error)
                }),
            }
        }
        if !targets.is_empty() {
            mirror.sources.push(Source {
                place,
                pinned: None,
                targets,
            });
        }
    }

    fn target(
        &mut self,
        from: &RegistryName,
        repository: &RepositoryName,
        template: &TargetTemplate,
    ) -> Result<Target, String> {
        let nowhere = || format!("there is no registry `{from}` or `{}`", template.registry);
        let source = self.spec.registries.get(from).ok_or_else(nowhere)?;
        let target = self.spec.registries.get(&template.registry).ok_or_else(nowhere)?;
        let filling = Filling {
            endpoint: &source.endpoint,
            repository,
            pinned: None,
        };
        let path = fill_found(&template.path, filling)?;
        let parsed = read_path(&target.endpoint, &path)
            .map_err(|error| format!("`{path}` is no repository of `{}`: {error}", template.registry))?;
        let place = self
            .place(&template.registry, &parsed.repository)
            .ok_or_else(nowhere)?;
        Ok(Target {
            place,
            tag: template.tag.clone(),
        })
    }

    /// Names a repository as it is named elsewhere, where another name reaches it first.
    fn place(&mut self, registry: &RegistryName, repository: &RepositoryName) -> Option<Place> {
        let endpoint = self.spec.registries.get(registry)?.endpoint.clone();
        let name = self
            .names
            .entry((endpoint, repository.clone()))
            .or_insert_with(|| registry.clone());
        Some(Place {
            registry: name.clone(),
            repository: repository.clone(),
        })
    }
}

fn matches<'r>(glob: &GlobMatcher, listing: &BTreeSet<&'r RepositoryName>) -> BTreeSet<&'r RepositoryName> {
    let matching = listing
        .iter()
        .filter(|repository| glob.is_match(repository.as_str()));
    matching.copied().collect()
}

fn nothing(discovery: &Discovery, glob: &str, repositories: usize) -> Problem {
    let error = match repositories {
        0 => format!("no repository is listed that `{glob}` could match"),
        1 => format!("its only repository does not match `{glob}`"),
        several => format!("none of its {several} repositories matches `{glob}`"),
    };
    let hint = "check the glob: `*` stops at `/`, `**` does not; and that the credential may list";
    Problem {
        hint: Some(hint.to_owned()),
        ..problem(discovery, ProblemKind::NotFound, error)
    }
}

fn problem(discovery: &Discovery, kind: ProblemKind, error: String) -> Problem {
    Problem {
        registry: discovery.registry.clone(),
        repository: None,
        tag: None,
        side: Side::Source,
        kind,
        error,
        hint: None,
        tags: 0,
    }
}
