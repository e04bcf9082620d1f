//! Listing repositories.

use std::collections::BTreeSet;

use http::{HeaderValue, StatusCode};
use oci::RepositoryName;
use serde_json::{Map, Value};

use super::document::{Document, Query};
use super::pages::{Bounds, Page, Pages, is_about_the_size};
use crate::call::{Reply, Scope, Target};
use crate::{Client, Error, ErrorKind};

/// The most repositories of one registry that are kept.
const MAX_REPOSITORIES: usize = 1_000_000;

const BOUNDS: Bounds = Bounds {
    pages: 10_000,
    page: 8 << 20,
};

enum Outcome {
    Names(Vec<RepositoryName>),
    Refused(Box<Reply>),
}

/// Lists the repositories, sorted; nothing where the registry does not offer that, or not to the scope of a token.
///
/// The specification reserves the path and leaves it to Docker's:
/// <https://distribution.github.io/distribution/spec/api/#listing-repositories>
pub(crate) async fn catalog(client: &Client) -> Result<Option<Vec<RepositoryName>>, Error> {
    let action = format!("list repositories of {}", client.host());
    let page = client.wire().page.max(1);
    let sized = collect(client, &action, format!("/v2/_catalog?n={page}")).await;
    let outcome = match sized {
        Ok(Outcome::Refused(reply)) if is_about_the_size(reply.status) => {
            collect(client, &action, "/v2/_catalog".to_owned()).await
        }
        outcome => outcome,
    };
    match outcome {
        Ok(Outcome::Names(names)) => Ok(Some(names)),
        Ok(Outcome::Refused(reply)) if is_not_offered(reply.status) => {
            reply.drain().await;
            Ok(None)
        }
        Ok(Outcome::Refused(reply)) => Err(Error::from_reply(&action, *reply).await),
        // No answer was the last word, but a token that was granted without the scope.
        Err(error) if error.kind() == ErrorKind::Permission && error.status().is_none() => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_not_offered(status: StatusCode) -> bool {
    matches!(status.as_u16(), 404 | 405 | 501)
}

async fn collect(client: &Client, action: &str, path: String) -> Result<Outcome, Error> {
    let query = Query {
        target: Target::Path(path),
        accept: HeaderValue::from_static("application/json"),
        scope: Scope::catalog(),
        operation: None,
    };
    let mut pages = Pages::new(client, action, query, BOUNDS);
    let mut names = BTreeSet::new();
    loop {
        match pages.next().await? {
            Page::Document(document) => names.extend(parse(action, &document)?),
            Page::Refused(reply) => return Ok(Outcome::Refused(Box::new(reply))),
            Page::End => return Ok(Outcome::Names(names.into_iter().collect())),
        }
        if names.len() > MAX_REPOSITORIES {
            let message = format!("the registry has more than {MAX_REPOSITORIES} repositories");
            return Err(Error::new(ErrorKind::Policy, message).during(action));
        }
    }
}

fn parse(action: &str, document: &Document) -> Result<Vec<RepositoryName>, Error> {
    let list: Map<String, Value> = document
        .json("the list of repositories")
        .map_err(|error| error.during(action))?;
    match list.get("repositories") {
        Some(Value::Array(names)) => Ok(names.iter().filter_map(name).collect()),
        Some(Value::Null) => Ok(Vec::new()),
        _ => {
            let message = "the registry answers with something else than repositories";
            Err(Error::new(ErrorKind::Integrity, message).during(action))
        }
    }
}

/// Reads a name. What can't be one is none.
fn name(name: &Value) -> Option<RepositoryName> {
    name.as_str()?.parse().ok()
}
