//! Repositories that were made a moment ago.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use planner::{Place, ProblemKind};
use tokio::time::Instant;

use crate::fault::Fault;

/// How long after its creation a repository may be unknown to a part of its registry.
const CHILDHOOD: Duration = Duration::from_secs(30);

/// How soon such a repository is asked again.
const PAUSE: Duration = Duration::from_millis(500);

/// The repositories that this run has made, and when.
#[derive(Debug, Default)]
pub(crate) struct Newborns(Mutex<Vec<(Place, Instant)>>);

/// For how long "not there" is no answer.
#[derive(Debug)]
pub(crate) struct Patience(Option<Instant>);

impl Newborns {
    /// Notes that a repository was made just now.
    pub(crate) fn add(&self, place: &Place) {
        let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        made.push((place.clone(), Instant::now()));
    }

    /// Returns how long to be patient with `place`: not at all, unless it or what it lies in was made a moment ago.
    pub(crate) fn patience(&self, place: &Place) -> Patience {
        let made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let holds = |other: &Place| other == place || other.is_above(place);
        Patience(
            made.iter()
                .find(|(made, _)| holds(made))
                .map(|(_, at)| *at + CHILDHOOD),
        )
    }
}

impl Patience {
    pub(crate) fn permits(&self, fault: &Fault) -> bool {
        fault.kind == ProblemKind::NotFound && self.0.is_some_and(|end| Instant::now() < end)
    }

    pub(crate) async fn wait(&mut self) {
        tokio::time::sleep(PAUSE).await;
    }
}
