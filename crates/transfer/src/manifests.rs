//! The manifests that ops carry: each read from its source once.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use oci::{Digest, Manifest};
use planner::plan::ManifestEntry;
use planner::{Place, ProblemKind, Side};
use registry::ReadRepository;
use tokio::sync::OnceCell;

use crate::fault::Fault;

/// How many bytes of manifests are kept. Parsed they take several times that.
const KEPT: u64 = 16 << 20;

/// A manifest, or why it can't be had: that is not asked twice either.
type Slot = Arc<OnceCell<Result<Manifest, Fault>>>;

/// Manifests as they were read. Those that were not used for longest are forgotten first.
#[derive(Debug, Default)]
pub(crate) struct Manifests {
    shelf: Mutex<Shelf>,
}

#[derive(Debug, Default)]
struct Shelf {
    slots: HashMap<Digest, (Slot, u64, u64)>,
    by_use: BTreeMap<u64, Digest>,
    uses: u64,
    size: u64,
}

impl Manifests {
    /// Returns a manifest, read from `repository` at `place` unless it was read before. All who ask at once share one
    /// request.
    pub(crate) async fn get(
        &self,
        digest: &Digest,
        entry: &ManifestEntry,
        place: &Place,
        repository: &dyn ReadRepository,
    ) -> Result<Manifest, Fault> {
        let slot = self
            .shelf
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .slot(digest, entry.size);
        slot.get_or_init(|| read(digest, entry, place, repository))
            .await
            .clone()
    }
}

async fn read(
    digest: &Digest,
    entry: &ManifestEntry,
    place: &Place,
    repository: &dyn ReadRepository,
) -> Result<Manifest, Fault> {
    let fail = |kind, text| Err(Fault::new(Side::Source, place, kind, text));
    let read = repository.get_manifest(&digest.clone().into()).await;
    let Some(manifest) = read.map_err(|error| Fault::source(place, &error))? else {
        return fail(
            ProblemKind::NotFound,
            format!("manifest {digest} is no longer in {place}"),
        );
    };
    let size = manifest.bytes().len() as u64;
    if manifest.digest() != digest || size != entry.size {
        let text = format!(
            "manifest {digest} of {place} has {size} bytes, the plan says {}",
            entry.size
        );
        return fail(ProblemKind::Integrity, text);
    }
    if *manifest.media_type() != entry.media_type {
        let (found, planned) = (manifest.media_type(), &entry.media_type);
        let text = format!("manifest {digest} of {place} is served as {found}, the plan says {planned}");
        return fail(ProblemKind::Integrity, text);
    }
    Ok(manifest)
}

impl Shelf {
    fn slot(&mut self, digest: &Digest, size: u64) -> Slot {
        self.uses += 1;
        let uses = self.uses;
        if let Some((slot, _, used)) = self.slots.get_mut(digest) {
            self.by_use.remove(used);
            *used = uses;
            let slot = Arc::clone(slot);
            self.by_use.insert(uses, digest.clone());
            return slot;
        }
        let slot = Slot::default();
        self.slots.insert(digest.clone(), (Arc::clone(&slot), size, uses));
        self.by_use.insert(uses, digest.clone());
        self.size += size;
        self.forget();
        slot
    }

    fn forget(&mut self) {
        while self.size > KEPT && self.slots.len() > 1 {
            let Some((_, digest)) = self.by_use.pop_first() else {
                return;
            };
            if let Some((_, size, _)) = self.slots.remove(&digest) {
                self.size -= size;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_not_used_for_longest_are_forgotten_first() {
        let mut shelf = Shelf::default();
        let [first, second, third] = [b"1", b"2", b"3"].map(|text| Digest::sha256(text));
        shelf.slot(&first, KEPT / 2);
        shelf.slot(&second, KEPT / 2);
        shelf.slot(&first, KEPT / 2);
        shelf.slot(&third, KEPT / 2);
        assert!(shelf.slots.contains_key(&first) && shelf.slots.contains_key(&third));
        assert!(!shelf.slots.contains_key(&second));
        assert_eq!(shelf.size, KEPT);
    }
}
