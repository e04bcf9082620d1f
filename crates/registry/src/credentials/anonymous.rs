//! Nobody.

use async_trait::async_trait;

use crate::{CredentialSource, Error, SignIn};

/// Signs in as nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct Anonymous;

#[async_trait]
impl CredentialSource for Anonymous {
    async fn sign_in(&self) -> Result<SignIn, Error> {
        Ok(SignIn::anonymous())
    }
}
