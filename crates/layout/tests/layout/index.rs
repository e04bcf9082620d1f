//! Entries, tags and repositories of `index.json`.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};
use transship_layout::{Layout, LayoutError};

use crate::common::{manifest, names, new_layout, read_index, repository, tag, write_index};

fn index(layout: &Layout) -> Value {
    serde_json::from_str(&read_index(layout)).unwrap()
}

#[test]
fn a_new_layout_has_what_the_specification_requires() {
    let (_guard, layout) = new_layout();
    assert_eq!(names(&layout), ["blobs", "index.json", "oci-layout"]);
    assert!(layout.path().join("blobs/sha256").is_dir());
    let marker: Value = serde_json::from_slice(&fs::read(layout.path().join("oci-layout")).unwrap()).unwrap();
    assert_eq!(marker, json!({"imageLayoutVersion": "1.0.0"}));
    assert_eq!(
        index(&layout),
        json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []})
    );
    assert_eq!(Layout::open(layout.path()).unwrap().entries().unwrap(), []);
}

#[test]
fn opening_to_write_completes_a_layout_and_keeps_its_content() {
    let (_guard, layout) = new_layout();
    layout.tag(None, &tag("v1"), &manifest("a")).unwrap();
    fs::remove_dir_all(layout.path().join("blobs")).unwrap();
    let again = Layout::open_or_create(layout.path()).unwrap();
    assert!(layout.path().join("blobs/sha256").is_dir());
    assert_eq!(again.resolve(None, &tag("v1")).unwrap(), Some(manifest("a")));
}

#[test]
fn a_directory_without_a_marker_is_no_layout() {
    let directory = tempfile::TempDir::new().unwrap();
    let error = Layout::open(directory.path()).unwrap_err();
    assert!(matches!(&error, LayoutError::NotALayout { path } if path == directory.path()));
    assert!(Layout::open(&directory.path().join("absent")).is_err());
    assert_eq!(
        fs::read_dir(directory.path()).unwrap().count(),
        0,
        "opening to read makes nothing"
    );
}

#[test]
fn another_version_is_refused_by_readers_and_writers() {
    let (_guard, layout) = new_layout();
    let marker = layout.path().join("oci-layout");
    for text in [
        r#"{"imageLayoutVersion":"2.0.0"}"#,
        r#"{"imageLayoutVersion":1}"#,
        "{}",
        "[]",
    ] {
        fs::write(&marker, text).unwrap();
        for opened in [Layout::open(layout.path()), Layout::open_or_create(layout.path())] {
            let error = opened.unwrap_err();
            assert!(matches!(error, LayoutError::Version { .. }), "{text}: {error}");
            assert_eq!(error.path(), marker);
        }
    }
    fs::write(&marker, "not json").unwrap();
    assert!(matches!(
        Layout::open(layout.path()).unwrap_err(),
        LayoutError::Json { .. }
    ));
}

#[test]
fn a_tag_resolves_to_what_it_was_pointed_at_last() {
    let (_guard, layout) = new_layout();
    layout.tag(None, &tag("v1"), &manifest("a")).unwrap();
    layout.tag(None, &tag("v2"), &manifest("a")).unwrap();
    layout.tag(None, &tag("v1"), &manifest("b")).unwrap();
    assert_eq!(layout.resolve(None, &tag("v1")).unwrap(), Some(manifest("b")));
    assert_eq!(layout.resolve(None, &tag("v2")).unwrap(), Some(manifest("a")));
    assert_eq!(layout.resolve(None, &tag("v3")).unwrap(), None);
    assert_eq!(layout.tags(None).unwrap(), BTreeSet::from([tag("v1"), tag("v2")]));
    assert_eq!(layout.entries().unwrap().len(), 2);
}

#[test]
fn repositories_have_tags_of_their_own() {
    let (_guard, layout) = new_layout();
    let (app, base) = (repository("team/app"), repository("team/base"));
    layout.tag(Some(&app), &tag("v1"), &manifest("a")).unwrap();
    layout.tag(Some(&base), &tag("v1"), &manifest("b")).unwrap();
    layout.tag(None, &tag("v1"), &manifest("c")).unwrap();
    assert_eq!(
        layout.resolve(Some(&app), &tag("v1")).unwrap(),
        Some(manifest("a"))
    );
    assert_eq!(
        layout.resolve(Some(&base), &tag("v1")).unwrap(),
        Some(manifest("b"))
    );
    assert_eq!(layout.resolve(None, &tag("v1")).unwrap(), Some(manifest("c")));
    assert_eq!(
        layout.repositories().unwrap(),
        BTreeSet::from([None, Some(app), Some(base)])
    );
    assert_eq!(
        index(&layout)["manifests"][0]["annotations"],
        json!({"org.opencontainers.image.ref.name": "team/app:v1"})
    );
}

