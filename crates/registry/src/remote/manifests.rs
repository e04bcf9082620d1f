//! Manifests: looked for, read and put.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use oci::{
    Algorithm, Descriptor, Digest, MAX_MANIFEST, Manifest, ManifestReference, MediaKind, MediaType, Tag,
};

use super::document::{Answer, Document};
use super::repository::{RemoteRepository, digest_header};
use crate::call::{Call, CallBody, Redirects, Reply, Target};
use crate::{Deletion, Error, ErrorKind, ManifestPut, Operation};

const CONTENT_DIGEST: &str = "docker-content-digest";
const SUBJECT: &str = "oci-subject";
const TAG: &str = "oci-tag";

/// Describes a manifest without reading it, as far as the registry tells.
///
/// Where the answer lacks digest, type or length, or where its digest is not the one asked for, the manifest is read
/// after all: only its bytes can settle it.
///
/// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#checking-if-content-exists-in-the-registry>
pub(super) async fn head(
    repository: &RemoteRepository,
    reference: &ManifestReference,
) -> Result<Option<Descriptor>, Error> {
    let action = repository.action(format_args!("look for manifest {reference}"));
    let mut call = repository.call(
        Operation::HeadManifest,
        Method::HEAD,
        target(repository, reference),
    );
    call.headers.insert(header::ACCEPT, accept());
    let reply = repository.send(&action, call).await?;
    match reply.status {
        StatusCode::NOT_FOUND => return Ok(None),
        StatusCode::OK => {}
        StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => {}
        _ => return Err(Error::from_reply(&action, reply).await),
    }
    match described(&reply, reference) {
        Some(descriptor) => Ok(Some(descriptor)),
        None => Ok(get(repository, reference)
            .await?
            .map(|manifest| manifest.descriptor())),
    }
}

/// Makes a descriptor of what a HEAD was answered with, where that is complete and not contradictory.
fn described(reply: &Reply, reference: &ManifestReference) -> Option<Descriptor> {
    if reply.status != StatusCode::OK {
        return None;
    }
    let digest = digest_header(&reply.headers, CONTENT_DIGEST)?;
    if matches!(reference, ManifestReference::Digest(asked) if *asked != digest) {
        return None;
    }
    let media_type = media_type(&reply.headers).filter(|media_type| media_type.kind() != MediaKind::Blob)?;
    let size = reply.header(header::CONTENT_LENGTH)?.trim().parse().ok()?;
    Some(Descriptor::new(media_type, digest, size))
}

/// Reads a manifest and verifies its digest.
///
/// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests>
pub(super) async fn get(
    repository: &RemoteRepository,
    reference: &ManifestReference,
) -> Result<Option<Manifest>, Error> {
    let action = repository.action(format_args!("read manifest {reference}"));
    let query = repository.query(Operation::GetManifest, target(repository, reference), accept());
    match Document::get(&repository.client, &action, query, MAX_MANIFEST).await? {
        Answer::Document(document) => verified(&document, reference)
            .map(Some)
            .map_err(|error| error.during(&action)),
        Answer::Refused(reply) if reply.status == StatusCode::NOT_FOUND => {
            reply.drain().await;
            Ok(None)
        }
        Answer::Refused(reply) => Err(Error::from_reply(&action, reply).await),
    }
}

fn verified(document: &Document, reference: &ManifestReference) -> Result<Manifest, Error> {
    let Document { headers, bytes, .. } = document;
    let said = digest_header(headers, CONTENT_DIGEST);
    if let Some(said) = &said {
        verify(said, bytes, "the registry names the manifest")?;
    }
    let digest = match (reference, said) {
        (ManifestReference::Digest(asked), _) => {
            verify(asked, bytes, "the registry was asked for")?;
            asked.clone()
        }
        (ManifestReference::Tag(_), Some(said)) => said,
        (ManifestReference::Tag(_), None) => Digest::sha256(bytes),
    };
    Manifest::parse_as(bytes.clone(), media_type(headers).as_ref(), digest)
        .map_err(|error| Error::new(ErrorKind::Integrity, "the manifest is refused").caused_by(error))
}

fn verify(expected: &Digest, bytes: &Bytes, whose: &str) -> Result<(), Error> {
    let actual = Digest::of(expected.algorithm(), bytes);
    if actual == *expected {
        return Ok(());
    }
    let message = format!("{whose} {expected}, but the bytes are {actual}");
    Err(Error::new(ErrorKind::Integrity, message))
}

/// Puts a manifest, byte for byte.
///
/// A tag that can't be moved but stands at the manifest already is no error: the answer to an earlier try may have
/// been lost. A manifest of another digest than SHA-256 is put by that, with the tag as a parameter: put by the tag it
/// would stand there under its SHA-256.
///
/// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-manifests>
pub(super) async fn put(
    repository: &RemoteRepository,
    reference: &ManifestReference,
    manifest: &Manifest,
) -> Result<ManifestPut, Error> {
    let action = repository.action(format_args!("put manifest {}", what(reference, manifest)));
    if let ManifestReference::Digest(digest) = reference {
        verify(digest, manifest.bytes(), "the manifest is put as").map_err(|error| error.during(&action))?;
    }
    let parameter = tag_parameter(reference, manifest);
    let target = match parameter {
        Some(tag) => repository.path(format_args!("manifests/{}?tag={tag}", manifest.digest())),
        None => target(repository, reference),
    };
    let mut call = repository.call(Operation::PutManifest, Method::PUT, target);
    call.headers
        .insert(header::CONTENT_TYPE, content_type(&action, manifest)?);
    call.body = CallBody::Bytes(manifest.bytes().clone());
    call.redirects = Redirects::Refuse;
    let reply = repository.send(&action, call).await?;
    match reply.status {
        StatusCode::CREATED | StatusCode::ACCEPTED | StatusCode::NO_CONTENT => {
            accepted(reply, manifest, parameter)
                .await
                .map_err(|error| error.during(&action))
        }
        _ => {
            let error = Error::from_reply(&action, reply).await;
            stands_already(repository, reference, manifest, error).await
        }
    }
}

