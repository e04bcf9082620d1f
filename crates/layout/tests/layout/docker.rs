//! What `docker save` writes.

use oci::{Digest, Manifest, MediaType};
use serde_json::json;
use transship_layout::{Archive, LayoutError, Store};

use crate::common::{repository, tag};
use crate::tarball::{Tarball, entry};

const LIMIT: usize = 1 << 20;

fn config(layers: &[&[u8]]) -> String {
    let identities: Vec<Digest> = layers.iter().map(|layer| Digest::sha256(layer)).collect();
    json!({ "os": "linux", "rootfs": { "type": "layers", "diff_ids": identities } }).to_string()
}

/// An archive with one image.
fn saved(names: &[&str], layers: &[&str]) -> Tarball {
    let list = json!([{ "Config": "c.json", "RepoTags": names, "Layers": layers, "Parent": "" }]);
    Tarball::new().file("manifest.json", list.to_string().as_bytes())
}

fn manifest(archive: &Archive, name: &str) -> Manifest {
    let found = archive
        .resolve(Some(&repository(name)), &tag("v1"))
        .unwrap()
        .unwrap();
    let bytes = archive.read_blob(&found.digest, LIMIT).unwrap().unwrap();
    Manifest::parse(bytes, Some(&MediaType::DOCKER_MANIFEST)).unwrap()
}

#[test]
fn an_image_gets_the_manifest_that_its_parts_make() {
    let config = config(&[b"one", b"two"]);
    let (_guard, path) = saved(&["docker.io/library/app:v1"], &["1/layer.tar", "2/layer.tar"])
        .file("c.json", config.as_bytes())
        .file("1/layer.tar", b"one")
        .file("2/layer.tar", b"two")
        .done();
    let archive = Archive::open_docker(&path).unwrap();
    let manifest = manifest(&archive, "app");
    let part = |media_type: &str, bytes: &[u8]| {
        let digest = Digest::sha256(bytes);
        format!(
            r#"{{"mediaType":"{media_type}","size":{},"digest":"{digest}"}}"#,
            bytes.len()
        )
    };
    let layer = |bytes| part("application/vnd.docker.image.rootfs.diff.tar.gzip", bytes);
    let expected = format!(
        r#"{{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json","config":{},"layers":[{},{}]}}"#,
        part(
            "application/vnd.docker.container.image.v1+json",
            config.as_bytes()
        ),
        layer(b"one"),
        layer(b"two"),
    );
    assert_eq!(manifest.bytes(), expected.as_bytes());
    assert_eq!(archive.images(), [manifest.digest().clone()]);
    for blob in manifest.blobs() {
        assert_eq!(archive.blob_size(&blob.digest).unwrap(), Some(blob.size));
        let bytes = archive.read_blob(&blob.digest, LIMIT).unwrap().unwrap();
        assert_eq!(bytes.len() as u64, blob.size);
    }
}

#[test]
fn a_layer_that_is_a_link_to_another_is_that_layer() {
    let (_guard, path) = saved(&["app:v1"], &["1/layer.tar", "2/layer.tar"])
        .file("c.json", config(&[b"one", b"one"]).as_bytes())
        .link(tar::EntryType::Symlink, "2/layer.tar", "../1/layer.tar")
        .file("1/layer.tar", b"one")
        .done();
    let archive = Archive::open_docker(&path).unwrap();
    let layers = manifest(&archive, "app")
        .blobs()
        .skip(1)
        .cloned()
        .collect::<Vec<_>>();
    assert_eq!(layers.len(), 2);
    assert_eq!(layers[0], layers[1]);
    assert_eq!(archive.blob_size(&layers[0].digest).unwrap(), Some(3));
}

#[test]
fn a_compressed_layer_stays_as_it_is() {
    let compressed = b"\x1f\x8b and so on";
    let (_guard, path) = saved(&["app:v1"], &["layer.tar"])
        .file("c.json", config(&[b"what it was before"]).as_bytes())
        .file("layer.tar", compressed)
        .done();
    let archive = Archive::open_docker(&path).unwrap();
    let layer = manifest(&archive, "app").blobs().nth(1).cloned().unwrap();
    assert_eq!(layer.digest, Digest::sha256(compressed));
    assert_eq!(
        archive.read_blob(&layer.digest, LIMIT).unwrap().unwrap(),
        compressed.as_slice()
    );
}

#[test]
fn an_archive_may_be_both_a_layout_and_what_docker_saves() {
    let config = config(&[b"one"]);
    let name = |bytes: &[u8]| format!("blobs/sha256/{}", Digest::sha256(bytes).hex());
    let (config_name, layer_name) = (name(config.as_bytes()), name(b"one"));
    let list = json!([{ "Config": config_name, "RepoTags": ["app:v1"], "Layers": [layer_name], "LayerSources": {} }]);
    let (_guard, path) = Tarball::new()
        .layout(&[entry("v1", b"manifest")])
        .blob(b"manifest")
        .blob(config.as_bytes())
        .blob(b"one")
        .file("manifest.json", list.to_string().as_bytes())
        .done();
    let saved = Archive::open_docker(&path).unwrap();
    let layer = manifest(&saved, "app").blobs().nth(1).cloned().unwrap();
    assert_eq!(layer.digest, Digest::sha256(b"one"));
    let layout = Archive::open_or_create(&path).unwrap();
    let found = layout.resolve(None, &tag("v1")).unwrap().unwrap();
    assert_eq!(found.digest, Digest::sha256(b"manifest"));
    // To write to the layout takes nothing from docker.
    layout.write_blob(&Digest::sha256(b"new"), b"new").unwrap();
    layout.finish().unwrap();
    assert_eq!(Archive::open_docker(&path).unwrap().images(), saved.images());
}

