//! Tag conditions, and what they take of a listing.

use std::collections::{BTreeMap, BTreeSet};

use globset::{Glob, GlobBuilder, GlobSet, GlobSetBuilder};
use oci::{AttachmentTag, Digest, Tag};
use regex::Regex;
use serde::Serialize;

use super::age::Age;
use super::newest::{Taken, newest};
use super::range::Range;
use super::version::Version;

/// The conditions of one set, as written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Conditions {
    /// Globs of which one must match; none matches everything.
    pub include: Vec<String>,
    /// Globs of which none may match.
    pub exclude: Vec<String>,
    /// Expressions of which one must match the whole tag; none matches everything.
    pub regex: Vec<String>,
    /// Expressions of which none may match the whole tag.
    pub exclude_regex: Vec<String>,
    /// The tags themselves. All of them must exist.
    pub list: Option<BTreeSet<Tag>>,
    /// Manifests instead of tags. All of them must exist.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digests: Option<BTreeSet<Digest>>,
    /// A range of versions.
    pub semver: Option<String>,
    /// Whether prereleases count as versions.
    pub prerelease: bool,
    /// What was made so long ago at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_within: Option<Age>,
    /// The newest versions only, of those for which all else holds.
    pub latest: Option<Latest>,
    /// How many tags must be taken; one where nothing is said.
    pub at_least: Option<u64>,
}

/// Which versions are the newest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Latest {
    /// So many versions.
    Versions(u64),
    /// So many minor lines, and so many versions of each.
    Minors {
        /// Minor lines, such as 3.19 and 3.20.
        minors: u64,
        /// Versions of each.
        patches: u64,
    },
}

/// Whether what a tag names was made within a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Youth {
    /// It was.
    Young,
    /// It was made before.
    Old,
    /// Nothing tells when it was made.
    Untold,
    /// That can't be learnt.
    Blocked,
    /// That is not known yet.
    Pending,
}

/// Why conditions can't be applied. Names the text in question.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConditionError {
    /// Not a glob.
    #[error("`{0}` is not a glob: {1}")]
    Glob(String, String),
    /// Not an expression.
    #[error("`{0}` is not a regular expression: {1}")]
    Regex(String, String),
    /// Not a range.
    #[error("`{0}` is not a range of versions: {1}")]
    Range(String, String),
}

/// One set of tag conditions; all of them must hold.
#[derive(Clone, Debug)]
pub struct TagSet {
    conditions: Conditions,
    include: Option<GlobSet>,
    exclude: GlobSet,
    regex: Vec<Regex>,
    exclude_regex: Vec<Regex>,
    semver: Option<Range>,
}

/// What a list of sets takes from a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// The tags taken. A set of which not all ages are known yet takes none.
    pub tags: BTreeSet<Tag>,
    /// The manifests taken without a tag. Whether they exist is another question.
    pub digests: BTreeSet<Digest>,
    /// The tags not taken because nothing tells when they were made.
    pub untold: BTreeSet<Tag>,
    /// What is missing.
    pub problems: Vec<SelectionProblem>,
    /// How many tags each set takes, in the order of the sets; without sets, how many there are.
    pub counts: Vec<Count>,
}

/// How many tags a set takes, of how many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Tags that match.
    pub found: u64,
    /// Tags that exist.
    pub available: u64,
}

impl std::ops::AddAssign for Count {
    fn add_assign(&mut self, other: Self) {
        self.found += other.found;
        self.available += other.available;
    }
}

/// Why a selection is not what was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectionProblem {
    /// A listed tag does not exist.
    #[error("the tag {0} does not exist")]
    Missing(Tag),
    /// Fewer tags than `at_least`.
    #[error("{found} of {available} tags match, at least {at_least} must")]
    TooFew {
        /// Tags that match.
        found: u64,
        /// Tags that exist.
        available: u64,
        /// Tags that must match.
        at_least: u64,
    },
}

/// Compiles a glob in which `*` stops at `/` and `**` does not.
pub(crate) fn glob(text: &str) -> Result<Glob, ConditionError> {
    let built = GlobBuilder::new(text).literal_separator(true).build();
    built.map_err(|error| ConditionError::Glob(text.to_owned(), error.kind().to_string()))
}

