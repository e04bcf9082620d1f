//! Reading settings of Google's repositories.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use super::creation::{NamedText, as_written};
use super::decode::Decoder;
use super::diagnostic::Diagnostic;
use super::node::{Entry, Node};

/// Every key of a policy under `cleanup_policies`, as Google's API spells them.
pub(crate) const CLEANUP_KEYS: [&str; 3] = ["action", "condition", "mostRecentVersions"];
pub(crate) const CLEANUP_ACTIONS: [&str; 2] = ["KEEP", "DELETE"];
pub(crate) const MODE: [&str; 1] = ["standard"];

/// <https://cloud.google.com/artifact-registry/docs/repositories/label-repos>
const LABELS: RangeInclusive<usize> = 0..=64;
const LABEL: usize = 63;

/// <https://cloud.google.com/artifact-registry/quotas>
const CLEANUP_POLICIES: RangeInclusive<usize> = 0..=10;

impl Decoder<'_> {
    pub(super) fn mode(&mut self, node: &Node) -> Option<Value> {
        let what = ["remote", "virtual"].into_iter().find(|mode| {
            node.text()
                .is_some_and(|(text, _)| text.to_lowercase().starts_with(mode))
        });
        if let Some(mode) = what {
            let message = format!("nothing can be pushed to a {mode} repository");
            let help = "leave `mode` out, or write mode: standard";
            self.tell(Diagnostic::new(node.span, message, help));
            return None;
        }
        self.word(node, "mode", &MODE)
    }

    pub(super) fn google_key(&mut self, node: &Node) -> Option<Value> {
        let text = self.text(node, "`kms_key`, text", &format!("kms_key: {GOOGLE_KEY}"))?;
        if text.value.as_deref().is_some_and(|value| !is_google_key(value)) {
            let message = "`kms_key` names no key of Google's";
            let help = format!("it looks like {GOOGLE_KEY}");
            self.tell(Diagnostic::new(node.span, message, help));
        }
        Some(text.written.into())
    }

    pub(super) fn location(&mut self, node: &Node) -> Option<Value> {
        let text = self.text(node, "`location`, text", "location: europe-west1")?;
        let fits = |value: &String| {
            let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            !value.is_empty() && value.chars().all(known)
        };
        if text.value.as_ref().is_some_and(|value| !fits(value)) {
            let help = "a location is a region or a multi-region, such as europe-west1 or us";
            self.tell(Diagnostic::new(node.span, "`location` is none of Google's", help));
        }
        Some(text.written.into())
    }

    pub(super) fn labels(&mut self, node: &Node) -> Option<Value> {
        let texts = self.named_texts(node, "labels")?;
        self.fits(node.span, "labels", texts.len(), &LABELS, "entries");
        for NamedText { at, name, text } in &texts {
            let starts = name.starts_with(|c: char| c.is_alphabetic());
            if !starts || !is_label(name) || text.value.as_ref().is_some_and(|value| !is_label(value)) {
                let message = "Google takes no such label";
                let help = "names and values have up to 63 lower-case letters, digits, `_` and `-`; a name starts with a letter";
                self.tell(Diagnostic::new(*at, message, help));
            }
        }
        Some(as_written(texts))
    }

    pub(super) fn cleanup_policies(&mut self, node: &Node) -> Option<Value> {
        let what = "`cleanup_policies`";
        let fields = self.map(
            node,
            what,
            "write ID: { action: DELETE, condition: { ... } } below it",
        )?;
        let count = fields.entries().len();
        self.fits(node.span, "cleanup_policies", count, &CLEANUP_POLICIES, "entries");
        let mut policies = Map::new();
        for entry in fields.entries() {
            policies.extend(
                self.cleanup_policy(entry)
                    .map(|policy| (entry.key.clone(), policy)),
            );
        }
        Some(policies.into())
    }

    fn cleanup_policy(&mut self, entry: &Entry) -> Option<Value> {
        let fields = self.fields(&entry.value, "a cleanup policy", &CLEANUP_KEYS)?;
        match fields.get("action") {
            Some(action) => drop(self.word(action, "action", &CLEANUP_ACTIONS)),
            None => {
                let help = "add action: DELETE, or action: KEEP";
                self.tell(Diagnostic::new(
                    fields.span,
                    "a cleanup policy lacks `action`",
                    help,
                ));
            }
        }
        Some(self.object_document(&entry.value, "a cleanup policy")?.written)
    }
}

/// What the name of a key in Google's Cloud KMS looks like.
const GOOGLE_KEY: &str = "projects/PROJECT/locations/LOCATION/keyRings/RING/cryptoKeys/KEY";

fn is_google_key(name: &str) -> bool {
    let parts: Vec<&str> = name.split('/').collect();
    matches!(
        parts.as_slice(),
        ["projects", _, "locations", _, "keyRings", _, "cryptoKeys", _]
    ) && parts.iter().all(|part| !part.is_empty())
}

fn is_label(text: &str) -> bool {
    let known = |c: char| (c.is_alphanumeric() && !c.is_uppercase()) || c == '_' || c == '-';
    text.chars().count() <= LABEL && text.chars().all(known)
}
