//! What must come to stand at the targets, and does not yet.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use oci::{AttachmentTag, Descriptor, Digest, Manifest, Tag};

use crate::attachments::IMMOVABLE;
use crate::plan::{Expect, Note, TagCounts, TagRole};
use crate::signatures::{UnionNeed, UnionWant};
use crate::{Drift, Place, Problem};

/// What must come to stand, over all roots.
#[derive(Debug, Default)]
pub(crate) struct Wanted<'a> {
    /// The contents of the manifests below.
    pub(crate) known: BTreeMap<Digest, Cow<'a, Manifest>>,
    /// Indexes that stand at no source, and those they were made from.
    pub(crate) made: BTreeMap<Digest, Digest>,
    /// Indexes that come to a place without some of their children, or as new ones.
    pub(crate) partial: BTreeSet<(Digest, Place)>,
    /// Manifests that are missing at a place, or whose blobs are.
    pub(crate) manifests: BTreeMap<(Digest, Place), ManifestWant>,
    /// Tags to write.
    pub(crate) tags: BTreeMap<(Place, Tag), TagWant>,
    /// Fallback tags to add entries to.
    pub(crate) merges: BTreeMap<(Place, Tag), MergeWant>,
    /// Cosign tags to add layers to.
    pub(crate) unions: BTreeMap<(Place, Tag), UnionWant>,
    /// Sizes of all blobs named above.
    pub(crate) sizes: BTreeMap<Digest, u64>,
    /// The order in which sources are preferred.
    pub(crate) sources: Vec<Place>,
    /// Repositories that do not exist.
    pub(crate) absent: BTreeSet<Place>,
    /// Repositories whose settings are to be changed.
    pub(crate) updates: BTreeMap<Place, BTreeSet<Drift>>,
    /// Images that the registry of a place fetches itself, and from where.
    pub(crate) imports: BTreeMap<(Digest, Place), Place>,
    /// Manifests and blobs that come to a place with such an image, and that image.
    pub(crate) brought: BTreeMap<(Digest, Place), Digest>,
    /// The tags that should stand, whether they do or not.
    pub(crate) standing: BTreeMap<(Place, Tag), Digest>,
    /// Attachments that land, per place.
    pub(crate) attachments: BTreeSet<(Place, Digest)>,
    /// The tags that mirrors select, by what happens to them.
    pub(crate) counts: TagCounts,
    /// Images under cosign tags that stand at a place and hold what the source's do, or will.
    pub(crate) united: BTreeSet<(Digest, Place)>,
    /// Tags that lack what the source's hold and don't get it, and why.
    pub(crate) apart: BTreeMap<(Place, Tag), String>,
    /// What can't be planned.
    pub(crate) blocked: Vec<Problem>,
    /// What a reader should know.
    pub(crate) notes: BTreeSet<Note>,
}

/// A manifest at a place.
#[derive(Clone, Debug)]
pub(crate) struct ManifestWant {
    /// Where it is read.
    pub(crate) source: Place,
    /// Whether it must be put; else only blobs of it are missing.
    pub(crate) put: bool,
    /// How much of it should stand there.
    pub(crate) extent: Extent,
    /// Its blobs that are missing there.
    pub(crate) blobs: BTreeSet<Digest>,
    /// Whether its layers that are fetched from elsewhere are copied too.
    pub(crate) foreign: bool,
    /// Whether something asks for it by digest alone.
    pub(crate) by_digest: bool,
}

/// How much of a manifest should stand at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Extent {
    /// Its layers: another manifest names them there.
    Layers,
    /// All of it.
    Whole,
}

/// A tag at a place.
#[derive(Clone, Debug)]
pub(crate) struct TagWant {
    pub(crate) digest: Digest,
    pub(crate) source: Place,
    pub(crate) expect: Expect,
    /// What must have landed before it.
    pub(crate) waits: BTreeSet<Wait>,
    pub(crate) role: TagRole,
}

/// Entries that a fallback tag lacks.
#[derive(Clone, Debug)]
pub(crate) struct MergeWant {
    pub(crate) subject: Digest,
    pub(crate) source: Place,
    pub(crate) entries: BTreeMap<Digest, Descriptor>,
}

