//! Reading a whole configuration.

use std::collections::BTreeMap;

use oci::RepositoryName;

use super::decode::{Decoder, Fields, Unset};
use super::diagnostic::{Diagnostic, Diagnostics, Span};
use super::discovery::Search;
use super::excerpt::{self, Excerpt};
use super::expand::Environment;
use super::mirrors::{Draft, Read};
use super::names::{Names, RegistryId};
use super::node::Node;
use super::{places, wanted, yaml};
use crate::spec::{Endpoint, Mirror, Registry, Source, Target};
use crate::{Place, RegistryName, Spec};

/// A configuration as text, and what it is read with.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    /// The file's name, for problems.
    pub name: &'a str,
    /// The text.
    pub text: &'a str,
    /// Looks a variable up.
    pub environment: &'a dyn Fn(&str) -> Option<String>,
}

/// Every key at the top, but those that start with `x-`.
pub(crate) const TOP_KEYS: [&str; 5] = ["version", "registries", "groups", "defaults", "mirrors"];

/// Reads, resolves and checks a configuration.
///
/// # Errors
/// Every problem that it has.
pub fn parse(input: &Input<'_>) -> Result<Spec, Diagnostics> {
    read(input, Unset::Refused)
}

/// Reads a configuration where its environment may be absent: what depends on a variable that is not set goes unchecked and is
/// left out.
///
/// # Errors
/// Every problem that can be seen without them.
pub fn parse_offline(input: &Input<'_>) -> Result<Spec, Diagnostics> {
    read(input, Unset::Unknown)
}

fn read(input: &Input<'_>, unset: Unset) -> Result<Spec, Diagnostics> {
    let mut problems = Vec::new();
    let tree = yaml::read(input.text, &mut problems);
    let lines = excerpt::split(input.text);
    let mut decoder = Decoder {
        lines: &lines,
        environment: input.environment,
        unset,
        problems,
        targets: 0,
    };
    let spec = match &tree {
        Some(tree) if !tree.is_null() => decoder.file(tree),
        None if !decoder.problems.is_empty() => None,
        _ => {
            let help = "`transship init` writes one to start from";
            decoder.tell(Diagnostic::new(START, "the file is empty", help));
            None
        }
    };
    match spec {
        Some(spec) if decoder.problems.is_empty() => Ok(spec),
        _ => {
            let problems = decoder.problems;
            let excerpt = Excerpt::new(lines, tree.as_deref());
            Err(Diagnostics::new(input.name, problems, excerpt))
        }
    }
}

const START: Span = Span {
    line: 1,
    column: 1,
    length: 1,
};

impl Decoder<'_> {
    fn file(&mut self, tree: &Node) -> Option<Spec> {
        let fields = self.top(tree)?;
        self.version(fields);
        let registries = fields.get("registries").map(|node| self.registries(node));
        let mut names = Names::new(registries.unwrap_or_default());
        if let Some(node) = fields.get("groups") {
            self.groups(node, &mut names);
        }
        let drafts = match fields.get("mirrors") {
            Some(node) => self.mirrors(node, fields.get("defaults"), &mut names),
            None => {
                let help = "add mirrors: [{ from: SOURCE, to: TARGET }]";
                self.tell(Diagnostic::new(fields.span, "`mirrors` is missing", help));
                Vec::new()
            }
        };
        self.problems.extend(places::check(&drafts, &names));
        Some(spec(drafts, &names, self.environment))
    }

    /// Reads the keys at the top; those that start with `x-` are the user's own.
    fn top<'n>(&mut self, tree: &'n Node) -> Option<Fields<'n>> {
        let own = tree.map().into_iter().flatten().map(|entry| entry.key.as_str());
        let known: Vec<&str> = TOP_KEYS
            .into_iter()
            .chain(own.filter(|key| key.starts_with("x-")))
            .collect();
        self.fields(tree, "a configuration", &known)
    }

    fn version(&mut self, fields: Fields<'_>) {
        let Some(node) = fields.get("version") else {
            let help = "start with `version: 1`";
            self.tell(Diagnostic::new(fields.span, "`version` is missing", help));
            return;
        };
        if let Some(version) = self.number(node, "version", 1).filter(|version| *version != 1) {
            let message = format!("version {version} of the configuration is not known");
            self.tell(Diagnostic::new(node.span, message, "there is `version: 1`"));
        }
    }
}

/// Names every place, and keeps the registries that are used.
fn spec(drafts: Vec<Draft>, names: &Names, environment: Environment<'_>) -> Spec {
    let chosen = Chosen::new(&drafts, names);
    let mut registries: BTreeMap<RegistryName, Registry> = BTreeMap::new();
    let searches = drafts.iter().flat_map(|draft| &draft.searches);
    let searched = searches.flat_map(Search::registries);
    for id in chosen.0.values().copied().chain(searched) {
        let declared = names.get(id);
        registries.insert(declared.name.clone(), declared.registry.clone());
    }
    let mirrors: Vec<Mirror> = drafts
        .into_iter()
        .map(|draft| Mirror {
            sources: draft
                .reads
                .iter()
                .map(|read| chosen.source(read, names))
                .collect(),
            discoveries: draft
                .searches
                .iter()
                .map(|search| search.discovery(names))
                .collect(),
            ..draft.mirror
        })
        .collect();
    let digest = wanted::digest(&registries, &mirrors, environment);
    Spec {
        registries,
        mirrors,
        digest,
    }
}

/// For each repository the name that stands for its registry: the first declared of those that reach it.
struct Chosen(BTreeMap<(Endpoint, RepositoryName), RegistryId>);

impl Chosen {
    fn new(drafts: &[Draft], names: &Names) -> Self {
        let mut chosen = BTreeMap::new();
        let mut note = |registry: RegistryId, repository: &RepositoryName| {
            let spot = (names.get(registry).registry.endpoint.clone(), repository.clone());
            let best = chosen.entry(spot).or_insert(registry);
            *best = registry.min(*best);
        };
        for read in drafts.iter().flat_map(|draft| &draft.reads) {
            note(read.registry, &read.repository);
            for write in &read.writes {
                note(write.registry, &write.repository);
            }
        }
        Self(chosen)
    }

    fn place(&self, registry: RegistryId, repository: &RepositoryName, names: &Names) -> Place {
        let spot = (names.get(registry).registry.endpoint.clone(), repository.clone());
        let best = self.0.get(&spot).copied().unwrap_or(registry);
        Place {
            registry: names.get(best).name.clone(),
            repository: repository.clone(),
        }
    }

    fn source(&self, read: &Read, names: &Names) -> Source {
        let targets = read.writes.iter().map(|write| Target {
            place: self.place(write.registry, &write.repository, names),
            tag: write.tag.clone(),
        });
        Source {
            place: self.place(read.registry, &read.repository, names),
            pinned: read.pinned.clone(),
            targets: targets.collect(),
        }
    }
}
