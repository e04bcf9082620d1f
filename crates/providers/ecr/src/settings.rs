//! What `create_repositories` asks for.

use std::collections::BTreeMap;

use oci::RepositoryName;
use registry::{Error, ErrorKind};
use serde::Deserialize;
use serde_json::{Map, Value};

/// The bounds of a repository's name. What it is made of, [`RepositoryName`] has checked: Amazon's rules are those of the
/// distribution specification.
/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepository.html>
const NAME: (usize, usize) = (2, 256);
/// The bounds of a lifecycle policy, as text.
/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutLifecyclePolicy.html>
const LIFECYCLE: (usize, usize) = (100, 30_720);
/// How many exclusions a repository has at most, and how long each is.
/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ImageTagMutabilityExclusionFilter.html>
const EXCLUSIONS: usize = 5;
const EXCLUSION: usize = 128;

/// The settings that were asked for; what is not there is Amazon's to choose, and never drifts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    pub(crate) tag_mutability: Option<Mutability>,
    pub(crate) mutability_exclusions: Option<Vec<String>>,
    pub(crate) scan_on_push: Option<bool>,
    pub(crate) encryption: Option<Encryption>,
    pub(crate) kms_key: Option<String>,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) lifecycle_policy: Option<Value>,
    pub(crate) repository_policy: Option<Value>,
    pub(crate) catalog: Option<Catalog>,
}

/// Whether tags can be moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Mutability {
    Mutable,
    Immutable,
}

/// What repositories are encrypted with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Encryption {
    Aes256,
    Kms,
    KmsDsse,
}

/// What the gallery of ECR Public shows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Catalog {
    pub(crate) description: Option<String>,
    pub(crate) about: Option<String>,
    pub(crate) usage: Option<String>,
    pub(crate) architectures: Option<Vec<String>>,
    pub(crate) operating_systems: Option<Vec<String>>,
}

impl Mutability {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Mutable => "mutable",
            Self::Immutable => "immutable",
        }
    }
}

impl Settings {
    /// Reads the map under `create_repositories`.
    ///
    /// # Errors
    /// What Amazon would refuse, said before anything is asked of it.
    pub(crate) fn read(settings: Option<&Value>, registry: &str) -> Result<Self, Error> {
        let Some(Value::Object(settings)) = settings else {
            return Ok(Self::default());
        };
        let settings = without_on_drift(settings);
        let settings = Self::deserialize(settings).map_err(|error| {
            let message = format!("`create_repositories` of registry {registry} can't be read");
            Error::new(ErrorKind::Other, message).caused_by(error)
        })?;
        settings.check(registry)?;
        Ok(settings)
    }

    fn check(&self, registry: &str) -> Result<(), Error> {
        let wrong = |what: String| {
            let message = format!("`create_repositories` of registry {registry}: {what}");
            Err(Error::new(ErrorKind::Other, message))
        };
        if self.kms_key.is_some() && self.encryption == Some(Encryption::Aes256) {
            return wrong("`kms_key` needs `encryption: kms` or `kms_dsse`".to_owned());
        }
        let exclusions = self.mutability_exclusions.as_deref().unwrap_or_default();
        if exclusions.len() > EXCLUSIONS {
            let count = exclusions.len();
            return wrong(format!(
                "`mutability_exclusions` has {count} patterns, and ECR takes up to {EXCLUSIONS}"
            ));
        }
        if let Some(odd) = exclusions.iter().find(|pattern| !is_pattern(pattern)) {
            return wrong(format!(
                "`{odd}` is no pattern for `mutability_exclusions`: up to {EXCLUSION} letters, digits, `.`, `_`, `-` and `*`"
            ));
        }
        if let Some(length) = self.lifecycle_text().map(|text| text.chars().count())
            && !(LIFECYCLE.0..=LIFECYCLE.1).contains(&length)
        {
            let (least, most) = LIFECYCLE;
            return wrong(format!(
                "`lifecycle_policy` has {length} characters as JSON, and ECR takes {least} to {most}"
            ));
        }
        Ok(())
    }

    /// Returns the lifecycle policy as Amazon takes it.
    pub(crate) fn lifecycle_text(&self) -> Option<String> {
        self.lifecycle_policy.as_ref().map(Value::to_string)
    }

    /// Returns the repository policy as Amazon takes it.
    pub(crate) fn policy_text(&self) -> Option<String> {
        self.repository_policy.as_ref().map(Value::to_string)
    }

    /// Returns the encryption that is wanted: a key wants KMS.
    pub(crate) fn wanted_encryption(&self) -> Option<Encryption> {
        self.encryption.or(self.kms_key.as_ref().map(|_| Encryption::Kms))
    }

