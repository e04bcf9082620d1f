//! Repositories, and the operations that make them.

use http::StatusCode;
use serde_json::{Value, json};

use super::{Failure, State};
use crate::google::Asked;
use crate::google::answer::{Answer, refusal};

/// The fields of a repository that a client writes. `google.devtools.artifactregistry.v1.Repository`.
const FIELDS: [&str; 16] = [
    "name",
    "format",
    "description",
    "labels",
    "kmsKeyName",
    "mode",
    "dockerConfig",
    "mavenConfig",
    "virtualRepositoryConfig",
    "remoteRepositoryConfig",
    "cleanupPolicies",
    "cleanupPolicyDryRun",
    "vulnerabilityScanningConfig",
    "platformLogsConfig",
    "disallowUnspecifiedMode",
    "etag",
];

/// The fields that stay as they were made.
const FIXED: [&str; 4] = ["name", "format", "mode", "kmsKeyName"];

/// `google.rpc.Code.ALREADY_EXISTS`: somebody else has made it meanwhile.
const ALREADY_EXISTS: i64 = 6;

/// A repository that is being made.
pub(super) struct Making {
    name: String,
    repository: Value,
    looks: usize,
    error: Option<Value>,
}

impl State {
    pub(super) fn get(&self, name: &str) -> Answer {
        match self.repositories.get(name) {
            Some(repository) => (StatusCode::OK, repository.clone()),
            None => missing(),
        }
    }

    /// <https://docs.cloud.google.com/artifact-registry/docs/reference/rest/v1/projects.locations.repositories/create>
    pub(super) fn create(&mut self, parent: &str, asked: &Asked) -> Answer {
        let failure = self.failures.pop_front();
        if let Some(Failure::Refused(status, body)) = failure {
            let status = StatusCode::from_u16(status).expect("a status has three digits");
            return (status, body);
        }
        let id = asked.parameter("repositoryId").unwrap_or_default();
        let name = format!("{parent}/repositories/{id}");
        let repository = match checked(&id, &asked.json()) {
            Ok(repository) => described(&name, repository),
            Err(why) => return invalid(&why),
        };
        if failure == Some(Failure::Overtaken) {
            self.repositories.insert(name.clone(), repository.clone());
        }
        if self.repositories.contains_key(&name) {
            return refusal(
                StatusCode::CONFLICT,
                "ALREADY_EXISTS",
                "the repository already exists",
            );
        }
        let operation = format!("{parent}/operations/{:08x}", self.operations.len() + 1);
        let error = match &failure {
            Some(Failure::Ends(error)) => Some(error.clone()),
            _ => None,
        };
        let making = Making {
            name,
            repository,
            looks: self.looks,
            error,
        };
        self.operations.insert(operation.clone(), making);
        let body = json!({
            "name": operation,
            "metadata": { "@type": "type.googleapis.com/google.devtools.artifactregistry.v1.OperationMetadata" },
        });
        (StatusCode::OK, body)
    }

    /// <https://docs.cloud.google.com/artifact-registry/docs/reference/rest/v1/projects.locations.operations/get>
    pub(super) fn operation(&mut self, name: &str) -> Answer {
        let Some(making) = self.operations.get_mut(name) else {
            return missing();
        };
        let metadata =
            json!({ "@type": "type.googleapis.com/google.devtools.artifactregistry.v1.OperationMetadata" });
        if making.looks > 0 {
            making.looks -= 1;
            return (StatusCode::OK, json!({ "name": name, "metadata": metadata }));
        }
        if let Some(error) = &making.error {
            if error["code"] == ALREADY_EXISTS {
                let (name, theirs) = (making.name.clone(), making.repository.clone());
                self.repositories.entry(name).or_insert(theirs);
            }
            let body = json!({ "name": name, "metadata": metadata, "done": true, "error": error });
            return (StatusCode::OK, body);
        }
        let mut response = self.finish(name);
        response["@type"] = json!("type.googleapis.com/google.devtools.artifactregistry.v1.Repository");
        let body = json!({ "name": name, "metadata": metadata, "done": true, "response": response });
        (StatusCode::OK, body)
    }

    fn finish(&mut self, operation: &str) -> Value {
        let making = &self.operations[operation];
        let (name, repository) = (making.name.clone(), making.repository.clone());
        self.repositories.entry(name).or_insert(repository).clone()
    }

