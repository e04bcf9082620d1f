//! How long a credential is good, and when its source is asked again.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Without another word, a password may have ended this long after its source was asked: ECR answers it with a 403.
const MAY_HAVE_ENDED: Duration = Duration::from_secs(10 * 60);

/// A new credential is asked for this long before the old one ends, or a tenth of its life before, whichever is less.
const MARGIN: Duration = Duration::from_secs(5 * 60);

/// A source that had nothing new is left alone for this long, or for half of what is left, whichever is less.
const HOLD: Duration = Duration::from_secs(30);

/// No source is asked more often than this.
const PAUSE: Duration = Duration::from_millis(100);

/// The time of one credential, by our own clock.
#[derive(Debug)]
pub(crate) struct Lease(Mutex<Times>);

#[derive(Clone, Copy, Debug)]
struct Times {
    /// When its source was asked last.
    asked: Instant,
    /// When it ends, where that is known.
    ends: Option<Instant>,
    /// When its source is asked again.
    due: Option<Instant>,
}

impl Lease {
    /// Starts the time of a credential that was just given, and lives for `life` where that is known.
    pub(crate) fn new(life: Option<Duration>) -> Self {
        Self(Mutex::new(Times::new(life)))
    }

    /// Returns true where its source should be asked for a new one.
    pub(crate) fn is_due(&self) -> bool {
        self.times().due.is_some_and(|due| due <= Instant::now())
    }

    /// Returns when its source should be asked for a new one.
    pub(crate) fn renewal(&self) -> Option<Instant> {
        self.times().due
    }

    /// Notes that its source gave the same credential again.
    pub(crate) fn extend(&self, life: Option<Duration>) {
        let mut times = self.times();
        *times = Times::new(life);
        // Given again because it was due: it may be due at once.
        times.due = times.due.map(|due| due.max(times.asked + times.pause()));
    }

    /// Notes that its source had nothing; false where the credential has ended, and so nothing is left.
    pub(crate) fn hold(&self) -> bool {
        let mut times = self.times();
        let now = Instant::now();
        if times.ends.is_some_and(|ends| ends <= now) {
            return false;
        }
        times.asked = now;
        times.due = times.due.map(|_| now + times.pause());
        true
    }

    /// Returns true where it has ended, or nobody knows that it has not.
    pub(crate) fn may_have_ended(&self) -> bool {
        let times = self.times();
        times.asked.elapsed() >= MAY_HAVE_ENDED || times.ends.is_some_and(|ends| ends <= Instant::now())
    }

    fn times(&self) -> MutexGuard<'_, Times> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Times {
    fn new(life: Option<Duration>) -> Self {
        let asked = Instant::now();
        let due = |life: Duration| asked.checked_add(life.saturating_sub(MARGIN.min(life / 10)));
        Self {
            asked,
            ends: life.and_then(|life| asked.checked_add(life)),
            due: life.and_then(due),
        }
    }

    fn pause(&self) -> Duration {
        let left = self.ends.map_or(HOLD, |ends| ends - self.asked);
        (left / 2).clamp(PAUSE, HOLD)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    #[tokio::test(start_paused = true)]
    async fn a_source_is_asked_five_minutes_or_a_tenth_of_the_life_before_the_end() {
        for (life, due) in [(12 * HOUR, 12 * HOUR - MARGIN), (HOUR / 60, HOUR / 60 * 9 / 10)] {
            let lease = Lease::new(Some(life));
            advance(due - Duration::from_secs(1)).await;
            assert!(!lease.is_due());
            advance(Duration::from_secs(2)).await;
            assert!(lease.is_due() && !Lease::new(None).is_due());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_source_that_has_nothing_new_is_left_alone_for_a_while() {
        let lease = Lease::new(Some(HOUR));
        advance(HOUR - MARGIN).await;
        assert!(lease.is_due() && lease.hold());
        assert!(!lease.is_due());
        advance(HOLD).await;
        assert!(lease.is_due() && lease.hold());
        advance(MARGIN - HOLD - Duration::from_secs(2)).await;
        assert!(lease.hold());
        advance(Duration::from_secs(1)).await;
        assert!(lease.is_due(), "the less is left, the sooner it is asked again");
        advance(Duration::from_secs(1)).await;
        assert!(!lease.hold() && lease.may_have_ended());
    }

    #[tokio::test(start_paused = true)]
    async fn the_same_credential_again_is_not_asked_for_at_once() {
        let lease = Lease::new(Some(HOUR));
        advance(HOUR - Duration::from_secs(10)).await;
        lease.extend(Some(Duration::from_secs(10)));
        assert!(!lease.is_due());
        advance(Duration::from_secs(9)).await;
        assert!(lease.is_due());
        lease.extend(Some(HOUR));
        advance(HOUR / 2).await;
        assert!(!lease.is_due());
    }

    #[tokio::test(start_paused = true)]
    async fn a_password_without_an_end_may_have_ended_after_ten_minutes() {
        let lease = Lease::new(None);
        advance(MAY_HAVE_ENDED - Duration::from_secs(1)).await;
        assert!(!lease.may_have_ended());
        advance(Duration::from_secs(1)).await;
        assert!(lease.may_have_ended());
        lease.extend(None);
        assert!(!lease.may_have_ended());
    }
}
