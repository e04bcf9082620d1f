//! What a front has seen.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use registry::Operation;

/// Counts requests by what they are. Clones count together.
#[derive(Clone, Debug, Default)]
pub struct Tally(Arc<Mutex<Counts>>);

#[derive(Debug, Default)]
struct Counts {
    operations: BTreeMap<Operation, Count>,
    all: Count,
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    requests: usize,
    throttled: usize,
    running: usize,
    most: usize,
}

/// A request that is being answered, until it is dropped.
pub(crate) struct Running<'a> {
    tally: &'a Tally,
    operation: Option<Operation>,
}

impl Tally {
    /// Returns how many requests of a kind came.
    #[must_use]
    pub fn requests(&self, operation: Operation) -> usize {
        self.of(operation).requests
    }

    /// Returns how many parts of blobs came.
    #[must_use]
    pub fn parts(&self) -> usize {
        self.requests(Operation::SendChunk)
    }

    /// Returns how many uploads were brought to their end, in parts or whole.
    #[must_use]
    pub fn finished_uploads(&self) -> usize {
        self.requests(Operation::FinishUpload)
    }

    /// Returns how many requests of a kind were answered with 429.
    #[must_use]
    pub fn throttled(&self, operation: Operation) -> usize {
        self.of(operation).throttled
    }

    /// Returns how many requests of a kind were being answered at once, at most.
    #[must_use]
    pub fn most_at_once(&self, operation: Operation) -> usize {
        self.of(operation).most
    }

    /// Returns how many requests came in all.
    #[must_use]
    pub fn all(&self) -> usize {
        self.lock().all.requests
    }

    /// Returns how many requests of any kind were being answered at once, at most.
    #[must_use]
    pub fn busiest(&self) -> usize {
        self.lock().all.most
    }

    pub(crate) fn enter(&self, operation: Option<Operation>) -> Running<'_> {
        self.each(operation, |count| {
            count.requests += 1;
            count.running += 1;
            count.most = count.most.max(count.running);
        });
        Running {
            tally: self,
            operation,
        }
    }

    fn each(&self, operation: Option<Operation>, change: impl Fn(&mut Count)) {
        let mut counts = self.lock();
        change(&mut counts.all);
        if let Some(operation) = operation {
            change(counts.operations.entry(operation).or_default());
        }
    }

    fn of(&self, operation: Operation) -> Count {
        self.lock()
            .operations
            .get(&operation)
            .copied()
            .unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().expect("no holder of the counts panics")
    }
}

impl Running<'_> {
    /// Counts the answer.
    pub(crate) fn answered(&self, status: u16) {
        if status == 429 {
            self.tally.each(self.operation, |count| count.throttled += 1);
        }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.tally.each(self.operation, |count| count.running -= 1);
    }
}
