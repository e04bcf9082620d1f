//! Azure Container Registry as a provider.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use http::StatusCode;
use jiff::Timestamp;
use oci::{Digest, RepositoryName, Tag};
use planner::Standing;
use provider::{Advice, Ensured, Importing, Lister, Listing, Profile, Provider, Setup};
use registry::{CredentialSource, Error, ErrorKind, Operation, SignIn};
use serde_json::Value;

use crate::advise::Adviser;
use crate::catalogue::Found;
use crate::data_plane::DataPlane;
use crate::identity::{Chain, Sources};
use crate::management::Management;
use crate::permission::Permission;
use crate::places::Places;
use crate::session::Session;

/// The variable that names another Entra ID.
const AUTHORITY: &str = "AZURE_AUTHORITY_HOST";

/// One Azure container registry.
#[derive(Debug)]
pub struct AcrProvider {
    name: String,
    profile: Profile,
    session: Arc<Session>,
    plane: DataPlane,
    management: Management,
}

impl AcrProvider {
    /// Makes the provider of one registry. Nothing is sent yet.
    ///
    /// # Errors
    /// An `auth` that says too little, and addresses that are none.
    pub fn new(setup: Setup) -> Result<Self, Error> {
        let authority = (setup.environment)(AUTHORITY).filter(|authority| !authority.is_empty());
        let places = Places::new(&setup.host, setup.plain_http, &setup.auth, authority)?;
        let sources = Sources {
            tenant: setup.auth.tenant_id.clone(),
            authority: places.authority.clone(),
            environment: setup.environment,
            secrets: setup.secrets,
            transport: Arc::clone(&setup.transport),
        };
        let chain = Chain::new(&setup.host, &setup.auth, sources)?;
        let session = Arc::new(Session::new(places, setup.transport, chain, Timestamp::now));
        Ok(Self {
            name: setup.name,
            profile: setup.profile,
            plane: DataPlane::new(Arc::clone(&session)),
            management: Management::new(Arc::clone(&session), setup.resource_id),
            session,
        })
    }