    /// Returns the keys that only private repositories have.
    pub(crate) fn private_keys(&self) -> Vec<&'static str> {
        let keys = [
            ("tag_mutability", self.tag_mutability.is_some()),
            ("mutability_exclusions", self.mutability_exclusions.is_some()),
            ("scan_on_push", self.scan_on_push.is_some()),
            ("encryption", self.encryption.is_some()),
            ("kms_key", self.kms_key.is_some()),
            ("lifecycle_policy", self.lifecycle_policy.is_some()),
        ];
        keys.into_iter()
            .filter(|(_, set)| *set)
            .map(|(key, _)| key)
            .collect()
    }
}

/// Whether drift is changed is the plan's business, not ours.
fn without_on_drift(settings: &Map<String, Value>) -> Value {
    let ours = settings.iter().filter(|(key, _)| *key != "on_drift");
    Value::Object(ours.map(|(key, value)| (key.clone(), value.clone())).collect())
}

fn is_pattern(text: &str) -> bool {
    (1..=EXCLUSION).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'*' | b'-'))
}

/// Checks that Amazon can have a repository of this name.
///
/// # Errors
/// A name that is too short or too long.
pub(crate) fn check_name(repository: &RepositoryName) -> Result<(), Error> {
    let (length, (least, most)) = (repository.as_str().len(), NAME);
    if (least..=most).contains(&length) {
        return Ok(());
    }
    let message =
        format!("`{repository}` can't be a repository of ECR: names there have {least} to {most} characters");
    Err(Error::new(ErrorKind::Other, message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refusal(settings: &Value) -> String {
        Settings::read(Some(settings), "ecr").unwrap_err().to_string()
    }

    #[test]
    fn everything_is_read() {
        let settings = Settings::read(
            Some(&json!({
                "on_drift": "update", "tag_mutability": "immutable", "mutability_exclusions": ["latest*"],
                "scan_on_push": true, "encryption": "kms_dsse", "kms_key": "alias/mirror", "tags": { "team": "base" },
                "repository_policy": { "Version": "2012-10-17", "Statement": [] },
            })),
            "ecr",
        )
        .unwrap();
        assert_eq!(settings.tag_mutability, Some(Mutability::Immutable));
        assert_eq!(settings.wanted_encryption(), Some(Encryption::KmsDsse));
        assert_eq!(settings.tags["team"], "base");
    }

    #[test]
    fn nothing_asks_for_nothing() {
        for none in [None, Some(json!(true)), Some(json!({}))] {
            assert_eq!(Settings::read(none.as_ref(), "ecr").unwrap(), Settings::default());
        }
    }

    #[test]
    fn what_amazon_would_refuse_is_refused_here() {
        assert_eq!(
            refusal(&json!({ "lifecycle_policy": { "rules": [] } })),
            "`create_repositories` of registry ecr: `lifecycle_policy` has 12 characters as JSON, and ECR takes 100 to 30720"
        );
        let long = json!({ "lifecycle_policy": { "rules": [{ "description": "x".repeat(31_000) }] } });
        assert!(refusal(&long).contains("ECR takes 100 to 30720"));
        assert!(
            refusal(&json!({ "mutability_exclusions": ["a", "b", "c", "d", "e", "f"] })).contains("up to 5")
        );
        assert!(refusal(&json!({ "mutability_exclusions": ["v1/x"] })).contains("`v1/x` is no pattern"));
        assert!(refusal(&json!({ "encryption": "aes256", "kms_key": "k" })).contains("`kms_key` needs"));
        assert!(refusal(&json!({ "scan_on_pull": true })).contains("can't be read"));
    }

    #[test]
    fn names_have_their_bounds() {
        let short = check_name(&"a".parse().unwrap()).unwrap_err();
        assert_eq!(
            short.to_string(),
            "`a` can't be a repository of ECR: names there have 2 to 256 characters"
        );
        check_name(&"ab".parse().unwrap()).unwrap();
        check_name(&"a".repeat(255).parse().unwrap()).unwrap();
    }

    /// The pattern of `repositoryName` in Amazon's model is that of the distribution specification.
    #[test]
    fn names_are_made_of_what_amazon_takes() {
        for good in ["team/app", "a.b_c__d---e/f0", "0a"] {
            assert!(good.parse::<RepositoryName>().is_ok(), "{good}");
        }
        for bad in [
            "Team/app",
            "team//app",
            "/app",
            "app/",
            "a..b",
            "a___b",
            "-a",
            "a-",
            "a._b",
        ] {
            assert!(bad.parse::<RepositoryName>().is_err(), "{bad}");
        }
    }
}
