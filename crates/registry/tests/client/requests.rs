//! What an operation costs: no request that it could do without.

use std::sync::Arc;

use futures_util::future::join_all;
use futures_util::{StreamExt, stream};
use oci::{Descriptor, Digest, MediaType, RepositoryName, Tag};
use transship_registry::{Client, Credential, Registry, UploadSession};

use crate::scripted::{Answer, Scripted, Seen, Source, answer, challenge, client, password, token};

const REALM: &str = "https://r.example/token";
const MANIFEST: &str =
    r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;
const BLOB: &[u8] = b"abc";

/// How a registry lets people in.
#[derive(Clone, Copy)]
enum Door {
    Open,
    Basic,
    Bearer,
}

fn registry(door: Door) -> Arc<Scripted> {
    Scripted::new(move |request| {
        if request.url.path() == "/token" {
            return token("t", 300);
        }
        match (door, request.authorization()) {
            (Door::Open, None) | (Door::Basic, Some("Basic dXNlcjpw")) | (Door::Bearer, Some("Bearer t")) => {
                content(request)
            }
            (Door::Bearer, _) => challenge(REALM),
            (Door::Basic | Door::Open, _) => answer(401).header("www-authenticate", "Basic realm=r"),
        }
    })
}

fn content(request: &Seen) -> Answer {
    let path = request.url.path();
    match request.method.as_str() {
        "POST" => answer(202).header("location", "/v2/a/blobs/uploads/1"),
        "PUT" => answer(201),
        _ if path.ends_with("/tags/list") => answer(200).body(r#"{"tags":["v1"]}"#),
        _ if path.contains("/manifests/") => answer(200)
            .header("content-type", MediaType::OCI_INDEX.as_str())
            .header("content-length", &MANIFEST.len().to_string())
            .header(
                "docker-content-digest",
                &Digest::sha256(MANIFEST.as_bytes()).to_string(),
            )
            .body(if request.method == "GET" { MANIFEST } else { "" }),
        "HEAD" => answer(200).header("content-length", "3"),
        _ => answer(200),
    }
}

fn signed_in(registry: &Arc<Scripted>) -> Client {
    client(registry, &Source::new([password("p")]))
}

fn lines(registry: &Scripted) -> Vec<String> {
    let seen = registry.seen();
    let line = |request: &Seen| format!("{} {}", request.method, request.url.path());
    seen.iter().map(line).collect()
}

async fn upload(client: &Client, session: Option<UploadSession>) {
    let writer = client.writer(&"a".parse().unwrap());
    let session = match session {
        Some(session) => session,
        None => writer.start_upload().await.unwrap(),
    };
    let blob = Descriptor::new(MediaType::OCI_LAYER, Digest::sha256(BLOB), 3);
    let body = stream::iter([Ok(BLOB.into())]).boxed();
    writer.upload_blob(session, &blob, body).await.unwrap();
}

async fn everything(client: &Client) {
    let writer = client.writer(&"a".parse().unwrap());
    let tag = "v1".parse::<Tag>().unwrap().into();
    writer.tags().await.unwrap();
    writer.head_manifest(&tag).await.unwrap();
    writer.get_manifest(&tag).await.unwrap();
    writer.head_blob(&Digest::sha256(BLOB)).await.unwrap();
    upload(client, None).await;
}

fn all() -> Vec<String> {
    let blob = format!("HEAD /v2/a/blobs/{}", Digest::sha256(BLOB));
    [
        "GET /v2/a/tags/list",
        "HEAD /v2/a/manifests/v1",
        "GET /v2/a/manifests/v1",
        &blob,
        "POST /v2/a/blobs/uploads/",
        "PUT /v2/a/blobs/uploads/1",
    ]
    .map(str::to_owned)
    .to_vec()
}

#[tokio::test]
async fn every_operation_is_one_request_once_signed_in() {
    for door in [Door::Open, Door::Basic, Door::Bearer] {
        let registry = registry(door);
        let client = signed_in(&registry);
        everything(&client).await;
        everything(&client).await;
        let lines = lines(&registry);
        let first: &[&str] = match door {
            Door::Open => &[],
            Door::Basic => &["GET /v2/a/tags/list"],
            Door::Bearer => &["GET /v2/a/tags/list", "GET /token"],
        };
        assert_eq!(lines[..first.len()], *first);
        assert_eq!(lines[first.len()..], [all(), all()].concat());
    }
}

#[tokio::test]
async fn an_upload_is_two_requests_even_at_first() {
    let registry = registry(Door::Open);
    upload(&signed_in(&registry), None).await;
    assert_eq!(lines(&registry), all()[4..]);
}

#[tokio::test]
async fn who_brings_sessions_from_elsewhere_asks_for_the_front_page_once() {
    for door in [Door::Open, Door::Basic, Door::Bearer] {
        let registry = registry(door);
        let client = signed_in(&registry);
        let session = || UploadSession::new("https://r.example/v2/a/blobs/uploads/1".parse().unwrap());
        join_all((0..8).map(|_| upload(&client, Some(session())))).await;
        let count = |line: &str| lines(&registry).iter().filter(|seen| *seen == line).count();
        let shown = usize::from(!matches!(door, Door::Open)) + 1;
        assert_eq!(count("GET /v2/"), shown);
        assert_eq!(count("PUT /v2/a/blobs/uploads/1"), 8);
    }
}

#[tokio::test]
async fn a_token_that_grants_less_than_it_covers_is_refused_once_and_not_again() {
    // The token for a mount names both repositories, and this service leaves out the one that is read from.
    let registry = Scripted::new(|request| {
        let asked = request.url.query().unwrap_or_default();
        match (request.url.path(), request.authorization()) {
            ("/token", _) if asked.contains("repository%3Aa%3A") && asked.contains("repository%3Ab%3A") => {
                token("both", 300)
            }
            ("/token", _) => token("one", 300),
            (_, Some("Bearer both")) if request.method == "POST" => answer(201),
            (_, Some("Bearer one")) => answer(200).body(r#"{"tags":[]}"#),
            _ => challenge(REALM),
        }
    });
    let client = client(&registry, &Source::new([Credential::Anonymous]));
    let (writer, from) = (
        client.writer(&"a".parse().unwrap()),
        "b".parse::<RepositoryName>().unwrap(),
    );
    writer
        .mount_blob(&Digest::sha256(BLOB), &from.clone().into())
        .await
        .unwrap();
    let before = registry.seen().len();
    for _ in 0..3 {
        client.reader(&from).tags().await.unwrap();
    }
    // The wider token is tried, and turned down, once; what replaces it is used from then on.
    assert_eq!(registry.seen().len() - before, 5);
}
