//! A repository that stands, measured by the settings.

use std::collections::BTreeMap;

use planner::{Change, Drift, Immutable, Standing};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::cleanup;
use crate::settings::Settings;

/// A repository as the API describes it.
///
/// <https://docs.cloud.google.com/artifact-registry/docs/reference/rest/v1/projects.locations.repositories#Repository>
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Repository {
    format: String,
    mode: String,
    description: String,
    labels: BTreeMap<String, String>,
    kms_key_name: String,
    docker_config: DockerConfig,
    cleanup_policies: BTreeMap<String, Value>,
    cleanup_policy_dry_run: bool,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct DockerConfig {
    immutable_tags: bool,
}

/// A setting that differs, with the field and the value that would mend it.
struct Difference {
    drift: Drift,
    field: &'static str,
    value: Value,
}

/// What is sent to make a repository as wanted.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Patch {
    /// The fields, as `updateMask` lists them.
    pub(crate) mask: Vec<&'static str>,
    /// Their values.
    pub(crate) body: Value,
}

impl Repository {
    /// Describes it for a plan.
    pub(crate) fn standing(&self, settings: &Settings) -> Standing {
        Standing {
            drift: self
                .differences(settings)
                .into_iter()
                .map(|found| found.drift)
                .collect(),
            refuses: self.refuses(),
            immutable: if self.docker_config.immutable_tags {
                Immutable::Except(Vec::new())
            } else {
                Immutable::None
            },
        }
    }

    /// Returns what would make it as wanted; none where nothing differs that can be changed.
    pub(crate) fn patch(&self, settings: &Settings) -> Option<Patch> {
        let changes: Vec<Difference> = self
            .differences(settings)
            .into_iter()
            .filter(|found| found.drift.change == Change::Possible)
            .collect();
        let mask: Vec<&str> = changes.iter().map(|change| change.field).collect();
        let body: Map<String, Value> = changes
            .into_iter()
            .map(|change| (change.field.to_owned(), change.value))
            .collect();
        (!mask.is_empty()).then_some(Patch {
            mask,
            body: Value::Object(body),
        })
    }

    fn refuses(&self) -> Option<String> {
        let docker = self.format.is_empty() || self.format == "DOCKER";
        if !docker {
            let format = self.format.to_lowercase();
            return Some(format!("it holds packages of format {format}, no images"));
        }
        match self.mode.as_str() {
            "" | "MODE_UNSPECIFIED" | "STANDARD_REPOSITORY" => None,
            mode => {
                let mode = mode
                    .trim_end_matches("_REPOSITORY")
                    .replace('_', " ")
                    .to_lowercase();
                Some(format!("it is a {mode} repository, nothing can be pushed there"))
            }
        }
    }

