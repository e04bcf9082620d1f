//! What every repository does, wherever it stands.

use std::sync::Arc;

use bytes::Bytes;
use loopback::{BearerOptions, Options};
use oci::{Algorithm, Descriptor, Digest, Manifest, MediaType};
use registry::{Credential, ErrorKind, LayoutRegistry, Mount, Referrers, Registry, WriteRepository};
use testkit::process::{Access, DockerRegistry, PASSWORD, USERNAME};
use testkit::software::{Need, need};

use crate::support::{
    anonymous, artifact, basic, blob, body, collect, connect, content, image, in_parts, index, name,
};

async fn over_http(options: Options, credential: Credential) {
    let server = loopback::Registry::in_memory()
        .with_options(options)
        .serve(([127, 0, 0, 1], 0).into())
        .await
        .unwrap();
    contract(connect(&server.host(), credential)).await;
    server.stop().await;
}

#[tokio::test]
async fn a_remote_repository_keeps_the_contract() {
    over_http(Options::default(), Credential::Anonymous).await;
}

#[tokio::test]
async fn a_remote_repository_in_small_pages_keeps_the_contract() {
    let options = Options {
        page_size: Some(1),
        ..Options::default()
    };
    over_http(options, Credential::Anonymous).await;
}

#[tokio::test]
async fn a_remote_repository_without_mounts_keeps_the_contract() {
    let options = Options {
        mounts: false,
        ..Options::default()
    };
    over_http(options, Credential::Anonymous).await;
}

#[tokio::test]
async fn a_remote_repository_behind_tokens_keeps_the_contract() {
    let options = Options {
        basic_auth: Some(("user".to_owned(), "password".to_owned())),
        bearer: Some(BearerOptions::default()),
        ..Options::default()
    };
    over_http(options, basic()).await;
}

#[tokio::test]
async fn a_remote_repository_that_gets_blobs_in_parts_keeps_the_contract() {
    let server = loopback::Registry::in_memory()
        .serve(([127, 0, 0, 1], 0).into())
        .await
        .unwrap();
    contract(in_parts(&server.host(), 65_536)).await;
    server.stop().await;
}

#[tokio::test]
async fn a_layout_keeps_the_contract() {
    let directory = tempfile::tempdir().unwrap();
    let layout = layout::Layout::open_or_create(directory.path()).unwrap();
    contract(Arc::new(LayoutRegistry::new(layout, None))).await;
}

#[tokio::test]
async fn an_archive_keeps_the_contract() {
    let directory = tempfile::tempdir().unwrap();
    let archive = layout::Archive::open_or_create(&directory.path().join("x.tar")).unwrap();
    contract(Arc::new(LayoutRegistry::new(archive, None))).await;
}

#[tokio::test]
async fn a_layout_that_is_served_keeps_the_contract() {
    let directory = tempfile::tempdir().unwrap();
    let layout = layout::Layout::open_or_create(directory.path()).unwrap();
    let server = loopback::Registry::over_layout(layout)
        .serve(([127, 0, 0, 1], 0).into())
        .await
        .unwrap();
    contract(anonymous(&server.host())).await;
    server.stop().await;
}

/// docker-registry 2.8: it has no referrers API and takes no SHA-512 manifest.
async fn debian(access: Access, credential: Credential) {
    if need("docker-registry") == Need::Skip {
        return;
    }
    let server = DockerRegistry::start_with(access).await;
    let registry = connect(server.host(), credential);
    essentials(&*registry).await;
    let subject = Digest::sha256(b"subject");
    let referrers = registry.reader(&name("base/app")).referrers(&subject).await;
    assert_eq!(referrers.unwrap(), Referrers::Unsupported);
}

#[tokio::test]
async fn debians_registry_keeps_the_essentials() {
    debian(Access::Open, Credential::Anonymous).await;
}

#[tokio::test]
async fn debians_registry_that_gets_blobs_in_parts_keeps_the_essentials() {
    if need("docker-registry") == Need::Skip {
        return;
    }
    let server = DockerRegistry::start().await;
    essentials(&*in_parts(server.host(), 65_536)).await;
}

#[tokio::test]
async fn debians_registry_behind_a_password_keeps_the_essentials() {
    let credential = Credential::Basic {
        username: USERNAME.to_owned(),
        password: PASSWORD.into(),
    };
    debian(Access::Password, credential).await;
}

#[tokio::test]
async fn debians_registry_refuses_a_wrong_password_once() {
    if need("docker-registry") == Need::Skip {
        return;
    }
    let server = DockerRegistry::start_with(Access::Password).await;
    let credential = Credential::Basic {
        username: USERNAME.to_owned(),
        password: "wrong".into(),
    };
    let registry = connect(server.host(), credential);
    let error = registry.reader(&name("a")).tags().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Auth);
    let (text, host) = (error.to_string(), server.host());
    let expected = format!("list tags in {host}/a: {host} refused the credential from the test");
    assert_eq!(text, expected);
    assert_eq!(registry.traffic().requests["GET"], 2);
}

