//! Uploads in parts, to registries that count badly, lose answers or move.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use registry::{ByteStream, Error, ErrorKind};
use serde_json::json;

use crate::scripted::{Raw, Received, Scripted};
use crate::support::{blob, body, content, in_parts, name};

const SIZE: usize = 50_000;
const CHUNK: u64 = 20_000;

fn opened() -> Raw {
    Raw::new(202).header("Location", "/uploads/0?state=0")
}

async fn upload_as(server: &Scripted, body: ByteStream) -> Result<(), Error> {
    let repository = in_parts(&server.host(), CHUNK).writer(&name("a"));
    let session = repository.start_upload().await?;
    repository.upload_blob(session, &blob(&content(SIZE)), body).await
}

async fn upload(server: &Scripted) -> Result<(), Error> {
    upload_as(server, body(&content(SIZE))).await
}

/// Answers each PATCH with `patch`, which is told how many came before, and all else as it should be.
async fn server(patch: impl Fn(&Received, usize) -> Raw + Send + Sync + 'static) -> Scripted {
    let patches = Mutex::new(0);
    Scripted::new(move |request, _| match request.method.as_str() {
        "POST" => opened(),
        "PATCH" => {
            let mut patches = patches.lock().unwrap();
            *patches += 1;
            patch(request, *patches - 1)
        }
        "PUT" => Raw::new(201),
        "HEAD" => Raw::new(404),
        _ => Raw::new(204),
    })
    .await
}

fn methods(server: &Scripted) -> Vec<String> {
    let received = server.received();
    received.iter().map(|request| request.method.clone()).collect()
}

fn ranges(server: &Scripted) -> Vec<String> {
    let received = server.received();
    let ranges = received
        .iter()
        .filter_map(|request| request.header("content-range"));
    ranges.map(str::to_owned).collect()
}

#[tokio::test]
async fn parts_go_where_the_last_answer_says_and_the_commit_has_no_body() {
    for status in [201, 202, 204] {
        // The range is ECR's, which stays at the first part.
        let server = server(move |_, before| {
            Raw::new(status)
                .header("Location", format!("/uploads/{}?state=x%2B{before}", before + 1))
                .header("Range", "0-19999")
        })
        .await;
        upload(&server).await.unwrap();
        assert_eq!(methods(&server), ["POST", "PATCH", "PATCH", "PATCH", "PUT"]);
        assert_eq!(ranges(&server), ["0-19999", "20000-39999", "40000-49999"]);
        let requests = server.received();
        let targets: Vec<&str> = requests[1..4]
            .iter()
            .map(|request| request.target.as_str())
            .collect();
        assert_eq!(
            targets,
            [
                "/uploads/0?state=0",
                "/uploads/1?state=x%2B0",
                "/uploads/2?state=x%2B1"
            ]
        );
        let digest = blob(&content(SIZE)).digest.to_string().replace(':', "%3A");
        assert_eq!(
            requests[4].target,
            format!("/uploads/3?state=x%2B2&digest={digest}")
        );
        assert_eq!(requests[4].header("content-length"), Some("0"));
        for part in &requests[1..4] {
            let length = part.body.len().to_string();
            assert_eq!(part.header("content-length"), Some(length.as_str()));
            assert_eq!(part.header("content-type"), Some("application/octet-stream"));
            assert_eq!(part.header("transfer-encoding"), None);
        }
        let bodies: Vec<u8> = requests[1..4].iter().flat_map(|part| part.body.clone()).collect();
        assert!(bodies == content(SIZE));
    }
}

#[tokio::test]
async fn a_small_blob_goes_whole() {
    let server = server(|_, _| Raw::new(500)).await;
    let repository = in_parts(&server.host(), CHUNK).writer(&name("a"));
    for size in [0, 1, CHUNK] {
        let content = content(usize::try_from(size).unwrap());
        let session = repository.start_upload().await.unwrap();
        repository
            .upload_blob(session, &blob(&content), body(&content))
            .await
            .unwrap();
    }
    assert_eq!(methods(&server), ["POST", "PUT", "POST", "PUT", "POST", "PUT"]);
}

