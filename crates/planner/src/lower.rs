//! Lowering: what is wanted becomes the graph of operations.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use oci::{Digest, Manifest, Tag};

use crate::ask::Ask;
use crate::fold::{Draft, Drafts, Item, Wish};
use crate::plan::{Op, OpKind, OpPlace, TagRole};
use crate::seeds::{MountAfter, Mounting, Seeds};
use crate::want::{TagWant, Wait, Wanted};
use crate::{Creation, Drift, Place, RegistryName};

/// A stream is fanned out to at most so many places per read.
const PLACES_PER_READ: usize = 16;

/// Lowers what is wanted into ops; each stands after all it waits for.
pub(crate) fn lower(ask: &Ask<'_>, wanted: &Wanted<'_>, seeds: &Seeds, ranked: &[&Digest]) -> Vec<Op> {
    let mut places: HashMap<&Digest, Vec<&Place>> = HashMap::new();
    for ((digest, place), _) in wanted.manifests.iter().filter(|(_, want)| want.put) {
        places.entry(digest).or_default().push(place);
    }
    let mut tagged: HashMap<(&Digest, &Place), usize> = HashMap::new();
    for ((place, _), want) in &wanted.tags {
        *tagged.entry((&want.digest, place)).or_default() += 1;
    }
    let waited = waited(wanted, seeds);
    let mut lowering = Lowering {
        ask,
        wanted,
        seeds,
        sources: blob_sources(wanted),
        places,
        tagged,
        waited,
        naming: HashMap::new(),
        tagging: HashMap::new(),
        drafts: Drafts::default(),
    };
    lowering.repositories();
    lowering.updates();
    lowering.imports();
    lowering.uploads();
    let mut mounts = mounts(seeds);
    lowering.mounts(mounts.remove(&None).unwrap_or_default());
    for digest in ranked {
        lowering.manifest(digest, &mut mounts);
    }
    lowering.tags(TagRole::Attachment);
    lowering.merges();
    lowering.unions();
    lowering.tags(TagRole::Selected);
    lowering.drafts.into_ops()
}

/// The manifests that something waits for by digest, so that no tag may carry them.
fn waited(wanted: &Wanted<'_>, seeds: &Seeds) -> BTreeSet<(Digest, Place)> {
    let mut waited = seeds.committed.clone();
    for ((digest, place), want) in &wanted.manifests {
        if want.by_digest {
            waited.insert((digest.clone(), place.clone()));
        }
        let below = wanted
            .known
            .get(digest)
            .into_iter()
            .flat_map(|manifest| below(manifest));
        waited.extend(below.map(|digest| (digest.clone(), place.clone())));
    }
    for ((place, _), merge) in &wanted.merges {
        waited.extend(merge.entries.keys().map(|digest| (digest.clone(), place.clone())));
    }
    waited.extend(attached_and_selected(wanted));
    waited
}

/// What is attached to one selected tag and selected by another: neither tag may stand without it.
fn attached_and_selected(wanted: &Wanted<'_>) -> BTreeSet<(Digest, Place)> {
    let selected = || {
        wanted
            .tags
            .iter()
            .filter(|(_, want)| want.role == TagRole::Selected)
    };
    let tagged: BTreeSet<(&Digest, &Place)> = selected()
        .map(|((place, _), want)| (&want.digest, place))
        .collect();
    let attached = selected().flat_map(|((place, _), want)| {
        want.waits.iter().filter_map(move |wait| match wait {
            Wait::Manifest(digest) => Some((digest, place)),
            Wait::Tag(_) | Wait::Merge(_) => None,
        })
    });
    attached
        .filter(|key| tagged.contains(key))
        .map(|(digest, place)| (digest.clone(), place.clone()))
        .collect()
}

fn blob_sources<'w>(wanted: &'w Wanted<'_>) -> HashMap<&'w Digest, &'w Place> {
    let order: HashMap<&Place, usize> = wanted
        .sources
        .iter()
        .enumerate()
        .map(|(index, source)| (source, index))
        .collect();
    let mut sources: HashMap<&Digest, &Place> = HashMap::new();
    for want in wanted.manifests.values() {
        for blob in &want.blobs {
            let first = sources.entry(blob).or_insert(&want.source);
            if order.get(&want.source) < order.get(first) {
                *first = &want.source;
            }
        }
    }
    sources
}

