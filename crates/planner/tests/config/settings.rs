//! Settings of created repositories, overrides of profiles, and who signs in where.

use std::collections::BTreeMap;

use insta::assert_snapshot;
use serde_json::{Value, json};
use transship_planner::config::{Connection, ProfileOverrides, Rated, ReferrersRule, UploadRule};
use transship_planner::{Listing, MountRule};

use super::{bad, environment, good};

const ECR: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
const PUBLIC: &str = "public.ecr.aws";
const GAR: &str = "europe-west1-docker.pkg.dev";
const ACR: &str = "contoso.azurecr.io";

fn file(host: &str, keys: &str) -> String {
    format!(
        "version: 1\nregistries:\n  site:\n    host: {host}\n{keys}mirrors:\n  - {{ from: quay.io/a/b, to: site/p/r/b }}\n"
    )
}

#[track_caller]
fn connection(host: &str, keys: &str) -> Connection {
    let spec = good(&file(host, keys));
    spec.registries[&"site".parse().expect("a name")]
        .connection
        .clone()
}

#[track_caller]
fn settings(host: &str, yaml: &str) -> Value {
    let keys = format!("    create_repositories: {yaml}\n");
    connection(host, &keys).create_repositories.expect("settings")
}

const POLICY: &str = r#"
      lifecycle_policy:
        {"rules": [{"rulePriority": 1, "description": "${TEXT:-old}", "selection": {"tagStatus": "untagged",
          "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 14}, "action": {"type": "expire"}}]}
"#;

#[test]
fn a_policy_may_be_pasted_as_json() {
    assert_eq!(
        settings(ECR, POLICY),
        json!({ "lifecycle_policy": { "rules": [{
            "rulePriority": 1,
            "description": "${TEXT:-old}",
            "selection": { "tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 14 },
            "action": { "type": "expire" }
        }] } })
    );
}

#[test]
fn variables_in_a_policy_expand_when_it_is_applied() {
    let keys = r#"    create_repositories:
      repository_policy:
        Version: 2012-10-17
        Days: "${EIGHT}"
        Plain: ${EIGHT}
        Truth: ${YES}
        Nothing: null
        Octal: 007
        Money: "$$8"
        User: "${HOST:-x}"
"#;
    let written = connection(ECR, keys);
    assert_eq!(
        written.create_repositories,
        Some(json!({ "repository_policy": {
            "Version": "2012-10-17", "Days": "${EIGHT}", "Plain": 8, "Truth": true,
            "Nothing": null, "Octal": "007", "Money": "$$8", "User": "${HOST:-x}"
        } }))
    );
    let resolved = written.resolve(&environment).expect("all are set").connection;
    let policy = &resolved.create_repositories.expect("settings")["repository_policy"];
    assert_eq!((&policy["Days"], &policy["Money"]), (&json!("8"), &json!("$8")));
}

#[test]
fn every_key_is_read_for_its_vendor() {
    for (host, yaml, expected) in [
        (
            ECR,
            "{ on_drift: update, tag_mutability: immutable, mutability_exclusions: [\"latest*\", dev], scan_on_push: true, encryption: kms_dsse, kms_key: alias/base, tags: { team: base } }",
            json!({ "on_drift": "update", "tag_mutability": "immutable", "mutability_exclusions": ["latest*", "dev"], "scan_on_push": true, "encryption": "kms_dsse", "kms_key": "alias/base", "tags": { "team": "base" } }),
        ),
        (
            PUBLIC,
            "{ on_drift: keep, tags: { a: \"\" }, repository_policy: { Version: \"2012-10-17\" }, catalog: { description: d, about: a, usage: u, architectures: [x86-64, ARM 64], operating_systems: [Linux] } }",
            json!({ "on_drift": "keep", "tags": { "a": "" }, "repository_policy": { "Version": "2012-10-17" }, "catalog": { "description": "d", "about": "a", "usage": "u", "architectures": ["x86-64", "ARM 64"], "operating_systems": ["Linux"] } }),
        ),
        (
            GAR,
            "{ tag_mutability: mutable, description: mirrored, labels: { team: base-1 }, kms_key: projects/p/locations/l/keyRings/r/cryptoKeys/k, cleanup_policies: { old: { action: DELETE, condition: { olderThan: 2592000s } } }, cleanup_dry_run: true, mode: standard, location: europe-west1 }",
            json!({ "tag_mutability": "mutable", "description": "mirrored", "labels": { "team": "base-1" }, "kms_key": "projects/p/locations/l/keyRings/r/cryptoKeys/k", "cleanup_policies": { "old": { "action": "DELETE", "condition": { "olderThan": "2592000s" } } }, "cleanup_dry_run": true, "mode": "standard", "location": "europe-west1" }),
        ),
        (
            ACR,
            "{ lock_after_push: true }",
            json!({ "lock_after_push": true }),
        ),
        ("quay.io", "false", json!(false)),
        ("quay.io", "{}", json!({})),
    ] {
        assert_eq!(settings(host, yaml), expected, "{host}");
    }
}

#[test]
fn a_key_of_another_vendor_says_whose_it_is() {
    let text = |host, yaml: &str| bad(&file(host, &format!("    create_repositories: {yaml}\n"))).to_string();
    for (host, yaml, owners, own) in [
        (GAR, "{ scan_on_push: true }", "`ecr`", "`gar`"),
        (PUBLIC, "{ scan_on_push: true }", "`ecr`", "`ecr` (public)"),
        (ECR, "{ catalog: { about: x } }", "`ecr` (public)", "`ecr`"),
        (ECR, "{ labels: { a: b } }", "`gar`", "`ecr`"),
        (ACR, "{ tag_mutability: immutable }", "`ecr`, `gar`", "`acr`"),
        (
            "quay.io",
            "{ on_drift: keep }",
            "`ecr`, `gar`, `acr`",
            "`generic`",
        ),
    ] {
        let told = text(host, yaml);
        let wanted = format!("is for provider {owners}, this registry's is {own}\n");
        assert!(told.contains(&wanted), "{told}");
    }
    assert!(text("quay.io", "{ tags: { a: b } }").contains("say `provider: ecr` beside `host`"));
    // What the host can't tell, `provider` does.
    let named = "    provider: ecr\n    create_repositories: { scan_on_push: true }\n";
    assert!(connection("localhost:5000", named).create_repositories.is_some());
}

#[test]
fn settings_that_no_vendor_takes_are_told() {
    assert_snapshot!(bad(&file(ECR, "    create_repositories:\n      mutability_exclusions: [\"a b\", x, x, x, x, x]\n      kms_key: k\n      tags: { \"aws:x\": y }\n      lifecycle_policy: { rules: [] }\n      repository_policy: \"{}\"\n      on_drift: replace\n")), @r#"
    error: `mutability_exclusions` without `tag_mutability`
     --> transship.yaml:6:7
      |
    6 |       mutability_exclusions: ["a b", x, x, x, x, x]
      |       ^^^^^^^^^^^^^^^^^^^^^
      |
      = help: add `tag_mutability` beside it

    error: `mutability_exclusions` has 6 patterns
     --> transship.yaml:6:30
      |
    6 |       mutability_exclusions: ["a b", x, x, x, x, x]
      |                              ^
      |
      = help: between 1 and 5 are allowed

    error: ECR takes no such pattern of tags
     --> transship.yaml:6:31
      |
    6 |       mutability_exclusions: ["a b", x, x, x, x, x]
      |                               ^^^^^
      |
      = help: a pattern has up to 128 letters, digits, `.`, `_`, `-`, and `*` for any characters

    error: `kms_key` is of use with a KMS encryption alone
     --> transship.yaml:7:7
      |
    7 |       kms_key: k
      |       ^^^^^^^
      |
      = help: write encryption: kms, or encryption: kms_dsse, beside it

    error: the names of tags that start with `aws:` are AWS's own
     --> transship.yaml:8:15
      |
    8 |       tags: { "aws:x": y }
      |               ^^^^^^^
      |
      = help: give it another name

    error: `lifecycle_policy` has 12 characters as JSON
     --> transship.yaml:9:25
      |
    9 |       lifecycle_policy: { rules: [] }
      |                         ^
      |
      = help: between 100 and 30720 are allowed

    error: expected `repository_policy`, a map, found text
      --> transship.yaml:10:26
       |
    10 |       repository_policy: "{}"
       |                          ^^^^
       |
       = help: paste the JSON as it is, without quotes around it: JSON is YAML

    error: unknown value of `on_drift`
      --> transship.yaml:11:17
       |
    11 |       on_drift: replace
       |                 ^^^^^^^
       |
       = help: `on_drift` takes keep, update
    "#);
}

#[test]
fn settings_that_google_does_not_take_are_told() {
    assert_snapshot!(bad(&file(GAR, "    create_repositories:\n      labels: { Team: base }\n      kms_key: alias/base\n      mode: remote\n      location: \"Europe west\"\n      cleanup_policies:\n        old: { action: Delete }\n        new: { condition: {}, mostRecentVersion: {} }\n")), @r#"
    error: Google takes no such label
     --> transship.yaml:6:17
      |
    6 |       labels: { Team: base }
      |                 ^^^^
      |
      = help: names and values have up to 63 lower-case letters, digits, `_` and `-`; a name starts with a letter

    error: `kms_key` names no key of Google's
     --> transship.yaml:7:16
      |
    7 |       kms_key: alias/base
      |                ^^^^^^^^^^
      |
      = help: it looks like projects/PROJECT/locations/LOCATION/keyRings/RING/cryptoKeys/KEY

    error: nothing can be pushed to a remote repository
     --> transship.yaml:8:13
      |
    8 |       mode: remote
      |             ^^^^^^
      |
      = help: leave `mode` out, or write mode: standard

    error: `location` is none of Google's
     --> transship.yaml:9:17
      |
    9 |       location: "Europe west"
      |                 ^^^^^^^^^^^^^
      |
      = help: a location is a region or a multi-region, such as europe-west1 or us

    error: unknown value of `action`
      --> transship.yaml:11:24
       |
    11 |         old: { action: Delete }
       |                        ^^^^^^ did you mean `DELETE`?

    error: a cleanup policy lacks `action`
      --> transship.yaml:12:14
       |
    12 |         new: { condition: {}, mostRecentVersion: {} }
       |              ^
       |
       = help: add action: DELETE, or action: KEEP

    error: unknown key `mostRecentVersion`
      --> transship.yaml:12:31
       |
    12 |         new: { condition: {}, mostRecentVersion: {} }
       |                               ^^^^^^^^^^^^^^^^^ did you mean `mostRecentVersions`?
    "#);
}

#[test]
fn a_key_of_the_registry_belongs_where_it_is_read() {
    assert_snapshot!(bad(&file(ECR, "    resource_id: /subscriptions/x\n    server_side_copy: true\n    profile: prod\n    scan_on_push: true\n    chunk: 4MiB\n    create_repositories: { scan_onpush: true }\n")), @r#"
    error: `resource_id` is for provider `acr`, this registry's is `ecr`
     --> transship.yaml:5:5
      |
    5 |     resource_id: /subscriptions/x
      |     ^^^^^^^^^^^
      |
      = help: leave it out

    error: `server_side_copy` is for provider `acr`, `gar`, this registry's is `ecr`
     --> transship.yaml:6:5
      |
    6 |     server_side_copy: true
      |     ^^^^^^^^^^^^^^^^
      |
      = help: leave it out

    error: `profile` says how the registry wants to be talked to, in a map
     --> transship.yaml:7:14
      |
    7 |     profile: prod
      |              ^^^^
      |
      = help: a profile of the AWS configuration stands under auth: { profile: NAME }

    error: unknown key `scan_on_push`
     --> transship.yaml:8:5
      |
    8 |     scan_on_push: true
      |     ^^^^^^^^^^^^
      |
      = help: `scan_on_push` belongs under `create_repositories`

    error: unknown key `chunk`
     --> transship.yaml:9:5
      |
    9 |     chunk: 4MiB
      |     ^^^^^
      |
      = help: `chunk` belongs under `profile`

    error: unknown key `scan_onpush`
      --> transship.yaml:10:28
       |
    10 |     create_repositories: { scan_onpush: true }
       |                            ^^^^^^^^^^^ did you mean `scan_on_push`?
    "#);
    assert_snapshot!(bad(&file(ACR, "    resource_id: /subscriptions/x\n    profile: { upload: whole, chunk: 4MB/s, page: 0, mount: some, rates: { put_manifests: 1, get_blob: 0 } }\n")), @r#"
    error: `resource_id` names no container registry of Azure
     --> transship.yaml:5:18
      |
    5 |     resource_id: /subscriptions/x
      |                  ^^^^^^^^^^^^^^^^
      |
      = help: it looks like /subscriptions/ID/resourceGroups/GROUP/providers/Microsoft.ContainerRegistry/registries/NAME

    error: `chunk` is of no use with `upload: whole`
     --> transship.yaml:6:31
      |
    6 |     profile: { upload: whole, chunk: 4MB/s, page: 0, mount: some, rates: { put_manifests: 1, get_blob: 0 } }
      |                               ^^^^^
      |
      = help: leave it out, or write upload: chunked

    error: `chunk` is no size
     --> transship.yaml:6:38
      |
    6 |     profile: { upload: whole, chunk: 4MB/s, page: 0, mount: some, rates: { put_manifests: 1, get_blob: 0 } }
      |                                      ^^^^^
      |
      = help: a size is a number with B, KiB, MiB, GiB, kB, MB or GB, such as 4MiB

    error: expected `page`, a whole number from 1
     --> transship.yaml:6:51
      |
    6 |     profile: { upload: whole, chunk: 4MB/s, page: 0, mount: some, rates: { put_manifests: 1, get_blob: 0 } }
      |                                                   ^
      |
      = help: write it in digits, as in page: 1

    error: unknown value of `mount`
     --> transship.yaml:6:61
      |
    6 |     profile: { upload: whole, chunk: 4MB/s, page: 0, mount: some, rates: { put_manifests: 1, get_blob: 0 } }
      |                                                             ^^^^
      |
      = help: `mount` takes any, committed, never

    error: unknown key `put_manifests`
     --> transship.yaml:6:76
      |
    6 |     profile: { upload: whole, chunk: 4MB/s, page: 0, mount: some, rates: { put_manifests: 1, get_blob: 0 } }
      |                                                                            ^^^^^^^^^^^^^ did you mean `put_manifest`?

    error: expected `get_blob`, a whole number from 1
     --> transship.yaml:6:104
      |
    6 |     profile: { upload: whole, chunk: 4MB/s, page: 0, mount: some, rates: { put_manifests: 1, get_blob: 0 } }
      |                                                                                                        ^
      |
      = help: write it in digits, as in get_blob: 1
    "#);
}

#[test]
fn keys_of_azure_and_google_registries_are_read() {
    let id = "/subscriptions/0-1/resourcegroups/rg/providers/Microsoft.ContainerRegistry/registries/contoso";
    let acr = connection(
        ACR,
        &format!("    resource_id: {id}\n    server_side_copy: true\n"),
    );
    assert_eq!(
        (acr.resource_id.as_deref(), acr.server_side_copy),
        (Some(id), Some(true))
    );
    assert_eq!(
        connection(GAR, "    server_side_copy: false\n").server_side_copy,
        Some(false)
    );
    let named = connection(
        ACR,
        "    resource_id: \"/subscriptions/${EIGHT}/resourceGroups/g/providers/Microsoft.ContainerRegistry/registries/contoso\"\n",
    );
    let resolved = named.resolve(&environment).expect("it is set").connection;
    assert!(
        resolved
            .resource_id
            .expect("an id")
            .starts_with("/subscriptions/8/")
    );
}

#[test]
fn a_profile_is_read_key_by_key_and_survives_a_plan() {
    let of = |yaml: &str| {
        let connection = connection("quay.io", &format!("    profile: {yaml}\n"));
        let json = serde_json::to_string(&connection).expect("a connection is JSON");
        assert_eq!(
            serde_json::from_str::<Connection>(&json).expect("and reads again"),
            connection
        );
        connection.profile.expect("a profile")
    };
    let none = ProfileOverrides::default();
    for (yaml, expected) in [
        ("{}", none.clone()),
        (
            "{ upload: chunked }",
            ProfileOverrides {
                upload: Some(UploadRule::Chunked),
                ..none.clone()
            },
        ),
        (
            "{ upload: whole }",
            ProfileOverrides {
                upload: Some(UploadRule::Whole),
                ..none.clone()
            },
        ),
        (
            "{ whole_up_to: 16MiB }",
            ProfileOverrides {
                whole_up_to: Some(16 << 20),
                ..none.clone()
            },
        ),
        (
            "{ chunk: \"${EIGHT}MiB\" }",
            ProfileOverrides {
                chunk: Some(8 << 20),
                ..none.clone()
            },
        ),
        (
            "{ page: 100 }",
            ProfileOverrides {
                page: Some(100),
                ..none.clone()
            },
        ),
        (
            "{ mount: committed }",
            ProfileOverrides {
                mount: Some(MountRule::Committed),
                ..none.clone()
            },
        ),
        (
            "{ referrers: fallback }",
            ProfileOverrides {
                referrers: Some(ReferrersRule::Fallback),
                ..none.clone()
            },
        ),
        (
            "{ listing: inventory }",
            ProfileOverrides {
                listing: Some(Listing::Inventory),
                ..none.clone()
            },
        ),
        (
            "{ rates: { put_manifest: 10, head_blob: 1000 } }",
            ProfileOverrides {
                rates: BTreeMap::from([(Rated::PutManifest, 10), (Rated::HeadBlob, 1000)]),
                ..none.clone()
            },
        ),
    ] {
        assert_eq!(of(yaml), expected, "{yaml}");
    }
}

#[test]
fn how_a_registry_is_talked_to_is_not_what_is_wanted() {
    let digest = |keys: &str| good(&file(ACR, keys)).digest;
    let plain = digest("");
    for keys in [
        "    profile: { page: 10 }\n",
        "    server_side_copy: true\n",
        "    resource_id: /subscriptions/s/resourceGroups/g/providers/Microsoft.ContainerRegistry/registries/contoso\n",
    ] {
        assert_eq!(digest(keys), plain, "{keys}");
    }
    assert_ne!(
        digest("    create_repositories: { lock_after_push: true }\n"),
        plain
    );
}

#[test]
fn every_way_to_sign_in_is_read_for_its_provider() {
    for (host, auth) in [
        (
            ECR,
            "{ profile: p, role_arn: r, external_id: x, region: eu-west-1, endpoint: \"http://localhost:1\" }",
        ),
        (
            PUBLIC,
            "{ profile: p, role_arn: r, external_id: x, region: us-east-1, endpoint: \"http://localhost:1\" }",
        ),
        (
            GAR,
            "{ impersonate: a@p.iam.gserviceaccount.com, endpoint: \"http://localhost:1\" }",
        ),
        (GAR, "{ key_file: key.json }"),
        (
            ACR,
            "{ tenant_id: t, client_id: c, client_secret: { env: S }, audience: a, authority: l, endpoint: e }",
        ),
        ("quay.io", "{ helper: pass }"),
        ("quay.io", "{ docker_config: d.json }"),
        ("quay.io", "{ token: { file: t }, realm: auth.quay.io }"),
        ("quay.io", "{ username: u, password: { env: P } }"),
        ("quay.io", "anonymous"),
    ] {
        let read = connection(host, &format!("    auth: {auth}\n"))
            .auth
            .expect("auth");
        if auth != "anonymous" {
            let keys = serde_json::to_value(read).expect("auth is JSON");
            let keys = keys.as_object().expect("a map").len();
            assert_eq!(
                keys,
                auth.matches(": ").count() - auth.matches(": { ").count(),
                "{auth}"
            );
        }
    }
}

#[test]
fn ways_to_sign_in_that_lack_a_part_are_told() {
    assert_snapshot!(bad(&file(ECR, "    auth: { external_id: x }\n")), @r#"
    error: `external_id` without `role_arn`
     --> transship.yaml:5:13
      |
    5 |     auth: { external_id: *** }
      |             ^^^^^^^^^^^
      |
      = help: add `role_arn` beside it
    "#);
    assert_snapshot!(bad(&file(ACR, "    auth: { client_secret: { env: S } }\n")), @r#"
    error: `client_secret` without `client_id`
     --> transship.yaml:5:13
      |
    5 |     auth: { client_secret: { env: *** } }
      |             ^^^^^^^^^^^^^
      |
      = help: add `client_id` beside it
    "#);
    assert_snapshot!(bad(&file(GAR, "    auth: { impersonate: mirror }\n")), @r#"
    error: `impersonate` is no service account's address
     --> transship.yaml:5:26
      |
    5 |     auth: { impersonate: *** }
      |                          ^^^
      |
      = help: it looks like NAME@PROJECT.iam.gserviceaccount.com
    "#);
}

/// Returns the blocks of YAML in the documentation.
fn documented() -> Vec<String> {
    let page = include_str!("../../../../docs/configuration.md");
    let blocks = page.split("```yaml\n").skip(1);
    blocks
        .map(|block| {
            block
                .split_once("```")
                .map_or(block, |(block, _)| block)
                .to_owned()
        })
        .collect()
}

#[test]
fn the_documentation_shows_configurations_that_are_read() {
    let whole = |block: &str| {
        let mirrors = "mirrors:\n  - { from: quay.io/a/b, to: site.example/b }\n";
        match block {
            block if block.starts_with("version:") => block.to_owned(),
            block if block.starts_with("mirrors:") => {
                format!(
                    "version: 1\nregistries: {{ ecr: {{ host: {ECR} }}, site: {{ host: site.example }} }}\n{block}"
                )
            }
            block if block.starts_with("    ") => file("quay.io", block),
            block => format!("version: 1\nregistries:\n{block}{mirrors}"),
        }
    };
    let blocks = documented();
    assert!(blocks.len() >= 4, "{}", blocks.len());
    for block in blocks {
        good(&whole(&block));
    }
}
