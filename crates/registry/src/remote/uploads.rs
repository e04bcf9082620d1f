//! Blobs on their way out.

use bytes::Bytes;
use futures_util::StreamExt;
use http::{HeaderValue, Method, StatusCode, header};
use oci::{Algorithm, Descriptor, Digest};

use super::repository::{RemoteRepository, digest_header};
use super::source::Source;
use super::{blobs, chunks};
use crate::call::{Call, CallBody, Redirects, Repeat, Reply, Scope, Target};
use crate::{ByteStream, Error, ErrorKind, Mount, MountFrom, Operation, UploadSession};

/// What to do where a whole blob is too large for whatever stands in front of a registry.
const SEND_PARTS: &str = "something in front of the registry limits the size of a request; send blobs in parts: \
                          `profile: { upload: chunked, chunk: 4MiB }`, a key of the registry beside its host";

/// The media type of a blob's bytes.
pub(super) const OCTETS: HeaderValue = HeaderValue::from_static("application/octet-stream");

/// Opens an upload session.
///
/// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#post-then-put>
pub(super) async fn start(repository: &RemoteRepository) -> Result<UploadSession, Error> {
    let action = repository.action("start an upload");
    let call = write(
        repository,
        Some(Operation::StartUpload),
        Method::POST,
        repository.path("blobs/uploads/"),
    );
    let reply = repository.send(&action, call).await?;
    match reply.status {
        StatusCode::ACCEPTED => session(repository, &action, reply).await,
        _ => Err(Error::from_reply(&action, reply).await),
    }
}

async fn session(repository: &RemoteRepository, action: &str, reply: Reply) -> Result<UploadSession, Error> {
    let nowhere = || {
        Error::new(
            ErrorKind::Integrity,
            "the registry opens an upload without a Location",
        )
    };
    let location = reply
        .header(header::LOCATION)
        .ok_or_else(nowhere)
        .and_then(|location| repository.client.resolve(&reply.url, location));
    let least_chunk = reply.header("oci-chunk-min-length");
    let least_chunk = least_chunk.and_then(|length| length.trim().parse().ok());
    reply.drain().await;
    Ok(UploadSession {
        location: location.map_err(|error| error.during(action))?,
        least_chunk: least_chunk.unwrap_or_default(),
    })
}

/// Mounts a blob from another repository.
///
/// Every refusal leads to an upload, which then says what is wrong, if anything is.
///
/// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#mounting-a-blob-from-another-repository>
pub(super) async fn mount(
    repository: &RemoteRepository,
    digest: &Digest,
    from: &MountFrom,
) -> Result<Mount, Error> {
    let MountFrom {
        repository: from,
        origin,
    } = from;
    let action = repository.action(format_args!("mount blob {digest} from {from}"));
    // Neither a digest nor a repository's name has a character that a query would need to escape.
    let origin = origin
        .as_ref()
        .map(|host| format!("&origin={host}"))
        .unwrap_or_default();
    let target = repository.path(format_args!("blobs/uploads/?mount={digest}&from={from}{origin}"));
    let mut call = write(repository, Some(Operation::StartUpload), Method::POST, target);
    call.scope = Scope::mount(&repository.name, from);
    let reply = match repository.send(&action, call).await {
        // Some token services give nothing where one of two repositories is not to be had.
        Err(error) if matches!(error.kind(), ErrorKind::Auth | ErrorKind::Permission) => {
            return Ok(Mount::Refused);
        }
        reply => reply?,
    };
    match reply.status {
        StatusCode::CREATED => {
            reply.drain().await;
            mounted(repository, digest).await
        }
        StatusCode::ACCEPTED if reply.headers.contains_key(header::LOCATION) => {
            session(repository, &action, reply).await.map(Mount::Declined)
        }
        _ => {
            reply.drain().await;
            Ok(Mount::Refused)
        }
    }
}

/// docker-registry 2.8 claims to mount SHA-512 blobs and then does not find them: those are looked for.
async fn mounted(repository: &RemoteRepository, digest: &Digest) -> Result<Mount, Error> {
    if digest.algorithm() == Algorithm::Sha256 {
        return Ok(Mount::Mounted);
    }
    Ok(match blobs::head(repository, digest).await {
        Ok(Some(_)) => Mount::Mounted,
        Ok(None) | Err(_) => Mount::Refused,
    })
}

