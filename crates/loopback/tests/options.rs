//! What a registry can be told to do, and the server around it.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails it")]

mod support;

use std::collections::BTreeMap;

use oci::Digest;
use reqwest::Method;
use support::{World, code, image};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use transship_loopback::Options;

#[tokio::test]
async fn the_base_says_that_this_is_a_registry() {
    let world = World::memory(Options::default()).await;
    for path in ["/v2/", "/v2"] {
        assert_eq!(world.get(path).await.status(), 200);
        assert_eq!(world.head(path).await.status(), 200);
    }
    assert_eq!(world.get("/v1/").await.status(), 404);
    assert_eq!(code(world.post("/v2/").await).await, "UNSUPPORTED");
    assert_eq!(world.delete("/v2/a/tags/list").await.status(), 405);
}

#[tokio::test]
async fn a_read_only_registry_takes_nothing() {
    let full = World::memory(Options::default()).await;
    let (manifest, digest) = full.push_image("a", "v1").await;
    let options = Options {
        read_only: true,
        ..Options::default()
    };
    let world = World::of(full.registry.clone().with_options(options), None).await;
    assert_eq!(world.get("/v2/a/manifests/v1").await.status(), 200);
    assert_eq!(world.post("/v2/a/blobs/uploads/").await.status(), 405);
    assert_eq!(world.put_manifest("a", "v2", &manifest).await.status(), 405);
    assert_eq!(
        world.delete(&format!("/v2/a/manifests/{digest}")).await.status(),
        405
    );
}

#[tokio::test]
async fn without_deletion_uploads_can_still_be_cancelled() {
    let world = World::memory(Options {
        delete: false,
        ..Options::default()
    })
    .await;
    let (_, digest) = world.push_image("a", "v1").await;
    for path in [
        "/v2/a/manifests/v1".to_owned(),
        format!("/v2/a/manifests/{digest}"),
        format!("/v2/a/blobs/{digest}"),
    ] {
        let response = world.delete(&path).await;
        assert_eq!(response.status(), 405);
        assert_eq!(code(response).await, "UNSUPPORTED");
    }
    let session = world.start("a").await;
    assert_eq!(world.delete(&session).await.status(), 204);
}

#[tokio::test]
async fn without_the_referrers_api_a_subject_is_not_acknowledged() {
    let world = World::memory(Options {
        referrers_api: false,
        ..Options::default()
    })
    .await;
    let subject = Digest::sha256(b"x");
    world.push_blob("a", b"{}").await;
    let response = world
        .put_manifest("a", "v1", &support::referrer(&subject, "a/b"))
        .await;
    assert_eq!(response.status(), 201);
    assert!(!response.headers().contains_key("oci-subject"));
    assert_eq!(
        world.get(&format!("/v2/a/referrers/{subject}")).await.status(),
        404
    );
}

#[tokio::test]
async fn requests_are_recorded_with_their_bytes() {
    let world = World::memory(Options {
        record: true,
        ..Options::default()
    })
    .await;
    let digest = world.push_blob("a", b"hello").await;
    world.head(&format!("/v2/a/blobs/{digest}")).await;
    world
        .get(&format!("/v2/a/blobs/{digest}?ns=x"))
        .await
        .bytes()
        .await
        .unwrap();
    let requests = world.registry.requests();
    let seen: Vec<_> = requests
        .iter()
        .map(|r| (r.method.as_str(), r.status, r.received, r.sent))
        .collect();
    assert_eq!(
        seen,
        [
            ("POST", Some(201), 5, 0),
            ("HEAD", Some(200), 0, 0),
            ("GET", Some(200), 0, 5)
        ]
    );
    assert_eq!(requests[2].path, format!("/v2/a/blobs/{digest}?ns=x"));
    let counts = ["GET", "HEAD", "POST"].map(|method| (method.to_owned(), 1));
    assert_eq!(world.registry.counts(), BTreeMap::from(counts));
    world.registry.clear_requests();
    assert!(world.registry.requests().is_empty());
}

#[tokio::test]
async fn a_recorded_response_keeps_its_length() {
    let world = World::memory(Options {
        record: true,
        ..Options::default()
    })
    .await;
    let (manifest, _) = world.push_image("a", "v1").await;
    for response in [
        world.head("/v2/a/manifests/v1").await,
        world.get("/v2/a/manifests/v1").await,
    ] {
        assert_eq!(
            support::header(&response, "content-length"),
            manifest.to_string().len().to_string()
        );
    }
    assert!(
        world
            .get("/v2/a/manifests/v2")
            .await
            .headers()
            .contains_key("content-length")
    );
}

#[tokio::test]
async fn a_refusal_reaches_a_client_that_is_still_sending() {
    let options = Options {
        basic_auth: Some(("a".into(), "b".into())),
        ..Options::default()
    };
    let world = World::memory(options).await;
    let path = format!("/v2/a/blobs/uploads/?digest={}", Digest::sha256(b"x"));
    let response = world
        .request(Method::POST, &path)
        .body(vec![0; 8 << 20])
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 401);
}

#[tokio::test]
async fn clones_share_their_content() {
    let world = World::memory(Options::default()).await;
    world.push_image("a", "v1").await;
    let other = World::of(world.registry.clone(), None).await;
    assert_ne!(world.server.address(), other.server.address());
    assert_eq!(other.put_manifest("a", "v2", &image(b"v1")).await.status(), 201);
    assert_eq!(world.get("/v2/a/manifests/v2").await.status(), 200);
}

#[tokio::test]
async fn a_stopped_server_closes_its_connections_and_its_port() {
    let world = World::memory(Options::default()).await;
    let address = world.server.address();
    let mut idle = TcpStream::connect(address).await.unwrap();
    world.get("/v2/").await;
    world.server.stop().await;
    assert_eq!(idle.read(&mut [0]).await.unwrap(), 0);
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_dropped_server_ends_a_request_under_way() {
    use tokio::io::AsyncWriteExt;
    let world = World::memory(Options::default()).await;
    let session = world.start("a").await;
    let mut stream = TcpStream::connect(world.server.address()).await.unwrap();
    let head = format!("PATCH {session} HTTP/1.1\r\nhost: x\r\ncontent-length: 8\r\n\r\nabcd");
    stream.write_all(head.as_bytes()).await.unwrap();
    drop(world);
    // Closed or reset: either way nobody answers.
    assert!(!matches!(stream.read(&mut [0]).await, Ok(read) if read > 0));
}
