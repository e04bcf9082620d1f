//! A blob on its way out in parts.

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use http::{HeaderValue, Method, StatusCode, header};
use oci::Descriptor;

use super::repository::RemoteRepository;
use super::uploads::{OCTETS, commit, committed, write};
use crate::call::{CallBody, Reply, Target};
use crate::{ByteStream, Error, ErrorKind, Operation, UploadSession};

/// A registry may ask for larger parts than it was to get, up to this many bytes: each is held in memory.
const LARGEST: u64 = 64 << 20;

const SMALLER_PARTS: &str = "something in front of the registry limits the size of a request; send smaller parts: \
                             `profile: { chunk: 4MiB }`, a key of the registry beside its host";

/// Sends a blob into a session, part by part, and commits it with a request that has no body.
///
/// Parts are counted by us: what a registry says of how far it is may be stale (ECR's `Range` stays at the first part,
/// aws/containers-roadmap#2831), and is asked for only where a part that was sent again is out of order. The last part
/// goes out like the others, and not with the commit: so do Docker's client and Microsoft's SDKs, ECR takes it where all
/// other parts are large enough (dotnet/sdk-container-builds#424), and a commit without a body can be sent again.
///
/// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-a-blob-in-chunks>
pub(super) async fn send(
    repository: &RemoteRepository,
    action: &str,
    session: &mut UploadSession,
    blob: &Descriptor,
    mut body: ByteStream,
    chunk: u64,
) -> Result<(), Error> {
    let chunk = chunk.max(session.least_chunk.min(LARGEST));
    let mut parts = Parts {
        repository,
        action,
        session,
        sent: 0,
        repeated: false,
    };
    let mut rest = Bytes::new();
    loop {
        let part = cut(&mut body, &mut rest, chunk.min(blob.size - parts.sent)).await?;
        if part.is_empty() {
            return parts.close(blob).await;
        }
        parts.send(part).await?;
    }
}

/// Reads `length` bytes, less where the body ends. What comes beyond is kept in `rest`.
async fn cut(body: &mut ByteStream, rest: &mut Bytes, length: u64) -> Result<Bytes, Error> {
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    let mut part = BytesMut::with_capacity(length);
    loop {
        part.extend_from_slice(&rest.split_to(rest.len().min(length - part.len())));
        // The end of the whole is looked at too: a body that fails there must not be committed.
        if part.len() == length && length > 0 {
            return Ok(part.freeze());
        }
        match body.next().await.transpose()? {
            Some(bytes) => *rest = bytes,
            None => return Ok(part.freeze()),
        }
    }
}

/// The parts that were sent so far.
struct Parts<'a> {
    repository: &'a RemoteRepository,
    action: &'a str,
    session: &'a mut UploadSession,
    sent: u64,
    /// Whether one of them was sent more than once.
    repeated: bool,
}

