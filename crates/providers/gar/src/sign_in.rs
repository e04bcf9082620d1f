//! Signing in at the registry itself.

use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use registry::{Credential, CredentialSource, Error, Secret, SignIn};
use tokio::time::Instant;

use crate::account::Account;
use crate::identity::{Identity, KEY_USER, TOKEN_USER, names_key};
use crate::place::Site;

/// The library renews tokens by itself and does not tell when they end: it is asked again this soon.
const LIFE: Duration = Duration::from_secs(60);

/// Who holds a token asks for the next at nine tenths of its life. Who asks sooner was refused with it.
const SOON: Duration = Duration::from_secs(53);

/// The token that the registry was shown last.
pub(crate) struct Handed {
    token: Secret,
    at: Instant,
}

#[async_trait]
impl CredentialSource for Account {
    async fn sign_in(&self) -> Result<SignIn, Error> {
        self.forget_refused().await;
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
                self.note(&token);
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
    /// Forgets the token that was handed out last, where the next is asked for too soon. Who asks at the same time forgets the same
    /// one, so that all share what comes then.
    async fn forget_refused(&self) {
        let refused = self
            .handed()
            .as_ref()
            .filter(|handed| handed.at.elapsed() < SOON)
            .map(|handed| handed.token.clone());
        if let Some(refused) = refused {
            self.forget(&refused).await;
        }
    }

    fn note(&self, token: &Secret) {
        *self.handed() = Some(Handed {
            token: token.clone(),
            at: Instant::now(),
        });
    }

    fn handed(&self) -> MutexGuard<'_, Option<Handed>> {
        self.handed.lock().unwrap_or_else(PoisonError::into_inner)
    }

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