/// Something of the same place that a tag waits for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wait {
    Manifest(Digest),
    Tag(Tag),
    Merge(Tag),
}

/// What one root needs at one place; joins [`Wanted`] only when it is complete.
#[derive(Debug, Default)]
pub(crate) struct Needs<'a> {
    pub(crate) known: BTreeMap<Digest, Cow<'a, Manifest>>,
    /// Indexes that stand at no source, and those they were made from.
    pub(crate) made: BTreeMap<Digest, Digest>,
    /// Indexes of which some children are left out.
    pub(crate) partial: BTreeSet<Digest>,
    pub(crate) manifests: BTreeMap<Digest, ManifestNeed>,
    pub(crate) tags: BTreeMap<Tag, TagNeed>,
    pub(crate) merges: BTreeMap<Tag, MergeWant>,
    pub(crate) unions: BTreeMap<Tag, UnionNeed>,
    /// Images under cosign tags of the target that hold what the source's do, or will.
    pub(crate) united: BTreeSet<Digest>,
    /// Tags that lack what the source's hold and don't get it, and why.
    pub(crate) apart: BTreeMap<Tag, String>,
    pub(crate) attachments: BTreeSet<Digest>,
    pub(crate) notes: BTreeSet<Note>,
    /// The manifests of the root and of what is attached, whether they stand at the target or not.
    pub(crate) content: BTreeSet<Digest>,
    /// The manifests whose attachments were looked at.
    pub(crate) visited: BTreeSet<Digest>,
    pub(crate) sizes: BTreeMap<Digest, u64>,
}

/// An attaching tag that one root needs.
#[derive(Clone, Debug)]
pub(crate) struct TagNeed {
    pub(crate) digest: Digest,
    pub(crate) subject: Digest,
    /// Why the tag can't be moved once it stands, where that is known.
    pub(crate) immovable: Option<&'static str>,
}

/// A manifest that one root needs.
#[derive(Debug, Default)]
pub(crate) struct ManifestNeed {
    pub(crate) put: bool,
    pub(crate) blobs: BTreeSet<Digest>,
    pub(crate) foreign: bool,
}

impl<'a> Wanted<'a> {
    /// Returns a blob whose size another root has told differently.
    pub(crate) fn disputed(&self, needs: &Needs<'a>) -> Option<(Digest, u64, u64)> {
        needs
            .sizes
            .iter()
            .find_map(|(digest, &size)| match self.sizes.get(digest) {
                Some(&other) if other != size => Some((digest.clone(), size, other)),
                _ => None,
            })
    }

    /// Adds what a root needs at `place`, read at `source`. Returns what the root's tag waits for.
    pub(crate) fn join(&mut self, place: &Place, source: &Place, mut needs: Needs<'a>) -> BTreeSet<Wait> {
        self.unite(place, &mut needs);
        let mut waits = BTreeSet::new();
        for digest in &needs.attachments {
            if needs.manifests.get(digest).is_some_and(|need| need.put) {
                self.attachments.insert((place.clone(), digest.clone()));
                waits.insert(Wait::Manifest(digest.clone()));
            }
        }
        if !needs.partial.is_empty() {
            // What stands of a part does not prove the rest of it.
            let put = needs.manifests.iter().filter(|(_, need)| need.put);
            waits.extend(put.map(|(digest, _)| Wait::Manifest(digest.clone())));
        }
        for (digest, need) in needs.manifests {
            let want = self.manifest(digest, place, source);
            want.extent = Extent::Whole;
            want.put |= need.put;
            want.blobs.extend(need.blobs);
            want.foreign |= need.foreign;
        }
        for (tag, need) in needs.tags {
            waits.insert(Wait::Tag(tag.clone()));
            waits.extend(self.attach(place, source, tag, need, &needs.known));
        }
        for (tag, merge) in needs.merges {
            waits.insert(Wait::Merge(tag.clone()));
            match self.merges.get_mut(&(place.clone(), tag.clone())) {
                Some(want) => want.entries.extend(merge.entries),
                None => {
                    self.merges.insert((place.clone(), tag), merge);
                }
            }
        }
        self.made.extend(needs.made);
        let partial = needs.partial.into_iter();
        self.partial.extend(partial.map(|digest| (digest, place.clone())));
        for (tag, union) in needs.unions {
            waits.extend([Wait::Tag(tag.clone()), Wait::Merge(tag.clone())]);
            self.add_union(place, source, tag, union);
        }
        let united = needs.united.into_iter();
        self.united.extend(united.map(|digest| (digest, place.clone())));
        let apart = needs.apart.into_iter();
        self.apart
            .extend(apart.map(|(tag, reason)| ((place.clone(), tag), reason)));
        self.sizes.extend(needs.sizes);
        self.known.extend(needs.known);
        self.notes.extend(needs.notes);
        waits
    }

