//! A configuration that is not text yet. Every text in it is in our syntax already: what is foreign went through
//! [`literal`](super::quote::literal).

use oci::Digest;

use super::book::Book;
use super::report::At;

/// Registries, and what becomes of them.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) book: Book,
    pub(super) items: Vec<Item>,
}

/// What stands in the list of mirrors, in the order of the file that it comes from.
#[derive(Debug)]
pub(super) enum Item {
    Mirror(Mirror),
    LeftOut(LeftOut),
}

/// Something that no mirror says: what it was, and why.
#[derive(Debug)]
pub(super) struct LeftOut {
    pub(super) at: At,
    pub(super) what: String,
    pub(super) why: String,
}

/// One mirror.
#[derive(Debug)]
pub(super) struct Mirror {
    pub(super) at: At,
    pub(super) name: Option<String>,
    pub(super) from: From,
    pub(super) to: Vec<String>,
    /// No set takes every tag.
    pub(super) tags: Vec<Set>,
    pub(super) check: Option<&'static str>,
    pub(super) referrers: Option<&'static str>,
    pub(super) foreign_layers: Option<&'static str>,
    /// What the user is told beside it.
    pub(super) comments: Vec<String>,
    /// Why it is written as a comment alone.
    pub(super) left_out: Option<String>,
}

impl Mirror {
    pub(super) fn new(at: At, from: From, to: Vec<String>) -> Self {
        Self {
            at,
            name: None,
            from,
            to,
            tags: Vec::new(),
            check: None,
            referrers: None,
            foreign_layers: None,
            comments: Vec::new(),
            left_out: None,
        }
    }
}

/// Sources.
#[derive(Debug)]
pub(super) enum From {
    References(Vec<String>),
    Search { registry: String, globs: Vec<String> },
}

/// One set of tag conditions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Set {
    pub(super) list: Vec<String>,
    pub(super) digests: Vec<String>,
    pub(super) regex: Vec<String>,
    pub(super) exclude_regex: Vec<String>,
    pub(super) semver: Option<String>,
    pub(super) prerelease: bool,
    pub(super) latest: Option<u64>,
    pub(super) at_least: Option<u64>,
}

impl Set {
    pub(super) fn list(tags: Vec<String>) -> Self {
        Self {
            list: tags,
            ..Self::default()
        }
    }

    pub(super) fn digests(digests: &[Digest]) -> Self {
        Self {
            digests: digests.iter().map(ToString::to_string).collect(),
            ..Self::default()
        }
    }

    pub(super) fn regex(expression: String) -> Self {
        Self {
            regex: vec![expression],
            ..Self::default()
        }
    }
}
