//! Artifact Registry.

use oci::Digest;
use reqwest::Method;
use transship_testkit::front::gar::{GarFront, GarRules};

use crate::visitor::{Visitor, behind, location, refusal};

#[tokio::test]
async fn googles_upload_addresses_are_good_for_one_request() {
    let server = behind().await;
    let front = GarFront::start(&server.host(), GarRules::default()).await;
    let visitor = Visitor::new(front.host());
    let session = visitor.start().await;
    assert!(session.contains("/artifacts-uploads/"), "{session}");
    let part = visitor.part(&session, "0-0", vec![1]).await;
    assert!(part.status().is_success());
    let next = location(&part);
    assert_ne!(next, session);
    let digest = Digest::sha256(&[1]);
    assert_eq!(
        visitor.finish(&session, &digest, Vec::new()).await.status(),
        404,
        "it was used"
    );
    assert_eq!(visitor.finish(&next, &digest, Vec::new()).await.status(), 201);
    let guessed = visitor.status(Method::PATCH, "/v2/p/r/app/blobs/uploads/1").await;
    assert_eq!(guessed, 404);
}

#[tokio::test]
async fn google_takes_no_second_part() {
    let server = behind().await;
    let front = GarFront::start(&server.host(), GarRules::default()).await;
    let visitor = Visitor::new(front.host());
    let first = visitor.part(&visitor.start().await, "0-0", vec![1]).await;
    let (status, _) = refusal(visitor.part(&location(&first), "1-1", vec![2]).await).await;
    assert_eq!(status, 400);
    let rules = GarRules {
        one_patch: false,
        ..GarRules::default()
    };
    let front = GarFront::start(&server.host(), rules).await;
    let visitor = Visitor::new(front.host());
    let first = visitor.part(&visitor.start().await, "0-0", vec![1]).await;
    assert!(
        visitor
            .part(&location(&first), "1-1", vec![2])
            .await
            .status()
            .is_success()
    );
}
