//! The provider.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use oci::{Digest, RepositoryName, Tag};
use planner::Standing;
use provider::{Advice, Ensured, Importing, Lister, Listing, Profile, Provider, Setup};
use registry::{CredentialSource, Error, ErrorKind, Operation};
use serde_json::Value;

use crate::account::Account;
use crate::api::Api;
use crate::creation::Creations;
use crate::inventory;
use crate::place::{Site, Unit};
use crate::rights::{self, Right};
use crate::settings::Settings;

/// Google Artifact Registry.
#[derive(Debug)]
pub struct GarProvider {
    name: String,
    profile: Profile,
    site: Site,
    location: Option<String>,
    account: Arc<Account>,
    api: Api,
    creations: Creations,
}

impl GarProvider {
    /// Makes the provider of a registry. Nothing is asked of anybody before the first need.
    ///
    /// # Errors
    /// An `auth.endpoint` that is no address, or would send credentials in the clear.
    pub fn new(setup: Setup) -> Result<Self, Error> {
        let site = Site::of(&setup.host);
        let mut profile = setup.profile.clone();
        let depth = &mut profile.capabilities.depth;
        // One class, two depths: what the class says of `pkg.dev` does not hold for `gcr.io`.
        if depth.is_none_or(|depth| depth == 2) {
            *depth = Some(site.depth());
        }
        let name = setup.name.clone();
        let account = Arc::new(Account::new(setup));
        let api = Api::new(Arc::clone(&account))?;
        Ok(Self {
            name,
            profile,
            site,
            location: None,
            account,
            api,
            creations: Creations::default(),
        })
    }

    /// Says where the repositories of a host are kept whose name does not tell: `create_repositories.location`.
    #[must_use]
    pub fn located(mut self, location: impl Into<String>) -> Self {
        self.location = Some(location.into());
        self
    }

    fn unit(&self, repository: &RepositoryName, settings: &Settings) -> Result<Unit, Error> {
        let told = settings.location.as_deref().or(self.location.as_deref());
        if let (Some(host), Some(told)) = (self.site.location(), told)
            && host != told
        {
            let message = format!(
                "{}: repositories of this host are in {host}, not in {told}",
                self.name
            );
            return Err(Error::new(ErrorKind::Other, message)
                .with_hint("leave out `create_repositories.location`, or name the other host"));
        }
        self.site.unit(repository, told).map(|(unit, _)| unit)
    }
}

impl fmt::Display for GarProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

#[async_trait]
impl Lister for GarProvider {
    async fn inventory(&self, repository: &RepositoryName) -> Result<Listing, Error> {
        let (unit, image) = match self.site.unit(repository, self.location.as_deref()) {
            Ok(found) => found,
            Err(error) => return Ok(unavailable(&error)),
        };
        match inventory::list(&self.api, &unit, image).await {
            // The registry itself may answer where its API does not.
            Err(error) if matches!(error.kind(), ErrorKind::Auth | ErrorKind::Permission) => {
                Ok(unavailable(&error))
            }
            listing => listing,
        }
    }

    /// The API lists the repositories of one project in one location; which projects a host has, nobody tells.
    async fn repositories(&self) -> Result<Option<Vec<RepositoryName>>, Error> {
        Ok(None)
    }

    async fn find_repository(
        &self,
        repository: &RepositoryName,
        settings: Option<&Value>,
    ) -> Result<Option<Standing>, Error> {
        let settings = Settings::read(settings)?;
        if self.site.cuts(repository) {
            // Of a domain's project the first segments name no repository: whether it stands, the push will tell.
            return Ok(Some(Standing::default()));
        }
        let unit = self.unit(repository, &settings)?;
        let found = self.api.repository(&unit).await?;
        Ok(found.map(|found| found.standing(&settings)))
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
impl Provider for GarProvider {
    fn profile(&self) -> &Profile {
        &self.profile
    }

    fn credentials(&self) -> Arc<dyn CredentialSource> {
        Arc::clone(&self.account) as Arc<dyn CredentialSource>
    }

    fn advise(&self, operation: Operation, repository: &RepositoryName, error: &Error) -> Option<Advice> {
        let unit = self.site.unit(repository, self.location.as_deref());
        let project = repository.as_str().split('/').next().unwrap_or_default();
        rights::advice(
            Right::of_operation(operation),
            unit.as_ref().map(|(unit, _)| unit).map_err(|_| project),
            self.account.puller().as_ref(),
            error,
        )
    }

    async fn ensure_repository(
        &self,
        repository: &RepositoryName,
        settings: Option<&Value>,
    ) -> Result<Ensured, Error> {
        let settings = Settings::read(settings)?;
        let unit = self.unit(repository, &settings)?;
        if self.api.repository(&unit).await?.is_some() {
            return Ok(Ensured::Existed);
        }
        self.creations
            .create(&self.api, &unit, &settings.repository())
            .await
    }

    async fn update_repository(
        &self,
        repository: &RepositoryName,
        settings: Option<&Value>,
    ) -> Result<(), Error> {
        let settings = Settings::read(settings)?;
        let unit = self.unit(repository, &settings)?;
        let Some(found) = self.api.repository(&unit).await? else {
            let message = format!("repository {} is not there any more", unit.name());
            return Err(Error::new(ErrorKind::NotFound, message).with_hint("plan again"));
        };
        match found.patch(&settings) {
            Some(patch) => self.api.update(&unit, patch).await,
            None => Ok(()),
        }
    }

    async fn import(&self, import: &Importing) -> Result<(), Error> {
        let message = format!(
            "{} imports nothing: {} of {}",
            self.name, import.from, import.host
        );
        Err(Error::new(ErrorKind::Other, message).with_hint("leave out `server_side_copy`"))
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

fn unavailable(error: &Error) -> Listing {
    let mut reason = error.message().to_owned();
    if let Some(hint) = error.hint() {
        reason.push_str("; ");
        reason.push_str(hint);
    }
    Listing::Unavailable(Some(reason))
}
