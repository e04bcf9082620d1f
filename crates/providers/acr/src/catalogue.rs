//! What stands at a registry: repositories, tags, manifests.

use std::collections::{BTreeMap, BTreeSet};

use http::StatusCode;
use oci::{Digest, MediaType, RepositoryName, Tag};
use planner::{Inventory, Listed as ListedManifest};
use registry::{Error, RestReply, RestRequest};
use serde::Deserialize;

use crate::data_plane::{DataPlane, Scope};
use crate::pages::{self, Listed, Pages};

/// What a question about a registry's contents came to.
pub(crate) enum Found<T> {
    /// This.
    Here(T),
    /// Nothing: it does not exist.
    Absent,
    /// The registry says no.
    Refused(Error),
    /// Nobody is signed in.
    Nobody,
}

/// What may be done with a tag or a repository.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Attributes {
    write_enabled: bool,
}

#[derive(Deserialize)]
struct TagPage {
    #[serde(default)]
    tags: Option<Vec<TagEntry>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TagEntry {
    name: String,
    digest: Digest,
    #[serde(default)]
    changeable_attributes: Attributes,
}

#[derive(Deserialize)]
struct ManifestPage {
    #[serde(default)]
    manifests: Option<Vec<ManifestEntry>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ManifestEntry {
    digest: Digest,
    #[serde(default)]
    media_type: Option<MediaType>,
}

#[derive(Deserialize)]
struct CatalogPage {
    #[serde(default)]
    repositories: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Repository {
    #[serde(default)]
    changeable_attributes: Attributes,
}

impl Default for Attributes {
    fn default() -> Self {
        Self { write_enabled: true }
    }
}

impl Listed for TagPage {
    fn length(&self) -> usize {
        self.tags.as_ref().map_or(0, Vec::len)
    }

    fn last(&self) -> Option<String> {
        Some(self.tags.as_ref()?.last()?.name.clone())
    }
}

impl Listed for ManifestPage {
    fn length(&self) -> usize {
        self.manifests.as_ref().map_or(0, Vec::len)
    }

    fn last(&self) -> Option<String> {
        Some(self.manifests.as_ref()?.last()?.digest.to_string())
    }
}

impl Listed for CatalogPage {
    fn length(&self) -> usize {
        self.repositories.as_ref().map_or(0, Vec::len)
    }

    fn last(&self) -> Option<String> {
        self.repositories.as_ref()?.last().cloned()
    }
}

impl DataPlane {
    /// Lists a repository whole: its tags with their locks, and every manifest, tagged or not.
    ///
    /// <https://learn.microsoft.com/rest/api/containerregistry/tag/get-list>,
    /// <https://learn.microsoft.com/rest/api/containerregistry/manifests/get-list>
    ///
    /// # Errors
    /// No token, no answer, and a malformed one.
    pub(crate) async fn inventory(&self, repository: &RepositoryName) -> Result<Found<Inventory>, Error> {
        let scope = Scope::Read(repository);
        let action = format!("list {}/{repository}", self.session.places.host);
        let (tags, manifests) = tokio::try_join!(
            pages::read::<TagPage>(self, self.url(&format!("{repository}/_tags"))?, scope, &action),
            pages::read::<ManifestPage>(
                self,
                self.url(&format!("{repository}/_manifests"))?,
                scope,
                &action
            ),
        )?;
        Ok(match (tags, manifests) {
            (Pages::All(tags), Pages::All(manifests)) => Found::Here(collected(tags, manifests)),
            (Pages::Refused(reply), _) | (_, Pages::Refused(reply)) => refused(&reply, &action),
            (Pages::Nobody, _) | (_, Pages::Nobody) => Found::Nobody,
        })
    }

    /// Lists the names of all repositories.
    ///
    /// <https://learn.microsoft.com/rest/api/containerregistry/repository/get-list>
    ///
    /// # Errors
    /// As [`DataPlane::inventory`].
    pub(crate) async fn repositories(&self) -> Result<Found<Vec<RepositoryName>>, Error> {
        let action = format!("list the repositories of {}", self.session.places.host);
        let first = self.url("_catalog")?;
        let pages = pages::read::<CatalogPage>(self, first, Scope::Catalogue, &action).await?;
        Ok(match pages {
            Pages::All(pages) => {
                let names = pages.into_iter().filter_map(|page| page.repositories).flatten();
                Found::Here(names.filter_map(|name| name.parse().ok()).collect())
            }
            Pages::Refused(reply) => refused(&reply, &action),
            Pages::Nobody => Found::Nobody,
        })
    }

    /// Tells whether a repository stands, and whether it is open for writing.
    ///
    /// <https://learn.microsoft.com/rest/api/containerregistry/repository/get-attributes>
    ///
    /// # Errors
    /// As [`DataPlane::inventory`].
    pub(crate) async fn is_writable(&self, repository: &RepositoryName) -> Result<Found<bool>, Error> {
        let action = format!("describe {}/{repository}", self.session.places.host);
        let request = RestRequest::get(self.url(repository.as_str())?);
        let Some(reply) = self.send(&request, Scope::Read(repository)).await? else {
            return Ok(Found::Nobody);
        };
        if !reply.status.is_success() {
            return Ok(refused(&reply, &action));
        }
        let repository: Repository = reply.json("the repository")?;
        Ok(Found::Here(repository.changeable_attributes.write_enabled))
    }
}

fn refused<T>(reply: &RestReply, action: &str) -> Found<T> {
    match reply.status {
        StatusCode::NOT_FOUND => Found::Absent,
        _ => Found::Refused(reply.refusal(action)),
    }
}

fn collected(tags: Vec<TagPage>, manifests: Vec<ManifestPage>) -> Inventory {
    let (mut named, mut locked) = (BTreeMap::new(), BTreeSet::new());
    for entry in tags.into_iter().filter_map(|page| page.tags).flatten() {
        // What can't be a tag is none.
        let Ok(tag) = entry.name.parse::<Tag>() else {
            continue;
        };
        if !entry.changeable_attributes.write_enabled {
            locked.insert(tag.clone());
        }
        named.insert(tag, entry.digest);
    }
    let mut standing: BTreeMap<Digest, ListedManifest> = manifests
        .into_iter()
        .filter_map(|page| page.manifests)
        .flatten()
        .map(|entry| {
            let media_type = entry.media_type;
            (
                entry.digest,
                ListedManifest {
                    media_type,
                    ..ListedManifest::default()
                },
            )
        })
        .collect();
    // A tag that was put between the two listings stands at a manifest that only the one knows.
    for digest in named.values() {
        standing.entry(digest.clone()).or_default();
    }
    Inventory::whole(named, standing).with_locked(locked)
}
