//! Reading `groups`.

use oci::Host;

use super::decode::Decoder;
use super::diagnostic::Diagnostic;
use super::names::{Group, Member, Names, split};
use super::yaml::{Entry, Node};

impl Decoder<'_> {
    /// Reads the groups: lists of registries, with or without a path. A group holds no groups.
    pub(crate) fn groups(&mut self, node: &Node, names: &mut Names) {
        if node.is_null() {
            return;
        }
        let Some(fields) = self.map(node, "`groups`") else {
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
            let problem = Diagnostic::new(
                entry.key_span,
                format!("`{}` is a registry's name already", entry.key),
            );
            self.tell(declared.span.into_iter().fold(problem, Diagnostic::also));
            return false;
        }
        if Host::looks_like(&entry.key) || entry.key.contains('/') || entry.key.is_empty() {
            let message = format!("`{}` can't name a group", entry.key);
            self.tell(Diagnostic::new(entry.key_span, message).help("leave out `.`, `:` and `/`"));
            return false;
        }
        true
    }

    fn group(&mut self, entry: &Entry, groups: &[&str], names: &mut Names) -> Group {
        let items = self.list(&entry.value, "a group");
        if items.is_empty() && entry.value.list().is_some() {
            self.tell(Diagnostic::new(
                entry.key_span,
                format!("group `{}` is empty", entry.key),
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
        let text = self.value(node, "a registry of a group, with or without a path")?;
        let found = split(&text, node.span).and_then(|(first, path)| {
            if groups.contains(&first) && names.declared(first).is_none() {
                let message = format!("`{first}` is a group, and groups hold no groups");
                return Err(Diagnostic::new(node.span, message).help("list its registries"));
            }
            Ok((names.registry(first, node.span)?, path))
        });
        match found {
            Ok((_, path)) if path.contains([':', '@']) => {
                self.tell(Diagnostic::new(
                    node.span,
                    "a group's registries have no tag and no digest",
                ));
                None
            }
            Ok((registry, path)) => {
                let path = path.trim_end_matches('/');
                let path = if path.is_empty() {
                    String::new()
                } else {
                    format!("{path}/")
                };
                Some(Member { registry, path })
            }
            Err(problem) => {
                self.tell(problem);
                None
            }
        }
    }
}
