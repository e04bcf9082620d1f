//! What is deleted, what stays, and what registries say that delete nothing.

use std::sync::Arc;

use loopback::{BearerOptions, Options};
use oci::{Manifest, ManifestReference, Tag};
use registry::{
    Credential, DeleteRepository, Deletion, ErrorKind, LayoutRegistry, MountFrom, Registry, WriteRepository,
};
use testkit::process::DockerRegistry;
use testkit::software::{Need, need};

use crate::scripted::{Raw, Scripted};
use crate::support::{basic, blob, body, client, image, name, settings};

fn tag(text: &str) -> ManifestReference {
    text.parse::<Tag>().unwrap().into()
}

/// Writes an image under the tags `v1` and `latest`.
async fn push(repository: Arc<dyn WriteRepository>) -> Manifest {
    let contents: [&[u8]; 2] = [b"{}", b"layer"];
    for content in contents {
        let session = repository.start_upload().await.unwrap();
        let blob = blob(content);
        repository
            .upload_blob(session, &blob, body(content))
            .await
            .unwrap();
    }
    let image = image(&blob(b"{}"), &[blob(b"layer")]);
    for tag_name in ["v1", "latest"] {
        repository.put_manifest(&tag(tag_name), &image).await.unwrap();
    }
    image
}

/// A tag goes alone, a manifest goes with its tags, and what is gone is missing.
async fn contract(registry: &dyn Registry, deleter: Arc<dyn DeleteRepository>) {
    let image = push(registry.writer(&name("a"))).await;
    let digest = ManifestReference::Digest(image.digest().clone());
    let stands =
        async |reference: &ManifestReference| deleter.head_manifest(reference).await.unwrap().is_some();
    assert!(matches!(deleter.delete(&tag("v1")).await, Ok(Deletion::Done)));
    assert!(!stands(&tag("v1")).await);
    assert!(stands(&tag("latest")).await && stands(&digest).await);
    assert!(matches!(deleter.delete(&tag("v1")).await, Ok(Deletion::Missing)));
    assert!(matches!(deleter.delete(&digest).await, Ok(Deletion::Done)));
    assert!(!stands(&tag("latest")).await);
    assert!(matches!(deleter.delete(&digest).await, Ok(Deletion::Missing)));
}

#[tokio::test]
async fn a_remote_tag_goes_alone_and_a_manifest_with_its_tags() {
    let options = Options {
        basic_auth: Some(("user".to_owned(), "password".to_owned())),
        bearer: Some(BearerOptions::default()),
        ..Options::default()
    };
    let registry = loopback::Registry::in_memory().with_options(options);
    let server = registry.serve(([127, 0, 0, 1], 0).into()).await.unwrap();
    let client = client(settings(&server.host()), basic());
    contract(&client, client.deleter(&name("a"))).await;
}

#[tokio::test]
async fn the_entry_of_a_tag_goes_alone_and_all_of_a_digests_go_together() {
    let directory = tempfile::tempdir().unwrap();
    let layout = layout::Layout::open_or_create(directory.path()).unwrap();
    let registry = LayoutRegistry::new(layout.clone(), None);
    contract(&registry, registry.deleter(&name("a"))).await;
    let mount = MountFrom::from(name("a"));
    let kept = registry
        .writer(&name("a"))
        .mount_blob(&blob(b"layer").digest, &mount)
        .await;
    assert!(matches!(kept, Ok(registry::Mount::Mounted)), "blobs stay");
}

#[tokio::test]
async fn a_registry_that_deletes_nothing_says_so() {
    let options = Options {
        delete: false,
        ..Options::default()
    };
    let registry = loopback::Registry::in_memory().with_options(options);
    let server = registry.serve(([127, 0, 0, 1], 0).into()).await.unwrap();
    let client = client(settings(&server.host()), Credential::Anonymous);
    let image = push(client.writer(&name("a"))).await;
    let digest = ManifestReference::Digest(image.digest().clone());
    for reference in [tag("v1"), digest] {
        let told = client.deleter(&name("a")).delete(&reference).await.unwrap();
        assert!(matches!(told, Deletion::Unsupported(_)), "{told:?}");
    }
}

/// 2.8 takes what is behind `manifests/` for a digest.
#[tokio::test]
async fn debians_registry_deletes_manifests_and_no_tags() {
    if need("docker-registry") == Need::Skip {
        return;
    }
    let server = DockerRegistry::start().await;
    let client = client(settings(server.host()), Credential::Anonymous);
    let image = push(client.writer(&name("a"))).await;
    let deleter = client.deleter(&name("a"));
    let told = deleter.delete(&tag("v1")).await.unwrap();
    assert!(matches!(told, Deletion::Unsupported(_)), "{told:?}");
    let digest = ManifestReference::Digest(image.digest().clone());
    assert!(matches!(deleter.delete(&digest).await, Ok(Deletion::Done)));
    assert_eq!(deleter.head_manifest(&tag("latest")).await.unwrap(), None);
}

#[tokio::test]
async fn what_is_refused_for_another_reason_is_an_error() {
    for (status, body, kind) in [
        (
            403,
            r#"{"errors":[{"code":"DENIED","message":"no"}]}"#,
            ErrorKind::Permission,
        ),
        (
            400,
            r#"{"errors":[{"code":"X","message":"the tag is immutable"}]}"#,
            ErrorKind::Immutable,
        ),
        (429, "{}", ErrorKind::RateLimit),
    ] {
        let server = Scripted::new(move |_, _| Raw::new(status).body(body.as_bytes())).await;
        let client = client(settings(&server.host()), Credential::Anonymous);
        let error = client.deleter(&name("a")).delete(&tag("v1")).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert_eq!(server.lines(), ["DELETE /v2/a/manifests/v1"]);
    }
}