#[test]
fn untagging_removes_one_name_only() {
    let (_guard, layout) = new_layout();
    let app = repository("app");
    layout.tag(Some(&app), &tag("v1"), &manifest("a")).unwrap();
    layout.tag(Some(&app), &tag("v2"), &manifest("a")).unwrap();
    assert!(!layout.untag(None, &tag("v1")).unwrap());
    assert!(layout.untag(Some(&app), &tag("v1")).unwrap());
    assert!(!layout.untag(Some(&app), &tag("v1")).unwrap());
    assert_eq!(layout.tags(Some(&app)).unwrap(), BTreeSet::from([tag("v2")]));
}

#[test]
fn untagged_entries_belong_to_their_repository_and_stand_once() {
    let (_guard, layout) = new_layout();
    let app = repository("app");
    layout.tag(Some(&app), &tag("v1"), &manifest("image")).unwrap();
    for _ in 0..2 {
        layout.add_untagged(Some(&app), &manifest("signature")).unwrap();
        layout.add_untagged(Some(&app), &manifest("image")).unwrap();
        layout.add_untagged(None, &manifest("other")).unwrap();
    }
    assert_eq!(
        layout.manifests_of(Some(&app)).unwrap(),
        [manifest("image"), manifest("signature")]
    );
    assert_eq!(layout.manifests_of(None).unwrap(), [manifest("other")]);
    assert_eq!(layout.entries().unwrap().len(), 3);
    assert_eq!(
        index(&layout)["manifests"][1]["annotations"],
        json!({"land.transship.repository": "app"})
    );
    assert_eq!(index(&layout)["manifests"][2].get("annotations"), None);
}

#[test]
fn tagging_an_untagged_entry_leaves_one_entry() {
    let (_guard, layout) = new_layout();
    let app = repository("app");
    layout.add_untagged(Some(&app), &manifest("a")).unwrap();
    layout.add_untagged(None, &manifest("a")).unwrap();
    layout.tag(Some(&app), &tag("v1"), &manifest("a")).unwrap();
    let entries = layout.entries().unwrap();
    assert_eq!(entries.len(), 2, "{entries:?}");
    assert_eq!(
        (&entries[0].repository, &entries[0].tag),
        (&Some(app), &Some(tag("v1")))
    );
    assert_eq!(
        index(&layout)["manifests"][0]["annotations"],
        json!({"org.opencontainers.image.ref.name": "app:v1"})
    );
}

#[test]
fn forgetting_a_digest_removes_its_tags_in_that_repository() {
    let (_guard, layout) = new_layout();
    let app = repository("app");
    for name in ["v1", "v2"] {
        layout.tag(Some(&app), &tag(name), &manifest("a")).unwrap();
    }
    layout.tag(Some(&app), &tag("v3"), &manifest("b")).unwrap();
    layout.tag(None, &tag("v1"), &manifest("a")).unwrap();
    assert!(layout.forget(Some(&app), &manifest("a").digest).unwrap());
    assert!(!layout.forget(Some(&app), &manifest("a").digest).unwrap());
    assert_eq!(layout.tags(Some(&app)).unwrap(), BTreeSet::from([tag("v3")]));
    assert_eq!(layout.tags(None).unwrap(), BTreeSet::from([tag("v1")]));
}

#[test]
fn what_changes_nothing_writes_nothing() {
    let (_guard, layout) = new_layout();
    let descriptor = serde_json::to_string(&manifest("a")).unwrap();
    let text = format!(
        r#"{{ "schemaVersion":2,"manifests":[{}]}}"#,
        descriptor.replacen(
            '{',
            r#"{"annotations":{"org.opencontainers.image.ref.name":"v1","x":"y"},"#,
            1
        )
    );
    write_index(&layout, &text);
    layout.tag(None, &tag("v1"), &manifest("a")).unwrap();
    layout.add_untagged(None, &manifest("a")).unwrap();
    assert!(!layout.untag(None, &tag("v2")).unwrap());
    assert_eq!(read_index(&layout), text);
}

const FOREIGN: &str = r#"{
  "schemaVersion": 2,
  "annotations": {"com.example.revision": "r1"},
  "x-property": [1, {"deep": null}],
  "manifests": [
    {"mediaType": "application/xml", "size": 3, "digest": "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
    {"mediaType": "application/vnd.oci.image.manifest.v1+json", "size": 3, "digest": "blake3:00", "x": true},
    {"mediaType": "application/vnd.oci.image.manifest.v1+json", "size": 3,
     "digest": "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
     "annotations": {"org.opencontainers.image.ref.name": "v1", "com.example": "kept"}, "x-entry": {"a": 1}},
    {"mediaType": "application/vnd.oci.image.manifest.v1+json", "size": 3, "annotations": null, "urls": null,
     "digest": "sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"}
  ]
}"#;

