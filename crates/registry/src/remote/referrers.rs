//! Listing what refers to a manifest.

use std::collections::HashSet;

use http::{HeaderMap, HeaderValue, StatusCode, header};
use oci::{Descriptor, Digest, MediaType};
use serde::Deserialize;

use super::document::Document;
use super::pages::{Bounds, Page, Pages};
use super::repository::RemoteRepository;
use crate::{Error, ErrorKind, Operation, Referrers};

/// The most referrers of one manifest that are followed.
const MAX_REFERRERS: usize = 1_000;

const BOUNDS: Bounds = Bounds {
    pages: 1_000,
    page: 4 << 20,
};

#[derive(Deserialize)]
struct Index {
    manifests: Option<Vec<Descriptor>>,
}

/// Lists what refers to `subject`, by the referrers API alone.
///
/// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-referrers>
pub(super) async fn list(repository: &RemoteRepository, subject: &Digest) -> Result<Referrers, Error> {
    let action = repository.action(format_args!("list referrers of {subject}"));
    let first = repository.path(format_args!("referrers/{subject}"));
    let accept = HeaderValue::from_static("application/vnd.oci.image.index.v1+json");
    let query = repository.query(Operation::ListReferrers, first, accept);
    let mut pages = Pages::new(&repository.client, &action, query, BOUNDS);
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    loop {
        match pages.next().await? {
            Page::Document(document) if is_index(&document.headers) => {
                let new = parse(&action, &document)?.into_iter();
                found.extend(new.filter(|entry| seen.insert(entry.digest.clone())));
            }
            // A registry, or what stands in front of it, that answers any path with 200.
            Page::Document(_) => return Ok(Referrers::Unsupported),
            Page::Refused(reply) if is_unsupported(reply.status) => {
                reply.drain().await;
                return Ok(Referrers::Unsupported);
            }
            Page::Refused(reply) => return Err(Error::from_reply(&action, reply).await),
            Page::End => return Ok(Referrers::List(found)),
        }
        if found.len() > MAX_REFERRERS {
            let message = format!("more than {MAX_REFERRERS} manifests refer to it");
            return Err(Error::new(ErrorKind::Policy, message)
                .with_hint("remove referrers that are not needed any more, or mirror without them: `referrers: none`")
                .during(&action));
        }
    }
}

/// Returns true for statuses that registries without the API answer with: not found (docker-registry), not
/// acceptable (Artifactory) and the like.
fn is_unsupported(status: StatusCode) -> bool {
    matches!(status.as_u16(), 400 | 404 | 405 | 406 | 501)
}

fn is_index(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|text| MediaType::new(text) == MediaType::OCI_INDEX)
}

fn parse(action: &str, document: &Document) -> Result<Vec<Descriptor>, Error> {
    let index: Index = document
        .json("the list of referrers")
        .map_err(|error| error.during(action))?;
    Ok(index.manifests.unwrap_or_default())
}
