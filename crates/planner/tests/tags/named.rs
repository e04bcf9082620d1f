//! Tags and manifests by name: `list`, `digests`; and how many there must be: `at_least`.

use transship_planner::config::{Conditions, SelectionProblem};

use super::{listing, own, pick, set, tag};

#[test]
fn every_listed_tag_must_exist() {
    let conditions = Conditions {
        list: Some(listing("a b c")),
        ..Conditions::default()
    };
    let selection = pick(&[set(conditions)], &listing("b d"));
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
        let selection = pick(&[set(conditions)], &listing(tags));
        assert_eq!(
            selection.problems, problems,
            "{include} of {tags:?}, at least {at_least:?}"
        );
    }
    let nothing = pick(&[], &listing(""));
    assert_eq!(nothing.problems, few(0, 0, 1));
    assert_eq!(
        nothing.problems[0].to_string(),
        "0 of 0 tags match, at least 1 must"
    );
}
