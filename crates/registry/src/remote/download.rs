//! Reading a blob: verified as it streams, resumed where it breaks.

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{HeaderValue, Method, StatusCode, header};
use oci::Descriptor;

use super::blobs::{call, content_length, content_range};
use super::repository::RemoteRepository;
use crate::call::Reply;
use crate::verified::Verified;
use crate::{ByteStream, Error, ErrorKind};

/// How often in a row a read is resumed that brings little.
const MAX_RESUMES: u32 = 5;

/// A read that brought this much was worth it: some front doors cut every long answer, and the next piece comes as well.
const WORTH: u64 = 1 << 20;

/// A blob on its way in.
pub(super) struct Download {
    repository: RemoteRepository,
    action: String,
    blob: Verified,
    body: ByteStream,
    /// How many bytes of this body came before already.
    skip: u64,
    resumes: u32,
    /// How many of them in a row brought little, and where the last began.
    poor: u32,
    since: u64,
}

/// What the body gives next.
enum Step {
    /// These may be handed out.
    Bytes(Bytes),
    /// Nothing yet.
    Again,
    /// The body has ended, or broken off.
    Ended(Option<Error>),
}

impl Download {
    /// Asks for a blob. Returns when the registry has started to answer.
    pub(super) async fn start(repository: RemoteRepository, blob: &Descriptor) -> Result<Self, Error> {
        let mut download = Self {
            action: repository.action(format_args!("read blob {}", blob.digest)),
            repository,
            blob: Verified::new(blob),
            body: stream::empty().boxed(),
            skip: 0,
            resumes: 0,
            poor: 0,
            since: 0,
        };
        download.open().await?;
        Ok(download)
    }

    pub(super) fn into_stream(self) -> ByteStream {
        stream::try_unfold(Some(self), |download| async move {
            match download {
                Some(download) => download.next().await,
                None => Ok(None),
            }
        })
        .boxed()
    }

    async fn next(mut self) -> Result<Option<(Bytes, Option<Self>)>, Error> {
        loop {
            match self.step().await? {
                Step::Bytes(bytes) => return Ok(Some((bytes, Some(self)))),
                Step::Again => {}
                Step::Ended(_) if self.blob.is_whole() => {
                    let last = self.blob.finish().map_err(|error| error.during(&self.action))?;
                    return Ok(last.map(|bytes| (bytes, None)));
                }
                Step::Ended(cause) => self.resume(cause).await?,
            }
        }
    }

    async fn step(&mut self) -> Result<Step, Error> {
        let mut bytes = match self.body.next().await {
            Some(Ok(bytes)) => bytes,
            // The rest may still be had.
            Some(Err(error)) if error.kind() == ErrorKind::Network => return Ok(Step::Ended(Some(error))),
            Some(Err(error)) => return Err(error.during(&self.action)),
            None => return Ok(Step::Ended(None)),
        };
        self.repository.client.count_read(bytes.len() as u64);
        let known = bytes.len().min(usize::try_from(self.skip).unwrap_or(usize::MAX));
        self.skip -= known as u64;
        let bytes = bytes.split_off(known);
        let free = self
            .blob
            .push(bytes)
            .map_err(|error| error.during(&self.action))?;
        Ok(free.map_or(Step::Again, Step::Bytes))
    }

    /// Asks for what is missing.
    async fn resume(&mut self, cause: Option<Error>) -> Result<(), Error> {
        if self.blob.received() - self.since >= WORTH {
            self.poor = 0;
        }
        if self.poor == MAX_RESUMES {
            return Err(self.gave_up(cause));
        }
        self.since = self.blob.received();
        self.resumes += 1;
        self.poor += 1;
        self.open().await
    }

    fn gave_up(&self, cause: Option<Error>) -> Error {
        let (received, size) = (self.blob.received(), self.blob.blob().size);
        let resumes = self.resumes;
        let message = format!("it ended after {received} of {size} bytes, resumed {resumes} times");
        match cause {
            Some(cause) => Error::new(ErrorKind::Network, message)
                .caused_by(cause)
                .during(&self.action),
            None => self.broken(message),
        }
    }

    /// Opens a body that starts where the last one ended, or at the blob's start with the known bytes to skip.
    ///
    /// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-blobs>
    async fn open(&mut self) -> Result<(), Error> {
        let mut call = call(&self.repository, Method::GET, &self.blob.blob().digest);
        // Not `bytes=0-`: where nothing came yet that says nothing, and for an empty blob it is an error.
        if self.blob.received() > 0 {
            let range = HeaderValue::try_from(format!("bytes={}-", self.blob.received()));
            call.headers
                .insert(header::RANGE, range.expect("digits are visible ASCII"));
        }
        let reply = self.repository.send(&self.action, call).await?;
        self.skip = match reply.status {
            StatusCode::OK => self.whole(&reply)?,
            StatusCode::PARTIAL_CONTENT => self.part(&reply)?,
            StatusCode::RANGE_NOT_SATISFIABLE => {
                return Err(self.broken(format!("the registry has no byte after {}", self.blob.received())));
            }
            _ => return Err(Error::from_reply(&self.action, reply).await),
        };
        self.body = reply.body;
        Ok(())
    }

    fn whole(&self, reply: &Reply) -> Result<u64, Error> {
        self.check_size(content_length(reply))?;
        Ok(self.blob.received())
    }

    fn part(&self, reply: &Reply) -> Result<u64, Error> {
        let range = content_range(reply)
            .ok_or_else(|| self.broken("the registry sends a part without saying which"))?;
        self.check_size(range.total)?;
        let asked = self.blob.received();
        match range.first {
            Some(first) if first == asked => Ok(0),
            first => {
                let first = first.unwrap_or_default();
                Err(self.broken(format!(
                    "the registry sends it from byte {first}, not from {asked}"
                )))
            }
        }
    }

    fn check_size(&self, said: Option<u64>) -> Result<(), Error> {
        let size = self.blob.blob().size;
        match said {
            Some(said) if said != size => Err(self.broken(format!("it has {said} bytes, not {size}"))),
            _ => Ok(()),
        }
    }

    fn broken(&self, message: impl Into<String>) -> Error {
        Error::new(ErrorKind::Integrity, message).during(&self.action)
    }
}
