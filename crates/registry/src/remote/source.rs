//! The body of a blob on its way out.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use futures_util::{StreamExt, stream};

use crate::{ByteStream, Error, ErrorKind};

/// The body of an upload, as far as it is to blame for a failure.
pub(super) struct Source(Arc<AtomicBool>);

impl Source {
    /// Ends a body in an error where it is not `size` bytes long.
    ///
    /// The last bytes go out when the body has ended well: a source that finds fault with the whole at its very end
    /// still keeps it from being committed.
    pub(super) fn watch(size: u64, body: ByteStream) -> (ByteStream, Self) {
        let flag = Arc::new(AtomicBool::new(false));
        let failed = Arc::clone(&flag);
        let outgoing = Outgoing {
            body: body.fuse().boxed(),
            left: size,
            size,
        };
        let body = stream::try_unfold(outgoing, move |mut outgoing| {
            let failed = Arc::clone(&failed);
            async move {
                let bytes = outgoing
                    .next()
                    .await
                    .inspect_err(|_| failed.store(true, Ordering::Relaxed))?;
                Ok(bytes.map(|bytes| (bytes, outgoing)))
            }
        });
        (body.boxed(), Self(flag))
    }

    /// Returns true where the body ended in an error of its own.
    pub(super) fn failed(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

struct Outgoing {
    body: ByteStream,
    left: u64,
    size: u64,
}

impl Outgoing {
    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        let Some(bytes) = self.some().await? else {
            return match self.left {
                0 => Ok(None),
                left => Err(self.wrong(&format!("only {}", self.size - left))),
            };
        };
        self.left = self
            .left
            .checked_sub(bytes.len() as u64)
            .ok_or_else(|| self.wrong("more"))?;
        if self.left == 0 && self.some().await?.is_some() {
            return Err(self.wrong("more"));
        }
        Ok(Some(bytes))
    }

    async fn some(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            match self.body.next().await.transpose()? {
                Some(bytes) if bytes.is_empty() => {}
                bytes => return Ok(bytes),
            }
        }
    }

    fn wrong(&self, length: &str) -> Error {
        let message = format!("the body of an upload of {} bytes has {length}", self.size);
        Error::new(ErrorKind::Integrity, message)
    }
}
