//! The provider of Amazon's registries.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use oci::{Digest, RepositoryName, Tag};
use planner::Standing;
use provider::{Advice, Ensured, Importing, Lister, Listing, Profile, Provider, Setup};
use registry::{CredentialSource, Error, ErrorKind, Operation};
use serde_json::Value;

use crate::advice;
use crate::host::{Address, Service};
use crate::identity::Identity;
use crate::private::Private;
use crate::public::Public;
use crate::session::Session;
use crate::settings::Settings;
use crate::sign_in::{Answer, Password};

/// The API of one of Amazon's two registries.
#[derive(Debug)]
pub(crate) enum Api {
    Private(Private),
    Public(Public),
}

impl Api {
    pub(crate) fn session(&self) -> &Session {
        match self {
            Self::Private(private) => &private.session,
            Self::Public(public) => &public.session,
        }
    }

    pub(crate) async fn token(&self) -> Result<Answer, Error> {
        match self {
            Self::Private(private) => private.token().await,
            Self::Public(public) => public.token().await,
        }
    }
}

/// The provider of one registry of Amazon ECR, or of ECR Public.
#[derive(Debug)]
pub struct EcrProvider {
    api: Arc<Api>,
    profile: Profile,
}

impl EcrProvider {
    /// Makes the provider. AWS's configuration is read, and AWS asked, at the first need.
    ///
    /// # Errors
    /// A host that does not say its region, where the configuration does not either; an external id without a role.
    pub fn new(setup: Setup) -> Result<Self, Error> {
        let address = Address::of(&setup)?;
        let identity = Identity::of(&setup.auth, &setup.name)?;
        let service = address.service;
        let session = Arc::new(Session::new(setup.name, setup.host, address, identity));
        let api = match service {
            Service::Private => Api::Private(Private::new(session)),
            Service::Public => Api::Public(Public::new(session)),
        };
        Ok(Self {
            api: Arc::new(api),
            profile: setup.profile,
        })
    }

    fn settings(&self, settings: Option<&Value>) -> Result<Settings, Error> {
        Settings::read(settings, &self.api.session().name)
    }
}

impl fmt::Display for EcrProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.api.session().name)
    }
}

#[async_trait]
impl Lister for EcrProvider {
    async fn inventory(&self, repository: &RepositoryName) -> Result<Listing, Error> {
        match &*self.api {
            Api::Private(private) => private.inventory(repository).await,
            Api::Public(public) => public.inventory(repository).await,
        }
    }

    async fn repositories(&self) -> Result<Option<Vec<RepositoryName>>, Error> {
        match &*self.api {
            Api::Private(private) => private.repositories().await,
            Api::Public(public) => public.repositories().await,
        }
    }

    async fn find_repository(
        &self,
        repository: &RepositoryName,
        settings: Option<&Value>,
    ) -> Result<Option<Standing>, Error> {
        let settings = self.settings(settings)?;
        match &*self.api {
            Api::Private(private) => private.find_repository(repository, &settings).await,
            Api::Public(public) => public.find_repository(repository, &settings).await,
        }
    }

    async fn blobs(
        &self,
        repository: &RepositoryName,
        blobs: &[Digest],
    ) -> Result<Option<BTreeSet<Digest>>, Error> {
        match &*self.api {
            Api::Private(private) => private.blobs(repository, blobs).await,
            Api::Public(public) => public.blobs(repository, blobs).await,
        }
    }
}

#[async_trait]
impl Provider for EcrProvider {
    fn profile(&self) -> &Profile {
        &self.profile
    }

    fn credentials(&self) -> Arc<dyn CredentialSource> {
        Arc::new(Password(Arc::clone(&self.api)))
    }

    fn advise(&self, operation: Operation, repository: &RepositoryName, error: &Error) -> Option<Advice> {
        (error.kind() == ErrorKind::Permission)
            .then(|| advice::on_operation(self.api.session(), operation, repository, error.message()))
    }

    async fn ensure_repository(
        &self,
        repository: &RepositoryName,
        settings: Option<&Value>,
    ) -> Result<Ensured, Error> {
        let settings = self.settings(settings)?;
        match &*self.api {
            Api::Private(private) => private.ensure_repository(repository, &settings).await,
            Api::Public(public) => public.ensure_repository(repository, &settings).await,
        }
    }

    async fn update_repository(
        &self,
        repository: &RepositoryName,
        settings: Option<&Value>,
    ) -> Result<(), Error> {
        let settings = self.settings(settings)?;
        match &*self.api {
            Api::Private(private) => private.update_repository(repository, &settings).await,
            Api::Public(public) => public.update_repository(repository, &settings).await,
        }
    }

    async fn import(&self, import: &Importing) -> Result<(), Error> {
        let name = &self.api.session().name;
        let message = format!(
            "registry {name} fetches no images itself, {} among them",
            import.digest
        );
        Err(Error::new(ErrorKind::Other, message)
            .with_hint(format!("remove `server_side_copy` from registry {name}")))
    }

    async fn seal(
        &self,
        _repository: &RepositoryName,
        _tag: &Tag,
        _settings: Option<&Value>,
    ) -> Result<(), Error> {
        Ok(())
    }
}