#[tokio::test]
async fn a_registry_may_ask_for_larger_parts() {
    for (least, expected) in [("30000", "0-29999"), ("5", "0-19999"), ("x", "0-19999")] {
        let server = Scripted::new(move |request, _| match request.method.as_str() {
            "POST" => opened().header("OCI-Chunk-Min-Length", least),
            "PUT" => Raw::new(201),
            _ => Raw::new(202),
        })
        .await;
        upload(&server).await.unwrap();
        assert_eq!(ranges(&server)[0], expected);
        assert!(
            server.received()[2].target.starts_with("/uploads/0?"),
            "no answer said otherwise"
        );
    }
}

#[tokio::test]
async fn a_part_whose_answer_was_lost_is_sent_again() {
    let server = server(|_, before| match before {
        1 => Raw::silence(),
        _ => Raw::new(202),
    })
    .await;
    upload(&server).await.unwrap();
    assert_eq!(
        ranges(&server),
        ["0-19999", "20000-39999", "20000-39999", "40000-49999"]
    );
}

/// Loses the answer to the second part, refuses it the second time, and says that it has bytes up to `stands`.
async fn out_of_order(stands: &'static str, status: u16) -> Scripted {
    let patches = Mutex::new(0);
    Scripted::new(move |request, _| match request.method.as_str() {
        "POST" => opened(),
        "PATCH" => {
            let mut patches = patches.lock().unwrap();
            *patches += 1;
            match *patches {
                2 => Raw::silence(),
                3 => Raw::new(416).header("Location", "/uploads/refused"),
                _ => Raw::new(202),
            }
        }
        "GET" => Raw::new(status)
            .header("Range", stands)
            .header("Location", "/uploads/found"),
        "PUT" => Raw::new(201),
        "HEAD" => Raw::new(404),
        _ => Raw::new(204),
    })
    .await
}

#[tokio::test]
async fn a_part_that_was_taken_although_its_answer_was_lost_is_not_sent_a_third_time() {
    let server = out_of_order("0-39999", 204).await;
    upload(&server).await.unwrap();
    assert_eq!(
        methods(&server),
        ["POST", "PATCH", "PATCH", "PATCH", "GET", "PATCH", "PUT"]
    );
    let requests = server.received();
    assert_eq!(requests[4].target, "/uploads/refused");
    assert_eq!(requests[5].target, "/uploads/found");
    assert_eq!(requests[5].header("content-range"), Some("40000-49999"));
}

#[tokio::test]
async fn a_registry_that_lost_count_is_worth_a_new_session() {
    // ECR knows no status of an upload.
    for (stands, status) in [("0-19999", 204), ("0-40000", 204), ("", 204), ("0-39999", 404)] {
        let server = out_of_order(stands, status).await;
        let error = upload(&server).await.unwrap_err();
        assert!(error.is_temporary(), "{error}");
        assert_eq!(
            methods(&server),
            ["POST", "PATCH", "PATCH", "PATCH", "GET", "HEAD", "DELETE"]
        );
    }
}

#[tokio::test]
async fn a_part_that_is_out_of_order_the_first_time_is_an_error() {
    let server = server(|_, _| Raw::new(416)).await;
    let error = upload(&server).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Other);
    assert_eq!(methods(&server), ["POST", "PATCH", "HEAD", "DELETE"]);
}

#[tokio::test]
async fn a_place_that_takes_one_request_is_worth_a_new_session_where_its_answer_was_lost() {
    let server = server(|_, before| match before {
        0 => Raw::silence(),
        _ => Raw::new(404).json(&json!({ "errors": [{ "code": "BLOB_UPLOAD_UNKNOWN" }] })),
    })
    .await;
    let error = upload(&server).await.unwrap_err();
    assert!(error.is_temporary(), "{error}");
}

