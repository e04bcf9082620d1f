//! Ages: `created_within`, beside the other conditions.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use oci::Tag;
use transship_planner::config::{Age, Conditions, Latest, Selection, Youth, select};

use super::{listing, own, set, tag};

/// What is known of tags: `tag=age` in days, `tag=?` where nothing tells, `tag=!` where that can't be learnt, `tag=-` where it is
/// not known yet.
fn ages(text: &str) -> BTreeMap<Tag, String> {
    let pairs = text
        .split_whitespace()
        .map(|pair| pair.split_once('=').expect("a pair"));
    pairs.map(|(name, age)| (tag(name), age.to_owned())).collect()
}

fn youth(age: &str, within: Age) -> Youth {
    match age {
        "?" => Youth::Untold,
        "!" => Youth::Blocked,
        "-" => Youth::Pending,
        days => match days.parse::<u64>().expect("days") * 86_400 <= within.seconds() {
            true => Youth::Young,
            false => Youth::Old,
        },
    }
}

/// Selects, and returns what was looked at too.
fn look(sets: &[Conditions], tags: &str) -> (Selection, BTreeSet<Tag>) {
    let known = ages(tags);
    let asked = RefCell::new(BTreeSet::new());
    let sets: Vec<_> = sets.iter().cloned().map(set).collect();
    let names = known.keys().cloned().collect();
    let selection = select(&sets, &names, &mut |tag, within| {
        asked.borrow_mut().insert(tag.clone());
        youth(&known[tag], within)
    });
    (selection, asked.into_inner())
}

fn within(age: &str) -> Conditions {
    Conditions {
        created_within: Some(age.parse().expect("an age")),
        at_least: Some(0),
        ..Conditions::default()
    }
}

#[test]
fn only_what_is_young_enough_is_taken() {
    for (age, tags, expected) in [
        ("90d", "1.0=10 1.1=90 1.2=91", "1.0 1.1"),
        ("1d", "a=0 b=1 c=2", "a b"),
        ("24h", "a=0 b=1 c=2", "a b"),
        ("1440m", "a=0 b=1 c=2", "a b"),
        ("86400s", "a=0 b=1 c=2", "a b"),
        ("86399s", "a=0 b=1", "a"),
        ("1w", "a=7 b=8", "a"),
        ("90d", "latest=3 edge=200 20240105=80", "latest 20240105"),
        ("90d", "a=? b=1", "b"),
        ("90d", "a=?", ""),
        ("90d", "a=!", ""),
        ("90d", "a=- b=1", ""),
        ("90d", "v1.0=1 1.0=1 1.0_b=91", "v1.0 1.0"),
        ("90d", "1.0-rc1=1 1.0=100", "1.0-rc1"),
        ("999999999w", "a=19000", "a"),
    ] {
        let (selection, asked) = look(&[within(age)], tags);
        assert_eq!(selection.tags, listing(expected), "{age} of {tags}");
        assert_eq!(asked.len(), tags.split_whitespace().count(), "{age} of {tags}");
    }
}

#[test]
fn ages_are_asked_last_and_only_where_all_else_holds() {
    let base = within("90d");
    for (conditions, tags, expected, asked) in [
        (
            Conditions {
                include: own(&["3.*"]),
                ..base.clone()
            },
            "3.1=1 3.2=99 4.0=1",
            "3.1",
            "3.1 3.2",
        ),
        (
            Conditions {
                exclude: own(&["*-rc*"]),
                ..base.clone()
            },
            "1=1 1-rc1=1",
            "1",
            "1",
        ),
        (
            Conditions {
                regex: own(&[r"\d+"]),
                ..base.clone()
            },
            "1=1 2=99 x=1",
            "1",
            "1 2",
        ),
        (
            Conditions {
                exclude_regex: own(&["x.*"]),
                ..base.clone()
            },
            "1=1 x1=1",
            "1",
            "1",
        ),
        (
            Conditions {
                list: Some(listing("a b")),
                ..base.clone()
            },
            "a=1 b=99 c=1",
            "a",
            "a b",
        ),
        (
            Conditions {
                semver: Some("<2".to_owned()),
                ..base.clone()
            },
            "1.0=1 1.1=99 2.0=1 latest=1",
            "1.0",
            "1.0 1.1",
        ),
        (
            Conditions {
                semver: Some("*".to_owned()),
                prerelease: true,
                ..base.clone()
            },
            "1.0-rc1=1 1.0=99 7=1",
            "1.0-rc1",
            "1.0-rc1 1.0",
        ),
    ] {
        let (selection, looked) = look(std::slice::from_ref(&conditions), tags);
        assert_eq!(selection.tags, listing(expected), "{conditions:?} of {tags}");
        assert_eq!(looked, listing(asked), "{conditions:?} of {tags}");
    }
}

