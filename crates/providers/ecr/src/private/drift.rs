//! What differs between a repository as it is and as it is wanted; pure.

use std::collections::BTreeMap;

use aws_sdk_ecr::types::{EncryptionType, ImageScanningConfiguration, ImageTagMutability, Repository};
use planner::{Change, Drift, Immutable};
use serde_json::Value;

use crate::policy;
use crate::settings::{Encryption, Mutability, Settings};

/// A repository as Amazon describes it. What was not asked for, because nobody wants it to be anything, is empty.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    pub(super) arn: String,
    pub(super) mutability: Option<Mutability>,
    pub(super) exclusions: Vec<String>,
    pub(super) scan_on_push: bool,
    pub(super) encryption: Option<Encryption>,
    pub(super) kms_key: Option<String>,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) lifecycle: Option<Value>,
    pub(super) policy: Option<Value>,
}

impl Found {
    /// Reads the part that every description has.
    pub(super) fn of(repository: &Repository) -> Self {
        let filters = repository.image_tag_mutability_exclusion_filters();
        let encryption = repository.encryption_configuration();
        Self {
            arn: repository.repository_arn().unwrap_or_default().to_owned(),
            mutability: repository.image_tag_mutability().and_then(mutability),
            exclusions: filters.iter().map(|filter| filter.filter().to_owned()).collect(),
            scan_on_push: repository
                .image_scanning_configuration()
                .is_some_and(ImageScanningConfiguration::scan_on_push),
            encryption: encryption.and_then(|encryption| encryption_of(encryption.encryption_type())),
            kms_key: encryption
                .and_then(|encryption| encryption.kms_key())
                .map(str::to_owned),
            ..Self::default()
        }
    }

    /// Says which tags can't be moved.
    pub(super) fn immutable(&self) -> Immutable {
        match self.mutability {
            Some(Mutability::Immutable) => Immutable::Except(self.exclusions.clone()),
            Some(Mutability::Mutable) if !self.exclusions.is_empty() => {
                Immutable::Matching(self.exclusions.clone())
            }
            Some(Mutability::Mutable) | None => Immutable::None,
        }
    }

    /// Says what is not as `wanted`, by the keys of the configuration.
    pub(super) fn drift(&self, wanted: &Settings) -> Vec<Drift> {
        let drift = [
            self.mutability_drift(wanted),
            self.exclusions_drift(wanted),
            self.scan_drift(wanted),
            self.encryption_drift(wanted),
            self.key_drift(wanted),
            tags_drift(&self.tags, wanted),
            lifecycle_drift(self.lifecycle.as_ref(), wanted),
            policy_drift(self.policy.as_ref(), wanted),
        ];
        drift.into_iter().flatten().collect()
    }

    fn mutability_drift(&self, wanted: &Settings) -> Option<Drift> {
        let (found, wanted) = (self.mutability, wanted.tag_mutability?);
        differs(
            "tag_mutability",
            found.map_or("unknown", Mutability::word),
            wanted.word(),
        )
    }

    /// Returns the exclusions under the mutability that is `wanted`: those that are wanted themselves, or else those that stand.
    ///
    /// An exclusion is the other way round than the mutability says. Where that turns, what stands would turn too, so it goes.
    pub(super) fn exclusions_under<'a>(&'a self, wanted: &'a Settings) -> &'a [String] {
        let mutability = wanted.tag_mutability.or(self.mutability);
        match &wanted.mutability_exclusions {
            Some(wanted) => wanted,
            None if mutability == self.mutability => &self.exclusions,
            None => &[],
        }
    }

    fn exclusions_drift(&self, wanted: &Settings) -> Option<Drift> {
        differs(
            "mutability_exclusions",
            &sorted(&self.exclusions),
            &sorted(self.exclusions_under(wanted)),
        )
    }

    fn scan_drift(&self, wanted: &Settings) -> Option<Drift> {
        let wanted = wanted.scan_on_push?;
        differs(
            "scan_on_push",
            &self.scan_on_push.to_string(),
            &wanted.to_string(),
        )
    }

    fn encryption_drift(&self, wanted: &Settings) -> Option<Drift> {
        let wanted = wanted.wanted_encryption()?;
        let found = self.encryption.map_or("unknown", word);
        Some(never(differs("encryption", found, word(wanted))?))
    }

    fn key_drift(&self, wanted: &Settings) -> Option<Drift> {
        let wanted = wanted.kms_key.as_deref()?;
        let found = self.kms_key.as_deref().unwrap_or("none");
        if is_same_key(found, wanted) {
            return None;
        }
        Some(never(differs("kms_key", found, wanted)?))
    }
}

