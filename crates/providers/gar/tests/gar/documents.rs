//! What is written down: Google's discovery document, the roles to grant, the page for users.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use provider::{Lister as _, Provider as _};
use registry::Operation;
use serde_json::{Value, json};
use testkit::google::Asked;
use testkit::google::artifact_registry::Image;
use testkit::python;
use testkit::software::{Need, need_python};
use transship_gar::{Call, Right};

use crate::support::{BASE, Cloud};

/// Checks requests against the discovery document that Google ships with its client: the paths, the parameters and the
/// fields exist, values have the right type, and nothing is written that only Google writes.
const CHECK: &str = r#"
import importlib.resources, json, os, re
document = json.loads((importlib.resources.files("googleapiclient") /
    "discovery_cache/documents/artifactregistry.v1.json").read_text())

def methods(resources):
    for resource in resources.values():
        yield from resource.get("methods", {}).values()
        yield from methods(resource.get("resources", {}))

def matches(method, path):
    pattern = re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(method.get("flatPath", method["path"])))
    return re.fullmatch("/" + pattern, path)

def check(schema, value, where):
    if "$ref" in schema:
        schema = document["schemas"][schema["$ref"]]
    assert not schema.get("readOnly"), where + " is read-only"
    kind = schema["type"]
    if kind == "object":
        assert isinstance(value, dict), where + " is no object"
        for key, inner in value.items():
            field = schema.get("properties", {}).get(key, schema.get("additionalProperties"))
            assert field is not None, where + "." + key + " does not exist"
            check(field, inner, where + "." + key)
    elif kind == "array":
        assert isinstance(value, list), where + " is no list"
        for inner in value:
            check(schema["items"], inner, where + "[]")
    elif kind == "string":
        assert isinstance(value, str), where + " is no text"
        assert value in schema.get("enum", [value]), where + " is no such word: " + value
        if schema.get("format") == "google-duration":
            assert re.fullmatch(r"\d+(\.\d+)?s", value), where + " is no duration: " + value
    elif kind == "integer":
        assert isinstance(value, int) and not isinstance(value, bool), where + " is no number"
    elif kind == "boolean":
        assert isinstance(value, bool), where + " is no boolean"

def check_request(request):
    found = [m for m in methods(document["resources"])
             if m["httpMethod"] == request["method"] and matches(m, request["path"])]
    assert found, "no method takes " + request["method"] + " " + request["path"]
    method = found[0]
    for name, value in request["query"]:
        parameter = {**document["parameters"], **method["parameters"]}.get(name)
        assert parameter, method["id"] + " has no parameter " + name
        assert value in parameter.get("enum", [value]), name + " is no such word: " + value
        if parameter.get("format") == "google-fieldmask":
            for field in value.split(","):
                assert field in document["schemas"]["Repository"]["properties"], "no field " + field
    if request["body"] is not None:
        check(method["request"], request["body"], method["id"])
    return method["id"]

for request in json.loads(os.environ["REQUESTS"]):
    print(check_request(request))

wrong = {"method": "PATCH", "path": "/v1/projects/p/locations/l/repositories/r", "query": [], "body": None}
for name, change in [
    ("field", {"body": {"immutableTags": True}}),
    ("word", {"body": {"format": "IMAGES"}}),
    ("type", {"body": {"description": 1}}),
    ("read-only", {"body": {"registryUri": "x"}}),
    ("parameter", {"query": [["mask", "labels"]]}),
    ("mask", {"query": [["updateMask", "tags"]]}),
    ("duration", {"body": {"cleanupPolicies": {"a": {"condition": {"olderThan": "30d"}}}}}),
    ("path", {"path": "/v1/projects/p/repositories/r"}),
]:
    try:
        check_request({**wrong, **change})
    except AssertionError:
        continue
    raise SystemExit("a wrong " + name + " passes")
"#;

fn request(asked: &Asked) -> Value {
    let query: Vec<(String, String)> = url::form_urlencoded::parse(asked.query.as_bytes())
        .into_owned()
        .collect();
    let body = if asked.body.is_empty() {
        Value::Null
    } else {
        asked.json()
    };
    json!({ "method": asked.method.as_str(), "path": asked.path, "query": query, "body": body })
}

