//! The plan is what is done: exactly that, and only where the world still is as it was seen.

use testkit::image::Content;

use crate::site::{self, Site, assert_holds, standing};

/// Two tags with something attached to both.
fn two_tags() -> Content {
    let mut content = site::single("v1", 1, 5_000);
    let other = site::single("v2", 2, 5_000);
    content.blobs.extend(other.blobs);
    content.manifests.extend(other.manifests);
    content.tags.extend(other.tags);
    for file in content.manifests.clone() {
        let image = oci::Descriptor::new(file.media_type, file.digest, file.bytes.len() as u64);
        content.cosign(&image);
    }
    content
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tag_that_moved_at_a_target_stays_and_is_named_and_everything_else_lands() {
    let content = two_tags();
    let foreign = site::single("v1", 99, 700);
    let Some(site) = Site::mirroring(2, &[("team/app", &content)]).await else {
        return;
    };
    site.plan(0).await;
    let alpha = site.target("alpha");
    alpha.direct().push("mirror/app", &foreign).await;

    let output = site
        .run(&["apply", "plan.json", "--report", "report.json"])
        .await
        .expect(1);
    assert!(
        format!("{}{}", output.stdout, output.stderr).contains("mirror/app:v1"),
        "{output:?}"
    );
    let report = site.json("report.json");
    assert_eq!(report["outcome"], "partial");
    assert_eq!(report["exit_code"], 1);
    let failures = report["failures"].as_array().expect("failures are a list");
    assert_eq!(failures.len(), 1, "{failures:#?}");
    assert_eq!(failures[0]["kind"], "stale");
    assert_eq!(failures[0]["registry"], "alpha");
    assert_eq!(failures[0]["repository"], "mirror/app");
    assert_eq!(failures[0]["tag"], "v1");
    assert_eq!(failures[0]["side"], "target");

    let moved = foreign.tags.values().next().cloned();
    assert_eq!(standing(alpha, "mirror/app", "v1").await, moved);
    let mut landed = content.clone();
    landed.tags.remove(&"v1".parse().expect("it is a tag"));
    assert_holds(alpha, "mirror/app", &landed).await;
    assert_holds(site.target("beta"), "mirror/app", &content).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tag_that_someone_else_has_brought_to_the_planned_digest_is_done() {
    let content = site::single("v1", 1, 5_000);
    let Some(site) = Site::mirroring(1, &[("team/app", &content)]).await else {
        return;
    };
    site.plan(0).await;
    site.targets[0].direct().push("mirror/app", &content).await;
    let report = site.apply(0).await;
    assert_eq!(report["tags"]["written"], 0);
    assert!(site.targets[0].proxy.exchanges().mutating().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edited_plan_is_refused_before_any_request() {
    let content = site::single("v1", 1, 5_000);
    let Some(site) = Site::mirroring(1, &[("team/app", &content)]).await else {
        return;
    };
    site.plan(0).await;
    let plan = site.sandbox.read("plan.json");
    site.forget();
    for (what, with) in [
        ("mirror/app", "mirror/apq"),
        ("\"v1\"", "\"v9\""),
        ("created_by\": \"", "created_by\": \"x"),
    ] {
        let edited = plan.replacen(what, with, 1);
        let edited = if edited == plan {
            plan.replacen("created_by\":\"", "created_by\":\"x", 1)
        } else {
            edited
        };
        assert_ne!(edited, plan, "{what} is in the plan");
        site.sandbox.write("edited.json", &edited);
        let output = site.run(&["apply", "edited.json"]).await.expect(65);
        assert!(output.stderr.contains("edited.json"), "{}", output.stderr);
        let _ = site.run(&["show", "edited.json"]).await.expect(65);
    }
    for text in ["", "{}", "[]", "not JSON", &plan[..plan.len() / 2]] {
        site.sandbox.write("broken.json", text);
        let _ = site.run(&["apply", "broken.json"]).await.expect(65);
    }
    assert_eq!(site.requests(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_schema_is_refused_before_any_request() {
    let content = site::single("v1", 1, 5_000);
    let Some(site) = Site::mirroring(1, &[("team/app", &content)]).await else {
        return;
    };
    let mut plan = site.plan(0).await;
    site.forget();
    plan["schema"] = 2.into();
    site.sandbox.write("future.json", &plan.to_string());
    let output = site
        .run(&["apply", "future.json", "--report", "report.json"])
        .await
        .expect(65);
    assert!(output.stderr.contains("schema 2"), "{}", output.stderr);
    assert_eq!(site.json("report.json")["exit_code"], 65);
    assert_eq!(site.requests(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_of_another_configuration_is_refused() {
    let content = site::single("v1", 1, 5_000);
    let Some(site) = Site::mirroring(1, &[("team/app", &content)]).await else {
        return;
    };
    site.plan(0).await;
    site.forget();
    let other = "mirrors:\n  - { from: origin/team/other, to: [alpha/mirror/other] }\n";
    site.sandbox
        .write("other.yaml", &format!("{}{other}", site.declarations()));
    let _ = site
        .run(&["apply", "plan.json", "-f", "other.yaml"])
        .await
        .expect(65);
    assert_eq!(site.requests(), 0);
    let _ = site
        .run(&["apply", "plan.json", "-f", "transship.yaml"])
        .await
        .expect(0);
    assert_holds(&site.targets[0], "mirror/app", &content).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_tag_that_moved_after_the_plan_changes_nothing_of_it() {
    let planned = site::single("v1", 1, 5_000);
    let moved = site::single("v1", 2, 5_000);
    let Some(site) = Site::mirroring(2, &[("team/app", &planned)]).await else {
        return;
    };
    site.plan(0).await;
    site.source.direct().push("team/app", &moved).await;
    site.apply(0).await;
    for target in &site.targets {
        assert_holds(target, "mirror/app", &planned).await;
    }
}
