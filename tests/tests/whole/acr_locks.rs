//! Tags that are locked once they were pushed.

use oci::Digest;
use serde_json::Value;
use testkit::azure::{Principal, Right};

use crate::acr_site::{AcrSite, CLIENT, SECRET, mirror};
use crate::site::single;

const LOCKS: &str = "create_repositories: { lock_after_push: true }";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tag_is_locked_after_its_push_and_a_later_change_is_blocked_by_the_plan() {
    let Some(site) = AcrSite::start().await else {
        return;
    };
    let first = single("v1", 1, 20_000);
    site.source.direct().push("team/app", &first).await;
    site.configure(&[LOCKS], &mirror("team/app"));
    let _ = site.plan(0).await;
    site.apply(0).await;
    assert!(site.azure.is_locked("mirror/app", "v1"));
    site.assert_settled().await;

    site.source
        .direct()
        .push("team/app", &single("v1", 2, 20_000))
        .await;
    site.source
        .direct()
        .push("team/app", &single("v2", 3, 20_000))
        .await;
    let (output, plan) = site.plan(1).await;
    let blocked = plan["blocked"].as_array().expect("it is a list");
    assert_eq!(blocked.len(), 1, "{blocked:#?}");
    assert_eq!(
        (&blocked[0]["kind"], &blocked[0]["tag"]),
        (&"immutable".into(), &"v1".into())
    );
    let hint = blocked[0]["hint"].as_str().expect("there is a hint");
    assert!(hint.contains("on_change: keep"), "{hint}");
    assert!(
        output.stdout.contains("! acr/mirror/app:v1: "),
        "{}",
        output.stdout
    );
    assert!(output.stdout.contains("is locked"), "{}", output.stdout);

    // All else is done, and the locked tag stays.
    let report = site.apply(1).await;
    assert_eq!(report["tags"]["written"], 1, "{}", report["tags"]);
    assert!(site.azure.is_locked("mirror/app", "v2"));
    assert_eq!(
        Digest::sha256(&site.raw("mirror/app", "v1").await),
        *first.tags.values().next().expect("it has a tag")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tag_that_is_locked_between_plan_and_apply_stays_and_is_told_with_the_command() {
    let Some(site) = AcrSite::start().await else {
        return;
    };
    site.source
        .direct()
        .push("team/app", &single("v1", 1, 20_000))
        .await;
    site.configure(&[LOCKS], &mirror("team/app"));
    let _ = site.plan(0).await;
    site.apply(0).await;
    site.configure(&[], &mirror("team/app"));
    // Somebody unlocks it for the time of the plan.
    site.azure.set_locked("mirror/app", "v1", false);
    site.source
        .direct()
        .push("team/app", &single("v1", 2, 20_000))
        .await;
    let _ = site.plan(0).await;
    site.azure.set_locked("mirror/app", "v1", true);
    let report = site.apply(1).await;
    let failure = &report["failures"][0];
    assert_eq!(failure["kind"], "immutable", "{failure}");
    let hint = failure["hint"].as_str().expect("there is a hint");
    assert!(hint.contains("az acr repository update"), "{hint}");
    assert!(hint.contains("--write-enabled true"), "{hint}");
    assert_eq!(report["changes"], Value::Array(Vec::new()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_push_and_not_lock_is_told_that_the_tag_stands_unlocked() {
    let principal = Principal::new(CLIENT, [Right::Pull, Right::Push]).secret(SECRET);
    let Some(site) = AcrSite::start_as(principal).await else {
        return;
    };
    let content = single("v1", 1, 20_000);
    site.source.direct().push("team/app", &content).await;
    site.configure(&[LOCKS], &mirror("team/app"));
    let _ = site.plan(0).await;
    let report = site.apply(77).await;
    let failure = &report["failures"][0];
    let error = failure["error"].as_str().expect("an error is text");
    assert!(error.contains("the tag was written; lock it"), "{error}");
    let hint = failure["hint"].as_str().expect("there is a hint");
    assert!(
        hint.contains("\"Container Registry Repository Writer\""),
        "{hint}"
    );
    assert!(hint.contains("repositories/metadata/write"), "{hint}");
    site.assert_holds("mirror/app", &content).await;
}
