//! Ten thousand tags.

use std::collections::BTreeSet;

use oci::Tag;
use transship_planner::config::{Conditions, Latest};

use super::{own, pick, set, tag};

#[test]
fn ten_thousand_tags_are_selected() {
    let tags: BTreeSet<Tag> = (0..10_000)
        .map(|n| tag(&format!("{}.{}.{}-alpine", n / 1000, n / 10 % 100, n % 10)))
        .collect();
    let conditions = Conditions {
        regex: own(&["(?<version>.+)-alpine"]),
        exclude: own(&["0.*"]),
        semver: Some(">=1, <9 || ^9.5".to_owned()),
        latest: Some(Latest::Versions(5_000)),
        ..Conditions::default()
    };
    let selection = pick(&[set(conditions)], &tags);
    assert_eq!(selection.tags.len(), 5_000);
    assert!(selection.tags.contains(&tag("9.99.9-alpine")));
    assert!(!selection.tags.contains(&tag("9.4.9-alpine")));
}
