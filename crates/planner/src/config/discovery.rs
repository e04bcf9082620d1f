//! Reading `from: { registry, repositories }`: sources that are found when a registry is listed.

use super::decode::{Decoder, Fields, one_or_many};
use super::diagnostic::{Diagnostic, Span};
use super::names::{Names, RegistryId};
use super::node::Node;
use super::tags::glob;
use super::template::Template;
use crate::spec::{Discovery, TargetTemplate};

/// Every key of a `from` that is a map.
pub(crate) const DISCOVERY_KEYS: [&str; 2] = ["registry", "repositories"];

/// Sources that are yet to be found, before their registry is named.
#[derive(Debug)]
pub(crate) struct Search {
    registry: RegistryId,
    globs: Vec<String>,
    at: Span,
    targets: Vec<TargetTemplate>,
    written: Vec<RegistryId>,
}

impl Search {
    /// Returns the name of a mirror that has no other.
    pub(crate) fn name(&self, names: &Names) -> String {
        let glob = self.globs.first().map_or("", String::as_str);
        format!("{}/{glob}", names.get(self.registry).name)
    }

    /// Returns every registry that the search names.
    pub(crate) fn registries(&self) -> impl Iterator<Item = RegistryId> {
        std::iter::once(self.registry).chain(self.written.iter().copied())
    }

    pub(crate) fn discovery(&self, names: &Names) -> Discovery {
        Discovery {
            registry: names.get(self.registry).name.clone(),
            globs: self.globs.clone(),
            targets: self.targets.clone(),
        }
    }

    /// Returns true where more than one repository may be found.
    fn may_be_several(&self) -> bool {
        self.globs.len() > 1 || self.globs.iter().any(|glob| is_pattern(glob))
    }
}

fn is_pattern(glob: &str) -> bool {
    glob.contains(['*', '?', '[', '{'])
}

impl Decoder<'_> {
    pub(crate) fn search(&mut self, node: &Node, names: &mut Names) -> Option<Search> {
        let fields = self.fields(node, "`from`", &DISCOVERY_KEYS)?;
        for key in DISCOVERY_KEYS {
            if fields.get(key).is_none() {
                let message = format!("`from` lacks `{key}`");
                let help = "write from: { registry: hub, repositories: [\"team/*\"] }";
                self.tell(Diagnostic::new(fields.span, message, help));
            }
        }
        let registry = self.searched(fields, names);
        let globs = fields
            .get("repositories")
            .map(|node| self.repository_globs(node))?;
        Some(Search {
            registry: registry?,
            globs,
            at: fields.span,
            targets: Vec::new(),
            written: Vec::new(),
        })
    }

    fn searched(&mut self, fields: Fields<'_>, names: &mut Names) -> Option<RegistryId> {
        let node = fields.get("registry")?;
        let text = self.value(node, "`registry`, text", "registry: hub")?;
        if let Some((first, rest)) = text.split_once('/') {
            let message = "`registry` names a registry alone";
            let help = format!("write registry: {first}, repositories: [\"{rest}/**\"]");
            self.tell(Diagnostic::new(node.span, message, help));
            return None;
        }
        let registry = names.registry(&text, node.span);
        self.told(registry)
    }

    fn repository_globs(&mut self, node: &Node) -> Vec<String> {
        if node.list().is_some_and(<[_]>::is_empty) {
            let help = "write repositories: [\"team/*\"], or repositories: [\"**\"] for all of them";
            self.tell(Diagnostic::new(node.span, "`repositories` names none", help));
        }
        one_or_many(node)
            .into_iter()
            .filter_map(|item| self.repository_glob(item))
            .collect()
    }

    fn repository_glob(&mut self, node: &Node) -> Option<String> {
        let text = self.value(node, "a glob of repositories", "\"team/*\"")?;
        let problem = if let Err(error) = glob(&text) {
            let help = "`*` stands for any characters but `/`, `**` for any";
            Diagnostic::new(node.span, error.to_string(), help)
        } else if text.contains([':', '@']) {
            let message = "a glob of repositories has no tag and no digest";
            Diagnostic::new(node.span, message, "select tags under `tags`")
        } else if text.starts_with('/') || text.ends_with('/') || text.is_empty() {
            let message = format!("`{text}` matches no repository");
            let help = "write it without a `/` at its start and end, as in \"team/*\"";
            Diagnostic::new(node.span, message, help)
        } else {
            return Some(text);
        };
        self.tell(problem);
        None
    }

    /// Gives each search its targets, as far as they suit sources whose names are not known yet.
    pub(crate) fn searches_go(&mut self, searches: &mut [Search], templates: &[Template], names: &Names) {
        for search in searches {
            let endpoint = &names.get(search.registry).registry.endpoint;
            for template in templates {
                let suits = template.suits_any(endpoint, search.may_be_several(), names);
                let suits = suits.map_err(|problem| problem.also(search.at));
                if self.told(suits).is_some() {
                    search.targets.extend(template.plain(names));
                    search.written.extend(template.registries());
                }
            }
        }
    }
}