    /// <https://docs.cloud.google.com/artifact-registry/docs/reference/rest/v1/projects.locations.repositories/patch>
    pub(super) fn patch(&mut self, name: &str, asked: &Asked) -> Answer {
        let Some(repository) = self.repositories.get_mut(name) else {
            return missing();
        };
        let body = asked.json();
        if let Some(unknown) = unknown(&body) {
            return invalid(&unknown);
        }
        let mask = asked.parameter("updateMask").unwrap_or_default();
        for field in mask.split(',').filter(|field| !field.is_empty()) {
            let field = camel(field);
            let field = field.split('.').next().unwrap_or_default();
            if !FIELDS.contains(&field) {
                return invalid(&format!("Invalid field mask: {field}"));
            }
            if FIXED.contains(&field) {
                return invalid(&format!("field {field} is immutable"));
            }
            match body.get(field) {
                Some(value) => repository[field] = value.clone(),
                None => {
                    repository
                        .as_object_mut()
                        .expect("a repository is a map")
                        .remove(field);
                }
            }
        }
        (StatusCode::OK, repository.clone())
    }
}

fn missing() -> Answer {
    refusal(
        StatusCode::NOT_FOUND,
        "NOT_FOUND",
        "Requested entity was not found.",
    )
}

fn invalid(why: &str) -> Answer {
    refusal(StatusCode::BAD_REQUEST, "INVALID_ARGUMENT", why)
}

/// Checks a repository to be made. Clients may send enumerations as numbers.
fn checked(id: &str, repository: &Value) -> Result<Value, String> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    if id.is_empty()
        || id.len() > 63
        || !id.starts_with(|c: char| c.is_ascii_lowercase())
        || !id.chars().all(plain)
    {
        return Err(format!("invalid repository id {id:?}"));
    }
    if let Some(unknown) = unknown(repository) {
        return Err(unknown);
    }
    let mut repository = repository.clone();
    repository["format"] = match &repository["format"] {
        Value::String(format) if format == "DOCKER" || format == "MAVEN" => json!(format),
        Value::Number(format) if format.as_u64() == Some(1) => json!("DOCKER"),
        format => return Err(format!("unsupported format {format}")),
    };
    repository["mode"] = match &repository["mode"] {
        Value::Null => json!("STANDARD_REPOSITORY"),
        Value::String(mode) if mode.ends_with("_REPOSITORY") => json!(mode),
        Value::Number(mode) if mode.as_u64() == Some(1) => json!("STANDARD_REPOSITORY"),
        mode => return Err(format!("unsupported mode {mode}")),
    };
    let labels = repository["labels"].as_object();
    if labels.is_some_and(|labels| labels.len() > 64 || labels.values().any(|value| !value.is_string())) {
        return Err("invalid labels".to_owned());
    }
    Ok(repository)
}

fn unknown(repository: &Value) -> Option<String> {
    let Some(map) = repository.as_object() else {
        return Some("Invalid JSON payload received.".to_owned());
    };
    let field = map.keys().find(|key| !FIELDS.contains(&key.as_str()))?;
    Some(format!(
        "Invalid JSON payload received. Unknown name \"{field}\" at 'repository': Cannot find field."
    ))
}

fn described(name: &str, mut repository: Value) -> Value {
    let segments: Vec<&str> = name.split('/').collect();
    if let ["projects", project, "locations", location, "repositories", id] = segments.as_slice() {
        let project = project.replacen(':', "/", 1);
        repository["registryUri"] = json!(format!("{location}-docker.pkg.dev/{project}/{id}"));
    }
    repository["name"] = json!(name);
    repository["createTime"] = json!("2026-11-23T10:00:00.000000Z");
    repository["updateTime"] = json!("2026-11-23T10:00:00.000000Z");
    repository["sizeBytes"] = json!("0");
    repository
}

/// Reads a mask in either of the spellings that the API takes.
fn camel(field: &str) -> String {
    let mut parts = field.split('_');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let mut rest = part.chars();
        let head = rest.next().map(|c| c.to_ascii_uppercase());
        text + &head.into_iter().chain(rest).collect::<String>()
    })
}
