//! Manifests: pushed, pulled, deleted.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails it")]

mod support;

use oci::{Algorithm, Digest, MAX_MANIFEST};
use reqwest::Method;
use serde_json::json;
use support::{IMAGE, INDEX, World, code, digest_of, header, image, index, json, referrer};
use transship_loopback::Options;

#[tokio::test]
async fn a_manifest_is_found_by_tag_and_by_digest_byte_for_byte() {
    for world in World::both(Options::default()).await {
        let (manifest, digest) = world.push_image("a/b", "v1").await;
        for reference in ["v1".to_owned(), digest.to_string()] {
            let path = format!("/v2/a/b/manifests/{reference}");
            let request = world.request(Method::GET, &path).header("accept", "text/html");
            for response in [world.head(&path).await, request.send().await.unwrap()] {
                assert_eq!(response.status(), 200);
                assert_eq!(header(&response, "content-type"), IMAGE);
                assert_eq!(
                    header(&response, "content-length"),
                    manifest.to_string().len().to_string()
                );
                assert_eq!(header(&response, "docker-content-digest"), digest.to_string());
            }
            assert_eq!(world.get(&path).await.text().await.unwrap(), manifest.to_string());
        }
    }
}

#[tokio::test]
async fn a_manifest_that_is_not_there_is_unknown() {
    for world in World::both(Options::default()).await {
        world.push_image("a", "v1").await;
        let digest = Digest::sha256(b"x");
        for path in [
            "/v2/a/manifests/v2",
            &format!("/v2/a/manifests/{digest}"),
            "/v2/b/manifests/v1",
            "/v2/a/manifests/-",
        ] {
            let response = world.get(path).await;
            assert_eq!(response.status(), 404, "{path}");
            assert_eq!(code(response).await, "MANIFEST_UNKNOWN");
        }
        assert_eq!(world.get("/v2/a/manifests/sha256:12").await.status(), 400);
    }
}

#[tokio::test]
async fn a_manifest_waits_for_its_blobs_and_all_are_named() {
    for world in World::both(Options::default()).await {
        let manifest = image(b"layer");
        let response = world.put_manifest("a", "v1", &manifest).await;
        assert_eq!(response.status(), 400);
        let errors = json(response).await["errors"].clone();
        assert_eq!(errors.as_array().unwrap().len(), 2);
        assert_eq!(errors[1]["code"], "MANIFEST_BLOB_UNKNOWN");
        world.push_blob("a", b"{}").await;
        world.push_blob("a", b"layer").await;
        assert_eq!(world.put_manifest("a", "v1", &manifest).await.status(), 201);
    }
}

#[tokio::test]
async fn an_index_waits_for_its_children() {
    for world in World::both(Options::default()).await {
        let child = image(b"layer");
        let parent = index(&[&child]);
        let response = world.put_manifest("a", "v1", &parent).await;
        assert_eq!(code(response).await, "MANIFEST_BLOB_UNKNOWN");
        world.push_blob("a", b"{}").await;
        world.push_blob("a", b"layer").await;
        assert_eq!(
            world
                .put_manifest("a", &digest_of(&child).to_string(), &child)
                .await
                .status(),
            201
        );
        assert_eq!(world.put_manifest("a", "v1", &parent).await.status(), 201);
        assert_eq!(world.put_manifest("a", "empty", &index(&[])).await.status(), 201);
    }
}

#[tokio::test]
async fn a_child_that_is_a_blob_is_looked_for_among_blobs() {
    let world = World::memory(Options::default()).await;
    let cache = support::descriptor("application/vnd.buildkit.cacheconfig.v0", b"cache");
    let manifest = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [cache] });
    assert_eq!(world.put_manifest("a", "cache", &manifest).await.status(), 400);
    world.push_blob("a", b"cache").await;
    assert_eq!(world.put_manifest("a", "cache", &manifest).await.status(), 201);
}

#[tokio::test]
async fn foreign_layers_are_not_asked_for() {
    let world = World::memory(Options::default()).await;
    world.push_blob("a", b"{}").await;
    let mut manifest = image(b"elsewhere");
    manifest["layers"][0]["mediaType"] = "application/vnd.oci.image.layer.nondistributable.v1.tar".into();
    assert_eq!(world.put_manifest("a", "v1", &manifest).await.status(), 201);
}

#[tokio::test]
async fn a_sparse_registry_asks_for_nothing() {
    for world in World::both(Options {
        sparse: true,
        ..Options::default()
    })
    .await
    {
        let parent = index(&[&image(b"layer")]);
        assert_eq!(world.put_manifest("a", "v1", &parent).await.status(), 201);
        assert_eq!(world.get("/v2/a/manifests/v1").await.status(), 200);
    }
}

#[tokio::test]
async fn a_subject_may_be_missing_and_is_acknowledged() {
    for world in World::both(Options::default()).await {
        world.push_blob("a", b"{}").await;
        let subject = Digest::sha256(b"not pushed");
        let response = world
            .put_manifest("a", "signature", &referrer(&subject, "some/type"))
            .await;
        assert_eq!(response.status(), 201);
        assert_eq!(header(&response, "oci-subject"), subject.to_string());
    }
}

