//! Reading `defaults` and `mirrors`.

use oci::RepositoryName;

use super::decode::{Decoder, Fields, one_or_many};
use super::diagnostic::{Diagnostic, Span};
use super::discovery::Search;
use super::names::{Names, RegistryId, split, which_repository};
use super::node::{Entry, Node};
use super::tags::TagSet;
use super::template::{Filling, Template, Write};
use crate::spec::{Check, ForeignLayers, Mirror, OnChange, Pinned, Referrers};

/// Every key of a mirror.
pub(crate) const MIRROR_KEYS: [&str; 10] = [
    "name",
    "from",
    "to",
    "tags",
    "platforms",
    "index",
    "referrers",
    "on_change",
    "check",
    "foreign_layers",
];

/// Every key of `defaults`.
pub(crate) const DEFAULT_KEYS: [&str; 9] = [
    "name",
    "to",
    "tags",
    "platforms",
    "index",
    "referrers",
    "on_change",
    "check",
    "foreign_layers",
];

pub(crate) const ON_CHANGE: [(&str, OnChange); 3] = [
    ("update", OnChange::Update),
    ("keep", OnChange::Keep),
    ("refuse", OnChange::Refuse),
];
pub(crate) const CHECK: [(&str, Check); 3] = [
    ("tags", Check::Tags),
    ("manifests", Check::Manifests),
    ("blobs", Check::Blobs),
];
pub(crate) const FOREIGN_LAYERS: [(&str, ForeignLayers); 2] =
    [("skip", ForeignLayers::Skip), ("copy", ForeignLayers::Copy)];

/// The most targets that all mirrors may have, each with one source. A fleet of 10,000 repositories in 10 regions has a tenth.
const MAX_TARGETS: usize = 1_000_000;

/// How some attachments are chosen.
const TYPES: &str = "{ artifact_types: [application/spdx+json] }";

/// A mirror before its places are checked and named.
#[derive(Debug)]
pub(crate) struct Draft {
    /// All but the sources.
    pub(crate) mirror: Mirror,
    pub(crate) reads: Vec<Read>,
    pub(crate) searches: Vec<Search>,
}

/// One source, and where it is written.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) registry: RegistryId,
    pub(crate) repository: RepositoryName,
    pub(crate) pinned: Option<Pinned>,
    pub(crate) at: Span,
    pub(crate) writes: Vec<Write>,
}

/// What `from` names.
enum Origin {
    Read(Read),
    Search(Search),
}

/// A mirror's own keys before the defaults.
#[derive(Clone, Copy)]
struct Keys<'n> {
    own: Fields<'n>,
    defaults: Option<Fields<'n>>,
}

impl<'n> Keys<'n> {
    fn entry(&self, key: &str) -> Option<&'n Entry> {
        self.own
            .entry(key)
            .or_else(|| self.defaults.and_then(|defaults| defaults.entry(key)))
    }

    fn get(&self, key: &str) -> Option<&'n Node> {
        self.entry(key).map(|entry| &*entry.value)
    }
}

