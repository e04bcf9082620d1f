//! The newest versions: `latest`.

use transship_planner::config::{Conditions, Latest};

use super::assert_taken;

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