#[test]
fn an_image_is_found_by_each_of_its_names_and_without_one_by_its_digest() {
    let list = json!([
        { "Config": "c.json", "RepoTags": ["a:v1", "localhost:5000/b:v1", "quay.io/c/d:v1"], "Layers": [] },
        { "Config": "d.json", "RepoTags": null, "Layers": null },
    ]);
    let (_guard, path) = Tarball::new()
        .file("manifest.json", list.to_string().as_bytes())
        .file("c.json", config(&[]).as_bytes())
        .file("d.json", b"{}")
        .done();
    let archive = Archive::open_docker(&path).unwrap();
    for name in ["a", "b", "quay.io/c/d"] {
        assert_eq!(*manifest(&archive, name).digest(), archive.images()[0], "{name}");
    }
    let entries = archive.entries().unwrap();
    let last = entries.last().unwrap();
    assert_eq!((&last.repository, &last.tag), (&None, &None));
    assert_eq!(last.descriptor.digest, archive.images()[1]);
}

#[test]
fn a_layer_of_other_bytes_than_the_configuration_says_is_refused_when_it_is_read() {
    let (_guard, path) = saved(&["app:v1"], &["layer.tar"])
        .file("c.json", config(&[b"one"]).as_bytes())
        .file("layer.tar", b"two")
        .done();
    let archive = Archive::open_docker(&path).unwrap();
    let wrong = archive.read_blob(&Digest::sha256(b"one"), LIMIT).unwrap_err();
    assert!(matches!(wrong, LayoutError::Digest { .. }), "{wrong}");
}

#[test]
fn what_an_archive_lacks_is_named() {
    let (_guard, path) = Tarball::new().layout(&[]).done();
    let lacks = Archive::open_docker(&path).unwrap_err();
    assert!(
        lacks
            .to_string()
            .ends_with("has no `manifest.json`, so it is not an archive of `docker save`")
    );
    assert!(lacks.hint().is_some_and(|hint| hint.contains("oci-archive:")));
    for (tarball, problem) in [
        (
            saved(&[], &[]),
            "`c.json` is missing, and `manifest.json` names it",
        ),
        (
            saved(&[], &["l.tar"]).file("c.json", config(&[b"one"]).as_bytes()),
            "`l.tar` is missing, and `manifest.json` names it",
        ),
        (
            saved(&[], &[]).file("c.json", config(&[b"one"]).as_bytes()),
            "`rootfs.diff_ids` names as many layers as `manifest.json` does",
        ),
        (
            saved(&[], &[]).file("c.json", b"{"),
            "c.json is not a JSON document",
        ),
        (
            Tarball::new().file("manifest.json", b"{}"),
            "manifest.json is not a JSON document",
        ),
    ] {
        let (_guard, path) = tarball.done();
        let told = Archive::open_docker(&path).unwrap_err().to_string();
        assert!(told.ends_with(problem), "{told}");
    }
}

#[test]
fn nothing_is_written_to_it() {
    let (_guard, path) = saved(&["app:v1"], &[])
        .file("c.json", config(&[]).as_bytes())
        .done();
    let archive = Archive::open_docker(&path).unwrap();
    for refused in [
        archive.write_blob(&Digest::sha256(b"x"), b"x").unwrap_err(),
        archive.untag(Some(&repository("app")), &tag("v1")).unwrap_err(),
    ] {
        assert!(matches!(refused, LayoutError::ReadOnly { .. }), "{refused}");
    }
    archive.finish().unwrap();
    assert_eq!(crate::tarball::beside(&path), ["x.tar"]);
}

#[test]
fn a_compressed_layer_has_the_digest_of_its_own_bytes() {
    for start in [&b"\x1f\x8b"[..], b"\x28\xb5\x2f\xfd", b"\xfd7zXZ", b"BZh"] {
        let layer = [start, b" compressed"].concat();
        let (_guard, path) = saved(&["app:v1"], &["1/layer.tar"])
            .file("c.json", config(&[b"uncompressed"]).as_bytes())
            .file("1/layer.tar", &layer)
            .done();
        let archive = Archive::open_docker(&path).unwrap();
        let manifest = manifest(&archive, "app");
        let digests: Vec<_> = manifest.blobs().skip(1).map(|blob| &blob.digest).collect();
        assert_eq!(digests, [&Digest::sha256(&layer)], "{start:?}");
        let read = archive.read_blob(digests[0], LIMIT).unwrap().unwrap();
        assert_eq!(read, layer);
    }
}
