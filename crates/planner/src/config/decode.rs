//! Reading values out of the tree; whatever does not fit is told, and reading goes on.

use std::rc::Rc;

use super::auth::AUTH_KEYS;
use super::conditions::CONDITION_KEYS;
use super::creation::CREATE_KEYS;
use super::diagnostic::{Diagnostic, Next, Span};
use super::expand::{Environment, ExpandError, expand};
use super::node::{Entry, Node};
use super::profile::PROFILE_KEYS;
use super::registries::{LIMIT_KEYS, TLS_KEYS};
use super::suggest::nearest;

/// What a variable that is not set means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unset {
    /// An error.
    Refused,
    /// A value that can't be known here; what depends on it goes unchecked.
    Unknown,
}

/// Collects every problem while a configuration is read.
pub(crate) struct Decoder<'a> {
    pub(crate) lines: &'a [String],
    pub(crate) environment: Environment<'a>,
    pub(crate) unset: Unset,
    pub(crate) problems: Vec<Diagnostic>,
    /// How many targets the mirrors have so far.
    pub(crate) targets: usize,
}

/// A text as written and as expanded; the latter is none where a variable is unknown.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    pub(crate) written: String,
    pub(crate) value: Option<String>,
    pub(crate) span: Span,
}

/// A map whose keys are all known ones.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'n> {
    pub(crate) span: Span,
    entries: &'n [Entry],
}

impl<'n> Fields<'n> {
    pub(crate) fn entry(&self, key: &str) -> Option<&'n Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    pub(crate) fn get(&self, key: &str) -> Option<&'n Node> {
        self.entry(key).map(|entry| &*entry.value)
    }

    pub(crate) fn entries(&self) -> &'n [Entry] {
        self.entries
    }
}

