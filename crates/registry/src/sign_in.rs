//! Who signs in.

use std::fmt;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::{Error, Secret};

/// What a registry is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// Nothing.
    Anonymous,
    /// A user name and a password.
    Basic {
        /// The user.
        username: String,
        /// The password.
        password: Secret,
    },
    /// A refresh token for the registry's token service: docker's `identitytoken`.
    IdentityToken(Secret),
    /// A token that is sent as it is.
    Bearer(Secret),
}

/// A credential and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignIn {
    /// The credential.
    pub credential: Credential,
    /// Where it came from, for errors: `auth of registry site`, a file's path, `anonymous`.
    pub origin: String,
    /// When it ends, where that is known: its source is asked again before.
    pub expires: Option<Timestamp>,
}

impl SignIn {
    /// Signs in as nobody.
    #[must_use]
    pub fn anonymous() -> Self {
        Self {
            credential: Credential::Anonymous,
            origin: "anonymous".to_owned(),
            expires: None,
        }
    }
}

/// Where a credential comes from.
#[async_trait]
pub trait CredentialSource: fmt::Debug + Send + Sync {
    /// Signs in: at the first need, and again after a refusal, when files and helpers are asked anew.
    ///
    /// # Errors
    /// A source that is there and can't be used. Nothing else is tried then.
    async fn sign_in(&self) -> Result<SignIn, Error>;
}
