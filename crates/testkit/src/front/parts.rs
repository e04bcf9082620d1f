//! How far uploads in parts are.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

/// The uploads of a front, by the path of their session.
#[derive(Debug, Default)]
pub(crate) struct Parts(Mutex<BTreeMap<String, Progress>>);

/// How far one is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Progress {
    /// The last byte of the first part.
    pub(crate) first: u64,
    /// How many bytes there are.
    pub(crate) received: u64,
    /// How many the last part had.
    pub(crate) last: u64,
}

impl Parts {
    /// Returns how far an upload is; nothing before its first part.
    pub(crate) fn of(&self, session: &str) -> Option<Progress> {
        self.lock().get(session).copied()
    }

    /// Counts a part that was taken, and returns how far its upload is with it.
    pub(crate) fn add(&self, session: &str, length: u64) -> Progress {
        let mut uploads = self.lock();
        let progress = uploads.entry(session.to_owned()).or_insert(Progress {
            first: length.saturating_sub(1),
            ..Progress::default()
        });
        progress.received += length;
        progress.last = length;
        *progress
    }

    pub(crate) fn end(&self, session: &str) {
        self.lock().remove(session);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Progress>> {
        self.0.lock().expect("no holder of the uploads panics")
    }
}
