//! One maker, many takers.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::Error;

/// A value that is made once, however many ask for it at the same time. Who waited for a failure shares it.
pub struct Flight<T> {
    landed: Mutex<Landed<T>>,
    lane: tokio::sync::Mutex<()>,
}

struct Landed<T> {
    round: u64,
    value: Option<T>,
    failure: Option<Error>,
}

impl<T> fmt::Debug for Flight<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flight").finish_non_exhaustive()
    }
}

impl<T> Default for Flight<T> {
    fn default() -> Self {
        Self {
            landed: Mutex::new(Landed {
                round: 0,
                value: None,
                failure: None,
            }),
            lane: tokio::sync::Mutex::new(()),
        }
    }
}

impl<T: Clone> Flight<T> {
    /// Returns the value as it is now.
    #[must_use]
    pub fn peek(&self) -> Option<T> {
        self.landed().value.clone()
    }

    /// Returns a usable value, and makes one where there is none.
    ///
    /// # Errors
    /// What making it ends in, for everyone who waited for it.
    pub async fn get(
        &self,
        usable: impl Fn(&T) -> bool,
        make: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        if let Some(value) = self.peek().filter(&usable) {
            return Ok(value);
        }
        let seen = self.landed().round;
        let _lane = self.lane.lock().await;
        if let Some(value) = self.peek().filter(&usable) {
            return Ok(value);
        }
        if let Some(error) = self.landed().failure_since(seen) {
            return Err(error);
        }
        let made = make.await;
        self.landed().land(&made);
        made
    }

    fn landed(&self) -> MutexGuard<'_, Landed<T>> {
        self.landed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Clone> Landed<T> {
    fn failure_since(&self, seen: u64) -> Option<Error> {
        self.failure
            .as_ref()
            .filter(|_| self.round != seen)
            .map(Error::again)
    }

    fn land(&mut self, made: &Result<T, Error>) {
        self.round += 1;
        self.value = made.as_ref().ok().cloned();
        self.failure = made.as_ref().err().map(Error::again);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use futures_util::future::join_all;

    use super::*;
    use crate::ErrorKind;

    async fn ask(
        flight: &Flight<u32>,
        made: &AtomicU32,
        result: Result<u32, ErrorKind>,
    ) -> Result<u32, Error> {
        let make = async {
            tokio::task::yield_now().await;
            made.fetch_add(1, Ordering::Relaxed);
            result.map_err(|kind| Error::new(kind, "no").with_hint("try"))
        };
        flight.get(|value| *value != 0, make).await
    }

    #[tokio::test]
    async fn many_takers_share_one_value() {
        let (flight, made) = (Flight::default(), AtomicU32::new(0));
        let taken = join_all((0..64).map(|_| ask(&flight, &made, Ok(7)))).await;
        assert!(taken.into_iter().all(|value| value.unwrap() == 7));
        assert_eq!(made.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn many_takers_share_one_failure_and_the_next_tries_again() {
        let (flight, made) = (Flight::default(), AtomicU32::new(0));
        let failure = Err(ErrorKind::Auth);
        let taken = join_all((0..64).map(|_| ask(&flight, &made, failure))).await;
        assert!(taken.into_iter().all(|value| {
            let error = value.unwrap_err();
            error.kind() == ErrorKind::Auth && error.hint() == Some("try")
        }));
        assert_eq!(made.load(Ordering::Relaxed), 1);
        assert_eq!(ask(&flight, &made, Ok(7)).await.unwrap(), 7);
    }

    #[tokio::test]
    async fn a_maker_that_is_dropped_leaves_the_lane_free() {
        let flight = Arc::new(Flight::default());
        let stuck = tokio::spawn({
            let flight = Arc::clone(&flight);
            async move { flight.get(|_| true, std::future::pending()).await }
        });
        tokio::task::yield_now().await;
        stuck.abort();
        assert!(stuck.await.is_err());
        assert_eq!(ask(&flight, &AtomicU32::new(0), Ok(7)).await.unwrap(), 7);
    }
}
