//! Upload sessions.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use oci::RepositoryName;
use tokio::time::Instant;

use crate::store::BlobSink;

/// How long a session may lie idle before another's start ends it.
const IDLE: Duration = Duration::from_secs(3600);

/// The sessions that are open.
#[derive(Default)]
pub(crate) struct Sessions {
    seed: u64,
    count: AtomicU64,
    open: Mutex<BTreeMap<String, Arc<Session>>>,
}

/// An upload that has begun.
pub(crate) struct Session {
    pub(crate) id: String,
    repository: RepositoryName,
    received: AtomicU64,
    touched: Mutex<Instant>,
    /// Held by the request that writes. None once the upload is committed.
    pub(crate) sink: tokio::sync::Mutex<Option<Box<dyn BlobSink>>>,
}

impl Session {
    /// Returns how many bytes were received.
    pub(crate) fn received(&self) -> u64 {
        self.received.load(Ordering::Acquire)
    }

    /// Counts bytes that the sink has taken.
    pub(crate) fn add(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Ordering::AcqRel);
        *self.touched.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Returns where the session is.
    pub(crate) fn location(&self) -> String {
        format!("/v2/{}/blobs/uploads/{}", self.repository, self.id)
    }

    /// Returns the `Range` header's value: the bytes received, the last one included. `0-0` also where there are none.
    pub(crate) fn range(&self) -> String {
        format!("0-{}", self.received().saturating_sub(1))
    }

    fn idle(&self) -> Duration {
        self.touched
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .elapsed()
    }
}

impl Sessions {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            seed,
            ..Self::default()
        }
    }

    /// Opens a session.
    pub(crate) fn open(&self, repository: RepositoryName, sink: Box<dyn BlobSink>) -> Arc<Session> {
        let session = Arc::new(Session {
            id: self.next_id(),
            repository,
            received: AtomicU64::new(0),
            touched: Mutex::new(Instant::now()),
            sink: tokio::sync::Mutex::new(Some(sink)),
        });
        let mut open = self.lock();
        open.retain(|_, session| session.idle() < IDLE);
        open.insert(session.id.clone(), Arc::clone(&session));
        session
    }

    /// Finds a session of a repository.
    pub(crate) fn get(&self, repository: &RepositoryName, id: &str) -> Option<Arc<Session>> {
        self.lock()
            .get(id)
            .filter(|session| session.repository == *repository)
            .cloned()
    }

    /// Ends a session.
    pub(crate) fn close(&self, session: &Session) {
        self.lock().remove(&session.id);
    }

    /// Makes a UUID (RFC 9562, version 8) of the seed and a count.
    fn next_id(&self) -> String {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let hex = oci::Digest::sha256(format!("session {} {count}", self.seed).as_bytes()).hex();
        format!(
            "{}-{}-8{}-a{}-{}",
            &hex[..8],
            &hex[8..12],
            &hex[12..15],
            &hex[15..18],
            &hex[18..30]
        )
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Session>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
