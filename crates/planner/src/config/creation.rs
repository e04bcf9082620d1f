//! Reading `create_repositories`: the settings of repositories that are made.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use super::decode::{Decoder, Text};
use super::diagnostic::{Diagnostic, Span};
use super::json::Document;
use super::node::{Entry, Node};
use super::provider::Vendor;

const ECR: &[Vendor] = &[Vendor::Ecr];
const BOTH_ECR: &[Vendor] = &[Vendor::Ecr, Vendor::EcrPublic];
const ECR_AND_GAR: &[Vendor] = &[Vendor::Ecr, Vendor::Gar];
const GAR: &[Vendor] = &[Vendor::Gar];
const CLOUDS: &[Vendor] = &[Vendor::Ecr, Vendor::EcrPublic, Vendor::Gar, Vendor::Acr];

/// Every key of `create_repositories`, and the vendors that understand it.
pub(crate) const CREATE_KEYS: [(&str, &[Vendor]); 17] = [
    ("on_drift", CLOUDS),
    ("tag_mutability", ECR_AND_GAR),
    ("mutability_exclusions", ECR),
    ("scan_on_push", ECR),
    ("encryption", ECR),
    ("kms_key", ECR_AND_GAR),
    ("tags", BOTH_ECR),
    ("lifecycle_policy", ECR),
    ("repository_policy", BOTH_ECR),
    ("catalog", &[Vendor::EcrPublic]),
    ("description", GAR),
    ("labels", GAR),
    ("cleanup_policies", GAR),
    ("cleanup_dry_run", GAR),
    ("mode", GAR),
    ("location", GAR),
    ("lock_after_push", &[Vendor::Acr]),
];

pub(crate) const ON_DRIFT: [&str; 2] = ["keep", "update"];
pub(crate) const TAG_MUTABILITY: [&str; 2] = ["mutable", "immutable"];
pub(crate) const ENCRYPTION: [&str; 3] = ["aes256", "kms", "kms_dsse"];

// What AWS's models of ecr and ecr-public (botocore's service-2.json) allow, in characters and entries.
const LIFECYCLE_POLICY: RangeInclusive<usize> = 100..=30_720;
const REPOSITORY_POLICY: RangeInclusive<usize> = 0..=10_240;
const KMS_KEY: RangeInclusive<usize> = 1..=2_048;

