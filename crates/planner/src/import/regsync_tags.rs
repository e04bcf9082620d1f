//! `tags` and `tagSets` of regsync's file.

use super::draft::Set;
use super::pattern;
use super::quote::{literal, shown};
use super::ranges::{REGCLIENT_VERSIONS, regclient};
use super::reading::{Keys, Reading};
use super::report::Kind;
use crate::config::diagnostic::Span;
use crate::config::node::Node;

const KEYS: [&str; 3] = ["allow", "deny", "semverRange"];

/// What a step selects.
#[derive(Default)]
pub(super) struct Selected {
    /// None takes every tag, unless something has no counterpart.
    pub(super) sets: Vec<Set>,
    /// What has no counterpart, and why.
    pub(super) without: Vec<(Span, String, String)>,
}

/// Reads the sets of a step, any of which takes a tag.
pub(super) fn read(reading: &mut Reading<'_>, step: Keys<'_>) -> Selected {
    let mut selected = Selected::default();
    let mut every = false;
    let sets = step.get("tagSets");
    let sets = sets
        .map(|node| reading.list(node, "`tagSets`"))
        .unwrap_or_default();
    // `tags` is one more set where it says anything.
    let own = step.get("tags").filter(|node| says_anything(node));
    for node in sets.iter().map(|set| &**set).chain(own) {
        if says_anything(node) {
            set(reading, node, &mut selected);
        } else {
            every = true;
            let _ = reading.keys(node, "a set of `tagSets`", &KEYS);
        }
    }
    if every {
        selected.sets.clear();
        selected.without.clear();
    }
    selected
}

fn says_anything(node: &Node) -> bool {
    let entries = node.map().unwrap_or_default();
    let empty = |node: &Node| node.is_null() || node.list().is_some_and(<[_]>::is_empty);
    !node.is_null() && (node.map().is_none() || entries.iter().any(|entry| !empty(&entry.value)))
}

fn set(reading: &mut Reading<'_>, node: &Node, selected: &mut Selected) {
    let keys = reading.keys(node, "a set of tags", &KEYS);
    let before = selected.without.len();
    let mut set = Set {
        regex: expressions(reading, keys, "allow", selected),
        exclude_regex: expressions(reading, keys, "deny", selected),
        ..Set::default()
    };
    let ranges: Vec<(&str, Span)> = reading
        .texts_of(keys, "semverRange")
        .into_iter()
        .filter(|(text, _)| !text.is_empty())
        .collect();
    if let Some((_, span)) = ranges.first() {
        let texts: Vec<&str> = ranges.iter().map(|(text, _)| *text).collect();
        match regclient(&texts) {
            Ok(range) => {
                reading.changed(*span, REGCLIENT_VERSIONS);
                set.semver = Some(range.semver);
                set.prerelease = range.prerelease;
            }
            Err(why) => {
                let what = format!("the range `{}`", shown(&texts.join("`, `")));
                selected.without.push((*span, what, why));
            }
        }
    }
    if selected.without.len() == before && set != Set::default() {
        selected.sets.push(set);
    }
}

fn expressions(reading: &mut Reading<'_>, keys: Keys<'_>, key: &str, selected: &mut Selected) -> Vec<String> {
    let mut ours = Vec::new();
    for (text, span) in reading.texts_of(keys, key) {
        match pattern::between_anchors(text) {
            Ok(expression) => {
                if pattern::has_loose_alternatives(text) {
                    let note = "regsync puts `^` before and `$` behind an expression, so that `a|b` takes whatever starts with a or \
                                ends with b; that is kept, and `(a|b)` is what is mostly meant";
                    reading.tell(Kind::Rewritten, span, note);
                }
                ours.push(literal(&expression));
            }
            Err(why) => {
                let what = format!("the expression `{}` of `{key}`", shown(text));
                selected.without.push((span, what, why));
            }
        }
    }
    ours
}
