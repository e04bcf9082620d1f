//! Azure: one request carries 20 MB at most, and storage that takes no second credential.

use std::sync::Arc;

use testkit::front::acr::{AcrFront, AcrRules};
use testkit::process::DockerRegistry;
use testkit::software::{Need, need};
use transship_registry::{ErrorKind, Operation, Wire};

use crate::support::{behind, connect, image, in_parts, layer, name, put, read, upload};

const CHUNK: u64 = 4 << 20;

#[tokio::test]
async fn a_layer_of_25_mb_goes_in_parts_and_comes_back_from_storage() {
    if need("docker-registry") == Need::Skip {
        return;
    }
    let server = DockerRegistry::start().await;
    let front = AcrFront::start(server.host(), AcrRules::default()).await;
    let registry = connect(&front.host(), in_parts(CHUNK));
    let repository = registry.writer(&name("team/app"));
    let layer = layer(1, 25_000_000);
    upload(&*repository, &layer).await.unwrap();
    let tally = front.tally();
    assert_eq!(tally.requests(Operation::SendChunk), 6);
    assert_eq!(tally.requests(Operation::FinishUpload), 1);
    assert_eq!(registry.traffic().written, 25_000_000);
    front.cut_downloads(1, 10_000_000);
    assert!(read(&*repository, &layer.0).await.unwrap() == layer.1);
    assert_eq!(front.downloads(), [200, 206], "it went on where it broke off");
    assert_eq!(tally.requests(Operation::GetBlob), 2, "at an address of its own");
}

#[tokio::test]
async fn a_layer_of_25_mb_fails_whole_and_is_told_with_what_to_set() {
    let server = behind().await;
    let front = AcrFront::start(&server.host(), AcrRules::default()).await;
    let repository = connect(&front.host(), Wire::default()).writer(&name("team/app"));
    let layer = layer(1, 25_000_000);
    let error = upload(&*repository, &layer).await.unwrap_err();
    assert_eq!(error.status().unwrap(), 413, "{error}");
    assert!(!error.is_temporary());
    let hint = error.hint().unwrap();
    assert!(
        hint.contains("`profile: { upload: chunked, chunk: 4MiB }`"),
        "{hint}"
    );
    assert_eq!(
        front.tally().requests(Operation::FinishUpload),
        1,
        "it is not sent twice"
    );
    assert_eq!(repository.head_blob(&layer.0.digest).await.unwrap(), None);
}

#[tokio::test]
async fn what_is_locked_stays_and_is_told() {
    let server = behind().await;
    let rules = AcrRules {
        locked: Some(Arc::new(|repository, tag| {
            repository == "team/app" && tag == Some("v1")
        })),
        ..AcrRules::default()
    };
    let front = AcrFront::start(&server.host(), rules).await;
    let repository = connect(&front.host(), Wire::default()).writer(&name("team/app"));
    let layer = layer(1, 1_000);
    upload(&*repository, &layer).await.unwrap();
    put(&*repository, "v2", &image(&layer.0)).await.unwrap();
    let error = put(&*repository, "v1", &image(&layer.0)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Immutable);
    assert!(error.hint().unwrap().contains("locked"), "{:?}", error.hint());
}
