//! How much a registry is asked at once.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use oci::Host;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

use crate::pace::Pace;
use crate::retry::MAX_WAIT;
use crate::{ByteStream, ClientSettings, Error, ErrorKind};

/// The gate in front of one registry: everyone who asks it goes through.
///
/// A permit is held until the head of the response is there, never while its body is read: a copy within one
/// registry reads one body while it sends another, and would wait for itself. For the same reason streamed uploads,
/// which wait for whatever feeds them, have permits of their own.
#[derive(Debug)]
pub(crate) struct Gate {
    host: Host,
    requests: Semaphore,
    uploads: Semaphore,
    rate: Option<Pace>,
    bandwidth: Option<Arc<Pace>>,
    closed_until: Mutex<Option<Instant>>,
}

/// Which permits a request takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Those of requests that are sent at once.
    Request,
    /// Those of bodies that are sent as they come.
    Upload,
}

impl Gate {
    pub(crate) fn new(settings: &ClientSettings) -> Self {
        let concurrency = settings.concurrency.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            host: settings.host.clone(),
            requests: Semaphore::new(concurrency),
            uploads: Semaphore::new(concurrency),
            rate: settings.requests_per_second.map(|rate| Pace::new(rate.into())),
            bandwidth: settings.bandwidth.map(|rate| Arc::new(Pace::new(rate))),
            closed_until: Mutex::new(None),
        }
    }

    /// Waits for a turn.
    ///
    /// # Errors
    /// [`ErrorKind::RateLimit`] where the registry asked everyone to stay away for longer than a run waits.
    pub(crate) async fn enter(&self, lane: Lane) -> Result<Option<SemaphorePermit<'_>>, Error> {
        loop {
            self.opened().await?;
            let lane = match lane {
                Lane::Request => &self.requests,
                Lane::Upload => &self.uploads,
            };
            // The semaphore is never closed.
            let permit = lane.acquire().await.ok();
            if self.closed_for().is_zero() {
                if let Some(rate) = &self.rate {
                    rate.turn(1).await;
                }
                return Ok(permit);
            }
        }
    }

    /// Closes the gate for everyone.
    pub(crate) fn close(&self, wait: Duration) {
        let Some(until) = Instant::now().checked_add(wait) else {
            return;
        };
        let mut closed = self.closed_until.lock().unwrap_or_else(PoisonError::into_inner);
        *closed = Some(closed.map_or(until, |closed| closed.max(until)));
    }

    /// Lets a body through no faster than the bandwidth allows.
    pub(crate) fn throttle(&self, body: ByteStream) -> ByteStream {
        let Some(bandwidth) = self.bandwidth.clone() else {
            return body;
        };
        body.then(move |chunk| {
            let bandwidth = Arc::clone(&bandwidth);
            async move {
                if let Ok(chunk) = &chunk {
                    bandwidth.turn(chunk.len()).await;
                }
                chunk
            }
        })
        .boxed()
    }

    async fn opened(&self) -> Result<(), Error> {
        loop {
            let wait = self.closed_for();
            if wait.is_zero() {
                return Ok(());
            }
            if wait > MAX_WAIT {
                let message = format!("{} asks to be left alone for {} s", self.host, wait.as_secs());
                return Err(Error::new(ErrorKind::RateLimit, message).with_hint("run it again later"));
            }
            tokio::time::sleep(wait).await;
        }
    }

    fn closed_for(&self) -> Duration {
        let closed = self.closed_until.lock().unwrap_or_else(PoisonError::into_inner);
        closed.map_or(Duration::ZERO, |until| {
            until.saturating_duration_since(Instant::now())
        })
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures_util::stream;

    use super::*;

    fn settings() -> ClientSettings {
        ClientSettings::new("r.example".parse().unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn everyone_waits_at_a_closed_gate() {
        let gate = Gate::new(&settings());
        gate.close(Duration::from_secs(7));
        let start = Instant::now();
        let (first, second) = tokio::join!(gate.enter(Lane::Request), gate.enter(Lane::Upload));
        assert!(first.is_ok() && second.is_ok());
        assert_eq!(start.elapsed().as_secs(), 7);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waited_for_a_permit_sees_the_gate_close() {
        let gate = Gate::new(&ClientSettings {
            concurrency: 1,
            ..settings()
        });
        let permit = gate.enter(Lane::Request).await.unwrap();
        let start = Instant::now();
        let waiting = gate.enter(Lane::Request);
        let closing = async {
            gate.close(Duration::from_secs(3));
            drop(permit);
        };
        let (entered, ()) = tokio::join!(waiting, closing);
        assert!(entered.is_ok());
        assert_eq!(start.elapsed().as_secs(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_gate_closed_for_an_hour_is_told_at_once() {
        let gate = Gate::new(&settings());
        gate.close(Duration::from_secs(3600));
        let start = Instant::now();
        let error = gate.enter(Lane::Request).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::RateLimit);
        assert_eq!(start.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn an_upload_does_not_wait_for_requests() {
        let gate = Gate::new(&ClientSettings {
            concurrency: 1,
            ..settings()
        });
        let _request = gate.enter(Lane::Request).await.unwrap();
        assert!(gate.enter(Lane::Upload).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_is_slowed_to_the_bandwidth() {
        let gate = Gate::new(&ClientSettings {
            bandwidth: Some(1000),
            ..settings()
        });
        let chunks = (0..5).map(|_| Ok(Bytes::from_static(&[0; 1000])));
        let start = Instant::now();
        let body: Vec<_> = gate.throttle(stream::iter(chunks).boxed()).collect().await;
        assert_eq!(body.len(), 5);
        assert_eq!(start.elapsed().as_secs(), 4);
    }
}
