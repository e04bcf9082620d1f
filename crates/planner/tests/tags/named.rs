//! Tags and manifests by name: `list`, `digests`; and how many there must be: `at_least`.

use std::collections::BTreeSet;

use oci::Digest;
use transship_planner::config::{Conditions, Count, SelectionProblem, shortfalls};

use super::{listing, own, pick, set, tag};

#[test]
fn listed_tags_are_taken_and_every_one_must_exist() {
    for (list, tags, expected, missing) in [
        ("a", "a b", "a", ""),
        ("a b", "a b c", "a b", ""),
        ("a b c", "b d", "b", "a c"),
        ("a", "", "", "a"),
        ("a", "A", "", "a"),
        ("latest 3.19", "latest 3.19 3.19.1 3", "latest 3.19", ""),
        ("v1.0", "1.0 v1.0.0", "", "v1.0"),
        ("1.0", "1.0.0 v1.0", "", "1.0"),
        ("1.2.3_b1", "1.2.3_b1 1.2.3", "1.2.3_b1", ""),
        ("1.0-rc1", "1.0-rc1 1.0", "1.0-rc1", ""),
        ("20240105", "20240105 2024-01-05", "20240105", ""),
        ("7", "7 7.4", "7", ""),
        ("_a", "_a a", "_a", ""),
        ("a.b_c-d", "a.b_c-d", "a.b_c-d", ""),
        ("3.13.0rc1 3.13.0b4", "3.13.0rc1 3.13.0", "3.13.0rc1", "3.13.0b4"),
    ] {
        let conditions = Conditions {
            list: Some(listing(list)),
            ..Conditions::default()
        };
        let selection = pick(&[set(conditions)], &listing(tags));
        assert_eq!(selection.tags, listing(expected), "{list} of {tags}");
        let missing: Vec<_> = listing(missing)
            .into_iter()
            .map(SelectionProblem::Missing)
            .collect();
        assert_eq!(selection.problems, missing, "{list} of {tags}");
    }
    let problem = SelectionProblem::Missing(tag("a"));
    assert_eq!(problem.to_string(), "the tag a does not exist");
}

/// Other conditions narrow a list, which must exist all the same.
#[test]
fn a_listed_tag_that_another_condition_drops_is_not_missing() {
    let conditions = Conditions {
        list: Some(listing("3.19 latest gone")),
        include: own(&["3.*"]),
        ..Conditions::default()
    };
    let selection = pick(&[set(conditions)], &listing("3.19 3.20 latest"));
    assert_eq!(selection.tags, listing("3.19"));
    assert_eq!(selection.problems, [SelectionProblem::Missing(tag("gone"))]);
}

fn digests(words: &str) -> BTreeSet<Digest> {
    words
        .split_whitespace()
        .map(|word| Digest::sha256(word.as_bytes()))
        .collect()
}

/// Sets are parted by `;`, digests stand behind an `@`. Whether a digest exists is asked of the registry, not of its tags.
#[test]
fn digests_are_taken_whatever_the_tags_are() {
    for (sets, tags, taken, named, counts) in [
        ("@ a", "", "", "a", "1/1"),
        ("@ a", "x y", "", "a", "1/1"),
        ("@ a b c", "x", "", "a b c", "3/3"),
        ("@ a; x", "x y", "x", "a", "1/1 1/2"),
        ("x; @ a", "x y", "x", "a", "1/2 1/1"),
        ("@ a; @ b", "x", "", "a b", "1/1 1/1"),
        ("@ a b; @ b c", "x", "", "a b c", "2/2 2/2"),
        ("@ a; x y", "x y z", "x y", "a", "1/1 2/3"),
        ("@ a; x; y", "x y z", "x y", "a", "1/1 1/3 1/3"),
        ("@ a; @ a", "", "", "a", "1/1 1/1"),
        ("x; y; @ a b", "x y", "x y", "a b", "1/2 1/2 2/2"),
        ("@ 1.0", "1.0", "", "1.0", "1/1"),
        ("@ v1; v1", "v1", "v1", "v1", "1/1 1/1"),
        ("@ a; latest", "latest 20240105", "latest", "a", "1/1 1/2"),
        ("@ a b c d e f g h", "x", "", "a b c d e f g h", "8/8"),
    ] {
        let sets: Vec<_> = sets
            .split(';')
            .map(|text| match text.trim().strip_prefix('@') {
                Some(words) => Conditions {
                    digests: Some(digests(words)),
                    ..Conditions::default()
                },
                None => Conditions {
                    list: Some(listing(text)),
                    ..Conditions::default()
                },
            })
            .map(set)
            .collect();
        let selection = pick(&sets, &listing(tags));
        assert_eq!(selection.tags, listing(taken), "{sets:?}");
        assert_eq!(selection.digests, digests(named), "{sets:?}");
        let told = selection
            .counts
            .iter()
            .map(|count| format!("{}/{}", count.found, count.available));
        assert_eq!(told.collect::<Vec<_>>().join(" "), counts, "{sets:?}");
        assert_eq!(selection.problems, [], "{sets:?}");
    }
}

