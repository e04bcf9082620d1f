//! What was made lately is mirrored, and what is named by its digest.

use std::time::{SystemTime, UNIX_EPOCH};

use loopback::{Options, Registry, Server};
use oci::{Descriptor, MediaType};
use serde_json::json;
use testkit::binary::Sandbox;
use testkit::image::{Content, Family};
use testkit::push::Direct;

use crate::site::{Site, standing};

/// Young for as long as anybody will run this, and old.
const YOUNG: &str = "2199-01-01T00:00:00Z";
const OLD: &str = "2001-01-01T00:00:00Z";

/// A moment in seconds since 1970, and how it is written.
const MOMENT: (u64, &str) = (1_704_067_200, "2024-01-01T00:00:00Z");

fn image(content: &mut Content, family: Family, seed: u64, created: &str) -> Descriptor {
    let layer = content.layer(family, seed, 300);
    content.image_created(family, "linux/amd64", created, &[layer])
}

/// Four versions as single images and indexes, of which one is old, and tags that tell nothing or are no versions.
fn versions() -> Content {
    let mut content = Content::new();
    for (seed, (tag, created)) in (1..).zip([("1.0", YOUNG), ("1.1", YOUNG), ("1.3", OLD), ("latest", YOUNG)])
    {
        let image = image(&mut content, Family::Docker, seed, created);
        content.tag(tag, &image);
    }
    let children = [(10, OLD), (11, YOUNG)].map(|(seed, made)| image(&mut content, Family::Oci, seed, made));
    let index = content.index(Family::Oci, &children);
    content.tag("1.2", &index);
    content.sbom(&index);
    let layer = content.layer(Family::Oci, 20, 300);
    let silent = content.image(Family::Oci, "linux/amd64", &[layer]);
    content.tag("1.4", &silent);
    content
}

