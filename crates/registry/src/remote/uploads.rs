//! Blobs on their way out.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{HeaderValue, Method, StatusCode, header};
use oci::{Algorithm, Descriptor, Digest};

use super::blobs;
use super::repository::{RemoteRepository, digest_header};
use crate::call::{Call, CallBody, Redirects, Repeat, Reply, Scope, Target};
use crate::{ByteStream, Client, Error, ErrorKind, Mount, MountFrom, UploadSession};

/// Opens an upload session.
///
/// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#post-then-put>
pub(super) async fn start(repository: &RemoteRepository) -> Result<UploadSession, Error> {
    let action = repository.action("start an upload");
    let call = write(repository, Method::POST, repository.path("blobs/uploads/"));
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
    reply.drain().await;
    let location = location.map_err(|error| error.during(action))?;
    Ok(UploadSession { location })
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
    let mut call = write(repository, Method::POST, target);
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

/// Sends a whole blob into a session in one request, and commits it with that.
///
/// Where it is not clear whether the registry took it, the registry is asked for the blob: an answer may be lost, and
/// another client may have been faster. If the blob is not there, the session is cancelled.
///
/// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#post-then-put>
pub(super) async fn upload(
    repository: &RemoteRepository,
    session: UploadSession,
    blob: &Descriptor,
    body: ByteStream,
) -> Result<(), Error> {
    let action = repository.action(format_args!("upload blob {}", blob.digest));
    let (body, source) = Source::watch(repository.client.clone(), blob.size, body);
    let result = commit(repository, &action, &session, blob, body).await;
    let Err(error) = result else {
        return Ok(());
    };
    if !source.failed() && is_ambiguous(&error) && is_there(repository, blob).await {
        return Ok(());
    }
    cancel(repository, session).await;
    Err(error)
}

async fn commit(
    repository: &RemoteRepository,
    action: &str,
    session: &UploadSession,
    blob: &Descriptor,
    body: ByteStream,
) -> Result<(), Error> {
    let mut url = session.location.clone();
    url.query_pairs_mut()
        .append_pair("digest", &blob.digest.to_string());
    let mut call = write(repository, Method::PUT, Target::Url(url));
    let octets = HeaderValue::from_static("application/octet-stream");
    call.headers.insert(header::CONTENT_TYPE, octets);
    call.repeat = Repeat::Never;
    call.body = match blob.size {
        0 => nothing(body).await?,
        length => CallBody::Stream { length, body },
    };
    let reply = repository.send(action, call).await?;
    match reply.status {
        StatusCode::CREATED | StatusCode::NO_CONTENT => committed(action, blob, reply).await,
        // The session was opened with a good credential, which ended on the way: a new session gets a new one.
        StatusCode::UNAUTHORIZED => Err(Error::from_reply(action, reply).await.of_kind(ErrorKind::Network)),
        _ => Err(Error::from_reply(action, reply).await),
    }
}

async fn committed(action: &str, blob: &Descriptor, reply: Reply) -> Result<(), Error> {
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
    let mut call = write(repository, Method::DELETE, Target::Url(session.location));
    call.repeat = Repeat::Never;
    if let Ok(reply) = repository.client.send(call).await {
        reply.drain().await;
    }
}

fn write(repository: &RemoteRepository, method: Method, target: Target) -> Call {
    Call {
        scope: Scope::push(&repository.name),
        redirects: Redirects::Refuse,
        ..repository.call(method, target)
    }
}

/// The body of an upload, as far as it is to blame for a failure.
struct Source(Arc<AtomicBool>);

impl Source {
    /// Counts a body's bytes, and ends it in an error where it is not `size` bytes long.
    ///
    /// The last bytes go out when the body has ended well: a source that finds fault with the whole at its very end
    /// still keeps it from being committed.
    fn watch(client: Client, size: u64, body: ByteStream) -> (ByteStream, Self) {
        let flag = Arc::new(AtomicBool::new(false));
        let failed = Arc::clone(&flag);
        let outgoing = Outgoing {
            body: body.fuse().boxed(),
            left: size,
            size,
        };
        let body = stream::try_unfold(outgoing, move |mut outgoing| {
            let (client, failed) = (client.clone(), Arc::clone(&failed));
            async move {
                let bytes = outgoing
                    .next()
                    .await
                    .inspect_err(|_| failed.store(true, Ordering::Relaxed))?;
                Ok(bytes.map(|bytes| {
                    client.count_written(bytes.len() as u64);
                    (bytes, outgoing)
                }))
            }
        });
        (body.boxed(), Self(flag))
    }

    fn failed(&self) -> bool {
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
