//! One stream to many: a bounded window of shared bytes.
//!
//! The slowest live lane sets the pace. A lane whose reader is gone is forgotten.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use futures_util::{Stream, StreamExt};
use registry::{ByteStream, Error, ErrorKind};
use tokio::sync::{Notify, mpsc};

/// The largest piece that is handed on, in bytes.
const PIECE: usize = 64 << 10;

/// The largest chunk whose pieces may share its memory, in bytes: a piece that waits keeps the whole chunk alive.
const SHARED: usize = 4 * PIECE;

/// The window of one stream, in bytes, where memory allows.
pub(crate) const WINDOW: u64 = 4 << 20;

/// One stream's way to one reader.
pub(crate) struct Lane {
    /// What the reader reads. It has every byte of the source, or ends in an error.
    pub(crate) body: Body,
    /// Watches the reader.
    pub(crate) watch: Watch,
}

/// Feeds the lanes.
pub(crate) struct Feed {
    lanes: Vec<Sender>,
    complete: Arc<AtomicBool>,
}

struct Sender {
    channel: mpsc::Sender<Bytes>,
    progress: Arc<Progress>,
}

/// Sees how a reader gets on.
pub(crate) struct Watch(Arc<Progress>);

pub(crate) struct Body {
    channel: mpsc::Receiver<Bytes>,
    progress: Arc<Progress>,
    complete: Arc<AtomicBool>,
    broken: bool,
}

#[derive(Default)]
struct Progress {
    offered: AtomicU64,
    taken: AtomicU64,
    moved: Notify,
}

/// Makes a feed and its lanes, which hold at most about `window` bytes in all.
pub(crate) fn lanes(count: usize, window: u64) -> (Feed, Vec<Lane>) {
    let pieces = usize::try_from(window)
        .unwrap_or(usize::MAX)
        .saturating_sub(SHARED)
        / PIECE;
    let complete = Arc::new(AtomicBool::new(false));
    let (senders, lanes) = (0..count).map(|_| lane(pieces.max(1), &complete)).unzip();
    (
        Feed {
            lanes: senders,
            complete,
        },
        lanes,
    )
}

fn lane(pieces: usize, complete: &Arc<AtomicBool>) -> (Sender, Lane) {
    let (sender, receiver) = mpsc::channel(pieces);
    let progress = Arc::new(Progress::default());
    let body = Body {
        channel: receiver,
        progress: Arc::clone(&progress),
        complete: Arc::clone(complete),
        broken: false,
    };
    let watch = Watch(Arc::clone(&progress));
    (
        Sender {
            channel: sender,
            progress,
        },
        Lane { body, watch },
    )
}

impl Feed {
    /// Hands the source's bytes to every lane until it ends, fails, or nobody is left to read it. `count` hears of
    /// every chunk.
    ///
    /// # Errors
    /// That of the source; every lane then ends in an error too.
    pub(crate) async fn run(mut self, mut source: ByteStream, count: impl Fn(usize)) -> Result<(), Error> {
        while let Some(chunk) = source.next().await {
            let chunk = chunk?;
            count(chunk.len());
            for piece in pieces(chunk) {
                self.offer(&piece).await;
                if self.lanes.is_empty() {
                    return Ok(());
                }
            }
        }
        self.complete.store(true, Ordering::Release);
        Ok(())
    }

    async fn offer(&mut self, piece: &Bytes) {
        let alive = join_all(self.lanes.iter().map(|lane| lane.offer(piece.clone()))).await;
        let mut alive = alive.into_iter();
        self.lanes.retain(|_| alive.next().unwrap_or(false));
    }
}

impl Sender {
    /// Waits until the lane has room; returns false where nobody reads it any more.
    async fn offer(&self, piece: Bytes) -> bool {
        let Ok(room) = self.channel.reserve().await else {
            return false;
        };
        let before = self
            .progress
            .offered
            .fetch_add(piece.len() as u64, Ordering::AcqRel);
        room.send(piece);
        if before == self.progress.taken.load(Ordering::Acquire) {
            // The reader had nothing to do until now: its time starts here.
            self.progress.moved.notify_one();
        }
        true
    }
}

impl Watch {
    /// Returns when the reader has taken no byte for `patience` although there were some.
    pub(crate) async fn stalled(&self, patience: Duration) {
        loop {
            let moved = tokio::time::timeout(patience, self.0.moved.notified())
                .await
                .is_ok();
            let idle = self.0.taken.load(Ordering::Acquire) >= self.0.offered.load(Ordering::Acquire);
            if !moved && !idle {
                return;
            }
        }
    }
}

impl Stream for Body {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.broken {
            return Poll::Ready(None);
        }
        self.channel.poll_recv(context).map(|piece| match piece {
            Some(piece) => {
                self.progress
                    .taken
                    .fetch_add(piece.len() as u64, Ordering::AcqRel);
                self.progress.moved.notify_one();
                Some(Ok(piece))
            }
            None if self.complete.load(Ordering::Acquire) => None,
            None => {
                self.broken = true;
                Some(Err(Error::new(
                    ErrorKind::Other,
                    "the source ended before the blob did",
                )))
            }
        })
    }
}

