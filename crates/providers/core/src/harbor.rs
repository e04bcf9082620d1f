//! Harbor: its artifacts, which know their tags, what is attached to them, and which tags can't be moved.

mod api;
mod artifact;
mod found;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use oci::{Digest, RepositoryName, Tag};
use planner::Standing;
use registry::{CredentialSource, Error, ErrorKind, Operation, Registry, Rest};
use serde_json::Value;
use url::Url;

use self::api::{Api, Asked};
use self::found::Found;
use crate::hub::writes;
use crate::{Advice, Ensured, GenericProvider, Importing, Lister, Listing, Profile, Provider};

/// How many attached manifests are asked for what is attached to them in turn. Beyond, the protocol's listing costs no more.
const MAX_ASKED: usize = 100;

/// A Harbor.
///
/// The first push makes a repository; the project, the first segment of its name, is made by somebody else.
#[derive(Debug)]
pub struct HarborProvider {
    generic: GenericProvider,
    profile: Profile,
    api: Api,
    registry: Arc<dyn Registry>,
}

impl HarborProvider {
    /// Makes the provider of the Harbor at `address`, its scheme and host. `registry` is its registry.
    #[must_use]
    pub fn new(
        name: impl Into<String>,
        credentials: Arc<dyn CredentialSource>,
        profile: Profile,
        rest: Rest,
        address: Url,
        registry: Arc<dyn Registry>,
    ) -> Self {
        Self {
            generic: GenericProvider::of(name, Arc::clone(&credentials), profile.clone()),
            profile,
            api: Api::new(rest, address, credentials),
            registry,
        }
    }

    /// Reads all artifacts of a repository, then asks those that are attached to something one by one: a listing shows
    /// neither their tags nor what is attached to them.
    async fn found(&self, place: &Place<'_>) -> Result<Asked<Found>, Error> {
        let mut found = Found::default();
        if let Some(why) = self.api.artifacts(place, &mut found).await? {
            return Ok(Asked::Refused(why));
        }
        for _ in 0..MAX_ASKED {
            let Some(digest) = found.next_unasked() else { break };
            match self.api.artifact(place, &digest).await? {
                Asked::Answer(artifact) => found.add(&artifact),
                Asked::Refused(why) => return Ok(Asked::Refused(why)),
            }
        }
        Ok(Asked::Answer(found))
    }

    fn absent(&self, project: &str) -> Error {
        let message = format!("project {project} of {self} does not exist, or is not shown to us");
        Error::new(ErrorKind::NotFound, message).with_hint(format!(
            "create the project {project} in Harbor, or make whoever signs in a member of it"
        ))
    }
}

/// A repository as Harbor's API names it.
#[derive(Clone, Copy, Debug)]
struct Place<'a> {
    project: &'a str,
    /// What comes after the project.
    name: &'a str,
}

impl<'a> Place<'a> {
    fn of(repository: &'a RepositoryName) -> Option<Self> {
        let (project, name) = repository.as_str().split_once('/')?;
        Some(Self { project, name })
    }
}

/// The project that a repository, or a whole project, is in.
fn project(repository: &RepositoryName) -> &str {
    let name = repository.as_str();
    name.split_once('/').map_or(name, |(project, _)| project)
}

impl fmt::Display for HarborProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.generic, f)
    }
}

#[async_trait]
impl Lister for HarborProvider {
    async fn inventory(&self, repository: &RepositoryName) -> Result<Listing, Error> {
        let Some(place) = Place::of(repository) else {
            let why = format!("{repository} is no PROJECT/NAME");
            return Ok(Listing::Unavailable(Some(why)));
        };
        // The names come first and from the registry: artifacts that are attached to something are not listed, nor are
        // their tags, and a repository that does not exist has an empty listing.
        let Some(names) = self.registry.reader(repository).tags().await? else {
            return Ok(Listing::Absent);
        };
        Ok(match self.found(&place).await? {
            Asked::Answer(found) => found.into_listing(&names),
            Asked::Refused(why) => Listing::Unavailable(Some(why)),
        })
    }

    async fn repositories(&self) -> Result<Option<Vec<RepositoryName>>, Error> {
        self.api.repositories().await.map(Some)
    }

    /// Describes the project that a repository is in.
    async fn find_repository(
        &self,
        repository: &RepositoryName,
        _settings: Option<&Value>,
    ) -> Result<Option<Standing>, Error> {
        let name = project(repository);
        match self.api.project(name).await {
            Ok(Some(project)) => Ok(Some(Standing {
                refuses: project
                    .is_proxy_cache()
                    .then(|| "its project is a proxy cache, which takes no push".to_owned()),
                ..Standing::default()
            })),
            // Harbor makes projects by no push, and nor do we.
            Ok(None) => Err(self.absent(name)),
            // Whoever may push need not be allowed to look at the project: the push will tell.
            Err(error) if error.kind() == ErrorKind::Permission => Ok(Some(Standing::default())),
            Err(error) => Err(error),
        }
    }

    async fn blobs(
        &self,
        repository: &RepositoryName,
        blobs: &[Digest],
    ) -> Result<Option<BTreeSet<Digest>>, Error> {
        self.generic.blobs(repository, blobs).await
    }
}

#[async_trait]
impl Provider for HarborProvider {
    fn profile(&self) -> &Profile {
        &self.profile
    }

    fn credentials(&self) -> Arc<dyn CredentialSource> {
        self.generic.credentials()
    }

    fn advise(&self, operation: Operation, repository: &RepositoryName, error: &Error) -> Option<Advice> {
        if !matches!(error.kind(), ErrorKind::Auth | ErrorKind::Permission) {
            return None;
        }
        let project = project(repository);
        let (action, role) = if writes(operation) {
            ("Push Repository", "Developer")
        } else {
            ("Pull Repository", "Guest")
        };
        Some(Advice {
            identity: self.api.identity(),
            action: format!("\"{action}\" in project {project}"),
            grant: format!(
                "give the robot account that permission for project {project}, or the user the role {role} there; \
                 Harbor says the same where the project does not exist"
            ),
        })
    }

    /// Makes sure that the project of a repository exists: the first push makes the rest.
    async fn ensure_repository(
        &self,
        repository: &RepositoryName,
        _settings: Option<&Value>,
    ) -> Result<Ensured, Error> {
        let project = project(repository);
        match self.api.project(project).await? {
            Some(_) => Ok(Ensured::Existed),
            None => Err(self.absent(project)),
        }
    }

    async fn update_repository(
        &self,
        repository: &RepositoryName,
        settings: Option<&Value>,
    ) -> Result<(), Error> {
        self.generic.update_repository(repository, settings).await
    }

    async fn import(&self, import: &Importing) -> Result<(), Error> {
        self.generic.import(import).await
    }

    async fn seal(
        &self,
        repository: &RepositoryName,
        tag: &Tag,
        settings: Option<&Value>,
    ) -> Result<(), Error> {
        self.generic.seal(repository, tag, settings).await
    }
}
