//! A node of the graph at work: an op at one of its places.

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::ledger::CauseId;

/// An op at one of its places, by its number in the graph.
pub(crate) type NodeId = usize;

/// How an op ended at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was done.
    Done,
    /// It stood there already.
    AlreadyDone,
    /// The blob was mounted.
    Mounted,
    /// The tag stays where it is; the manifest it should carry stands there now.
    TagKept,
    /// It was tried and failed.
    Failed,
    /// It was not tried.
    Skipped,
}

impl Outcome {
    /// Returns true where the op has nothing left to do at the place.
    pub(crate) fn achieved(self) -> bool {
        matches!(self, Self::Done | Self::AlreadyDone | Self::Mounted)
    }

    /// Returns true where the content stands at the place now, so that what waits for it can go on.
    pub(crate) fn landed(self) -> bool {
        match self {
            Self::Done | Self::AlreadyDone | Self::Mounted | Self::TagKept => true,
            Self::Failed | Self::Skipped => false,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Waits for this many others.
    Waiting(usize),
    /// Waits for its turn.
    Queued,
    /// Its blob is to be read; others of the op may join.
    Gathered,
    /// Its blob is to be read, in a read that waits for its turn.
    Reading,
    /// A request runs.
    Running,
    /// Its blob is being sent.
    Streaming,
    /// Waits before another try.
    Resting,
    /// Over.
    Ended(Outcome),
}

#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) stage: Stage,
    /// Whether the op's gathering still has to wait for this place.
    pub(crate) awaited: bool,
    /// Upload sessions that failed.
    pub(crate) failures: u32,
    pub(crate) started: Option<Instant>,
    /// Why it failed or was skipped.
    pub(crate) cause: Option<CauseId>,
}

impl Node {
    pub(crate) fn waiting(count: usize) -> Self {
        Self {
            stage: Stage::Waiting(count),
            awaited: true,
            failures: 0,
            started: None,
            cause: None,
        }
    }

    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.stage, Stage::Ended(_))
    }
}
