//! Ten thousand tags, rule by rule.

use std::collections::BTreeSet;

use oci::Tag;
use transship_planner::config::{Conditions, Latest};

use super::{own, pick, set, tag};

const COUNT: usize = 10_000;

/// `0.0.0-alpine` to `9.99.9-alpine`.
fn tags() -> BTreeSet<Tag> {
    (0..COUNT)
        .map(|n| tag(&format!("{}.{}.{}-alpine", n / 1_000, n / 10 % 100, n % 10)))
        .collect()
}

#[test]
fn every_rule_selects_among_ten_thousand_tags() {
    let tags = tags();
    let minors = |minors, patches| Some(Latest::Minors { minors, patches });
    let base = Conditions::default;
    let versions = || Conditions {
        regex: own(&["(?<version>.+)-alpine"]),
        ..base()
    };
    for (what, conditions, taken) in [
        ("nothing", base(), COUNT),
        (
            "include",
            Conditions {
                include: own(&["9.*"]),
                ..base()
            },
            1_000,
        ),
        (
            "exclude",
            Conditions {
                exclude: own(&["9.*"]),
                ..base()
            },
            9_000,
        ),
        (
            "regex",
            Conditions {
                regex: own(&[r"9\.\d\d\.0-.*"]),
                ..base()
            },
            90,
        ),
        (
            "exclude_regex",
            Conditions {
                exclude_regex: own(&[r"9\..*", r"8\..*"]),
                ..base()
            },
            8_000,
        ),
        (
            "list",
            Conditions {
                list: Some(tags.clone()),
                ..base()
            },
            COUNT,
        ),
        (
            "semver",
            Conditions {
                semver: Some(">=1, <9 || ^9.5".to_owned()),
                ..versions()
            },
            8_950,
        ),
        (
            "prerelease",
            Conditions {
                semver: Some("*".to_owned()),
                prerelease: true,
                ..base()
            },
            COUNT,
        ),
        (
            "latest",
            Conditions {
                latest: Some(Latest::Versions(5_000)),
                ..versions()
            },
            5_000,
        ),
        (
            "minors",
            Conditions {
                latest: minors(500, 2),
                ..versions()
            },
            1_000,
        ),
        (
            "at_least",
            Conditions {
                at_least: Some(10_000),
                ..base()
            },
            COUNT,
        ),
    ] {
        let selection = pick(&[set(conditions)], &tags);
        assert_eq!(selection.tags.len(), taken, "{what}");
        assert_eq!(selection.problems, [], "{what}");
    }
}

#[test]
fn a_hundred_patterns_and_ten_thousand_names_are_no_more_than_that() {
    let globs: Vec<String> = (0..100).map(|n| format!("*.{n}.*")).collect();
    let tags = tags();
    let patterns = Conditions {
        include: globs,
        ..Conditions::default()
    };
    let missing = Conditions {
        list: Some((0..COUNT).map(|n| tag(&format!("gone-{n}"))).collect()),
        ..Conditions::default()
    };
    let selection = pick(&[set(patterns), set(missing)], &tags);
    assert_eq!(selection.tags.len(), COUNT);
    assert_eq!(selection.problems.len(), COUNT);
}

#[test]
fn conditions_together_select_among_ten_thousand_tags() {
    let conditions = Conditions {
        regex: own(&["(?<version>.+)-alpine"]),
        exclude: own(&["0.*"]),
        semver: Some(">=1, <9 || ^9.5".to_owned()),
        latest: Some(Latest::Versions(5_000)),
        ..Conditions::default()
    };
    let selection = pick(&[set(conditions)], &tags());
    assert_eq!(selection.tags.len(), 5_000);
    assert!(selection.tags.contains(&tag("9.99.9-alpine")));
    assert!(!selection.tags.contains(&tag("9.4.9-alpine")));
}
