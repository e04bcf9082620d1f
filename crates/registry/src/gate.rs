//! How much a registry is asked at once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use oci::Host;
use tokio::sync::{Mutex as Queue, Semaphore, SemaphorePermit};
use tokio::time::Instant;

use crate::pace::Pace;
use crate::retry::MAX_WAIT;
use crate::{ByteStream, ClientSettings, Error, ErrorKind, Operation};

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
    rates: BTreeMap<Operation, Rate>,
    bandwidth: Option<Arc<Pace>>,
    closed_until: Mutex<Option<Instant>>,
}

/// How many requests of a kind start in a second, and the queue of those who wait to be one.
///
/// Only the first of the queue waits for a permit, and none holds one while it waits for the rate: many puts at ten a
/// second leave the permits to everything else. What counts is when a request starts, so nothing is saved up while the
/// gate is closed or the permits are taken.
#[derive(Debug)]
struct Rate {
    queue: Queue<()>,
    pace: Pace,
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
            rates: settings.wire.rates.iter().map(rate).collect(),
            bandwidth: settings.bandwidth.map(|rate| Arc::new(Pace::new(rate))),
            closed_until: Mutex::new(None),
        }
    }

    /// Waits for a turn.
    ///
    /// # Errors
    /// [`ErrorKind::RateLimit`] where the registry asked everyone to stay away for longer than a run waits.
    pub(crate) async fn enter(
        &self,
        lane: Lane,
        operation: Option<Operation>,
    ) -> Result<Option<SemaphorePermit<'_>>, Error> {
        let rate = operation.and_then(|operation| self.rates.get(&operation));
        let Some(rate) = rate else {
            return self.admit(lane, None).await;
        };
        let _first = rate.queue.lock().await;
        self.admit(lane, Some(&rate.pace)).await
    }

    async fn admit(&self, lane: Lane, pace: Option<&Pace>) -> Result<Option<SemaphorePermit<'_>>, Error> {
        loop {
            self.opened().await?;
            if let Some(pace) = pace {
                pace.ready().await;
            }
            let lane = match lane {
                Lane::Request => &self.requests,
                Lane::Upload => &self.uploads,
            };
            // The semaphore is never closed.
            let permit = lane.acquire().await.ok();
            if !self.closed_for().is_zero() {
                continue;
            }
            if let Some(rate) = &self.rate {
                rate.turn(1).await;
            }
            if let Some(pace) = pace {
                pace.take();
            }
            return Ok(permit);
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

fn rate((operation, per_second): (&Operation, &u32)) -> (Operation, Rate) {
    let rate = Rate {
        queue: Queue::new(()),
        pace: Pace::new((*per_second).into()),
    };
    (*operation, rate)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures_util::future::join_all;
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
        let (first, second) = tokio::join!(gate.enter(Lane::Request, None), gate.enter(Lane::Upload, None));
        assert!(first.is_ok() && second.is_ok());
        assert_eq!(start.elapsed().as_secs(), 7);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waited_for_a_permit_sees_the_gate_close() {
        let gate = Gate::new(&ClientSettings {
            concurrency: 1,
            ..settings()
        });
        let permit = gate.enter(Lane::Request, None).await.unwrap();
        let start = Instant::now();
        let waiting = gate.enter(Lane::Request, None);
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
        let error = gate.enter(Lane::Request, None).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::RateLimit);
        assert_eq!(start.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn an_upload_does_not_wait_for_requests() {
        let gate = Gate::new(&ClientSettings {
            concurrency: 1,
            ..settings()
        });
        let _request = gate.enter(Lane::Request, None).await.unwrap();
        assert!(gate.enter(Lane::Upload, None).await.is_ok());
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

    fn paced(concurrency: usize) -> Gate {
        let mut settings = ClientSettings {
            concurrency,
            ..settings()
        };
        settings.wire.rates = BTreeMap::from([(Operation::PutManifest, 10)]);
        Gate::new(&settings)
    }

    /// Enters as often, and returns when each got in, in milliseconds.
    async fn entered(gate: &Gate, operation: Operation, times: usize) -> Vec<u128> {
        let start = Instant::now();
        join_all((0..times).map(|_| async move {
            drop(gate.enter(Lane::Request, Some(operation)).await.unwrap());
            start.elapsed().as_millis()
        }))
        .await
    }

    #[tokio::test(start_paused = true)]
    async fn an_operation_keeps_to_its_rate_and_holds_up_nothing_else() {
        let gate = paced(2);
        let (puts, heads) = tokio::join!(
            entered(&gate, Operation::PutManifest, 21),
            entered(&gate, Operation::HeadBlob, 1_000)
        );
        assert_eq!(puts, (0..21).map(|turn| turn * 100).collect::<Vec<_>>());
        assert_eq!(heads.into_iter().max(), Some(0));
    }

    #[tokio::test(start_paused = true)]
    async fn who_waited_at_a_closed_gate_does_not_storm_it_when_it_opens() {
        let gate = paced(64);
        gate.close(Duration::from_secs(5));
        let puts = entered(&gate, Operation::PutManifest, 11).await;
        assert_eq!(puts, (0..11).map(|turn| 5_000 + turn * 100).collect::<Vec<_>>());
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_that_waits_for_a_permit_is_not_saved_up() {
        let gate = paced(1);
        let busy = gate.enter(Lane::Request, None).await.unwrap();
        let free = async {
            tokio::time::sleep(Duration::from_secs(3)).await;
            drop(busy);
        };
        let (puts, ()) = tokio::join!(entered(&gate, Operation::PutManifest, 3), free);
        assert_eq!(puts, [3_000, 3_100, 3_200]);
    }
}
