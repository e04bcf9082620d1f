//! The account that Google's library signs in with.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use google_cloud_auth::credentials::AccessTokenCredentials;
use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
use provider::Setup;
use registry::{Error, ErrorKind, Secret};
use tokio::time::{sleep, timeout};

use crate::identity::{Identity, names_stranger};
use crate::library;
use crate::member::Member;
use crate::metadata::Metadata;
use crate::sign_in::Handed;
use crate::trouble::{self, nobody};

/// The variable by which gcloud, too, is told another address of the IAM Credentials API.
///
/// <https://docs.cloud.google.com/sdk/docs/properties>
const IAM: &str = "CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS";

/// The variable, and the field of a file, that name the project which requests are counted for.
const QUOTA: (&str, &str) = ("GOOGLE_CLOUD_QUOTA_PROJECT", "quota_project_id");

/// The library has no limit of its own. An identity may be the output of a program that asks elsewhere.
const LIMIT: Duration = Duration::from_secs(60);

/// How often a token is asked for where it may come yet, and how long after the first failure it is asked again.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(500);

/// Whoever signs in. The library's credentials are made at the first need, inside the runtime that they need.
pub(crate) struct Account {
    setup: Setup,
    metadata: Metadata,
    built: tokio::sync::Mutex<Option<Built>>,
    member: Mutex<Option<Member>>,
    pub(crate) handed: Mutex<Option<Handed>>,
}

struct Built {
    identity: Identity,
    credentials: AccessTokenCredentials,
    /// What they gave last.
    token: Secret,
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("setup", &self.setup)
            .finish_non_exhaustive()
    }
}

impl Account {
    pub(crate) fn new(setup: Setup) -> Self {
        Self {
            setup,
            metadata: Metadata::default(),
            built: tokio::sync::Mutex::default(),
            member: Mutex::default(),
            handed: Mutex::default(),
        }
    }

    pub(crate) fn setup(&self) -> &Setup {
        &self.setup
    }

    fn iam(&self) -> Option<String> {
        (self.setup.environment)(IAM).filter(|url| !url.is_empty())
    }

    /// Finds who signs in. Files are read anew each time, so that a key that was changed is taken.
    ///
    /// # Errors
    /// An identity that is named and can't be used.
    pub(crate) async fn identity(&self) -> Result<Identity, Error> {
        let identity = Identity::find(&self.setup, &self.metadata).await?;
        *self.member.lock().unwrap_or_else(PoisonError::into_inner) = Some(identity.member());
        Ok(identity)
    }

    /// Forgets a token that was refused, so that the next is a new one; unless there is another already, however many were refused
    /// with the old one.
    pub(crate) async fn forget(&self, refused: &Secret) {
        let mut built = self.built.lock().await;
        if built.as_ref().is_some_and(|built| built.token == *refused) {
            *built = None;
        }
    }

    /// Returns who asks for images: whoever was found last, unless `auth` names somebody who is none of Google's.
    pub(crate) fn puller(&self) -> Option<Member> {
        if names_stranger(&self.setup.auth) {
            return Some(Member::stranger(&self.setup.name));
        }
        self.member()
    }

    /// Returns who was found last.
    pub(crate) fn member(&self) -> Option<Member> {
        self.member.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the headers that Google's API asks for, and the token among them.
    ///
    /// # Errors
    /// Nobody is signed in, or no token comes.
    pub(crate) async fn headers(&self) -> Result<(HeaderMap, Secret), Error> {
        let identity = self.identity().await?;
        let token = match &identity {
            Identity::Nobody(why) => return Err(nobody(why)),
            Identity::Token { token, .. } => token.clone(),
            Identity::Key(_) | Identity::Google { .. } => self.token_of(&identity).await?,
        };
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, bearer(&token)?);
        let quota = (self.setup.environment)(QUOTA.0)
            .or_else(|| Some(identity.file()?.text_of(QUOTA.1)?.to_owned()))
            .filter(|project| !project.is_empty());
        if let Some(project) = quota.and_then(|project| HeaderValue::try_from(project).ok()) {
            headers.insert("x-goog-user-project", project);
        }
        Ok((headers, token))
    }

    /// Returns an access token of `identity`. One is asked for at a time.
    ///
    /// # Errors
    /// No token, after a second set of credentials failed too.
    pub(crate) async fn token_of(&self, identity: &Identity) -> Result<Secret, Error> {
        let mut built = self.built.lock().await;
        if built
            .as_ref()
            .is_some_and(|built| !built.identity.is_same(identity))
        {
            *built = None;
        }
        let kept = built.is_some();
        let mut tries = 0;
        loop {
            tries += 1;
            let credentials = match &*built {
                Some(built) => built.credentials.clone(),
                None => library::build(identity, self.iam().as_deref())?,
            };
            match timeout(LIMIT, credentials.access_token()).await {
                Ok(Ok(token)) => {
                    let token = Secret::new(token.token);
                    *built = Some(Built {
                        identity: identity.clone(),
                        credentials,
                        token: token.clone(),
                    });
                    return Ok(token);
                }
                Ok(Err(error)) => {
                    // Credentials that failed for good never recover, and those that failed for now recover late.
                    *built = None;
                    let again = if error.is_transient() {
                        tries < TRIES
                    } else {
                        kept && tries == 1
                    };
                    if !again {
                        return Err(trouble::failed(identity, &error));
                    }
                    if error.is_transient() {
                        sleep(PAUSE * tries).await;
                    }
                }
                Err(_) => {
                    *built = None;
                    let message = format!("no token of {} within {} s", identity.member(), LIMIT.as_secs());
                    return Err(Error::new(ErrorKind::Network, message));
                }
            }
        }
    }
}

fn bearer(token: &Secret) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::try_from(format!("Bearer {}", token.expose()))
        .map_err(|_| Error::new(ErrorKind::Auth, "the token has characters that no header holds"))?;
    value.set_sensitive(true);
    Ok(value)
}
