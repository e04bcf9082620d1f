//! What both of Amazon's registries share: where they stand, whom they are asked as, and what became of it.

use std::sync::{OnceLock, PoisonError, RwLock};

use aws_config::SdkConfig;
use oci::{Host, RepositoryName};
use tokio::sync::OnceCell;

use crate::host::Address;
use crate::identity::{Found, Identity};

/// One registry, asked as one identity.
#[derive(Debug)]
pub(crate) struct Session {
    /// How the registry is called, for errors.
    pub(crate) name: String,
    pub(crate) host: Host,
    pub(crate) address: Address,
    pub(crate) identity: Identity,
    found: Found,
    config: OnceCell<SdkConfig>,
    /// The account that Amazon said the registry belongs to.
    account: OnceLock<String>,
    /// Who Amazon said that we are.
    caller: RwLock<Option<String>>,
}

impl Session {
    pub(crate) fn new(name: String, host: Host, address: Address, identity: Identity) -> Self {
        Self {
            name,
            host,
            address,
            identity,
            found: Found::default(),
            config: OnceCell::new(),
            account: OnceLock::new(),
            caller: RwLock::default(),
        }
    }

    /// Returns AWS's configuration, read once, however many ask for it at the same time.
    pub(crate) async fn config(&self) -> &SdkConfig {
        self.config
            .get_or_init(|| self.identity.load(&self.address, &self.found))
            .await
    }

    /// Says how the identity was found, and who it is.
    pub(crate) fn origin(&self) -> String {
        self.identity.origin(&self.found)
    }

    /// Returns who is asked as: as Amazon calls it, where it has said so, else how it was found.
    pub(crate) fn caller(&self) -> String {
        let caller = self.caller.read().unwrap_or_else(PoisonError::into_inner);
        caller.clone().unwrap_or_else(|| self.origin())
    }

    /// Keeps how Amazon calls us.
    pub(crate) fn is_called(&self, arn: &str) {
        *self.caller.write().unwrap_or_else(PoisonError::into_inner) = Some(arn.to_owned());
    }

    /// Keeps whose registry it is.
    pub(crate) fn belongs_to(&self, account: &str) {
        // Whoever was first has said the same.
        let _ = self.account.set(account.to_owned());
    }

    /// Returns whose registry it is, where that is known.
    pub(crate) fn account(&self) -> Option<&str> {
        let told = self.address.account.as_deref();
        told.or_else(|| self.account.get().map(String::as_str))
    }

    /// Returns the name of a repository as policies spell it.
    pub(crate) fn arn(&self, repository: &RepositoryName) -> String {
        self.address.repository_arn(self.account(), repository)
    }
}
