//! Blobs on their way in.

use std::ops::Range;
use std::sync::Arc;

use axum::response::Response;
use futures_util::StreamExt;
use http::StatusCode;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, LOCATION, RANGE};
use oci::{Algorithm, Digest, RepositoryName};

use crate::failure::{Code, Failure};
use crate::range::chunk;
use crate::service::{Answer, Call, Incoming, Service, digest, empty};
use crate::session::Session;
use crate::store::{BlobSink, Committed};

/// Starts an upload, does it at once where the digest is given, or mounts the blob.
///
/// <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pushing-blobs>
pub(crate) async fn start(
    service: &Service,
    call: &Call,
    repository: RepositoryName,
    body: &mut Incoming,
) -> Answer {
    let mount = call.parameter("mount").map(digest).transpose()?;
    if let Some(digest) = mount {
        if mounted(service, call, &repository, &digest).await? {
            return Ok(created(&repository, &digest));
        }
    } else if let Some(digest) = call.parameter("digest").map(digest).transpose()? {
        return at_once(service, repository, digest, body).await;
    }
    check_algorithm(call.parameter("digest-algorithm"))?;
    let sink = service.storage.call(|store| store.start_blob()).await?;
    let session = service.sessions.open(repository, sink);
    Ok(accepted(&session))
}

/// Mounts a blob where the options and the request allow it, and says whether it was there.
///
/// <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#mounting-a-blob-from-another-repository>
async fn mounted(
    service: &Service,
    call: &Call,
    to: &RepositoryName,
    digest: &Digest,
) -> Result<bool, Failure> {
    // A source that is no repository's name has nothing to mount.
    let from: Option<RepositoryName> = match call.parameter("from").map(str::parse) {
        Some(Ok(from)) => Some(from),
        Some(Err(_)) => return Ok(false),
        None => None,
    };
    let allowed = if from.is_some() {
        service.options.mounts
    } else {
        service.options.anonymous_mounts
    };
    if !allowed {
        return Ok(false);
    }
    let (to, digest) = (to.clone(), digest.clone());
    Ok(service
        .storage
        .call(move |store| store.mount_blob(&to, &digest, from.as_ref()))
        .await?)
}

async fn at_once(
    service: &Service,
    repository: RepositoryName,
    digest: Digest,
    body: &mut Incoming,
) -> Answer {
    let mut sink = service.storage.call(|store| store.start_blob()).await?;
    while let Some(bytes) = body.next().await {
        sink.write(bytes.map_err(|error| cut_short(&error))?)?;
    }
    commit(service, sink, repository, digest).await
}

/// Appends to an upload.
///
/// <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pushing-a-blob-in-chunks>
pub(crate) async fn append(
    service: &Service,
    call: &Call,
    repository: &RepositoryName,
    id: &str,
    body: &mut Incoming,
) -> Answer {
    let session = find(service, repository, id)?;
    let mut sink = session.sink.lock().await;
    receive(service, call, &session, sink.as_mut().ok_or_else(unknown)?, body).await?;
    Ok(accepted(&session))
}

/// Takes what is missing of an upload and ends it.
pub(crate) async fn finish(
    service: &Service,
    call: &Call,
    repository: RepositoryName,
    id: &str,
    body: &mut Incoming,
) -> Answer {
    let session = find(service, &repository, id)?;
    let missing = || {
        Failure::new(
            Code::DigestInvalid,
            "an upload is ended with the digest of the whole blob",
        )
    };
    let digest = digest(call.parameter("digest").ok_or_else(missing)?)?;
    let mut sink = session.sink.lock().await;
    receive(service, call, &session, sink.as_mut().ok_or_else(unknown)?, body).await?;
    let sink = sink.take().ok_or_else(unknown)?;
    service.sessions.close(&session);
    commit(service, sink, repository, digest).await
}

/// Says how far an upload is.
pub(crate) fn status(service: &Service, repository: &RepositoryName, id: &str) -> Answer {
    let session = find(service, repository, id)?;
    Ok(empty(
        StatusCode::NO_CONTENT,
        [("location", session.location()), ("range", session.range())],
    ))
}

/// Drops an upload.
///
/// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#cancel-a-blob-upload>
pub(crate) fn cancel(service: &Service, repository: &RepositoryName, id: &str) -> Answer {
    let session = find(service, repository, id)?;
    service.sessions.close(&session);
    Ok(empty(StatusCode::NO_CONTENT, []))
}

