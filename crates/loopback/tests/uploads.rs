//! Blobs on their way in.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails it")]

mod support;

use oci::{Algorithm, Digest};
use reqwest::{Method, Response};
use support::{World, code, header};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use transship_loopback::Options;

#[tokio::test]
async fn a_session_takes_chunks_in_order() {
    for world in World::both(Options::default()).await {
        let session = world.start("a").await;
        let response = patch(&world, &session, Some("0-2"), "abc").await;
        assert_eq!(response.status(), 202);
        assert_eq!(header(&response, "range"), "0-2");
        for range in ["0-2", "4-6", "2-4"] {
            let response = patch(&world, &session, Some(range), "xyz").await;
            assert_eq!(response.status(), 416, "{range}");
            assert_eq!(header(&response, "range"), "0-2");
            assert_eq!(header(&response, "location"), session);
        }
        assert_eq!(patch(&world, &session, Some("3-5"), "def").await.status(), 202);
        let response = put(&world, &session, Some("6-7"), b"abcdefgh", "gh").await;
        assert_eq!(response.status(), 201);
        let location = header(&response, "location");
        assert_eq!(
            header(&response, "docker-content-digest"),
            Digest::sha256(b"abcdefgh").to_string()
        );
        assert_eq!(world.get(&location).await.text().await.unwrap(), "abcdefgh");
        assert_eq!(
            code(patch(&world, &session, None, "more").await).await,
            "BLOB_UPLOAD_UNKNOWN"
        );
    }
}

#[tokio::test]
async fn a_last_chunk_out_of_order_leaves_the_session_open() {
    let world = World::memory(Options::default()).await;
    let session = world.start("a").await;
    assert_eq!(patch(&world, &session, Some("0-2"), "abc").await.status(), 202);
    assert_eq!(
        put(&world, &session, Some("5-6"), b"abcde", "de").await.status(),
        416
    );
    assert_eq!(
        put(&world, &session, Some("3-4"), b"abcde", "de").await.status(),
        201
    );
}

#[tokio::test]
async fn a_chunk_has_the_length_it_says() {
    let world = World::memory(Options::default()).await;
    let session = world.start("a").await;
    for (range, expected) in [
        ("0-9", "SIZE_INVALID"),
        ("0-1", "SIZE_INVALID"),
        ("0-x", "BLOB_UPLOAD_INVALID"),
    ] {
        let response = patch(&world, &session, Some(range), "abc").await;
        assert_eq!(response.status(), 400);
        assert_eq!(code(response).await, expected);
    }
    assert_eq!(put(&world, &session, None, b"abc", "abc").await.status(), 201);
}

#[tokio::test]
async fn a_stream_needs_no_ranges() {
    for world in World::both(Options::default()).await {
        let session = world.start("a").await;
        assert_eq!(patch(&world, &session, None, "abc").await.status(), 202);
        assert_eq!(patch(&world, &session, None, "def").await.status(), 202);
        assert_eq!(put(&world, &session, None, b"abcdef", "").await.status(), 201);
    }
}

#[tokio::test]
async fn a_session_says_how_far_it_is_until_it_is_cancelled() {
    let world = World::memory(Options::default()).await;
    let session = world.start("a").await;
    let response = world.get(&session).await;
    assert_eq!(
        (response.status().as_u16(), header(&response, "range").as_str()),
        (204, "0-0")
    );
    patch(&world, &session, None, "abcd").await;
    let response = world.get(&session).await;
    assert_eq!(
        (response.status().as_u16(), header(&response, "range").as_str()),
        (204, "0-3")
    );
    assert_eq!(header(&response, "location"), session);
    assert_eq!(world.delete(&session).await.status(), 204);
    assert_eq!(world.get(&session).await.status(), 404);
    assert_eq!(world.delete(&session).await.status(), 404);
}

#[tokio::test]
async fn a_session_belongs_to_its_repository() {
    let world = World::memory(Options::default()).await;
    let session = world.start("a").await;
    assert_eq!(
        world.get(&session.replace("/v2/a/", "/v2/b/")).await.status(),
        404
    );
    assert_ne!(session, world.start("a").await);
}

#[tokio::test]
async fn bytes_of_another_digest_are_refused() {
    for world in World::both(Options::default()).await {
        let session = world.start("a").await;
        let response = put(&world, &session, None, b"other", "bytes").await;
        assert_eq!(response.status(), 400);
        assert_eq!(code(response).await, "DIGEST_INVALID");
        let digest = Digest::sha256(b"other");
        assert_eq!(world.head(&format!("/v2/a/blobs/{digest}")).await.status(), 404);
        let at_once = world
            .request(Method::POST, &format!("/v2/a/blobs/uploads/?digest={digest}"))
            .body("bytes");
        assert_eq!(at_once.send().await.unwrap().status(), 400);
    }
}

#[tokio::test]
async fn an_upload_ends_with_a_digest() {
    let world = World::memory(Options::default()).await;
    let session = world.start("a").await;
    for path in [session.clone(), format!("{session}?digest=sha256:12")] {
        let response = world
            .request(Method::PUT, &path)
            .body("abc")
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 400);
        assert_eq!(code(response).await, "DIGEST_INVALID");
    }
    assert_eq!(put(&world, &session, None, b"abc", "abc").await.status(), 201);
}

