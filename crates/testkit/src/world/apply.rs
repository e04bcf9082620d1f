//! Carrying out a plan, exactly as its ops say.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;
use oci::{Digest, Manifest, MediaType, Signatures};
use planner::plan::Expect;
use planner::{Change, Creation, MountRule, Op, OpId, OpKind, OpPlace, Place, Plan, RegistryName, Standing};
use serde_json::json;

use super::{ModelRepository, World};

/// What happened to an op at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// It was done.
    Done,
    /// There was nothing left to do.
    Already,
    /// The tag stood elsewhere than planned: it stays, its content landed.
    Stale,
    /// It failed.
    Failed,
    /// Something it waits for failed.
    Skipped,
}

impl Outcome {
    fn succeeded(self) -> bool {
        matches!(self, Self::Done | Self::Already | Self::Stale)
    }
}

/// What carrying out a plan came to.
#[derive(Clone, Debug, Default)]
pub struct Applied {
    /// What happened, per op and place.
    pub outcomes: BTreeMap<(OpId, Place), Outcome>,
    /// How often each blob was read from each registry.
    pub reads: BTreeMap<(RegistryName, Digest), u64>,
    /// How often each blob was sent to each repository.
    pub sent: BTreeMap<(Place, Digest), u64>,
    /// The mounts that a registry declined.
    pub declined: Vec<String>,
    /// What a registry refused although all that the op waits for succeeded.
    pub violations: Vec<String>,
}

impl Applied {
    /// Returns what came out as `outcome`.
    #[must_use]
    pub fn with(&self, outcome: Outcome) -> Vec<(&OpId, &Place)> {
        self.outcomes
            .iter()
            .filter(|(_, other)| **other == outcome)
            .map(|((id, place), _)| (id, place))
            .collect()
    }
}

impl World {
    /// Carries out a plan in an order that `order` chooses; `fails` says what fails.
    pub fn apply(
        &mut self,
        plan: &Plan,
        order: u64,
        fails: &mut impl FnMut(&Op, &OpPlace) -> bool,
    ) -> Applied {
        let mut run = Run {
            world: self,
            plan,
            applied: Applied::default(),
            read: BTreeSet::new(),
        };
        let ops: HashMap<&OpId, &Op> = plan.ops.iter().map(|op| (&op.id, op)).collect();
        let mut waiting: Vec<(&Op, &OpPlace)> = plan
            .ops
            .iter()
            .flat_map(|op| op.at.iter().map(move |at| (op, at)))
            .collect();
        let mut chance = Chance(order);
        while !waiting.is_empty() {
            let start = chance.below(waiting.len());
            let found = (0..waiting.len())
                .map(|step| (start + step) % waiting.len())
                .find_map(|index| {
                    let (op, at) = waiting[index];
                    run.ready(&ops, op, at).map(|ready| (index, ready))
                });
            let Some((index, ready)) = found else {
                run.applied
                    .violations
                    .push(format!("{} waits for ever", waiting[start].0.id));
                break;
            };
            let (op, at) = waiting.swap_remove(index);
            let outcome = match ready {
                Ready::Go if fails(op, at) => Outcome::Failed,
                Ready::Go => run.place(op, at),
                Ready::Skip => Outcome::Skipped,
            };
            run.applied.outcomes.insert((op.id.clone(), at.place()), outcome);
        }
        run.applied
    }
}

/// Random numbers from a seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        // splitmix64, see https://prng.di.unimi.it/splitmix64.c
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((word ^ (word >> 31)) % end as u64).unwrap_or_default()
    }
}

enum Ready {
    Go,
    Skip,
}

struct Run<'w> {
    world: &'w mut World,
    plan: &'w Plan,
    applied: Applied,
    /// The ops whose blob was read: all their places share the read.
    read: BTreeSet<OpId>,
}

type Placed = Result<Outcome, String>;