#[tokio::test]
async fn a_registry_that_stored_a_part_twice_is_worth_a_new_session() {
    let patches = Mutex::new(0);
    let server = Scripted::new(move |request, _| match request.method.as_str() {
        "POST" => opened(),
        "PATCH" => {
            let mut patches = patches.lock().unwrap();
            *patches += 1;
            if *patches == 1 {
                Raw::silence()
            } else {
                Raw::new(202)
            }
        }
        "PUT" => Raw::new(400).json(&json!({ "errors": [{ "code": "DIGEST_INVALID" }] })),
        "HEAD" => Raw::new(404),
        _ => Raw::new(204),
    })
    .await;
    let error = upload(&server).await.unwrap_err();
    assert!(error.is_temporary(), "{error}");
}

#[tokio::test]
async fn bytes_of_another_blob_are_not_the_networks_fault() {
    let server = Scripted::new(|request, _| match request.method.as_str() {
        "POST" => opened(),
        "PATCH" => Raw::new(202),
        "PUT" => Raw::new(400).json(&json!({ "errors": [{ "code": "DIGEST_INVALID" }] })),
        _ => Raw::new(404),
    })
    .await;
    assert_eq!(upload(&server).await.unwrap_err().kind(), ErrorKind::Integrity);
}

#[tokio::test]
async fn a_part_that_is_too_large_is_told_with_what_to_set() {
    let server = server(|_, _| Raw::new(413)).await;
    let hint = upload(&server).await.unwrap_err();
    let hint = hint.hint().unwrap();
    assert!(hint.contains("`profile: { chunk: 4MiB }`"), "{hint}");
}

#[tokio::test]
async fn a_source_that_fails_at_its_very_end_keeps_the_blob_from_being_committed() {
    let server = server(|_, _| Raw::new(202)).await;
    let source = vec![
        Ok(content(SIZE).into()),
        Err(Error::new(ErrorKind::Integrity, "its bytes are others")),
    ];
    let error = upload_as(&server, stream::iter(source).boxed())
        .await
        .unwrap_err();
    assert!(error.to_string().ends_with("its bytes are others"), "{error}");
    assert_eq!(methods(&server), ["POST", "DELETE"]);
}

#[tokio::test]
async fn a_source_of_another_length_is_never_committed() {
    for pieces in [vec![30_000], vec![30_000, 20_001], vec![50_001]] {
        let server = server(|_, _| Raw::new(202)).await;
        let source: Vec<Result<Bytes, Error>> = pieces
            .into_iter()
            .map(|length| Ok(content(length).into()))
            .collect();
        let error = upload_as(&server, stream::iter(source).boxed())
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Integrity, "{error}");
        assert!(!methods(&server).contains(&"PUT".to_owned()));
    }
}

#[tokio::test]
async fn bytes_are_counted_once_although_a_part_was_sent_twice() {
    let server = server(|_, before| match before {
        1 => Raw::silence(),
        _ => Raw::new(202),
    })
    .await;
    let registry = in_parts(&server.host(), CHUNK);
    let repository = registry.writer(&name("a"));
    let session = repository.start_upload().await.unwrap();
    repository
        .upload_blob(session, &blob(&content(SIZE)), body(&content(SIZE)))
        .await
        .unwrap();
    let traffic = registry.traffic();
    assert_eq!((traffic.written, traffic.retries), (SIZE as u64, 1));
}

#[tokio::test]
async fn no_more_than_a_part_is_read_before_it_is_taken() {
    let read = Arc::new(Mutex::new(0));
    let at_first = Arc::new(Mutex::new(None));
    let (seen, noted) = (Arc::clone(&read), Arc::clone(&at_first));
    let server = server(move |_, before| {
        if before == 0 {
            *noted.lock().unwrap() = Some(*seen.lock().unwrap());
        }
        Raw::new(202)
    })
    .await;
    let source = body(&content(SIZE)).inspect(move |_| *read.lock().unwrap() += 10_000);
    upload_as(&server, source.boxed()).await.unwrap();
    assert_eq!(*at_first.lock().unwrap(), Some(CHUNK));
}
