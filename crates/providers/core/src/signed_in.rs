//! A provider at whose registry somebody else may sign in first.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use oci::{Digest, RepositoryName, Tag};
use planner::Standing;
use registry::{CredentialSource, Error, Operation};
use serde_json::Value;

use crate::{Advice, Ensured, Importing, Lister, Listing, Profile, Provider};

/// A provider with other credentials for its registry than its own, which may be among them.
#[derive(Debug)]
pub struct SignedInProvider {
    provider: Arc<dyn Provider>,
    credentials: Arc<dyn CredentialSource>,
}

impl SignedInProvider {
    /// Lets `credentials` sign in at the registry of `provider`.
    #[must_use]
    pub fn new(provider: Arc<dyn Provider>, credentials: Arc<dyn CredentialSource>) -> Self {
        Self {
            provider,
            credentials,
        }
    }
}

impl fmt::Display for SignedInProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.provider.fmt(f)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Lister for SignedInProvider {
    async fn inventory(&self, repository: &RepositoryName) -> Result<Listing, Error> {
        self.provider.inventory(repository).await
    }

    async fn repositories(&self) -> Result<Option<Vec<RepositoryName>>, Error> {
        self.provider.repositories().await
    }

    async fn find_repository(
        &self,
        repository: &RepositoryName,
        settings: Option<&Value>,
    ) -> Result<Option<Standing>, Error> {
        self.provider.find_repository(repository, settings).await
    }

    fn blobs_at_once(&self) -> usize {
        self.provider.blobs_at_once()
    }

    async fn blobs(
        &self,
        repository: &RepositoryName,
        blobs: &[Digest],
    ) -> Result<Option<BTreeSet<Digest>>, Error> {
        self.provider.blobs(repository, blobs).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Provider for SignedInProvider {
    fn profile(&self) -> &Profile {
        self.provider.profile()
    }

    fn credentials(&self) -> Arc<dyn CredentialSource> {
        Arc::clone(&self.credentials)
    }

    fn advise(&self, operation: Operation, repository: &RepositoryName, error: &Error) -> Option<Advice> {
        self.provider.advise(operation, repository, error)
    }

    async fn ensure_repository(
        &self,
        repository: &RepositoryName,
        settings: Option<&Value>,
    ) -> Result<Ensured, Error> {
        self.provider.ensure_repository(repository, settings).await
    }

    async fn update_repository(
        &self,
        repository: &RepositoryName,
        settings: Option<&Value>,
    ) -> Result<(), Error> {
        self.provider.update_repository(repository, settings).await
    }

    async fn import(&self, import: &Importing) -> Result<(), Error> {
        self.provider.import(import).await
    }

    async fn seal(
        &self,
        repository: &RepositoryName,
        tag: &Tag,
        settings: Option<&Value>,
    ) -> Result<(), Error> {
        self.provider.seal(repository, tag, settings).await
    }
}
