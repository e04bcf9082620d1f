//! Layouts, as far as they differ from registries over HTTP.

use std::fs;
use std::sync::Arc;

use layout::Layout;
use oci::{Descriptor, Manifest, RepositoryName, Tag};
use registry::{ErrorKind, LayoutRegistry, ReadRepository, Referrers, Registry};

use crate::support::{artifact, blob, body, collect, content, image, name};

struct Mirror {
    directory: tempfile::TempDir,
    layout: Layout,
}

impl Mirror {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let layout = Layout::open_or_create(directory.path()).unwrap();
        Self { directory, layout }
    }

    fn registry(&self, bare: Option<&str>) -> LayoutRegistry {
        LayoutRegistry::new(self.layout.clone(), bare.map(name))
    }

    fn reader(&self, repository: &str) -> Arc<dyn ReadRepository> {
        self.registry(None).reader(&name(repository))
    }

    fn write(&self, manifest: &Manifest) -> Descriptor {
        self.layout
            .write_blob(manifest.digest(), manifest.bytes())
            .unwrap();
        manifest.descriptor()
    }

    fn damage(&self, blob: &Descriptor, content: &[u8]) {
        let path = self.directory.path().join("blobs/sha256").join(blob.digest.hex());
        fs::write(path, content).unwrap();
    }
}

fn tag(text: &str) -> Tag {
    text.parse().unwrap()
}

fn app() -> Manifest {
    image(&blob(b"{}"), &[])
}

#[tokio::test]
async fn the_repositories_are_those_that_entries_name() {
    let mirror = Mirror::new();
    let image = mirror.write(&image(&blob(b"{}"), &[]));
    let tag: Tag = "v1".parse().unwrap();
    for repository in [Some("b/c"), Some("a"), None] {
        let repository = repository.map(name);
        mirror.layout.tag(repository.as_ref(), &tag, &image).unwrap();
    }
    let catalog = async |bare| mirror.registry(bare).catalog().await.unwrap().unwrap();
    assert_eq!(catalog(None).await, [name("a"), name("b/c")]);
    assert_eq!(
        catalog(Some("bare")).await,
        [name("a"), name("b/c"), name("bare")]
    );
    assert_eq!(catalog(Some("a")).await, [name("a"), name("b/c")]);
}

#[tokio::test]
async fn bare_tags_stand_in_the_repository_that_is_named_for_them() {
    let mirror = Mirror::new();
    let descriptor = mirror.write(&app());
    mirror.layout.tag(None, &tag("v1"), &descriptor).unwrap();
    let registry = mirror.registry(Some("usb"));
    let repository = registry.writer(&name("usb"));
    assert_eq!(repository.tags().await.unwrap(), Some(vec![tag("v1")]));
    repository.put_manifest(&tag("v2").into(), &app()).await.unwrap();
    assert_eq!(mirror.layout.resolve(None, &tag("v2")).unwrap(), Some(descriptor));
    assert_eq!(registry.reader(&name("other")).tags().await.unwrap(), None);
    assert_eq!(mirror.reader("usb").tags().await.unwrap(), None);
}

#[tokio::test]
async fn a_manifest_is_seen_by_digest_in_every_repository() {
    let mirror = Mirror::new();
    let descriptor = mirror.write(&app());
    mirror
        .layout
        .tag(Some(&name("one")), &tag("v1"), &descriptor)
        .unwrap();
    let other = mirror.reader("two");
    let reference = app().digest().clone().into();
    assert_eq!(other.head_manifest(&reference).await.unwrap(), Some(descriptor));
    assert_eq!(other.get_manifest(&reference).await.unwrap(), Some(app()));
    assert_eq!(other.head_manifest(&tag("v1").into()).await.unwrap(), None);
}

#[tokio::test]
async fn a_blob_that_is_no_manifest_is_none() {
    let mirror = Mirror::new();
    for content in [b"{}".to_vec(), content(5 << 20)] {
        let blob = blob(&content);
        mirror.layout.write_blob(&blob.digest, &content).unwrap();
        let reference = blob.digest.into();
        let repository = mirror.reader("a");
        assert_eq!(repository.head_manifest(&reference).await.unwrap(), None);
        assert_eq!(repository.get_manifest(&reference).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_damaged_manifest_is_absent_to_look_at_and_an_error_to_read() {
    let mirror = Mirror::new();
    let descriptor = mirror.write(&app());
    mirror
        .layout
        .tag(Some(&name("a")), &tag("v1"), &descriptor)
        .unwrap();
    mirror.damage(&descriptor, b"{}");
    let registry = mirror.registry(None);
    let repository = registry.writer(&name("a"));
    let reference = tag("v1").into();
    assert_eq!(repository.head_manifest(&reference).await.unwrap(), None);
    let error = repository.get_manifest(&reference).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Integrity);
    repository.put_manifest(&reference, &app()).await.unwrap();
    assert_eq!(repository.get_manifest(&reference).await.unwrap(), Some(app()));
}

#[tokio::test]
async fn a_damaged_blob_never_comes_whole() {
    let mirror = Mirror::new();
    let right = content(600_000);
    let blob = blob(&right);
    let mut flipped = right.clone();
    flipped[0] ^= 1;
    for damaged in [
        &flipped[..],
        &right[..500_000],
        &[right.clone(), vec![0]].concat(),
    ] {
        mirror.layout.write_blob(&blob.digest, &right).unwrap();
        mirror.damage(&blob, damaged);
        let stream = mirror.reader("a").read_blob(&blob).await.unwrap();
        let error = collect(stream).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Integrity, "{error}");
    }
}

#[tokio::test]
async fn a_failed_upload_leaves_no_file() {
    let mirror = Mirror::new();
    let files = || fs::read_dir(mirror.directory.path()).unwrap().count();
    let before = files();
    let repository = mirror.registry(None).writer(&name("a"));
    let session = repository.start_upload().await.unwrap();
    let wanted = blob(&content(30_000));
    repository
        .upload_blob(session, &wanted, body(&content(20_000)))
        .await
        .unwrap_err();
    assert_eq!(files(), before);
    assert_eq!(repository.head_blob(&wanted.digest).await.unwrap(), None);
}

#[tokio::test]
async fn what_another_process_writes_is_seen() {
    let mirror = Mirror::new();
    let repository: RepositoryName = name("a");
    let reader = mirror.reader("a");
    assert_eq!(reader.tags().await.unwrap(), None);
    let descriptor = mirror.write(&app());
    mirror
        .layout
        .tag(Some(&repository), &tag("v1"), &descriptor)
        .unwrap();
    assert_eq!(reader.tags().await.unwrap(), Some(vec![tag("v1")]));

    let none = reader.referrers(app().digest()).await.unwrap();
    assert_eq!(none, Referrers::List(Vec::new()));
    let attached = artifact("application/x", &blob(b"{}"), &app().descriptor());
    let descriptor = mirror.write(&attached);
    mirror
        .layout
        .add_untagged(Some(&repository), &descriptor)
        .unwrap();
    let one = reader.referrers(app().digest()).await.unwrap();
    assert_eq!(one, Referrers::List(vec![attached.referrer_descriptor()]));
}

#[tokio::test]
async fn an_error_names_what_was_tried_and_where() {
    let mirror = Mirror::new();
    fs::write(mirror.directory.path().join("index.json"), "{").unwrap();
    let error = mirror.reader("base/a").tags().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Integrity);
    let path = mirror.directory.path().display();
    assert_eq!(
        error.to_string(),
        format!("list tags in {path}, repository base/a")
    );
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("index.json"), "{source}");
}
