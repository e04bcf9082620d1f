//! Which tags a list of sets takes, rule by rule.

#[path = "tags/ages.rs"]
mod ages;
#[path = "tags/expressions.rs"]
mod expressions;
#[path = "tags/globs.rs"]
mod globs;
#[path = "tags/many.rs"]
mod many;
#[path = "tags/named.rs"]
mod named;
#[path = "tags/newest.rs"]
mod newest;
#[path = "tags/real.rs"]
mod real;
#[path = "tags/united.rs"]
mod united;
#[path = "tags/versions.rs"]
mod versions;

use std::collections::BTreeSet;

use oci::Tag;
use transship_planner::config::{ConditionError, Conditions, Selection, TagSet, Youth, select};

fn tag(text: &str) -> Tag {
    text.parse().expect("a tag")
}

fn listing(tags: &str) -> BTreeSet<Tag> {
    tags.split_whitespace().map(tag).collect()
}

fn own(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

fn set(conditions: Conditions) -> TagSet {
    TagSet::new(conditions).expect("the conditions compile")
}

/// Selects where no condition asks how old a tag is.
fn pick(sets: &[TagSet], tags: &BTreeSet<Tag>) -> Selection {
    select(sets, tags, &mut |tag, _| -> Youth {
        panic!("nobody asks how old {tag} is")
    })
}

fn take(conditions: Conditions, tags: &str) -> Selection {
    let at_least = Some(0);
    pick(
        &[set(Conditions {
            at_least,
            ..conditions
        })],
        &listing(tags),
    )
}

#[track_caller]
fn assert_taken(conditions: &Conditions, tags: &str, expected: &str) {
    let taken = take(conditions.clone(), tags);
    assert_eq!(taken.tags, listing(expected), "{conditions:?} of {tags}");
    assert_eq!(taken.problems, [], "{conditions:?}");
}

#[test]
fn what_does_not_compile_is_named() {
    let glob = Conditions {
        include: own(&["a["]),
        ..Conditions::default()
    };
    assert!(matches!(TagSet::new(glob), Err(ConditionError::Glob(text, _)) if text == "a["));
    let regex = Conditions {
        exclude_regex: own(&["("]),
        ..Conditions::default()
    };
    assert!(matches!(TagSet::new(regex), Err(ConditionError::Regex(text, _)) if text == "("));
    // Anchoring must not heal an expression that is broken by itself.
    let healed = Conditions {
        regex: own(&["a)|(b"]),
        ..Conditions::default()
    };
    assert!(matches!(TagSet::new(healed), Err(ConditionError::Regex(text, _)) if text == "a)|(b"));
    let range = Conditions {
        semver: Some(">>1".to_owned()),
        ..Conditions::default()
    };
    assert!(matches!(TagSet::new(range), Err(ConditionError::Range(text, _)) if text == ">>1"));
}
