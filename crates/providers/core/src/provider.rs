//! The trait that every provider implements.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use oci::{Descriptor, RepositoryName, Tag};
use planner::Capabilities;
use registry::{CredentialSource, Error};

/// What one vendor adds to the protocol. Its `Display` is its name, for errors and listings.
#[async_trait]
pub trait Provider: fmt::Display + fmt::Debug + Send + Sync {
    /// Returns what the registry can do.
    fn capabilities(&self) -> Capabilities;

    /// Returns who signs in.
    fn credentials(&self) -> Arc<dyn CredentialSource>;

    /// Makes sure that a repository exists, made with `settings` where it has to be made.
    ///
    /// # Errors
    /// A refusal of the vendor's API, and a registry whose repositories no call of this provider makes.
    async fn ensure_repository(
        &self,
        repository: &RepositoryName,
        settings: Option<&serde_json::Value>,
    ) -> Result<Ensured, Error>;

    /// Lists a whole repository in few requests; `None` where the vendor has no such listing.
    ///
    /// # Errors
    /// A refusal of the vendor's API.
    async fn inventory(&self, repository: &RepositoryName) -> Result<Option<Inventory>, Error>;
}

/// How a repository came to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ensured {
    /// It was made.
    Created,
    /// It stood there already; its settings were left alone.
    Existed,
}

/// What stands in a repository, as the vendor lists it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    /// Every tag and the manifest it stands at.
    pub tags: BTreeMap<Tag, Descriptor>,
}