async fn landed(site: &Site, repository: &str) -> Vec<String> {
    let tags = site.targets[0].direct().tags(repository).await;
    tags.into_iter()
        .filter(|tag| !tag.starts_with("sha256-"))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_newest_versions_among_the_young_are_mirrored_and_the_next_plan_reads_none_of_them_again() {
    let content = versions();
    let Some(site) = Site::mirroring(1, &[("team/app", &content)]).await else {
        return;
    };
    site.configure(
        "mirrors:\n  - { from: origin/team/app, to: [alpha/mirror/app], tags: { created_within: 90d, latest: 2 } }\n",
    );
    let plan = site.plan(0).await;
    assert_eq!(
        plan["notes"][0]["text"],
        "nothing tells when 1.4 was made; `created_within` leaves it out"
    );
    site.forget();
    site.apply(0).await;
    assert_eq!(landed(&site, "mirror/app").await, ["1.1", "1.2"]);
    for tag in ["1.1", "1.2"] {
        let there = standing(&site.targets[0], "mirror/app", tag).await;
        assert_eq!(there, standing(&site.source, "team/app", tag).await, "{tag}");
    }
    let _ = site.run(&["verify"]).await.expect(0);

    site.forget();
    site.assert_settled().await;
    let source = site.source.proxy.exchanges();
    assert!(source.blob_reads().is_empty(), "configs were kept");
    let read = source
        .0
        .iter()
        .filter(|exchange| exchange.method == "GET" && exchange.path.contains("/manifests/sha256:"));
    assert_eq!(read.count(), 0, "manifests were kept");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ages_count_back_from_the_moment_of_the_plan() {
    let mut content = Content::new();
    let (seconds, written) = MOMENT;
    let image = image(&mut content, Family::Oci, 1, written);
    content.tag("v1", &image);
    let Some(site) = Site::mirroring(1, &[("team/app", &content)]).await else {
        return;
    };
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("it is past 1970")
        .as_secs();
    let hour = 3_600;
    for (age, code) in [(now - seconds + hour, 0), (now - seconds - hour, 1)] {
        site.configure(&format!(
            "mirrors:\n  - {{ from: origin/team/app, to: [alpha/mirror/app], tags: {{ created_within: {age}s }} }}\n"
        ));
        let plan = site.plan(code).await;
        assert_eq!(plan["summary"]["tags"]["create"], 1 - code, "{age}s");
    }
}

async fn serve() -> (Registry, Server) {
    let registry = Registry::in_memory().with_options(Options {
        record: true,
        ..Options::default()
    });
    let server = registry
        .serve(([127, 0, 0, 1], 0).into())
        .await
        .expect("a loopback port is free");
    (registry, server)
}

/// Writes a configuration of one mirror from `origin/team/app` to `site/app`.
fn configure(sandbox: &Sandbox, [origin, site]: [&Server; 2], tags: &str) {
    let (origin, site) = (origin.host(), site.host());
    sandbox.write(
        "transship.yaml",
        &format!(
            "version: 1
registries:
  origin: {{ host: \"{origin}\", plain_http: true }}
  site: {{ host: \"{site}\", plain_http: true }}
mirrors:
  - {{ from: origin/team/app, to: site/app, tags: {tags} }}
"
        ),
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_versions_only_the_newest_are_looked_at() {
    let ((registry, origin), (_, target)) = (serve().await, serve().await);
    let mut content = Content::new();
    for version in 0..60 {
        let image = image(&mut content, Family::Oci, version, YOUNG);
        content.tag(&format!("v1.{version}.0"), &image);
    }
    // An annotation tells of what has no config that does.
    let layer = content.layer(Family::Oci, 99, 300);
    let config = content.blob(MediaType::OCI_EMPTY, "{}");
    let noted = content.manifest(
        MediaType::OCI_MANIFEST,
        &json!({
            "schemaVersion": 2,
            "mediaType": MediaType::OCI_MANIFEST,
            "config": config,
            "layers": [layer],
            "annotations": { "org.opencontainers.image.created": YOUNG },
        }),
    );
    content.tag("v2.0", &noted);
    Direct::new(&origin.host()).push("team/app", &content).await;
    let sandbox = Sandbox::new();
    configure(&sandbox, [&origin, &target], "{ created_within: 4w, latest: 3 }");
    registry.clear_requests();
    let _ = sandbox
        .run(&["plan", "-o", "plan.json"])
        .await
        .expect(0)
        .says(&["Plan: 3 tags to create"]);
    let requests = registry.requests();
    let count = |method: &str, part: &str| {
        let alike =
            |request: &&loopback::RequestRecord| request.method == method && request.path.contains(part);
        requests.iter().filter(alike).count()
    };
    assert_eq!(count("GET", "/blobs/"), 2, "two configs of images");
    assert_eq!(
        (count("HEAD", "/manifests/v"), count("GET", "/manifests/")),
        (3, 3)
    );
    let _ = sandbox.run(&["apply", "plan.json"]).await.expect(0);
    let tags = Direct::new(&target.host()).tags("app").await;
    assert_eq!(
        tags.into_iter().collect::<Vec<_>>(),
        ["v1.58.0", "v1.59.0", "v2.0"]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn digests_land_without_a_tag_and_a_missing_one_is_named() {
    let ((_, origin), (_, target)) = (serve().await, serve().await);
    let content = versions();
    Direct::new(&origin.host()).push("team/app", &content).await;
    let sandbox = Sandbox::new();
    let wanted = &content.tags[&"1.2".parse().expect("a tag")];
    let missing = oci::Digest::sha256(b"missing");
    let sets = format!("[{{ digests: [\"{wanted}\", \"{missing}\"] }}, {{ list: latest }}]");
    configure(&sandbox, [&origin, &target], &sets);
    let _ = sandbox
        .run(&["plan", "-o", "plan.json"])
        .await
        .expect(1)
        .says(&[&format!("the manifest {missing} does not exist"), "1 blocked"]);
    let _ = sandbox.run(&["apply", "plan.json"]).await.expect(1);
    let there = Direct::new(&target.host());
    assert_eq!(
        there.tags("app").await.into_iter().collect::<Vec<_>>(),
        ["latest"]
    );
    let landed = there.manifest("app", &wanted.to_string()).await;
    assert_eq!(landed.map(|found| found.digest), Some(wanted.clone()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn digests_of_a_real_registry_stand_at_the_target_and_settle() {
    let content = versions();
    let Some(site) = Site::mirroring(1, &[("team/app", &content)]).await else {
        return;
    };
    let wanted = &content.tags[&"1.2".parse().expect("a tag")];
    site.configure(&format!(
        "mirrors:\n  - {{ from: origin/team/app, to: [alpha/mirror/app], tags: {{ digests: \"{wanted}\" }} }}\n"
    ));
    let plan = site.plan(0).await;
    assert_eq!(plan["summary"]["tags"]["create"], 0);
    site.apply(0).await;
    assert_eq!(landed(&site, "mirror/app").await, Vec::<String>::new());
    let there = standing(&site.targets[0], "mirror/app", &wanted.to_string()).await;
    assert_eq!(there.as_ref(), Some(wanted));
    site.assert_settled().await;
    let _ = site.run(&["verify"]).await.expect(0);
}