#[test]
fn latest_counts_among_what_is_young_and_asks_no_more_than_it_may_need() {
    let minors = |minors, patches| Latest::Minors { minors, patches };
    for (latest, tags, expected, asked) in [
        // The newest are young: nobody looks at the others.
        (Latest::Versions(1), "1.0=1 1.1=1 1.2=1", "1.2", "1.2"),
        (Latest::Versions(2), "1.0=1 1.1=1 1.2=1", "1.1 1.2", "1.1 1.2"),
        // One is old: the next takes its place.
        (Latest::Versions(1), "1.0=1 1.1=1 1.2=99", "1.1", "1.2 1.1"),
        (
            Latest::Versions(2),
            "1.0=1 1.1=99 1.2=1 0.9=1",
            "1.0 1.2",
            "1.0 1.1 1.2",
        ),
        (Latest::Versions(9), "1.0=1 1.1=99", "1.0", "1.0 1.1"),
        (Latest::Versions(1), "1.0=99 1.1=99", "", "1.0 1.1"),
        // What tells nothing is as good as old.
        (Latest::Versions(1), "1.0=1 1.1=?", "1.0", "1.0 1.1"),
        // What can't be learnt keeps its place.
        (Latest::Versions(1), "1.0=1 1.1=!", "", "1.1"),
        (Latest::Versions(2), "1.0=1 1.1=! 1.2=1", "1.2", "1.1 1.2"),
        // A version is young if one of its tags is, and those alone are taken.
        (
            Latest::Versions(1),
            "1.0=1 1.1=99 v1.1=1 1.1.0_b=?",
            "v1.1",
            "1.1 v1.1 1.1.0_b",
        ),
        (Latest::Versions(1), "latest=1 1.0=99 7=1", "", "1.0"),
        // Lines and their patches.
        (minors(1, 1), "1.1.1=1 1.2.1=1 1.2.2=1", "1.2.2", "1.2.2"),
        (
            minors(2, 1),
            "1.1.1=1 1.2.1=1 1.2.2=99",
            "1.1.1 1.2.1",
            "1.1.1 1.2.1 1.2.2",
        ),
        (
            minors(1, 2),
            "1.1.1=1 1.2.1=1 1.2.2=99 1.2.3=1",
            "1.2.1 1.2.3",
            "1.2.1 1.2.2 1.2.3",
        ),
        (
            minors(1, 1),
            "1.1.1=1 1.2.1=99 1.2.2=99",
            "1.1.1",
            "1.1.1 1.2.1 1.2.2",
        ),
        (
            minors(2, 2),
            "1.0.1=1 1.1.1=1 1.1.2=1 1.2.1=1",
            "1.1.1 1.1.2 1.2.1",
            "1.1.1 1.1.2 1.2.1",
        ),
        (minors(2, 1), "2.0=1 1.9=99 1.8=1 1.7=1", "2.0 1.8", "2.0 1.9 1.8"),
        // Nothing is taken before all that may count is known.
        (Latest::Versions(2), "1.0=1 1.1=- 1.2=1", "", "1.1 1.2"),
        (Latest::Versions(1), "1.0=1 1.1=1 1.2=-", "", "1.2"),
        (Latest::Versions(1), "1.0=- 1.1=- 1.2=- 1.3=99", "", "1.3 1.2 1.1"),
        (
            Latest::Versions(1),
            "1.0=- 1.1=- 1.2=- 1.3=99 1.4=99",
            "",
            "1.4 1.3 1.2 1.1 1.0",
        ),
        (
            minors(1, 1),
            "1.0.1=- 1.2.1=- 1.2.2=- 1.2.3=99",
            "",
            "1.2.3 1.2.2 1.2.1",
        ),
    ] {
        let conditions = Conditions {
            latest: Some(latest),
            ..within("90d")
        };
        let (selection, looked) = look(std::slice::from_ref(&conditions), tags);
        assert_eq!(selection.tags, listing(expected), "{latest:?} of {tags}");
        assert_eq!(looked, listing(asked), "{latest:?} of {tags}");
    }
}

