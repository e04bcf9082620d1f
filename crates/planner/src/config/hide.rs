//! What of a configuration an excerpt hides: everything under `auth`, and whatever else looks like a secret.

use std::collections::BTreeMap;
use std::ops::Range;

use super::auth::{AUTH_KEYS, SECRET_KINDS};
use super::file::TOP_KEYS;
use super::mirrors::MIRROR_KEYS;
use super::node::{End, Entry, Node};
use super::registries::REGISTRY_KEYS;
use super::suggest::nearest;

/// Parts of keys whose values are hidden wherever they stand: a secret may stand at the wrong place or under a slip.
const SECRET_WORDS: [&str; 5] = ["auth", "pass", "token", "secret", "credential"];

/// Keys of secrets, to find slips of them.
const SECRET_KEYS: [&str; 4] = ["auth", "password", "token", "client_secret"];

/// Columns that are hidden, from 1, by line.
#[derive(Clone, Debug, Default)]
pub(crate) struct Masks(BTreeMap<usize, Vec<Range<usize>>>);

impl Masks {
    pub(crate) fn of(&self, line: usize) -> &[Range<usize>] {
        self.0.get(&line).map_or(&[], Vec::as_slice)
    }

    fn add(&mut self, line: usize, columns: Range<usize>) {
        if !columns.is_empty() {
            self.0.entry(line).or_default().push(columns);
        }
    }
}

/// Hides what stands under `auth` and its like in a tree.
pub(crate) fn in_tree(tree: &Node, lines: &[String]) -> Masks {
    let mut hider = Hider {
        lines,
        masks: Masks::default(),
    };
    for entry in tree.map().unwrap_or_default().iter().chain(tree.aside()) {
        match ["registries", "groups"].contains(&entry.key.as_str()) {
            true => hider.names(&entry.value),
            false => hider.pair(entry),
        }
    }
    hider.masks
}

fn is_secret(key: &str) -> bool {
    let key = key.to_lowercase();
    SECRET_WORDS.iter().any(|word| key.contains(word)) || nearest(&key, SECRET_KEYS).is_some()
}

/// Returns true for a text that starts with a user: `user:password@host`, with or without a scheme.
fn has_user(text: &str) -> bool {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    rest.split('/').next().is_some_and(|first| first.contains('@'))
}

struct Hider<'a> {
    lines: &'a [String],
    masks: Masks,
}

impl Hider<'_> {
    /// Looks for secrets in what is none itself.
    fn visit(&mut self, node: &Node) {
        for item in node.list().unwrap_or_default() {
            self.visit(item);
        }
        for entry in node.map().unwrap_or_default().iter().chain(node.aside()) {
            self.pair(entry);
        }
        if node.text().is_some_and(|(text, _)| has_user(text)) {
            self.region((node.span.line, node.span.column), node.end, &[]);
        }
    }

    fn pair(&mut self, entry: &Entry) {
        match is_secret(&entry.key) {
            true => self.entry(entry),
            false => self.visit(&entry.value),
        }
    }

    /// Looks into a map whose keys are names of the user's own.
    fn names(&mut self, node: &Node) {
        for entry in node.map().unwrap_or_default().iter().chain(node.aside()) {
            self.visit(&entry.value);
        }
    }

    /// Hides the value of a key. What an alias brings stands before its key.
    fn entry(&mut self, entry: &Entry) {
        let key = entry.key_span;
        let value = &entry.value;
        let start = (value.span.line, value.span.column);
        if start < (key.line, key.column) {
            self.value(value, start);
        } else {
            self.value(value, (key.line, key.column + key.length));
        }
    }

    /// Hides all between a place and the end of a value but its keys.
    fn value(&mut self, node: &Node, from: End) {
        let mut shown = Vec::new();
        self.keys(node, from, &mut shown);
        self.region(from, node.end, &shown);
    }

    /// Gathers the keys that may be seen, and hides what stands elsewhere.
    fn keys(&mut self, node: &Node, from: End, shown: &mut Vec<(usize, Range<usize>)>) {
        let inside = |line, column| (from..node.end).contains(&(line, column));
        for item in node.list().unwrap_or_default() {
            match inside(item.span.line, item.span.column) {
                true => self.keys(item, from, shown),
                false => self.value(item, (item.span.line, item.span.column)),
            }
        }
        for entry in node.map().unwrap_or_default().iter().chain(node.aside()) {
            let key = entry.key_span;
            if !inside(key.line, key.column) || !inside(entry.value.span.line, entry.value.span.column) {
                self.entry(entry);
            }
            if is_shown(entry) {
                shown.push((key.line, key.column..key.column + key.length));
            }
            self.keys(&entry.value, from, shown);
        }
    }

    /// Hides what stands between two places, but for some columns and the punctuation around them.
    fn region(&mut self, from: End, to: End, shown: &[(usize, Range<usize>)]) {
        for line in from.0..=to.0 {
            let Some(text) = self.lines.get(line - 1) else {
                return;
            };
            let characters: Vec<char> = text.chars().collect();
            let start = if line == from.0 { from.1 } else { 1 };
            let end = match line == to.0 {
                true => with_comment(&characters, to.1),
                false => characters.len() + 1,
            };
            let mut keys: Vec<_> = shown.iter().filter(|(at, _)| *at == line).collect();
            keys.sort_by_key(|(_, columns)| columns.start);
            let mut at = start;
            for (_, key) in keys {
                self.masks.add(line, trimmed(&characters, at..key.start.max(at)));
                at = key.end.max(at);
            }
            self.masks.add(line, trimmed(&characters, at..end.max(at)));
        }
    }
}

