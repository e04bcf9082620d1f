//! Calls that Amazon throttles early, spaced.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use registry::{Error, ErrorKind};
use tokio::time::Instant;

/// Creations start this far apart. Amazon documents no quota for them.
const CLOSEST: Duration = Duration::from_millis(50);
/// The spacing begins with this where Amazon throttles, and doubles until it stops to,
const SPACED: Duration = Duration::from_millis(250);
/// up to this.
const WIDEST: Duration = Duration::from_secs(8);
/// How often a call is made that is throttled each time. The SDK tries each of them three times by itself.
const TRIES: u32 = 6;

/// When calls may start.
#[derive(Debug)]
pub(crate) struct Pace(Mutex<Spacing>);

#[derive(Debug)]
struct Spacing {
    next: Option<Instant>,
    gap: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self(Mutex::new(Spacing {
            next: None,
            gap: CLOSEST,
        }))
    }
}

/// How often one call was made already.
#[derive(Debug)]
pub(crate) struct Turns<'a> {
    pace: &'a Pace,
    tries: u32,
}

impl Turns<'_> {
    /// Waits until it is this call's turn.
    pub(crate) async fn wait(&mut self) {
        tokio::time::sleep_until(self.pace.turn()).await;
        self.tries += 1;
    }

    /// Says whether a call ends with `result`: one that was throttled waits for another turn, as long as it has one.
    pub(crate) fn end_with<T>(&self, result: &Result<T, Error>) -> bool {
        let throttled = matches!(result, Err(error) if error.kind() == ErrorKind::RateLimit);
        self.pace.spacing().learn(throttled);
        !throttled || self.tries == TRIES
    }
}

impl Pace {
    /// Lines up for a call.
    pub(crate) fn turns(&self) -> Turns<'_> {
        Turns { pace: self, tries: 0 }
    }

    /// Takes the next turn.
    fn turn(&self) -> Instant {
        let mut spacing = self.spacing();
        let now = Instant::now();
        let turn = spacing.next.map_or(now, |next| next.max(now));
        spacing.next = Some(turn + spacing.gap);
        turn
    }

    fn spacing(&self) -> MutexGuard<'_, Spacing> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Spacing {
    fn learn(&mut self, throttled: bool) {
        if throttled {
            self.gap = (self.gap * 2).clamp(SPACED, WIDEST);
            // Those that wait already keep their turn; whoever comes from here on waits for the wider gap.
            let waited = Instant::now() + self.gap;
            self.next = Some(self.next.map_or(waited, |next| next.max(waited)));
        } else {
            self.gap = (self.gap * 3 / 4).max(CLOSEST);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes a call that is throttled until the `good`th time.
    async fn throttled_until(pace: &Pace, good: u32) -> (Result<(), Error>, u32) {
        let mut calls = 0;
        let mut turns = pace.turns();
        loop {
            turns.wait().await;
            calls += 1;
            let throttled = Error::new(ErrorKind::RateLimit, "slow down");
            let result = if calls < good { Err(throttled) } else { Ok(()) };
            if turns.end_with(&result) {
                return (result, calls);
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn calls_start_apart() {
        let pace = Pace::default();
        let start = Instant::now();
        for _ in 0..5 {
            throttled_until(&pace, 1).await.0.unwrap();
        }
        assert_eq!(start.elapsed(), CLOSEST * 4);
    }

    #[tokio::test(start_paused = true)]
    async fn a_throttled_call_is_made_again_further_apart() {
        let start = Instant::now();
        let (result, calls) = throttled_until(&Pace::default(), 4).await;
        result.unwrap();
        assert_eq!(calls, 4);
        assert_eq!(start.elapsed(), SPACED + SPACED * 2 + SPACED * 4);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_stays_throttled_says_so() {
        let (result, calls) = throttled_until(&Pace::default(), u32::MAX).await;
        assert_eq!(result.unwrap_err().kind(), ErrorKind::RateLimit);
        assert_eq!(calls, TRIES);
    }

    #[tokio::test(start_paused = true)]
    async fn other_errors_end_a_call() {
        let pace = Pace::default();
        let mut turns = pace.turns();
        turns.wait().await;
        assert!(turns.end_with::<()>(&Err(Error::new(ErrorKind::Quota, "no more"))));
    }
}
