//! Uploads and mounts against registries that lose answers, lie or refuse.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use oci::{Algorithm, Digest};
use registry::{ByteStream, Error, ErrorKind, Mount};
use serde_json::json;

use crate::scripted::{Raw, Received, Scripted};
use crate::support::{anonymous, blob, body, content, name};

const SESSION: &str = "/v2/a/blobs/uploads/1?_state=CANARY%2B%3D";

fn opened() -> Raw {
    Raw::new(202).header("Location", SESSION)
}

async fn upload_as(server: &Scripted, body: ByteStream) -> Result<(), Error> {
    let repository = anonymous(&server.host()).writer(&name("a"));
    let session = repository.start_upload().await?;
    repository
        .upload_blob(session, &blob(&content(50_000)), body)
        .await
}

async fn upload(server: &Scripted) -> Result<(), Error> {
    upload_as(server, body(&content(50_000))).await
}

fn methods(server: &Scripted) -> Vec<String> {
    let received = server.received();
    received.iter().map(|request| request.method.clone()).collect()
}

/// Answers the PUT with one thing and a HEAD with another.
async fn server(put: impl Fn() -> Raw + Send + Sync + 'static, head: u16) -> Scripted {
    Scripted::new(move |request, _| match request.method.as_str() {
        "POST" => opened(),
        "PUT" => put(),
        "HEAD" => Raw::new(head).header("Content-Length", 50_000),
        _ => Raw::new(204),
    })
    .await
}

#[tokio::test]
async fn a_blob_goes_out_in_one_request_that_keeps_the_sessions_query() {
    for status in [201, 204] {
        let server = server(move || Raw::new(status), 500).await;
        upload(&server).await.unwrap();
        assert_eq!(methods(&server), ["POST", "PUT"]);
        let requests = server.received();
        assert_eq!(requests[0].target, "/v2/a/blobs/uploads/");
        let digest = blob(&content(50_000)).digest.to_string().replace(':', "%3A");
        assert_eq!(requests[1].target, format!("{SESSION}&digest={digest}"));
        assert_eq!(requests[1].header("content-length"), Some("50000"));
        assert_eq!(
            requests[1].header("content-type"),
            Some("application/octet-stream")
        );
        assert_eq!(requests[1].header("transfer-encoding"), None);
        assert!(requests[1].body == content(50_000));
    }
}

#[tokio::test]
async fn a_session_without_a_location_is_an_error() {
    let server = Scripted::new(|_, _| Raw::new(202)).await;
    let error = upload(&server).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Integrity);
    assert!(error.to_string().contains("without a Location"), "{error}");
}

#[tokio::test]
async fn a_session_elsewhere_is_refused_and_gets_no_byte() {
    let elsewhere = Scripted::new(|_, _| Raw::new(201)).await;
    let location = format!("http://{}/v2/a/blobs/uploads/1", elsewhere.host());
    let server = Scripted::new(move |_, _| Raw::new(202).header("Location", &location)).await;
    let error = upload(&server).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Policy, "{error}");
    assert_eq!(methods(&server), ["POST"]);
    assert_eq!(methods(&elsewhere), Vec::<String>::new());
}

#[tokio::test]
async fn a_session_is_printed_without_its_state() {
    let server = Scripted::new(|_, _| opened()).await;
    let session = anonymous(&server.host())
        .writer(&name("a"))
        .start_upload()
        .await
        .unwrap();
    assert!(!format!("{session:?}").contains("CANARY"), "{session:?}");
}

#[tokio::test]
async fn a_lost_answer_is_made_up_for_by_a_look_at_the_blob() {
    let server = server(Raw::silence, 200).await;
    upload(&server).await.unwrap();
    assert_eq!(methods(&server), ["POST", "PUT", "HEAD"]);
}

