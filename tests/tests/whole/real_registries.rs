//! The first promise: identical digests everywhere.

use testkit::image::{Content, Family};
use testkit::layout;
use testkit::software::{skopeo, skopeo_raw};

use crate::site::{self, Site, assert_holds};

/// Pushes one image with skopeo, as it stands and converted to Docker's media types.
async fn push_with_skopeo(site: &Site, repository: &str) {
    let mut content = Content::new();
    let layers = [
        content.layer(Family::Oci, 1, 200_000),
        content.layer(Family::Oci, 77, 9_000),
    ];
    let image = content.image(Family::Oci, "linux/amd64", &layers);
    content.tag("v1", &image);
    let directory = site.sandbox.path("pushed");
    layout::write(&directory, &content);
    let from = format!("oci:{}:v1", directory.display());
    for (tag, format) in [("oci", "oci"), ("docker", "v2s2")] {
        let to = format!("docker://{}/{repository}:{tag}", site.source.registry.host());
        skopeo(&["copy", "--dest-tls-verify=false", "--format", format, &from, &to]).await;
    }
}

/// A repository with a layer under a SHA-512, which docker-registry stores but does not mount.
fn with_sha512() -> Content {
    let mut content = Content::new();
    let shared = content.layer(Family::Oci, 1, 200_000);
    let long = content.layer_sha512(Family::Oci, 6, 40_000);
    let image = content.image(Family::Oci, "linux/amd64", &[shared, long]);
    content.tag("long", &image);
    content
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_tag_has_the_digest_of_the_source_in_three_real_registries() {
    let mut repositories = site::family();
    repositories.push(("team/long", with_sha512()));
    let Some(site) = Site::start(3).await else { return };
    for (repository, content) in &repositories {
        site.source.direct().push(repository, content).await;
    }
    push_with_skopeo(&site, "team/pushed").await;
    site.configure(&site::mirrors(&[
        "team/base",
        "team/app",
        "team/tool",
        "team/long",
        "team/pushed",
    ]));

    let plan = site.plan(0).await;
    assert_eq!(plan["summary"]["tags"]["create"], 3 * 8, "{}", plan["summary"]);
    let report = site.apply(0).await;
    assert_eq!(report["outcome"], "succeeded");

    for target in &site.targets {
        for (repository, content) in &repositories {
            assert_holds(target, &repository.replace("team/", "mirror/"), content).await;
        }
    }
    for repository in ["base", "app", "tool", "long", "pushed"] {
        assert_same_to_skopeo(&site, repository).await;
    }
    site.assert_settled().await;
}

/// Asserts that skopeo reads the same bytes at the source and at every target, for every tag there is.
async fn assert_same_to_skopeo(site: &Site, name: &str) {
    let (from, to) = (format!("team/{name}"), format!("mirror/{name}"));
    let tags = site.source.direct().tags(&from).await;
    assert!(!tags.is_empty());
    for tag in &tags {
        let wanted = skopeo_raw(site.source.registry.host(), &from, tag).await;
        for target in &site.targets {
            let there = skopeo_raw(target.registry.host(), &to, tag).await;
            assert_eq!(there, wanted, "{} {to}:{tag}", target.name);
        }
    }
    for target in &site.targets {
        assert_eq!(target.direct().tags(&to).await, tags, "{} {to}", target.name);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sha512_layer_reaches_two_repositories_of_a_registry_that_cannot_mount_it() {
    let content = with_sha512();
    let mut second = content.clone();
    second.layer(Family::Oci, 3, 10);
    let Some(site) = Site::mirroring(1, &[("team/one", &content), ("team/two", &second)]).await else {
        return;
    };
    site.plan(0).await;
    site.apply(0).await;
    assert_holds(&site.targets[0], "mirror/one", &content).await;
    assert_holds(&site.targets[0], "mirror/two", &content).await;
    site.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_index_and_an_index_of_blobs_are_copied() {
    let mut content = Content::new();
    let empty = content.index(Family::Oci, &[]);
    content.tag("empty", &empty);
    let config = content.layer(Family::Oci, 8, 500);
    // One blob is config and layer at once.
    let image = content.image_of(Family::Oci, &config, std::slice::from_ref(&config));
    content.tag("odd", &image);
    let twice = content.index(Family::Oci, &[image.clone(), image]);
    content.tag("twice", &twice);
    let Some(site) = Site::mirroring(1, &[("team/odd", &content)]).await else {
        return;
    };
    site.plan(0).await;
    site.apply(0).await;
    assert_holds(&site.targets[0], "mirror/odd", &content).await;
    site.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_plan_is_the_same_bytes_every_time() {
    let family = site::family();
    let repositories: Vec<_> = family.iter().map(|(name, content)| (*name, content)).collect();
    let Some(site) = Site::mirroring(2, &repositories).await else {
        return;
    };
    site.plan(0).await;
    let first = site.sandbox.read("plan.json");
    site.plan(0).await;
    assert_eq!(site.sandbox.read("plan.json"), first);
    let shown = site
        .run(&["show", "plan.json", "--format", "json"])
        .await
        .expect(0);
    let shown: serde_json::Value = serde_json::from_str(&shown.stdout).expect("show prints JSON");
    assert_eq!(shown, site.json("plan.json"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn planning_writes_nowhere() {
    let family = site::family();
    let repositories: Vec<_> = family.iter().map(|(name, content)| (*name, content)).collect();
    let Some(site) = Site::mirroring(2, &repositories).await else {
        return;
    };
    let output = site.run(&["plan"]).await.expect(0);
    let last = output.stdout.trim_end().lines().last().unwrap_or_default();
    assert!(
        last.starts_with("Plan: 10 tags to create, 0 to update, 0 to delete;"),
        "{}",
        output.stdout
    );
    let pending = site.run(&["plan", "--detailed-exitcode"]).await;
    let _ = pending.expect(2);
    for end in site.targets.iter().chain([&site.source]) {
        assert!(end.proxy.exchanges().mutating().is_empty(), "{}", end.name);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tag_that_moved_at_the_source_is_updated_and_says_so() {
    let before = site::single("v1", 1, 1_000);
    let after = site::single("v1", 2, 1_000);
    let Some(site) = Site::mirroring(2, &[("team/app", &before)]).await else {
        return;
    };
    site.plan(0).await;
    site.apply(0).await;
    site.source.direct().push("team/app", &after).await;
    let output = site.run(&["plan", "-o", "plan.json"]).await.expect(0);
    let line = output
        .stdout
        .lines()
        .find(|line| line.trim_start().starts_with('~'));
    let line = line.unwrap_or_else(|| panic!("no update in {}", output.stdout));
    assert!(line.contains("app:v1") && line.contains("->"), "{line}");
    let report = site.apply(0).await;
    assert_eq!(report["tags"]["written"], 2);
    for target in &site.targets {
        assert_holds(target, "mirror/app", &after).await;
    }
    site.assert_settled().await;
}

// docker-registry rewrites what it keeps about a manifest whenever that is put again. An index that names the manifest is
// refused if it comes in that instant: putting both at once fails one time in four.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_lands_though_each_of_its_children_is_tagged_too() {
    let mut content = Content::new();
    let layer = content.layer(Family::Oci, 1, 500);
    let children: Vec<_> = [
        "amd64", "arm64", "s390x", "ppc64le", "riscv64", "386", "arm/v7", "arm/v6",
    ]
    .iter()
    .map(|architecture| {
        let layers = std::slice::from_ref(&layer);
        let child = content.image(Family::Oci, &format!("linux/{architecture}"), layers);
        content.tag(&format!("v1-{}", architecture.replace('/', "")), &child);
        child
    })
    .collect();
    for count in 1..=children.len() {
        let index = content.index(Family::Oci, &children[..count]);
        content.tag(&format!("v1-first-{count}"), &index);
    }
    let Some(site) = Site::mirroring(3, &[("team/app", &content)]).await else {
        return;
    };
    site.plan(0).await;
    site.apply(0).await;
    for target in &site.targets {
        assert_holds(target, "mirror/app", &content).await;
    }
    site.assert_settled().await;
}