impl Decoder<'_> {
    pub(crate) fn tell(&mut self, problem: Diagnostic) {
        self.problems.push(problem);
    }

    /// Keeps what was read, or tells why it was not.
    pub(crate) fn told<T>(&mut self, result: Result<T, Diagnostic>) -> Option<T> {
        result.map_err(|problem| self.tell(problem)).ok()
    }

    pub(crate) fn wrong_type(&mut self, node: &Node, expected: &str, help: &str) {
        if node.is_broken() {
            return;
        }
        let help = match placeholder(node) {
            // A word of the user's own may be a secret; those of templates are none.
            Some(name) if ["host", "repository", "name", "tag"].contains(&name) => {
                format!("YAML reads {{{name}}} as a map; quote it: \"{{{name}}}\"")
            }
            Some(_) => "YAML reads this text as a map; quote it".to_owned(),
            None => help.to_owned(),
        };
        let message = format!("expected {expected}, found {}", node.kind());
        self.tell(Diagnostic::new(node.span, message, help));
    }

    /// Reads a map and tells every key that is not among `known`.
    pub(crate) fn fields<'n>(&mut self, node: &'n Node, what: &str, known: &[&str]) -> Option<Fields<'n>> {
        let fields = self.map(node, what, &has_keys(what, known))?;
        for entry in fields.entries {
            if !known.contains(&entry.key.as_str()) {
                self.unknown_key(entry, what, known);
            }
        }
        Some(fields)
    }

    /// Reads a map whose keys are names.
    pub(crate) fn map<'n>(&mut self, node: &'n Node, what: &str, help: &str) -> Option<Fields<'n>> {
        let Some(entries) = node.map() else {
            self.wrong_type(node, &format!("{what}, a map"), help);
            return None;
        };
        Some(Fields {
            span: node.span,
            entries,
        })
    }

    fn unknown_key(&mut self, entry: &Entry, what: &str, known: &[&str]) {
        let message = match entry.value.is_null() {
            // A text in braces that lacks its quotes reads as a key, and may be a secret.
            true => "unknown key without a value".to_owned(),
            false => format!("unknown key `{}`", entry.key),
        };
        let next = match home(what, &entry.key) {
            Some(home) => Next::from(format!("`{}` belongs under `{home}`", entry.key)),
            None => Next::meant_or(nearest(&entry.key, known.iter().copied()), has_keys(what, known)),
        };
        self.tell(Diagnostic::new(entry.key_span, message, next));
    }

    /// Reads a text; a number or a truth value without quotes is taken as it is written.
    pub(crate) fn text(&mut self, node: &Node, what: &str, example: &str) -> Option<Text> {
        let Some((written, _)) = node.text() else {
            self.wrong_type(node, what, &format!("write it as in {example}"));
            return None;
        };
        let value = match expand(written, self.environment) {
            Ok(value) => Some(value),
            Err(errors) => self.unexpanded(node, &errors)?,
        };
        Some(Text {
            written: written.to_owned(),
            value,
            span: node.span,
        })
    }

    /// Tells why a text can't be expanded. Returns `Some(None)` where it may stay unknown.
    fn unexpanded(&mut self, node: &Node, errors: &[ExpandError]) -> Option<Option<String>> {
        let mut unknown = true;
        for error in errors {
            let (variable, missing) = match error {
                ExpandError::Missing(name) => (Some(format!("${{{name}}}")), true),
                ExpandError::Name(name) => (Some(format!("${{{name}}}")), false),
                ExpandError::Unclosed => (None, false),
            };
            if missing && self.unset == Unset::Unknown {
                continue;
            }
            unknown = false;
            let at = variable
                .and_then(|variable| self.find(node.span, &variable))
                .unwrap_or(node.span);
            let help = match missing {
                true => "set it, or give a default: ${NAME:-default}",
                false => "write $$ for a `$` that starts no variable",
            };
            self.tell(Diagnostic::new(at, error.to_string(), help));
        }
        unknown.then_some(None)
    }

    /// Finds `needle` in the line that a value starts on.
    fn find(&self, value: Span, needle: &str) -> Option<Span> {
        let line = self.lines.get(value.line.checked_sub(1)?)?;
        let start = line.char_indices().nth(value.column - 1)?.0;
        let at = start + line[start..].find(needle)?;
        let column = line[..at].chars().count() + 1;
        Some(Span {
            line: value.line,
            column,
            length: needle.chars().count(),
        })
    }

    /// Reads a text that is needed as a value only. None also where it is unknown.
    pub(crate) fn value(&mut self, node: &Node, what: &str, example: &str) -> Option<String> {
        self.text(node, what, example)?.value
    }

    pub(crate) fn boolean(&mut self, node: &Node, key: &str) -> Option<bool> {
        let expected = format!("`{key}`, true or false");
        let help = format!("write {key}: true or {key}: false");
        let value = self.plain(node, &expected, &help)?;
        match value.as_str() {
            "true" | "True" | "TRUE" => Some(true),
            "false" | "False" | "FALSE" => Some(false),
            _ => {
                self.tell(Diagnostic::new(
                    node.span,
                    format!("expected {expected}, found text"),
                    help,
                ));
                None
            }
        }
    }

    pub(crate) fn number(&mut self, node: &Node, key: &str, least: u64) -> Option<u64> {
        let expected = format!("`{key}`, a whole number from {least}");
        let help = format!("write it in digits, as in {key}: {}", least.max(1));
        let value = self.plain(node, &expected, &help)?;
        let number = value
            .parse()
            .ok()
            .filter(|number| *number >= least && !value.starts_with('+'));
        if number.is_none() {
            self.tell(Diagnostic::new(node.span, format!("expected {expected}"), help));
        }
        number
    }

    /// Reads a scalar that must stand without quotes, unless a variable brings it.
    fn plain(&mut self, node: &Node, expected: &str, help: &str) -> Option<String> {
        match node.text() {
            Some((text, false)) if !text.contains('$') => {
                let message = format!("expected {expected}, found text in quotes");
                self.tell(Diagnostic::new(node.span, message, "leave out the quotes"));
                None
            }
            Some(_) => self.value(node, expected, help),
            None => {
                self.wrong_type(node, expected, help);
                None
            }
        }
    }

    /// Reads one of a few words.
    pub(crate) fn choice<T: Copy>(&mut self, node: &Node, key: &str, choices: &[(&str, T)]) -> Option<T> {
        self.choice_or(node, key, choices, "")
    }

    /// Reads one of a few words where the key takes something else too, which `otherwise` says.
    pub(crate) fn choice_or<T: Copy>(
        &mut self,
        node: &Node,
        key: &str,
        choices: &[(&str, T)],
        otherwise: &str,
    ) -> Option<T> {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        let word = self.value(node, &format!("`{key}`, a word"), &format!("{key}: {}", names[0]))?;
        if let Some((_, choice)) = choices.iter().find(|(name, _)| *name == word) {
            return Some(*choice);
        }
        let help = format!("`{key}` takes {}{otherwise}", names.join(", "));
        let next = Next::meant_or(nearest(&word, names), help);
        self.tell(Diagnostic::new(
            node.span,
            format!("unknown value of `{key}`"),
            next,
        ));
        None
    }

    /// Reads a list of anything.
    pub(crate) fn list<'n>(&mut self, node: &'n Node, what: &str, example: &str) -> &'n [Rc<Node>] {
        node.list().unwrap_or_else(|| {
            let help = format!("a list stands in brackets or behind dashes: {example}");
            self.wrong_type(node, &format!("{what}, a list"), &help);
            &[]
        })
    }
}

fn has_keys(what: &str, known: &[&str]) -> String {
    format!("{what} has the keys {}", known.join(", "))
}

/// Returns the key of a map under which a key of another belongs that stands beside it.
fn home(what: &str, key: &str) -> Option<&'static str> {
    match what {
        "a mirror" | "`defaults`" if CONDITION_KEYS.contains(&key) => Some("tags"),
        "a registry" if AUTH_KEYS.contains(&key) => Some("auth"),
        "a registry" if TLS_KEYS.contains(&key) => Some("tls"),
        "a registry" if LIMIT_KEYS.contains(&key) => Some("limits"),
        "a registry" if CREATE_KEYS.iter().any(|(known, _)| *known == key) => Some("create_repositories"),
        "a registry" if PROFILE_KEYS.contains(&key) => Some("profile"),
        _ => None,
    }
}

/// Reads one thing or a list of them.
pub(crate) fn one_or_many(node: &Node) -> Vec<&Node> {
    match node.list() {
        Some(items) => items.iter().map(|item| &**item).collect(),
        None => vec![node],
    }
}

/// Returns the word of a `{word}` that YAML read as a map.
pub(crate) fn placeholder(node: &Node) -> Option<&str> {
    match node.map()? {
        [entry] if entry.value.is_null() => Some(&entry.key),
        _ => None,
    }
}
