//! What the schema and the parser can't agree on, by name.

use serde_json::{Value, json};

use super::broken::Path;
use super::{objection, refusal, validator};

fn key(path: &Path) -> &str {
    path.last().map_or("", String::as_str)
}

fn parent(path: &Path) -> &str {
    path.len().checked_sub(2).map_or("", |at| path[at].as_str())
}

/// Maps whose keys are names, or a vendor's own.
pub(crate) fn takes_any_key(path: &Path) -> bool {
    let creation = path.iter().position(|part| part == "create_repositories");
    let below = |name: &str| creation.is_some_and(|at| path.get(at + 1).is_some_and(|part| part == name));
    let policies = creation.is_some_and(|at| path.get(at + 1).is_some_and(|part| part == "cleanup_policies"));
    matches!(path.as_slice(), [top] if ["registries", "groups"].contains(&top.as_str()))
        || ["tags", "labels", "lifecycle_policy", "repository_policy"]
            .into_iter()
            .any(below)
        || (policies && (key(path) == "cleanup_policies" || path.len() > creation.unwrap_or_default() + 3))
}

/// References name what stands elsewhere: without it they name nothing, which no schema sees.
pub(crate) fn is_named_elsewhere(path: &Path) -> bool {
    matches!(path.as_slice(), [top] if ["registries", "groups"].contains(&top.as_str()))
        || matches!(path.as_slice(), [top, _] if ["registries", "groups"].contains(&top.as_str()))
        // A provider and a host say which of the other keys make sense.
        || ["provider", "host"].contains(&key(path))
}

/// A value that is of another type and right, or wrong by more than its type.
pub(crate) fn means_something_else(path: &Path, value: &Value) -> bool {
    let any = |keys: &[&str]| {
        keys.contains(&key(path)) || (keys.contains(&parent(path)) && key(path).parse::<usize>().is_ok())
    };
    // Vendors' documents are kept as they are.
    is_in_a_document(path)
        // References name what is declared, and have a syntax; `1.5` is a host to the parser.
        || (path.iter().any(|part| ["from", "to", "groups"].contains(&part.as_str())) && (value.is_string() || value.is_number()))
        // One cloud's keys are named by paths, another's by any text.
        || key(path) == "kms_key"
        // A number or a truth value is a path, too; the schema shows it as a slip.
        || key(path) == "layout"
        // A list of platforms goes with what becomes of the index.
        || ["platforms", "index"].contains(&key(path))
        // Ranges, globs and expressions have a syntax, and any scalar is text.
        || (any(&["semver", "regex", "exclude_regex", "include", "exclude"]) && (value.is_string() || value.is_number() || value.is_boolean()))
        // Where `tags` is a map or a list of them, tag conditions differ by what they hold.
        || any(&["repositories"])
}

fn is_in_a_document(path: &Path) -> bool {
    let documents = [
        "lifecycle_policy",
        "repository_policy",
        "condition",
        "mostRecentVersions",
    ];
    path.iter().any(|part| documents.contains(&part.as_str()))
}

/// Keys without which something else makes no sense, though none requires them by itself.
pub(crate) fn is_leaned_on(path: &Path) -> bool {
    // On ECR a key of KMS goes with an encryption of KMS, a list of platforms with what becomes of the index; a policy has a length as JSON.
    ["encryption", "index"].contains(&key(path))
        || (is_in_a_document(path) && key(path) != "lifecycle_policy")
}

fn mirror(mirror: &Value) -> Value {
    json!({ "version": 1, "registries": { "hub": { "host": "docker.io" } }, "mirrors": [mirror] })
}

fn tags(tags: &Value) -> Value {
    mirror(&json!({ "from": "hub/team/app", "to": "site.example/app", "tags": tags }))
}

fn registry(registry: &Value) -> Value {
    json!({ "version": 1, "registries": { "site": registry }, "mirrors": [] })
}

#[test]
fn some_things_only_the_parser_can_refuse() {
    let validator = validator();
    let twice = json!([
        { "from": "hub/team/one", "to": "site.example/app" },
        { "from": "hub/team/two", "to": "site.example/app" },
    ]);
    let digits = format!("{}GiB/s", "9".repeat(20));
    for (what, document) in [
        (
            "a reference to what is not declared",
            mirror(&json!({ "from": "nobody/app", "to": "site.example/app" })),
        ),
        (
            "the syntax of a reference",
            mirror(&json!({ "from": "hub/Team/App", "to": "site.example/app" })),
        ),
        (
            "a placeholder",
            mirror(&json!({ "from": "hub/team/app", "to": "site.example/{nmae}" })),
        ),
        (
            "two sources of one target",
            json!({ "version": 1, "registries": { "hub": { "host": "docker.io" } }, "mirrors": twice }),
        ),
        (
            "tags beside a source that is pinned",
            mirror(&json!({ "from": "hub/app:v1", "to": "site.example/app", "tags": { "list": "v1" } })),
        ),
        (
            "digests that go to a tag",
            mirror(
                &json!({ "from": "hub/app", "to": "site.example/app:v1", "tags": { "digests": format!("sha256:{}", "a".repeat(64)) } }),
            ),
        ),
        (
            "more digests than are named",
            tags(&json!({ "digests": format!("sha256:{}", "a".repeat(64)), "at_least": 2 })),
        ),
        ("the syntax of a glob", tags(&json!({ "include": "a[" }))),
        ("the syntax of an expression", tags(&json!({ "regex": "(" }))),
        ("the syntax of a range", tags(&json!({ "semver": ">>1" }))),
        (
            "a prerelease in a range",
            tags(&json!({ "semver": ">=1.0.0-rc.1" })),
        ),
        (
            "a whole number with a fraction of zero",
            tags(&json!({ "latest": 1.0 })),
        ),
        ("a number beyond 64 bits", tags(&json!({ "latest": 1e30 }))),
        (
            "a number of bytes beyond 64 bits",
            registry(&json!({ "host": "site.example", "limits": { "bandwidth": digits } })),
        ),
        (
            "the syntax of a host",
            registry(&json!({ "host": "https://site.example" })),
        ),
        (
            "a name that reads as another host",
            json!({ "version": 1, "registries": { "a.example": { "host": "b.example" } }, "mirrors": [] }),
        ),
        (
            "a key of another cloud",
            registry(&json!({ "host": "site.example", "auth": { "role_arn": "arn" } })),
        ),
        (
            "a setting of another cloud",
            registry(&json!({ "host": "site.example", "create_repositories": { "lock_after_push": true } })),
        ),
        (
            "a policy that is too short",
            registry(
                &json!({ "host": "public.ecr.aws", "provider": "ecr", "create_repositories": { "lifecycle_policy": {} } }),
            ),
        ),
    ] {
        assert_eq!(objection(&validator, &document), None, "{what}");
        assert!(refusal(&document).is_some(), "{what}");
    }
}

#[test]
fn some_things_the_parser_lets_pass() {
    let validator = validator();
    for (what, document) in [
        ("a number as a path", registry(&json!({ "layout": 7 }))),
        (
            "a number as a reference",
            json!({ "version": 1, "groups": { "all": [1.5] }, "mirrors": [] }),
        ),
    ] {
        assert!(objection(&validator, &document).is_some(), "{what}");
        assert_eq!(refusal(&document), None, "{what}");
    }
}
