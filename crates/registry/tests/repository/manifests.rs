//! Manifests from registries that lie or say too little.

use oci::{Algorithm, Digest, Manifest, ManifestReference, MediaType, Tag};
use registry::{Error, ErrorKind, ManifestPut};
use serde_json::json;

use crate::scripted::{Raw, Received, Scripted};
use crate::support::{anonymous, blob, image, name};

fn app() -> Manifest {
    image(&blob(b"{}"), &[blob(b"layer")])
}

fn tag() -> ManifestReference {
    "v1".parse::<Tag>().unwrap().into()
}

/// Serves a manifest with these headers to GET, and the head of that to HEAD.
fn serve(request: &Received, manifest: &Manifest, headers: &[(&str, String)]) -> Raw {
    let mut raw = Raw::new(200).header("Content-Length", manifest.bytes().len());
    for (key, value) in headers {
        raw = raw.header(key, value);
    }
    match request.method.as_str() {
        "GET" => raw.unframed(manifest.bytes()),
        _ => raw,
    }
}

fn content_type(manifest: &Manifest) -> (&'static str, String) {
    (
        "Content-Type",
        format!("{}; charset=utf-8", manifest.media_type()),
    )
}

#[tokio::test]
async fn a_head_that_says_all_is_believed() {
    let server = Scripted::new(|request, _| {
        let app = app();
        let digest = ("Docker-Content-Digest", app.digest().to_string());
        serve(request, &app, &[content_type(&app), digest])
    })
    .await;
    let repository = anonymous(&server.host()).reader(&name("a"));
    assert_eq!(
        repository.head_manifest(&tag()).await.unwrap(),
        Some(app().descriptor())
    );
    assert_eq!(server.lines(), ["HEAD /v2/a/manifests/v1"]);
    let accept = server.received()[0].header("accept").unwrap().to_owned();
    for media_type in MediaType::MANIFESTS {
        assert!(accept.contains(media_type.as_str()), "{accept}");
    }
}

#[tokio::test]
async fn a_head_that_says_too_little_leads_to_the_bytes() {
    let app = app();
    let digest = ("Docker-Content-Digest", app.digest().to_string());
    let empty = ("Docker-Content-Digest", String::new());
    let generic = ("Content-Type", "application/octet-stream".to_owned());
    let cases = [
        vec![content_type(&app)],
        vec![content_type(&app), empty],
        vec![digest.clone()],
        vec![generic, digest],
    ];
    for headers in cases {
        let text = format!("{headers:?}");
        let server = Scripted::new(move |request, _| serve(request, &self::app(), &headers)).await;
        let repository = anonymous(&server.host()).reader(&name("a"));
        let found = repository.head_manifest(&tag()).await.unwrap();
        assert_eq!(found, Some(app.descriptor()), "{text}");
        assert_eq!(
            server.lines(),
            ["HEAD /v2/a/manifests/v1", "GET /v2/a/manifests/v1"]
        );
    }
}

#[tokio::test]
async fn a_registry_without_head_is_asked_with_get() {
    let server = Scripted::new(|request, _| match request.method.as_str() {
        "HEAD" => Raw::new(405),
        _ => serve(request, &app(), &[content_type(&app())]),
    })
    .await;
    let repository = anonymous(&server.host()).reader(&name("a"));
    let found = repository.head_manifest(&tag()).await.unwrap();
    assert_eq!(found, Some(app().descriptor()));
}

#[tokio::test]
async fn a_digest_that_is_not_the_bytes_is_an_error_that_names_both() {
    let lie = Digest::sha256(b"lie");
    let header = ("Docker-Content-Digest", lie.to_string());
    let server =
        Scripted::new(move |request, _| serve(request, &app(), &[content_type(&app()), header.clone()]))
            .await;
    let repository = anonymous(&server.host()).reader(&name("a"));
    for reference in [tag(), app().digest().clone().into()] {
        let error = repository.get_manifest(&reference).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Integrity);
        for digest in [&lie, app().digest()] {
            assert!(error.to_string().contains(&digest.to_string()), "{error}");
        }
    }
    // Asked for by digest, a HEAD with another one is looked into.
    let reference = app().digest().clone().into();
    let error = repository.head_manifest(&reference).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Integrity);
}

#[tokio::test]
async fn another_manifest_than_the_one_pinned_is_refused_even_with_an_honest_header() {
    let other = image(&blob(b"other"), &[]);
    let pinned: ManifestReference = app().digest().clone().into();
    let server = Scripted::new(move |request, _| {
        let digest = ("Docker-Content-Digest", other.digest().to_string());
        serve(request, &other, &[content_type(&other), digest])
    })
    .await;
    let repository = anonymous(&server.host()).reader(&name("a"));
    for result in [
        repository.get_manifest(&pinned).await.map(drop),
        repository.head_manifest(&pinned).await.map(drop),
    ] {
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Integrity);
    }
}

#[tokio::test]
async fn an_endless_manifest_is_cut_off() {
    let server = Scripted::new(|_, _| Raw::new(200).unframed(&[b' '; 65_536]).endless()).await;
    let repository = anonymous(&server.host()).reader(&name("a"));
    let error = repository.get_manifest(&tag()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Integrity);
    assert!(error.to_string().contains("longer than 4194304 bytes"), "{error}");
}