#[test]
fn fewer_tags_than_asked_for_are_a_problem() {
    for (at_least, include, tags, found) in [
        (None, "1*", "1.0 2.0", None),
        (None, "9*", "1.0 2.0", Some(0)),
        (None, "*", "", Some(0)),
        (Some(0), "9*", "1.0", None),
        (Some(0), "*", "", None),
        (Some(1), "1*", "1.0", None),
        (Some(1), "v*", "1.0", Some(0)),
        (Some(2), "1*", "1.0 1.1", None),
        (Some(2), "1*", "1.0 1.1 1.2", None),
        (Some(2), "v*", "v1.0 1.0 v1.0.0", None),
        (Some(3), "1*", "1.0 1.1 2.0", Some(2)),
        (Some(2), "*-rc*", "1.0-rc1 1.0", Some(1)),
        (Some(2), "2024*", "20240105 2024.01 2023", None),
        (Some(3), "2024*", "20240105 2024.01 2023", Some(2)),
        (Some(u64::MAX), "*", "a b", Some(2)),
    ] {
        let conditions = Conditions {
            include: own(&[include]),
            at_least,
            ..Conditions::default()
        };
        let tags = listing(tags);
        let selection = pick(&[set(conditions)], &tags);
        let problem = found.map(|found| SelectionProblem::TooFew {
            found,
            available: tags.len() as u64,
            at_least: at_least.unwrap_or(1),
        });
        let problems: Vec<_> = problem.into_iter().collect();
        assert_eq!(
            selection.problems, problems,
            "{include} of {tags:?}, at least {at_least:?}"
        );
    }
    let nothing = pick(&[], &listing(""));
    assert_eq!(
        nothing.problems[0].to_string(),
        "0 of 0 tags match, at least 1 must"
    );
}

/// Tags count, not versions: all spellings of one do.
#[test]
fn every_tag_of_a_version_counts() {
    let conditions = |at_least| Conditions {
        semver: Some("*".to_owned()),
        at_least: Some(at_least),
        ..Conditions::default()
    };
    let tags = listing("1.0 v1.0 1.0.0 latest");
    assert_eq!(pick(&[set(conditions(3))], &tags).problems, []);
    assert_eq!(pick(&[set(conditions(4))], &tags).problems.len(), 1);
}

/// For what a glob finds the counts of all sources are one.
#[test]
fn several_sources_count_together() {
    let sets = [
        set(Conditions {
            at_least: Some(3),
            ..Conditions::default()
        }),
        set(Conditions::default()),
    ];
    let count = |found, available| Count { found, available };
    assert_eq!(shortfalls(&sets, &[count(3, 9), count(1, 9)]), []);
    assert_eq!(shortfalls(&sets, &[count(2, 9), count(0, 9)]).len(), 2);
    assert_eq!(shortfalls(&[], &[count(0, 0)]).len(), 1);
}
