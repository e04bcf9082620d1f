//! Writing a tag that somebody else writes too.

use std::time::Duration;

use oci::Tag;
use planner::{Place, ProblemKind, Side};

use crate::fault::Fault;
use crate::landing::Landing;

/// How often a tag is written before giving up on somebody else who writes it too.
const ATTEMPTS: u32 = 5;

/// The longest pause after the first write that was lost; each further one may take twice as long.
const PAUSE: Duration = Duration::from_millis(400);

/// What to do where a tag lacks something that ours should have brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Write it.
    Write,
    /// Read it once more: what was written may not be seen everywhere yet.
    Read,
    /// Leave it to the others.
    GiveUp,
}

/// How a tag was written and read back so far.
#[derive(Debug, Default)]
pub(crate) struct Contention {
    writes: u32,
    has_paused: bool,
}

impl Contention {
    /// How it ends where the tag lacks nothing.
    pub(crate) fn landing(&self) -> Landing {
        match self.writes {
            0 => Landing::AlreadyDone,
            _ => Landing::Done,
        }
    }

    /// Says what to do about a tag that lacks ours. Before a second look there is a pause, drawn so that those who disturb each
    /// other do not return together.
    pub(crate) async fn next(&mut self) -> Next {
        if self.writes > 0 && !self.has_paused {
            self.has_paused = true;
            let bound = PAUSE * 2_u32.pow(self.writes - 1);
            tokio::time::sleep(bound.mul_f64(f64::midpoint(fastrand::f64(), 1.0))).await;
            return Next::Read;
        }
        if self.writes == ATTEMPTS {
            return Next::GiveUp;
        }
        self.writes += 1;
        self.has_paused = false;
        Next::Write
    }
}

/// Somebody else does not let us get our word in.
pub(crate) fn lost(place: &Place, tag: &Tag) -> Fault {
    let text =
        format!("somebody else keeps writing tag {tag} of {place}: entries were lost {ATTEMPTS} times");
    let fault = Fault::new(Side::Target, place, ProblemKind::Contended, text);
    fault.hinted("run it again when the others are done")
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn after_each_write_there_is_a_growing_pause_and_a_second_look() {
        let mut contention = Contention::default();
        assert_eq!(contention.next().await, Next::Write);
        let mut bound = PAUSE;
        for write in 1..=ATTEMPTS {
            let start = Instant::now();
            assert_eq!(contention.next().await, Next::Read);
            let paused = start.elapsed();
            let slack = Duration::from_millis(1);
            assert!(
                (bound / 2..=bound + slack).contains(&paused),
                "{write}: {paused:?}"
            );
            bound *= 2;
            let next = if write == ATTEMPTS {
                Next::GiveUp
            } else {
                Next::Write
            };
            assert_eq!(contention.next().await, next);
        }
    }
}
