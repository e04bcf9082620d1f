//! A token.

use std::fmt;

use async_trait::async_trait;

use super::fixed::{self, SecretSource};
use crate::{Credential, CredentialSource, Error, SignIn};

/// A bearer token that is read each time and sent as it is.
#[derive(Clone)]
pub struct TokenSource {
    origin: String,
    token: SecretSource,
}

impl TokenSource {
    /// Makes a source; `origin` names it in errors.
    #[must_use]
    pub fn new(origin: impl Into<String>, token: SecretSource) -> Self {
        Self {
            origin: origin.into(),
            token,
        }
    }
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSource")
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl CredentialSource for TokenSource {
    async fn sign_in(&self) -> Result<SignIn, Error> {
        Ok(SignIn {
            credential: Credential::Bearer(fixed::read(&self.origin, &self.token)?),
            origin: self.origin.clone(),
            expires: None,
        })
    }
}
