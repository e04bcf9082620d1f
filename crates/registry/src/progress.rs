//! Watching the bytes of a body.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use futures_util::{Stream, StreamExt};
use tokio::time::{Instant, sleep_until, timeout};

use crate::{ByteStream, Error, ErrorKind, TransportError, TransportErrorKind};

/// Either side may pause this long.
pub(crate) const STALL: Duration = Duration::from_secs(30);

/// A registry may take this long to store a blob after its last byte, and a second more for each [`COMMITTED`] bytes: some
/// hash or move the whole blob then.
pub(crate) const COMMIT: Duration = Duration::from_secs(60);

/// The slowest store, in bytes a second, that a registry may have.
const COMMITTED: u64 = 16 << 20;

/// Returns how long a registry may take to store this many bytes.
pub(crate) fn commit_time(length: u64) -> Duration {
    COMMIT + Duration::from_secs(length / COMMITTED)
}

/// A body that is read comes at least this fast, counted over the time spent waiting for it: bytes, and in how long.
const SLOWEST: (u64, Duration) = (64 << 10, Duration::from_secs(120));

/// What a body that is sent is waiting for.
#[derive(Clone, Copy, Debug)]
enum Stage {
    /// Whatever feeds the body.
    Source,
    /// The other side, since then.
    Peer(Instant),
    /// The response, since then.
    Response(Instant),
}

/// What is shared between a body that is sent and who watches it.
pub(crate) struct Progress {
    body: Mutex<Option<ByteStream>>,
    stage: Mutex<Stage>,
    commit: Duration,
    failure: Mutex<Option<Error>>,
}

impl Progress {
    /// Watches a body of `length` bytes.
    pub(crate) fn new(body: ByteStream, length: u64) -> Arc<Self> {
        Arc::new(Self {
            body: Mutex::new(Some(body)),
            stage: Mutex::new(Stage::Peer(Instant::now())),
            commit: commit_time(length),
            failure: Mutex::new(None),
        })
    }

    /// Ends when the other side has paused for too long. A slow source is not its fault.
    pub(crate) async fn stalled(&self) -> TransportError {
        loop {
            let now = Instant::now();
            let stage = *self.stage.lock().unwrap_or_else(PoisonError::into_inner);
            let deadline = match stage {
                Stage::Source => now + STALL,
                Stage::Peer(since) => since + STALL,
                Stage::Response(since) => since + self.commit,
            };
            if deadline <= now {
                return self.stall(stage);
            }
            sleep_until(deadline).await;
        }
    }

    /// Drops the body. A registry may answer before it has read it all, and the connection would hold on to the rest.
    pub(crate) fn finish(&self) {
        let body = self.body.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(body);
    }

    fn poll_body(&self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        let mut body = self.body.lock().unwrap_or_else(PoisonError::into_inner);
        match body.as_mut() {
            Some(body) => body.poll_next_unpin(context),
            None => Poll::Ready(Some(Err(Error::new(
                ErrorKind::Other,
                "the answer came before the end of the body",
            )))),
        }
    }

    /// Returns why the body that was sent failed by itself, if it did.
    pub(crate) fn take_failure(&self) -> Option<Error> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn stall(&self, stage: Stage) -> TransportError {
        let message = match stage {
            Stage::Response(_) => format!("no answer for {} s after the last byte", self.commit.as_secs()),
            Stage::Source | Stage::Peer(_) => format!("accepted no byte for {} s", STALL.as_secs()),
        };
        TransportError::new(TransportErrorKind::Stalled, message)
    }

    fn enter(&self, stage: Stage) {
        *self.stage.lock().unwrap_or_else(PoisonError::into_inner) = stage;
    }

    fn fail(&self, error: Error) {
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }
}

/// A body on its way out: exactly as long as announced, and watched.
pub(crate) struct Outgoing {
    left: u64,
    progress: Arc<Progress>,
}

/// The body ended in an error; what it was is told by [`Progress::take_failure`].
#[derive(Debug, thiserror::Error)]
#[error("the body broke off")]
pub(crate) struct BrokenBody;

impl Outgoing {
    pub(crate) fn new(length: u64, progress: Arc<Progress>) -> Self {
        Self {
            left: length,
            progress,
        }
    }

    fn accept(&mut self, chunk: Bytes) -> Result<Bytes, Error> {
        let length = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
        self.left = self
            .left
            .checked_sub(length)
            .ok_or_else(|| Error::new(ErrorKind::Integrity, "the body is longer than announced"))?;
        let now = Instant::now();
        self.progress.enter(match self.left {
            0 => Stage::Response(now),
            _ => Stage::Peer(now),
        });
        Ok(chunk)
    }

