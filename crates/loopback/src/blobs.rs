//! Blobs: looked for, pulled, deleted.

use axum::body::Body;
use http::header::{IF_RANGE, RANGE};
use http::{Method, StatusCode};
use oci::{Digest, RepositoryName};

use crate::failure::{Code, Failure};
use crate::range::{Wanted, wanted};
use crate::service::{Answer, Call, Service, digest, empty, respond};
use crate::store::FoundBlob;

/// Answers with a blob, or with a part of it.
///
/// <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pulling-blobs>
pub(crate) async fn get(service: &Service, call: &Call, repository: RepositoryName, text: &str) -> Answer {
    let digest = digest(text)?;
    let looked_for = digest.clone();
    if call.method == Method::HEAD {
        let size = service
            .storage
            .call(move |store| store.blob_size(&repository, &looked_for))
            .await?;
        return size
            .map(|size| whole(&digest, size, Body::empty()))
            .ok_or_else(unknown);
    }
    let found = service
        .storage
        .call(move |store| store.open_blob(&repository, &looked_for))
        .await?;
    let FoundBlob { size, source } = found.ok_or_else(unknown)?;
    // A range that depends on another version of the blob is no longer wanted.
    let range = call
        .header(&RANGE)
        .filter(|_| call.header(&IF_RANGE).is_none_or(|tag| tag == etag(&digest)));
    match wanted(range, size) {
        Wanted::Whole => Ok(whole(&digest, size, source.body(0..size))),
        Wanted::Part(part) => Ok(respond(
            StatusCode::PARTIAL_CONTENT,
            [
                ("content-type", "application/octet-stream".to_owned()),
                ("content-length", (part.end - part.start).to_string()),
                (
                    "content-range",
                    format!("bytes {}-{}/{size}", part.start, part.end - 1),
                ),
                ("docker-content-digest", digest.to_string()),
                ("etag", etag(&digest)),
            ],
            source.body(part),
        )),
        Wanted::Unsatisfiable => Ok(empty(
            StatusCode::RANGE_NOT_SATISFIABLE,
            [("content-range", format!("bytes */{size}"))],
        )),
    }
}

/// Removes a blob from a repository.
///
/// <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#deleting-blobs>
pub(crate) async fn delete(service: &Service, repository: RepositoryName, text: &str) -> Answer {
    let digest = digest(text)?;
    let removed = service
        .storage
        .call(move |store| store.remove_blob(&repository, &digest))
        .await?;
    if removed {
        Ok(empty(StatusCode::ACCEPTED, []))
    } else {
        Err(unknown())
    }
}

fn whole(digest: &Digest, size: u64, body: Body) -> axum::response::Response {
    respond(
        StatusCode::OK,
        [
            ("content-type", "application/octet-stream".to_owned()),
            ("content-length", size.to_string()),
            ("accept-ranges", "bytes".to_owned()),
            ("docker-content-digest", digest.to_string()),
            ("etag", etag(digest)),
        ],
        body,
    )
}

/// Returns the entity tag of content: it never changes under its digest.
pub(crate) fn etag(digest: &Digest) -> String {
    format!("\"{digest}\"")
}

fn unknown() -> Failure {
    Failure::new(Code::BlobUnknown, "the repository has no such blob")
}
