//! Manifests: pushed, pulled, deleted.

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use oci::{Digest, MAX_MANIFEST, Manifest, ManifestError, ManifestReference, MediaType, RepositoryName, Tag};

use crate::blobs::etag;
use crate::failure::{Code, Failure};
use crate::service::{Answer, Call, Incoming, Service, digest, empty, respond};
use crate::store::{Store, StoreError};
use crate::uploads::cut_short;

/// Answers with a manifest, whatever `Accept` says: nothing is ever converted.
///
/// <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pulling-manifests>
pub(crate) async fn get(service: &Service, call: &Call, repository: RepositoryName, text: &str) -> Answer {
    let reference = reference(text)?;
    let found = service
        .storage
        .call(move |store| find(store, &repository, &reference))
        .await?;
    let manifest = found.ok_or_else(unknown)?;
    let body = if call.method == Method::HEAD {
        Bytes::new()
    } else {
        manifest.bytes().clone()
    };
    Ok(respond(
        StatusCode::OK,
        [
            ("content-type", manifest.media_type().to_string()),
            ("content-length", manifest.bytes().len().to_string()),
            ("docker-content-digest", manifest.digest().to_string()),
            ("etag", etag(manifest.digest())),
        ],
        Body::from(body),
    ))
}

fn find(
    store: &dyn Store,
    repository: &RepositoryName,
    reference: &ManifestReference,
) -> Result<Option<Arc<Manifest>>, StoreError> {
    match reference {
        ManifestReference::Digest(digest) => store.manifest(repository, digest),
        ManifestReference::Tag(tag) => match store.resolve(repository, tag)? {
            Some(digest) => store.manifest(repository, &digest),
            None => Ok(None),
        },
    }
}

/// Keeps a manifest, if the repository has what it names.
///
/// A subject need not be there. Pushed by digest, `tag` parameters name it too.
///
/// <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pushing-manifests>
pub(crate) async fn put(
    service: &Service,
    call: &Call,
    repository: RepositoryName,
    text: &str,
    body: &mut Incoming,
) -> Answer {
    let bytes = collect(call, body).await?;
    let malformed = |_| {
        Failure::new(
            Code::ManifestInvalid,
            "a manifest is pushed by a tag or by its digest",
        )
    };
    let by_digest = text.contains(':').then(|| digest(text)).transpose()?;
    let names: Vec<&str> = if by_digest.is_some() {
        call.parameters("tag").collect()
    } else {
        vec![text]
    };
    let tags = names
        .into_iter()
        .map(str::parse)
        .collect::<Result<Vec<Tag>, _>>()
        .map_err(malformed)?;
    let parameters = if by_digest.is_some() {
        tags.clone()
    } else {
        Vec::new()
    };
    let expected = by_digest.unwrap_or_else(|| Digest::sha256(&bytes));
    let manifest = Arc::new(parse(call, bytes, expected)?);
    let response = created(service, &repository, &manifest, &parameters);
    let sparse = service.options.sparse;
    service
        .storage
        .call(move |store| keep(store, &repository, &manifest, &tags, sparse))
        .await?;
    Ok(response)
}

/// Collects a manifest's bytes, up to the size every registry must take.
async fn collect(call: &Call, body: &mut Incoming) -> Result<Bytes, Failure> {
    let announced = call
        .header(&CONTENT_LENGTH)
        .and_then(|length| length.parse::<u64>().ok());
    if announced.is_some_and(|length| length > MAX_MANIFEST as u64) {
        return Err(too_large());
    }
    let mut bytes = BytesMut::new();
    while let Some(piece) = body.next().await {
        let piece = piece.map_err(|error| cut_short(&error))?;
        if bytes.len() + piece.len() > MAX_MANIFEST {
            return Err(too_large());
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes.freeze())
}

fn parse(call: &Call, bytes: Bytes, expected: Digest) -> Result<Manifest, Failure> {
    if Digest::of(expected.algorithm(), &bytes) != expected {
        return Err(Failure::new(
            Code::DigestInvalid,
            "the manifest does not have the given digest",
        ));
    }
    let content_type = call.header(&CONTENT_TYPE).map(MediaType::new);
    Manifest::parse_as(bytes, content_type.as_ref(), expected).map_err(|error| match error {
        ManifestError::TooLarge(_) => too_large(),
        error => Failure::new(Code::ManifestInvalid, error.to_string()),
    })
}

fn keep(
    store: &dyn Store,
    repository: &RepositoryName,
    manifest: &Arc<Manifest>,
    tags: &[Tag],
    sparse: bool,
) -> Result<(), Failure> {
    let missing = if sparse {
        Vec::new()
    } else {
        missing(store, repository, manifest)?
    };
    if !missing.is_empty() {
        let messages = missing
            .iter()
            .map(|digest| format!("the repository lacks {digest}"));
        return Err(Failure::several(Code::ManifestBlobUnknown, messages));
    }
    Ok(store.put_manifest(repository, manifest, tags)?)
}

/// Lists what the manifest names and the repository lacks. Layers that are fetched from elsewhere are not asked for.
fn missing(
    store: &dyn Store,
    repository: &RepositoryName,
    manifest: &Manifest,
) -> Result<Vec<Digest>, StoreError> {
    let mut missing = Vec::new();
    for blob in manifest
        .blobs()
        .filter(|blob| !blob.media_type.is_nondistributable())
    {
        if store.blob_size(repository, &blob.digest)?.is_none() {
            missing.push(blob.digest.clone());
        }
    }
    for child in manifest.children() {
        if store.manifest(repository, &child.digest)?.is_none() {
            missing.push(child.digest.clone());
        }
    }
    Ok(missing)
}

fn created(service: &Service, repository: &RepositoryName, manifest: &Manifest, tags: &[Tag]) -> Response {
    let digest = manifest.digest();
    let location = format!("/v2/{repository}/manifests/{digest}");
    let headers = [
        ("location", location),
        ("docker-content-digest", digest.to_string()),
    ];
    let mut response = empty(StatusCode::CREATED, headers);
    let subject = manifest.subject().filter(|_| service.options.referrers_api);
    let subject = subject.map(|subject| ("oci-subject", subject.digest.to_string()));
    for (name, value) in subject
        .into_iter()
        .chain(tags.iter().map(|tag| ("oci-tag", tag.to_string())))
    {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response
                .headers_mut()
                .append(HeaderName::from_static(name), value);
        }
    }
    response
}

/// Deletes a tag, or a manifest with all its tags.
///
/// <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#content-management>
pub(crate) async fn delete(service: &Service, repository: RepositoryName, text: &str) -> Answer {
    let reference = reference(text)?;
    let removed = service.storage.call(move |store| match reference {
        ManifestReference::Digest(digest) => store.remove_manifest(&repository, &digest),
        ManifestReference::Tag(tag) => store.untag(&repository, &tag),
    });
    if removed.await? {
        Ok(empty(StatusCode::ACCEPTED, []))
    } else {
        Err(unknown())
    }
}

/// Reads a tag or a digest. What can't be a tag is none that the repository has.
fn reference(text: &str) -> Result<ManifestReference, Failure> {
    if text.contains(':') {
        return Ok(ManifestReference::Digest(digest(text)?));
    }
    text.parse().map(ManifestReference::Tag).map_err(|_| unknown())
}

fn unknown() -> Failure {
    Failure::new(Code::ManifestUnknown, "the repository has no such manifest")
}

fn too_large() -> Failure {
    Failure::new(
        Code::SizeInvalid,
        format!("a manifest has at most {MAX_MANIFEST} bytes"),
    )
    .with_status(StatusCode::PAYLOAD_TOO_LARGE)
}
