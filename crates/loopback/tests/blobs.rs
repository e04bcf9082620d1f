//! Blobs: looked for, pulled, deleted.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails it")]

mod support;

use oci::Digest;
use reqwest::Method;
use support::{World, code, header};
use transship_loopback::Options;

#[tokio::test]
async fn a_pushed_blob_is_found_and_pulled() {
    for world in World::both(Options::default()).await {
        let digest = world.push_blob("a/b", b"hello").await;
        let path = format!("/v2/a/b/blobs/{digest}");
        for response in [world.head(&path).await, world.get(&path).await] {
            assert_eq!(response.status(), 200);
            assert_eq!(header(&response, "content-length"), "5");
            assert_eq!(header(&response, "docker-content-digest"), digest.to_string());
        }
        assert_eq!(world.get(&path).await.bytes().await.unwrap(), "hello");
        assert_eq!(world.get(&path.replace(':', "%3A")).await.status(), 200);
    }
}

#[tokio::test]
async fn a_blob_in_memory_is_visible_only_where_it_was_pushed() {
    let world = World::memory(Options::default()).await;
    let digest = world.push_blob("a", b"hello").await;
    let response = world.get(&format!("/v2/b/blobs/{digest}")).await;
    assert_eq!(response.status(), 404);
    assert_eq!(code(response).await, "BLOB_UNKNOWN");
}

#[tokio::test]
async fn a_digest_that_is_none_is_refused() {
    let world = World::memory(Options::default()).await;
    for text in ["sha256:00", "md5:d41d8cd98f00b204e9800998ecf8427e", "latest"] {
        let response = world.get(&format!("/v2/a/blobs/{text}")).await;
        assert_eq!(response.status(), 400);
        assert_eq!(code(response).await, "DIGEST_INVALID");
    }
    assert_eq!(
        code(world.get(&format!("/v2/A/blobs/{}", Digest::sha256(b""))).await).await,
        "NAME_INVALID"
    );
}

#[tokio::test]
async fn a_range_is_a_part() {
    for world in World::both(Options::default()).await {
        let digest = world.push_blob("a", b"0123456789").await;
        let cases = [
            ("bytes=2-4", "234", "bytes 2-4/10"),
            ("bytes=7-", "789", "bytes 7-9/10"),
            ("bytes=-2", "89", "bytes 8-9/10"),
        ];
        for (range, text, content_range) in cases {
            let response = part(&world, &digest, range).await;
            assert_eq!(response.status(), 206);
            assert_eq!(header(&response, "content-range"), content_range);
            assert_eq!(header(&response, "content-length"), text.len().to_string());
            assert_eq!(response.bytes().await.unwrap(), text);
        }
        let response = part(&world, &digest, "bytes=10-").await;
        assert_eq!(response.status(), 416);
        assert_eq!(header(&response, "content-range"), "bytes */10");
        assert_eq!(part(&world, &digest, "bytes=0-1,4-5").await.status(), 200);
    }
}

#[tokio::test]
async fn a_range_of_another_version_is_the_whole() {
    let world = World::memory(Options::default()).await;
    let digest = world.push_blob("a", b"0123456789").await;
    let path = format!("/v2/a/blobs/{digest}");
    for (tag, status) in [(format!("\"{digest}\""), 206), ("\"other\"".to_owned(), 200)] {
        let request = world
            .request(Method::GET, &path)
            .header("range", "bytes=1-2")
            .header("if-range", tag);
        assert_eq!(request.send().await.unwrap().status(), status);
    }
}

#[tokio::test]
async fn an_empty_blob_has_no_ranges() {
    for world in World::both(Options::default()).await {
        let digest = world.push_blob("a", b"").await;
        let response = world.get(&format!("/v2/a/blobs/{digest}")).await;
        assert_eq!(response.status(), 200);
        assert_eq!(header(&response, "content-length"), "0");
        assert_eq!(part(&world, &digest, "bytes=0-").await.status(), 416);
        assert_eq!(part(&world, &digest, "bytes=0-0").await.status(), 416);
    }
}

#[tokio::test]
async fn a_large_blob_comes_back_as_it_went() {
    let bytes: Vec<u8> = (0..1_000_003_u32).map(|n| (n % 251) as u8).collect();
    for world in World::both(Options::default()).await {
        let digest = world.push_blob("a", &bytes).await;
        let pulled = world
            .get(&format!("/v2/a/blobs/{digest}"))
            .await
            .bytes()
            .await
            .unwrap();
        assert_eq!(Digest::sha256(&pulled), digest);
        let tail = part(&world, &digest, "bytes=999990-")
            .await
            .bytes()
            .await
            .unwrap();
        assert_eq!(tail, bytes[999_990..]);
    }
}

#[tokio::test]
async fn a_deleted_blob_is_gone() {
    for world in World::both(Options::default()).await {
        let digest = world.push_blob("a", b"hello").await;
        let path = format!("/v2/a/blobs/{digest}");
        assert_eq!(world.delete(&path).await.status(), 202);
        assert_eq!(world.head(&path).await.status(), 404);
        assert_eq!(world.delete(&path).await.status(), 404);
    }
}

async fn part(world: &World, digest: &Digest, range: &str) -> reqwest::Response {
    let path = format!("/v2/a/blobs/{digest}");
    world
        .request(Method::GET, &path)
        .header("range", range)
        .send()
        .await
        .unwrap()
}