#[tokio::test]
async fn sha512_needs_no_announcement() {
    for world in World::both(Options::default()).await {
        let session = world.start("a").await;
        patch(&world, &session, None, "abc").await;
        let digest = Digest::of(Algorithm::Sha512, b"abc");
        let response = world
            .request(Method::PUT, &format!("{session}?digest={digest}"))
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 201);
        assert_eq!(
            world
                .get(&format!("/v2/a/blobs/{digest}"))
                .await
                .text()
                .await
                .unwrap(),
            "abc"
        );
        let announced = world.post("/v2/a/blobs/uploads/?digest-algorithm=sha512").await;
        assert_eq!(announced.status(), 202);
        let unknown = world.post("/v2/a/blobs/uploads/?digest-algorithm=md5").await;
        assert_eq!(unknown.status(), 400);
    }
}

#[tokio::test]
async fn a_mount_makes_a_blob_visible() {
    for world in World::both(Options::default()).await {
        let digest = world.push_blob("from/here", b"hello").await;
        let response = world
            .post(&format!(
                "/v2/to/there/blobs/uploads/?mount={digest}&from=from/here"
            ))
            .await;
        assert_eq!(response.status(), 201);
        assert_eq!(header(&response, "docker-content-digest"), digest.to_string());
        assert_eq!(
            world
                .get(&header(&response, "location"))
                .await
                .text()
                .await
                .unwrap(),
            "hello"
        );
    }
}

#[tokio::test]
async fn a_mount_that_fails_is_a_session() {
    let world = World::memory(Options::default()).await;
    let digest = world.push_blob("from", b"hello").await;
    let missing = Digest::sha256(b"missing");
    let queries = [
        format!("mount={digest}"),
        format!("mount={digest}&from=other"),
        format!("mount={digest}&from=NO"),
        format!("mount={missing}&from=from"),
    ];
    for query in queries {
        let response = world.post(&format!("/v2/to/blobs/uploads/?{query}")).await;
        assert_eq!(response.status(), 202, "{query}");
        let session = header(&response, "location");
        assert_eq!(put(&world, &session, None, b"hello", "hello").await.status(), 201);
        assert_eq!(
            world.delete(&format!("/v2/to/blobs/{digest}")).await.status(),
            202
        );
    }
    assert_eq!(
        world
            .post("/v2/to/blobs/uploads/?mount=sha256:12&from=from")
            .await
            .status(),
        400
    );
}

#[tokio::test]
async fn mounts_are_an_option() {
    let none = World::memory(Options {
        mounts: false,
        ..Options::default()
    })
    .await;
    let digest = none.push_blob("from", b"hello").await;
    assert_eq!(
        none.post(&format!("/v2/to/blobs/uploads/?mount={digest}&from=from"))
            .await
            .status(),
        202
    );
    let any = World::memory(Options {
        anonymous_mounts: true,
        ..Options::default()
    })
    .await;
    any.push_blob("from", b"hello").await;
    assert_eq!(
        any.post(&format!("/v2/to/blobs/uploads/?mount={digest}"))
            .await
            .status(),
        201
    );
}

/// Sends half of a body by hand, hangs up, and comes back for the rest.
#[tokio::test]
async fn an_upload_that_broke_off_goes_on() {
    for world in World::both(Options::default()).await {
        let session = world.start("a").await;
        let mut stream = TcpStream::connect(world.server.address()).await.unwrap();
        let head = format!("PATCH {session} HTTP/1.1\r\nhost: x\r\ncontent-length: 8\r\n\r\nabcd");
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        // The server closes once it has seen the end, and by then it has kept what came before.
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await.unwrap();
        assert_eq!(header(&world.get(&session).await, "range"), "0-3");
        assert_eq!(patch(&world, &session, Some("4-7"), "efgh").await.status(), 202);
        assert_eq!(put(&world, &session, None, b"abcdefgh", "").await.status(), 201);
    }
}

#[tokio::test]
async fn a_dropped_upload_leaves_no_file() {
    let world = World::layout(Options::default()).await;
    let before = files(&world);
    let session = world.start("a").await;
    patch(&world, &session, None, "abc").await;
    assert!(files(&world) > before);
    world.delete(&session).await;
    assert_eq!(files(&world), before);
}

fn files(world: &World) -> usize {
    std::fs::read_dir(world.opened().path()).unwrap().count()
}

async fn patch(world: &World, session: &str, range: Option<&str>, body: &'static str) -> Response {
    let mut request = world.request(Method::PATCH, session).body(body);
    if let Some(range) = range {
        request = request.header("content-range", range);
    }
    request.send().await.unwrap()
}

async fn put(
    world: &World,
    session: &str,
    range: Option<&str>,
    whole: &[u8],
    body: &'static str,
) -> Response {
    let path = format!("{session}?digest={}", Digest::sha256(whole));
    let mut request = world.request(Method::PUT, &path).body(body);
    if let Some(range) = range {
        request = request.header("content-range", range);
    }
    request.send().await.unwrap()
}