/// Sends a blob into a session and commits it, in one request or in parts as the registry wants it.
///
/// Where it is not clear whether the registry took it, the registry is asked for the blob: an answer may be lost, and
/// another client may have been faster. If the blob is not there, the session is cancelled.
pub(super) async fn upload(
    repository: &RemoteRepository,
    mut session: UploadSession,
    blob: &Descriptor,
    body: ByteStream,
) -> Result<(), Error> {
    let action = repository.action(format_args!("upload blob {}", blob.digest));
    let (body, source) = Source::watch(blob.size, body);
    let result = match repository.client.wire().upload.chunk(blob.size) {
        Some(chunk) => chunks::send(repository, &action, &mut session, blob, body, chunk).await,
        None => whole(repository, &action, &session, blob, body).await,
    };
    let Err(error) = result else {
        return Ok(());
    };
    if !source.failed() && is_ambiguous(&error) && is_there(repository, blob).await {
        return Ok(());
    }
    cancel(repository, session).await;
    Err(error)
}

/// Sends a blob in the request that commits it.
///
/// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#post-then-put>
async fn whole(
    repository: &RemoteRepository,
    action: &str,
    session: &UploadSession,
    blob: &Descriptor,
    body: ByteStream,
) -> Result<(), Error> {
    let mut call = commit(repository, session, blob);
    call.repeat = Repeat::Never;
    let client = repository.client.clone();
    let body = body.inspect(move |bytes| {
        client.count_written(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64));
    });
    call.body = match blob.size {
        0 => nothing(body.boxed()).await?,
        length => CallBody::Stream {
            length,
            body: body.boxed(),
        },
    };
    let reply = repository.send(action, call).await?;
    let status = reply.status;
    committed(action, blob, reply).await.map_err(|error| {
        match (status, error.kind()) {
            // The session was opened with a good credential, which ended on the way: a new session gets a new one.
            (StatusCode::UNAUTHORIZED, _) | (_, ErrorKind::Auth) => error.of_kind(ErrorKind::Network),
            (StatusCode::PAYLOAD_TOO_LARGE, ErrorKind::Other) => error.with_better_hint(SEND_PARTS),
            _ => error,
        }
    })
}

/// Makes the call that commits a blob.
pub(super) fn commit(repository: &RemoteRepository, session: &UploadSession, blob: &Descriptor) -> Call {
    let mut url = session.location.clone();
    url.query_pairs_mut()
        .append_pair("digest", &blob.digest.to_string());
    let finish = Some(Operation::FinishUpload);
    let mut call = write(repository, finish, Method::PUT, Target::Url(url));
    call.headers.insert(header::CONTENT_TYPE, OCTETS);
    call
}

/// Reads the answer to a commit.
pub(super) async fn committed(action: &str, blob: &Descriptor, reply: Reply) -> Result<(), Error> {
    if !matches!(reply.status, StatusCode::CREATED | StatusCode::NO_CONTENT) {
        return Err(Error::from_reply(action, reply).await);
    }
    let said = digest_header(&reply.headers, "docker-content-digest");
    reply.drain().await;
    match said {
        Some(said) if said.algorithm() == blob.digest.algorithm() && said != blob.digest => {
            let message = format!("the registry stored {said}");
            Err(Error::new(ErrorKind::Integrity, message).during(action))
        }
        _ => Ok(()),
    }
}

/// Reads a body that has no bytes to its end.
async fn nothing(mut body: ByteStream) -> Result<CallBody, Error> {
    while body.next().await.transpose()?.is_some() {}
    Ok(CallBody::Bytes(Bytes::new()))
}

fn is_ambiguous(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Network | ErrorKind::NotFound | ErrorKind::Other
    )
}

async fn is_there(repository: &RemoteRepository, blob: &Descriptor) -> bool {
    matches!(blobs::head(repository, &blob.digest).await, Ok(Some(size)) if size == blob.size)
}

/// Drops a session. Registries drop forgotten ones themselves some day, so a failure is none.
///
/// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#cancel-a-blob-upload>
async fn cancel(repository: &RemoteRepository, session: UploadSession) {
    let mut call = write(repository, None, Method::DELETE, Target::Url(session.location));
    call.repeat = Repeat::Never;
    if let Ok(reply) = repository.client.send(call).await {
        reply.drain().await;
    }
}

pub(super) fn write(
    repository: &RemoteRepository,
    operation: Option<Operation>,
    method: Method,
    target: Target,
) -> Call {
    Call {
        method,
        operation,
        redirects: Redirects::Refuse,
        ..Call::get(target, Scope::push(&repository.name))
    }
}
