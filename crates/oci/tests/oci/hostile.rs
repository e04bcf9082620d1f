//! Manifests as hostile peers write them.

use bytes::Bytes;
use proptest::prelude::{Just, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
use proptest::strategy::Strategy;
use serde_json::{Value, json};
use transship_oci::{Content, Digest, MAX_CHILDREN, MAX_MANIFEST, Manifest, ManifestError, MediaType};

use crate::common::{config, descriptor, huge, image, index, parse, parse_text, refused, with, without};

#[test]
fn a_document_that_is_not_strict_json_is_refused() {
    let text = image().to_string();
    let deep = with(
        image(),
        "x",
        serde_json::from_str(&format!("{}{}", "[".repeat(64), "]".repeat(64))).unwrap(),
    );
    for text in [
        text.replacen('{', r#"{"schemaVersion":2,"#, 1),
        text.replacen(r#""size":"#, r#""size":3,"size":"#, 1),
        text.replacen(r#""digest":"#, r#""\u0064igest":"x","digest":"#, 1),
        format!("{text}{text}"),
        format!("{text}\0"),
        text[..text.len() - 1].to_owned(),
        deep.to_string(),
    ] {
        assert!(
            matches!(parse_text(&text, None), Err(ManifestError::Json(_))),
            "{text}"
        );
    }
}

#[test]
fn a_manifest_has_at_most_four_mebibytes() {
    let mut text = image().to_string();
    text.push_str(&" ".repeat(MAX_MANIFEST - text.len()));
    assert!(parse_text(&text, None).is_ok());
    text.push(' ');
    assert!(
        matches!(parse_text(&text, None), Err(ManifestError::TooLarge(size)) if size == MAX_MANIFEST + 1)
    );
}

#[test]
fn a_manifest_names_at_most_ten_thousand_layers_or_children() {
    let many = |count: usize| Value::from_iter(vec![descriptor(&MediaType::OCI_LAYER_GZIP, "layer"); count]);
    for (document, key) in [(image(), "layers"), (index(), "manifests")] {
        assert!(parse(&with(document.clone(), key, many(MAX_CHILDREN))).is_ok());
        let error = refused(&with(document, key, many(MAX_CHILDREN + 1)));
        assert!(
            matches!(error, ManifestError::TooMany(count) if count == MAX_CHILDREN + 1),
            "{error}"
        );
    }
}

#[test]
fn one_digest_has_one_size() {
    let sized = |size: u64| with(descriptor(&MediaType::OCI_LAYER_GZIP, "one"), "size", json!(size));
    for document in [
        with(image(), "layers", json!([sized(3), sized(4)])),
        with(with(image(), "config", sized(3)), "layers", json!([sized(4)])),
        with(with(image(), "layers", json!([sized(3)])), "subject", sized(4)),
        with(index(), "manifests", json!([sized(3), sized(3), sized(4)])),
    ] {
        let error = refused(&document);
        let ManifestError::SizeConflict {
            digest,
            first,
            second,
        } = error
        else {
            panic!("{error}")
        };
        assert_eq!((digest, first, second), (Digest::sha256(b"one"), 3, 4));
    }
    assert!(
        parse(&with(
            with(image(), "config", sized(3)),
            "layers",
            json!([sized(3), sized(3)])
        ))
        .is_ok()
    );
}

#[test]
fn a_descriptor_needs_a_type_a_digest_and_a_size() {
    let good = descriptor(&MediaType::OCI_MANIFEST, "child");
    let mut bad: Vec<Value> = ["mediaType", "digest", "size"]
        .iter()
        .map(|key| without(good.clone(), key))
        .collect();
    for size in [
        json!(-1),
        json!(1.5),
        json!(1.0),
        json!("1"),
        json!(null),
        json!(u64::MAX),
        json!(i64::MAX as u64 + 1),
    ] {
        bad.push(with(good.clone(), "size", size));
    }
    for digest in [json!("sha256:../../x"), json!("md5:00"), json!(""), json!(7)] {
        bad.push(with(good.clone(), "digest", digest));
    }
    for media_type in [
        json!("a\nb"),
        json!("a\u{1b}[31m"),
        json!("é"),
        json!("a".repeat(256)),
    ] {
        bad.push(with(good.clone(), "mediaType", media_type));
    }
    bad.extend([
        json!(null),
        json!([]),
        json!("x"),
        with(good.clone(), "annotations", json!({"a": 1})),
        with(good.clone(), "urls", json!("x")),
    ]);
    for child in bad {
        assert!(
            matches!(
                refused(&with(index(), "manifests", json!([child]))),
                ManifestError::Shape(_)
            ),
            "{child}"
        );
        assert!(
            matches!(
                refused(&with(image(), "layers", json!([child]))),
                ManifestError::Shape(_)
            ),
            "{child}"
        );
    }
    let largest = with(good, "size", json!(i64::MAX));
    assert!(parse(&with(index(), "manifests", json!([largest]))).is_ok());
}

#[test]
fn an_error_does_not_repeat_what_a_hostile_peer_sent() {
    for document in [
        with(image(), "schemaVersion", json!(&huge("x")[..3 << 20])),
        with(image(), "mediaType", json!(&huge("x")[..3 << 20])),
        with(image(), "layers", json!([&huge("x")[..3 << 20]])),
    ] {
        let mut error: &dyn std::error::Error = &refused(&document);
        loop {
            assert!(error.to_string().len() < 300);
            let Some(source) = error.source() else { break };
            error = source;
        }
    }
}

/// Documents of the manifests' vocabulary, put together without sense.
fn documents() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        Just(json!(2)),
        Just(json!(MediaType::OCI_MANIFEST)),
        Just(json!(MediaType::OCI_INDEX)),
        Just(json!(Digest::sha256(b""))),
        Just(descriptor(&MediaType::OCI_MANIFEST, "a")),
        Just(json!({})),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 6, |inner| {
        let keys = [
            "schemaVersion",
            "mediaType",
            "config",
            "layers",
            "manifests",
            "subject",
            "digest",
            "size",
            "annotations",
            "platform",
        ];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::hash_map(proptest::sample::select(keys.to_vec()), inner, 0..6).prop_map(
                |map| Value::from_iter(map.into_iter().map(|(key, value)| (key.to_owned(), value)))
            ),
        ]
    })
}

fn whole(document: Value, parts: Value) -> Value {
    let Value::Object(parts) = parts else {
        return document;
    };
    parts
        .into_iter()
        .fold(document, |document, (key, value)| with(document, &key, value))
}

proptest! {
    #![proptest_config(config(2048))]

    #[test]
    fn a_document_of_any_shape_is_parsed_or_refused(parts in documents(), of_index: bool) {
        let document = whole(if of_index { index() } else { image() }, parts);
        let text = document.to_string();
        if let Ok(manifest) = parse_text(&text, None) {
            prop_assert_eq!(manifest.digest(), &Digest::sha256(text.as_bytes()));
            prop_assert!(MediaType::MANIFESTS.contains(manifest.media_type()));
            let is_index = matches!(manifest.content(), Content::Index { .. });
            prop_assert_eq!(is_index, document["config"].is_null());
        }
    }

    #[test]
    fn a_damaged_manifest_is_parsed_or_refused(at in any::<proptest::sample::Index>(), byte: u8, of_index: bool) {
        let mut bytes = if of_index { index() } else { image() }.to_string().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let bytes = Bytes::from(bytes);
        if let Ok(manifest) = Manifest::parse(bytes.clone(), None) {
            prop_assert_eq!(manifest.bytes(), &bytes);
        }
    }

    #[test]
    fn arbitrary_bytes_are_refused(bytes: Vec<u8>) {
        prop_assert!(Manifest::parse(bytes.into(), None).is_err());
    }
}
