//! Google: blobs go whole, to addresses that are good for one request, and are mounted across its registries.

use std::sync::Arc;

use oci::Descriptor;
use testkit::front::gar::{Family, GarFront, GarRules};
use testkit::process::DockerRegistry;
use testkit::software::{Need, need};
use transship_registry::{ErrorKind, Mount, MountFrom, Operation, Wire, WriteRepository};

use crate::support::{behind, connect, image, in_parts, layer, name, put, read, upload};

#[tokio::test]
async fn a_layer_goes_whole_to_an_address_that_is_good_for_one_request() {
    if need("docker-registry") == Need::Skip {
        return;
    }
    let server = DockerRegistry::start().await;
    let front = GarFront::start(server.host(), GarRules::default()).await;
    let repository = connect(&front.host(), Wire::default()).writer(&name("project/base/app"));
    let layer = layer(1, 3_000_000);
    upload(&*repository, &layer).await.unwrap();
    assert!(read(&*repository, &layer.0).await.unwrap() == layer.1);
    let tally = front.tally();
    let counts = [
        Operation::StartUpload,
        Operation::SendChunk,
        Operation::FinishUpload,
    ];
    assert_eq!(counts.map(|operation| tally.requests(operation)), [1, 0, 1]);
}

#[tokio::test]
async fn one_part_passes_and_a_second_is_refused() {
    let server = behind().await;
    let front = GarFront::start(&server.host(), GarRules::default()).await;
    let mut wire = in_parts(1_000_000);
    wire.upload = transship_registry::Upload::Chunked {
        above: 0,
        chunk: 1_000_000,
    };
    let repository = connect(&front.host(), wire).writer(&name("project/base/app"));
    let small = layer(1, 1_000_000);
    upload(&*repository, &small).await.unwrap();
    assert!(read(&*repository, &small.0).await.unwrap() == small.1);
    let error = upload(&*repository, &layer(2, 1_000_001)).await.unwrap_err();
    assert!(
        error.to_string().contains("chunked uploads are not supported"),
        "{error}"
    );
    assert_eq!(error.kind(), ErrorKind::Other, "no further try helps");
}

#[tokio::test]
async fn a_repository_that_is_not_there_is_told_by_name() {
    let server = behind().await;
    let rules = GarRules {
        existing: Some(Arc::new(|project, repository| {
            (project, repository) == ("project", "base")
        })),
        ..GarRules::default()
    };
    let front = GarFront::start(&server.host(), rules).await;
    let registry = connect(&front.host(), Wire::default());
    upload(&*registry.writer(&name("project/base/app")), &layer(1, 10))
        .await
        .unwrap();
    let error = upload(&*registry.writer(&name("project/other/app")), &layer(1, 10))
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.code()),
        (ErrorKind::NotFound, Some("NAME_UNKNOWN"))
    );
    assert!(
        error.to_string().contains("Repository \"other\" not found"),
        "{error}"
    );
}

async fn mount(repository: &dyn WriteRepository, blob: &Descriptor, origin: &str) -> Mount {
    let from = MountFrom {
        repository: name("project/base/app"),
        origin: Some(origin.parse().unwrap()),
    };
    repository.mount_blob(&blob.digest, &from).await.unwrap()
}

#[tokio::test]
async fn a_blob_is_mounted_from_another_registry_of_googles_and_from_no_stranger() {
    if need("docker-registry") == Need::Skip {
        return;
    }
    let server = DockerRegistry::start().await;
    let family = Family::default();
    let rules = || GarRules {
        family: family.clone(),
        ..GarRules::default()
    };
    let (europe, asia) = tokio::join!(
        GarFront::start(server.host(), rules()),
        GarFront::start(server.host(), rules())
    );
    let layer = layer(1, 100_000);
    let source = connect(&europe.host(), Wire::default()).writer(&name("project/base/app"));
    upload(&*source, &layer).await.unwrap();

    let target = connect(&asia.host(), Wire::default()).writer(&name("project/mirror/app"));
    let Mount::Declined(session) = mount(&*target, &layer.0, "stranger.example").await else {
        panic!("a stranger's blob was mounted");
    };
    drop(session);
    assert_eq!(target.head_blob(&layer.0.digest).await.unwrap(), None);
    assert!(matches!(
        mount(&*target, &layer.0, &europe.host()).await,
        Mount::Mounted
    ));
    assert_eq!(target.head_blob(&layer.0.digest).await.unwrap(), Some(100_000));
    assert_eq!(asia.tally().requests(Operation::FinishUpload), 0);
}

#[tokio::test]
async fn a_tag_that_must_not_move_stays_and_is_told() {
    let server = behind().await;
    let rules = GarRules {
        immutable_tags: true,
        ..GarRules::default()
    };
    let front = GarFront::start(&server.host(), rules).await;
    let repository = connect(&front.host(), Wire::default()).writer(&name("project/base/app"));
    let (one, other) = (layer(1, 10), layer(2, 10));
    upload(&*repository, &one).await.unwrap();
    upload(&*repository, &other).await.unwrap();
    put(&*repository, "v1", &image(&one.0)).await.unwrap();
    put(&*repository, "v1", &image(&one.0))
        .await
        .expect("it stands there already");
    let error = put(&*repository, "v1", &image(&other.0)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Immutable, "{error}");
}