#[test]
fn what_other_tools_wrote_survives_a_change() {
    let (_guard, layout) = new_layout();
    write_index(&layout, FOREIGN);
    layout
        .tag(Some(&repository("app")), &tag("new"), &manifest("a"))
        .unwrap();
    layout.untag(Some(&repository("app")), &tag("new")).unwrap();
    assert_eq!(index(&layout), serde_json::from_str::<Value>(FOREIGN).unwrap());
}

#[test]
fn tagging_the_same_content_keeps_unknown_properties_and_moving_the_tag_drops_them() {
    let (_guard, layout) = new_layout();
    write_index(&layout, FOREIGN);
    let mut descriptor = layout.resolve(None, &tag("v1")).unwrap().unwrap();
    descriptor
        .annotations
        .insert("added".to_owned(), "here".to_owned());
    layout.tag(None, &tag("v1"), &descriptor).unwrap();
    let entry = &index(&layout)["manifests"][2];
    assert_eq!(entry["x-entry"], json!({"a": 1}));
    assert_eq!(
        entry["annotations"],
        json!({"org.opencontainers.image.ref.name": "v1", "com.example": "kept", "added": "here"})
    );

    layout.tag(None, &tag("v1"), &manifest("a")).unwrap();
    let entry = &index(&layout)["manifests"][2];
    assert_eq!(entry.get("x-entry"), None);
    assert_eq!(
        entry["annotations"],
        json!({"org.opencontainers.image.ref.name": "v1"})
    );
}

#[test]
fn entries_of_unregistered_digests_and_odd_names_are_listed_as_far_as_they_can_be_read() {
    let (_guard, layout) = new_layout();
    write_index(&layout, FOREIGN);
    let entries = layout.entries().unwrap();
    assert_eq!(entries.len(), 3, "the blake3 entry is left out");
    assert_eq!(layout.manifests_of(None).unwrap().len(), 3);
    assert_eq!(layout.tags(None).unwrap(), BTreeSet::from([tag("v1")]));
}

#[test]
fn one_name_on_different_content_is_ambiguous_until_it_is_tagged_anew() {
    let (_guard, layout) = new_layout();
    let entry = |text: &str| {
        let mut descriptor = manifest(text);
        descriptor
            .annotations
            .insert("org.opencontainers.image.ref.name".to_owned(), "v1".to_owned());
        descriptor
    };
    write_index(
        &layout,
        &json!({"schemaVersion": 2, "manifests": [entry("a"), entry("a")]}).to_string(),
    );
    assert_eq!(layout.resolve(None, &tag("v1")).unwrap(), Some(manifest("a")));
    write_index(
        &layout,
        &json!({"schemaVersion": 2, "manifests": [entry("a"), entry("b")]}).to_string(),
    );
    let error = layout.resolve(None, &tag("v1")).unwrap_err();
    assert!(
        matches!(&error, LayoutError::Ambiguous { name, .. } if name == "v1"),
        "{error}"
    );
    layout.tag(None, &tag("v1"), &manifest("a")).unwrap();
    assert_eq!(layout.entries().unwrap().len(), 1);
}

#[test]
fn a_bad_index_is_an_error_that_names_the_file() {
    let (_guard, layout) = new_layout();
    let path = layout.path().join("index.json");
    let entry = |fields: &str| format!(r#"{{"schemaVersion":2,"manifests":[{fields}]}}"#);
    let hex = "a".repeat(64);
    for text in [
        String::new(),
        "[]".to_owned(),
        "{}".to_owned(),
        r#"{"schemaVersion":1,"manifests":[]}"#.to_owned(),
        r#"{"schemaVersion":2,"schemaVersion":2}"#.to_owned(),
        r#"{"schemaVersion":2,"manifests":{}}"#.to_owned(),
        r#"{"schemaVersion":2,"manifests":[]} x"#.to_owned(),
        entry("1"),
        entry("{}"),
        entry(&format!(r#"{{"mediaType":"x","digest":"sha256:{hex}"}}"#)),
        entry(&format!(
            r#"{{"mediaType":"x","size":-1,"digest":"sha256:{hex}"}}"#
        )),
        entry(r#"{"mediaType":"x","size":1,"digest":"sha256:../../../etc/passwd"}"#),
    ] {
        write_index(&layout, &text);
        let error = layout.entries().unwrap_err();
        assert_eq!(error.path(), path, "{text}");
        assert!(error.to_string().contains("index.json"), "{error}");
        assert!(layout.tag(None, &tag("v1"), &manifest("a")).is_err(), "{text}");
        assert!(Layout::open(layout.path()).is_err(), "{text}");
        assert_eq!(read_index(&layout), text, "a refused index is left as it was");
    }
    fs::remove_file(&path).unwrap();
    assert_eq!(layout.entries().unwrap_err().path(), path);
}
