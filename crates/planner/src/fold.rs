//! Folding: one op for one thing, over all places that may wait for the same ops.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use oci::{Descriptor, Digest, Tag};

use crate::plan::{Op, OpId, OpKind, OpPlace, TagRole};
use crate::{Place, RegistryName};

/// Something that is placed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Item {
    Create,
    Update,
    Blob(Digest),
    Manifest(Digest),
    Tag(Tag),
    Merge(Tag),
}

/// What an op places, before it is known where.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) kind: OpKind,
    pub(crate) digest: Option<Digest>,
    pub(crate) tag: Option<Tag>,
    pub(crate) role: Option<TagRole>,
    pub(crate) from: Option<Place>,
    pub(crate) entries: Vec<Descriptor>,
    pub(crate) settings: Vec<String>,
    pub(crate) reason: Cow<'static, str>,
}

/// One place of a draft, and the ops it waits for, by index.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) at: OpPlace,
    pub(crate) after: BTreeSet<usize>,
    pub(crate) after_end: BTreeSet<usize>,
}

/// Ops so far: each stands after all it waits for.
#[derive(Debug, Default)]
pub(crate) struct Drafts {
    ops: Vec<Op>,
    registries: Vec<BTreeSet<RegistryName>>,
    placed: BTreeMap<(Item, Place), usize>,
    numbers: BTreeMap<&'static str, u64>,
}

/// Places that wait for the same ops.
#[derive(Debug, Default)]
struct Group {
    at: Vec<OpPlace>,
    registries: BTreeSet<RegistryName>,
    after: BTreeSet<usize>,
    after_end: BTreeSet<usize>,
}

impl Drafts {
    /// Returns the op that places `item` at `place`.
    pub(crate) fn placed(&self, item: Item, place: &Place) -> Option<usize> {
        self.placed.get(&(item, place.clone())).copied()
    }

    /// Notes that `item` comes to `place` with what places `other` there.
    pub(crate) fn comes_with(&mut self, item: Item, other: &Item, place: &Place) {
        if let Some(op) = self.placed(other.clone(), place) {
            self.placed.insert((item, place.clone()), op);
        }
    }

    pub(crate) fn into_ops(self) -> Vec<Op> {
        self.ops
    }

    /// Adds ops for one thing: as few as the wishes allow, none with more than `limit` places.
    pub(crate) fn fold(&mut self, item: &Item, draft: &Draft, wishes: Vec<Wish>, limit: usize) {
        for group in self.groups(wishes) {
            let mut places = group.at.clone();
            places.sort();
            for at in places.chunks(limit) {
                self.add(item, draft, at.to_vec(), &group);
            }
        }
    }

    fn add(&mut self, item: &Item, draft: &Draft, at: Vec<OpPlace>, group: &Group) {
        let index = self.ops.len();
        for place in &at {
            self.placed.insert((item.clone(), place.place()), index);
        }
        self.registries
            .push(at.iter().map(|place| place.registry.clone()).collect());
        let ids = |ops: &BTreeSet<usize>| ops.iter().map(|&op| self.ops[op].id.clone()).collect();
        let (after, after_end) = (ids(&group.after), ids(&group.after_end));
        let id = self.id(draft.kind);
        self.ops.push(Op {
            id,
            kind: draft.kind,
            digest: draft.digest.clone(),
            tag: draft.tag.clone(),
            role: draft.role,
            from: draft.from.clone(),
            at,
            after,
            after_end,
            entries: draft.entries.clone(),
            settings: draft.settings.clone(),
            reason: draft.reason.clone().into_owned(),
        });
    }

    fn id(&mut self, kind: OpKind) -> OpId {
        let word = match kind {
            OpKind::CreateRepository => "create",
            OpKind::UploadBlob => "upload",
            OpKind::MountBlob => "mount",
            OpKind::PutManifest => "manifest",
            OpKind::MergeReferrers => "referrers",
            OpKind::PutTag => "tag",
            OpKind::UpdateRepository => "update",
            OpKind::ImportImage => "import",
            OpKind::MergeSignatures => "signatures",
        };
        let number = self.numbers.entry(word).or_default();
        *number += 1;
        OpId(format!("{word}-{number}"))
    }

    /// Wishes that wait for the same ops are one group; groups that can't disturb each other become one.
    fn groups(&self, wishes: Vec<Wish>) -> Vec<Group> {
        let mut same: BTreeMap<(BTreeSet<usize>, BTreeSet<usize>), Group> = BTreeMap::new();
        for wish in wishes {
            let group = same
                .entry((wish.after.clone(), wish.after_end.clone()))
                .or_insert_with(|| Group {
                    after: wish.after,
                    after_end: wish.after_end,
                    ..Group::default()
                });
            group.registries.insert(wish.at.registry.clone());
            group.at.push(wish.at);
        }
        let mut groups: Vec<Group> = Vec::new();
        for group in same.into_values() {
            match groups.iter_mut().find(|other| self.join(other, &group)) {
                Some(other) => {
                    other.at.extend(group.at);
                    other.registries.extend(group.registries);
                    other.after.extend(group.after);
                    other.after_end.extend(group.after_end);
                }
                None => groups.push(group),
            }
        }
        groups
    }

    /// An op that only one of two groups waits for must have no place at a registry of the other: there it would
    /// be waited for in vain, or its failure would be shared.
    fn join(&self, one: &Group, other: &Group) -> bool {
        let apart =
            |waits: &BTreeSet<usize>, others: &BTreeSet<usize>, registries: &BTreeSet<RegistryName>| {
                waits
                    .difference(others)
                    .all(|&op| self.registries[op].is_disjoint(registries))
            };
        apart(&one.after, &other.after, &other.registries)
            && apart(&other.after, &one.after, &one.registries)
            && apart(&one.after_end, &other.after_end, &other.registries)
            && apart(&other.after_end, &one.after_end, &one.registries)
    }
}