impl Run<'_> {
    /// The places whose end an op waits for at `at`: the same place or, of repositories that are made, the one it lies in;
    /// else the same registry.
    fn waits<'p>(other: &'p Op, at: &OpPlace) -> Vec<&'p OpPlace> {
        let same: Vec<_> = other
            .at
            .iter()
            .filter(|place| place.registry == at.registry && place.repository == at.repository)
            .collect();
        if !same.is_empty() {
            return same;
        }
        let makes = matches!(other.kind, OpKind::CreateRepository | OpKind::UpdateRepository);
        let above = other
            .at
            .iter()
            .filter(|place| makes && place.place().is_above(&at.place()));
        if let Some(above) = above.max_by_key(|place| place.repository.as_str().len()) {
            return vec![above];
        }
        other
            .at
            .iter()
            .filter(|place| place.registry == at.registry)
            .collect()
    }

    fn ready(&self, ops: &HashMap<&OpId, &Op>, op: &Op, at: &OpPlace) -> Option<Ready> {
        let outcome =
            |id: &OpId, place: &OpPlace| self.applied.outcomes.get(&(id.clone(), place.place())).copied();
        let mut ready = Ready::Go;
        for (ids, must) in [(&op.after, true), (&op.after_end, false)] {
            for id in ids {
                for place in Self::waits(ops[id], at) {
                    let ended = outcome(id, place)?;
                    if must && !ended.succeeded() {
                        ready = Ready::Skip;
                    }
                }
            }
        }
        Some(ready)
    }

    fn place(&mut self, op: &Op, at: &OpPlace) -> Outcome {
        let placed = match op.kind {
            OpKind::CreateRepository => self.create(at),
            OpKind::UpdateRepository => self.update(at),
            OpKind::ImportImage => self.import(op, at),
            OpKind::UploadBlob => self.upload(op, at),
            OpKind::MountBlob => self.mount(op, at),
            OpKind::PutManifest => self.put_manifest(op, at),
            OpKind::MergeReferrers => self.merge(op, at),
            OpKind::MergeSignatures => self.unite(op, at),
            OpKind::PutTag => self.put_tag(op, at),
        };
        placed.unwrap_or_else(|refusal| {
            self.applied
                .violations
                .push(format!("{} at {}: {refusal}", op.id, at.place()));
            Outcome::Failed
        })
    }

    fn create(&mut self, at: &OpPlace) -> Placed {
        let registry = self
            .world
            .registries
            .get_mut(&at.registry)
            .ok_or("there is no such registry")?;
        if registry.options.creation != Creation::Call {
            return Err("repositories are not created by a call here".to_owned());
        }
        if registry.repositories.contains_key(&at.repository) || registry.units.contains_key(&at.repository) {
            return Ok(Outcome::Already);
        }
        if registry.options.depth.is_some() {
            registry.units.insert(at.repository.clone(), Standing::default());
            return Ok(Outcome::Done);
        }
        registry
            .repositories
            .insert(at.repository.clone(), ModelRepository::default());
        Ok(Outcome::Done)
    }

    fn update(&mut self, at: &OpPlace) -> Placed {
        let registry = self
            .world
            .registries
            .get_mut(&at.registry)
            .ok_or("there is no such registry")?;
        let standing = registry
            .units
            .get_mut(&at.repository)
            .ok_or("the repository does not exist")?;
        standing.drift.retain(|drift| drift.change == Change::Never);
        Ok(Outcome::Done)
    }

    /// The registry fetches an image with all it names; nothing that it lacks is left out.
    fn import(&mut self, op: &Op, at: &OpPlace) -> Placed {
        let limit = self.world.registries[&at.registry].options.imports;
        let limit = limit.ok_or("it imports nothing")?;
        let from = op.from.as_ref().ok_or("it has no source")?;
        let source = self.world.at(from).cloned().ok_or("the source does not exist")?;
        let root = op.digest.clone().ok_or("it has no image")?;
        if self.target(at)?.manifests.contains_key(&root) {
            return Ok(Outcome::Already);
        }
        let mut fetched = Vec::new();
        let mut open = vec![root];
        while let Some(digest) = open.pop() {
            let manifest = source
                .manifests
                .get(&digest)
                .ok_or_else(|| format!("{from} lacks {digest}"))?;
            open.extend(manifest.children().map(|child| child.digest.clone()));
            fetched.push(manifest.clone());
        }
        if fetched.len() > limit {
            return Err(format!("{} manifests are too many", fetched.len()));
        }
        for manifest in fetched.into_iter().rev() {
            for blob in manifest
                .blobs()
                .filter(|blob| !blob.media_type.is_nondistributable())
            {
                let size = source
                    .blobs
                    .get(&blob.digest)
                    .ok_or_else(|| format!("{from} lacks {}", blob.digest))?;
                self.target(at)?.blobs.insert(blob.digest.clone(), *size);
            }
            self.put(at, manifest)?;
        }
        Ok(Outcome::Done)
    }

    /// The repository to write to; the first push makes it where the registry does so.
    fn target(&mut self, at: &OpPlace) -> Result<&mut ModelRepository, String> {
        let registry = self
            .world
            .registries
            .get_mut(&at.registry)
            .ok_or("there is no such registry")?;
        let unit = at.place().unit(registry.options.depth).repository;
        if registry.options.creation == Creation::OnPush || registry.units.contains_key(&unit) {
            return Ok(registry.repositories.entry(at.repository.clone()).or_default());
        }
        registry
            .repositories
            .get_mut(&at.repository)
            .ok_or_else(|| "the repository does not exist".to_owned())
    }

    /// Reads a blob at the op's source, once for all places, and sends it.
    fn send(&mut self, op: &Op, at: &OpPlace, digest: &Digest) -> Placed {
        let from = op.from.as_ref().ok_or("it has no source")?;
        let held = self.world.at(from).and_then(|source| source.blobs.get(digest));
        let size = *held.ok_or_else(|| format!("{from} lacks {digest}"))?;
        if self.read.insert(op.id.clone()) {
            *self
                .applied
                .reads
                .entry((from.registry.clone(), digest.clone()))
                .or_default() += 1;
        }
        self.target(at)?.blobs.insert(digest.clone(), size);
        *self.applied.sent.entry((at.place(), digest.clone())).or_default() += 1;
        Ok(Outcome::Done)
    }

    fn upload(&mut self, op: &Op, at: &OpPlace) -> Placed {
        let digest = op.digest.as_ref().ok_or("it has no blob")?;
        if self.target(at)?.blobs.contains_key(digest) {
            return Ok(Outcome::Already);
        }
        self.send(op, at, digest)
    }

    fn mount(&mut self, op: &Op, at: &OpPlace) -> Placed {
        let digest = op.digest.as_ref().ok_or("it has no blob")?;
        let from = at.from.as_ref().ok_or("it mounts from nowhere")?;
        if self.target(at)?.blobs.contains_key(digest) {
            return Ok(Outcome::Already);
        }
        let rule = self.world.registries[&at.registry].options.mount;
        let origin = at.origin.as_ref().unwrap_or(&at.registry);
        let registry = &self.world.registries[origin];
        let related = registry.options.family == self.world.registries[&at.registry].options.family;
        if at.origin.is_some() && (!related || registry.options.family.is_none()) {
            return Err(format!("{origin} is no relative of {}", at.registry));
        }
        let held = registry.repositories.get(from).and_then(|held| match rule {
            MountRule::Any => held.blobs.get(digest),
            MountRule::Committed if held.names(digest) => held.blobs.get(digest),
            MountRule::Committed | MountRule::Never => None,
        });
        match held.copied() {
            Some(size) => {
                self.target(at)?.blobs.insert(digest.clone(), size);
                Ok(Outcome::Done)
            }
            None => {
                self.applied
                    .declined
                    .push(format!("{} at {} from {from}", op.id, at.place()));
                self.send(op, at, digest)
            }
        }
    }

    fn source_manifest(&self, op: &Op) -> Result<Manifest, String> {
        let (from, digest) = op
            .from
            .as_ref()
            .zip(op.digest.as_ref())
            .ok_or("it has no source")?;
        if let Some(made) = self
            .plan
            .manifests
            .get(digest)
            .and_then(|entry| entry.made(digest))
        {
            return made.map_err(|error| error.to_string());
        }
        let manifest = self
            .world
            .at(from)
            .and_then(|source| source.manifests.get(digest));
        manifest.cloned().ok_or_else(|| format!("{from} lacks {digest}"))
    }

    fn put(&mut self, at: &OpPlace, manifest: Manifest) -> Result<(), String> {
        let sparse = self.world.registries[&at.registry].options.sparse;
        let repository = self.target(at)?;
        let mut missing = repository.missing(&manifest);
        if sparse {
            missing.retain(|digest| manifest.children().all(|child| child.digest != *digest));
        }
        if !missing.is_empty() {
            return Err(format!("{} lacks {missing:?}", manifest.digest()));
        }
        repository.manifests.insert(manifest.digest().clone(), manifest);
        Ok(())
    }

    fn put_manifest(&mut self, op: &Op, at: &OpPlace) -> Placed {
        let manifest = self.source_manifest(op)?;
        if self.target(at)?.manifests.contains_key(manifest.digest()) {
            return Ok(Outcome::Already);
        }
        self.put(at, manifest)?;
        Ok(Outcome::Done)
    }

    fn put_tag(&mut self, op: &Op, at: &OpPlace) -> Placed {
        let tag = op.tag.as_ref().ok_or("it has no tag")?;
        let manifest = self.source_manifest(op)?;
        let digest = manifest.digest().clone();
        let found = self.target(at)?.tags.get(tag).cloned();
        if found.as_ref() == Some(&digest) {
            return Ok(Outcome::Already);
        }
        self.put(at, manifest)?;
        if at.expect != Some(found.map_or(Expect::Absent, Expect::Digest)) {
            return Ok(Outcome::Stale);
        }
        self.target(at)?.tags.insert(tag.clone(), digest);
        Ok(Outcome::Done)
    }

    fn merge(&mut self, op: &Op, at: &OpPlace) -> Placed {
        let tag = op.tag.as_ref().ok_or("it has no tag")?;
        let repository = self.target(at)?;
        let found = repository
            .tags
            .get(tag)
            .and_then(|digest| repository.manifests.get(digest));
        let mut entries: Vec<_> = found.iter().flat_map(|index| index.children()).cloned().collect();
        let before = entries.len();
        for entry in &op.entries {
            if !entries.iter().any(|held| held.digest == entry.digest) {
                entries.push(entry.clone());
            }
        }
        if found.is_some() && entries.len() == before {
            return Ok(Outcome::Already);
        }
        // Annotated, so that it is never an index that is wanted for itself.
        let index = json!({
            "schemaVersion": 2,
            "mediaType": MediaType::OCI_INDEX,
            "manifests": entries,
            "annotations": { "merged-into": tag },
        });
        let index =
            Manifest::parse(Bytes::from(index.to_string()), None).map_err(|error| error.to_string())?;
        let digest = index.digest().clone();
        self.put(at, index)?;
        self.target(at)?.tags.insert(tag.clone(), digest);
        Ok(Outcome::Done)
    }

    fn unite(&mut self, op: &Op, at: &OpPlace) -> Placed {
        let tag = op.tag.as_ref().ok_or("it has no tag")?;
        let repository = self.target(at)?;
        let found = repository
            .tags
            .get(tag)
            .and_then(|digest| repository.manifests.get(digest))
            .ok_or("the tag does not stand")?;
        let held = Signatures::of(found).ok_or("the tag holds no signatures")?;
        let lacking = held.lacking(&op.entries);
        if lacking.is_empty() {
            return Ok(Outcome::Already);
        }
        let layers: Vec<_> = held.layers().iter().chain(lacking).collect();
        // Annotated, so that it is never an image that is wanted for itself.
        let image = json!({
            "schemaVersion": 2,
            "mediaType": MediaType::OCI_MANIFEST,
            "config": held.config(),
            "layers": layers,
            "annotations": { "merged-into": tag },
        });
        let image =
            Manifest::parse(Bytes::from(image.to_string()), None).map_err(|error| error.to_string())?;
        let digest = image.digest().clone();
        self.put(at, image)?;
        self.target(at)?.tags.insert(tag.clone(), digest);
        Ok(Outcome::Done)
    }
}

impl ModelRepository {
    /// Says whether a manifest here names a blob.
    fn names(&self, blob: &Digest) -> bool {
        self.manifests
            .values()
            .any(|manifest| manifest.blobs().any(|named| named.digest == *blob))
    }
}