#[test]
fn what_is_too_old_counts_as_missing_and_what_can_not_be_learnt_does_not() {
    for (at_least, tags, problems) in [
        (1, "a=1 b=99", 0),
        (2, "a=1 b=99", 1),
        (1, "a=99", 1),
        (1, "a=?", 1),
        (0, "a=99", 0),
        (1, "a=!", 0),
        (2, "a=1 b=!", 0),
        (3, "a=1 b=!", 1),
        (5, "a=1 b=-", 0),
    ] {
        let conditions = Conditions {
            at_least: Some(at_least),
            ..within("90d")
        };
        let (selection, _) = look(&[conditions], tags);
        assert_eq!(selection.problems.len(), problems, "{at_least} of {tags}");
    }
    let listed = Conditions {
        list: Some(listing("a b")),
        at_least: None,
        ..within("90d")
    };
    let (selection, _) = look(&[listed], "b=99");
    assert_eq!(selection.problems[0].to_string(), "the tag a does not exist");
}

#[test]
fn what_nothing_tells_of_is_named_unless_another_set_takes_it() {
    let listed = Conditions {
        list: Some(listing("b")),
        ..Conditions::default()
    };
    let (selection, _) = look(&[within("90d"), listed], "a=? b=? c=1");
    assert_eq!(selection.tags, listing("b c"));
    assert_eq!(selection.untold, listing("a"));
}

#[test]
fn few_of_ten_thousand_tags_are_looked_at_where_few_are_wanted() {
    let tags = |age: &dyn Fn(u32) -> u32| {
        let pairs = (0..10_000).map(|n| format!("{}.{}.{}={}", n / 1_000, n / 10 % 100, n % 10, age(n)));
        pairs.collect::<Vec<_>>().join(" ")
    };
    let three = |latest| Conditions {
        latest: Some(latest),
        ..within("90d")
    };
    let minors = Latest::Minors {
        minors: 3,
        patches: 2,
    };
    for (latest, old, taken, most) in [
        (Latest::Versions(3), 0, 3, 3),
        (minors, 0, 6, 6),
        // The newest hundred are too old.
        (Latest::Versions(3), 100, 3, 103),
        (minors, 100, 6, 106),
        (Latest::Versions(3), 10_000, 0, 10_000),
        (minors, 10_000, 0, 10_000),
    ] {
        let age = |n: u32| if n >= 10_000 - old { 91 } else { 1 };
        let (selection, asked) = look(&[three(latest)], &tags(&age));
        assert_eq!(selection.tags.len(), taken, "{latest:?}, {old} old");
        assert!(asked.len() <= most, "{latest:?}, {old} old: {}", asked.len());
    }
}

/// Asked in rounds, as a survey does: each learns what the last asked for.
#[test]
fn ten_thousand_old_versions_take_few_rounds() {
    let names: BTreeSet<Tag> = (0..10_000)
        .map(|n| tag(&format!("{}.{}.{}", n / 1_000, n / 10 % 100, n % 10)))
        .collect();
    for latest in [
        Latest::Versions(3),
        Latest::Minors {
            minors: 3,
            patches: 1,
        },
    ] {
        let sets = [set(Conditions {
            latest: Some(latest),
            ..within("90d")
        })];
        let mut known: BTreeSet<Tag> = BTreeSet::new();
        let mut rounds = 0;
        loop {
            let mut asked = BTreeSet::new();
            let _ = select(&sets, &names, &mut |tag, _| {
                if known.contains(tag) {
                    return Youth::Old;
                }
                asked.insert(tag.clone());
                Youth::Pending
            });
            if asked.is_empty() {
                break;
            }
            assert!(
                asked.len() <= known.len() + 3,
                "{} of {}",
                asked.len(),
                known.len()
            );
            known.append(&mut asked);
            rounds += 1;
        }
        assert_eq!(known.len(), 10_000);
        assert!(rounds <= 14, "{latest:?}: {rounds} rounds");
    }
}