#[tokio::test]
async fn a_manifest_served_as_another_type_is_refused() {
    let lie = ("Content-Type", MediaType::OCI_INDEX.to_string());
    let server = Scripted::new(move |request, _| serve(request, &app(), std::slice::from_ref(&lie))).await;
    let repository = anonymous(&server.host()).reader(&name("a"));
    let error = repository.get_manifest(&tag()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Integrity);
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("calls itself"), "{source}");
}

async fn put(server: &Scripted, reference: &ManifestReference) -> Result<ManifestPut, Error> {
    let repository = anonymous(&server.host()).writer(&name("a"));
    repository.put_manifest(reference, &app()).await
}

#[tokio::test]
async fn a_manifest_goes_out_byte_for_byte_under_its_own_type() {
    for status in [201, 202, 204] {
        let server = Scripted::new(move |_, _| {
            Raw::new(status)
                .header("Docker-Content-Digest", app().digest())
                .header("OCI-Subject", Digest::sha256(b"subject"))
        })
        .await;
        let answer = put(&server, &tag()).await.unwrap();
        assert_eq!(answer.subject, Some(Digest::sha256(b"subject")));
        let request = &server.received()[0];
        assert_eq!(request.line(), "PUT /v2/a/manifests/v1");
        assert_eq!(request.body, app().bytes().as_ref());
        assert_eq!(request.header("content-type"), Some(app().media_type().as_str()));
    }
}

#[tokio::test]
async fn a_registry_that_stored_other_bytes_is_caught() {
    let server =
        Scripted::new(|_, _| Raw::new(201).header("Docker-Content-Digest", Digest::sha256(b"rewritten")))
            .await;
    let error = put(&server, &tag()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Integrity);
    assert!(error.to_string().contains("the registry stored"), "{error}");
}

fn long() -> Manifest {
    let bytes = app().bytes().clone();
    let digest = Digest::of(Algorithm::Sha512, &bytes);
    Manifest::parse_as(bytes, None, digest).unwrap()
}

async fn put_long(
    answer: impl Fn() -> Raw + Send + Sync + 'static,
) -> (Scripted, Result<ManifestPut, Error>) {
    let server = Scripted::new(move |_, _| answer().header("Docker-Content-Digest", long().digest())).await;
    let repository = anonymous(&server.host()).writer(&name("a"));
    let answer = repository.put_manifest(&tag(), &long()).await;
    (server, answer)
}

#[tokio::test]
async fn a_manifest_under_sha512_is_put_by_that_with_its_tag_as_a_parameter() {
    for tags in [&["v1"][..], &["v0, v1"], &["v0", "v1"]] {
        let (server, answer) = put_long(move || {
            let created = Raw::new(201);
            tags.iter().fold(created, |raw, tag| raw.header("OCI-Tag", tag))
        })
        .await;
        assert_eq!(answer.unwrap(), ManifestPut::default());
        let line = format!("PUT /v2/a/manifests/{}?tag=v1", long().digest());
        assert_eq!(server.lines(), [line]);
    }
}

#[tokio::test]
async fn a_registry_that_does_not_tag_a_manifest_under_sha512_is_caught() {
    for tags in [&[][..], &["v10"]] {
        let (_, answer) = put_long(move || {
            let created = Raw::new(201);
            tags.iter().fold(created, |raw, tag| raw.header("OCI-Tag", tag))
        })
        .await;
        let error = answer.unwrap_err();
        assert!(error.to_string().contains("did not set the tag v1"), "{error}");
        assert!(error.hint().is_some());
    }
}

fn immutable() -> Raw {
    let message = "The image tag 'v1' already exists and cannot be overwritten because the tag is immutable.";
    Raw::new(400).json(&json!({ "errors": [{ "code": "TAG_INVALID", "message": message }] }))
}

#[tokio::test]
async fn an_immutable_tag_that_stands_there_already_is_no_error() {
    let server = Scripted::new(|request, _| match request.method.as_str() {
        "PUT" => immutable(),
        _ => {
            let digest = ("Docker-Content-Digest", app().digest().to_string());
            serve(request, &app(), &[content_type(&app()), digest])
        }
    })
    .await;
    assert_eq!(put(&server, &tag()).await.unwrap(), ManifestPut::default());
}

#[tokio::test]
async fn an_immutable_tag_that_stands_elsewhere_is_an_error() {
    let server = Scripted::new(|request, _| match request.method.as_str() {
        "PUT" => immutable(),
        _ => {
            let other = image(&blob(b"other"), &[]);
            let digest = ("Docker-Content-Digest", other.digest().to_string());
            serve(request, &other, &[content_type(&other), digest])
        }
    })
    .await;
    let error = put(&server, &tag()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Immutable);
    let start = format!(
        "put manifest {} as tag v1 in {}/a: 400 Bad Request",
        app().digest(),
        server.host()
    );
    assert!(error.to_string().starts_with(&start), "{error}");
    assert!(error.hint().is_some());
}
