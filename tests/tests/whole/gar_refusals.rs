//! What Google refuses, and what transship says then.

use serde_json::{Value, json};
use testkit::google::identity::MACHINE;

use crate::gar::{BASE, World};
use crate::gar_repositories::assert_at_site;
use crate::site::single;

/// An image for Google's registry and for another.
const BOTH: &str = "from: origin/alpine, to: [gar/my-project/base/alpine, site/mirror/alpine]";

/// The words of the registry itself.
const DENIED: &str = "Permission \"artifactregistry.repositories.uploadArtifacts\" denied on resource \
                      \"projects/my-project/locations/europe-west1/repositories/base\" (or it may not exist)";

/// Asserts that there is one root cause, and returns its hint.
fn only_hint(report: &Value) -> String {
    let failures = report["failures"].as_array().expect("failures are a list");
    assert_eq!(failures.len(), 1, "{failures:?}");
    assert_eq!(failures[0]["kind"], "permission", "{failures:?}");
    assert_eq!(failures[0]["registry"], "gar", "{failures:?}");
    failures[0]["hint"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gar_who_may_not_create_is_told_the_grant_and_other_registries_complete() {
    let Some(world) = World::start().await else { return };
    world.seed("alpine", &single("v1", 1, 20_000)).await;
    world.configure("", &[], &[BOTH]);
    world.api.deny("artifactregistry.repositories.create");
    let _ = world.plan(0).await;
    let report = world.apply(77).await;
    assert_eq!(
        only_hint(&report),
        format!(
            "{MACHINE} (metadata server) lacks artifactregistry.repositories.create: \
             gcloud projects add-iam-policy-binding my-project --member=serviceAccount:{MACHINE} \
             --role=roles/artifactregistry.admin (a grant takes up to 7 minutes to be seen)"
        )
    );
    assert_at_site(&world, "mirror/alpine").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gar_who_may_not_push_is_told_the_grant_and_other_registries_complete() {
    let denied = |mut rules: testkit::front::gar::GarRules| {
        rules.uploads_denied = Some(DENIED.to_owned());
        rules
    };
    let Some(world) = World::start_with(denied).await else {
        return;
    };
    world.seed("alpine", &single("v1", 1, 20_000)).await;
    world.api.add_repository(BASE, json!({ "format": "DOCKER" }));
    world.configure("", &[], &[BOTH]);
    let _ = world.plan(0).await;
    let report = world.apply(77).await;
    assert_eq!(
        only_hint(&report),
        format!(
            "{MACHINE} (metadata server) lacks artifactregistry.repositories.uploadArtifacts: \
             gcloud artifacts repositories add-iam-policy-binding base --project=my-project --location=europe-west1 \
             --member=serviceAccount:{MACHINE} --role=roles/artifactregistry.writer (a grant takes up to 7 minutes to be seen)"
        )
    );
    assert!(
        report["failures"][0]["error"]
            .as_str()
            .unwrap_or_default()
            .contains("uploadArtifacts")
    );
    assert_at_site(&world, "mirror/alpine").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gar_who_may_not_look_is_blocked_with_the_grant_and_other_registries_complete() {
    let Some(world) = World::start().await else { return };
    world.seed("alpine", &single("v1", 1, 20_000)).await;
    world.configure("", &[], &[BOTH]);
    world.api.deny("artifactregistry.repositories.get");
    let (plan, saved) = world.plan(77).await;
    let _ = plan.says(&[
        "! gar/my-project/base",
        &format!("hint: {MACHINE} (metadata server) lacks artifactregistry.repositories.get: gcloud artifacts repositories"),
        "--role=roles/artifactregistry.reader",
        "+ site/mirror/alpine:v1",
    ]);
    assert_eq!(saved["blocked"][0]["kind"], "permission");
    world.apply(77).await;
    assert_at_site(&world, "mirror/alpine").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gar_who_may_not_list_plans_tag_by_tag_and_is_told_so() {
    let Some(world) = World::start().await else { return };
    world.seed("alpine", &single("v1", 1, 20_000)).await;
    world.configure(
        "",
        &[],
        &["from: origin/alpine, to: [gar/my-project/base/alpine]"],
    );
    world.api.deny("artifactregistry.versions.list");
    let (plan, _) = world.plan(0).await;
    let note = "note: gar/my-project/base/alpine: asked tag by tag, which is slow: ";
    let _ = plan.says(&[
        "+ gar/my-project/base (repository)",
        note,
        "artifactregistry.versions.list",
    ]);
    world.apply(0).await;
    world
        .assert_holds("my-project/base/alpine", &single("v1", 1, 20_000))
        .await;

    let output = world.run(&["plan", "--detailed-exitcode"]).await.expect(0);
    assert!(output.stdout.contains(note), "{}", output.stdout);
    world.seed("alpine", &single("v1", 2, 20_000)).await;
    let output = world.run(&["plan", "--detailed-exitcode"]).await.expect(2);
    assert!(
        output.stdout.contains("~ gar/my-project/base/alpine:v1"),
        "{}",
        output.stdout
    );
}