impl Parts<'_> {
    async fn send(&mut self, part: Bytes) -> Result<(), Error> {
        let length = part.len() as u64;
        let last = self.sent + length - 1;
        let location = Target::Url(self.session.location.clone());
        let mut call = write(
            self.repository,
            Some(Operation::SendChunk),
            Method::PATCH,
            location,
        );
        let range = HeaderValue::try_from(format!("{}-{last}", self.sent));
        call.headers.insert(header::CONTENT_TYPE, OCTETS);
        call.headers
            .insert(header::CONTENT_RANGE, range.expect("digits are visible ASCII"));
        call.body = CallBody::Chunk(part);
        let reply = self.repository.send(self.action, call).await?;
        self.repeated |= reply.effort.tries > 1;
        match reply.status {
            // ECR answers 201, and gcr.io 204.
            StatusCode::CREATED | StatusCode::ACCEPTED | StatusCode::NO_CONTENT => self.follow(reply).await?,
            StatusCode::RANGE_NOT_SATISFIABLE if reply.effort.tries > 1 => self.find(reply, last).await?,
            _ => return Err(self.failed(reply).await),
        }
        self.sent += length;
        self.repository.client.count_written(length);
        Ok(())
    }

    /// Goes on where the registry says, which may be another place after each part.
    async fn follow(&mut self, reply: Reply) -> Result<(), Error> {
        if let Some(location) = reply.header(header::LOCATION) {
            let location = self.repository.client.resolve(&reply.url, location);
            self.session.location = location.map_err(|error| error.during(self.action))?;
        }
        reply.drain().await;
        Ok(())
    }

    /// Asks how far the registry is: the answer to a part that it took may have been lost, and then it is at our end.
    ///
    /// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-a-blob-in-chunks>
    async fn find(&mut self, refused: Reply, last: u64) -> Result<(), Error> {
        self.follow(refused).await?;
        let location = Target::Url(self.session.location.clone());
        let call = write(self.repository, None, Method::GET, location);
        let reply = self.repository.send(self.action, call).await?;
        let stands = reply.header(header::RANGE).and_then(end);
        if reply.status.is_success() && stands == Some(last) {
            return self.follow(reply).await;
        }
        reply.drain().await;
        let message = "the registry has lost count of the parts";
        Err(Error::new(ErrorKind::Network, message).during(self.action))
    }

    async fn close(self, blob: &Descriptor) -> Result<(), Error> {
        let mut call = commit(self.repository, self.session, blob);
        call.body = CallBody::Closing { stored: blob.size };
        let reply = self.repository.send(self.action, call).await?;
        let repeated = self.repeated || reply.effort.tries > 1;
        let committed = committed(self.action, blob, reply).await;
        committed.map_err(|error| after_repeats(error, repeated))
    }

    async fn failed(&self, reply: Reply) -> Error {
        let status = reply.status;
        let error = Error::from_reply(self.action, reply).await;
        match (status, error.kind()) {
            (StatusCode::PAYLOAD_TOO_LARGE, ErrorKind::Other) => error.with_better_hint(SMALLER_PARTS),
            _ => after_repeats(error, self.repeated),
        }
    }
}

/// Where a part was sent twice, a registry may have stored it twice, or have dropped the place it went to the first
/// time: that is the network's fault, and a new session may do.
fn after_repeats(error: Error, repeated: bool) -> Error {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::Integrity | ErrorKind::Other if repeated => {
            error.of_kind(ErrorKind::Network)
        }
        _ => error,
    }
}

/// Reads the last byte of a `Range` such as `0-99`.
fn end(range: &str) -> Option<u64> {
    let range = range.trim();
    let range = range.strip_prefix("bytes=").unwrap_or(range);
    range.strip_prefix("0-")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    async fn parts(pieces: &[&'static str], length: u64) -> Vec<Bytes> {
        let pieces: Vec<_> = pieces
            .iter()
            .map(|piece| Ok(Bytes::from_static(piece.as_bytes())))
            .collect();
        let mut body: ByteStream = stream::iter(pieces).boxed();
        let (mut rest, mut parts) = (Bytes::new(), Vec::new());
        loop {
            let part = cut(&mut body, &mut rest, length).await.unwrap();
            if part.is_empty() {
                return parts;
            }
            parts.push(part);
        }
    }

    #[tokio::test]
    async fn a_body_is_cut_where_the_parts_end_and_not_where_its_pieces_do() {
        assert_eq!(parts(&["ab", "cdefgh", "", "i"], 3).await, ["abc", "def", "ghi"]);
        assert_eq!(parts(&["abcdefgh"], 3).await, ["abc", "def", "gh"]);
        assert_eq!(parts(&["ab", "c"], 100).await, ["abc"]);
        assert!(parts(&[], 3).await.is_empty());
    }

    #[test]
    fn the_end_of_a_range_is_read() {
        assert_eq!(end("0-99"), Some(99));
        assert_eq!(end(" bytes=0-0 "), Some(0));
        for range in ["", "0-", "1-99", "99", "0-x", "0--1"] {
            assert_eq!(end(range), None, "{range}");
        }
    }
}
