//! Which sources may write into one repository.

use std::collections::{BTreeMap, BTreeSet};

use oci::RepositoryName;

use super::tags::TagSet;
use crate::spec::{Endpoint, Pinned};

/// A repository by where it is, whatever name reached it.
pub(crate) type Spot<'a> = (&'a Endpoint, &'a RepositoryName);

/// Somebody who writes a repository; `who` is known to the caller.
#[derive(Clone, Copy)]
pub(crate) struct Writer<'a, W> {
    pub(crate) source: Spot<'a>,
    pub(crate) pinned: Option<&'a Pinned>,
    pub(crate) who: W,
}

/// The writers of one repository, by the tags they are known to write.
pub(crate) struct Writers<'a, W> {
    /// One per source whose tags are not known beforehand.
    open: Vec<Writer<'a, W>>,
    by_tag: BTreeMap<String, Writer<'a, W>>,
    named: Vec<Writer<'a, W>>,
}

impl<W> Default for Writers<'_, W> {
    fn default() -> Self {
        Self {
            open: Vec::new(),
            by_tag: BTreeMap::new(),
            named: Vec::new(),
        }
    }
}

impl<'a, W: Copy> Writers<'a, W> {
    /// Adds a writer of `tags`, or of tags that nobody knows; returns the first that it collides with, and at which tag where
    /// that is known.
    ///
    /// Two sources collide unless both name their tags and these are disjoint. One source that is pinned twice collides with
    /// itself where one tag would stand at two digests.
    pub(crate) fn add(
        &mut self,
        writer: Writer<'a, W>,
        tags: Option<BTreeSet<String>>,
    ) -> Option<(Writer<'a, W>, Option<String>)> {
        let differs = |other: &&Writer<'a, W>| other.source != writer.source;
        let Some(tags) = tags else {
            let other = self.open.iter().chain(&self.named).find(differs).copied();
            self.open.push(writer);
            return other.map(|other| (other, None));
        };
        let mut collision = self.open.iter().find(differs).map(|other| (*other, None));
        self.named.push(writer);
        for tag in tags {
            let other = *self.by_tag.entry(tag.clone()).or_insert(writer);
            let pins = other.pinned.is_some() && writer.pinned.is_some();
            if differs(&&other) || (pins && other.pinned != writer.pinned) {
                collision = collision.or(Some((other, Some(tag))));
            }
        }
        collision
    }

    /// Returns all of them.
    pub(crate) fn all(&self) -> impl Iterator<Item = Writer<'a, W>> {
        self.open.iter().chain(&self.named).copied()
    }
}

/// Returns the tags that a source gets at a target, where the configuration alone tells them. `renamed` is what they become there.
pub(crate) fn static_tags(
    sets: &[TagSet],
    pinned: Option<&Pinned>,
    renamed: Option<&str>,
) -> Option<BTreeSet<String>> {
    let rename = |tag: &str| match renamed {
        Some(template) => template.replace("{tag}", tag),
        None => tag.to_owned(),
    };
    if let Some(pinned) = pinned {
        let own = pinned.tag.as_ref().map(oci::Tag::as_str);
        return Some(own.or(renamed).map(rename).into_iter().collect());
    }
    let lists = sets.iter().map(TagSet::list).collect::<Option<Vec<_>>>()?;
    (!lists.is_empty()).then(|| {
        lists
            .into_iter()
            .flatten()
            .map(|tag| rename(tag.as_str()))
            .collect()
    })
}
