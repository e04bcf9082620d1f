//! Everything that stands under one image's name.
//!
//! `packages.versions.list` names every manifest of an image with its tags, a thousand at a time. `dockerImages.list` names
//! all images of a repository, however few are asked for; the registry's own `tags/list` ends at ten thousand.

use std::collections::BTreeMap;

use oci::{Digest, MediaType, Tag};
use planner::Inventory;
use planner::inventory::{Listed, Subject};
use provider::Listing;
use registry::{Error, ErrorKind};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::api::Api;
use crate::place::Unit;
use crate::rights::Call;

/// The most that the API lists at once.
const PAGE: &str = "1000";

/// A version is told with at most this many of its tags.
const MOST_RELATED: usize = 100;

/// A listing that does not end is not read for ever.
const MAX_PAGES: usize = 10_000;

/// <https://docs.cloud.google.com/artifact-registry/docs/reference/rest/v1/projects.locations.repositories.packages.versions/list>
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Versions {
    versions: Vec<Version>,
    next_page_token: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Version {
    name: String,
    related_tags: Vec<Tagged>,
    metadata: Metadata,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Metadata {
    media_type: String,
}

/// <https://docs.cloud.google.com/artifact-registry/docs/reference/rest/v1/projects.locations.repositories.packages.tags/list>
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Tags {
    tags: Vec<Tagged>,
    next_page_token: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Tagged {
    name: String,
    version: String,
}

trait Page: DeserializeOwned {
    fn next(&self) -> &str;
}

impl Page for Versions {
    fn next(&self) -> &str {
        &self.next_page_token
    }
}

impl Page for Tags {
    fn next(&self) -> &str {
        &self.next_page_token
    }
}

/// Lists an image.
///
/// # Errors
/// A refusal, and an answer that names no digests.
pub(crate) async fn list(api: &Api, unit: &Unit, image: &str) -> Result<Listing, Error> {
    let package = unit.package(image);
    let (mut tags, mut manifests, mut more) = (BTreeMap::new(), BTreeMap::new(), false);
    let found = pages(
        api,
        Call::ListVersions,
        unit,
        &format!("{package}/versions"),
        |page: Versions| {
            for version in page.versions {
                let digest = digest(&version.name)?;
                more |= version.related_tags.len() >= MOST_RELATED;
                for related in &version.related_tags {
                    tags.insert(tag(&related.name)?, digest.clone());
                }
                manifests.insert(digest, listed(&version.metadata));
            }
            Ok(())
        },
    )
    .await?;
    if !found || manifests.is_empty() {
        return Ok(Listing::Absent);
    }
    if more {
        pages(
            api,
            Call::ListTags,
            unit,
            &format!("{package}/tags"),
            |page: Tags| {
                for tagged in page.tags {
                    tags.insert(tag(&tagged.name)?, digest(&tagged.version)?);
                }
                Ok(())
            },
        )
        .await?;
    }
    Ok(Listing::Inventory(Inventory::whole(tags, manifests)))
}

/// Reads a list to its end; false where what is listed does not exist.
async fn pages<P: Page>(
    api: &Api,
    call: Call,
    unit: &Unit,
    path: &str,
    mut take: impl FnMut(P) -> Result<(), Error>,
) -> Result<bool, Error> {
    let mut token = String::new();
    for _ in 0..MAX_PAGES {
        let mut query = vec![("pageSize", PAGE)];
        if call == Call::ListVersions {
            query.push(("view", "FULL"));
        }
        if !token.is_empty() {
            query.push(("pageToken", token.as_str()));
        }
        let Some(reply) = api.page(call, unit, path, &query).await? else {
            return Ok(false);
        };
        let page: P = reply.json("a list of the API")?;
        let next = page.next().to_owned();
        take(page)?;
        if next.is_empty() {
            return Ok(true);
        }
        token = next;
    }
    let message = format!("the list of {path} has more than {MAX_PAGES} pages");
    Err(Error::new(ErrorKind::Integrity, message))
}

fn listed(metadata: &Metadata) -> Listed {
    Listed {
        media_type: (!metadata.media_type.is_empty()).then(|| MediaType::new(&metadata.media_type)),
        // The listing tells nothing of what a manifest is attached to: it is read once.
        subject: Subject::Untold,
    }
}

fn digest(name: &str) -> Result<Digest, Error> {
    let last = name.rsplit('/').next().unwrap_or_default();
    last.parse().map_err(|error| unreadable("version", last, error))
}

fn tag(name: &str) -> Result<Tag, Error> {
    let last = name.rsplit('/').next().unwrap_or_default();
    last.parse().map_err(|error| unreadable("tag", last, error))
}

fn unreadable(what: &str, name: &str, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    let name: String = name.chars().filter(char::is_ascii_graphic).take(100).collect();
    Error::new(ErrorKind::Integrity, format!("the API lists a {what} `{name}`")).caused_by(error)
}
