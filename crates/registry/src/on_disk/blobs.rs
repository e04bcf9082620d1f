//! Blobs of a layout as streams.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, stream};
use layout::{BlobReader, BlobWriter, LayoutError};
use oci::Descriptor;

use super::failure::failure;
use super::registry::Meter;
use super::repository::{LayoutRepository, blocking};
use crate::verified::Verified;
use crate::{ByteStream, Error, ErrorKind};

/// How much is read or written at once.
const CHUNK: usize = 256 << 10;

/// Reads a blob and verifies it.
pub(super) async fn read(repository: &LayoutRepository, blob: &Descriptor) -> Result<ByteStream, Error> {
    let action = repository.action(format_args!("read blob {}", blob.digest));
    let (contents, digest) = (Arc::clone(&repository.contents), blob.digest.clone());
    let file = blocking(move || contents.layout.open_blob(&digest))
        .await
        .map_err(|error| failure(&action, error))?
        .ok_or_else(|| Error::new(ErrorKind::NotFound, "the layout has no such blob").during(&action))?;
    let reading = Reading {
        file,
        blob: Verified::new(blob),
        meter: Arc::clone(&repository.meter),
    };
    let action: Arc<str> = action.into();
    Ok(stream::try_unfold(Some(reading), move |reading| {
        let action = Arc::clone(&action);
        async move {
            let Some(reading) = reading else {
                return Ok(None);
            };
            blocking(|| reading.next())
                .await
                .map_err(|error| error.during(&action))
        }
    })
    .boxed())
}

/// A blob that is being read.
struct Reading {
    file: BlobReader,
    blob: Verified,
    meter: Arc<Meter>,
}

impl Reading {
    fn next(mut self) -> Result<Option<(Bytes, Option<Self>)>, Error> {
        loop {
            let chunk = chunk(&mut self.file)
                .map_err(|error| Error::new(ErrorKind::Other, "the file can't be read").caused_by(error))?;
            self.meter.read.fetch_add(chunk.len() as u64, Ordering::Relaxed);
            if chunk.is_empty() {
                return Ok(self.blob.finish()?.map(|last| (last, None)));
            }
            if let Some(bytes) = self.blob.push(chunk)? {
                return Ok(Some((bytes, Some(self))));
            }
        }
    }
}

fn chunk(file: &mut BlobReader) -> io::Result<Bytes> {
    let mut bytes = Vec::with_capacity(CHUNK);
    file.take(CHUNK as u64).read_to_end(&mut bytes)?;
    Ok(bytes.into())
}

/// Writes a blob as its bytes come. What does not become the blob leaves nothing behind.
pub(super) async fn write(
    repository: &LayoutRepository,
    blob: &Descriptor,
    body: ByteStream,
) -> Result<(), Error> {
    let action = repository.action(format_args!("upload blob {}", blob.digest));
    let contents = Arc::clone(&repository.contents);
    let writer = blocking(move || contents.layout.start_blob())
        .await
        .map_err(|error| failure(&action, error))?;
    let writer = fill(writer, blob, body, &repository.meter, &action).await?;
    let digest = blob.digest.clone();
    blocking(move || writer.commit(&digest))
        .await
        .map_err(|error| failure(&action, error))
}

async fn fill(
    mut writer: BlobWriter,
    blob: &Descriptor,
    mut body: ByteStream,
    meter: &Meter,
    action: &str,
) -> Result<BlobWriter, Error> {
    let mut left = blob.size;
    while let Some(bytes) = gather(&mut body).await? {
        left = left
            .checked_sub(bytes.len() as u64)
            .ok_or_else(|| wrong_length(blob, "more").during(action))?;
        meter.written.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        writer = blocking(move || append(writer, &bytes))
            .await
            .map_err(|error| failure(action, error))?;
    }
    match left {
        0 => Ok(writer),
        left => Err(wrong_length(blob, &format!("only {}", blob.size - left)).during(action)),
    }
}

fn wrong_length(blob: &Descriptor, length: &str) -> Error {
    let message = format!("the body of an upload of {} bytes has {length}", blob.size);
    Error::new(ErrorKind::Integrity, message)
}

fn append(mut writer: BlobWriter, bytes: &[u8]) -> Result<BlobWriter, LayoutError> {
    writer.write(bytes)?;
    Ok(writer)
}

/// Takes bytes from a body until they are worth a write; nothing when it has ended.
async fn gather(body: &mut ByteStream) -> Result<Option<Bytes>, Error> {
    let Some(first) = body.next().await.transpose()? else {
        return Ok(None);
    };
    if first.len() >= CHUNK {
        return Ok(Some(first));
    }
    let mut bytes = BytesMut::from(first);
    while bytes.len() < CHUNK
        && let Some(more) = body.next().await.transpose()?
    {
        bytes.extend_from_slice(&more);
    }
    Ok(Some(bytes.freeze()))
}
