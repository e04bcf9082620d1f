//! What the tests of this crate share.

use bytes::Bytes;
use proptest::test_runner::{Config, RngSeed};
use serde_json::{Value, json};
use transship_oci::{Digest, Manifest, ManifestError, MediaType};

/// The same cases in every run.
pub(crate) fn config(cases: u32) -> Config {
    Config {
        cases,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(20_261_123),
        ..Config::default()
    }
}

/// A text of ten megabytes.
pub(crate) fn huge(text: &str) -> String {
    text.repeat((10 << 20) / text.len())
}

/// A descriptor of some content, a different one for each text.
pub(crate) fn descriptor(media_type: &MediaType, text: &str) -> Value {
    json!({"mediaType": media_type, "digest": Digest::sha256(text.as_bytes()), "size": text.len()})
}

/// An image with a config and two layers.
pub(crate) fn image() -> Value {
    json!({
        "schemaVersion": 2,
        "mediaType": MediaType::OCI_MANIFEST,
        "config": descriptor(&MediaType::OCI_CONFIG, "config"),
        "layers": [descriptor(&MediaType::OCI_LAYER_GZIP, "one"), descriptor(&MediaType::OCI_LAYER_GZIP, "two")],
    })
}

/// An index with one image.
pub(crate) fn index() -> Value {
    json!({
        "schemaVersion": 2,
        "mediaType": MediaType::OCI_INDEX,
        "manifests": [descriptor(&MediaType::OCI_MANIFEST, "child")],
    })
}

/// Returns `document` with one property set.
pub(crate) fn with(mut document: Value, key: &str, value: Value) -> Value {
    document[key] = value;
    document
}

/// Returns `document` without one property.
pub(crate) fn without(mut document: Value, key: &str) -> Value {
    document.as_object_mut().expect("an object").remove(key);
    document
}

/// Parses a document that was served without a content type.
pub(crate) fn parse(document: &Value) -> Result<Manifest, ManifestError> {
    parse_text(&document.to_string(), None)
}

/// Parses a text.
pub(crate) fn parse_text(text: &str, served: Option<&MediaType>) -> Result<Manifest, ManifestError> {
    Manifest::parse(Bytes::copy_from_slice(text.as_bytes()), served)
}

/// Returns why a document is refused.
pub(crate) fn refused(document: &Value) -> ManifestError {
    parse(document).expect_err(&document.to_string())
}
