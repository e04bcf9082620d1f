//! What happens, as it happens.

use std::sync::Arc;
use std::time::Duration;

use oci::Digest;
use planner::{OpId, OpKind, Place, RegistryName};
use tokio::sync::mpsc;

use crate::{Counters, Outcome, StopReason};

/// A step in the life of a survey or an execution. Events are never dropped; byte counts stand in [`Counters`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A round of questions goes out.
    RoundStarted {
        /// Counts from 1.
        round: u32,
        /// How many questions it has.
        questions: usize,
    },
    /// A question was answered.
    Answered {
        /// The place that was asked.
        place: Place,
        /// Whether the registry could say.
        known: bool,
    },
    /// A round of questions is answered.
    RoundEnded {
        /// Counts from 1.
        round: u32,
        /// How many answers are problems.
        problems: usize,
    },
    /// An execution begins.
    PlanStarted {
        /// How many ops the plan has.
        ops: usize,
        /// How many placements they are.
        placements: usize,
    },
    /// What was written to a registry on disk is made to last.
    Finishing {
        /// The registry.
        registry: RegistryName,
    },
    /// An op began at a place.
    OpStarted {
        /// The op.
        op: OpId,
        /// What it does.
        kind: OpKind,
        /// The place.
        place: Place,
    },
    /// An op ended at a place.
    OpEnded {
        /// The op.
        op: OpId,
        /// What it does.
        kind: OpKind,
        /// The place.
        place: Place,
        /// How it ended.
        outcome: Outcome,
        /// How long it took; zero where it never began.
        elapsed: Duration,
    },
    /// A blob's upload to a place is tried again.
    UploadRetried {
        /// The op.
        op: OpId,
        /// The place.
        place: Place,
        /// Why.
        error: String,
    },
    /// A blob is being read, and sent to places.
    BlobStarted {
        /// The op.
        op: OpId,
        /// The blob.
        digest: Digest,
        /// Its size in bytes.
        size: u64,
        /// Where it is read.
        from: Place,
        /// Where it goes.
        to: Vec<Place>,
    },
    /// A read of a blob ended.
    BlobEnded {
        /// The op.
        op: OpId,
        /// The blob.
        digest: Digest,
        /// How long it took.
        elapsed: Duration,
    },
    /// A repository or its whole registry is given up; what remains to be done there is skipped.
    GivenUp {
        /// Why, and which of both.
        error: String,
    },
    /// Tags are not locked against other processes of this machine, and work goes on.
    Unlocked {
        /// Why.
        error: String,
    },
    /// The run was asked to stop: nothing new starts.
    Stopping {
        /// Who asked.
        reason: StopReason,
    },
    /// An execution is over.
    PlanEnded,
}

/// Where events go, and the counters beside them. Clones share both.
#[derive(Clone, Debug)]
pub struct Events {
    sender: Option<mpsc::UnboundedSender<Event>>,
    counters: Arc<Counters>,
}

impl Events {
    /// Makes a sink and the end where its events arrive.
    #[must_use]
    pub fn channel() -> (Self, mpsc::UnboundedReceiver<Event>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (
            Self {
                sender: Some(sender),
                counters: Arc::default(),
            },
            receiver,
        )
    }

    /// Makes a sink that nobody listens to.
    #[must_use]
    pub fn unheard() -> Self {
        Self {
            sender: None,
            counters: Arc::default(),
        }
    }

    /// Returns the byte counts.
    #[must_use]
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }

    pub(crate) fn send(&self, event: Event) {
        if let Some(sender) = &self.sender {
            // Whoever listened may have left; that is no reason to fail.
            let _ = sender.send(event);
        }
    }
}