/// Compiles globs into one that matches where any of them does.
pub(crate) fn globs(texts: &[String]) -> Result<GlobSet, ConditionError> {
    let mut set = GlobSetBuilder::new();
    for text in texts {
        set.add(glob(text)?);
    }
    set.build()
        .map_err(|error| ConditionError::Glob(texts.join(" "), error.kind().to_string()))
}

/// Compiles an expression that must match the whole text.
pub(crate) fn anchored(text: &str) -> Result<Regex, ConditionError> {
    let wrong = |error: &regex::Error| {
        // The crate's message spans lines and draws its own caret; its last line says what is wrong.
        let message = error.to_string();
        let last = message
            .lines()
            .last()
            .unwrap_or_default()
            .trim_start_matches("error: ");
        ConditionError::Regex(text.to_owned(), last.to_owned())
    };
    Regex::new(text)
        .and_then(|_| Regex::new(&format!("^(?:{text})$")))
        .map_err(|error| wrong(&error))
}

/// Reads a range of versions.
pub(crate) fn range(text: &str) -> Result<Range, ConditionError> {
    text.parse::<Range>()
        .map_err(|error| ConditionError::Range(text.to_owned(), error.to_string()))
}

impl TagSet {
    /// Compiles conditions.
    ///
    /// # Errors
    /// The first pattern or range that can't be read.
    pub fn new(conditions: Conditions) -> Result<Self, ConditionError> {
        let expressions = |texts: &[String]| {
            texts
                .iter()
                .map(|text| anchored(text))
                .collect::<Result<Vec<_>, _>>()
        };
        Ok(Self {
            include: (!conditions.include.is_empty())
                .then(|| globs(&conditions.include))
                .transpose()?,
            exclude: globs(&conditions.exclude)?,
            regex: expressions(&conditions.regex)?,
            exclude_regex: expressions(&conditions.exclude_regex)?,
            semver: conditions.semver.as_deref().map(range).transpose()?,
            conditions,
        })
    }

    /// Returns the conditions as written.
    #[must_use]
    pub fn conditions(&self) -> &Conditions {
        &self.conditions
    }

    /// Returns the tags that the set names one by one; it takes no others. A set of digests names none.
    #[must_use]
    pub fn list(&self) -> Option<&BTreeSet<Tag>> {
        static NONE: BTreeSet<Tag> = BTreeSet::new();
        let none = self.conditions.digests.is_some().then_some(&NONE);
        self.conditions.list.as_ref().or(none)
    }

    /// Returns true where the set takes manifests by digest, and no tags.
    #[must_use]
    pub fn is_of_digests(&self) -> bool {
        self.conditions.digests.is_some()
    }

    /// Returns true where how old a tag is decides.
    #[must_use]
    pub fn asks_ages(&self) -> bool {
        self.conditions.created_within.is_some()
    }

    fn reads_versions(&self) -> bool {
        self.semver.is_some() || self.conditions.latest.is_some()
    }

    fn take<'a>(&self, available: &[&'a Tag], ages: &mut dyn FnMut(&Tag, Age) -> Youth) -> Taken<'a> {
        let mut youth = |tag: &Tag| {
            self.conditions
                .created_within
                .map_or(Youth::Young, |age| ages(tag, age))
        };
        let matching = available
            .iter()
            .filter_map(|&tag| self.version_text(tag).map(|text| (tag, text)));
        if !self.reads_versions() {
            let mut taken = Taken::default();
            for (tag, _) in matching {
                taken.judge(tag, youth(tag));
            }
            return taken;
        }
        let mut versions: BTreeMap<Version, Vec<&'a Tag>> = BTreeMap::new();
        for (tag, text) in matching {
            if let Some(version) = self.version(text) {
                versions.entry(version).or_default().push(tag);
            }
        }
        newest(versions, self.conditions.latest, &mut youth)
    }

    /// Returns the part of a matching tag that is read as its version, or nothing where the tag does not match.
    fn version_text<'a>(&self, tag: &'a Tag) -> Option<&'a str> {
        let text = tag.as_str();
        let listed = self
            .conditions
            .list
            .as_ref()
            .is_none_or(|list| list.contains(tag));
        let included = self.include.as_ref().is_none_or(|include| include.is_match(text));
        if !listed || !included || self.exclude.is_match(text) {
            return None;
        }
        if self.exclude_regex.iter().any(|regex| regex.is_match(text)) {
            return None;
        }
        if self.regex.is_empty() {
            return Some(text);
        }
        let captures = self.regex.iter().find_map(|regex| regex.captures(text))?;
        Some(captures.name("version").map_or(text, |version| version.as_str()))
    }

    fn version(&self, text: &str) -> Option<Version> {
        let version: Version = text.parse().ok()?;
        let admitted = self.conditions.prerelease || !version.is_prerelease();
        let in_range = self.semver.as_ref().is_none_or(|range| range.contains(&version));
        (admitted && in_range).then_some(version)
    }

    fn problems(&self, count: Count, listing: &BTreeSet<Tag>) -> Vec<SelectionProblem> {
        let listed = self.conditions.list.iter().flatten();
        let missing = listed
            .filter(|tag| !listing.contains(*tag))
            .cloned()
            .map(SelectionProblem::Missing);
        let mut problems: Vec<_> = missing.collect();
        if problems.is_empty() {
            problems.extend(too_few(count, self.conditions.at_least));
        }
        problems
    }
}

