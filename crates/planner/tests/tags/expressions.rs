//! Expressions: `regex` and `exclude_regex`.

use transship_planner::config::Conditions;

use super::{assert_taken, own};

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
