//! Byte counts that are sampled while they grow.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use planner::RegistryName;

/// How many bytes of blobs moved so far, by registry.
#[derive(Debug, Default)]
pub struct Counters {
    registries: RwLock<BTreeMap<RegistryName, Arc<RegistryCounters>>>,
}

/// How many bytes of blobs moved, at one registry or at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ByteCounts {
    /// Received.
    pub read: u64,
    /// Sent.
    pub written: u64,
    /// Mounted, and so not sent.
    pub mounted: u64,
}

/// The counts of one registry.
#[derive(Debug, Default)]
pub(crate) struct RegistryCounters {
    read: AtomicU64,
    written: AtomicU64,
    mounted: AtomicU64,
}

impl RegistryCounters {
    pub(crate) fn add_read(&self, bytes: usize) {
        self.read.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn add_written(&self, bytes: usize) {
        self.written.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn add_mounted(&self, bytes: u64) {
        self.mounted.fetch_add(bytes, Ordering::Relaxed);
    }

    fn counts(&self) -> ByteCounts {
        ByteCounts {
            read: self.read.load(Ordering::Relaxed),
            written: self.written.load(Ordering::Relaxed),
            mounted: self.mounted.load(Ordering::Relaxed),
        }
    }
}

impl Counters {
    /// Returns the counts by registry.
    #[must_use]
    pub fn by_registry(&self) -> BTreeMap<RegistryName, ByteCounts> {
        let registries = self.registries.read().unwrap_or_else(PoisonError::into_inner);
        registries
            .iter()
            .map(|(name, counters)| (name.clone(), counters.counts()))
            .collect()
    }

    /// Returns the sums over all registries.
    #[must_use]
    pub fn total(&self) -> ByteCounts {
        self.by_registry()
            .values()
            .fold(ByteCounts::default(), |sum, counts| ByteCounts {
                read: sum.read + counts.read,
                written: sum.written + counts.written,
                mounted: sum.mounted + counts.mounted,
            })
    }

    pub(crate) fn of(&self, registry: &RegistryName) -> Arc<RegistryCounters> {
        let known = self
            .registries
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(registry)
            .cloned();
        known.unwrap_or_else(|| {
            let mut registries = self.registries.write().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(registries.entry(registry.clone()).or_default())
        })
    }
}
