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
            ">=2024",
            false,
            "2024.01.05 2023.12.31 2024-01-05 20240105",
            "2024.01.05",
        ),
        (">=0", false, "0.0.1 0.0 v0.1 00.1", "0.0.1 0.0 v0.1 00.1"),
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
fn prereleases_are_left_out_unless_they_are_admitted() {
    for (range, tags, releases, prereleases) in [
        ("*", "1.0.0 1.0.0-rc.1", "1.0.0", "1.0.0-rc.1"),
        ("*", "v1.0 v1.0-beta", "v1.0", "v1.0-beta"),
        ("*", "1.0-alpine 1.0", "1.0", "1.0-alpine"),
        ("*", "1.0_b1 1.0-rc1_b1", "1.0_b1", "1.0-rc1_b1"),
        ("*", "1.0-rc.1.2 1.0-x-y.z", "", "1.0-rc.1.2 1.0-x-y.z"),
        ("*", "1-rc1 1.0rc1 1.0.0.0-rc1 2024-01-05", "", ""),
        // In range is what its release is in range of.
        ("<4", "4.0.0-rc.1 3.9.9-rc.1 3.9.9", "3.9.9", "3.9.9-rc.1"),
        (">=4", "4.0.0-rc.1 3.9.9-rc.1 4.0.0", "4.0.0", "4.0.0-rc.1"),
        (">3.19", "3.19.5-x 3.20.0-x", "", "3.20.0-x"),
        ("~1.2", "1.2.9-rc1 1.3.0-rc1 1.2.1", "1.2.1", "1.2.9-rc1"),
        ("^1", "1.9-a 2.0-a 1.1", "1.1", "1.9-a"),
        ("!=1.0", "1.0.1-a 1.1-a 1.1", "1.1", "1.1-a"),
        ("1.2.3", "1.2.3-a 1.2.4-a 1.2.3", "1.2.3", "1.2.3-a"),
        ("1.0 - 1.2", "1.2.9-a 1.3.0-a 1.0", "1.0", "1.2.9-a"),
        ("<1 || >2", "0.9-a 1.5-a 3.1-a 0.1", "0.1", "0.9-a 3.1-a"),
    ] {
        let conditions = |prerelease| Conditions {
            semver: Some(range.to_owned()),
            prerelease,
            ..Conditions::default()
        };
        assert_taken(&conditions(false), tags, releases);
        assert_taken(&conditions(true), tags, &format!("{releases} {prereleases}"));
    }
}

/// A bound that is a prerelease itself tells apart those of its release.
#[test]
fn a_bound_that_is_a_prerelease_orders_prereleases() {
    let tags = "1.0.0-alpha 1.0.0-rc.2 1.0.0-rc.10 1.0.0 1.0.1-alpha 0.9.9";
    for (range, expected) in [
        (">=1.0.0-rc.2", "1.0.0-rc.2 1.0.0-rc.10 1.0.0 1.0.1-alpha"),
        (">1.0.0-rc.2", "1.0.0-rc.10 1.0.0 1.0.1-alpha"),
        ("<1.0.0-rc.10", "1.0.0-alpha 1.0.0-rc.2 0.9.9"),
        ("<=1.0.0-rc.10", "1.0.0-alpha 1.0.0-rc.2 1.0.0-rc.10 0.9.9"),
        ("1.0.0-rc.2", "1.0.0-rc.2"),
        ("!=1.0.0-rc.2", "1.0.0-alpha 1.0.0-rc.10 1.0.0 1.0.1-alpha 0.9.9"),
        ("^1.0.0-rc.2", "1.0.0-rc.2 1.0.0-rc.10 1.0.0 1.0.1-alpha"),
    ] {
        let conditions = Conditions {
            semver: Some(range.to_owned()),
            prerelease: true,
            ..Conditions::default()
        };
        assert_taken(&conditions, tags, expected);
    }
}