/// A text in braces that lacks its quotes reads as a key, so a key without a value is shown only where it is known.
fn is_shown(entry: &Entry) -> bool {
    let known = || AUTH_KEYS.iter().chain(&SECRET_KINDS).any(|key| *key == entry.key);
    !entry.value.is_null() || known()
}

/// Moves an end of a value behind the comment that follows it: a `#` in a secret without quotes starts one.
fn with_comment(line: &[char], end: usize) -> usize {
    let rest = line.get(end - 1..).unwrap_or_default();
    match rest.iter().find(|c| !c.is_whitespace()) {
        Some('#') => line.len() + 1,
        _ => end,
    }
}

/// Leaves out the colon, the brackets and the spaces around what is hidden.
fn trimmed(line: &[char], columns: Range<usize>) -> Range<usize> {
    let (mut start, mut end) = (columns.start, columns.end.min(line.len() + 1));
    let is = |column: usize, signs: &str| {
        line.get(column - 1)
            .is_some_and(|c| signs.contains(*c) || c.is_whitespace())
    };
    while start < end && is(start, ":{[,") {
        start += 1;
    }
    while start < end && is(end - 1, "}],") {
        end -= 1;
    }
    start..end
}

/// Hides in lines that are no tree: what follows a key that may hold a secret, and all below that may belong to it.
///
/// An anchor may be used under `auth`, so what it names is hidden too.
pub(crate) fn in_lines(lines: &[String]) -> Masks {
    let mut masks = Masks::default();
    let mut under: Option<Under> = None;
    for (index, line) in lines.iter().enumerate() {
        let indent = line.chars().take_while(|c| c.is_whitespace()).count();
        if line.trim().is_empty() {
            continue;
        }
        if under.as_ref().is_some_and(|under| under.ends_at(indent, line)) {
            under = None;
        }
        let start = match (&under, secret_start(line)) {
            (_, Some(start)) => start,
            (Some(_), None) => indent + 1,
            (None, None) => continue,
        };
        let indent = under.as_ref().map_or(indent, |under| under.indent.min(indent));
        let open = is_open(line) || under.is_some_and(|under| under.open);
        under = Some(Under { indent, open });
        masks.add(index + 1, start..usize::MAX);
    }
    masks
}

/// Where a secret's lines began.
struct Under {
    indent: usize,
    /// Whether a bracket or a quote may be open, so that indentation says nothing.
    open: bool,
}

impl Under {
    fn ends_at(&self, indent: usize, line: &str) -> bool {
        let word = line.trim_start().trim_start_matches("- ");
        let known = TOP_KEYS.iter().chain(&REGISTRY_KEYS).chain(&MIRROR_KEYS);
        // A word that is a key of `auth` too may still stand under it.
        let starts_known = known
            .filter(|key| !is_secret(key) && !AUTH_KEYS.contains(key))
            .any(|key| word.strip_prefix(key).is_some_and(|rest| rest.starts_with(':')));
        let starts_key = !line.trim_start().starts_with(['}', ']', ',', '"', '\'', ':']);
        indent <= self.indent && (starts_known || (!self.open && starts_key))
    }
}

/// Returns true where what a line starts may go on below it whatever the indentation there.
fn is_open(line: &str) -> bool {
    let odd = |quote: char| line.matches(quote).count() % 2 == 1;
    let bracket = line.contains(['{', '[']) && !line.trim_end().ends_with(['}', ']']);
    bracket || odd('"') || odd('\'')
}

/// Returns the column behind the colon of the first key of `line` that may hold a secret, or behind the first `&`.
fn secret_start(line: &str) -> Option<usize> {
    let value = line
        .match_indices(':')
        .find(|(at, _)| is_secret(last_word(&line[..*at])));
    let anchor = line
        .match_indices('&')
        .find(|(at, _)| line[..*at].is_empty() || line[..*at].ends_with([' ', '\t', ',', '[', '{']));
    // Behind a `?` stands a key, and its value below it.
    let explicit = line.trim_start().starts_with("? ").then_some(0);
    let start = [value.map(|(at, _)| at), anchor.map(|(at, _)| at), explicit];
    let behind = start.into_iter().flatten().min()? + 1;
    let rest = line[behind..].trim_start();
    Some(line[..line.len() - rest.len()].chars().count() + 1)
}

fn last_word(text: &str) -> &str {
    let text = text.trim_end().trim_end_matches(['"', '\'']);
    let fits = |c: char| c.is_alphanumeric() || "_-".contains(c);
    &text[text.trim_end_matches(fits).len()..]
}
