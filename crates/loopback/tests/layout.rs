//! A registry over an OCI image layout.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails it")]

mod support;

use layout::Layout;
use oci::{Descriptor, Digest, MediaType, RepositoryName, Tag};
use serde_json::json;
use support::{World, digest_of, header, image, index, json};
use transship_loopback::{Options, Registry};

fn name(text: &str) -> RepositoryName {
    text.parse().unwrap()
}

fn tag(text: &str) -> Tag {
    text.parse().unwrap()
}

/// Writes an index of one image to a layout, without a registry.
fn fill(layout: &Layout, repository: Option<&RepositoryName>, under: &str, layer: &[u8]) -> Digest {
    let child = image(layer);
    let parent = index(&[&child]);
    for bytes in [
        b"{}",
        layer,
        child.to_string().as_bytes(),
        parent.to_string().as_bytes(),
    ] {
        layout.write_blob(&Digest::sha256(bytes), bytes).unwrap();
    }
    let digest = digest_of(&parent);
    let size = parent.to_string().len() as u64;
    layout
        .tag(
            repository,
            &tag(under),
            &Descriptor::new(MediaType::OCI_INDEX, digest.clone(), size),
        )
        .unwrap();
    digest
}

#[tokio::test]
async fn an_existing_layout_is_served_with_its_children() {
    let directory = tempfile::tempdir().unwrap();
    let layout = Layout::open_or_create(directory.path()).unwrap();
    let digest = fill(&layout, Some(&name("base/app")), "v1", b"layer");
    let world = World::of(Registry::over_layout(layout), Some(directory)).await;
    let response = world.get("/v2/base/app/manifests/v1").await;
    assert_eq!(header(&response, "docker-content-digest"), digest.to_string());
    let child = digest_of(&image(b"layer"));
    assert_eq!(
        world
            .get(&format!("/v2/base/app/manifests/{child}"))
            .await
            .status(),
        200
    );
    assert_eq!(
        world
            .get(&format!("/v2/base/other/manifests/{child}"))
            .await
            .status(),
        404
    );
    let layer = Digest::sha256(b"layer");
    assert_eq!(
        world
            .get(&format!("/v2/any/where/blobs/{layer}"))
            .await
            .text()
            .await
            .unwrap(),
        "layer"
    );
}

#[tokio::test]
async fn bare_tags_stand_under_the_directorys_name_or_a_given_one() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("My Mirror");
    let layout = Layout::open_or_create(&path).unwrap();
    fill(&layout, None, "v1", b"layer");
    let world = World::of(Registry::over_layout(layout.clone()), None).await;
    assert_eq!(
        json(world.get("/v2/_catalog").await).await["repositories"],
        json!(["my-mirror"])
    );
    assert_eq!(world.get("/v2/my-mirror/manifests/v1").await.status(), 200);
    let world = World::of(Registry::over_layout(layout.clone()).bare(name("given")), None).await;
    assert_eq!(
        json(world.get("/v2/given/tags/list").await).await["tags"],
        json!(["v1"])
    );
    world.push_image("given", "v2").await;
    assert_eq!(layout.tags(None).unwrap(), [tag("v1"), tag("v2")].into());
    assert_eq!(world.delete("/v2/given/manifests/v1").await.status(), 202);
    assert_eq!(layout.tags(None).unwrap(), [tag("v2")].into());
}

#[tokio::test]
async fn what_is_pushed_stands_in_the_layout() {
    let world = World::layout(Options::default()).await;
    let (manifest, digest) = world.push_image("base/app", "v1").await;
    let signature = world.push_referrer("base/app", &digest, "a/signature").await;
    let layout = world.opened();
    let found = layout
        .resolve(Some(&name("base/app")), &tag("v1"))
        .unwrap()
        .unwrap();
    assert_eq!(
        (found.digest, found.size),
        (digest.clone(), manifest.to_string().len() as u64)
    );
    let entries: Vec<_> = layout.manifests_of(Some(&name("base/app"))).unwrap();
    assert_eq!(
        entries
            .iter()
            .map(|entry| entry.digest.clone())
            .collect::<Vec<_>>(),
        [digest.clone(), signature]
    );
    let again = World::of(Registry::over_layout(layout), None).await;
    assert_eq!(
        again.get("/v2/base/app/manifests/v1").await.text().await.unwrap(),
        manifest.to_string()
    );
    let referrers = json(again.get(&format!("/v2/base/app/referrers/{digest}")).await).await;
    assert_eq!(referrers["manifests"][0]["artifactType"], "a/signature");
}

#[tokio::test]
async fn what_another_process_writes_is_seen() {
    let world = World::layout(Options::default()).await;
    assert_eq!(world.get("/v2/a/manifests/v1").await.status(), 404);
    fill(&world.opened(), Some(&name("a")), "v1", b"layer");
    assert_eq!(world.get("/v2/a/manifests/v1").await.status(), 200);
    world.opened().untag(Some(&name("a")), &tag("v1")).unwrap();
    assert_eq!(world.get("/v2/a/manifests/v1").await.status(), 404);
}

#[tokio::test]
async fn deleting_a_shared_manifest_leaves_it_to_the_other_repository() {
    let world = World::layout(Options::default()).await;
    let (_, digest) = world.push_image("a", "v1").await;
    world.push_image("b", "v1").await;
    assert_eq!(
        world.delete(&format!("/v2/a/manifests/{digest}")).await.status(),
        202
    );
    assert_eq!(
        world.get(&format!("/v2/a/manifests/{digest}")).await.status(),
        404
    );
    assert_eq!(world.get("/v2/b/manifests/v1").await.status(), 200);
    assert_eq!(
        world.delete(&format!("/v2/b/manifests/{digest}")).await.status(),
        202
    );
    assert_eq!(world.opened().blob_size(&digest).unwrap(), None);
}

#[tokio::test]
async fn a_damaged_manifest_is_none() {
    let world = World::layout(Options::default()).await;
    let (_, digest) = world.push_image("a", "v1").await;
    world.push_image("a", "v2").await;
    let path = world.opened().path().join("blobs/sha256").join(digest.hex());
    std::fs::write(path, "damaged").unwrap();
    let again = World::of(Registry::over_layout(world.opened()), None).await;
    assert_eq!(again.get("/v2/a/manifests/v1").await.status(), 404);
    assert_eq!(again.get("/v2/a/manifests/v2").await.status(), 200);
}

#[tokio::test]
async fn a_manifest_that_is_lost_after_it_was_read_is_none_until_it_is_pushed_again() {
    let world = World::layout(Options::default()).await;
    let (_, damaged) = world.push_image("a", "v1").await;
    fill(&world.opened(), Some(&name("a")), "v2", b"layer");
    let lost = digest_of(&image(b"layer"));
    let paths = [damaged, lost].map(|digest| format!("/v2/a/manifests/{digest}"));
    for path in &paths {
        assert_eq!(world.get(path).await.status(), 200);
    }
    let files = world.opened().path().join("blobs/sha256");
    let [damaged, lost] = paths.each_ref().map(|path| {
        let (_, hex) = path.rsplit_once(':').unwrap();
        files.join(hex)
    });
    std::fs::write(damaged, "damaged").unwrap();
    std::fs::remove_file(lost).unwrap();
    for path in &paths {
        assert_eq!(world.get(path).await.status(), 404);
    }
    world.push_image("a", "v1").await;
    let again = world.put_manifest("a", "v3", &image(b"layer")).await;
    assert_eq!(again.status(), 201);
    for path in &paths {
        assert_eq!(world.get(path).await.status(), 200);
    }
}
