//! Conditions together, and sets together.

use transship_planner::config::{Conditions, Latest};

use super::{assert_taken, listing, own, pick, set};

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

/// Sets are parted by `;`; each is a range, or tags behind a `=`.
#[test]
fn a_tag_is_taken_if_any_set_takes_it() {
    for (sets, tags, expected, counts) in [
        ("= latest; >=2", "1.0 2.0 latest edge", "2.0 latest", "1/4 1/4"),
        (">=2; = latest", "1.0 2.0 latest edge", "2.0 latest", "1/4 1/4"),
        (">=2; >=3", "1.0 2.0 3.0", "2.0 3.0", "2/3 1/3"),
        ("<2; >=2", "1.0 2.0 latest", "1.0 2.0", "1/3 1/3"),
        ("= a; = b; = c", "a b c d", "a b c", "1/4 1/4 1/4"),
        ("= a b; = b c", "a b c", "a b c", "2/3 2/3"),
        ("= v1.0; 1.0", "v1.0 1.0 1.0.0", "v1.0 1.0 1.0.0", "1/3 3/3"),
        ("1.0; 3.0", "1.0 2.0 3.0", "1.0 3.0", "1/3 1/3"),
        ("*; = latest", "1.0 latest 7", "1.0 latest", "1/3 1/3"),
        ("= 20240105; >=1", "20240105 1.0", "20240105 1.0", "1/2 1/2"),
        ("= 1.0-rc1; >=1", "1.0-rc1 1.0", "1.0-rc1 1.0", "1/2 1/2"),
        (">=1; >=1", "1.0", "1.0", "1/1 1/1"),
        ("~1.2; ~1.3", "1.2.1 1.3.1 1.4.1", "1.2.1 1.3.1", "1/3 1/3"),
        (">=9; = a", "a 1.0", "a", "0/2 1/2"),
        (
            "= 3.13.0rc1; ~3.12; ~3.11",
            "3.13.0rc1 3.12.1 3.11.7 3.10.1",
            "3.13.0rc1 3.12.1 3.11.7",
            "1/4 1/4 1/4",
        ),
    ] {
        let sets: Vec<_> = sets
            .split(';')
            .map(|text| match text.trim().strip_prefix('=') {
                Some(tags) => Conditions {
                    list: Some(listing(tags)),
                    ..Conditions::default()
                },
                None => Conditions {
                    semver: Some(text.trim().to_owned()),
                    at_least: Some(0),
                    ..Conditions::default()
                },
            })
            .map(set)
            .collect();
        let selection = pick(&sets, &listing(tags));
        assert_eq!(selection.tags, listing(expected), "{sets:?} of {tags}");
        assert_eq!(selection.problems, [], "{sets:?} of {tags}");
        let told = selection
            .counts
            .iter()
            .map(|count| format!("{}/{}", count.found, count.available));
        assert_eq!(told.collect::<Vec<_>>().join(" "), counts, "{sets:?} of {tags}");
    }
}

/// Each set must take its own.
#[test]
fn a_set_that_takes_too_few_is_told_though_others_take_enough() {
    let sets = [">=1", ">=9"].map(|range| {
        set(Conditions {
            semver: Some(range.to_owned()),
            ..Conditions::default()
        })
    });
    let selection = pick(&sets, &listing("1.0 2.0"));
    assert_eq!(selection.tags, listing("1.0 2.0"));
    assert_eq!(selection.problems.len(), 1);
}

#[test]
fn no_set_takes_every_tag_but_attachments() {
    let hex = "a".repeat(64);
    let attachments = format!("sha256-{hex} sha256-{hex}.sig sha256-{hex}.att sha256-{hex}.sbom");
    let near = format!("sha256-{} sha256-{hex}.txt", "a".repeat(63));
    let tags = format!("1.0 latest {attachments} {near}");
    assert_eq!(
        pick(&[], &listing(&tags)).tags,
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
    let only_attachments = pick(&[], &listing(&attachments));
    assert_eq!(only_attachments.problems.len(), 1);
}
