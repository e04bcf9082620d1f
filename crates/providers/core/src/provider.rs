//! The traits that every provider implements.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use oci::{Digest, Host, RepositoryName, Tag};
use planner::{Inventory, Standing};
use registry::{CredentialSource, Error, Operation, SignIn};
use serde_json::Value;

use crate::{Advice, Profile};

/// The power to ask a vendor's API. It changes nothing there.
#[async_trait]
pub trait Lister: fmt::Display + fmt::Debug + Send + Sync {
    /// Lists a whole repository in few requests.
    ///
    /// # Errors
    /// A refusal of the vendor's API.
    async fn inventory(&self, repository: &RepositoryName) -> Result<Listing, Error>;

    /// Lists the names of all repositories that the vendor's API tells of; `None` where it has no such listing.
    ///
    /// # Errors
    /// A refusal of the vendor's API.
    async fn repositories(&self) -> Result<Option<Vec<RepositoryName>>, Error>;

    /// Describes the repository that a call would create, measured by `settings`; `None` where it does not exist.
    ///
    /// `repository` is what the call creates: the first segments of a path, where the vendor's repositories are those.
    /// `settings` is the map under `create_repositories`, where there is one.
    ///
    /// # Errors
    /// A refusal of the vendor's API.
    async fn find_repository(
        &self,
        repository: &RepositoryName,
        settings: Option<&Value>,
    ) -> Result<Option<Standing>, Error>;

    /// Returns how many blobs [`Lister::blobs`] takes at once; one where the vendor has no such question.
    fn blobs_at_once(&self) -> usize {
        1
    }

    /// Says which of `blobs` stand in a repository, in few requests; `None` where the vendor has no such question.
    ///
    /// # Errors
    /// A refusal of the vendor's API.
    async fn blobs(
        &self,
        repository: &RepositoryName,
        blobs: &[Digest],
    ) -> Result<Option<BTreeSet<Digest>>, Error>;
}

/// What one vendor adds to the protocol. Its `Display` is the registry's name, for errors and listings.
#[async_trait]
pub trait Provider: Lister {
    /// Returns what the registry can do, and how it wants to be talked to.
    fn profile(&self) -> &Profile;

    /// Returns who signs in.
    fn credentials(&self) -> Arc<dyn CredentialSource>;

    /// Says what to grant where the registry refused `operation` in `repository` with `error`.
    fn advise(&self, operation: Operation, repository: &RepositoryName, error: &Error) -> Option<Advice>;

    /// Makes sure that a repository exists, made with `settings` where it has to be made.
    ///
    /// # Errors
    /// A refusal of the vendor's API, and a registry whose repositories no call of this provider makes.
    async fn ensure_repository(
        &self,
        repository: &RepositoryName,
        settings: Option<&Value>,
    ) -> Result<Ensured, Error>;

    /// Changes what [`Lister::find_repository`] found to differ and can be changed.
    ///
    /// # Errors
    /// A refusal of the vendor's API.
    async fn update_repository(
        &self,
        repository: &RepositoryName,
        settings: Option<&Value>,
    ) -> Result<(), Error>;

    /// Lets the registry fetch an image with everything it names, and waits until that is done.
    ///
    /// # Errors
    /// A refusal of the vendor's API, and a registry that imports nothing.
    async fn import(&self, import: &Importing) -> Result<(), Error>;

    /// Does what `settings` ask for after a tag was written, such as locking it.
    ///
    /// # Errors
    /// A refusal of the vendor's API.
    async fn seal(
        &self,
        repository: &RepositoryName,
        tag: &Tag,
        settings: Option<&Value>,
    ) -> Result<(), Error>;
}

/// What a vendor's listing told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listing {
    /// Everything.
    Inventory(Inventory),
    /// The repository does not exist.
    Absent,
    /// The vendor lists nothing, or not to us: the protocol's own listing is asked. The reason is for people.
    Unavailable(Option<String>),
}

/// An image to be fetched by the registry.
#[derive(Clone, Debug)]
pub struct Importing {
    /// The registry it stands at.
    pub host: Host,
    /// The repository it stands in.
    pub from: RepositoryName,
    /// The image.
    pub digest: Digest,
    /// The repository it goes to.
    pub to: RepositoryName,
    /// Who signs in at the source.
    pub sign_in: SignIn,
}

/// How a repository came to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ensured {
    /// It was made.
    Created,
    /// It stood there already; its settings were left alone.
    Existed,
}
