//! How repositories are made and kept, as the configuration says.

use std::collections::BTreeMap;

use registry::{Error, ErrorKind};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::cleanup;

/// What stands under `create_repositories`; what is absent is left to Google.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Settings {
    tag_mutability: Option<Mutability>,
    pub(crate) description: Option<String>,
    pub(crate) labels: Option<BTreeMap<String, String>>,
    pub(crate) kms_key: Option<String>,
    pub(crate) cleanup_policies: Option<BTreeMap<String, Value>>,
    pub(crate) cleanup_dry_run: Option<bool>,
    pub(crate) location: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Mutability {
    Mutable,
    Immutable,
}

impl Settings {
    /// Reads the map under `create_repositories`.
    ///
    /// # Errors
    /// A value of another type, and a cleanup policy that Google would not take.
    pub(crate) fn read(settings: Option<&Value>) -> Result<Self, Error> {
        let Some(map @ Value::Object(_)) = settings else {
            return Ok(Self::default());
        };
        let mut settings: Self = serde_json::from_value(map.clone())
            .map_err(|error| Error::new(ErrorKind::Other, format!("create_repositories: {error}")))?;
        if let Some(policies) = &mut settings.cleanup_policies {
            for (id, policy) in policies {
                *policy = cleanup::wanted(policy).map_err(|why| {
                    let message = format!("create_repositories: cleanup_policies: {id}: {why}");
                    Error::new(ErrorKind::Other, message).with_hint(cleanup::FORM)
                })?;
            }
        }
        Ok(settings)
    }

    pub(crate) fn immutable_tags(&self) -> Option<bool> {
        self.tag_mutability
            .map(|mutability| mutability == Mutability::Immutable)
    }

    /// Returns the repository to be made.
    ///
    /// <https://docs.cloud.google.com/artifact-registry/docs/reference/rest/v1/projects.locations.repositories#Repository>
    pub(crate) fn repository(&self) -> Value {
        let mut body = Map::from_iter([
            ("format".to_owned(), json!("DOCKER")),
            ("mode".to_owned(), json!("STANDARD_REPOSITORY")),
        ]);
        let mut put = |key: &str, value: Option<Value>| {
            if let Some(value) = value {
                body.insert(key.to_owned(), value);
            }
        };
        put("description", self.description.as_ref().map(|text| json!(text)));
        put("labels", self.labels.as_ref().map(|labels| json!(labels)));
        put("kmsKeyName", self.kms_key.as_ref().map(|key| json!(key)));
        put(
            "dockerConfig",
            self.immutable_tags()
                .map(|immutable| json!({ "immutableTags": immutable })),
        );
        put(
            "cleanupPolicies",
            self.cleanup_policies.as_ref().map(cleanup::document),
        );
        put("cleanupPolicyDryRun", self.cleanup_dry_run.map(Value::Bool));
        Value::Object(body)
    }
}
