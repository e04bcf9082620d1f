//! Amazon: passwords that end, parts that are counted badly, S3 behind, mounts by manifests, ten manifests a second.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use futures_util::future::join_all;
use testkit::front::ecr::{EcrFront, EcrRules, Verdict};
use testkit::ministack::Ministack;
use testkit::python;
use testkit::software::{Need, need_python};
use transship_registry::{CredentialSource, Error, ErrorKind, Mount, Operation, SignIn, Wire};

use crate::support::{amazon, behind, connect, connect_as, image, in_parts, layer, name, put, read, upload};

const MIB: usize = 1 << 20;

/// Gives out `password 0`, `password 1`, ...
#[derive(Debug, Default)]
struct Passwords(AtomicUsize);

#[async_trait]
impl CredentialSource for Passwords {
    async fn sign_in(&self) -> Result<SignIn, Error> {
        let turn = self.0.fetch_add(1, Ordering::SeqCst);
        Ok(SignIn {
            credential: amazon(&format!("password {turn}")),
            origin: "the cloud".to_owned(),
            expires: None,
        })
    }
}

#[tokio::test]
async fn parts_of_10_mib_pass_although_the_range_is_stuck() {
    let server = behind().await;
    let front = EcrFront::start(&server.host(), EcrRules::default()).await;
    let repository = connect(&front.host(), in_parts(10 * MIB as u64)).writer(&name("team/app"));
    let layer = layer(1, 25 * MIB);
    upload(&*repository, &layer).await.unwrap();
    assert_eq!(front.tally().requests(Operation::SendChunk), 3);
    assert!(read(&*repository, &layer.0).await.unwrap() == layer.1);
}

#[tokio::test]
async fn parts_that_are_too_small_are_refused_and_told() {
    let server = behind().await;
    let front = EcrFront::start(&server.host(), EcrRules::default()).await;
    let repository = connect(&front.host(), in_parts(4 * MIB as u64)).writer(&name("team/app"));
    let error = upload(&*repository, &layer(1, 9 * MIB)).await.unwrap_err();
    assert!(error.to_string().contains("should be at least 5MB"), "{error}");
    assert!(!error.is_temporary());
    upload(&*repository, &layer(2, 3 * MIB))
        .await
        .expect("it is the last part");
}

