//! Reading a foreign file: what is known, what is not, and where it stands.

use std::rc::Rc;

use super::format::Format;
use super::report::{At, Kind, Report};
use crate::config::diagnostic::{Diagnostic, Span};
use crate::config::node::{Entry, Node};
use crate::config::suggest::nearest;

/// A file that is being read: its problems end the import, everything else is told in the report.
pub(super) struct Reading<'a> {
    pub(super) format: Format,
    pub(super) file: &'a str,
    pub(super) report: &'a mut Report,
    pub(super) problems: Vec<Diagnostic>,
}

/// A map of a foreign file.
#[derive(Clone, Copy)]
pub(super) struct Keys<'n>(&'n [Entry]);

impl<'n> Keys<'n> {
    /// Takes a map whose unknown keys are told elsewhere; anything else is an empty one.
    pub(super) fn of(node: &'n Node) -> Self {
        Self(node.map().unwrap_or_default())
    }

    pub(super) fn none() -> Self {
        Self(&[])
    }

    pub(super) fn entry(self, key: &str) -> Option<&'n Entry> {
        self.0
            .iter()
            .find(|entry| entry.key == key && !entry.value.is_null())
    }

    pub(super) fn get(self, key: &str) -> Option<&'n Node> {
        self.entry(key).map(|entry| &*entry.value)
    }
}

impl Reading<'_> {
    pub(super) fn at(&self, span: Span) -> At {
        At {
            file: self.file.to_owned(),
            line: span.line,
            column: span.column,
        }
    }

    pub(super) fn tell(&mut self, kind: Kind, span: Span, text: impl Into<String>) {
        let at = self.at(span);
        self.report.tell(kind, Some(at), text);
    }

    pub(super) fn changed(&mut self, span: Span, text: impl Into<String>) {
        self.tell(Kind::Changed, span, text);
    }

    /// Says that the file is not one of the tool's.
    pub(super) fn wrong(&mut self, span: Span, message: impl Into<String>, help: impl Into<String>) {
        self.problems.push(Diagnostic::new(span, message, help.into()));
    }

    fn wrong_type(&mut self, node: &Node, what: &str, expected: &str) {
        if !node.is_broken() {
            let message = format!("expected {what} to be {expected}, found {}", node.kind());
            let help = format!("{} reads {expected} there", self.format);
            self.wrong(node.span, message, help);
        }
    }

    /// Reads a map whose keys are names; nothing at all is an empty one.
    pub(super) fn map<'n>(&mut self, node: &'n Node, what: &str) -> &'n [Entry] {
        if node.is_null() {
            return &[];
        }
        node.map().unwrap_or_else(|| {
            self.wrong_type(node, what, "a map");
            &[]
        })
    }

    /// Reads a map whose keys are known, and tells the others.
    pub(super) fn keys<'n>(&mut self, node: &'n Node, what: &str, known: &[&str]) -> Keys<'n> {
        let entries = self.map(node, what);
        for entry in entries {
            if !known.contains(&entry.key.as_str()) {
                self.unknown_key(entry, what, known);
            }
        }
        Keys(entries)
    }

    fn unknown_key(&mut self, entry: &Entry, what: &str, known: &[&str]) {
        let meant = match nearest(&entry.key, known.iter().copied()) {
            Some(name) => format!("; was `{name}` meant?"),
            None => String::new(),
        };
        // A text in braces that lacks its quotes reads as a key, and may be a secret.
        let key = match entry.value.is_null() {
            true => "a key without a value".to_owned(),
            false => format!("`{}`", super::quote::shown(&entry.key)),
        };
        let text = format!(
            "{key} is unknown in {what}, and {} ignores it{meant}",
            self.format
        );
        self.tell(Kind::Ignored, entry.key_span, text);
    }

    pub(super) fn list<'n>(&mut self, node: &'n Node, what: &str) -> &'n [Rc<Node>] {
        if node.is_null() {
            return &[];
        }
        node.list().unwrap_or_else(|| {
            self.wrong_type(node, what, "a list");
            &[]
        })
    }

    pub(super) fn text<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n str> {
        if node.is_null() {
            return None;
        }
        if node.text().is_none() {
            self.wrong_type(node, what, "text");
        }
        node.text().map(|(text, _)| text)
    }

    /// Reads a list of texts, each with its place.
    pub(super) fn texts<'n>(&mut self, node: &'n Node, what: &str) -> Vec<(&'n str, Span)> {
        let items = self.list(node, what);
        items
            .iter()
            .filter_map(|item| Some((self.text(item, what)?, item.span)))
            .collect()
    }

    /// Reads the text of a key; an empty one is none.
    pub(super) fn text_of<'n>(&mut self, keys: Keys<'n>, key: &str) -> Option<(&'n str, Span)> {
        let entry = keys.entry(key)?;
        let text = self.text(&entry.value, &format!("`{key}`"))?;
        (!text.is_empty()).then_some((text, entry.value.span))
    }

    pub(super) fn texts_of<'n>(&mut self, keys: Keys<'n>, key: &str) -> Vec<(&'n str, Span)> {
        keys.get(key)
            .map(|node| self.texts(node, &format!("`{key}`")))
            .unwrap_or_default()
    }

    pub(super) fn boolean(&mut self, keys: Keys<'_>, key: &str) -> Option<bool> {
        let node = keys.get(key)?;
        match node.text() {
            Some(("true" | "True" | "TRUE" | "yes" | "on", _)) => Some(true),
            Some(("false" | "False" | "FALSE" | "no" | "off", _)) => Some(false),
            _ => {
                self.wrong_type(node, &format!("`{key}`"), "true or false");
                None
            }
        }
    }

    /// Tells keys that have no counterpart, each with why, where they are set.
    pub(super) fn without_counterpart(&mut self, keys: Keys<'_>, why: &[(&str, &str)]) {
        for (key, why) in why {
            if let Some(entry) = keys.entry(key) {
                self.changed(entry.key_span, format!("`{key}` has no counterpart: {why}"));
            }
        }
    }
}
