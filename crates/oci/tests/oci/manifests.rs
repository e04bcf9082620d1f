//! Manifests.

use serde_json::{Value, json};
use transship_oci::{Algorithm, Content, Descriptor, Digest, Manifest, ManifestError, MediaType};

use crate::common::{descriptor, image, index, parse, parse_text, refused, with, without};

fn digests<'a>(named: impl Iterator<Item = &'a Descriptor>) -> Vec<Digest> {
    named.map(|descriptor| descriptor.digest.clone()).collect()
}

fn of(texts: &[&str]) -> Vec<Digest> {
    texts.iter().map(|text| Digest::sha256(text.as_bytes())).collect()
}

#[test]
fn the_bytes_are_kept_and_hashed_as_they_were_served() {
    let text = format!("\n  {}  \n", image());
    let manifest = parse_text(&text, Some(&MediaType::OCI_MANIFEST)).unwrap();
    assert_eq!(manifest.bytes(), text.as_bytes());
    assert_eq!(*manifest.digest(), Digest::sha256(text.as_bytes()));
    assert_eq!(
        manifest.descriptor(),
        Descriptor::new(
            MediaType::OCI_MANIFEST,
            Digest::sha256(text.as_bytes()),
            text.len() as u64
        )
    );
    let long = Digest::of(Algorithm::Sha512, text.as_bytes());
    let manifest = Manifest::parse_as(text.into(), None, long.clone()).unwrap();
    assert_eq!(*manifest.digest(), long);
}

#[test]
fn an_image_names_its_config_and_layers_as_blobs() {
    let manifest = parse(&image()).unwrap();
    assert_eq!(digests(manifest.blobs()), of(&["config", "one", "two"]));
    assert_eq!(manifest.children().count(), 0);
    assert_eq!(
        manifest.artifact_type(),
        Some("application/vnd.oci.image.config.v1+json")
    );
}

#[test]
fn an_index_names_manifests_and_sometimes_blobs() {
    let children = json!([
        descriptor(&MediaType::OCI_MANIFEST, "image"),
        descriptor(&MediaType::OCI_INDEX, "nested"),
        descriptor(&MediaType::OCI_LAYER_GZIP, "cache"),
        descriptor(&MediaType::DOCKER_MANIFEST, "docker"),
    ]);
    let manifest = parse(&with(index(), "manifests", children)).unwrap();
    assert_eq!(digests(manifest.children()), of(&["image", "nested", "docker"]));
    assert_eq!(digests(manifest.blobs()), of(&["cache"]));
    assert_eq!(manifest.artifact_type(), None);
}

#[test]
fn a_referrer_is_described_with_its_artifact_type_and_annotations() {
    let mut document = with(image(), "subject", descriptor(&MediaType::OCI_INDEX, "subject"));
    document["artifactType"] = json!("application/vnd.example.sbom");
    document["annotations"] = json!({"a": "b"});
    let manifest = parse(&document).unwrap();
    assert_eq!(manifest.subject().unwrap().digest, Digest::sha256(b"subject"));
    let descriptor = manifest.referrer_descriptor();
    assert_eq!(
        descriptor.artifact_type.as_deref(),
        Some("application/vnd.example.sbom")
    );
    assert_eq!(descriptor.annotations, *manifest.annotations());
    assert!(manifest.descriptor().annotations.is_empty());
    let manifest = parse(&with(document, "artifactType", json!(""))).unwrap();
    assert_eq!(manifest.artifact_type(), Some(MediaType::OCI_CONFIG.as_str()));
}

#[test]
fn an_embedded_manifest_of_either_family_is_recognised_by_its_own_type() {
    for (document, media_type) in [
        (image(), MediaType::OCI_MANIFEST),
        (image(), MediaType::DOCKER_MANIFEST),
        (index(), MediaType::OCI_INDEX),
        (index(), MediaType::DOCKER_LIST),
    ] {
        let document = with(document, "mediaType", json!(media_type));
        for served in [
            None,
            Some(&media_type),
            Some(&MediaType::new("application/json")),
            Some(&MediaType::new("text/plain; charset=utf-8")),
        ] {
            let manifest = parse_text(&document.to_string(), served).unwrap();
            assert_eq!(*manifest.media_type(), media_type);
        }
    }
}

#[test]
fn without_a_type_of_its_own_a_manifest_is_what_it_was_served_as_or_looks_like() {
    for document in [
        without(image(), "mediaType"),
        with(image(), "mediaType", json!("")),
        with(image(), "mediaType", json!(null)),
    ] {
        let text = document.to_string();
        assert_eq!(
            *parse_text(&text, None).unwrap().media_type(),
            MediaType::OCI_MANIFEST
        );
        let served = parse_text(&text, Some(&MediaType::DOCKER_MANIFEST)).unwrap();
        assert_eq!(*served.media_type(), MediaType::DOCKER_MANIFEST);
    }
    let text = without(index(), "mediaType").to_string();
    assert_eq!(
        *parse_text(&text, None).unwrap().media_type(),
        MediaType::OCI_INDEX
    );
}

