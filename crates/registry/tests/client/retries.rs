//! How often a registry is asked, and how soon again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;
use transship_registry::{ErrorKind, Registry, TransportErrorKind};

use crate::scripted::{Answer, Scripted, anonymous, answer, failure};

/// Answers so the first `times`, and well after that.
fn troubled(times: u32, trouble: impl Fn() -> Answer + Send + Sync + 'static) -> Arc<Scripted> {
    let asked = AtomicU32::new(0);
    Scripted::new(move |_| match asked.fetch_add(1, Ordering::Relaxed) {
        turn if turn < times => trouble(),
        _ => answer(200),
    })
}

async fn seconds_of(registry: &Arc<Scripted>) -> u64 {
    let start = Instant::now();
    anonymous(registry).ping().await.unwrap();
    start.elapsed().as_secs()
}

#[tokio::test(start_paused = true)]
async fn patience_in_seconds_is_given() {
    for status in [429, 503] {
        let registry = troubled(1, move || answer(status).header("retry-after", "7"));
        assert_eq!(seconds_of(&registry).await, 7);
        assert_eq!(registry.seen().len(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn patience_until_a_date_is_given_by_the_registrys_own_clock() {
    let registry = troubled(1, || {
        answer(429)
            .header("date", "Wed, 21 Oct 2015 07:28:00 GMT")
            .header("retry-after", "Wed, 21 Oct 2015 07:29:30 GMT")
    });
    assert_eq!(seconds_of(&registry).await, 90);
}

#[tokio::test(start_paused = true)]
async fn everyone_waits_for_a_registry_that_asked_one() {
    let registry = troubled(1, || answer(429).header("retry-after", "30"));
    let client = anonymous(&registry);
    let start = Instant::now();
    let first = client.ping();
    let others = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        join_all((0..8).map(|_| client.ping())).await
    };
    let (first, others) = tokio::join!(first, others);
    assert!(first.is_ok() && others.iter().all(Result::is_ok));
    let early = registry
        .seen()
        .iter()
        .filter(|seen| seen.at - start < Duration::from_secs(30))
        .count();
    assert_eq!(early, 1);
}

#[tokio::test(start_paused = true)]
async fn an_hour_is_too_long_to_wait() {
    let registry = troubled(u32::MAX, || answer(429).header("retry-after", "3600"));
    let client = anonymous(&registry);
    let start = Instant::now();
    for _ in 0..3 {
        assert_eq!(client.ping().await.unwrap_err().kind(), ErrorKind::RateLimit);
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert_eq!(registry.seen().len(), 1, "who comes later is told without asking");
}

#[tokio::test(start_paused = true)]
async fn every_transient_status_is_forgiven_once() {
    for status in [408, 425, 429, 499, 500, 502, 503, 504, 520, 521, 522, 523, 524] {
        let registry = troubled(1, move || answer(status));
        let client = anonymous(&registry);
        client.ping().await.unwrap();
        assert_eq!(registry.seen().len(), 2, "{status}");
        assert_eq!(client.traffic().retries, 1);
        assert_eq!(client.traffic().requests["GET"], 2);
    }
}

#[tokio::test(start_paused = true)]
async fn five_tries_are_made_and_told() {
    let registry = troubled(u32::MAX, || answer(500));
    let error = anonymous(&registry).ping().await.unwrap_err();
    assert!(error.to_string().contains("5 tries"), "{error}");
    assert_eq!(registry.seen().len(), 5);
}

#[tokio::test(start_paused = true)]
async fn where_nothing_listens_three_tries_are_made_within_two_seconds() {
    let registry = troubled(u32::MAX, || failure(TransportErrorKind::Refused));
    let start = Instant::now();
    let error = anonymous(&registry).ping().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Network);
    assert!(error.to_string().contains("3 tries"), "{error}");
    assert_eq!(registry.seen().len(), 3);
    assert!(start.elapsed() <= Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn a_refused_certificate_is_told_at_once() {
    let registry = troubled(u32::MAX, || failure(TransportErrorKind::Tls));
    let error = anonymous(&registry).ping().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Policy);
    assert_eq!(registry.seen().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_closed_idle_connection_is_not_noticed() {
    let registry = troubled(1, || failure(TransportErrorKind::Interrupted));
    assert_eq!(seconds_of(&registry).await, 0);
    assert_eq!(registry.seen().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_not_made_worse() {
    let registry = troubled(u32::MAX, || answer(502));
    let client = anonymous(&registry);
    for _ in 0..100 {
        assert!(client.ping().await.is_err());
    }
    let (asked, calls, paid) = (registry.seen().len(), 100, 100);
    assert_eq!(
        asked,
        calls + paid,
        "when the budget is spent, every call is one try"
    );
}

#[tokio::test(start_paused = true)]
async fn an_upload_is_sent_once() {
    use futures_util::StreamExt;
    use oci::{Descriptor, Digest, MediaType};

    let registry = Scripted::new(|request| match request.method.as_str() {
        "POST" => answer(202).header("location", "/v2/a/blobs/uploads/1"),
        "PUT" => answer(503).header("retry-after", "1"),
        "GET" => answer(200),
        _ => answer(404),
    });
    let client = anonymous(&registry);
    let writer = client.writer(&"a".parse().unwrap());
    let session = writer.start_upload().await.unwrap();
    let blob = Descriptor::new(MediaType::OCI_LAYER, Digest::sha256(b"abc"), 3);
    let body = futures_util::stream::iter([Ok("abc".into())]).boxed();
    assert!(writer.upload_blob(session, &blob, body).await.is_err());
    let puts: Vec<_> = registry
        .seen()
        .into_iter()
        .filter(|seen| seen.method == "PUT")
        .collect();
    assert_eq!(puts.len(), 1);
    assert_eq!(puts[0].body, "abc");
}