    /// Calls back with what is known of who is refused.
    fn adviser<T>(&self, advise: impl FnOnce(&Adviser<'_>) -> T) -> T {
        let signed = self.session.last();
        let id = self.management.id();
        advise(&Adviser {
            host: &self.session.places.host,
            identity: signed.as_ref().and_then(|signed| signed.identity.as_ref()),
            mode: self.management.known().map(|resource| resource.mode()),
            resource_id: id.as_deref(),
        })
    }

    fn advised(&self, permission: Permission, error: Error) -> Error {
        self.adviser(|adviser| adviser.on(permission, error))
    }

    /// Takes a refusal of a permission for a listing that is not to be had; anything else stays an error.
    fn unavailable(&self, permission: Permission, error: Error) -> Result<String, Error> {
        let refused = matches!(
            error.status(),
            Some(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
        );
        let error = self.advised(permission, error);
        if !refused {
            return Err(error);
        }
        Ok(match error.hint() {
            Some(hint) => format!("{}; {hint}", error.message()),
            None => error.message().to_owned(),
        })
    }

    /// Describes the registry's resource, where the configuration names it, and says why nothing can be pushed there.
    async fn refusal(&self) -> Result<Option<String>, Error> {
        if !self.management.is_configured() {
            return Ok(None);
        }
        match self.management.resource().await {
            Ok(resource) => Ok(resource.refuses()),
            Err(error) => Err(self.advised(Permission::Describe, error)),
        }
    }
}

impl fmt::Display for AcrProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// Signs in at the registry, each time anew: it is asked where what it gave before has ended or was refused.
#[derive(Debug)]
struct Credentials(Arc<Session>);

#[async_trait]
impl CredentialSource for Credentials {
    async fn sign_in(&self) -> Result<SignIn, Error> {
        self.0.hand_out().await
    }
}

#[async_trait]
impl Lister for AcrProvider {
    async fn inventory(&self, repository: &RepositoryName) -> Result<Listing, Error> {
        let found = self.plane.inventory(repository).await;
        let refused = match found {
            Ok(Found::Here(inventory)) => return Ok(Listing::Inventory(inventory)),
            Ok(Found::Absent) => return Ok(Listing::Absent),
            Ok(Found::Nobody) => return Ok(Listing::Unavailable(None)),
            Ok(Found::Refused(error)) | Err(error) => error,
        };
        self.unavailable(Permission::Metadata, refused)
            .map(|reason| Listing::Unavailable(Some(reason)))
    }

    async fn repositories(&self) -> Result<Option<Vec<RepositoryName>>, Error> {
        match self.plane.repositories().await {
            Ok(Found::Here(names)) => Ok(Some(names)),
            Ok(Found::Nobody | Found::Absent) => Ok(None),
            Ok(Found::Refused(error)) | Err(error) => Err(self.advised(Permission::Catalogue, error)),
        }
    }

    async fn find_repository(
        &self,
        repository: &RepositoryName,
        _settings: Option<&Value>,
    ) -> Result<Option<Standing>, Error> {
        let refuses = self.refusal().await?;
        let found = match self.plane.is_writable(repository).await {
            // Who may push need not be able to look; the first push makes what does not exist.
            Ok(Found::Refused(error)) | Err(error) => self
                .unavailable(Permission::Metadata, error)
                .map(|_| Found::Nobody)?,
            Ok(found) => found,
        };
        let locked = || {
            let advice = self.adviser(|adviser| adviser.locked(repository));
            format!("the repository is locked: {}", advice.grant)
        };
        let refuses = match found {
            Found::Here(true) => refuses,
            Found::Here(false) => refuses.or_else(|| Some(locked())),
            Found::Absent | Found::Nobody | Found::Refused(_) if refuses.is_none() => return Ok(None),
            Found::Absent | Found::Nobody | Found::Refused(_) => refuses,
        };
        Ok(Some(Standing {
            refuses,
            ..Standing::default()
        }))
    }

    async fn blobs(
        &self,
        _repository: &RepositoryName,
        _blobs: &[Digest],
    ) -> Result<Option<BTreeSet<Digest>>, Error> {
        Ok(None)
    }
}

#[async_trait]
impl Provider for AcrProvider {
    fn profile(&self) -> &Profile {
        &self.profile
    }

    fn credentials(&self) -> Arc<dyn CredentialSource> {
        Arc::new(Credentials(Arc::clone(&self.session)))
    }

    fn advise(&self, operation: Operation, repository: &RepositoryName, error: &Error) -> Option<Advice> {
        let mut advice = self.adviser(|adviser| adviser.operation(operation, repository, error))?;
        if error.kind() != ErrorKind::Immutable {
            let resource = self.management.known();
            for reservation in resource.iter().flat_map(|resource| resource.reservations()) {
                advice.grant = format!("{}; note that {reservation}", advice.grant);
            }
        }
        Some(advice)
    }

    async fn ensure_repository(
        &self,
        _repository: &RepositoryName,
        _settings: Option<&Value>,
    ) -> Result<Ensured, Error> {
        // The first push makes it.
        Ok(Ensured::Existed)
    }

    async fn update_repository(
        &self,
        _repository: &RepositoryName,
        _settings: Option<&Value>,
    ) -> Result<(), Error> {
        // Repositories have no settings that could differ.
        Ok(())
    }

    async fn import(&self, import: &Importing) -> Result<(), Error> {
        let done = self.management.import(import).await;
        done.map_err(|error| match error.status() {
            Some(_) => self.advised(Permission::Import, error),
            // It is the source that refused, and no role here helps.
            None => error,
        })
    }

    async fn seal(
        &self,
        repository: &RepositoryName,
        tag: &Tag,
        settings: Option<&Value>,
    ) -> Result<(), Error> {
        let wanted = settings.and_then(|settings| settings.get("lock_after_push"));
        if wanted.and_then(Value::as_bool) != Some(true) {
            return Ok(());
        }
        let locked = self.plane.lock(repository, tag).await;
        locked.map_err(|error| self.advised(Permission::Lock, error))
    }
}