    fn broken(&self, error: Error) -> Poll<Option<Result<Bytes, BrokenBody>>> {
        self.progress.fail(error);
        Poll::Ready(Some(Err(BrokenBody)))
    }
}

impl Stream for Outgoing {
    type Item = Result<Bytes, BrokenBody>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let polled = self.progress.poll_body(context);
        match polled {
            Poll::Pending => {
                if self.left > 0 {
                    self.progress.enter(Stage::Source);
                }
                Poll::Pending
            }
            Poll::Ready(Some(Ok(chunk))) => match self.accept(chunk) {
                Ok(chunk) => Poll::Ready(Some(Ok(chunk))),
                Err(error) => self.broken(error),
            },
            Poll::Ready(Some(Err(error))) => self.broken(error),
            Poll::Ready(None) if self.left > 0 => {
                let message = format!("the body ended {} bytes early", self.left);
                self.broken(Error::new(ErrorKind::Integrity, message))
            }
            Poll::Ready(None) => Poll::Ready(None),
        }
    }
}

/// A body on its way in: it ends in an error where fewer bytes come than were announced, none for too long, or so few
/// that it would never end.
pub(crate) fn incoming(
    body: BoxStream<'static, Result<Bytes, TransportError>>,
    announced: Option<u64>,
) -> BoxStream<'static, Result<Bytes, TransportError>> {
    let incoming = Incoming {
        body,
        announced,
        read: 0,
        pace: (0, Duration::ZERO),
    };
    stream::unfold(Some(incoming), |incoming| async {
        let mut incoming = incoming?;
        match incoming.next().await {
            Ok(Some(chunk)) => Some((Ok(chunk), Some(incoming))),
            Ok(None) => None,
            Err(error) => Some((Err(error), None)),
        }
    })
    .boxed()
}

struct Incoming {
    body: BoxStream<'static, Result<Bytes, TransportError>>,
    announced: Option<u64>,
    read: u64,
    /// How many bytes came lately, and how long they were waited for. Whoever reads slowly does not wait.
    pace: (u64, Duration),
}

impl Incoming {
    async fn next(&mut self) -> Result<Option<Bytes>, TransportError> {
        let start = Instant::now();
        let next = timeout(STALL, self.body.next()).await;
        self.pace.1 += start.elapsed();
        match next {
            Err(_) => {
                let (seconds, read) = (STALL.as_secs(), self.read);
                Err(interrupted(format!(
                    "no byte for {seconds} s, after {read} bytes"
                )))
            }
            Ok(Some(chunk)) => self.keep_pace(chunk?).map(Some),
            Ok(None) => self.ended().map(|()| None),
        }
    }

    fn keep_pace(&mut self, chunk: Bytes) -> Result<Bytes, TransportError> {
        let (least, time) = SLOWEST;
        let length = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
        self.read += length;
        self.pace.0 += length;
        if self.pace.0 >= least {
            self.pace = (0, Duration::ZERO);
        }
        if self.pace.1 >= time {
            let (bytes, seconds) = (self.pace.0, time.as_secs());
            return Err(interrupted(format!("only {bytes} bytes in {seconds} s")));
        }
        Ok(chunk)
    }

    fn ended(&self) -> Result<(), TransportError> {
        match self.announced {
            Some(announced) if self.read < announced => Err(interrupted(format!(
                "the body ended after {} of {announced} bytes",
                self.read
            ))),
            _ => Ok(()),
        }
    }
}

