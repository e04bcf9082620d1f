//! Which tags a list of sets takes.

use std::collections::BTreeSet;

use oci::Tag;
use transship_planner::config::{
    ConditionError, Conditions, Latest, Selection, SelectionProblem, TagSet, select,
};

fn tag(text: &str) -> Tag {
    text.parse().expect("a tag")
}

fn listing(tags: &str) -> BTreeSet<Tag> {
    tags.split_whitespace().map(tag).collect()
}

fn own(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

fn set(conditions: Conditions) -> TagSet {
    TagSet::new(conditions).expect("the conditions compile")
}

fn take(conditions: Conditions, tags: &str) -> Selection {
    select(
        &[set(Conditions {
            at_least: Some(0),
            ..conditions
        })],
        &listing(tags),
    )
}

#[track_caller]
fn assert_taken(conditions: &Conditions, tags: &str, expected: &str) {
    let taken = take(conditions.clone(), tags);
    assert_eq!(taken.tags, listing(expected), "{conditions:?} of {tags}");
    assert_eq!(taken.problems, [], "{conditions:?}");
}

#[test]
fn globs_include_and_exclude() {
    for (include, exclude, tags, expected) in [
        (&[][..], &[][..], "a b", "a b"),
        (&["*"], &[], "a b", "a b"),
        (&["3.*"], &[], "3.18 3.19 4.0 13.1", "3.18 3.19"),
        (&["3.*", "4.*"], &[], "3.18 4.0 5.0", "3.18 4.0"),
        (&["*-alpine"], &[], "7.4-alpine 7.4 7.4-alpine3", "7.4-alpine"),
        (&["v?"], &[], "v1 v10 v", "v1"),
        (&["v[12]"], &[], "v1 v2 v3", "v1 v2"),
        (&["{a,b}*"], &[], "a1 b1 c1", "a1 b1"),
        (&["latest"], &[], "latest latest-dev", "latest"),
        (&[], &["*-rc*"], "1.0 1.0-rc1", "1.0"),
        (&[], &["latest", "edge"], "latest edge 1", "1"),
        (&["3.*"], &["*-dev"], "3.1 3.1-dev 4.0", "3.1"),
        (&["a"], &["a"], "a b", ""),
        (&["A"], &[], "a A", "A"),
        (&["[!v]*"], &[], "v1 1", "1"),
        (&["1.2"], &[], "1.2 1x2", "1.2"),
    ] {
        let conditions = Conditions {
            include: own(include),
            exclude: own(exclude),
            ..Conditions::default()
        };
        assert_taken(&conditions, tags, expected);
    }
}

#[test]
fn expressions_match_the_whole_tag() {
    for (regex, exclude, tags, expected) in [
        (&["1.1"][..], &[][..], "1.1 v1.1 1.10 1x1", "1.1 1x1"),
        (&[r"v\d+"], &[], "v1 v22 v1a av1", "v1 v22"),
        (&["a|b"], &[], "a b ab ax xb", "a b"),
        (&["^a$"], &[], "a ab", "a"),
        (&["a", "b"], &[], "a b c", "a b"),
        (&["(?i)latest"], &[], "LATEST latest x", "LATEST latest"),
        (&[".*"], &[], "a b", "a b"),
        (&["a*"], &[], "aaa b", "aaa"),
        (&[r"\d{4}"], &[], "2024 20245 024", "2024"),
        (&["(?<version>.+)-alpine"], &[], "1-alpine 1", "1-alpine"),
        (&[], &["a"], "a ab", "ab"),
        (&[], &[".*-(rc|beta).*"], "1 1-rc1 1-beta 1-final", "1 1-final"),
        (&[], &["a|b"], "a b ab", "ab"),
        (&["a.*"], &[".*z"], "ab az b", "ab"),
        (&["a", "a.*"], &["ab", "ac"], "a ab ac ad", "a ad"),
        (&["none"], &[], "a b", ""),
    ] {
        let conditions = Conditions {
            regex: own(regex),
            exclude_regex: own(exclude),
            ..Conditions::default()
        };
        assert_taken(&conditions, tags, expected);
    }
}

#[test]
fn ranges_take_versions_and_drop_what_is_none() {
    for (range, prerelease, tags, expected) in [
        (
            ">=3.19, <4",
            false,
            "3.18 3.19 3.20.1 4.0 latest 3",
            "3.19 3.20.1",
        ),
        (">=3.19, <4", false, "v3.19 v4.0", "v3.19"),
        ("*", false, "1.0 1.0-rc1 latest 1 edge", "1.0"),
        ("*", true, "1.0 1.0-rc1 latest", "1.0 1.0-rc1"),
        (
            ">=3.19, <4",
            true,
            "3.19-rc1 3.20-beta 4.0-rc1",
            "3.19-rc1 3.20-beta",
        ),
        ("<4", true, "4.0.0-alpha 3.9-alpha", "3.9-alpha"),
        ("^1.2", false, "1.2 1.9.9 2.0 1.1", "1.2 1.9.9"),
        ("~1.2", false, "1.2 1.2.9 1.3", "1.2 1.2.9"),
        ("1.x", false, "1.0 1.5 2.0", "1.0 1.5"),
        (
            "1.2.3",
            false,
            "1.2.3 v1.2.3 1.2.3_b2 1.2.4",
            "1.2.3 v1.2.3 1.2.3_b2",
        ),
        ("1.0 || 3.0", false, "1.0 2.0 3.0.1", "1.0 3.0.1"),
        ("!=1.1", false, "1.0 1.1.5 1.2", "1.0 1.2"),
        (">=22.04", false, "20.04 22.04 24.04 jammy", "22.04 24.04"),
        ("*", false, "3.18-alpine 3.18", "3.18"),
        ("*", true, "3.18-alpine 3.18", "3.18-alpine 3.18"),
        ("*", false, "20240105 1.2.3.4 1.x v1", ""),
        (
            ">=1.0.0-rc.2",
            true,
            "1.0.0-rc.1 1.0.0-rc.2 1.0.0 1.0.1-rc.1",
            "1.0.0-rc.2 1.0.0 1.0.1-rc.1",
        ),
    ] {
        let conditions = Conditions {
            semver: Some(range.to_owned()),
            prerelease,
            ..Conditions::default()
        };
        assert_taken(&conditions, tags, expected);
    }
}

#[test]
fn latest_takes_the_newest_versions_and_all_spellings_of_each() {
    let minors = |minors, patches| Latest::Minors { minors, patches };
    for (latest, prerelease, tags, expected) in [
        (Latest::Versions(1), false, "1.0 1.1 1.2", "1.2"),
        (Latest::Versions(2), false, "1.9 1.10 1.2", "1.10 1.9"),
        (Latest::Versions(9), false, "1.0 1.1", "1.0 1.1"),
        (
            Latest::Versions(1),
            false,
            "1.2 1.2.0 v1.2.0 1.2_b1 1.1",
            "1.2 1.2.0 v1.2.0 1.2_b1",
        ),
        (
            Latest::Versions(2),
            false,
            "1.2 v1.2 1.1 v1.1 1.0",
            "1.2 v1.2 1.1 v1.1",
        ),
        (Latest::Versions(1), false, "1.0 latest edge 99", "1.0"),
        (Latest::Versions(1), false, "2.0-rc1 1.9", "1.9"),
        (Latest::Versions(1), true, "2.0-rc1 1.9", "2.0-rc1"),
        (Latest::Versions(1), true, "2.0-rc1 2.0", "2.0"),
        (
            Latest::Versions(2),
            true,
            "2.0-rc.9 2.0-rc.10 1.0",
            "2.0-rc.9 2.0-rc.10",
        ),
        (Latest::Versions(3), false, "latest", ""),
        (minors(1, 1), false, "1.1.1 1.2.1 1.2.2", "1.2.2"),
        (minors(2, 1), false, "1.1.1 1.2.1 1.2.2 1.0.9", "1.1.1 1.2.2"),
        (
            minors(2, 2),
            false,
            "1.1.1 1.2.1 1.2.2 1.2.3 1.0.9",
            "1.1.1 1.2.2 1.2.3",
        ),
        (minors(2, 1), false, "2.0 1.9.9 1.8", "2.0 1.9.9"),
        (minors(1, 1), false, "1.2 v1.2.0 1.1", "1.2 v1.2.0"),
    ] {
        let conditions = Conditions {
            latest: Some(latest),
            prerelease,
            ..Conditions::default()
        };
        assert_taken(&conditions, tags, expected);
    }
}

#[test]
fn a_version_group_is_what_ranges_and_latest_read() {
    let alpine = own(&["(?<version>.+)-alpine"]);
    let tags = "7.2-alpine 7.4-alpine 7.4.1-alpine 7.4.1 latest-alpine 8.0-rc1-alpine";
    for (semver, latest, prerelease, expected) in [
        (
            None,
            None,
            false,
            "7.2-alpine 7.4-alpine 7.4.1-alpine latest-alpine 8.0-rc1-alpine",
        ),
        (Some("*"), None, false, "7.2-alpine 7.4-alpine 7.4.1-alpine"),
        (Some(">=7.4"), None, false, "7.4-alpine 7.4.1-alpine"),
        (
            Some(">=7.4"),
            None,
            true,
            "7.4-alpine 7.4.1-alpine 8.0-rc1-alpine",
        ),
        (None, Some(1), false, "7.4.1-alpine"),
        (None, Some(1), true, "8.0-rc1-alpine"),
        (Some("<7.4"), Some(5), false, "7.2-alpine"),
    ] {
        let latest = latest.map(Latest::Versions);
        let semver = semver.map(str::to_owned);
        let conditions = Conditions {
            regex: alpine.clone(),
            semver,
            latest,
            prerelease,
            ..Conditions::default()
        };
        assert_taken(&conditions, tags, expected);
    }
    let both = own(&["(?<version>.+)-alpine", r"v(?<version>.+)"]);
    let conditions = Conditions {
        regex: both,
        semver: Some(">=2".to_owned()),
        ..Conditions::default()
    };
    assert_taken(
        &conditions,
        "v1.0 v2.0 2.1-alpine 1.1-alpine 3.0",
        "v2.0 2.1-alpine",
    );
}

#[test]
fn all_conditions_of_a_set_must_hold() {
    let conditions = Conditions {
        include: own(&["*-alpine"]),
        exclude: own(&["7.3*"]),
        regex: own(&["(?<version>.+)-alpine"]),
        exclude_regex: own(&["8.*"]),
        semver: Some(">=7".to_owned()),
        latest: Some(Latest::Versions(2)),
        ..Conditions::default()
    };
    assert_taken(
        &conditions,
        "6.0-alpine 7.1-alpine 7.2-alpine 7.3-alpine 7.4-alpine 8.0-alpine 7.5",
        "7.2-alpine 7.4-alpine",
    );
    let listed = Conditions {
        list: Some(listing("3.19 latest")),
        include: own(&["3.*"]),
        ..Conditions::default()
    };
    assert_taken(&listed, "3.19 3.20 latest", "3.19");
}

#[test]
fn a_tag_is_taken_if_any_set_takes_it() {
    let sets = [
        set(Conditions {
            list: Some(listing("latest")),
            ..Conditions::default()
        }),
        set(Conditions {
            semver: Some(">=2".to_owned()),
            ..Conditions::default()
        }),
    ];
    let selection = select(&sets, &listing("1.0 2.0 latest edge"));
    assert_eq!(selection.tags, listing("2.0 latest"));
    assert_eq!(selection.problems, []);
    let found: Vec<(u64, u64)> = selection
        .counts
        .iter()
        .map(|count| (count.found, count.available))
        .collect();
    assert_eq!(found, [(1, 4), (1, 4)]);
}

#[test]
fn every_listed_tag_must_exist() {
    let conditions = Conditions {
        list: Some(listing("a b c")),
        ..Conditions::default()
    };
    let selection = select(&[set(conditions)], &listing("b d"));
    assert_eq!(selection.tags, listing("b"));
    let missing = |text| SelectionProblem::Missing(tag(text));
    assert_eq!(selection.problems, [missing("a"), missing("c")]);
    assert_eq!(selection.problems[0].to_string(), "the tag a does not exist");
}

#[test]
fn fewer_tags_than_asked_for_are_a_problem() {
    let few = |found, available, at_least| {
        vec![SelectionProblem::TooFew {
            found,
            available,
            at_least,
        }]
    };
    for (at_least, include, tags, problems) in [
        (None, "1*", "1.0 2.0", vec![]),
        (None, "9*", "1.0 2.0", few(0, 2, 1)),
        (None, "*", "", few(0, 0, 1)),
        (Some(0), "9*", "1.0", vec![]),
        (Some(2), "1*", "1.0 1.1", vec![]),
        (Some(3), "1*", "1.0 1.1 2.0", few(2, 3, 3)),
    ] {
        let conditions = Conditions {
            include: own(&[include]),
            at_least,
            ..Conditions::default()
        };
        let selection = select(&[set(conditions)], &listing(tags));
        assert_eq!(
            selection.problems, problems,
            "{include} of {tags:?}, at least {at_least:?}"
        );
    }
    let nothing = select(&[], &listing(""));
    assert_eq!(nothing.problems, few(0, 0, 1));
    assert_eq!(
        nothing.problems[0].to_string(),
        "0 of 0 tags match, at least 1 must"
    );
}

#[test]
fn no_set_takes_every_tag_but_attachments() {
    let hex = "a".repeat(64);
    let attachments = format!("sha256-{hex} sha256-{hex}.sig sha256-{hex}.att sha256-{hex}.sbom");
    let near = format!("sha256-{} sha256-{hex}.txt", "a".repeat(63));
    let tags = format!("1.0 latest {attachments} {near}");
    assert_eq!(
        select(&[], &listing(&tags)).tags,
        listing(&format!("1.0 latest {near}"))
    );
    let every = Conditions {
        regex: own(&[".*"]),
        ..Conditions::default()
    };
    assert_taken(&every, &tags, &format!("1.0 latest {near}"));
    let listed = Conditions {
        list: Some(listing(&attachments)),
        ..Conditions::default()
    };
    assert_taken(&listed, &tags, "");
    let only_attachments = select(&[], &listing(&attachments));
    assert_eq!(only_attachments.problems.len(), 1);
}

#[test]
fn what_does_not_compile_is_named() {
    let glob = Conditions {
        include: own(&["a["]),
        ..Conditions::default()
    };
    assert!(matches!(TagSet::new(glob), Err(ConditionError::Glob(text, _)) if text == "a["));
    let regex = Conditions {
        exclude_regex: own(&["("]),
        ..Conditions::default()
    };
    assert!(matches!(TagSet::new(regex), Err(ConditionError::Regex(text, _)) if text == "("));
    // Anchoring must not heal an expression that is broken by itself.
    let healed = Conditions {
        regex: own(&["a)|(b"]),
        ..Conditions::default()
    };
    assert!(matches!(TagSet::new(healed), Err(ConditionError::Regex(text, _)) if text == "a)|(b"));
    let range = Conditions {
        semver: Some(">>1".to_owned()),
        ..Conditions::default()
    };
    assert!(matches!(TagSet::new(range), Err(ConditionError::Range(text, _)) if text == ">>1"));
}

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
    let selection = select(&[set(conditions)], &tags);
    assert_eq!(selection.tags.len(), 5_000);
    assert!(selection.tags.contains(&tag("9.99.9-alpine")));
    assert!(!selection.tags.contains(&tag("9.4.9-alpine")));
}