/// Writes a body to an upload. Bytes that arrived before the client was gone stay: it may come back for the rest.
async fn receive(
    service: &Service,
    call: &Call,
    session: &Session,
    sink: &mut Box<dyn BlobSink>,
    body: &mut Incoming,
) -> Result<(), Failure> {
    let range = expected(call, session)?;
    while let Some(bytes) = body.next().await {
        let bytes = bytes.map_err(|error| cut_short(&error))?;
        let length = bytes.len();
        if range
            .as_ref()
            .is_some_and(|range| session.received() + length as u64 > range.end)
        {
            return Err(Failure::new(
                Code::SizeInvalid,
                "the chunk is longer than its Content-Range",
            ));
        }
        sink.write(bytes)
            .inspect_err(|_| service.sessions.close(session))?;
        session.add(length);
    }
    if range.is_some_and(|range| session.received() < range.end) {
        return Err(Failure::new(
            Code::SizeInvalid,
            "the chunk is shorter than its Content-Range",
        ));
    }
    Ok(())
}

/// Reads which bytes a chunk says it has. They must follow those that were received.
fn expected(call: &Call, session: &Session) -> Result<Option<Range<u64>>, Failure> {
    let Some(header) = call.header(&CONTENT_RANGE) else {
        return Ok(None);
    };
    let malformed = || {
        Failure::new(
            Code::BlobUploadInvalid,
            "a chunk's Content-Range is <first>-<last>",
        )
    };
    let range = chunk(header).ok_or_else(malformed)?;
    if range.start != session.received() {
        return Err(out_of_order(session));
    }
    let length = call
        .header(&CONTENT_LENGTH)
        .and_then(|length| length.parse().ok());
    if length.is_some_and(|length: u64| length != range.end - range.start) {
        return Err(Failure::new(
            Code::SizeInvalid,
            "the chunk's Content-Range and Content-Length differ",
        ));
    }
    Ok(Some(range))
}

fn out_of_order(session: &Session) -> Failure {
    let message = format!("the next chunk starts at byte {}", session.received());
    Failure::new(Code::BlobUploadInvalid, message)
        .with_status(StatusCode::RANGE_NOT_SATISFIABLE)
        .with_header(LOCATION, &session.location())
        .with_header(RANGE, &session.range())
}

async fn commit(
    service: &Service,
    sink: Box<dyn BlobSink>,
    repository: RepositoryName,
    digest: Digest,
) -> Answer {
    let response = created(&repository, &digest);
    match service
        .storage
        .call(move |_| sink.commit(&repository, &digest))
        .await?
    {
        Committed::Kept => Ok(response),
        Committed::Mismatch => Err(Failure::new(
            Code::DigestInvalid,
            "the bytes do not have the given digest",
        )),
    }
}

fn find(service: &Service, repository: &RepositoryName, id: &str) -> Result<Arc<Session>, Failure> {
    service.sessions.get(repository, id).ok_or_else(unknown)
}

fn check_algorithm(name: Option<&str>) -> Result<(), Failure> {
    let known = [Algorithm::Sha256, Algorithm::Sha512].map(Algorithm::as_str);
    match name {
        Some(name) if !known.contains(&name) => Err(Failure::new(
            Code::DigestInvalid,
            "unknown digest algorithm, expected sha256 or sha512",
        )),
        _ => Ok(()),
    }
}

fn accepted(session: &Session) -> Response {
    let headers = [
        ("location", session.location()),
        ("range", session.range()),
        ("docker-upload-uuid", session.id.clone()),
    ];
    empty(StatusCode::ACCEPTED, headers)
}

fn created(repository: &RepositoryName, digest: &Digest) -> Response {
    let location = format!("/v2/{repository}/blobs/{digest}");
    empty(
        StatusCode::CREATED,
        [
            ("location", location),
            ("docker-content-digest", digest.to_string()),
        ],
    )
}

fn unknown() -> Failure {
    Failure::new(Code::BlobUploadUnknown, "the repository has no such upload")
}

pub(crate) fn cut_short(error: &axum::Error) -> Failure {
    Failure::new(Code::SizeInvalid, format!("the body ended early: {error}"))
}