fn interrupted(message: String) -> TransportError {
    TransportError::new(TransportErrorKind::Interrupted, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(length: usize) -> Result<Bytes, Error> {
        Ok(Bytes::from(vec![0; length]))
    }

    async fn sent(length: u64, chunks: Vec<Result<Bytes, Error>>) -> (usize, Option<Error>) {
        let progress = Progress::new(stream::iter(chunks).boxed(), length);
        let mut body = Outgoing::new(length, Arc::clone(&progress));
        let mut bytes = 0;
        while let Some(Ok(chunk)) = body.next().await {
            bytes += chunk.len();
        }
        (bytes, progress.take_failure())
    }

    #[tokio::test]
    async fn a_body_of_the_announced_length_passes() {
        let (bytes, failure) = sent(5, vec![chunk(2), chunk(3)]).await;
        assert_eq!(bytes, 5);
        assert!(failure.is_none());
    }

    #[tokio::test]
    async fn a_body_of_another_length_is_our_error() {
        for chunks in [vec![chunk(2)], vec![chunk(2), chunk(4)]] {
            let (_, failure) = sent(5, chunks).await;
            assert_eq!(failure.unwrap().kind(), ErrorKind::Integrity);
        }
    }

    #[tokio::test]
    async fn the_error_of_a_source_is_kept() {
        let (_, failure) = sent(5, vec![chunk(2), Err(Error::new(ErrorKind::NotFound, "gone"))]).await;
        assert_eq!(failure.unwrap().to_string(), "gone");
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_nothing_stalls_after_thirty_seconds() {
        let (progress, start) = (Progress::new(stream::pending().boxed(), 2), Instant::now());
        let error = progress.stalled().await;
        assert_eq!(error.to_string(), "accepted no byte for 30 s");
        assert_eq!(start.elapsed(), STALL);
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_has_a_minute_after_the_last_byte_of_a_small_body() {
        let (progress, start) = (Progress::new(stream::iter([chunk(2)]).boxed(), 2), Instant::now());
        let mut body = Outgoing::new(2, Arc::clone(&progress));
        assert!(body.next().await.is_some());
        assert!(body.next().await.is_none());
        assert_eq!(progress.stalled().await.kind(), TransportErrorKind::Stalled);
        assert_eq!(start.elapsed(), COMMIT);
    }

    #[test]
    fn a_large_body_is_given_longer() {
        let progress = Progress::new(stream::pending().boxed(), 10 << 30);
        assert_eq!(progress.commit, COMMIT + Duration::from_secs(640));
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_source_is_not_the_fault_of_the_peer() {
        let progress = Progress::new(stream::pending().boxed(), 2);
        let mut body = Outgoing::new(2, Arc::clone(&progress));
        assert!(timeout(STALL, body.next()).await.is_err());
        let watched = timeout(STALL * 100, progress.stalled()).await;
        assert!(watched.is_err());
    }

    async fn received(
        chunks: Vec<Result<Bytes, TransportError>>,
        announced: Option<u64>,
    ) -> Result<usize, TransportErrorKind> {
        let mut body = incoming(stream::iter(chunks).boxed(), announced);
        let mut bytes = 0;
        while let Some(chunk) = body.next().await {
            bytes += chunk.map_err(|error| error.kind())?.len();
        }
        Ok(bytes)
    }

    #[tokio::test]
    async fn a_body_shorter_than_announced_is_interrupted() {
        let bytes = || vec![Ok(Bytes::from_static(b"123"))];
        assert_eq!(received(bytes(), Some(3)).await, Ok(3));
        assert_eq!(received(bytes(), None).await, Ok(3));
        assert_eq!(
            received(bytes(), Some(4)).await,
            Err(TransportErrorKind::Interrupted)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_stops_is_interrupted_after_thirty_seconds() {
        let mut body = incoming(stream::pending().boxed(), None);
        let start = Instant::now();
        let error = body.next().await.unwrap().unwrap_err();
        assert_eq!(error.kind(), TransportErrorKind::Interrupted);
        assert_eq!(start.elapsed(), STALL);
        assert!(body.next().await.is_none());
    }

    async fn dripped(size: usize, every: Duration) -> Result<usize, TransportErrorKind> {
        let drops = stream::iter(0..200).then(move |_| async move {
            tokio::time::sleep(every).await;
            Ok(Bytes::from(vec![0; size]))
        });
        let mut body = incoming(drops.boxed(), None);
        let mut bytes = 0;
        while let Some(chunk) = body.next().await {
            bytes += chunk.map_err(|error| error.kind())?.len();
        }
        Ok(bytes)
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_drips_is_interrupted_and_a_slow_one_is_not() {
        let drips = dripped(1, Duration::from_secs(20)).await;
        assert_eq!(drips, Err(TransportErrorKind::Interrupted));
        let slow = dripped(16 << 10, Duration::from_secs(20)).await;
        assert_eq!(slow, Ok(200 * (16 << 10)));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_reads_slowly_is_not_called_slow() {
        let chunks = vec![Ok(Bytes::from_static(b"1")), Ok(Bytes::from_static(b"2"))];
        let mut body = incoming(stream::iter(chunks).boxed(), Some(2));
        assert!(body.next().await.is_some_and(|chunk| chunk.is_ok()));
        tokio::time::advance(STALL * 100).await;
        assert!(body.next().await.is_some_and(|chunk| chunk.is_ok()));
        assert!(body.next().await.is_none());
    }
}