fn too_few(count: Count, at_least: Option<u64>) -> Option<SelectionProblem> {
    let at_least = at_least.unwrap_or(1);
    let Count { found, available } = count;
    (found < at_least).then_some(SelectionProblem::TooFew {
        found,
        available,
        at_least,
    })
}

/// Says which sets take too few tags, where several sources count together: `counts` has their sums, as [`Selection::counts`] has
/// those of one.
#[must_use]
pub fn shortfalls(sets: &[TagSet], counts: &[Count]) -> Vec<SelectionProblem> {
    let at_least = sets.iter().map(|set| set.conditions.at_least);
    // Without sets there is one count, and one tag must exist.
    let at_least = at_least.chain(sets.is_empty().then_some(None));
    counts
        .iter()
        .zip(at_least)
        .filter_map(|(count, at_least)| too_few(*count, at_least))
        .collect()
}

/// Takes what any of `sets` takes; no set takes every tag. Attachment tags are never taken. `ages` says whether a tag was made
/// within a time, and is asked about those tags alone for which all else holds.
///
/// Each set must take its `at_least` and find all of its `list`; without sets one tag must exist.
#[must_use]
pub fn select(
    sets: &[TagSet],
    listing: &BTreeSet<Tag>,
    ages: &mut dyn FnMut(&Tag, Age) -> Youth,
) -> Selection {
    let available: Vec<&Tag> = listing
        .iter()
        .filter(|tag| AttachmentTag::scheme(tag).is_none())
        .collect();
    if sets.is_empty() {
        let count = count(available.len(), available.len());
        return Selection {
            tags: available.into_iter().cloned().collect(),
            problems: too_few(count, None).into_iter().collect(),
            counts: vec![count],
            ..Selection::default()
        };
    }
    let mut selection = Selection::default();
    for set in sets {
        match &set.conditions.digests {
            Some(digests) => selection.add_digests(set, digests),
            None => selection.add(set, set.take(&available, ages), listing, available.len()),
        }
    }
    let taken = &selection.tags;
    selection.untold.retain(|tag| !taken.contains(tag));
    selection
}

impl Selection {
    fn add(&mut self, set: &TagSet, taken: Taken<'_>, listing: &BTreeSet<Tag>, available: usize) {
        let mut count = count(taken.tags.len(), available);
        // What can't be looked at is told by itself, and not once more as missing.
        count.found += taken.blocked;
        self.counts.push(count);
        if taken.pending > 0 {
            return;
        }
        self.problems.extend(set.problems(count, listing));
        self.tags.extend(taken.tags.into_iter().cloned());
        self.untold.extend(taken.untold.into_iter().cloned());
    }

    fn add_digests(&mut self, set: &TagSet, digests: &BTreeSet<Digest>) {
        let count = count(digests.len(), digests.len());
        self.problems.extend(too_few(count, set.conditions.at_least));
        self.counts.push(count);
        self.digests.extend(digests.iter().cloned());
    }
}

fn count(found: usize, available: usize) -> Count {
    Count {
        found: found as u64,
        available: available as u64,
    }
}