#[tokio::test]
async fn a_manifest_of_four_mebibytes_is_taken_and_a_larger_one_is_not() {
    let world = World::memory(Options::default()).await;
    let mut manifest = index(&[]);
    manifest["annotations"] = json!({ "fill": "" });
    let room = MAX_MANIFEST - manifest.to_string().len();
    manifest["annotations"]["fill"] = "x".repeat(room).into();
    assert_eq!(world.put_manifest("a", "v1", &manifest).await.status(), 201);
    manifest["annotations"]["fill"] = "x".repeat(room + 1).into();
    assert_eq!(world.put_manifest("a", "v2", &manifest).await.status(), 413);
    let pieces = futures_util::stream::iter(vec![Ok::<_, std::convert::Infallible>(vec![b' '; 1 << 20]); 5]);
    let request = world
        .request(Method::PUT, "/v2/a/manifests/v2")
        .body(reqwest::Body::wrap_stream(pieces));
    assert_eq!(request.send().await.unwrap().status(), 413);
}

#[tokio::test]
async fn what_is_no_manifest_is_refused() {
    let world = World::memory(Options::default()).await;
    world.push_image("a", "v1").await;
    let put = |reference: &'static str, media_type: &'static str, body: String| {
        world
            .request(Method::PUT, &format!("/v2/a/manifests/{reference}"))
            .header("content-type", media_type)
            .body(body)
    };
    let good = image(b"v1").to_string();
    let cases = [
        ("v2", IMAGE, "{".to_owned(), "MANIFEST_INVALID"),
        ("v2", IMAGE, "{}".to_owned(), "MANIFEST_INVALID"),
        ("v2", INDEX, good.clone(), "MANIFEST_INVALID"),
        ("-v2", IMAGE, good.clone(), "MANIFEST_INVALID"),
        ("sha256:12", IMAGE, good.clone(), "DIGEST_INVALID"),
    ];
    for (reference, media_type, body, expected) in cases {
        let response = put(reference, media_type, body).send().await.unwrap();
        assert_eq!(response.status(), 400);
        assert_eq!(code(response).await, expected);
    }
    let other = Digest::sha256(b"other");
    let response = world.put_manifest("a", &other.to_string(), &image(b"v1")).await;
    assert_eq!(code(response).await, "DIGEST_INVALID");
    let parameters = put(
        "v2",
        "application/vnd.oci.image.manifest.v1+json; charset=utf-8",
        good,
    );
    assert_eq!(parameters.send().await.unwrap().status(), 201);
}

#[tokio::test]
async fn sha512_addresses_manifests_too() {
    for world in World::both(Options::default()).await {
        world.push_image("a", "v1").await;
        let manifest = image(b"v1");
        let digest = Digest::of(Algorithm::Sha512, manifest.to_string().as_bytes());
        let response = world
            .put_manifest("a", &format!("{digest}?tag=v2&tag=v3"), &manifest)
            .await;
        assert_eq!(response.status(), 201);
        assert_eq!(response.headers().get_all("oci-tag").iter().count(), 2);
        for reference in [digest.to_string(), "v2".to_owned(), "v3".to_owned()] {
            let response = world.get(&format!("/v2/a/manifests/{reference}")).await;
            assert_eq!(header(&response, "docker-content-digest"), digest.to_string());
        }
        let digest = header(&world.head("/v2/a/manifests/v1").await, "docker-content-digest");
        assert!(digest.starts_with("sha256:"));
    }
}

#[tokio::test]
async fn a_deleted_tag_leaves_its_manifest() {
    for world in World::both(Options::default()).await {
        let (manifest, digest) = world.push_image("a", "v1").await;
        world.put_manifest("a", "v2", &manifest).await;
        assert_eq!(world.delete("/v2/a/manifests/v1").await.status(), 202);
        assert_eq!(world.get("/v2/a/manifests/v1").await.status(), 404);
        assert_eq!(world.delete("/v2/a/manifests/v1").await.status(), 404);
        assert_eq!(world.delete("/v2/a/manifests/v2").await.status(), 202);
        assert_eq!(
            world.get(&format!("/v2/a/manifests/{digest}")).await.status(),
            200
        );
    }
}

#[tokio::test]
async fn a_deleted_manifest_takes_its_tags_along() {
    for world in World::both(Options::default()).await {
        let (manifest, digest) = world.push_image("a", "v1").await;
        world.put_manifest("a", "v2", &manifest).await;
        world.push_image("a", "other").await;
        let path = format!("/v2/a/manifests/{digest}");
        assert_eq!(world.delete(&path).await.status(), 202);
        assert_eq!(world.delete(&path).await.status(), 404);
        for path in [path.as_str(), "/v2/a/manifests/v1", "/v2/a/manifests/v2"] {
            assert_eq!(world.get(path).await.status(), 404, "{path}");
        }
        assert_eq!(world.get("/v2/a/manifests/other").await.status(), 200);
    }
}

#[tokio::test]
async fn a_tag_that_moves_leaves_its_old_manifest() {
    for world in World::both(Options::default()).await {
        let (_, old) = world.push_image("a", "v1").await;
        let (other, new) = world.push_image("a", "v2").await;
        assert_eq!(world.put_manifest("a", "v1", &other).await.status(), 201);
        let digest = header(&world.head("/v2/a/manifests/v1").await, "docker-content-digest");
        assert_eq!(digest, new.to_string());
        assert_eq!(world.get(&format!("/v2/a/manifests/{old}")).await.status(), 200);
    }
}
