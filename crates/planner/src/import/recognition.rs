//! Whose file it is, as far as its top-level keys tell.

use super::format::Format;
use super::quote::shown;
use crate::config::diagnostic::{Diagnostic, Span};
use crate::config::node::{Entry, Node};

/// So many keys are named where a file is like none that is known.
const NAMED: usize = 5;

/// Keys of a registry in a file of skopeo's, by one of which it names images.
const SKOPEO: [&str; 3] = ["images", "images-by-tag-regex", "images-by-semver"];

/// Returns true where a file has that without which the tool copies nothing.
pub(super) fn is_of(format: Format, tree: &Node) -> bool {
    match format {
        Format::SkopeoSync => has_within(tree, &SKOPEO),
        Format::Regsync => has(tree, &["sync"]),
        Format::Dregsy => has(tree, &["tasks"]),
        // A file of rules has their sources for keys.
        Format::ImageSyncer => has(tree, &["auth", "images"]) || likeness(tree).is_none(),
    }
}

/// Returns true for what may stand beside a file with images: one of the tool's with other keys.
pub(super) fn is_beside(format: Format, tree: &Node) -> bool {
    match format {
        Format::SkopeoSync => has_within(tree, &["credentials", "tls-verify", "cert-dir"]),
        Format::Regsync => has(tree, &["creds", "defaults"]),
        Format::Dregsy => has(tree, &["relay", "skopeo", "docker", "lister"]),
        Format::ImageSyncer => false,
    }
}

/// Says that a file has nothing of what the tool needs, and what it looks like.
pub(super) fn nothing_found(format: Format, tree: &Node) -> Diagnostic {
    let needed = match format {
        Format::SkopeoSync => "a registry with `images`, `images-by-tag-regex` or `images-by-semver`",
        Format::Regsync => "`sync`",
        Format::Dregsy => "`tasks`",
        Format::ImageSyncer => "`images`",
    };
    let start = entries(tree).first().map_or(tree.span, |entry| entry.key_span);
    let start = Span { length: 1, ..start };
    let message = format!("this is no file of {format}: it lacks {needed}");
    Diagnostic::new(start, message, next(tree))
}

fn next(tree: &Node) -> String {
    if let Some(like) = likeness(tree) {
        return like.to_owned();
    }
    let named = entries(tree).iter().filter(|entry| !entry.value.is_null());
    let keys: Vec<String> = named
        .take(NAMED)
        .map(|entry| format!("`{}`", shown(&entry.key)))
        .collect();
    match keys.as_slice() {
        [] => "name the file that the tool reads".to_owned(),
        keys => format!(
            "name the file that the tool reads; this one has {}",
            keys.join(", ")
        ),
    }
}

/// Says whose file it looks like instead.
fn likeness(tree: &Node) -> Option<&'static str> {
    Some(if has(tree, &["sync"]) {
        "it looks like a file of regsync: import it with `regsync`"
    } else if has(tree, &["tasks"]) {
        "it looks like a file of dregsy: import it with `dregsy`"
    } else if has(tree, &["mirrors"]) {
        "it looks like a configuration of transship, which needs no import"
    } else if has_within(tree, &SKOPEO) {
        "it looks like a file of skopeo sync: import it with `skopeo-sync`"
    } else if has(tree, &["images"]) {
        "it looks like a file of image-syncer: import it with `image-syncer`"
    } else {
        return None;
    })
}

fn entries(node: &Node) -> &[Entry] {
    node.map().unwrap_or_default()
}

fn has(node: &Node, keys: &[&str]) -> bool {
    entries(node)
        .iter()
        .any(|entry| keys.contains(&entry.key.as_str()))
}

fn has_within(node: &Node, keys: &[&str]) -> bool {
    entries(node).iter().any(|entry| has(&entry.value, keys))
}