fn mutability(found: &ImageTagMutability) -> Option<Mutability> {
    match found {
        ImageTagMutability::Immutable | ImageTagMutability::ImmutableWithExclusion => {
            Some(Mutability::Immutable)
        }
        ImageTagMutability::Mutable | ImageTagMutability::MutableWithExclusion => Some(Mutability::Mutable),
        _ => None,
    }
}

fn encryption_of(found: &EncryptionType) -> Option<Encryption> {
    match found {
        EncryptionType::Aes256 => Some(Encryption::Aes256),
        EncryptionType::Kms => Some(Encryption::Kms),
        EncryptionType::KmsDsse => Some(Encryption::KmsDsse),
        _ => None,
    }
}

fn word(encryption: Encryption) -> &'static str {
    match encryption {
        Encryption::Aes256 => "aes256",
        Encryption::Kms => "kms",
        Encryption::KmsDsse => "kms_dsse",
    }
}

/// Says whether what Amazon calls a key may be the one that was asked for. What an alias leads to, only KMS could tell.
fn is_same_key(found: &str, wanted: &str) -> bool {
    let is_alias = wanted.starts_with("alias/") || wanted.contains(":alias/");
    is_alias && found != "none" || found == wanted || found.ends_with(&format!(":key/{wanted}"))
}

/// AWS tags of somebody else's are none of our business: cost centres, for example.
pub(crate) fn tags_drift(found: &BTreeMap<String, String>, wanted: &Settings) -> Option<Drift> {
    let missing: BTreeMap<&String, &String> = wanted
        .tags
        .iter()
        .filter(|(key, value)| found.get(*key) != Some(*value))
        .collect();
    let there = missing
        .keys()
        .filter_map(|key| found.get(*key).map(|value| (*key, value)))
        .collect();
    differs("tags", &pairs(&there), &pairs(&missing))
}

fn lifecycle_drift(found: Option<&Value>, wanted: &Settings) -> Option<Drift> {
    let wanted = wanted.lifecycle_policy.as_ref()?;
    policies_differ("lifecycle_policy", found, wanted, policy::rules)
}

pub(crate) fn policy_drift(found: Option<&Value>, wanted: &Settings) -> Option<Drift> {
    let wanted = wanted.repository_policy.as_ref()?;
    policies_differ("repository_policy", found, wanted, policy::statements)
}

fn policies_differ(
    setting: &str,
    found: Option<&Value>,
    wanted: &Value,
    words: fn(Option<&Value>) -> String,
) -> Option<Drift> {
    if found.is_some_and(|found| policy::say_the_same(found, wanted)) {
        return None;
    }
    let (found, mut wanted) = (words(found), words(Some(wanted)));
    if found == wanted {
        wanted += ", of other words";
    }
    differs(setting, &found, &wanted)
}

pub(crate) fn differs(setting: &str, found: &str, wanted: &str) -> Option<Drift> {
    (found != wanted).then(|| Drift {
        setting: setting.to_owned(),
        found: found.to_owned(),
        wanted: wanted.to_owned(),
        change: Change::Possible,
    })
}

fn never(drift: Drift) -> Drift {
    Drift {
        change: Change::Never,
        ..drift
    }
}

fn sorted(patterns: &[String]) -> String {
    let mut patterns = patterns.to_vec();
    patterns.sort();
    patterns.dedup();
    if patterns.is_empty() {
        return "none".to_owned();
    }
    patterns.join(", ")
}

