//! Reading `tags`.

use std::collections::BTreeSet;

use oci::{AttachmentTag, Digest, Tag};

use super::age::Age;
use super::decode::{Decoder, Fields, one_or_many};
use super::diagnostic::{Diagnostic, Next};
use super::node::Node;
use super::suggest::nearest;
use super::tags::{ConditionError, Conditions, Latest, TagSet, anchored, glob, range};

/// Every key of a set of conditions.
pub(crate) const CONDITION_KEYS: [&str; 11] = [
    "include",
    "exclude",
    "regex",
    "exclude_regex",
    "list",
    "digests",
    "semver",
    "prerelease",
    "created_within",
    "latest",
    "at_least",
];

pub(crate) const LATEST_KEYS: [&str; 2] = ["minors", "patches"];

impl Decoder<'_> {
    /// Reads one set of conditions or a list of them.
    pub(crate) fn tag_sets(&mut self, node: &Node) -> Vec<TagSet> {
        if node.list().is_some_and(<[_]>::is_empty) {
            let help = "leave `tags` out to take every tag";
            self.tell(Diagnostic::new(node.span, "`tags` has no conditions", help));
        }
        one_or_many(node)
            .into_iter()
            .filter_map(|set| self.tag_set(set))
            .collect()
    }

    fn tag_set(&mut self, node: &Node) -> Option<TagSet> {
        if node.text().is_some() {
            self.tell(Diagnostic::new(
                node.span,
                "expected conditions, a map, found text",
                "tags by name are a list: tags: { list: [\"3.19\", latest] }",
            ));
            return None;
        }
        let fields = self.fields(node, "a set of tag conditions", &CONDITION_KEYS)?;
        self.digests_alone(fields);
        let conditions = Conditions {
            include: self.patterns(fields, "include", |text| glob(text).map(drop)),
            exclude: self.patterns(fields, "exclude", |text| glob(text).map(drop)),
            regex: self.patterns(fields, "regex", |text| anchored(text).map(drop)),
            exclude_regex: self.patterns(fields, "exclude_regex", |text| anchored(text).map(drop)),
            list: fields.get("list").map(|node| self.tag_list(node)),
            digests: fields.get("digests").map(|node| self.digest_list(node)),
            prerelease: self.prerelease(fields),
            semver: self.semver(fields),
            created_within: fields
                .get("created_within")
                .and_then(|node| self.created_within(node)),
            latest: fields.get("latest").and_then(|node| self.latest(node)),
            at_least: fields
                .get("at_least")
                .and_then(|node| self.number(node, "at_least", 0)),
        };
        self.enough_digests(fields, &conditions);
        self.version_groups(fields);
        // Whatever can't be compiled was left out, and told.
        TagSet::new(conditions).ok()
    }

    /// Tells groups of a `regex` that nothing reads, where versions are: a slip in `version` would go unseen.
    fn version_groups(&mut self, fields: Fields<'_>) {
        let (Some(node), Some(reader)) = (
            fields.get("regex"),
            ["semver", "latest"]
                .into_iter()
                .find(|key| fields.get(key).is_some()),
        ) else {
            return;
        };
        for item in one_or_many(node) {
            let compiled = item.text().and_then(|(text, _)| anchored(text).ok());
            let Some(regex) = compiled else { continue };
            let mut names = regex.capture_names().flatten();
            let is_read = regex.capture_names().flatten().any(|name| name == "version");
            if let (Some(name), false) = (names.next(), is_read) {
                let message = format!("`{reader}` reads no group `{name}` of a regex");
                let help = "it reads the group `version`; a group that is not read needs no name: (?:...)";
                let next = Next::meant_or(nearest(name, ["version"]), help);
                self.tell(Diagnostic::new(item.span, message, next));
            }
        }
    }

    /// Tells an `at_least` that no digests could fulfil; as they must all exist, any other says nothing.
    fn enough_digests(&mut self, fields: Fields<'_>, conditions: &Conditions) {
        let (Some(named), Some(entry)) = (fields.get("digests"), fields.entry("at_least")) else {
            return;
        };
        let count = one_or_many(named).len();
        if conditions
            .at_least
            .is_some_and(|at_least| at_least > count as u64)
        {
            let message = format!("`at_least` is more than the {count} that `digests` names");
            let help = "leave `at_least` out: every digest must exist";
            self.tell(Diagnostic::new(entry.value.span, message, help));
        }
    }

    /// Reads one pattern or several, and keeps those that compile.
    fn patterns(
        &mut self,
        fields: Fields<'_>,
        key: &str,
        compile: fn(&str) -> Result<(), ConditionError>,
    ) -> Vec<String> {
        let Some(node) = fields.get(key) else {
            return Vec::new();
        };
        if node.list().is_some_and(<[_]>::is_empty) {
            let help = format!("leave `{key}` out, or give it a pattern");
            self.tell(Diagnostic::new(
                node.span,
                format!("`{key}` has no patterns"),
                help,
            ));
        }
        let mut patterns = Vec::new();
        for item in one_or_many(node) {
            let Some(text) = self.value(
                item,
                &format!("`{key}`, a pattern or a list of them"),
                &format!("{key}: \"...\""),
            ) else {
                continue;
            };
            match compile(&text) {
                Ok(()) => patterns.push(text),
                Err(error) => self.tell(Diagnostic::new(
                    item.span,
                    error.to_string(),
                    pattern_help(&error),
                )),
            }
        }
        patterns
    }

    fn tag_list(&mut self, node: &Node) -> BTreeSet<Tag> {
        if node.list().is_some_and(<[_]>::is_empty) {
            let help = "leave `list` out, or name a tag";
            self.tell(Diagnostic::new(node.span, "`list` has no tags", help));
        }
        let mut tags = BTreeSet::new();
        for item in one_or_many(node) {
            let Some(text) = self.value(
                item,
                "`list`, a tag or a list of them",
                "list: [\"3.19\", latest]",
            ) else {
                continue;
            };
            match text.parse::<Tag>() {
                Ok(tag) if tags.contains(&tag) => {
                    let message = format!("`{tag}` is listed twice");
                    self.tell(Diagnostic::new(item.span, message, "leave one out"));
                }
                Ok(tag) if AttachmentTag::scheme(&tag).is_some() => {
                    let message = format!("`{tag}` attaches something, and is no tag to select");
                    let help = "attachments follow by `referrers`; to copy one by itself name it in `from`";
                    self.tell(Diagnostic::new(item.span, message, help));
                }
                Ok(tag) => {
                    tags.insert(tag);
                }
                Err(error) => {
                    let help = match text.contains(['*', '?', '[', '{']) {
                        true => "globs go into `include`".to_owned(),
                        false => error.to_string(),
                    };
                    self.tell(Diagnostic::new(item.span, format!("`{text}` is no tag"), help));
                }
            }
        }
        tags
    }

    fn digest_list(&mut self, node: &Node) -> BTreeSet<Digest> {
        if node.list().is_some_and(<[_]>::is_empty) {
            let help = "leave `digests` out, or name a digest";
            self.tell(Diagnostic::new(node.span, "`digests` has no digests", help));
        }
        let mut digests = BTreeSet::new();
        for item in one_or_many(node) {
            let Some(text) = self.value(
                item,
                "`digests`, a digest or a list of them",
                "digests: [sha256:...]",
            ) else {
                continue;
            };
            match text.parse::<Digest>() {
                Ok(digest) if digests.contains(&digest) => {
                    let message = format!("`{digest}` is named twice");
                    self.tell(Diagnostic::new(item.span, message, "leave one out"));
                }
                Ok(digest) => {
                    digests.insert(digest);
                }
                Err(error) => {
                    let help = match text.parse::<Tag>() {
                        Ok(_) => "tags by name go into `list`".to_owned(),
                        Err(_) => error.to_string(),
                    };
                    self.tell(Diagnostic::new(item.span, format!("`{text}` is no digest"), help));
                }
            }
        }
        digests
    }

    /// Checks that a set takes digests or tags: no condition on tags says anything of a digest.
    fn digests_alone(&mut self, fields: Fields<'_>) {
        let Some(digests) = fields.entry("digests") else {
            return;
        };
        let others = fields.entries().iter().filter(|entry| {
            let key = entry.key.as_str();
            CONDITION_KEYS.contains(&key) && !["digests", "at_least"].contains(&key)
        });
        for other in others {
            let message = format!("`{}` selects among tags, and `digests` takes none", other.key);
            let help = format!(
                "write two sets: tags: [{{ digests: [...] }}, {{ {}: ... }}]",
                other.key
            );
            self.tell(Diagnostic::new(other.key_span, message, help).also(digests.key_span));
        }
    }

    fn created_within(&mut self, node: &Node) -> Option<Age> {
        let what = "`created_within`, a time";
        let text = self.value(node, what, "created_within: 90d")?;
        let age = text.parse::<Age>().map_err(|error| {
            let message = format!("`{text}` is no time");
            Diagnostic::new(node.span, message, error.to_string())
        });
        self.told(age)
    }

    fn prerelease(&mut self, fields: Fields<'_>) -> bool {
        let Some(entry) = fields.entry("prerelease") else {
            return false;
        };
        if fields.entry("semver").is_none() && fields.entry("latest").is_none() {
            self.tell(Diagnostic::new(
                entry.key_span,
                "`prerelease` has no effect without `semver` or `latest`",
                "semver: \"*\" takes every version",
            ));
        }
        self.boolean(&entry.value, "prerelease").unwrap_or(false)
    }

    fn semver(&mut self, fields: Fields<'_>) -> Option<String> {
        let node = fields.get("semver")?;
        let text = self.value(node, "`semver`, a range of versions", "semver: \">=3.19, <4\"")?;
        let admitted = fields
            .get("prerelease")
            .and_then(Node::text)
            .is_some_and(|(text, _)| text != "false");
        match range(&text) {
            Ok(range) if range.names_prerelease() && !admitted => {
                self.tell(Diagnostic::new(
                    node.span,
                    "the range names a prerelease, and prereleases are left out",
                    "add `prerelease: true`",
                ));
                None
            }
            Ok(_) => Some(text),
            Err(error) => {
                let help = "ranges read as in >=3.19, <4 and ^1.2 || ~2.3 and 1.x";
                self.tell(Diagnostic::new(node.span, error.to_string(), help));
                None
            }
        }
    }

    fn latest(&mut self, node: &Node) -> Option<Latest> {
        if node.map().is_none() {
            return self.number(node, "latest", 1).map(Latest::Versions);
        }
        let fields = self.fields(node, "`latest`", &LATEST_KEYS)?;
        let Some(minors) = fields.get("minors") else {
            let help = "write latest: { minors: 3, patches: 1 }, or latest: 3 for versions";
            self.tell(Diagnostic::new(fields.span, "`latest` lacks `minors`", help));
            return None;
        };
        let minors = self.number(minors, "minors", 1);
        let patches = fields
            .get("patches")
            .map_or(Some(1), |node| self.number(node, "patches", 1));
        Some(Latest::Minors {
            minors: minors?,
            patches: patches?,
        })
    }
}

fn pattern_help(error: &ConditionError) -> &'static str {
    match error {
        ConditionError::Regex(..) => r"a backslash makes a sign plain, as in v1\.\d+ and \(",
        _ => r"globs read as in 3.*, v?.1 and {a,b}-[0-9]; a backslash makes a sign plain",
    }
}