async fn contract(registry: Arc<dyn Registry>) {
    essentials(&*registry).await;
    referrers_are_listed(&*registry).await;
    sha512_is_an_address_too(&*registry).await;
}

async fn essentials(registry: &dyn Registry) {
    nothing_is_there_at_first(registry).await;
    let repository = registry.writer(&name("base/app"));
    blobs_come_back_as_they_went(&*repository).await;
    what_is_not_the_blob_is_refused(&*repository).await;
    blobs_are_mounted_or_uploaded(registry).await;
    manifests_come_back_as_they_went(&*repository).await;
    let catalog = registry.catalog().await.unwrap().expect("it can be listed");
    assert!(catalog.contains(&name("base/app")), "{catalog:?}");
    assert!(catalog.is_sorted());
    let traffic = registry.traffic();
    assert!(traffic.written > 700_000, "{traffic:?}");
    assert!(traffic.read > 700_000, "{traffic:?}");
}

async fn nothing_is_there_at_first(registry: &dyn Registry) {
    let repository = registry.reader(&name("base/app"));
    let missing = blob(b"missing");
    assert_eq!(repository.tags().await.unwrap(), None);
    assert_eq!(repository.head_blob(&missing.digest).await.unwrap(), None);
    for reference in [
        missing.digest.clone().into(),
        "v1".parse::<oci::Tag>().unwrap().into(),
    ] {
        assert_eq!(repository.head_manifest(&reference).await.unwrap(), None);
        assert_eq!(repository.get_manifest(&reference).await.unwrap(), None);
    }
    let Err(error) = repository.read_blob(&missing).await else {
        panic!("a missing blob was read");
    };
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains(&missing.digest.to_string()), "{error}");
}

async fn put_blob(repository: &dyn WriteRepository, content: &[u8]) -> Descriptor {
    let blob = blob(content);
    let session = repository.start_upload().await.unwrap();
    repository
        .upload_blob(session, &blob, body(content))
        .await
        .unwrap();
    blob
}

async fn blobs_come_back_as_they_went(repository: &dyn WriteRepository) {
    for content in [Vec::new(), b"x".to_vec(), content(700_001)] {
        let blob = put_blob(repository, &content).await;
        assert_eq!(repository.head_blob(&blob.digest).await.unwrap(), Some(blob.size));
        let read = collect(repository.read_blob(&blob).await.unwrap()).await.unwrap();
        assert!(read == content, "{} bytes", content.len());
    }
}

async fn what_is_not_the_blob_is_refused(repository: &dyn WriteRepository) {
    let right = content(30_000);
    let mut damaged = right.clone();
    damaged[20_000] ^= 1;
    let blob = blob(&right);
    for wrong in [&damaged[..], &right[..20_000], &[right.clone(), vec![0]].concat()] {
        let session = repository.start_upload().await.unwrap();
        let error = repository
            .upload_blob(session, &blob, body(wrong))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Integrity, "{error}");
        assert_eq!(repository.head_blob(&blob.digest).await.unwrap(), None);
    }
}

async fn blobs_are_mounted_or_uploaded(registry: &dyn Registry) {
    let first = registry.writer(&name("base/app"));
    let second = registry.writer(&name("base/other"));
    let content = content(12_345);
    let blob = put_blob(&*first, &content).await;
    match second
        .mount_blob(&blob.digest, &name("base/app").into())
        .await
        .unwrap()
    {
        Mount::Mounted => {}
        Mount::Declined(session) => second.upload_blob(session, &blob, body(&content)).await.unwrap(),
        Mount::Refused => panic!("a blob that is there was refused"),
    }
    let read = collect(second.read_blob(&blob).await.unwrap()).await.unwrap();
    assert!(read == content);

    let absent = crate::support::blob(b"absent");
    match second
        .mount_blob(&absent.digest, &name("base/app").into())
        .await
        .unwrap()
    {
        Mount::Mounted => panic!("a blob that is nowhere was mounted"),
        Mount::Declined(session) => second
            .upload_blob(session, &absent, body(b"absent"))
            .await
            .unwrap(),
        Mount::Refused => drop(put_blob(&*second, b"absent").await),
    }
    assert_eq!(second.head_blob(&absent.digest).await.unwrap(), Some(6));
}

