//! Blobs that stood with another size than they have.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use oci::Digest;
use planner::Place;

/// Where which blob was found damaged in this run.
#[derive(Debug, Default)]
pub(crate) struct Damaged(Mutex<BTreeSet<(Place, Digest)>>);

impl Damaged {
    pub(crate) fn note(&self, place: &Place, digest: &Digest) {
        let mut damaged = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        damaged.insert((place.clone(), digest.clone()));
    }

    pub(crate) fn has(&self, place: &Place, digest: &Digest) -> bool {
        let damaged = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        damaged.contains(&(place.clone(), digest.clone()))
    }
}
