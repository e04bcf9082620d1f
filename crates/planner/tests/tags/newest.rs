//! The newest versions: `latest`.

use transship_planner::config::{Conditions, Latest};

use super::assert_taken;

#[test]
fn latest_takes_the_newest_versions_and_all_spellings_of_each() {
    for (latest, prerelease, tags, expected) in [
        (1, false, "1.0 1.1 1.2", "1.2"),
        (2, false, "1.9 1.10 1.2", "1.10 1.9"),
        (9, false, "1.0 1.1", "1.0 1.1"),
        (1, false, "1.2 1.2.0 v1.2.0 1.2_b1 1.1", "1.2 1.2.0 v1.2.0 1.2_b1"),
        (2, false, "1.2 v1.2 1.1 v1.1 1.0", "1.2 v1.2 1.1 v1.1"),
        (1, false, "1.0 latest edge 99", "1.0"),
        (1, false, "2.0-rc1 1.9", "1.9"),
        (1, true, "2.0-rc1 1.9", "2.0-rc1"),
        (1, true, "2.0-rc1 2.0", "2.0"),
        (2, true, "2.0-rc.9 2.0-rc.10 1.0", "2.0-rc.9 2.0-rc.10"),
        (3, false, "latest", ""),
        (1, false, "v9.0 10.0 v8.9", "10.0"),
        (1, false, "2024.01.05 2023.12.31 20251231", "2024.01.05"),
        (
            1,
            false,
            "21.0.2_13-jdk 21.0.2_13-jre 21.0.1_12-jdk",
            "21.0.2_13-jdk 21.0.2_13-jre",
        ),
        // A moving tag is the first of its line.
        (1, false, "3.20 3.20.3 3.19.7", "3.20.3"),
        (2, false, "3.20 3.20.3 3.19.7", "3.20.3 3.20"),
        (
            1,
            false,
            "18446744073709551615.0 1.0 18446744073709551616.0",
            "18446744073709551615.0",
        ),
        (1, false, "", ""),
    ] {
        let conditions = Conditions {
            latest: Some(Latest::Versions(latest)),
            prerelease,
            ..Conditions::default()
        };
        assert_taken(&conditions, tags, expected);
    }
}

#[test]
fn latest_takes_so_many_patches_of_so_many_minor_lines() {
    for (minors, patches, prerelease, tags, expected) in [
        (1, 1, false, "1.1.1 1.2.1 1.2.2", "1.2.2"),
        (2, 1, false, "1.1.1 1.2.1 1.2.2 1.0.9", "1.1.1 1.2.2"),
        (2, 2, false, "1.1.1 1.2.1 1.2.2 1.2.3 1.0.9", "1.1.1 1.2.2 1.2.3"),
        (2, 1, false, "2.0 1.9.9 1.8", "2.0 1.9.9"),
        (1, 1, false, "1.2 v1.2.0 1.1", "1.2 v1.2.0"),
        (9, 9, false, "1.1.1 1.2.1", "1.1.1 1.2.1"),
        (1, 9, false, "1.2 1.2.1 1.2.2 1.1.9", "1.2 1.2.1 1.2.2"),
        (9, 1, false, "1.2 1.2.1 1.1 1.1.5 0.9", "1.2.1 1.1.5 0.9"),
        (
            3,
            1,
            false,
            "3.20.3 3.20 3.19.7 3.19 3.18.12 3.17.10",
            "3.20.3 3.19.7 3.18.12",
        ),
        (2, 1, false, "1.10.1 1.9.1 1.2.1", "1.10.1 1.9.1"),
        // Lines of two majors are two lines.
        (2, 1, false, "2.1.0 1.1.9 1.1.8", "2.1.0 1.1.9"),
        // Prereleases count as versions of their line.
        (1, 1, false, "1.3.0-rc1 1.2.5", "1.2.5"),
        (1, 1, true, "1.3.0-rc1 1.2.5", "1.3.0-rc1"),
        (1, 2, true, "1.3.0-rc1 1.3.0-rc2 1.3.0", "1.3.0 1.3.0-rc2"),
        (1, 1, false, "latest 7 20240105", ""),
        (1, 1, false, "1.2.3_1 1.2.3_2 1.2.2_9", "1.2.3_1 1.2.3_2"),
    ] {
        let conditions = Conditions {
            latest: Some(Latest::Minors { minors, patches }),
            prerelease,
            ..Conditions::default()
        };
        assert_taken(&conditions, tags, expected);
    }
}

#[test]
fn latest_counts_among_the_versions_in_range() {
    for (range, latest, tags, expected) in [
        ("<2", 1, "1.0 1.9 2.0", "1.9"),
        (">=1 <1.5 || >=3", 2, "1.0 1.4 1.9 3.0", "3.0 1.4"),
        ("~1.2", 2, "1.2.1 1.2.2 1.2.3 1.3", "1.2.3 1.2.2"),
        (">9", 1, "1.0", ""),
    ] {
        let conditions = Conditions {
            semver: Some(range.to_owned()),
            latest: Some(Latest::Versions(latest)),
            ..Conditions::default()
        };
        assert_taken(&conditions, tags, expected);
    }
}
