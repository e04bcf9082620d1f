//! One registry that fails takes nothing else down with it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value;
use testkit::fault::{Fault, RequestHead};
use testkit::image::{Content, Family};

use crate::site::{self, Site, assert_holds, standing};

/// An image of several layers, so that a death can come between two of them.
fn layered() -> Content {
    let mut content = Content::new();
    let layers: Vec<_> = (1..=6)
        .map(|seed| content.layer(Family::Oci, seed, 50_000))
        .collect();
    let image = content.image(Family::Oci, "linux/amd64", &layers);
    content.tag("v1", &image);
    content.tag("v1.0", &image);
    content.cosign(&image);
    content
}

fn entries<'a>(report: &'a Value, key: &str, registry: &str) -> Vec<&'a Value> {
    let list = report[key]
        .as_array()
        .unwrap_or_else(|| panic!("{key} is a list in {report:#}"));
    list.iter()
        .filter(|entry| entry.to_string().contains(&format!("\"{registry}\"")))
        .collect()
}

async fn assert_others_hold(site: &Site, failed: &str, content: &Content) {
    for target in site.targets.iter().filter(|target| target.name != failed) {
        assert_holds(target, "mirror/app", content).await;
    }
}

/// Plans and applies while `beta` is broken from the start, and asserts what must hold then.
async fn assert_isolated_at_plan(site: &Site, content: &Content) {
    let output = site.run(&["plan", "-o", "plan.json"]).await.expect(1);
    let lines: Vec<&str> = output
        .stdout
        .lines()
        .filter(|line| line.trim_start().starts_with('!'))
        .collect();
    assert!(
        lines.iter().any(|line| line.contains("beta")),
        "{}",
        output.stdout
    );
    assert!(output.stdout.contains(" blocked."), "{}", output.stdout);
    let plan = site.json("plan.json");
    assert_eq!(
        entries(&plan, "blocked", "beta").len(),
        1,
        "{:#}",
        plan["blocked"]
    );

    let report = site.apply(1).await;
    assert_eq!(report["outcome"], "partial", "{report:#}");
    assert_eq!(
        entries(&report, "blocked", "beta").len(),
        1,
        "{:#}",
        report["blocked"]
    );
    assert_others_hold(site, "beta", content).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_that_is_down_at_plan_time_blocks_itself_alone() {
    let content = layered();
    let Some(site) = Site::mirroring(3, &[("team/app", &content)]).await else {
        return;
    };
    site.target("beta").proxy.die();
    assert_isolated_at_plan(&site, &content).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_that_answers_500_blocks_itself_alone() {
    let content = layered();
    let Some(site) = Site::mirroring(3, &[("team/app", &content)]).await else {
        return;
    };
    site.target("beta").proxy.set_faults(|_| Fault::Status(500));
    assert_isolated_at_plan(&site, &content).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_that_dies_in_the_middle_of_an_apply_is_named_once_and_the_others_complete() {
    let content = layered();
    let Some(site) = Site::mirroring(3, &[("team/app", &content)]).await else {
        return;
    };
    site.plan(0).await;
    let uploads = AtomicUsize::new(0);
    site.target("beta").proxy.set_faults(move |head: &RequestHead| {
        let seen = if head.sends_blob() {
            uploads.fetch_add(1, Ordering::SeqCst) + 1
        } else {
            uploads.load(Ordering::SeqCst)
        };
        if seen >= 3 { Fault::Reset } else { Fault::None }
    });
    let report = site.apply(1).await;
    assert_eq!(report["outcome"], "partial");
    let failures = entries(&report, "failures", "beta");
    assert_eq!(failures.len(), 1, "{failures:#?}");
    assert_eq!(failures[0]["side"], "target");
    assert_eq!(failures[0]["kind"], "network");
    assert_eq!(report["failures"].as_array().map(Vec::len), Some(1));
    assert!(report["ops"]["skipped"].as_u64() > Some(0), "{}", report["ops"]);
    assert_others_hold(&site, "beta", &content).await;
    assert_eq!(standing(site.target("beta"), "mirror/app", "v1").await, None);

    site.target("beta").proxy.heal();
    site.plan(0).await;
    site.apply(0).await;
    assert_holds(site.target("beta"), "mirror/app", &content).await;
    site.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_that_answers_500_to_uploads_fails_alone() {
    let content = layered();
    let Some(site) = Site::mirroring(3, &[("team/app", &content)]).await else {
        return;
    };
    site.plan(0).await;
    let beta = &site.target("beta").proxy;
    beta.set_faults(|head: &RequestHead| {
        if head.sends_blob() {
            Fault::Status(500)
        } else {
            Fault::None
        }
    });
    let report = site.apply(1).await;
    assert!(!entries(&report, "failures", "beta").is_empty());
    assert_eq!(
        entries(&report, "failures", "beta").len(),
        report["failures"].as_array().map_or(0, Vec::len)
    );
    assert_others_hold(&site, "beta", &content).await;
    assert_eq!(standing(site.target("beta"), "mirror/app", "v1").await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_that_dies_for_good_in_the_middle_does_not_stop_the_others() {
    let content = layered();
    let Some(site) = Site::mirroring(3, &[("team/app", &content)]).await else {
        return;
    };
    site.plan(0).await;
    let (dying, mut died) = tokio::sync::mpsc::unbounded_channel();
    site.target("beta").proxy.set_faults(move |head: &RequestHead| {
        if head.sends_blob() {
            // Nobody listens once the first has been heard.
            let _ = dying.send(());
            return Fault::Stall;
        }
        Fault::None
    });
    let apply = site.apply(1);
    let kill = async {
        died.recv().await.expect("an upload begins");
        site.target("beta").proxy.die();
    };
    let (report, ()) = tokio::join!(apply, kill);
    assert_eq!(report["outcome"], "partial");
    assert_eq!(
        entries(&report, "failures", "beta").len(),
        1,
        "{:#}",
        report["failures"]
    );
    assert_others_hold(&site, "beta", &content).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_target_completes_too() {
    let content = layered();
    let Some(site) = Site::mirroring(3, &[("team/app", &content)]).await else {
        return;
    };
    site.target("beta").proxy.set_faults(|head: &RequestHead| {
        if head.sends_blob() {
            Fault::Throttle {
                bytes_per_second: 200_000,
            }
        } else {
            Fault::None
        }
    });
    site.plan(0).await;
    let report = site.apply(0).await;
    assert_eq!(report["retries"], 0, "slow is not broken");
    for target in &site.targets {
        assert_holds(target, "mirror/app", &content).await;
    }
    assert_eq!(
        site.source.proxy.exchanges().blob_reads().values().max(),
        Some(&1)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delayed_source_and_a_broken_read_are_overcome() {
    let content = layered();
    let Some(site) = Site::mirroring(2, &[("team/app", &content)]).await else {
        return;
    };
    site.plan(0).await;
    let reads = AtomicUsize::new(0);
    site.source.proxy.set_faults(move |head: &RequestHead| {
        if !head.reads_blob() {
            return Fault::Delay(Duration::from_millis(20));
        }
        match reads.fetch_add(1, Ordering::SeqCst) {
            0 => Fault::Cut { after: 20_000 },
            1 => Fault::Status(503),
            2 => Fault::Reset,
            _ => Fault::None,
        }
    });
    let report = site.apply(0).await;
    assert!(report["retries"].as_u64() >= Some(2), "{}", report["retries"]);
    for target in &site.targets {
        assert_holds(target, "mirror/app", &content).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_serves_other_bytes_is_an_integrity_failure_and_nothing_wrong_lands() {
    let content = site::single("v1", 1, 40_000);
    let Some(site) = Site::mirroring(1, &[("team/app", &content)]).await else {
        return;
    };
    site.plan(0).await;
    let layer = content
        .blobs
        .iter()
        .max_by_key(|(_, bytes)| bytes.len())
        .map(|(digest, _)| digest.clone());
    let layer = layer.expect("there is a layer");
    let hex = layer.hex();
    let data = site
        .source
        .registry
        .root()
        .join("storage/docker/registry/v2/blobs/sha256");
    let data = data.join(&hex[..2]).join(&hex).join("data");
    std::fs::write(data, vec![9; 40_000]).expect("the registry's storage can be written");
    let report = site.apply(1).await;
    let failures = report["failures"].as_array().expect("failures are a list");
    assert_eq!(failures.len(), 1, "{failures:#?}");
    assert_eq!(failures[0]["kind"], "integrity");
    assert_eq!(failures[0]["side"], "source");
    assert_eq!(
        site.targets[0].direct().blob_size("mirror/app", &layer).await,
        None
    );
    assert_eq!(standing(&site.targets[0], "mirror/app", "v1").await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_seed_repository_whose_upload_fails_does_not_sink_those_that_mount_from_it() {
    let one = site::single("v1", 1, 30_000);
    let mut two = one.clone();
    let more = two.layer(Family::Oci, 7, 3_000);
    let image = two.image(Family::Oci, "linux/arm64", &[more]);
    two.tag("v2", &image);
    let Some(site) = Site::mirroring(1, &[("team/one", &one), ("team/two", &two)]).await else {
        return;
    };
    let plan = site.plan(0).await;
    let layer = one
        .blobs
        .iter()
        .max_by_key(|(_, bytes)| bytes.len())
        .map(|(digest, _)| digest.to_string());
    let ops = plan["ops"].as_array().expect("ops are a list");
    let find = |kind: &str| {
        let op = ops
            .iter()
            .find(|op| op["kind"] == kind && op["digest"].as_str() == layer.as_deref());
        let op = op.unwrap_or_else(|| panic!("no {kind} of {layer:?} in {plan:#}"));
        op["at"][0]["repository"]
            .as_str()
            .expect("a place has a repository")
            .to_owned()
    };
    let (seed, other) = (find("upload_blob"), find("mount_blob"));
    let broken = format!("/v2/{seed}/blobs/uploads/");
    site.targets[0].proxy.set_faults(move |head: &RequestHead| {
        if head.sends_blob() && head.path.starts_with(&broken) {
            Fault::Status(500)
        } else {
            Fault::None
        }
    });
    let report = site.apply(1).await;
    let failures = report["failures"].as_array().expect("failures are a list");
    assert!(
        failures
            .iter()
            .all(|failure| failure["repository"] == seed.as_str()),
        "{failures:#?}"
    );
    assert!(!failures.is_empty());
    let survivor = if other == "mirror/one" { &one } else { &two };
    assert_holds(&site.targets[0], &other, survivor).await;
    assert!(site.targets[0].direct().tags(&seed).await.is_empty());
}
