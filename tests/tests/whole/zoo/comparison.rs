//! What two walks must have in common.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use testkit::walker::{Repository, Walked};

/// Asserts that two places hold the same, however they tell what refers to what.
pub(super) fn assert_same(name: &str, walked: &Walked, wanted: &Walked) {
    let names = |walked: &Walked| walked.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(walked), names(wanted), "{name}");
    for (repository, wanted) in wanted {
        let place = format!("{name}: {repository}");
        let there = &walked[repository];
        assert_eq!(there.tags, wanted.tags, "{place}");
        assert_eq!(there.manifests, wanted.manifests, "{place}");
        assert_eq!(there.blobs, wanted.blobs, "{place}");
        assert_eq!(there.away, wanted.away, "{place}");
        assert_eq!(there.attached, wanted.attached, "{place}");
    }
}

/// Asserts that fallback tags are byte for byte as they were, and name everything that refers to something.
pub(super) fn assert_fallback_tags_are_whole(name: &str, walked: &Walked, wanted: &Walked) {
    for (repository, wanted) in wanted {
        assert_eq!(
            walked[repository].fallback, wanted.fallback,
            "{name}: {repository}"
        );
        assert_eq!(walked[repository].unlisted, json!([]), "{name}: {repository}");
    }
}

/// Asserts that the referrers API of one place, and the fallback tags of another, say the same of every subject.
pub(super) fn assert_told_alike(by_tag: &Repository, by_api: &Repository) {
    let told: BTreeMap<String, &Value> = by_api
        .api
        .iter()
        .map(|(subject, entries)| (subject.replace(':', "-"), entries))
        .collect();
    let tagged: BTreeMap<String, &Value> = by_tag
        .fallback
        .iter()
        .map(|(tag, index)| (tag.clone(), &index["entries"]))
        .collect();
    assert!(told.len() >= 4, "what is attached has attachments: {told:?}");
    assert_eq!(tagged, told);
}