#[test]
fn a_type_that_disagrees_with_the_transport_or_the_shape_is_refused() {
    let mismatch = |document: &Value, served: Option<&MediaType>| {
        let error = parse_text(&document.to_string(), served).expect_err("a mismatch");
        assert!(
            matches!(error, ManifestError::MediaTypeMismatch { .. }),
            "{document}: {error}"
        );
    };
    mismatch(&image(), Some(&MediaType::DOCKER_MANIFEST));
    mismatch(&image(), Some(&MediaType::OCI_INDEX));
    mismatch(&image(), Some(&MediaType::new("text/html")));
    mismatch(&with(image(), "mediaType", json!(MediaType::OCI_INDEX)), None);
    mismatch(&with(index(), "mediaType", json!(MediaType::OCI_MANIFEST)), None);
    mismatch(&without(index(), "mediaType"), Some(&MediaType::OCI_MANIFEST));
}

#[test]
fn a_type_that_is_no_manifests_is_refused() {
    for media_type in [
        "application/vnd.oci.artifact.manifest.v1+json",
        "APPLICATION/vnd.oci.image.manifest.v1+json",
        "x",
    ] {
        let error = refused(&with(image(), "mediaType", json!(media_type)));
        assert!(
            matches!(error, ManifestError::NotAManifest(_)),
            "{media_type}: {error}"
        );
    }
}

#[test]
fn an_image_that_is_an_index_too_is_ambiguous() {
    for (key, value) in [
        ("manifests", json!([])),
        ("manifests", index()["manifests"].clone()),
        ("manifests", json!("x")),
    ] {
        assert!(matches!(
            refused(&with(image(), key, value)),
            ManifestError::Ambiguous
        ));
    }
    for key in ["config", "layers", "fsLayers"] {
        for value in [json!([]), json!({}), json!("")] {
            assert!(
                matches!(refused(&with(index(), key, value)), ManifestError::Ambiguous),
                "{key}"
            );
        }
    }
}

#[test]
fn schema_1_is_refused_by_name() {
    for document in [
        json!({"schemaVersion": 1, "name": "a", "fsLayers": [], "history": []}),
        json!({"schemaVersion": 2, "fsLayers": []}),
        with(image(), "schemaVersion", json!(1)),
        with(image(), "mediaType", json!(MediaType::DOCKER_SCHEMA1_SIGNED)),
    ] {
        assert!(matches!(refused(&document), ManifestError::Schema1), "{document}");
    }
    let served = parse_text(
        &without(image(), "mediaType").to_string(),
        Some(&MediaType::DOCKER_SCHEMA1),
    );
    assert!(matches!(served, Err(ManifestError::Schema1)));
}

#[test]
fn another_schema_version_is_refused() {
    for version in [json!(0), json!(3), json!(null)] {
        assert!(matches!(
            refused(&with(image(), "schemaVersion", version)),
            ManifestError::SchemaVersion
        ));
    }
    assert!(matches!(
        refused(&without(index(), "schemaVersion")),
        ManifestError::SchemaVersion
    ));
    for version in [json!("2"), json!(2.0), json!(-2)] {
        assert!(matches!(
            refused(&with(image(), "schemaVersion", version)),
            ManifestError::Shape(_)
        ));
    }
}

#[test]
fn a_document_that_is_neither_is_refused() {
    for document in [
        json!({}),
        json!([]),
        json!(1),
        json!(null),
        json!({"schemaVersion": 2}),
        without(image(), "config"),
        json!({"schemaVersion": 2, "manifests": null, "layers": []}),
    ] {
        assert!(matches!(refused(&document), ManifestError::Neither), "{document}");
    }
}

#[test]
fn what_go_programs_write_as_null_is_absent() {
    let mut child = descriptor(&MediaType::OCI_MANIFEST, "child");
    for key in ["urls", "annotations", "data", "artifactType", "platform"] {
        child[key] = json!(null);
    }
    let mut document = with(index(), "manifests", json!([child]));
    for key in [
        "subject",
        "artifactType",
        "annotations",
        "config",
        "layers",
        "fsLayers",
    ] {
        document[key] = json!(null);
    }
    assert_eq!(digests(parse(&document).unwrap().children()), of(&["child"]));

    let document = with(with(image(), "layers", json!(null)), "manifests", json!(null));
    assert_eq!(digests(parse(&document).unwrap().blobs()), of(&["config"]));
}

#[test]
fn an_index_without_children_is_legal_and_may_be_written_as_null() {
    for document in [
        with(index(), "manifests", json!([])),
        with(index(), "manifests", json!(null)),
    ] {
        let manifest = parse(&document).unwrap();
        assert_eq!(
            *manifest.content(),
            Content::Index {
                manifests: Vec::new()
            }
        );
        assert_eq!(*manifest.media_type(), MediaType::OCI_INDEX);
    }
}

#[test]
fn layers_from_elsewhere_are_known_by_their_type() {
    for text in [
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
    ] {
        assert!(MediaType::new(text).is_nondistributable(), "{text}");
    }
    assert!(!MediaType::OCI_LAYER_GZIP.is_nondistributable());
    assert!(!MediaType::DOCKER_LAYER.is_nondistributable());
}

#[test]
fn a_content_type_loses_its_parameters_and_capitals() {
    assert_eq!(
        MediaType::new(" Application/vnd.OCI.image.index.v1+json ; charset=utf-8"),
        MediaType::OCI_INDEX
    );
    assert_eq!(MediaType::new("").as_str(), "");
}
