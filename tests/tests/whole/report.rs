//! The report has the shape that scripts rely on.

use serde_json::Value;

use crate::site::{self, Site};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_report_has_every_key_of_its_contract() {
    let content = site::single("v1", 1, 3_000);
    let Some(site) = Site::mirroring(2, &[("team/app", &content)]).await else {
        return;
    };
    let plan = site.plan(0).await;
    let report = site.apply(0).await;
    for key in [
        "schema",
        "tool",
        "plan",
        "config",
        "started",
        "finished",
        "exit_code",
        "outcome",
        "elapsed_seconds",
        "changes",
        "tags",
        "ops",
        "bytes",
        "requests",
        "retries",
        "blocked",
        "failures",
    ] {
        assert!(report.get(key).is_some(), "{key} is missing in {report:#}");
    }
    assert_eq!(report["schema"], 1);
    assert!(
        report["tool"]
            .as_str()
            .is_some_and(|tool| tool.starts_with("transship "))
    );
    assert_eq!(report["plan"], plan["digest"]);
    assert_eq!(report["config"], plan["config"]);
    assert_eq!(report["exit_code"], 0);
    assert_eq!(report["outcome"], "succeeded");
    assert!(report["elapsed_seconds"].is_number());
    for key in ["started", "finished"] {
        let time = report[key].as_str().unwrap_or_default();
        assert!(time.len() >= 20 && time.as_bytes()[10] == b'T', "{key}: {time}");
    }
    assert_keys(&report["tags"], &["written", "unchanged", "kept", "failed"]);
    assert_keys(
        &report["ops"],
        &["done", "already_done", "mounted", "failed", "skipped"],
    );
    assert_keys(&report["bytes"], &["read", "written", "mounted"]);
    assert!(
        report["requests"]["alpha"]["PUT"].as_u64() > Some(0),
        "{}",
        report["requests"]
    );
    assert!(
        report["requests"]["origin"]["GET"].as_u64() > Some(0),
        "{}",
        report["requests"]
    );
    assert_changes(
        &report,
        &content.tags.values().next().expect("there is a tag").to_string(),
    );
}

fn assert_keys(value: &Value, keys: &[&str]) {
    for key in keys {
        assert!(value.get(key).is_some(), "{key} is missing in {value:#}");
    }
}

fn assert_changes(report: &Value, digest: &str) {
    let changes = report["changes"].as_array().expect("changes are a list");
    assert_eq!(changes.len(), 2);
    for (change, registry) in changes.iter().zip(["alpha", "beta"]) {
        assert_eq!(change["registry"], registry);
        assert_eq!(change["repository"], "mirror/app");
        assert_eq!(change["tag"], "v1");
        assert_eq!(change["before"], Value::Null);
        assert_eq!(change["after"], digest);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn apply_prints_the_report_as_json_and_nothing_else_on_standard_output() {
    let content = site::single("v1", 1, 3_000);
    let Some(site) = Site::mirroring(1, &[("team/app", &content)]).await else {
        return;
    };
    site.plan(0).await;
    let output = site
        .run(&["apply", "plan.json", "--format", "json"])
        .await
        .expect(0);
    let report: Value = serde_json::from_str(&output.stdout).expect("the output is JSON");
    assert_eq!(report["outcome"], "succeeded");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_plan_has_every_key_of_its_contract_and_its_ops_are_in_order() {
    let content = site::single("v1", 1, 3_000);
    let Some(site) = Site::mirroring(2, &[("team/app", &content), ("team/other", &content)]).await else {
        return;
    };
    let plan = site.plan(0).await;
    let keys = [
        "schema",
        "created_by",
        "digest",
        "config",
        "registries",
        "manifests",
        "blobs",
        "ops",
        "blocked",
        "notes",
        "summary",
    ];
    assert_keys(&plan, &keys);
    assert_eq!(plan.as_object().map(serde_json::Map::len), Some(keys.len()));
    assert_eq!(plan["schema"], 1);
    let kinds = [
        "create_repository",
        "upload_blob",
        "mount_blob",
        "put_manifest",
        "put_tag",
        "merge_referrers",
        "merge_signatures",
    ];
    let mut seen: Vec<&str> = Vec::new();
    for op in plan["ops"].as_array().expect("ops are a list") {
        assert!(
            op["kind"].as_str().is_some_and(|kind| kinds.contains(&kind)),
            "{op}"
        );
        assert!(
            op["at"].as_array().is_some_and(|places| !places.is_empty()),
            "{op}"
        );
        for key in ["after", "after_end"] {
            for id in op[key].as_array().into_iter().flatten() {
                assert!(
                    id.as_str().is_some_and(|id| seen.contains(&id)),
                    "{op} waits for what comes later"
                );
            }
        }
        seen.push(op["id"].as_str().expect("an op has an id"));
    }
    let tag = plan["ops"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|op| op["kind"] == "put_tag");
    assert_eq!(tag.map(|op| &op["at"][0]["expect"]), Some(&Value::from("absent")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_configuration_leaves_a_report_too() {
    let sandbox = testkit::binary::Sandbox::new();
    sandbox.write("transship.yaml", "version: 1\nmirors: []\n");
    let _ = sandbox
        .run(&["apply", "--auto-approve", "--report", "report.json"])
        .await
        .expect(65);
    let report: Value = serde_json::from_str(&sandbox.read("report.json")).expect("the report is JSON");
    assert_eq!(report["exit_code"], 65);
    assert_eq!(report["outcome"], "failed");
}