#[tokio::test]
async fn a_session_that_is_gone_is_success_where_the_blob_stands() {
    let gone = || Raw::new(404).json(&json!({ "errors": [{ "code": "BLOB_UPLOAD_UNKNOWN" }] }));
    upload(&server(gone, 200).await).await.unwrap();
    let missing = server(gone, 404).await;
    let error = upload(&missing).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.code()),
        (ErrorKind::NotFound, Some("BLOB_UPLOAD_UNKNOWN"))
    );
    assert_eq!(methods(&missing), ["POST", "PUT", "HEAD", "DELETE"]);
    assert_eq!(missing.received()[3].target, SESSION);
}

#[tokio::test]
async fn a_lost_answer_without_the_blob_is_an_error_and_the_session_is_cancelled() {
    let server = server(Raw::silence, 404).await;
    let error = upload(&server).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Network, "{error}");
    assert_eq!(methods(&server), ["POST", "PUT", "HEAD", "DELETE"]);
}

#[tokio::test]
async fn a_credential_that_ends_on_the_way_is_worth_another_try() {
    let error = upload(&server(|| Raw::new(401), 404).await).await.unwrap_err();
    assert!(error.is_temporary(), "{error}");
}

#[tokio::test]
async fn a_password_that_ends_on_the_way_is_worth_another_try() {
    let expired = || {
        let message = "Your authorization token has expired. Reauthenticate and try again.";
        Raw::new(403).json(&json!({ "errors": [{ "code": "DENIED", "message": message }] }))
    };
    let error = upload(&server(expired, 404).await).await.unwrap_err();
    assert!(error.is_temporary(), "{error}");
}

#[tokio::test]
async fn a_blob_that_is_too_large_for_one_request_is_told_with_what_to_set() {
    let server = server(|| Raw::new(413).body(b"<html>413</html>"), 404).await;
    let error = upload(&server).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.status().unwrap().as_u16()),
        (ErrorKind::Other, 413)
    );
    let hint = error.hint().unwrap();
    assert!(
        hint.contains("`profile: { upload: chunked, chunk: 4MiB }`"),
        "{hint}"
    );
    assert_eq!(
        methods(&server).iter().filter(|method| *method == "PUT").count(),
        1
    );
}

#[tokio::test]
async fn a_full_registry_is_not_asked_again() {
    let server = server(
        || {
            Raw::new(500)
                .json(&json!({ "errors": [{ "code": "UNKNOWN", "detail": "no space left on device" }] }))
        },
        200,
    )
    .await;
    let error = upload(&server).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Quota, "{error}");
    assert_eq!(methods(&server), ["POST", "PUT", "DELETE"]);
}

#[tokio::test]
async fn a_registry_that_stored_another_blob_is_caught() {
    let server = server(
        || Raw::new(201).header("Docker-Content-Digest", Digest::sha256(b"other")),
        200,
    )
    .await;
    assert_eq!(upload(&server).await.unwrap_err().kind(), ErrorKind::Integrity);
}

#[tokio::test]
async fn a_source_that_fails_is_the_error_and_nothing_is_committed() {
    let server = server(|| Raw::new(201), 200).await;
    let source: Vec<Result<Bytes, Error>> = vec![
        Ok(content(20_000).into()),
        Err(Error::new(ErrorKind::Integrity, "the source broke")),
    ];
    let error = upload_as(&server, stream::iter(source).boxed())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Integrity, "{error}");
    assert!(error.to_string().ends_with("the source broke"), "{error}");
    assert!(!methods(&server).contains(&"HEAD".to_owned()));
}

#[tokio::test]
async fn a_source_that_fails_at_its_very_end_keeps_the_blob_from_being_committed() {
    let committed: Arc<Mutex<usize>> = Arc::default();
    let seen = Arc::clone(&committed);
    let server = Scripted::new(move |request, _| match request.method.as_str() {
        "POST" => opened(),
        "PUT" => {
            *seen.lock().unwrap() += 1;
            Raw::new(201)
        }
        _ => Raw::new(204),
    })
    .await;
    let source = vec![
        Ok(content(50_000).into()),
        Err(Error::new(ErrorKind::Integrity, "its bytes are others")),
    ];
    let error = upload_as(&server, stream::iter(source).boxed())
        .await
        .unwrap_err();
    assert!(error.to_string().ends_with("its bytes are others"), "{error}");
    assert_eq!(*committed.lock().unwrap(), 0, "a whole request came in");
}