impl Decoder<'_> {
    pub(crate) fn mirrors(&mut self, node: &Node, defaults: Option<&Node>, names: &mut Names) -> Vec<Draft> {
        let defaults = defaults.filter(|node| !node.is_null());
        let defaults = defaults.and_then(|node| self.fields(node, "`defaults`", &DEFAULT_KEYS));
        if let Some(defaults) = defaults {
            // Told even where every mirror has its own.
            let keys = Keys {
                own: defaults,
                defaults: None,
            };
            self.draft_of(keys);
            if keys.get("to").is_some() {
                self.to(keys, names);
            }
        }
        let items = self.list(node, "`mirrors`", "- { from: SOURCE, to: TARGET }");
        items
            .iter()
            .filter_map(|item| self.mirror(item, defaults, names))
            .collect()
    }

    fn mirror(&mut self, node: &Node, defaults: Option<Fields<'_>>, names: &mut Names) -> Option<Draft> {
        let own = self.fields(node, "a mirror", &MIRROR_KEYS)?;
        let keys = Keys { own, defaults };
        let mut mirror = self.draft_of(keys);
        let (mut reads, mut searches) = self.from(keys, names);
        self.pinned_without_tags(own, &reads);
        let mut templates = self.to(keys, names);
        let selects = !searches.is_empty() || reads.iter().any(|read| read.pinned.is_none());
        if selects && !mirror.tags.is_empty() && mirror.tags.iter().all(TagSet::is_of_digests) {
            templates.retain(|template| self.told(template.suits_digests()).is_some());
        }
        let targets: usize = templates.iter().map(Template::targets).sum();
        let before = self.targets;
        let sources = reads.len() + searches.len();
        self.targets = before.saturating_add(targets.saturating_mul(sources));
        if self.targets > MAX_TARGETS {
            if before <= MAX_TARGETS {
                let message = format!("the mirrors have more than {MAX_TARGETS} targets up to here");
                self.tell(Diagnostic::new(own.span, message, "split the file into several"));
            }
            return None;
        }
        for read in &mut reads {
            for template in &templates {
                self.fill(read, template, names);
            }
        }
        self.searches_go(&mut searches, &templates, names);
        if mirror.name.is_empty() {
            let first = reads
                .first()
                .map(|read| format!("{}/{}", names.get(read.registry).name, read.repository));
            let found = || searches.first().map(|search| search.name(names));
            mirror.name = first.or_else(found).unwrap_or_default();
        }
        Some(Draft {
            mirror,
            reads,
            searches,
        })
    }

    /// Reads every key but `from` and `to`.
    fn draft_of(&mut self, keys: Keys<'_>) -> Mirror {
        let on_change = keys
            .get("on_change")
            .and_then(|node| self.choice(node, "on_change", &ON_CHANGE));
        let check = keys
            .get("check")
            .and_then(|node| self.choice(node, "check", &CHECK));
        let layers = keys.get("foreign_layers");
        let layers = layers.and_then(|node| self.choice(node, "foreign_layers", &FOREIGN_LAYERS));
        Mirror {
            name: keys
                .get("name")
                .and_then(|node| self.value(node, "`name`, text", "name: base-images"))
                .unwrap_or_default(),
            sources: Vec::new(),
            tags: keys
                .get("tags")
                .map(|node| self.tag_sets(node))
                .unwrap_or_default(),
            on_change: on_change.unwrap_or(OnChange::Update),
            check: check.unwrap_or(Check::Tags),
            referrers: keys
                .get("referrers")
                .map_or(Referrers::All, |node| self.referrers(node)),
            foreign_layers: layers.unwrap_or(ForeignLayers::Skip),
            platforms: self.platforms(keys.entry("platforms"), keys.entry("index")),
            discoveries: Vec::new(),
            found: Vec::new(),
            problems: Vec::new(),
        }
    }

    fn referrers(&mut self, node: &Node) -> Referrers {
        if node.list().is_some() {
            let help = format!("write referrers: {TYPES}, or all, or none");
            let message = "expected `referrers` to be a word or a map, found a list";
            self.tell(Diagnostic::new(node.span, message, help));
            return Referrers::All;
        }
        if node.map().is_none() {
            let none = self.choice_or(
                node,
                "referrers",
                &[("all", false), ("none", true)],
                &format!(", or a map: {TYPES}"),
            );
            return if none == Some(true) {
                Referrers::None
            } else {
                Referrers::All
            };
        }
        let Some(fields) = self.fields(node, "`referrers`", &["artifact_types"]) else {
            return Referrers::All;
        };
        let Some(types) = fields.entry("artifact_types") else {
            if fields.entries().is_empty() {
                let help = "write referrers: all, or referrers: none";
                self.tell(Diagnostic::new(
                    fields.span,
                    "`referrers` lacks `artifact_types`",
                    help,
                ));
            }
            return Referrers::All;
        };
        let items = self.list(&types.value, "`artifact_types`", "[application/spdx+json]");
        if items.is_empty() && types.value.list().is_some() {
            let message = "`artifact_types` names no type";
            let help = "write referrers: none to leave every attachment out";
            self.tell(Diagnostic::new(types.value.span, message, help));
        }
        let texts = items.iter().filter_map(|item| self.artifact_type(item));
        Referrers::ArtifactTypes(texts.collect())
    }

    /// <https://www.rfc-editor.org/rfc/rfc6838#section-4.2>
    fn artifact_type(&mut self, node: &Node) -> Option<String> {
        let example = "application/spdx+json";
        let text: String = self.value(node, "an artifact type", example)?;
        let fits = |part: &str| {
            let first = part.starts_with(|letter: char| letter.is_ascii_alphanumeric());
            first
                && part
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
        };
        if text
            .split_once('/')
            .is_some_and(|(kind, name)| fits(kind) && fits(name))
        {
            return Some(text);
        }
        let message = format!("`{text}` is no artifact type");
        let help = format!("an artifact type is a media type, such as {example}");
        self.tell(Diagnostic::new(node.span, message, help));
        None
    }

    fn from(&mut self, keys: Keys<'_>, names: &mut Names) -> (Vec<Read>, Vec<Search>) {
        let Some(node) = keys.get("from") else {
            let help = "add from: REGISTRY/REPOSITORY";
            self.tell(Diagnostic::new(keys.own.span, "this mirror has no `from`", help));
            return (Vec::new(), Vec::new());
        };
        if node.list().is_some_and(<[_]>::is_empty) {
            let help = "name one, or leave the mirror out";
            self.tell(Diagnostic::new(node.span, "`from` names no source", help));
        }
        let (mut reads, mut searches) = (Vec::new(), Vec::new());
        for item in one_or_many(node) {
            match self.source(item, names) {
                Some(Origin::Read(read)) => reads.push(read),
                Some(Origin::Search(search)) => searches.push(search),
                None => {}
            }
        }
        (reads, searches)
    }

    fn source(&mut self, node: &Node, names: &mut Names) -> Option<Origin> {
        if node
            .map()
            .is_some_and(|entries| entries.iter().any(|entry| !entry.value.is_null()))
        {
            return self.search(node, names).map(Origin::Search);
        }
        let text = self.value(node, "a reference", "from: hub/library/alpine")?;
        self.told(read(&text, node.span, names)).map(Origin::Read)
    }

    fn pinned_without_tags(&mut self, own: Fields<'_>, reads: &[Read]) {
        let (Some(tags), Some(pinned)) = (own.entry("tags"), reads.iter().find(|read| read.pinned.is_some()))
        else {
            return;
        };
        let message = "`tags` selects among tags, and the source names one thing";
        let help = "leave out `tags`, or the tag and digest in `from`";
        self.tell(Diagnostic::new(tags.key_span, message, help).also(pinned.at));
    }

    fn to(&mut self, keys: Keys<'_>, names: &mut Names) -> Vec<Template> {
        let Some(node) = keys.get("to") else {
            let help = "add one here, or one for all under `defaults`";
            self.tell(Diagnostic::new(keys.own.span, "this mirror has no `to`", help));
            return Vec::new();
        };
        if node.list().is_some_and(<[_]>::is_empty) {
            let help = "name one, or leave the mirror out";
            self.tell(Diagnostic::new(node.span, "`to` names no target", help));
        }
        one_or_many(node)
            .into_iter()
            .filter_map(|item| self.target(item, names))
            .collect()
    }

    fn target(&mut self, node: &Node, names: &mut Names) -> Option<Template> {
        let text = self.value(node, "a target", "to: ecr/base/{name}")?;
        self.told(Template::parse(&text, node.span, names))
    }

    fn fill(&mut self, read: &mut Read, template: &Template, names: &Names) {
        let endpoint = &names.get(read.registry).registry.endpoint;
        let filling = Filling {
            endpoint,
            repository: &read.repository,
            pinned: read.pinned.as_ref(),
        };
        let writes = template.fill(filling, names);
        read.writes.extend(self.told(writes).unwrap_or_default());
    }
}

fn read(text: &str, at: Span, names: &mut Names) -> Result<Read, Diagnostic> {
    let (first, rest) = split(text, at)?;
    let registry = names.registry(first, at)?;
    if rest.is_empty() {
        return Err(which_repository(&names.get(registry).name, at));
    }
    let path = names.path(registry, rest).map_err(|error| {
        let help = match rest.contains(['*', '?']) {
            true => format!(
                "to find repositories write from: {{ registry: {first}, repositories: [\"{rest}\"] }}"
            ),
            false => error.to_string(),
        };
        Diagnostic::new(at, format!("`{text}` is no reference"), help)
    })?;
    let pinned = (path.tag.is_some() || path.digest.is_some()).then_some(Pinned {
        tag: path.tag,
        digest: path.digest,
    });
    Ok(Read {
        registry,
        repository: path.repository,
        pinned,
        at,
        writes: Vec::new(),
    })
}
