//! Azure Container Registry.

use oci::Digest;
use reqwest::Method;
use transship_testkit::front::acr::{AcrFront, AcrRules};
use transship_testkit::push::Direct;

use crate::visitor::{Visitor, behind, location};

#[tokio::test]
async fn azure_measures_each_request() {
    let server = behind().await;
    let rules = AcrRules {
        body_limit: Some(1_000),
        ..AcrRules::default()
    };
    let front = AcrFront::start(&server.host(), rules).await;
    let visitor = Visitor::new(front.host());
    for (length, status) in [(1_000, 201), (1_001, 413)] {
        let bytes = vec![7; length];
        let session = visitor.start().await;
        assert!(session.starts_with("/v2/"), "{session}");
        let whole = visitor
            .finish(&session, &Digest::sha256(&bytes), bytes.clone())
            .await;
        assert_eq!(whole.status(), status);
        let pieces = futures_util::stream::iter(
            bytes
                .chunks(100)
                .map(|piece| Ok::<_, String>(piece.to_vec()))
                .collect::<Vec<_>>(),
        );
        let session = format!("{}?digest={}", visitor.start().await, Digest::sha256(&bytes));
        let unmeasured = visitor
            .request(Method::PUT, &session)
            .body(reqwest::Body::wrap_stream(pieces));
        assert_eq!(
            unmeasured.send().await.unwrap().status(),
            status,
            "without a length"
        );
    }
}

#[tokio::test]
async fn azure_reads_ranges_strictly() {
    let server = behind().await;
    let front = AcrFront::start(&server.host(), AcrRules::default()).await;
    let visitor = Visitor::new(front.host());
    let session = visitor.start().await;
    for range in ["bytes 0-0", "bytes=0-0", "0-0/1", "0-1", "1-1", "x-0"] {
        assert_eq!(
            visitor.part(&session, range, vec![1]).await.status(),
            416,
            "{range}"
        );
    }
    assert_eq!(visitor.part(&session, "0-0", vec![1]).await.status(), 202);
    let again = visitor.part(&session, "0-0", vec![1]).await;
    assert_eq!(
        (again.status().as_u16(), &again.headers()["range"]),
        (416, &"0-0".parse().unwrap())
    );
    assert_eq!(
        visitor
            .finish(&session, &Digest::sha256(&[1]), Vec::new())
            .await
            .status(),
        201
    );
}

#[tokio::test]
async fn azures_storage_takes_its_signature_and_nothing_besides() {
    let server = behind().await;
    let front = AcrFront::start(&server.host(), AcrRules::default()).await;
    let visitor = Visitor::new(front.host());
    let digest = Digest::sha256(&[7]);
    Direct::new(&server.host())
        .put_blob("p/r/app", &digest, vec![7].into())
        .await;
    let path = format!("/v2/p/r/app/blobs/{digest}");
    let signed = location(&visitor.request(Method::GET, &path).send().await.unwrap());
    let both = visitor
        .request(Method::GET, &signed)
        .bearer_auth("x")
        .send()
        .await
        .unwrap();
    assert_eq!(both.status(), 400);
    assert!(both.text().await.unwrap().contains("InvalidAuthenticationInfo"));
    assert_eq!(visitor.status(Method::GET, &signed).await, 200);
    assert_eq!(front.downloads(), [400, 200]);
}