async fn is_there(repository: &dyn WriteRepository, manifest: &Manifest, tag: &str) {
    let tag: oci::Tag = tag.parse().unwrap();
    for reference in [manifest.digest().clone().into(), tag.into()] {
        let head = repository.head_manifest(&reference).await.unwrap();
        assert_eq!(head, Some(manifest.descriptor()), "{reference}");
        let read = repository.get_manifest(&reference).await.unwrap();
        assert_eq!(read.as_ref(), Some(manifest), "{reference}");
    }
}

async fn manifests_come_back_as_they_went(repository: &dyn WriteRepository) {
    let config = put_blob(repository, b"{}").await;
    let layer = put_blob(repository, &content(5_000)).await;
    let app = image(&config, std::slice::from_ref(&layer));
    let put = repository
        .put_manifest(&app.digest().clone().into(), &app)
        .await
        .unwrap();
    assert_eq!(put.subject, None);
    let head = repository
        .head_manifest(&app.digest().clone().into())
        .await
        .unwrap();
    assert_eq!(head, Some(app.descriptor()));

    let list = index(&[app.descriptor()]);
    for tag in ["v2", "v10", "latest"] {
        let tag: oci::Tag = tag.parse().unwrap();
        repository.put_manifest(&tag.into(), &list).await.unwrap();
    }
    is_there(repository, &list, "v10").await;
    let moved: oci::Tag = "latest".parse().unwrap();
    repository.put_manifest(&moved.into(), &app).await.unwrap();
    is_there(repository, &app, "latest").await;
    let tags = repository.tags().await.unwrap().unwrap();
    let tags: Vec<&str> = tags.iter().map(oci::Tag::as_str).collect();
    assert_eq!(tags, ["latest", "v10", "v2"]);

    let other = Digest::sha256(b"other").into();
    let error = repository.put_manifest(&other, &app).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Integrity);
    assert_eq!(repository.get_manifest(&other).await.unwrap(), None);
}

async fn referrers_are_listed(registry: &dyn Registry) {
    let repository = registry.writer(&name("signed/app"));
    let config = put_blob(&*repository, b"{}").await;
    let app = image(&config, &[]);
    let tag: oci::Tag = "v1".parse().unwrap();
    repository.put_manifest(&tag.into(), &app).await.unwrap();
    let none = repository.referrers(app.digest()).await.unwrap();
    assert_eq!(none, Referrers::List(Vec::new()));

    let mut expected = Vec::new();
    for kind in [
        "application/x.signature",
        "application/x.sbom",
        "application/x.scan",
    ] {
        let attached = artifact(kind, &config, &app.descriptor());
        let put = repository
            .put_manifest(&attached.digest().clone().into(), &attached)
            .await
            .unwrap();
        assert_eq!(put.subject.as_ref(), Some(app.digest()));
        expected.push(attached.referrer_descriptor());
    }
    expected.sort_by(|one, other| one.digest.cmp(&other.digest));
    let Referrers::List(mut found) = repository.referrers(app.digest()).await.unwrap() else {
        panic!("no referrers API");
    };
    found.sort_by(|one, other| one.digest.cmp(&other.digest));
    assert_eq!(found, expected);
    assert_eq!(
        found[0].annotations["kind"],
        found[0].artifact_type.clone().unwrap()
    );

    let elsewhere = registry.reader(&name("base/app"));
    let none = elsewhere.referrers(app.digest()).await.unwrap();
    assert_eq!(none, Referrers::List(Vec::new()));
    let hidden = elsewhere
        .head_manifest(&expected[0].digest.clone().into())
        .await
        .unwrap();
    assert_eq!(hidden, None, "what is not listed is not there");
}

async fn sha512_is_an_address_too(registry: &dyn Registry) {
    let repository = registry.writer(&name("wide/app"));
    let content = content(40_000);
    let wide = Descriptor::new(
        MediaType::OCI_LAYER,
        Digest::of(Algorithm::Sha512, &content),
        content.len() as u64,
    );
    let session = repository.start_upload().await.unwrap();
    repository
        .upload_blob(session, &wide, body(&content))
        .await
        .unwrap();
    let read = collect(repository.read_blob(&wide).await.unwrap()).await.unwrap();
    assert!(read == content);

    let config = put_blob(&*repository, b"{}").await;
    let bytes: Bytes = image(&config, &[wide]).bytes().clone();
    let digest = Digest::of(Algorithm::Sha512, &bytes);
    let manifest = Manifest::parse_as(bytes, None, digest.clone()).unwrap();
    repository
        .put_manifest(&digest.clone().into(), &manifest)
        .await
        .unwrap();
    let found = repository.get_manifest(&digest.clone().into()).await.unwrap();
    assert_eq!(found, Some(manifest.clone()));
    let head = repository.head_manifest(&digest.into()).await.unwrap();
    assert_eq!(head, Some(manifest.descriptor()));
}