impl Decoder<'_> {
    /// Reads `create_repositories` of a registry whose vendor is known, unless it can't be.
    pub(crate) fn creation(&mut self, node: &Node, vendor: Option<Vendor>) -> Option<Value> {
        if node.text().is_some() {
            return self.boolean(node, "create_repositories").map(Into::into);
        }
        let keys = CREATE_KEYS.map(|(key, _)| key);
        let fields = self.fields(node, "`create_repositories`", &keys)?;
        let mut settings = Map::new();
        for (key, owners) in CREATE_KEYS {
            let Some(entry) = fields.entry(key) else { continue };
            if let Some(vendor) = vendor.filter(|vendor| !owners.contains(vendor)) {
                self.foreign(entry, owners, vendor);
            } else if let Some(value) = self.setting(entry, vendor) {
                settings.insert(key.to_owned(), value);
            }
        }
        self.needs(fields, "mutability_exclusions", "tag_mutability");
        if vendor == Some(Vendor::Ecr) {
            self.key_of_which_encryption(fields, &settings);
        }
        Some(settings.into())
    }

    /// Tells a key that another vendor understands.
    pub(crate) fn foreign(&mut self, entry: &Entry, owners: &[Vendor], vendor: Vendor) {
        // Whoever understands both APIs of ECR's is named once.
        let doubled = |owner: &&Vendor| **owner == Vendor::EcrPublic && owners.contains(&Vendor::Ecr);
        let names = owners.iter().filter(|owner| !doubled(owner));
        let names: Vec<String> = names.map(ToString::to_string).collect();
        let message = format!(
            "`{}` is for provider {}, this registry's is {vendor}",
            entry.key,
            names.join(", ")
        );
        let help = match (vendor, owners) {
            (Vendor::Generic, [first, ..]) => format!(
                "where the host does not tell it, say `provider: {}` beside `host`",
                first.provider()
            ),
            _ => "leave it out".to_owned(),
        };
        self.tell(Diagnostic::new(entry.key_span, message, help));
    }

    fn setting(&mut self, entry: &Entry, vendor: Option<Vendor>) -> Option<Value> {
        let (key, node) = (entry.key.as_str(), &*entry.value);
        match key {
            "on_drift" => self.word(node, key, &ON_DRIFT),
            "tag_mutability" => self.word(node, key, &TAG_MUTABILITY),
            "encryption" => self.word(node, key, &ENCRYPTION),
            "mode" => self.mode(node),
            "scan_on_push" | "cleanup_dry_run" | "lock_after_push" => {
                self.boolean(node, key).map(Value::from)
            }
            "mutability_exclusions" => self.exclusions(node),
            "kms_key" if vendor == Some(Vendor::Gar) => self.google_key(node),
            "kms_key" => self.bounded(node, key, &KMS_KEY),
            "description" => Some(
                self.text(node, "`description`, text", "description: mirrored")?
                    .written
                    .into(),
            ),
            "location" => self.location(node),
            "tags" => self.tags(node),
            "labels" => self.labels(node),
            "lifecycle_policy" => self.policy(node, key, &LIFECYCLE_POLICY),
            "repository_policy" => self.policy(node, key, &REPOSITORY_POLICY),
            "cleanup_policies" => self.cleanup_policies(node),
            "catalog" => self.catalog(node),
            _ => None,
        }
    }

    pub(super) fn word(&mut self, node: &Node, key: &str, words: &[&'static str]) -> Option<Value> {
        let choices: Vec<(&str, &'static str)> = words.iter().map(|&word| (word, word)).collect();
        self.choice(node, key, &choices).map(Value::from)
    }

    /// Reads a text of so many characters.
    pub(super) fn bounded(
        &mut self,
        node: &Node,
        key: &str,
        length: &RangeInclusive<usize>,
    ) -> Option<Value> {
        let text = self.text(node, &format!("`{key}`, text"), &format!("{key}: \"...\""))?;
        if let Some(value) = &text.value {
            self.fits(node.span, key, value.chars().count(), length, "characters");
        }
        Some(text.written.into())
    }

    /// Tells a count that is not among those allowed.
    pub(super) fn fits(
        &mut self,
        at: Span,
        key: &str,
        count: usize,
        allowed: &RangeInclusive<usize>,
        what: &str,
    ) {
        if !allowed.contains(&count) {
            let (least, most) = (allowed.start(), allowed.end());
            let message = format!("`{key}` has {count} {what}");
            let help = match least {
                0 => format!("{most} are allowed"),
                _ => format!("between {least} and {most} are allowed"),
            };
            self.tell(Diagnostic::new(at, message, help));
        }
    }

    /// Reads a policy whose JSON text has so many characters.
    fn policy(&mut self, node: &Node, key: &str, length: &RangeInclusive<usize>) -> Option<Value> {
        let document = self.object_document(node, &format!("`{key}`"))?;
        if let Some(value) = &document.value {
            let count = value.to_string().chars().count();
            self.fits(node.span, key, count, length, "characters as JSON");
        }
        Some(document.written)
    }

    pub(super) fn object_document(&mut self, node: &Node, what: &str) -> Option<Document> {
        self.map(
            node,
            what,
            "paste the JSON as it is, without quotes around it: JSON is YAML",
        )?;
        self.document(node)
    }

    /// Reads names with texts.
    pub(super) fn named_texts(&mut self, node: &Node, key: &str) -> Option<Vec<NamedText>> {
        let fields = self.map(node, &format!("`{key}`"), "write NAME: TEXT below it")?;
        let texts = fields.entries().iter().filter_map(|entry| {
            Some(NamedText {
                at: entry.key_span,
                name: entry.key.clone(),
                text: self.text(&entry.value, "text", "team: base")?,
            })
        });
        Some(texts.collect())
    }
}

/// A name and its text.
pub(super) struct NamedText {
    pub(super) at: Span,
    pub(super) name: String,
    pub(super) text: Text,
}

/// Makes a map of texts as written.
pub(super) fn as_written(texts: Vec<NamedText>) -> Value {
    let entries = texts
        .into_iter()
        .map(|named| (named.name, named.text.written.into()));
    Value::Object(entries.collect())
}