async fn mount(server: &Scripted, digest: &Digest) -> Result<Mount, Error> {
    let repository = anonymous(&server.host()).writer(&name("a"));
    repository.mount_blob(digest, &name("b/c").into()).await
}

#[tokio::test]
async fn a_mount_is_asked_for_once_and_believed_for_sha256() {
    let server = Scripted::new(|_, _| Raw::new(201)).await;
    let digest = Digest::sha256(b"x");
    assert!(matches!(mount(&server, &digest).await.unwrap(), Mount::Mounted));
    assert_eq!(
        server.lines(),
        [format!("POST /v2/a/blobs/uploads/?mount={digest}&from=b/c")]
    );
}

#[tokio::test]
async fn a_declined_mount_is_an_upload_session() {
    let server = Scripted::new(|request, _| match request.method.as_str() {
        "POST" => opened(),
        _ => Raw::new(201),
    })
    .await;
    let blob = blob(&content(10));
    let Mount::Declined(session) = mount(&server, &blob.digest).await.unwrap() else {
        panic!("not declined");
    };
    let repository = anonymous(&server.host()).writer(&name("a"));
    repository
        .upload_blob(session, &blob, body(&content(10)))
        .await
        .unwrap();
    assert!(server.received()[1].target.starts_with(SESSION));
}

#[tokio::test]
async fn a_mount_that_is_refused_in_any_way_leads_to_an_upload() {
    for status in [400, 401, 403, 404, 405, 500] {
        let server = Scripted::new(move |_, _| Raw::new(status)).await;
        let digest = Digest::sha256(b"x");
        assert!(
            matches!(mount(&server, &digest).await.unwrap(), Mount::Refused),
            "{status}"
        );
    }
    let no_session = Scripted::new(|_, _| Raw::new(202)).await;
    assert!(matches!(
        mount(&no_session, &Digest::sha256(b"x")).await.unwrap(),
        Mount::Refused
    ));
}

#[tokio::test]
async fn a_mounted_sha512_blob_is_looked_for() {
    let digest = Digest::of(Algorithm::Sha512, b"x");
    for (status, mounted) in [(200, true), (404, false), (500, false)] {
        let server = Scripted::new(move |request, _| match request.method.as_str() {
            "POST" => Raw::new(201),
            _ => Raw::new(status).header("Content-Length", 1),
        })
        .await;
        let mount = mount(&server, &digest).await.unwrap();
        assert_eq!(matches!(mount, Mount::Mounted), mounted, "{status}");
    }
}

#[tokio::test]
async fn bytes_are_counted_both_ways() {
    let stored: Mutex<Vec<u8>> = Mutex::default();
    let server = Scripted::new(move |request: &Received, _| match request.method.as_str() {
        "POST" => opened(),
        "PUT" => {
            stored.lock().unwrap().clone_from(&request.body);
            Raw::new(201)
        }
        _ => Raw::new(200).body(&stored.lock().unwrap()),
    })
    .await;
    let registry = anonymous(&server.host());
    let repository = registry.writer(&name("a"));
    let blob = blob(&content(50_000));
    let session = repository.start_upload().await.unwrap();
    repository
        .upload_blob(session, &blob, body(&content(50_000)))
        .await
        .unwrap();
    crate::support::collect(repository.read_blob(&blob).await.unwrap())
        .await
        .unwrap();
    let traffic = registry.traffic();
    assert_eq!((traffic.read, traffic.written), (50_000, 50_000));
}
