//! What every worker shares.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use oci::{Digest, Host, Manifest, Tag};
use planner::plan::ManifestEntry;
use planner::{Place, ProblemKind, RegistryName, Side};
use registry::{ReadRepository, Upload, WriteRepository};

use crate::counters::Counters;
use crate::fault::Fault;
use crate::manifests::Manifests;
use crate::newborns::Newborns;
use crate::{Connected, Connections};

/// How much more patience parts need: the client itself notices a part that stalls, and one of 4 MiB may take minutes on a
/// slow line.
const PARTS: u32 = 10;

/// Held across requests, so that they are one change.
type Lock = Arc<tokio::sync::Mutex<()>>;

/// What every worker shares: the registries, what was read, and what is counted.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) counters: Arc<Counters>,
    /// How many bytes of one blob may be in memory at once.
    pub(crate) window: u64,
    /// How long a target may take no byte.
    patience: Duration,
    /// Repositories that this run has made.
    pub(crate) newborns: Newborns,
    connected: BTreeMap<RegistryName, Connected>,
    manifests: Manifests,
    merging: Mutex<HashMap<(Place, Tag), Lock>>,
}

impl Context {
    pub(crate) fn new(
        connections: &Connections,
        counters: Arc<Counters>,
        window: u64,
        patience: Duration,
    ) -> Self {
        Self {
            counters,
            window,
            patience,
            newborns: Newborns::default(),
            connected: connections.by_name().clone(),
            manifests: Manifests::default(),
            merging: Mutex::default(),
        }
    }

    /// Finds a registry.
    pub(crate) fn connected(&self, place: &Place, side: Side) -> Result<&Connected, Fault> {
        self.connected.get(&place.registry).ok_or_else(|| {
            let text = format!("no connection to registry {} is configured", place.registry);
            Fault::new(side, place, ProblemKind::Other, text)
        })
    }

    /// Returns how long a target may take no byte. One that takes blobs in parts takes none while a part is on its way.
    pub(crate) fn patience_with(&self, place: &Place) -> Result<Duration, Fault> {
        let profile = self.connected(place, Side::Target)?.provider.profile();
        Ok(match profile.wire.upload {
            Upload::Whole => self.patience,
            Upload::Chunked { .. } => self.patience * PARTS,
        })
    }

    /// Returns the host of a registry, where it has one.
    pub(crate) fn host(&self, registry: &RegistryName) -> Option<Host> {
        self.connected.get(registry)?.host.clone()
    }

    pub(crate) fn reader(&self, place: &Place) -> Result<Arc<dyn ReadRepository>, Fault> {
        Ok(self
            .connected(place, Side::Source)?
            .registry
            .reader(&place.repository))
    }

    pub(crate) fn writer(&self, place: &Place) -> Result<Arc<dyn WriteRepository>, Fault> {
        Ok(self
            .connected(place, Side::Target)?
            .registry
            .writer(&place.repository))
    }

    /// Returns a manifest that an op carries, from the plan, from its source or from memory.
    pub(crate) async fn manifest(
        &self,
        digest: &Digest,
        entry: &ManifestEntry,
        from: &Place,
    ) -> Result<Manifest, Fault> {
        if let Some(made) = entry.made(digest) {
            return made
                .map_err(|error| Fault::new(Side::Source, from, ProblemKind::Integrity, error.to_string()));
        }
        let repository = self.reader(from)?;
        self.manifests.get(digest, entry, from, repository.as_ref()).await
    }

    /// Returns what is held while a tag's index is read, changed and written back.
    pub(crate) fn merging(&self, place: &Place, tag: &Tag) -> Lock {
        let mut merging = self.merging.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(merging.entry((place.clone(), tag.clone())).or_default())
    }
}