/// Deletes a tag, or a manifest with its tags.
///
/// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#content-management>
pub(super) async fn delete(
    repository: &RemoteRepository,
    reference: &ManifestReference,
) -> Result<Deletion, Error> {
    let action = repository.action(format_args!("delete {reference}"));
    let call = Call {
        method: Method::DELETE,
        redirects: Redirects::Refuse,
        ..Call::get(target(repository, reference), repository.scope())
    };
    let reply = repository.send(&action, call).await?;
    match reply.status {
        StatusCode::ACCEPTED | StatusCode::OK | StatusCode::NO_CONTENT => {
            reply.drain().await;
            Ok(Deletion::Done)
        }
        StatusCode::NOT_FOUND => {
            reply.drain().await;
            Ok(Deletion::Missing)
        }
        _ => {
            let error = Error::from_reply(&action, reply).await;
            match is_unsupported(reference, &error) {
                true => Ok(Deletion::Unsupported(error)),
                false => Err(error),
            }
        }
    }
}

/// Tells whether a registry does not delete at all, or no tags: some take a tag for a malformed digest then.
fn is_unsupported(reference: &ManifestReference, error: &Error) -> bool {
    let is_tag = matches!(reference, ManifestReference::Tag(_));
    match error.status() {
        Some(StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED) => true,
        Some(StatusCode::BAD_REQUEST) => {
            error.code() == Some("UNSUPPORTED") || is_tag && error.kind() != ErrorKind::Immutable
        }
        _ => false,
    }
}

fn what(reference: &ManifestReference, manifest: &Manifest) -> String {
    match reference {
        ManifestReference::Tag(tag) => format!("{} as tag {tag}", manifest.digest()),
        ManifestReference::Digest(digest) => digest.to_string(),
    }
}

/// Returns the tag that has to be a parameter, because put by it the manifest would get another digest.
fn tag_parameter<'a>(reference: &'a ManifestReference, manifest: &Manifest) -> Option<&'a Tag> {
    match reference {
        ManifestReference::Tag(tag) if manifest.digest().algorithm() != Algorithm::Sha256 => Some(tag),
        ManifestReference::Tag(_) | ManifestReference::Digest(_) => None,
    }
}

async fn accepted(reply: Reply, manifest: &Manifest, parameter: Option<&Tag>) -> Result<ManifestPut, Error> {
    let subject = digest_header(&reply.headers, SUBJECT);
    let said = digest_header(&reply.headers, CONTENT_DIGEST);
    let ignored = parameter.filter(|tag| !is_tagged(&reply.headers, tag));
    reply.drain().await;
    if let Some(said) = said {
        verify(&said, manifest.bytes(), "the registry stored")?;
    }
    match ignored {
        Some(tag) => Err(untagged(tag)),
        None => Ok(ManifestPut { subject }),
    }
}

/// Tells whether a registry says that it has set a tag that was a parameter.
fn is_tagged(headers: &HeaderMap, tag: &Tag) -> bool {
    let values = headers.get_all(TAG).iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|said| said.trim() == tag.as_str())
}

fn untagged(tag: &Tag) -> Error {
    let message = format!(
        "the registry took the manifest and did not set the tag {tag}: by tag, it knows manifests under SHA-256 alone"
    );
    Error::new(ErrorKind::Other, message)
        .with_hint("its digest can be kept at this registry only without a tag")
}

async fn stands_already(
    repository: &RemoteRepository,
    reference: &ManifestReference,
    manifest: &Manifest,
    error: Error,
) -> Result<ManifestPut, Error> {
    if error.kind() == ErrorKind::Immutable
        && let Ok(Some(found)) = head(repository, reference).await
        && found.digest == Digest::of(found.digest.algorithm(), manifest.bytes())
    {
        return Ok(ManifestPut::default());
    }
    Err(error)
}

fn content_type(action: &str, manifest: &Manifest) -> Result<HeaderValue, Error> {
    HeaderValue::from_str(manifest.media_type().as_str())
        .map_err(|_| Error::new(ErrorKind::Integrity, "its media type can't be sent").during(action))
}

fn target(repository: &RemoteRepository, reference: &ManifestReference) -> Target {
    repository.path(format_args!("manifests/{reference}"))
}

/// Names every manifest there is: where one was missing, registries would convert to another.
fn accept() -> HeaderValue {
    let types = MediaType::MANIFESTS;
    let types: Vec<&str> = types.iter().map(MediaType::as_str).collect();
    HeaderValue::from_str(&types.join(", ")).expect("media types are visible ASCII")
}

fn media_type(headers: &HeaderMap) -> Option<MediaType> {
    let text = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    Some(MediaType::new(text)).filter(|media_type| media_type.as_str().len() <= MediaType::MAX)
}
