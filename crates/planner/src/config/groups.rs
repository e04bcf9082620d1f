//! Reading `groups`.

use oci::Host;

use super::decode::Decoder;
use super::diagnostic::Diagnostic;
use super::names::{Group, Member, Names, split};
use super::node::{Entry, Node};

impl Decoder<'_> {
    /// Reads the groups: lists of registries, with or without a path. A group holds no groups.
    pub(crate) fn groups(&mut self, node: &Node, names: &mut Names) {
        if node.is_null() {
            return;
        }
        let Some(fields) = self.map(node, "`groups`", "write NAME: [REGISTRY, ...] below it") else {
            return;
        };
        let known: Vec<&str> = fields.entries().iter().map(|entry| entry.key.as_str()).collect();
        for entry in fields.entries() {
            let group = self.group(entry, &known, names);
            if self.group_name(entry, names) {
                names.groups.insert(entry.key.clone(), group);
            }
        }
    }

    fn group_name(&mut self, entry: &Entry, names: &Names) -> bool {
        if let Some(declared) = names.declared(&entry.key) {
            let message = format!("`{}` is a registry's name already", entry.key);
            let problem = Diagnostic::new(entry.key_span, message, "give the group another name");
            self.tell(declared.span.into_iter().fold(problem, Diagnostic::also));
            return false;
        }
        if Host::looks_like(&entry.key) || entry.key.contains('/') || entry.key.is_empty() {
            let message = format!("`{}` can't name a group", entry.key);
            self.tell(Diagnostic::new(
                entry.key_span,
                message,
                "leave out `.`, `:` and `/`",
            ));
            return false;
        }
        true
    }

    fn group(&mut self, entry: &Entry, groups: &[&str], names: &mut Names) -> Group {
        let items = self.list(&entry.value, "a group", &format!("{}: [REGISTRY]", entry.key));
        if items.is_empty() && entry.value.list().is_some() {
            let message = format!("group `{}` is empty", entry.key);
            self.tell(Diagnostic::new(
                entry.key_span,
                message,
                "list registries, or leave the group out",
            ));
        }
        let members = items
            .iter()
            .filter_map(|item| self.member(item, groups, names))
            .collect();
        Group {
            span: entry.key_span,
            members,
        }
    }

    fn member(&mut self, node: &Node, groups: &[&str], names: &mut Names) -> Option<Member> {
        let text = self.value(node, "a registry of a group", "ecr or gar/my-project/base")?;
        let found = split(&text, node.span).and_then(|(first, path)| {
            if groups.contains(&first) && names.declared(first).is_none() {
                let message = format!("`{first}` is a group, and groups hold no groups");
                return Err(Diagnostic::new(node.span, message, "list its registries"));
            }
            if path.contains([':', '@']) {
                let message = "a group's registries have no tag and no digest";
                let help = "write the tag in `to`, as in all/base/{name}:{tag}-copy";
                return Err(Diagnostic::new(node.span, message, help));
            }
            Ok((names.registry(first, node.span)?, path.trim_end_matches('/')))
        });
        let (registry, path) = self.told(found)?;
        let slash = if path.is_empty() { "" } else { "/" };
        Some(Member {
            registry,
            path: format!("{path}{slash}"),
        })
    }
}
