//! Expressions: `regex` and `exclude_regex`.

use transship_planner::config::Conditions;

use super::{assert_taken, own};

#[test]
fn an_expression_matches_the_whole_tag() {
    for (regex, tags, expected) in [
        (&[][..], "a b", "a b"),
        (&["1.1"], "1.1 v1.1 1.10 1x1", "1.1 1x1"),
        (&[r"1\.1"], "1.1 1x1", "1.1"),
        (&[r"v\d+"], "v1 v22 v1a av1", "v1 v22"),
        (&[r"v?\d+\.\d+"], "1.0 v1.0 1 1.0.0 1.0-rc1", "1.0 v1.0"),
        (&["a|b"], "a b ab ax xb", "a b"),
        (&["^a$"], "a ab", "a"),
        (&["a", "b"], "a b c", "a b"),
        (&["(?i)latest"], "LATEST latest x", "LATEST latest"),
        (&[".*"], "a b", "a b"),
        (&["a*"], "aaa b", "aaa"),
        (&[r"\d{4}"], "2024 20245 024", "2024"),
        (
            &[r"\d{4}-\d{2}-\d{2}"],
            "2024-01-05 20240105 2024-1-5",
            "2024-01-05",
        ),
        (
            &[r"\d+\.\d+\.\d+-rc\.\d+"],
            "1.0.0-rc.1 1.0.0 1.0.0-rc1",
            "1.0.0-rc.1",
        ),
        (&["[0-9._]+"], "1.2.3_1 1.2 1.2-a", "1.2.3_1 1.2"),
        (
            &["(?<version>.+)-alpine"],
            "1-alpine 1 x-alpine",
            "1-alpine x-alpine",
        ),
        (&["none"], "a b", ""),
    ] {
        let conditions = Conditions {
            regex: own(regex),
            ..Conditions::default()
        };
        assert_taken(&conditions, tags, expected);
    }
}

#[test]
fn an_excluding_expression_matches_the_whole_tag_too() {
    for (regex, tags, expected) in [
        (&[][..], "a b", "a b"),
        (&["a"], "a ab ba", "ab ba"),
        (&["a.*"], "a ab ba", "ba"),
        (&[".*-(rc|beta).*"], "1 1-rc1 1-beta 1-final 1rc", "1 1-final 1rc"),
        (&["a|b"], "a b ab", "ab"),
        (&["a", "b"], "a b ab", "ab"),
        (&[r"\d+"], "1 20240105 1.0 v1", "1.0 v1"),
        (&[r"v.*"], "v1.0 1.0", "1.0"),
        (&[".*_.*"], "1.0_b1 1.0", "1.0"),
        (
            &[r".*\d(a|b|rc)\d+.*"],
            "3.13.0 3.13.0a1 3.13.0rc2-slim 3.12-alpine3.19",
            "3.13.0 3.12-alpine3.19",
        ),
        (&["(?i)latest.*"], "latest LATEST-dev edge", "edge"),
        (&[r"[^.]*\.[^.]*"], "1.2 1.2.3 1", "1.2.3 1"),
        (&[r"\d{8}"], "20240105 2024010 202401055", "2024010 202401055"),
        (&[".*"], "a b", ""),
        (&["none"], "a b", "a b"),
    ] {
        let conditions = Conditions {
            exclude_regex: own(regex),
            ..Conditions::default()
        };
        assert_taken(&conditions, tags, expected);
    }
}

#[test]
fn what_an_expression_excludes_no_other_takes() {
    for (regex, exclude, tags, expected) in [
        (&["a.*"][..], &[".*z"][..], "ab az b", "ab"),
        (&["a", "a.*"], &["ab", "ac"], "a ab ac ad", "a ad"),
        (&["a"], &["a"], "a b", ""),
    ] {
        let conditions = Conditions {
            regex: own(regex),
            exclude_regex: own(exclude),
            ..Conditions::default()
        };
        assert_taken(&conditions, tags, expected);
    }
}