/// Mounts by blob.
type Mounts<'l> = BTreeMap<&'l Digest, Vec<(&'l Place, &'l Mounting)>>;

/// Mounts by the manifest and the place that they wait for.
type MountsAfter<'l> = BTreeMap<Option<(&'l Digest, &'l Place)>, Mounts<'l>>;

fn mounts(seeds: &Seeds) -> MountsAfter<'_> {
    let mut mounts = MountsAfter::new();
    for (blob, places) in &seeds.mounts {
        for (place, mounting) in places {
            let seed = match &mounting.after {
                MountAfter::Manifest(digest, seed) => Some((digest, seed)),
                MountAfter::Nothing | MountAfter::Upload(_) => None,
            };
            let mounts = mounts.entry(seed).or_default();
            mounts.entry(blob).or_default().push((place, mounting));
        }
    }
    mounts
}

/// The manifests that must stand before `manifest`: its children and its subject.
fn below(manifest: &Manifest) -> impl Iterator<Item = &Digest> {
    manifest
        .children()
        .chain(manifest.subject())
        .map(|descriptor| &descriptor.digest)
}

struct Lowering<'a, 'l> {
    ask: &'l Ask<'a>,
    wanted: &'l Wanted<'a>,
    seeds: &'l Seeds,
    /// Where each blob is read: at the first source, in the order of the mirrors, that anything takes it from.
    sources: HashMap<&'l Digest, &'l Place>,
    /// Where each manifest is put.
    places: HashMap<&'l Digest, Vec<&'l Place>>,
    /// How many tags name a manifest at a place.
    tagged: HashMap<(&'l Digest, &'l Place), usize>,
    waited: BTreeSet<(Digest, Place)>,
    /// The ops that put a manifest which names this one.
    naming: HashMap<(Digest, Place), BTreeSet<usize>>,
    /// The ops that put this manifest under a tag.
    tagging: HashMap<(Digest, Place), BTreeSet<usize>>,
    drafts: Drafts,
}

