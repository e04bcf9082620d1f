//! What is lost behind a tag that stands is found, and put back.

use std::fs;
use std::path::Path;

use oci::Digest;
use testkit::image::{Content, Family};

use crate::serving::Serving;
use crate::site::{NO_CHANGES, Site, assert_holds};

/// An index of two images, and what will be lost of it.
struct App {
    content: Content,
    child: Digest,
    blobs: [Digest; 2],
}

fn app() -> App {
    let mut content = Content::new();
    let shared = content.layer(Family::Oci, 1, 20_000);
    let own = content.layer(Family::Oci, 2, 3_000);
    let lost = content.image(Family::Oci, "linux/amd64", std::slice::from_ref(&shared));
    let kept = content.image(Family::Oci, "linux/arm64", &[shared.clone(), own.clone()]);
    let index = content.index(Family::Oci, &[lost.clone(), kept]);
    content.tag("v1", &index);
    App {
        content,
        child: lost.digest,
        blobs: [shared.digest, own.digest],
    }
}

impl App {
    /// Asserts that `verify` names all that was lost, though nothing seems to change, and that a closer look heals it.
    async fn assert_heals(&self, site: &Site) {
        let trusting = site.run(&["plan", "--detailed-exitcode"]).await.expect(0);
        assert!(trusting.stdout.contains(NO_CHANGES), "{}", trusting.stdout);
        let output = site.run(&["verify"]).await.expect(2);
        for lost in self.blobs.iter().chain([&self.child]) {
            let named = output.stdout.contains(&lost.to_string());
            assert!(named, "{lost} is not named in\n{}", output.stdout);
        }
        let output = output.says(&["a blob is missing", "a manifest is missing", "Drift: 3 found."]);
        assert!(!output.stdout.contains(":v1"), "{}", output.stdout);
        let _ = site
            .run(&["apply", "--check", "blobs", "--auto-approve"])
            .await
            .expect(0);
        let _ = site.run(&["verify"]).await.expect(0);
        let _ = site.run(&["verify", "--deep"]).await.expect(0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blobs_and_a_child_that_a_registry_lost_behind_a_tag_are_named_and_put_back() {
    let app = app();
    let Some(site) = Site::mirroring(1, &[("team/app", &app.content)]).await else {
        return;
    };
    let _ = site.run(&["apply", "--auto-approve"]).await.expect(0);
    let target = &site.targets[0];
    target.direct().delete_manifest("mirror/app", &app.child).await;
    target.direct().delete_blob("mirror/app", &app.blobs[0]).await;
    let hex = app.blobs[1].hex();
    let data = format!("storage/docker/registry/v2/blobs/sha256/{}/{hex}/data", &hex[..2]);
    fs::remove_file(target.registry.root().join(data)).expect("the registry keeps the blob");
    app.assert_heals(&site).await;
    assert_holds(target, "mirror/app", &app.content).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blobs_and_a_child_that_a_served_layout_lost_are_named_and_put_back() {
    let app = app();
    let Some(site) = Site::start(0).await else { return };
    site.source.direct().push("team/app", &app.content).await;
    let serving = Serving::start(&site.sandbox, "disk").await;
    let disk = format!("  disk: {{ host: \"{}\", plain_http: true }}\n", serving.host);
    assert_layout_heals(&app, &site, &disk).await;
    serving.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blobs_and_a_child_that_a_layout_lost_are_named_and_put_back() {
    let app = app();
    let Some(site) = Site::start(0).await else { return };
    site.source.direct().push("team/app", &app.content).await;
    assert_layout_heals(&app, &site, "  disk: { layout: disk }\n").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_blob_that_was_cut_off_is_found_by_its_size_and_sent_again() {
    let app = app();
    let Some(site) = Site::mirroring(1, &[("team/app", &app.content)]).await else {
        return;
    };
    let declarations = site
        .declarations()
        .replace("registries:\n", "registries:\n  disk: { layout: disk }\n");
    let mirrors = "mirrors:\n  - { from: origin/team/app, to: [alpha/mirror/app, disk/mirror/app] }\n";
    site.sandbox
        .write("transship.yaml", &format!("{declarations}{mirrors}"));
    let _ = site.run(&["apply", "--auto-approve"]).await.expect(0);
    let hex = app.blobs[1].hex();
    let stored = format!("storage/docker/registry/v2/blobs/sha256/{}/{hex}/data", &hex[..2]);
    let stored = site.targets[0].registry.root().join(stored);
    let on_disk = site.sandbox.path("disk/blobs/sha256").join(hex);
    for file in [&stored, &on_disk] {
        let whole = fs::read(file).expect("it was written");
        fs::write(file, &whole[..10]).expect("it can be cut off");
    }
    let output = site.run(&["verify"]).await.expect(2);
    let _ = output.says(&["Drift: 2 found."]);
    // docker-registry takes the bytes and keeps its own: that is told, and what to do.
    let heal = ["apply", "--check", "blobs", "--auto-approve"];
    let output = site.run(&heal).await.expect(1);
    let _ = output.warns(&["keeps 10 bytes of the blob", "delete the blob at the registry"]);
    assert_eq!(hash(&on_disk), app.blobs[1]);
    fs::remove_file(&stored).expect("it is there");
    let _ = site.run(&heal).await.expect(0);
    let _ = site.run(&["verify", "--deep"]).await.expect(0);
    assert_holds(&site.targets[0], "mirror/app", &app.content).await;
}

/// Mirrors to the layout `disk`, as it is declared, takes files of it away, and asserts that they come back.
async fn assert_layout_heals(app: &App, site: &Site, disk: &str) {
    let origin = site.source.proxy.host();
    let registries =
        format!("version: 1\nregistries:\n  origin: {{ host: \"{origin}\", plain_http: true }}\n{disk}");
    let mirrors = "mirrors:\n  - { from: origin/team/app, to: [disk/mirror/app] }\n";
    site.sandbox
        .write("transship.yaml", &format!("{registries}{mirrors}"));
    let _ = site.run(&["apply", "--auto-approve"]).await.expect(0);
    // Whoever serves the layout has looked at all of it by now.
    let _ = site.run(&["verify", "--deep"]).await.expect(0);
    let lost: Vec<&Digest> = app.blobs.iter().chain([&app.child]).collect();
    let file = |digest: &Digest| site.sandbox.path("disk/blobs/sha256").join(digest.hex());
    for digest in &lost {
        fs::remove_file(file(digest)).expect("the layout keeps it");
    }
    app.assert_heals(site).await;
    for digest in lost {
        assert_eq!(hash(&file(digest)), *digest);
    }
}

fn hash(file: &Path) -> Digest {
    Digest::sha256(&fs::read(file).expect("the file is back"))
}
