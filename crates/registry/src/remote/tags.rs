//! Listing tags.

use std::collections::BTreeSet;

use http::{HeaderValue, StatusCode};
use oci::Tag;
use serde::Deserialize;
use serde_json::Value;

use super::document::Document;
use super::pages::{Bounds, Page, Pages, is_about_the_size};
use super::repository::RemoteRepository;
use crate::call::{Reply, Target};
use crate::{Error, ErrorKind, Operation};

/// The most tags of one repository that are kept.
const MAX_TAGS: usize = 1_000_000;

const BOUNDS: Bounds = Bounds {
    pages: 10_000,
    page: 8 << 20,
};

#[derive(Deserialize)]
struct List {
    #[serde(default)]
    tags: Option<Vec<String>>,
    #[serde(default)]
    errors: Option<Value>,
}

/// Lists all tags, sorted; nothing where the repository does not exist.
///
/// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-tags>
pub(super) async fn list(repository: &RemoteRepository) -> Result<Option<Vec<Tag>>, Error> {
    let action = repository.action("list tags");
    let page = repository.client.wire().page.max(1);
    let sized = repository.path(format_args!("tags/list?n={page}"));
    let reply = match collect(repository, &action, sized).await? {
        Outcome::Tags(tags) => return Ok(Some(tags)),
        Outcome::Refused(reply) if is_about_the_size(reply.status) => {
            match collect(repository, &action, repository.path("tags/list")).await? {
                Outcome::Tags(tags) => return Ok(Some(tags)),
                Outcome::Refused(reply) => reply,
            }
        }
        Outcome::Refused(reply) => reply,
    };
    match reply.status {
        StatusCode::NOT_FOUND => {
            reply.drain().await;
            Ok(None)
        }
        _ => Err(Error::from_reply(&action, *reply).await),
    }
}

enum Outcome {
    Tags(Vec<Tag>),
    Refused(Box<Reply>),
}

async fn collect(repository: &RemoteRepository, action: &str, first: Target) -> Result<Outcome, Error> {
    let accept = HeaderValue::from_static("application/json");
    let query = repository.query(Operation::ListTags, first, accept);
    let mut pages = Pages::new(&repository.client, action, query, BOUNDS);
    let mut tags = BTreeSet::new();
    loop {
        match pages.next().await? {
            Page::Document(document) => tags.extend(parse(action, &document)?),
            Page::Refused(reply) => return Ok(Outcome::Refused(Box::new(reply))),
            Page::End => return Ok(Outcome::Tags(tags.into_iter().collect())),
        }
        if tags.len() > MAX_TAGS {
            let message = format!("the repository has more than {MAX_TAGS} tags");
            return Err(Error::new(ErrorKind::Policy, message).during(action));
        }
    }
}

fn parse(action: &str, document: &Document) -> Result<Vec<Tag>, Error> {
    let list: List = document
        .json("the list of tags")
        .map_err(|error| error.during(action))?;
    // Some proxies answer 200 with the errors of the registry behind them: no list, which is not an empty list.
    if list.errors.is_some_and(|errors| !errors.is_null()) {
        let message = "the registry answers with errors instead of tags";
        return Err(Error::new(ErrorKind::Integrity, message).during(action));
    }
    // Artifactory lists digests between the tags: what can't be a tag is none.
    let tags = list.tags.unwrap_or_default();
    Ok(tags.iter().filter_map(|tag| tag.parse().ok()).collect())
}