fn pairs(tags: &BTreeMap<&String, &String>) -> String {
    let pairs: Vec<String> = tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
    if pairs.is_empty() {
        return "none".to_owned();
    }
    pairs.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn wanted(settings: &Value) -> Settings {
        Settings::read(Some(settings), "ecr").unwrap()
    }

    fn lines(found: &Found, settings: &Value) -> Vec<String> {
        found
            .drift(&wanted(settings))
            .into_iter()
            .map(|drift| {
                let never = if drift.change == Change::Never {
                    " (never)"
                } else {
                    ""
                };
                format!("{}: {} -> {}{never}", drift.setting, drift.found, drift.wanted)
            })
            .collect()
    }

    fn found() -> Found {
        Found {
            mutability: Some(Mutability::Mutable),
            encryption: Some(Encryption::Aes256),
            tags: BTreeMap::from([
                ("team".to_owned(), "web".to_owned()),
                ("cost".to_owned(), "7".to_owned()),
            ]),
            ..Found::default()
        }
    }

    #[test]
    fn what_nobody_asked_for_does_not_drift() {
        assert!(found().drift(&Settings::default()).is_empty());
    }

    #[test]
    fn every_setting_drifts_by_its_key() {
        let settings = json!({
            "tag_mutability": "immutable", "mutability_exclusions": ["latest*", "dev"], "scan_on_push": true,
            "encryption": "kms", "kms_key": "arn:aws:kms:eu-west-1:123456789012:key/k", "tags": { "team": "base", "a": "b" },
            "lifecycle_policy": { "rules": [{ "rulePriority": 1, "description": "x".repeat(100) }] },
            "repository_policy": { "Statement": [{ "Effect": "Allow" }, { "Effect": "Deny" }] },
        });
        assert_eq!(
            lines(&found(), &settings),
            [
                "tag_mutability: mutable -> immutable",
                "mutability_exclusions: none -> dev, latest*",
                "scan_on_push: false -> true",
                "encryption: aes256 -> kms (never)",
                "kms_key: none -> arn:aws:kms:eu-west-1:123456789012:key/k (never)",
                "tags: team=web -> a=b, team=base",
                "lifecycle_policy: none -> 1 rule",
                "repository_policy: none -> 2 statements",
            ]
        );
    }

    #[test]
    fn settings_that_are_as_wanted_are_silent() {
        let found = Found {
            mutability: Some(Mutability::Immutable),
            exclusions: vec!["b".to_owned(), "a".to_owned()],
            encryption: Some(Encryption::Kms),
            kms_key: Some("arn:aws:kms:eu-west-1:123456789012:key/k".to_owned()),
            policy: Some(json!({ "Statement": { "Effect": "Allow" } })),
            ..found()
        };
        let settings = json!({
            "tag_mutability": "immutable", "mutability_exclusions": ["a", "b"], "kms_key": "k", "scan_on_push": false,
            "tags": { "cost": "7" }, "repository_policy": { "Statement": [{ "Effect": "Allow" }] },
        });
        assert_eq!(lines(&found, &settings), [""; 0]);
        assert_eq!(lines(&found, &json!({ "kms_key": "alias/mirror" })), [""; 0]);
    }

    #[test]
    fn exclusions_go_where_the_rule_turns_and_stay_where_it_does_not() {
        let found = Found {
            mutability: Some(Mutability::Immutable),
            exclusions: vec!["latest*".to_owned()],
            ..Found::default()
        };
        let under = |settings: &Value| found.exclusions_under(&wanted(settings)).join(", ");
        let turned = json!({ "tag_mutability": "mutable" });
        assert_eq!(under(&turned), "");
        assert_eq!(
            lines(&found, &turned),
            [
                "tag_mutability: immutable -> mutable",
                "mutability_exclusions: latest* -> none",
            ]
        );
        let kept = json!({ "tag_mutability": "immutable" });
        assert_eq!(under(&kept), "latest*");
        assert_eq!(lines(&found, &kept), [""; 0]);
        let named = json!({ "tag_mutability": "mutable", "mutability_exclusions": ["v*"] });
        assert_eq!(under(&named), "v*");
        assert_eq!(under(&json!({ "mutability_exclusions": [] })), "");
    }

    #[test]
    fn policies_of_one_length_are_told_apart() {
        let found = Found {
            policy: Some(json!({ "Statement": { "Effect": "Deny" } })),
            ..found()
        };
        assert_eq!(
            lines(
                &found,
                &json!({ "repository_policy": { "Statement": { "Effect": "Allow" } } })
            ),
            ["repository_policy: 1 statement -> 1 statement, of other words"]
        );
    }

    #[test]
    fn mutability_says_which_tags_stay() {
        let with = |mutability, exclusions: &[&str]| {
            let exclusions = exclusions.iter().map(|text| (*text).to_owned()).collect();
            Found {
                mutability: Some(mutability),
                exclusions,
                ..Found::default()
            }
            .immutable()
        };
        assert_eq!(with(Mutability::Mutable, &[]), Immutable::None);
        assert_eq!(with(Mutability::Immutable, &[]), Immutable::Except(vec![]));
        assert_eq!(
            with(Mutability::Immutable, &["latest*"]),
            Immutable::Except(vec!["latest*".to_owned()])
        );
        assert_eq!(
            with(Mutability::Mutable, &["v*"]),
            Immutable::Matching(vec!["v*".to_owned()])
        );
    }
}
