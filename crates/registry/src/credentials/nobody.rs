//! Nobody, and why.

use async_trait::async_trait;

use crate::{Credential, CredentialSource, Error, SignIn};

/// Signs in as nobody, and tells why nobody else could.
#[derive(Clone, Debug)]
pub struct Nobody(String);

impl Nobody {
    /// Takes the reason, for the error of a registry that asks for somebody.
    pub fn because(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

#[async_trait]
impl CredentialSource for Nobody {
    async fn sign_in(&self) -> Result<SignIn, Error> {
        Ok(SignIn {
            credential: Credential::Anonymous,
            origin: self.0.clone(),
            expires: None,
        })
    }
}