    /// A manifest at a place, of which nothing is wanted yet unless something was before.
    fn manifest(&mut self, digest: Digest, place: &Place, source: &Place) -> &mut ManifestWant {
        let want = || ManifestWant {
            source: source.clone(),
            put: false,
            extent: Extent::Layers,
            blobs: BTreeSet::new(),
            foreign: false,
            by_digest: false,
        };
        self.manifests.entry((digest, place.clone())).or_insert_with(want)
    }

    fn add_union(&mut self, place: &Place, source: &Place, tag: Tag, union: UnionNeed) {
        if !union.layers.is_empty() {
            let want = || UnionWant {
                subject: union.subject,
                source: source.clone(),
                layers: Vec::new(),
            };
            let key = (place.clone(), tag.clone());
            let want = self.unions.entry(key).or_insert_with(want);
            if let Err(overload) = want.add(union.load, union.layers) {
                let text = format!("{tag} gets nothing from {source}: {overload}");
                self.apart.insert((place.clone(), tag), overload.to_string());
                let place = Some(place.clone());
                self.notes.insert(Note { place, text });
                return;
            }
            self.attachments.insert((place.clone(), union.image.clone()));
        }
        let image = self.manifest(union.image, place, source);
        image.blobs.extend(union.blobs);
    }

    /// Adds an attaching tag. Where two sources attach by the same fallback tag, the second's entries are merged.
    fn attach(
        &mut self,
        place: &Place,
        source: &Place,
        tag: Tag,
        need: TagNeed,
        known: &BTreeMap<Digest, Cow<'a, Manifest>>,
    ) -> Option<Wait> {
        let key = (place.clone(), tag.clone());
        let source = source.clone();
        let first = match self.tags.get(&key) {
            Some(first) if first.digest != need.digest => first.digest.clone(),
            Some(_) => return None,
            None => {
                let want = TagWant {
                    digest: need.digest,
                    source,
                    expect: Expect::Absent,
                    waits: BTreeSet::new(),
                    role: TagRole::Attachment,
                };
                self.tags.insert(key, want);
                return None;
            }
        };
        if AttachmentTag::scheme(&tag) != Some(AttachmentTag::Fallback) {
            return None;
        }
        let listed = |digest: &Digest| self.known.get(digest).or_else(|| known.get(digest));
        let (first, second) = (listed(&first)?, listed(&need.digest)?);
        let held: BTreeSet<&Digest> = first.children().map(|child| &child.digest).collect();
        let lacking = second.children().filter(|child| !held.contains(&child.digest));
        let entries: BTreeMap<_, _> = lacking
            .map(|child| (child.digest.clone(), child.clone()))
            .collect();
        if entries.is_empty() {
            return None;
        }
        if need.immovable.is_some() {
            let text = format!("{tag} gets no entries from {source}: {IMMOVABLE}");
            let place = Some(place.clone());
            self.notes.insert(Note { place, text });
            self.apart.insert(key, IMMOVABLE.to_owned());
            return None;
        }
        let merge = MergeWant {
            subject: need.subject,
            source,
            entries: BTreeMap::new(),
        };
        self.merges.entry(key).or_insert(merge).entries.extend(entries);
        Some(Wait::Merge(tag))
    }
}
