//! So many per second, and no more.

use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

/// Spaces events evenly. All who share it share the rate.
#[derive(Debug)]
pub(crate) struct Pace {
    per_second: f64,
    next: Mutex<Option<Instant>>,
}

impl Pace {
    /// Allows `per_second` units a second; zero counts as one.
    #[expect(clippy::cast_precision_loss, reason = "a rate past 2^52 a second is no limit")]
    pub(crate) fn new(per_second: u64) -> Self {
        Self {
            per_second: per_second.max(1) as f64,
            next: Mutex::new(None),
        }
    }

    /// Waits until `units` may pass.
    pub(crate) async fn turn(&self, units: usize) {
        let at = self.reserve(units, Instant::now());
        tokio::time::sleep_until(at).await;
    }

    /// Waits until something may pass. Nothing is taken: that is for [`Pace::take`], when it does pass.
    pub(crate) async fn ready(&self) {
        let next = *self
            .next
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(next) = next {
            tokio::time::sleep_until(next).await;
        }
    }

    /// Counts something that passes now.
    pub(crate) fn take(&self) {
        self.reserve(1, Instant::now());
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "a chunk is far smaller than 2^52 bytes"
    )]
    fn reserve(&self, units: usize, now: Instant) -> Instant {
        let mut next = self
            .next
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let at = next.map_or(now, |next| next.max(now));
        *next = Some(at + Duration::from_secs_f64(units as f64 / self.per_second));
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn ten_a_second_take_a_tenth_each_after_the_first() {
        let pace = Pace::new(10);
        let start = Instant::now();
        for _ in 0..11 {
            pace.turn(1).await;
        }
        assert_eq!(start.elapsed().as_millis(), 1000);
    }

    #[tokio::test(start_paused = true)]
    async fn idle_time_is_not_saved_up() {
        let pace = Pace::new(1);
        pace.turn(1).await;
        tokio::time::advance(Duration::from_secs(60)).await;
        let start = Instant::now();
        pace.turn(1).await;
        pace.turn(1).await;
        assert_eq!(start.elapsed().as_secs(), 1);
    }
}
