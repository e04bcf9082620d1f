//! Looking for blobs.

use http::{HeaderValue, Method, StatusCode, header};
use oci::Digest;

use super::content_range::ContentRange;
use super::repository::RemoteRepository;
use crate::call::{Call, Reply};
use crate::{Error, ErrorKind, Operation};

/// Returns the size of a blob; nothing where there is none.
///
/// Where HEAD says too little, or is refused where GET may not be (ECR Public; storage whose signed addresses are good
/// for GET alone), one byte is asked for: that answer names the size.
///
/// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#checking-if-content-exists-in-the-registry>
pub(super) async fn head(repository: &RemoteRepository, digest: &Digest) -> Result<Option<u64>, Error> {
    let action = repository.action(format_args!("look for blob {digest}"));
    let reply = match repository
        .send(&action, call(repository, Method::HEAD, digest))
        .await
    {
        Err(error) if error.kind() == ErrorKind::Auth => return probe(repository, &action, digest).await,
        reply => reply?,
    };
    match reply.status {
        StatusCode::NOT_FOUND => Ok(None),
        StatusCode::OK => match content_length(&reply) {
            // Something in front may not know, and say so with 0.
            Some(0) if *digest != Digest::of(digest.algorithm(), b"") => {
                Ok(probe(repository, &action, digest).await.unwrap_or(Some(0)))
            }
            Some(size) => Ok(Some(size)),
            None => probe(repository, &action, digest).await,
        },
        status if is_about_the_method(status) => probe(repository, &action, digest).await,
        _ => Err(Error::from_reply(&action, reply).await),
    }
}

fn is_about_the_method(status: StatusCode) -> bool {
    matches!(status.as_u16(), 400 | 401 | 403 | 405 | 501)
}

async fn probe(repository: &RemoteRepository, action: &str, digest: &Digest) -> Result<Option<u64>, Error> {
    let mut call = call(repository, Method::GET, digest);
    call.headers
        .insert(header::RANGE, HeaderValue::from_static("bytes=0-0"));
    let reply = repository.send(action, call).await?;
    let size = match reply.status {
        StatusCode::NOT_FOUND => {
            reply.drain().await;
            return Ok(None);
        }
        StatusCode::OK => content_length(&reply),
        // A blob of no bytes has no first one.
        StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE => {
            let range = content_range(&reply);
            reply.drain().await;
            range.and_then(|range| range.total)
        }
        _ => return Err(Error::from_reply(action, reply).await),
    };
    let unknown = || Error::new(ErrorKind::Other, "the registry does not say how large it is").during(action);
    size.map(Some).ok_or_else(unknown)
}

pub(super) fn call(repository: &RemoteRepository, method: Method, digest: &Digest) -> Call {
    let operation = match method {
        Method::HEAD => Operation::HeadBlob,
        _ => Operation::GetBlob,
    };
    repository.call(operation, method, repository.path(format_args!("blobs/{digest}")))
}

pub(super) fn content_length(reply: &Reply) -> Option<u64> {
    reply.header(header::CONTENT_LENGTH)?.trim().parse().ok()
}

pub(super) fn content_range(reply: &Reply) -> Option<ContentRange> {
    ContentRange::parse(reply.header(header::CONTENT_RANGE)?)
}