#[test]
fn the_group_version_is_what_ranges_read() {
    for (regex, semver, prerelease, tags, expected) in [
        (
            "(?<version>.+)-alpine",
            None,
            false,
            "7.2-alpine x-alpine 7.2",
            "7.2-alpine x-alpine",
        ),
        (
            "(?<version>.+)-alpine",
            Some("*"),
            false,
            "7.2-alpine x-alpine 7.2",
            "7.2-alpine",
        ),
        (
            "(?<version>.+)-alpine",
            Some(">=7.4"),
            false,
            "7.2-alpine 7.4-alpine 7.4.1-alpine 7.4.1",
            "7.4-alpine 7.4.1-alpine",
        ),
        (
            "(?<version>.+)-alpine",
            Some(">=7.4"),
            false,
            "8.0-rc1-alpine 7.4-alpine",
            "7.4-alpine",
        ),
        (
            "(?<version>.+)-alpine",
            Some(">=7.4"),
            true,
            "8.0-rc1-alpine 7.4-alpine",
            "8.0-rc1-alpine 7.4-alpine",
        ),
        (
            "(?<version>.+)-alpine",
            Some("*"),
            false,
            "7-alpine 7.4.1.2-alpine latest-alpine",
            "",
        ),
        (r"v(?<version>.+)", Some("<2"), false, "v1.0 v2.0 1.0", "v1.0"),
        // The `v` may stand in the group too.
        (
            r"release-(?<version>v?[\d.]+)",
            Some("^1"),
            false,
            "release-v1.2 release-1.3 release-2.0 1.0",
            "release-v1.2 release-1.3",
        ),
        (
            r"(?<version>\d+\.\d+)-slim-(bookworm|bullseye)",
            Some(">=3.11"),
            false,
            "3.12-slim-bookworm 3.10-slim-bullseye 3.12-slim",
            "3.12-slim-bookworm",
        ),
        (
            r"(?<version>[\d.]+_\d+)-jre",
            Some("21.x"),
            false,
            "21.0.2_13-jre 17.0.1_12-jre 21.0.2_13-jdk",
            "21.0.2_13-jre",
        ),
        (
            r"\d{8}-(?<version>.+)",
            Some(">=1"),
            false,
            "20240105-1.0 20240106-0.9 1.0",
            "20240105-1.0",
        ),
        (
            "(?P<version>.+)-alpine",
            Some(">7.3"),
            false,
            "7.2-alpine 7.4-alpine",
            "7.4-alpine",
        ),
        // Where the group takes no part, the whole tag is the version.
        (
            "(?<version>[0-9.]+)-a|.*",
            Some(">=1"),
            false,
            "1.0-a 2.0 x",
            "1.0-a 2.0",
        ),
        // Another group is none.
        ("(?<number>.+)-alpine", Some("*"), false, "7.2-alpine", ""),
        (
            "(?<number>.+)-alpine",
            Some("*"),
            true,
            "7.2-alpine",
            "7.2-alpine",
        ),
    ] {
        let conditions = Conditions {
            regex: own(&[regex]),
            semver: semver.map(str::to_owned),
            prerelease,
            ..Conditions::default()
        };
        assert_taken(&conditions, tags, expected);
    }
}

#[test]
fn the_group_version_is_what_latest_reads() {
    let tags = "7.2-alpine 7.4-alpine 7.4.1-alpine 7.4.1 latest-alpine 8.0-rc1-alpine";
    for (semver, latest, prerelease, expected) in [
        (None, 1, false, "7.4.1-alpine"),
        (None, 2, false, "7.4-alpine 7.4.1-alpine"),
        (None, 1, true, "8.0-rc1-alpine"),
        (Some("<7.4"), 5, false, "7.2-alpine"),
    ] {
        let conditions = Conditions {
            regex: own(&["(?<version>.+)-alpine"]),
            semver: semver.map(str::to_owned),
            latest: Some(Latest::Versions(latest)),
            prerelease,
            ..Conditions::default()
        };
        assert_taken(&conditions, tags, expected);
    }
    // Of several expressions the first that matches says where the version stands.
    let both = Conditions {
        regex: own(&["(?<version>.+)-alpine", r"v(?<version>.+)"]),
        semver: Some(">=2".to_owned()),
        ..Conditions::default()
    };
    assert_taken(&both, "v1.0 v2.0 2.1-alpine 1.1-alpine 3.0", "v2.0 2.1-alpine");
}