/// Cuts a chunk into pieces that keep little memory alive.
fn pieces(mut chunk: Bytes) -> impl Iterator<Item = Bytes> {
    let copy = chunk.len() > SHARED;
    std::iter::from_fn(move || {
        if chunk.is_empty() {
            return None;
        }
        let piece = chunk.split_to(chunk.len().min(PIECE));
        Some(if copy {
            Bytes::copy_from_slice(&piece)
        } else {
            piece
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;

    const PATIENCE: Duration = Duration::from_secs(30);

    fn source(chunks: Vec<Result<Bytes, Error>>) -> ByteStream {
        stream::iter(chunks).boxed()
    }

    fn chunks(count: usize) -> Vec<Result<Bytes, Error>> {
        (0..count)
            .map(|index| Ok(Bytes::from(vec![index as u8; PIECE])))
            .collect()
    }

    async fn drain(mut body: Body) -> Result<usize, Error> {
        let mut length = 0;
        while let Some(piece) = body.next().await {
            length += piece?.len();
        }
        Ok(length)
    }

    #[tokio::test]
    async fn every_lane_gets_every_byte() {
        let (feed, lanes) = lanes(3, WINDOW);
        let bodies = join_all(lanes.into_iter().map(|lane| drain(lane.body)));
        let (fed, lengths) = tokio::join!(feed.run(source(chunks(200)), |_| ()), bodies);
        fed.unwrap();
        for length in lengths {
            assert_eq!(length.unwrap(), 200 * PIECE);
        }
    }

    #[tokio::test]
    async fn the_slowest_lane_sets_the_pace() {
        let (feed, mut lanes) = lanes(2, WINDOW);
        let slow = lanes.remove(1);
        let fast = tokio::spawn(drain(lanes.remove(0).body));
        let progress = Arc::clone(&slow.body.progress);
        let feeding = tokio::spawn(feed.run(source(chunks(1000)), |_| ()));
        for _ in 0..10_000 {
            tokio::task::yield_now().await;
        }
        let kept = progress.offered.load(Ordering::Acquire);
        assert!(kept > 0 && kept <= WINDOW, "no more than the window is kept");
        drop(slow);
        feeding.await.unwrap().unwrap();
        assert_eq!(fast.await.unwrap().unwrap(), 1000 * PIECE);
    }

    #[tokio::test]
    async fn a_source_that_fails_breaks_every_lane() {
        let (feed, lanes) = lanes(2, WINDOW);
        let mut parts = chunks(2);
        parts.push(Err(Error::new(ErrorKind::Network, "reset")));
        let bodies = join_all(lanes.into_iter().map(|lane| drain(lane.body)));
        let (fed, lengths) = tokio::join!(feed.run(source(parts), |_| ()), bodies);
        assert_eq!(fed.unwrap_err().to_string(), "reset");
        assert!(lengths.iter().all(Result::is_err));
    }

    #[tokio::test]
    async fn without_readers_the_source_is_left() {
        let (feed, lanes) = lanes(2, WINDOW);
        drop(lanes);
        let endless = stream::repeat_with(|| Ok(Bytes::from_static(b"x"))).boxed();
        feed.run(endless, |_| ()).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_takes_nothing_is_noticed_and_one_that_waits_for_the_source_is_not() {
        let (feed, mut lanes) = lanes(2, WINDOW);
        let stalled = lanes.remove(0);
        let Lane { body, watch } = lanes.remove(0);
        let (sender, receiver) = mpsc::channel::<Result<Bytes, Error>>(1);
        let slow = stream::unfold(receiver, |mut receiver| async {
            Some((receiver.recv().await?, receiver))
        });
        let feeding = tokio::spawn(feed.run(slow.boxed(), |_| ()));
        let reading = tokio::spawn(drain(body));
        let patient = tokio::time::timeout(10 * PATIENCE, watch.stalled(PATIENCE)).await;
        assert!(patient.is_err(), "the source is slow, not the reader");
        sender.send(Ok(Bytes::from_static(b"layer"))).await.unwrap();
        let begun = tokio::time::Instant::now();
        stalled.watch.stalled(PATIENCE).await;
        assert_eq!(begun.elapsed().as_secs(), PATIENCE.as_secs());
        drop((stalled, sender));
        feeding.await.unwrap().unwrap();
        assert_eq!(reading.await.unwrap().unwrap(), 5);
    }

    #[test]
    fn a_large_chunk_is_cut_into_pieces_of_their_own() {
        let chunk = Bytes::from(vec![7; SHARED + 1]);
        let start = chunk.as_ptr();
        let cut: Vec<Bytes> = pieces(chunk).collect();
        assert_eq!(cut.len(), 5);
        assert_ne!(cut[0].as_ptr(), start);
        assert!(cut.iter().all(|piece| piece.len() <= PIECE));
    }
}