impl<'l> Lowering<'_, 'l> {
    fn repositories(&mut self) {
        let manifests = self.wanted.manifests.keys().map(|(_, place)| place);
        let imports = self.wanted.imports.keys().map(|(_, place)| place);
        let tags = self.wanted.tags.keys().map(|(place, _)| place);
        let merges = self.wanted.merges.keys().map(|(place, _)| place);
        let places = manifests.chain(imports).chain(tags).chain(merges);
        let units: BTreeSet<Place> = places.map(|place| self.unit(place)).collect();
        let mut wishes: BTreeMap<RegistryName, Vec<Wish>> = BTreeMap::new();
        for unit in units {
            let called = self.ask.capabilities(&unit.registry).creation == Creation::Call;
            if called && self.wanted.absent.contains(&unit) {
                let wish = Wish {
                    at: at(&unit),
                    after: BTreeSet::new(),
                    after_end: BTreeSet::new(),
                };
                wishes.entry(unit.registry).or_default().push(wish);
            }
        }
        // One op for a registry: what goes to several new repositories waits for one op, and so stays one op itself.
        for wishes in wishes.into_values() {
            let draft = draft(OpKind::CreateRepository, "the repository does not exist");
            self.drafts.fold(&Item::Create, &draft, wishes, usize::MAX);
        }
    }

    /// Settings are changed before manifests are put: what is pushed then is scanned, kept and locked by the new ones.
    fn updates(&mut self) {
        let mut alike: BTreeMap<(&RegistryName, &BTreeSet<Drift>), Vec<Wish>> = BTreeMap::new();
        for (unit, drifts) in &self.wanted.updates {
            let wish = Wish {
                at: at(unit),
                after: BTreeSet::new(),
                after_end: BTreeSet::new(),
            };
            alike.entry((&unit.registry, drifts)).or_default().push(wish);
        }
        for ((_, drifts), wishes) in alike {
            let changes: Vec<String> = drifts
                .iter()
                .map(|drift| format!("{} {} -> {}", drift.setting, drift.found, drift.wanted))
                .collect();
            let draft = Draft {
                settings: drifts.iter().map(|drift| drift.setting.clone()).collect(),
                ..draft(OpKind::UpdateRepository, changes.join(", "))
            };
            self.drafts.fold(&Item::Update, &draft, wishes, usize::MAX);
        }
    }

    /// The repository that a call of the vendor's makes: the place itself, or one above it.
    fn unit(&self, place: &Place) -> Place {
        self.ask.capabilities(&place.registry).unit(place)
    }

    fn wish(&self, place: &Place) -> Wish {
        let create = self.drafts.placed(Item::Create, &self.unit(place));
        Wish {
            at: at(place),
            after: create.into_iter().collect(),
            after_end: BTreeSet::new(),
        }
    }

    /// A wish for what new settings concern: manifests, not blobs, of which one read feeds many places.
    fn settled_wish(&self, place: &Place) -> Wish {
        let update = self.drafts.placed(Item::Update, &self.unit(place));
        Wish {
            after_end: update.into_iter().collect(),
            ..self.wish(place)
        }
    }

    /// Images that a registry fetches itself: whatever waits for their manifests waits for that.
    fn imports(&mut self) {
        let mut folded: BTreeMap<(&Digest, &Place), Vec<&Place>> = BTreeMap::new();
        for ((digest, place), source) in &self.wanted.imports {
            folded.entry((digest, source)).or_default().push(place);
        }
        for ((digest, source), places) in folded {
            let draft = Draft {
                digest: Some(digest.clone()),
                from: Some(source.clone()),
                ..draft(OpKind::ImportImage, "the registry fetches it itself")
            };
            let wishes = places.into_iter().map(|place| self.settled_wish(place)).collect();
            self.drafts
                .fold(&Item::Manifest(digest.clone()), &draft, wishes, usize::MAX);
        }
        for ((digest, place), root) in &self.wanted.brought {
            let import = Item::Manifest(root.clone());
            for item in [Item::Blob(digest.clone()), Item::Manifest(digest.clone())] {
                self.drafts.comes_with(item, &import, place);
            }
        }
    }

    fn uploads(&mut self) {
        for (blob, places) in &self.seeds.uploads {
            let from = self.sources.get(blob).map(|&source| source.clone());
            let draft = Draft {
                digest: Some(blob.clone()),
                from,
                ..draft(OpKind::UploadBlob, "missing at the registry")
            };
            let wishes = places.iter().map(|place| self.wish(place)).collect();
            self.drafts
                .fold(&Item::Blob(blob.clone()), &draft, wishes, PLACES_PER_READ);
        }
    }

    fn mounts(&mut self, mounts: Mounts<'_>) {
        for (blob, places) in mounts {
            let from = self.sources.get(blob).map(|&source| source.clone());
            let reason = "stands in another repository of the registry";
            let draft = Draft {
                digest: Some(blob.clone()),
                from,
                ..draft(OpKind::MountBlob, reason)
            };
            // What comes from another registry is mounted from in its turn.
            let (across, within): (Vec<_>, Vec<_>) = places
                .into_iter()
                .partition(|(_, mounting)| mounting.origin.is_some());
            for places in [across, within] {
                let wishes = places
                    .into_iter()
                    .map(|(place, mounting)| self.mount(blob, place, mounting))
                    .collect();
                self.drafts
                    .fold(&Item::Blob(blob.clone()), &draft, wishes, usize::MAX);
            }
        }
    }

    fn mount(&self, blob: &Digest, place: &Place, mounting: &Mounting) -> Wish {
        let mut wish = self.wish(place);
        wish.at.from = Some(mounting.from.clone());
        wish.at.origin.clone_from(&mounting.origin);
        wish.after_end.extend(match &mounting.after {
            MountAfter::Nothing => None,
            MountAfter::Upload(seed) => self.drafts.placed(Item::Blob(blob.clone()), seed),
            MountAfter::Manifest(digest, seed) => self.drafts.placed(Item::Manifest(digest.clone()), seed),
        });
        wish
    }

    /// Puts a manifest by digest: first where others mount what it names, then those mounts, then elsewhere.
    ///
    /// A place where others mount from may mount from an earlier one itself: one place of each registry at a time.
    fn manifest(&mut self, digest: &'l Digest, mounts: &mut MountsAfter<'l>) {
        let places = self.places.get(digest).into_iter().flatten().copied();
        let key = |place: &Place| (digest.clone(), place.clone());
        let (mut seeds, others): (Vec<&'l Place>, Vec<_>) = places
            .filter(|place| !self.carried(&key(place)))
            .partition(|place| self.seeds.committed.contains(&key(place)));
        while !seeds.is_empty() {
            let mut registries = BTreeSet::new();
            let (now, later): (Vec<_>, Vec<_>) = seeds
                .into_iter()
                .partition(|place| registries.insert(&place.registry));
            self.put(digest, &now);
            let mut after = Mounts::new();
            for place in now {
                for (blob, places) in mounts.remove(&Some((digest, place))).unwrap_or_default() {
                    after.entry(blob).or_default().extend(places);
                }
            }
            self.mounts(after);
            seeds = later;
        }
        self.put(digest, &others);
    }

    fn put(&mut self, digest: &Digest, places: &[&Place]) {
        if places.is_empty() {
            return;
        }
        let wants = places
            .iter()
            .filter_map(|place| self.wanted.manifests.get(&(digest.clone(), Place::clone(place))));
        let sources: BTreeSet<&Place> = wants.map(|want| &want.source).collect();
        let from = self
            .wanted
            .sources
            .iter()
            .find(|source| sources.contains(source))
            .cloned();
        let reason = "missing at the repository";
        let draft = Draft {
            digest: Some(digest.clone()),
            from,
            ..draft(OpKind::PutManifest, reason)
        };
        let wishes = places
            .iter()
            .map(|place| self.manifest_wish(digest, place))
            .collect();
        let item = Item::Manifest(digest.clone());
        self.drafts.fold(&item, &draft, wishes, usize::MAX);
        for place in places {
            self.note_naming(&item, digest, place);
        }
    }

    /// Notes which manifests the op that places `item` names.
    fn note_naming(&mut self, item: &Item, digest: &Digest, place: &Place) {
        let (Some(op), Some(manifest)) = (
            self.drafts.placed(item.clone(), place),
            self.wanted.known.get(digest),
        ) else {
            return;
        };
        for child in manifest.children() {
            let key = (child.digest.clone(), place.clone());
            self.naming.entry(key).or_default().insert(op);
        }
    }

    /// What a manifest waits for at a place: its blobs, its children and its subject, as far as they are planned.
    fn manifest_wish(&self, digest: &Digest, place: &Place) -> Wish {
        let mut wish = self.settled_wish(place);
        if let Some(manifest) = self.wanted.known.get(digest) {
            let blobs = manifest.blobs().map(|blob| Item::Blob(blob.digest.clone()));
            let below = below(manifest).map(|digest| Item::Manifest(digest.clone()));
            wish.after.extend(
                blobs
                    .chain(below)
                    .filter_map(|item| self.drafts.placed(item, place)),
            );
        }
        wish
    }

    /// Says whether a tag carries the manifest: exactly one names it, and nobody waits for it by digest.
    fn carried(&self, key: &(Digest, Place)) -> bool {
        let (digest, place) = key;
        if self.waited.contains(key) {
            return false;
        }
        self.tagged.get(&(digest, place)) == Some(&1)
    }

    fn tags(&mut self, role: TagRole) {
        let mut folded: BTreeMap<(&Tag, &Digest), Vec<(&Place, &TagWant)>> = BTreeMap::new();
        for ((place, tag), want) in self.wanted.tags.iter().filter(|(_, want)| want.role == role) {
            folded.entry((tag, &want.digest)).or_default().push((place, want));
        }
        for ((tag, digest), places) in folded {
            let sources: BTreeSet<&Place> = places.iter().map(|(_, want)| &want.source).collect();
            let from = self
                .wanted
                .sources
                .iter()
                .find(|source| sources.contains(source))
                .cloned();
            let reason = match role {
                TagRole::Attachment => "attached to what a mirror selects",
                TagRole::Selected => "a mirror selects it",
            };
            let draft = Draft {
                digest: Some(digest.clone()),
                tag: Some(tag.clone()),
                role: Some(role).filter(|role| *role != TagRole::spelled(tag)),
                from,
                ..draft(OpKind::PutTag, reason)
            };
            let wishes = places
                .iter()
                .map(|(place, want)| self.tag_wish(digest, place, want))
                .collect();
            let item = Item::Tag(tag.clone());
            self.drafts.fold(&item, &draft, wishes, usize::MAX);
            for (place, _) in places {
                self.note_naming(&item, digest, place);
                let op = self.drafts.placed(item.clone(), place);
                let key = (digest.clone(), place.clone());
                self.tagging.entry(key).or_default().extend(op);
            }
        }
    }

    /// The ops that must not run beside one that puts `digest` under a tag.
    ///
    /// docker-registry rewrites what it knows of a manifest that is put again, and refuses an index that names it in that
    /// moment. So a manifest is not put again while one that names it is put.
    fn apart(&self, digest: &Digest, place: &Place) -> BTreeSet<usize> {
        let of = |ops: &HashMap<(Digest, Place), BTreeSet<usize>>, digest: &Digest| {
            ops.get(&(digest.clone(), place.clone()))
                .cloned()
                .unwrap_or_default()
        };
        let manifest = self.wanted.known.get(digest);
        let children = manifest.into_iter().flat_map(|manifest| manifest.children());
        let tagged = children.flat_map(|child| of(&self.tagging, &child.digest));
        of(&self.naming, digest).into_iter().chain(tagged).collect()
    }

    fn tag_wish(&self, digest: &Digest, place: &Place, want: &TagWant) -> Wish {
        let mut wish = match self.drafts.placed(Item::Manifest(digest.clone()), place) {
            Some(put) => Wish {
                after: [put].into(),
                ..self.settled_wish(place)
            },
            None => self.manifest_wish(digest, place),
        };
        wish.at.expect = Some(want.expect.clone());
        wish.after_end.extend(self.apart(digest, place));
        let waits = want.waits.iter().map(|wait| match wait {
            Wait::Manifest(digest) => Item::Manifest(digest.clone()),
            Wait::Tag(tag) => Item::Tag(tag.clone()),
            Wait::Merge(tag) => Item::Merge(tag.clone()),
        });
        wish.after
            .extend(waits.filter_map(|item| self.drafts.placed(item, place)));
        wish
    }

    fn merges(&mut self) {
        for ((place, tag), merge) in &self.wanted.merges {
            let mut wish = self.settled_wish(place);
            let entries = merge.entries.keys().map(|digest| Item::Manifest(digest.clone()));
            let waits = entries.chain([Item::Tag(tag.clone())]);
            wish.after
                .extend(waits.filter_map(|item| self.drafts.placed(item, place)));
            let draft = Draft {
                digest: Some(merge.subject.clone()),
                tag: Some(tag.clone()),
                from: Some(merge.source.clone()),
                entries: merge.entries.values().cloned().collect(),
                ..draft(OpKind::MergeReferrers, "the fallback tag lacks these referrers")
            };
            self.drafts.fold(&Item::Merge(tag.clone()), &draft, vec![wish], 1);
        }
    }

    /// Layers that go into an image which stands at the target, or comes there under the same tag from another source.
    fn unions(&mut self) {
        for ((place, tag), union) in &self.wanted.unions {
            let mut wish = self.settled_wish(place);
            let layers = union.layers.iter().map(|layer| Item::Blob(layer.digest.clone()));
            let waits = layers.chain([Item::Tag(tag.clone())]);
            wish.after
                .extend(waits.filter_map(|item| self.drafts.placed(item, place)));
            let draft = Draft {
                digest: Some(union.subject.clone()),
                tag: Some(tag.clone()),
                from: Some(union.source.clone()),
                entries: union.layers.clone(),
                ..draft(OpKind::MergeSignatures, "the cosign tag lacks these layers")
            };
            self.drafts.fold(&Item::Merge(tag.clone()), &draft, vec![wish], 1);
        }
    }
}

fn draft(kind: OpKind, reason: impl Into<Cow<'static, str>>) -> Draft {
    Draft {
        kind,
        digest: None,
        tag: None,
        role: None,
        from: None,
        entries: Vec::new(),
        settings: Vec::new(),
        reason: reason.into(),
    }
}

fn at(place: &Place) -> OpPlace {
    OpPlace {
        registry: place.registry.clone(),
        repository: place.repository.clone(),
        expect: None,
        from: None,
        origin: None,
    }
}
