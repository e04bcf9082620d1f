//! Lists of tags and of repositories.

use oci::{RepositoryName, Tag};
use serde_json::json;

use crate::failure::{Code, Failure};
use crate::page::{Page, linked};
use crate::service::{self, Answer, Call, Service};

/// Lists a repository's tags.
///
/// <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-tags>
pub(crate) async fn list(service: &Service, call: &Call, repository: RepositoryName) -> Answer {
    let page = Page::of(call, service.options.page_size)?;
    let name = repository.clone();
    let tags = service.storage.call(move |store| store.tags(&repository)).await?;
    let unknown = || Failure::new(Code::NameUnknown, "the registry has no such repository");
    let cut = page.cut(tags.ok_or_else(unknown)?, Tag::to_string);
    let body = json!({ "name": name.as_str(), "tags": cut.entries });
    Ok(linked(
        service::json("application/json", &body),
        page.link(&cut, call, None),
    ))
}

/// Lists the repositories, as Docker's registry does; the specification leaves the path to it.
///
/// <https://distribution.github.io/distribution/spec/api/#listing-repositories>
pub(crate) async fn catalog(service: &Service, call: &Call) -> Answer {
    let page = Page::of(call, service.options.page_size)?;
    let repositories = service.storage.call(|store| store.repositories()).await?;
    let cut = page.cut(repositories, RepositoryName::to_string);
    let body = json!({ "repositories": cut.entries });
    Ok(linked(
        service::json("application/json", &body),
        page.link(&cut, call, None),
    ))
}
