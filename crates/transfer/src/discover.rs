//! Finding the repositories that a specification asks for by globs.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use oci::RepositoryName;
use planner::config::Listings;
use planner::{Problem, ProblemKind, RegistryName, Side, Spec};

use crate::Reader;
use crate::fault::Fault;

/// Lists the repositories of every registry that `spec` looks for some in, and turns them into sources.
///
/// A registry that can't be listed becomes a problem of the mirrors that look there.
pub async fn discover(spec: &Spec, reader: &Reader) -> Spec {
    let registries: BTreeSet<&RegistryName> = spec.discovers();
    let listings = registries.into_iter().map(|registry| async move {
        let listing = list(reader, registry).await;
        (registry.clone(), listing)
    });
    let listings: Listings = join_all(listings).await.into_iter().collect();
    spec.discovered(&listings)
}

async fn list(reader: &Reader, registry: &RegistryName) -> Result<Vec<RepositoryName>, Problem> {
    match reader.repositories(registry).await {
        Ok(Some(repositories)) => Ok(repositories),
        Ok(None) => {
            let error = "it does not list its repositories".to_owned();
            let hint = "name the repositories one by one".to_owned();
            Err(Problem {
                hint: Some(hint),
                ..problem(registry, ProblemKind::Other, error)
            })
        }
        Err(error) => {
            let fault = Fault::of_registry(&error);
            Err(Problem {
                hint: error.hint().map(str::to_owned),
                ..problem(registry, fault.0, fault.1)
            })
        }
    }
}

fn problem(registry: &RegistryName, kind: ProblemKind, error: String) -> Problem {
    Problem {
        registry: registry.clone(),
        repository: None,
        tag: None,
        side: Side::Source,
        kind,
        error,
        hint: None,
        tags: 0,
    }
}
