//! Globs: `include` and `exclude`.

use transship_planner::config::Conditions;

use super::{assert_taken, own};

#[test]
fn included_is_what_one_of_the_globs_matches() {
    for (globs, tags, expected) in [
        (&[][..], "a b", "a b"),
        (&["*"], "a b 1.0-rc1", "a b 1.0-rc1"),
        (&["3.*"], "3.18 3.19 4.0 13.1 3", "3.18 3.19"),
        (&["3.*", "4.*"], "3.18 4.0 5.0", "3.18 4.0"),
        (&["*-alpine"], "7.4-alpine 7.4 7.4-alpine3.19", "7.4-alpine"),
        (
            &["*-alpine*"],
            "7.4-alpine 7.4 7.4-alpine3.19",
            "7.4-alpine 7.4-alpine3.19",
        ),
        (&["v?"], "v1 v10 v", "v1"),
        (&["v[12]"], "v1 v2 v3", "v1 v2"),
        (&["[0-9]*"], "1 22 v1 latest", "1 22"),
        (&["[!v]*"], "v1 1 latest", "1 latest"),
        (&["{a,b}*"], "a1 b1 c1", "a1 b1"),
        (&["latest"], "latest latest-dev Latest", "latest"),
        (&["A"], "a A", "A"),
        (&["1.2"], "1.2 1x2 11.2", "1.2"),
        (&["1.2.3_*"], "1.2.3_b1 1.2.3 1.2.3-b1", "1.2.3_b1"),
        (
            &["20[0-9][0-9][01]*"],
            "20240105 20241231 20991 2024",
            "20240105 20241231 20991",
        ),
        // No tag has a `/`, so that both kinds of stars are one.
        (&["v1**"], "v1 v1.2 v2", "v1 v1.2"),
        (&["none*"], "a b", ""),
    ] {
        let conditions = Conditions {
            include: own(globs),
            ..Conditions::default()
        };
        assert_taken(&conditions, tags, expected);
    }
}

#[test]
fn excluded_is_what_any_of_the_globs_matches() {
    for (globs, tags, expected) in [
        (&[][..], "a b", "a b"),
        (&["*"], "a b", ""),
        (&["*-rc*"], "1.0 1.0-rc1 1.0-rc.2 1.0rc1", "1.0 1.0rc1"),
        (&["latest", "edge"], "latest edge 1", "1"),
        (&["*-*"], "1.0 1.0-rc1 1.0_b1 1.0-alpine", "1.0 1.0_b1"),
        (
            &["*[ab][0-9]*"],
            "3.13.0 3.13.0a1 3.13.0b2-slim 3.13.0rc1",
            "3.13.0 3.13.0rc1",
        ),
        (&["v*"], "v1.0 1.0 V1", "1.0 V1"),
        (&["?"], "1 10 x", "10"),
        (&["20*"], "20240105 2.0 1.20", "2.0 1.20"),
        (&["*.*.*"], "1.2 1.2.3 1", "1.2 1"),
        (&["*_*"], "1.2.3_b1 1.2.3", "1.2.3"),
        (
            &["*windows*", "*nanoserver*"],
            "8-jdk 8-jdk-windowsservercore 8-jdk-nanoserver-1809",
            "8-jdk",
        ),
        (&["{latest,edge}-*"], "latest latest-dev edge-dev", "latest"),
        (&["Latest"], "latest Latest", "latest"),
        (&["none"], "a b", "a b"),
    ] {
        let conditions = Conditions {
            exclude: own(globs),
            ..Conditions::default()
        };
        assert_taken(&conditions, tags, expected);
    }
}

#[test]
fn what_is_excluded_is_not_included() {
    for (include, exclude, tags, expected) in [
        ("3.*", "*-dev", "3.1 3.1-dev 4.0", "3.1"),
        ("a", "a", "a b", ""),
        ("*", "a", "a b", "b"),
        ("a*", "*b", "a ab abc", "a abc"),
    ] {
        let conditions = Conditions {
            include: own(&[include]),
            exclude: own(&[exclude]),
            ..Conditions::default()
        };
        assert_taken(&conditions, tags, expected);
    }
}
