//! Signing in at the registry itself.

use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use registry::{Credential, CredentialSource, Error, Secret, SignIn};

use crate::account::Account;
use crate::identity::{Identity, KEY_USER, TOKEN_USER, names_key};
use crate::place::Site;

/// The library renews tokens by itself and does not tell when they end: it is asked again this soon.
const LIFE: Duration = Duration::from_secs(60);

#[async_trait]
impl CredentialSource for Account {
    async fn sign_in(&self) -> Result<SignIn, Error> {
        let identity = self.identity().await?;
        Ok(match &identity {
            Identity::Nobody(why) => SignIn {
                origin: why.clone(),
                ..SignIn::anonymous()
            },
            Identity::Token { shown, origin, .. } => SignIn {
                credential: shown.clone(),
                origin: origin.clone(),
                expires: None,
            },
            // The library would sign a JWT; that the registry takes those is nowhere documented, that it takes the key is.
            Identity::Key(file) if self.may_show_key() => SignIn {
                credential: basic(KEY_USER, STANDARD.encode(file.text.expose())),
                origin: identity.member().to_string(),
                expires: None,
            },
            Identity::Key(_) | Identity::Google { .. } => {
                let token = self.token_of(&identity).await?;
                SignIn {
                    credential: basic(TOKEN_USER, token.expose()),
                    origin: identity.member().to_string(),
                    expires: Some(Timestamp::now() + LIFE),
                }
            }
        })
    }
}

impl Account {
    /// Says whether the registry may see a service account's key, which has no end: where it is Google's, where nobody else sees it,
    /// and where `auth` names the key.
    fn may_show_key(&self) -> bool {
        let setup = self.setup();
        Site::of(&setup.host) != Site::Other || setup.host.is_loopback() || names_key(&setup.auth)
    }
}

fn basic(username: &str, password: impl Into<String>) -> Credential {
    Credential::Basic {
        username: username.to_owned(),
        password: Secret::new(password),
    }
}