#[tokio::test]
async fn every_request_is_one_that_googles_discovery_document_describes() {
    if need_python("googleapiclient") == Need::Skip {
        return;
    }
    let cloud = Cloud::start().await;
    cloud.registry.operations_take(1);
    let provider = cloud.provider();
    let repository = "my-project/base".parse().unwrap();
    let settings = |mutability: &str, days: u32| {
        json!({
            "tag_mutability": mutability,
            "description": format!("kept {days} days"),
            "labels": { "days": days.to_string() },
            "kms_key": "projects/my-project/locations/europe-west1/keyRings/k/cryptoKeys/c",
            "cleanup_policies": {
                "old": { "action": "delete", "condition": {
                    "tagState": "tagged", "olderThan": format!("{days}d"), "newerThan": "1h", "tagPrefixes": ["ci-"],
                    "versionNamePrefixes": ["v"], "packageNamePrefixes": ["team"] } },
                "keep": { "action": { "type": "Keep" },
                          "mostRecentVersions": { "keepCount": days, "packageNamePrefixes": ["team"] } },
            },
            "cleanup_dry_run": mutability == "immutable",
        })
    };
    let (first, second) = (settings("immutable", 30), settings("mutable", 60));
    provider
        .ensure_repository(&repository, Some(&first))
        .await
        .unwrap();
    provider
        .update_repository(&repository, Some(&second))
        .await
        .unwrap();
    let image = Image {
        digest: format!("sha256:{}", "a".repeat(64)),
        media_type: "application/vnd.oci.image.manifest.v1+json".to_owned(),
        tags: (0..100).map(|number| format!("v{number}")).collect(),
    };
    let other = Image {
        digest: format!("sha256:{}", "b".repeat(64)),
        tags: Vec::new(),
        ..image.clone()
    };
    cloud.registry.page_at_most(1);
    cloud.registry.add_images(BASE, "team/app", vec![image, other]);
    provider
        .inventory(&"my-project/base/team/app".parse().unwrap())
        .await
        .unwrap();

    let mut requests: Vec<Value> = cloud.registry.asked().iter().map(request).collect();
    requests.dedup();
    let said = python::run(CHECK, &[("REQUESTS", &json!(requests).to_string())]).await;
    let methods: BTreeSet<&str> = said.lines().collect();
    let prefix = "artifactregistry.projects.locations";
    let expected = [
        format!("{prefix}.operations.get"),
        format!("{prefix}.repositories.create"),
        format!("{prefix}.repositories.get"),
        format!("{prefix}.repositories.packages.tags.list"),
        format!("{prefix}.repositories.packages.versions.list"),
        format!("{prefix}.repositories.patch"),
    ];
    assert_eq!(methods, expected.iter().map(String::as_str).collect());
}

fn docs() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../docs")
}

fn permissions(operations: &[Operation], calls: &[Call]) -> BTreeSet<String> {
    let rights = operations
        .iter()
        .map(|operation| Right::of_operation(*operation))
        .chain(calls.iter().map(|call| Right::of_call(*call)));
    rights
        .flat_map(|right| right.permissions)
        .map(|name| (*name).to_owned())
        .collect()
}

#[test]
fn the_roles_to_grant_are_what_the_code_needs() {
    let read = [
        Operation::ListTags,
        Operation::HeadManifest,
        Operation::GetManifest,
        Operation::ListReferrers,
        Operation::HeadBlob,
        Operation::GetBlob,
    ];
    let write = [
        Operation::StartUpload,
        Operation::SendChunk,
        Operation::FinishUpload,
        Operation::PutManifest,
    ];
    let both = [&read[..], &write[..]].concat();
    let asks = [Call::GetRepository, Call::ListVersions, Call::ListTags];
    let page = fs::read_to_string(docs().join("registries/gar.md")).unwrap();
    for (name, needed) in [
        ("gar-plan.json", permissions(&read, &asks)),
        ("gar-push.json", permissions(&both, &asks)),
        ("gar-create.json", permissions(&both, &Call::ALL)),
    ] {
        let text = fs::read_to_string(docs().join("policies").join(name)).unwrap();
        let role: Value = serde_json::from_str(&text).unwrap();
        for key in ["title", "description"] {
            assert!(
                role[key].as_str().is_some_and(|text| !text.is_empty()),
                "{name}: {key}"
            );
        }
        assert_eq!(role["stage"], "GA", "{name}");
        let granted: Vec<String> = serde_json::from_value(role["includedPermissions"].clone()).unwrap();
        assert_eq!(granted.iter().cloned().collect::<BTreeSet<_>>(), needed, "{name}");
        assert!(granted.is_sorted(), "{name}");
        assert!(page.contains(name), "the page names {name}");
    }
}
