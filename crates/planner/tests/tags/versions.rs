//! Versions: `semver`, `prerelease`, and the part of a tag that is one.

use transship_planner::config::{Conditions, Latest};

use super::{assert_taken, own};

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
