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

#[test]
fn a_tag_is_taken_if_any_set_takes_it() {
    let sets = [
        set(Conditions {
            list: Some(listing("latest")),
            ..Conditions::default()
        }),
        set(Conditions {
            semver: Some(">=2".to_owned()),
            ..Conditions::default()
        }),
    ];
    let selection = pick(&sets, &listing("1.0 2.0 latest edge"));
    assert_eq!(selection.tags, listing("2.0 latest"));
    assert_eq!(selection.problems, []);
    let found: Vec<(u64, u64)> = selection
        .counts
        .iter()
        .map(|count| (count.found, count.available))
        .collect();
    assert_eq!(found, [(1, 4), (1, 4)]);
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
