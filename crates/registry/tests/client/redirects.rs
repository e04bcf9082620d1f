//! Where a blob may be fetched from, and with what.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::TryStreamExt;
use oci::{Descriptor, Digest, MediaType};
use transship_registry::{Error, ErrorKind, Reach, Registry};

use crate::scripted::{Answer, Scripted, Source, answer, challenge, client, password, token};

const CONTENT: &[u8] = b"some blob";

/// A registry behind a token, whose blobs are answered by `blob`; the rest of the world by `world`.
fn registry(blob: fn() -> Answer, world: fn() -> Answer) -> Arc<Scripted> {
    Scripted::new(
        move |request| match (request.host(), request.url.path(), request.authorization()) {
            ("r.example", "/token", _) => token("t", 300),
            ("r.example", "/v2/moved", Some("Bearer t")) => answer(200).body(CONTENT),
            ("r.example", _, Some("Bearer t")) if request.url.port().is_none() => blob(),
            ("r.example", _, _) if request.url.port().is_none() => challenge("https://r.example/token"),
            _ => world(),
        },
    )
}

async fn read(registry: &Arc<Scripted>) -> Result<Bytes, Error> {
    let client = client(registry, &Source::new([password("p")]));
    let blob = Descriptor::new(
        MediaType::OCI_LAYER,
        Digest::sha256(CONTENT),
        CONTENT.len() as u64,
    );
    let body = client.reader(&"a".parse().unwrap()).read_blob(&blob).await?;
    let chunks: Vec<Bytes> = body.try_collect().await?;
    Ok(chunks.concat().into())
}

fn strangers(registry: &Scripted) -> Vec<crate::scripted::Seen> {
    let mut seen = registry.seen();
    seen.retain(|request| request.host() != "r.example" || request.url.port().is_some());
    seen
}

fn to(location: &'static str) -> Answer {
    answer(307).header("location", location)
}

#[tokio::test]
async fn storage_gets_no_credential() {
    let registry = registry(
        || to("https://s3.example/x?sig=CANARY"),
        || answer(200).body(CONTENT),
    );
    assert_eq!(read(&registry).await.unwrap(), CONTENT);
    let storage = strangers(&registry);
    assert_eq!(storage.len(), 1);
    assert_eq!(storage[0].authorization(), None);
    assert_eq!(storage[0].reach, Reach::Elsewhere);
}

#[tokio::test]
async fn another_port_of_the_registry_is_a_stranger() {
    let registry = registry(|| to("https://r.example:8443/x"), || answer(200).body(CONTENT));
    assert_eq!(read(&registry).await.unwrap(), CONTENT);
    assert_eq!(strangers(&registry)[0].authorization(), None);
}

#[tokio::test]
async fn the_registry_itself_keeps_its_token() {
    let registry = registry(|| to("/v2/moved"), || answer(500));
    assert_eq!(read(&registry).await.unwrap(), CONTENT);
}

#[tokio::test]
async fn a_strangers_401_is_not_answered_with_a_credential() {
    let registry = registry(
        || to("https://evil.example/x"),
        || challenge("https://r.example/token").header("www-authenticate", "Basic realm=x"),
    );
    assert!(read(&registry).await.is_err());
    assert!(!strangers(&registry).is_empty());
    for request in strangers(&registry) {
        assert_eq!(request.authorization(), None);
    }
    assert_eq!(registry.to("/token").len(), 1);
}

#[tokio::test]
async fn forbidden_targets_see_no_request() {
    for play in [
        || to("http://r.example/x"),
        || to("http://s3.example/x"),
        || to("https://127.0.0.1/x"),
        || to("https://2130706433/x"),
        || to("https://169.254.169.254/latest/meta-data/"),
        || to("https://[::ffff:a9fe:a9fe]/"),
        || to("https://u:p@s3.example/x"),
    ] {
        let registry = registry(play, || answer(200).body(CONTENT));
        assert_eq!(read(&registry).await.unwrap_err().kind(), ErrorKind::Policy);
        assert!(strangers(&registry).is_empty());
    }
}

#[tokio::test]
async fn a_loop_ends_after_five_redirects() {
    let registry = registry(|| to("https://s3.example/x"), || to("https://s3.example/x"));
    assert_eq!(read(&registry).await.unwrap_err().kind(), ErrorKind::Policy);
    assert_eq!(strangers(&registry).len(), 5);
}

#[tokio::test]
async fn a_write_is_not_redirected() {
    let registry = registry(|| to("https://evil.example/x"), || answer(202));
    let client = client(&registry, &Source::new([password("p")]));
    let error = client
        .writer(&"a".parse().unwrap())
        .start_upload()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Policy);
    assert!(strangers(&registry).is_empty());
}

#[tokio::test]
async fn an_upload_that_would_leave_the_registry_is_refused() {
    for play in [
        || answer(202).header("location", "https://evil.example/upload"),
        || answer(202).header("location", "https://r.example:8443/upload"),
        || answer(202).header("location", "http://r.example/upload"),
        || answer(202).header("location", "//evil.example/upload"),
    ] {
        let registry = registry(play, || answer(201));
        let client = client(&registry, &Source::new([password("p")]));
        let error = client
            .writer(&"a".parse().unwrap())
            .start_upload()
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Policy);
        assert!(error.hint().is_some());
        assert!(strangers(&registry).is_empty());
    }
}