    fn differences(&self, settings: &Settings) -> Vec<Difference> {
        [
            self.immutability(settings),
            self.text(settings),
            self.labels(settings),
            self.key(settings),
            self.policies(settings),
            self.dry_run(settings),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn immutability(&self, settings: &Settings) -> Option<Difference> {
        let (found, wanted) = (self.docker_config.immutable_tags, settings.immutable_tags()?);
        let word = |immutable| if immutable { "immutable" } else { "mutable" };
        (found != wanted).then(|| Difference {
            drift: drift("tag_mutability", word(found), word(wanted)),
            field: "dockerConfig",
            value: json!({ "immutableTags": wanted }),
        })
    }

    fn text(&self, settings: &Settings) -> Option<Difference> {
        let wanted = settings.description.as_ref()?;
        (self.description != *wanted).then(|| Difference {
            drift: drift("description", &quoted(&self.description), &quoted(wanted)),
            field: "description",
            value: json!(wanted),
        })
    }

    /// Labels that somebody else put there stay.
    fn labels(&self, settings: &Settings) -> Option<Difference> {
        let wanted = settings.labels.as_ref()?;
        let differ: Vec<&String> = wanted
            .iter()
            .filter(|(key, value)| self.labels.get(*key) != Some(value))
            .map(|(key, _)| key)
            .collect();
        let shown = |labels: &BTreeMap<String, String>| {
            let pairs = differ.iter().filter_map(|key| Some((key, labels.get(*key)?)));
            let pairs: Vec<String> = pairs.map(|(key, value)| format!("{key}={value}")).collect();
            if pairs.is_empty() {
                "none".to_owned()
            } else {
                pairs.join(", ")
            }
        };
        let mut all = self.labels.clone();
        all.extend(wanted.clone());
        (!differ.is_empty()).then(|| Difference {
            drift: drift("labels", &shown(&self.labels), &shown(wanted)),
            field: "labels",
            value: json!(all),
        })
    }

    fn key(&self, settings: &Settings) -> Option<Difference> {
        let wanted = settings.kms_key.as_ref()?;
        let found = match self.kms_key_name.as_str() {
            "" => "Google's own key",
            key => key,
        };
        (self.kms_key_name != *wanted).then(|| Difference {
            drift: Drift {
                change: Change::Never,
                ..drift("kms_key", found, wanted)
            },
            field: "kmsKeyName",
            value: json!(wanted),
        })
    }

    fn policies(&self, settings: &Settings) -> Option<Difference> {
        let wanted = settings.cleanup_policies.as_ref()?;
        let found: BTreeMap<String, Value> = self
            .cleanup_policies
            .iter()
            .map(|(id, policy)| (id.clone(), cleanup::meaning(policy)))
            .collect();
        let text = |policies: &BTreeMap<String, Value>| json!(policies).to_string();
        (found != *wanted).then(|| Difference {
            drift: drift("cleanup_policies", &text(&found), &text(wanted)),
            field: "cleanupPolicies",
            value: cleanup::document(wanted),
        })
    }

    fn dry_run(&self, settings: &Settings) -> Option<Difference> {
        let wanted = settings.cleanup_dry_run?;
        let found = self.cleanup_policy_dry_run;
        (found != wanted).then(|| Difference {
            drift: drift("cleanup_dry_run", &found.to_string(), &wanted.to_string()),
            field: "cleanupPolicyDryRun",
            value: json!(wanted),
        })
    }
}

fn drift(setting: &str, found: &str, wanted: &str) -> Drift {
    Drift {
        setting: setting.to_owned(),
        found: found.to_owned(),
        wanted: wanted.to_owned(),
        change: Change::Possible,
    }
}

fn quoted(text: &str) -> String {
    format!("{text:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing() -> Repository {
        serde_json::from_value(json!({
            "name": "projects/p/locations/us/repositories/r",
            "format": "DOCKER",
            "mode": "STANDARD_REPOSITORY",
            "description": "base images",
            "labels": { "team": "base", "goog-managed-by": "somebody" },
            "dockerConfig": { "immutableTags": true },
            "cleanupPolicies": {
                "old": { "id": "old", "action": "DELETE", "condition": { "tagState": "UNTAGGED", "olderThan": "2592000s" } },
            },
        }))
        .unwrap()
    }

    fn settings(value: &Value) -> Settings {
        Settings::read(Some(value)).unwrap()
    }

    #[test]
    fn what_stands_as_wanted_does_not_drift() {
        let same = settings(&json!({
            "tag_mutability": "immutable",
            "description": "base images",
            "labels": { "team": "base" },
            "cleanup_policies": { "old": { "action": "delete", "condition": { "tagState": "untagged", "olderThan": "30d" } } },
            "cleanup_dry_run": false,
            "on_drift": "update",
            "mode": "standard",
        }));
        assert_eq!(standing().standing(&same).drift, []);
        assert_eq!(standing().patch(&same), None);
        assert_eq!(standing().standing(&Settings::default()).drift, []);
    }

    #[test]
    fn each_setting_drifts_by_itself_and_is_mended_by_its_own_field() {
        for (setting, wanted, field, value) in [
            (
                "tag_mutability",
                json!("mutable"),
                "dockerConfig",
                json!({ "immutableTags": false }),
            ),
            ("description", json!("other"), "description", json!("other")),
            (
                "labels",
                json!({ "team": "core" }),
                "labels",
                json!({ "team": "core", "goog-managed-by": "somebody" }),
            ),
            ("cleanup_policies", json!({}), "cleanupPolicies", json!({})),
            ("cleanup_dry_run", json!(true), "cleanupPolicyDryRun", json!(true)),
        ] {
            let settings = settings(&json!({ setting: wanted }));
            let drift = standing().standing(&settings).drift;
            assert_eq!(drift.len(), 1, "{setting}");
            assert_eq!(
                (drift[0].setting.as_str(), drift[0].change),
                (setting, Change::Possible)
            );
            let patch = standing().patch(&settings).unwrap();
            assert_eq!(patch.mask, [field]);
            assert_eq!(patch.body, json!({ field: value }));
        }
    }

    #[test]
    fn a_key_is_for_ever() {
        let key = "projects/p/locations/us/keyRings/k/cryptoKeys/c";
        let settings = settings(&json!({ "kms_key": key }));
        let drift = standing().standing(&settings).drift;
        assert_eq!(
            (drift[0].change, drift[0].found.as_str()),
            (Change::Never, "Google's own key")
        );
        assert_eq!(standing().patch(&settings), None);
    }

    #[test]
    fn only_standard_repositories_of_images_are_pushed_to() {
        let of = |format: &str, mode: &str| {
            let repository: Repository =
                serde_json::from_value(json!({ "format": format, "mode": mode })).unwrap();
            repository.standing(&Settings::default()).refuses
        };
        assert_eq!(of("DOCKER", "STANDARD_REPOSITORY"), None);
        assert_eq!(
            of("DOCKER", "REMOTE_REPOSITORY").as_deref(),
            Some("it is a remote repository, nothing can be pushed there")
        );
        assert_eq!(
            of("DOCKER", "VIRTUAL_REPOSITORY").as_deref(),
            Some("it is a virtual repository, nothing can be pushed there")
        );
        assert_eq!(
            of("MAVEN", "STANDARD_REPOSITORY").as_deref(),
            Some("it holds packages of format maven, no images")
        );
    }

    #[test]
    fn immutable_tags_hold_every_tag() {
        assert!(
            standing()
                .standing(&Settings::default())
                .immutable
                .holds("latest")
        );
    }
}
