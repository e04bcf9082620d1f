//! Reading settings of Amazon's repositories.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use super::creation::{NamedText, as_written};
use super::decode::{Decoder, Fields};
use super::diagnostic::Diagnostic;
use super::node::Node;

/// Every key of `catalog`.
pub(crate) const CATALOG_KEYS: [&str; 5] = [
    "description",
    "about",
    "usage",
    "architectures",
    "operating_systems",
];

// What AWS's models of ecr and ecr-public (botocore's service-2.json) allow, in characters and entries.
const EXCLUSIONS: RangeInclusive<usize> = 1..=5;
const EXCLUSION: RangeInclusive<usize> = 1..=128;
const CATALOG_DESCRIPTION: RangeInclusive<usize> = 0..=1_024;
const CATALOG_TEXT: RangeInclusive<usize> = 0..=25_600;
const CATALOG_LIST: RangeInclusive<usize> = 0..=50;
const CATALOG_WORD: RangeInclusive<usize> = 1..=50;

/// <https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-using-tags.html>
const TAGS: RangeInclusive<usize> = 0..=50;
const TAG_KEY: RangeInclusive<usize> = 1..=128;
const TAG_VALUE: RangeInclusive<usize> = 0..=256;

impl Decoder<'_> {
    pub(super) fn exclusions(&mut self, node: &Node) -> Option<Value> {
        let key = "mutability_exclusions";
        let items = self.list(node, &format!("`{key}`"), "[\"latest*\", dev]");
        node.list()?;
        self.fits(node.span, key, items.len(), &EXCLUSIONS, "patterns");
        let mut patterns = Vec::new();
        for item in items {
            let Some(text) = self.text(item, "a pattern of tags", "\"latest*\"") else {
                continue;
            };
            let fits = |value: &String| {
                let known = |c: char| c.is_ascii_alphanumeric() || "._*-".contains(c);
                EXCLUSION.contains(&value.chars().count()) && value.chars().all(known)
            };
            if text.value.as_ref().is_some_and(|value| !fits(value)) {
                let message = "ECR takes no such pattern of tags";
                let help =
                    "a pattern has up to 128 letters, digits, `.`, `_`, `-`, and `*` for any characters";
                self.tell(Diagnostic::new(item.span, message, help));
            }
            patterns.push(Value::from(text.written));
        }
        Some(patterns.into())
    }

    pub(super) fn key_of_which_encryption(&mut self, fields: Fields<'_>, settings: &Map<String, Value>) {
        let Some(entry) = fields.entry("kms_key") else {
            return;
        };
        let encryption = settings.get("encryption").and_then(Value::as_str);
        if fields.entry("encryption").is_none() || encryption == Some("aes256") {
            let message = "`kms_key` is of use with a KMS encryption alone";
            let help = "write encryption: kms, or encryption: kms_dsse, beside it";
            self.tell(Diagnostic::new(entry.key_span, message, help));
        }
    }

    pub(super) fn tags(&mut self, node: &Node) -> Option<Value> {
        let texts = self.named_texts(node, "tags")?;
        self.fits(node.span, "tags", texts.len(), &TAGS, "entries");
        for NamedText { at, name, text } in &texts {
            let long = text
                .value
                .as_ref()
                .is_some_and(|value| !TAG_VALUE.contains(&value.chars().count()));
            if name.to_lowercase().starts_with("aws:") {
                let message = "the names of tags that start with `aws:` are AWS's own";
                self.tell(Diagnostic::new(*at, message, "give it another name"));
            } else if long || !TAG_KEY.contains(&name.chars().count()) {
                let message = "AWS takes no such tag";
                let help = "a tag has a name of up to 128 and a value of up to 256 characters";
                self.tell(Diagnostic::new(*at, message, help));
            }
        }
        Some(as_written(texts))
    }

    pub(super) fn catalog(&mut self, node: &Node) -> Option<Value> {
        let fields = self.fields(node, "`catalog`", &CATALOG_KEYS)?;
        let mut catalog = Map::new();
        for (key, length) in [
            ("description", &CATALOG_DESCRIPTION),
            ("about", &CATALOG_TEXT),
            ("usage", &CATALOG_TEXT),
        ] {
            let text = fields.get(key).and_then(|node| self.bounded(node, key, length));
            catalog.extend(text.map(|text| (key.to_owned(), text)));
        }
        for key in ["architectures", "operating_systems"] {
            let words = fields.get(key).and_then(|node| self.catalog_words(node, key));
            catalog.extend(words.map(|words| (key.to_owned(), words)));
        }
        Some(catalog.into())
    }

    fn catalog_words(&mut self, node: &Node, key: &str) -> Option<Value> {
        let items = self.list(node, &format!("`{key}`"), "[x86-64, ARM 64]");
        node.list()?;
        self.fits(node.span, key, items.len(), &CATALOG_LIST, "entries");
        let words = items
            .iter()
            .filter_map(|item| self.bounded(item, key, &CATALOG_WORD));
        Some(words.collect::<Vec<_>>().into())
    }
}