#[tokio::test]
async fn a_password_that_ends_is_replaced_and_storage_never_sees_it() {
    let server = behind().await;
    let current = Arc::new(AtomicUsize::new(0));
    let judged = Arc::clone(&current);
    let verifier = move |password: &str| {
        let number = password
            .strip_prefix("password ")
            .and_then(|number| number.parse::<usize>().ok());
        match (number, judged.load(Ordering::SeqCst)) {
            (Some(number), current) if number == current => Verdict::Good,
            (Some(number), current) if number < current => Verdict::Expired,
            _ => Verdict::Unknown,
        }
    };
    let rules = EcrRules {
        password: Some(Arc::new(verifier)),
        ..EcrRules::default()
    };
    let front = EcrFront::start(&server.host(), rules).await;
    let passwords = Arc::new(Passwords::default());
    let registry = connect_as(&front.host(), Wire::default(), passwords.clone());
    let repository = registry.writer(&name("team/app"));
    let layer = layer(1, 2 * MIB);
    upload(&*repository, &layer).await.unwrap();
    current.store(1, Ordering::SeqCst);
    put(&*repository, "v1", &image(&layer.0)).await.unwrap();
    front.cut_downloads(2, 100_000);
    assert!(read(&*repository, &layer.0).await.unwrap() == layer.1);
    assert_eq!(front.downloads(), [200, 206, 206]);
    current.store(2, Ordering::SeqCst);
    assert_eq!(repository.tags().await.unwrap().unwrap().len(), 1);
    assert_eq!(passwords.0.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_blob_is_mounted_once_a_manifest_of_the_other_repository_names_it() {
    let server = behind().await;
    let front = EcrFront::start(&server.host(), EcrRules::default()).await;
    let registry = connect(&front.host(), Wire::default());
    let (source, target) = (
        registry.writer(&name("team/base")),
        registry.writer(&name("team/app")),
    );
    let layer = layer(1, 1_000);
    upload(&*source, &layer).await.unwrap();
    let from = name("team/base").into();
    let early = target.mount_blob(&layer.0.digest, &from).await.unwrap();
    assert!(matches!(early, Mount::Declined(_)), "{early:?}");
    put(&*source, "v1", &image(&layer.0)).await.unwrap();
    let mount = target.mount_blob(&layer.0.digest, &from).await.unwrap();
    assert!(matches!(mount, Mount::Mounted), "{mount:?}");
}

#[tokio::test]
async fn manifests_keep_to_the_rate_and_blobs_do_not_wait_for_them() {
    let server = behind().await;
    let rules = EcrRules {
        put_image_rate: Some(10),
        ..EcrRules::default()
    };
    let front = EcrFront::start(&server.host(), rules).await;
    let wire = Wire {
        rates: BTreeMap::from([(Operation::PutManifest, 10)]),
        ..Wire::default()
    };
    let registry = connect(&front.host(), wire);
    let repository = registry.writer(&name("team/app"));
    let layer = layer(1, 1_000);
    upload(&*repository, &layer).await.unwrap();
    let manifest = image(&layer.0);
    let tags: Vec<String> = (0..25).map(|number| format!("v{number}")).collect();
    let puts = join_all(tags.iter().map(|tag| put(&*repository, tag, &manifest)));
    let tally = front.tally();
    let heads = async {
        for _ in 0..20 {
            repository.head_blob(&layer.0.digest).await.unwrap();
        }
        tally.requests(Operation::PutManifest)
    };
    let (puts, put_meanwhile) = tokio::join!(puts, heads);
    assert!(puts.iter().all(Result::is_ok), "{puts:?}");
    assert_eq!(tally.throttled(Operation::PutManifest), 0);
    assert!(put_meanwhile < 25, "the heads did not wait for all the puts");
    assert_eq!(registry.traffic().retries, 0);
}

#[tokio::test]
async fn a_page_that_is_too_large_is_left_to_the_registry() {
    let server = behind().await;
    let front = EcrFront::start(&server.host(), EcrRules::default()).await;
    for (page, requests) in [(1_000, 1), (2_000, 2)] {
        let wire = Wire {
            page,
            ..Wire::default()
        };
        let before = front.tally().requests(Operation::ListTags);
        let repository = connect(&front.host(), wire).writer(&name("team/app"));
        let layer = layer(1, 10);
        upload(&*repository, &layer).await.unwrap();
        put(&*repository, "v1", &image(&layer.0)).await.unwrap();
        assert_eq!(repository.tags().await.unwrap().unwrap().len(), 1);
        assert_eq!(front.tally().requests(Operation::ListTags) - before, requests);
    }
}

#[tokio::test]
async fn a_tag_that_must_not_move_stays_and_is_told() {
    let server = behind().await;
    let rules = EcrRules {
        immutable_tags: true,
        ..EcrRules::default()
    };
    let front = EcrFront::start(&server.host(), rules).await;
    let repository = connect(&front.host(), Wire::default()).writer(&name("team/app"));
    let (one, other) = (layer(1, 10), layer(2, 10));
    upload(&*repository, &one).await.unwrap();
    upload(&*repository, &other).await.unwrap();
    put(&*repository, "v1", &image(&one.0)).await.unwrap();
    put(&*repository, "v1", &image(&one.0))
        .await
        .expect("it stands there already");
    let error = put(&*repository, "v1", &image(&other.0)).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.code()),
        (ErrorKind::Immutable, Some("TAG_INVALID"))
    );
}

const CREATE: &str = r#"
import boto3
for name in ["team/app", "team/base"]:
    boto3.client("ecr").create_repository(repositoryName=name)
"#;

const LIST: &str = r#"
import boto3
for image in boto3.client("ecr").describe_images(repositoryName="team/app")["imageDetails"]:
    print(image["imageDigest"], *image["imageTags"])
"#;

#[tokio::test]
async fn ministack_behind_the_front_takes_parts_and_mounts_and_shows_boto3_the_same_digests() {
    if need_python("boto3") == Need::Skip || need_python("ministack") == Need::Skip {
        return;
    }
    let ministack = Ministack::start().await;
    python::run(CREATE, &ministack.environment()).await;
    let front = EcrFront::start(ministack.host(), EcrRules::default()).await;
    let registry = connect(&front.host(), in_parts(5 * MIB as u64));
    let (base, app) = (
        registry.writer(&name("team/base")),
        registry.writer(&name("team/app")),
    );
    let layer = layer(1, 12 * MIB);
    upload(&*base, &layer).await.unwrap();
    let manifest = image(&layer.0);
    put(&*base, "v1", &manifest).await.unwrap();
    let mount = app
        .mount_blob(&layer.0.digest, &name("team/base").into())
        .await
        .unwrap();
    assert!(matches!(mount, Mount::Mounted), "{mount:?}");
    put(&*app, "v1", &manifest).await.unwrap();
    front.cut_downloads(1, 1_000_000);
    assert!(read(&*app, &layer.0).await.unwrap() == layer.1);
    assert_eq!(front.downloads(), [200, 206]);
    let listed = python::run(LIST, &ministack.environment()).await;
    assert_eq!(listed.trim(), format!("{} v1", manifest.digest()));
    let missing = registry.writer(&name("team/none"));
    let error = upload(&*missing, &layer).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.code()),
        (ErrorKind::NotFound, Some("NAME_UNKNOWN"))
    );
}
