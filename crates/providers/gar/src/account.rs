//! The account that Google's library signs in with.

use std::error::Error as _;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use google_cloud_auth::build_errors::Error as BuilderError;
use google_cloud_auth::credentials::{
    AccessTokenCredentials, external_account, impersonated, mds, service_account, user_account,
};
use google_cloud_auth::errors::CredentialsError;
use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
use provider::Setup;
use registry::{Error, ErrorKind, Secret};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::adc::{FORMS, KeyFile};
use crate::identity::{Identity, Source};
use crate::member::Member;
use crate::metadata::Metadata;

/// The only scope with which the API writes.
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

/// The variable by which gcloud, too, is told another address of the IAM Credentials API.
///
/// <https://docs.cloud.google.com/sdk/docs/properties>
const IAM: &str = "CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS";

const DEFAULT_IAM: &str = "https://iamcredentials.googleapis.com";

/// The variable, and the field of a file, that name the project which requests are counted for.
const QUOTA: (&str, &str) = ("GOOGLE_CLOUD_QUOTA_PROJECT", "quota_project_id");

/// The library has no limit of its own. An identity may be the output of a program that asks elsewhere.
const LIMIT: Duration = Duration::from_secs(60);

/// How often a token is asked for where it may come yet, and how long after the first failure it is asked again.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(500);

/// Fields of files that are never told.
const SECRETS: [&str; 3] = ["private_key", "refresh_token", "client_secret"];

/// The most of a failure's text that is told, in characters.
const MAX_TOLD: usize = 600;

/// Whoever signs in. The library's credentials are made at the first need, inside the runtime that they need.
pub(crate) struct Account {
    setup: Setup,
    metadata: Metadata,
    built: tokio::sync::Mutex<Option<Built>>,
    member: Mutex<Option<Member>>,
}

struct Built {
    identity: Identity,
    credentials: AccessTokenCredentials,
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
        }
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

    /// Forgets a token that was refused, so that the next is a new one.
    pub(crate) async fn forget(&self) {
        *self.built.lock().await = None;
    }

    /// Returns who was found last.
    pub(crate) fn member(&self) -> Option<Member> {
        self.member.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the headers that Google's API asks for.
    ///
    /// # Errors
    /// Nobody is signed in, or no token comes.
    pub(crate) async fn headers(&self) -> Result<HeaderMap, Error> {
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
        Ok(headers)
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
                None => self.build(identity)?,
            };
            match timeout(LIMIT, credentials.access_token()).await {
                Ok(Ok(token)) => {
                    let identity = identity.clone();
                    *built = Some(Built {
                        identity,
                        credentials,
                    });
                    return Ok(Secret::new(token.token));
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
                        return Err(failed(identity, &error));
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

    fn build(&self, identity: &Identity) -> Result<AccessTokenCredentials, Error> {
        let result = match identity {
            Identity::Key(file) => of_file(&file.json),
            Identity::Google {
                source: Source::File(file),
                impersonate,
            } => match impersonate {
                None => of_file(&file.json),
                Some(target) => self.acting(file, target),
            },
            Identity::Google {
                source: Source::Metadata { endpoint, .. },
                impersonate,
            } => of_machine(endpoint, impersonate.as_deref()),
            Identity::Nobody(why) => return Err(nobody(why)),
            Identity::Token { .. } => unreachable!("a token needs no credentials"),
        };
        result.map_err(|error| malformed(identity, &error))
    }

    /// Acts as `target` for whoever the file describes.
    fn acting(&self, file: &KeyFile, target: &str) -> Result<AccessTokenCredentials, BuilderError> {
        if file.kind() == "impersonated_service_account" {
            // The file's form does not nest.
            return impersonated::Builder::from_source_credentials(of_file(&file.json)?.into())
                .with_target_principal(target)
                .with_scopes([SCOPE])
                .build_access_token_credentials();
        }
        let iam = (self.setup.environment)(IAM).filter(|url| !url.is_empty());
        let iam = iam.as_deref().unwrap_or(DEFAULT_IAM).trim_end_matches('/');
        let url = format!("{iam}/v1/projects/-/serviceAccounts/{target}:generateAccessToken");
        of_file(&json!({
            "type": "impersonated_service_account",
            "service_account_impersonation_url": url,
            "source_credentials": file.json,
        }))
    }
}

/// Makes the credentials that a file describes.
fn of_file(json: &Value) -> Result<AccessTokenCredentials, BuilderError> {
    let json = json.clone();
    match json.get("type").and_then(Value::as_str) {
        Some("service_account") => service_account::Builder::new(json)
            .with_access_specifier(service_account::AccessSpecifier::from_scopes([SCOPE]))
            .build_access_token_credentials(),
        Some("external_account") => external_account::Builder::new(json)
            .with_scopes([SCOPE])
            .build_access_token_credentials(),
        Some("impersonated_service_account") => impersonated::Builder::new(json)
            .with_scopes([SCOPE])
            .build_access_token_credentials(),
        _ => user_account::Builder::new(json)
            .with_scopes([SCOPE])
            .build_access_token_credentials(),
    }
}

fn of_machine(endpoint: &str, impersonate: Option<&str>) -> Result<AccessTokenCredentials, BuilderError> {
    let machine = mds::Builder::default()
        .with_endpoint(endpoint)
        .with_scopes([SCOPE])
        .build_access_token_credentials()?;
    match impersonate {
        None => Ok(machine),
        Some(target) => impersonated::Builder::from_source_credentials(machine.into())
            .with_target_principal(target)
            .with_scopes([SCOPE])
            .build_access_token_credentials(),
    }
}

fn bearer(token: &Secret) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::try_from(format!("Bearer {}", token.expose()))
        .map_err(|_| Error::new(ErrorKind::Auth, "the token has characters that no header holds"))?;
    value.set_sensitive(true);
    Ok(value)
}

pub(crate) fn nobody(why: &str) -> Error {
    Error::new(
        ErrorKind::Auth,
        format!("Google's API answers nobody who is not signed in: {why}"),
    )
    .with_hint("sign in: gcloud auth application-default login; or name `auth.key_file`")
}

/// Says what is wrong with a file, without what stands in it.
fn malformed(identity: &Identity, error: &BuilderError) -> Error {
    let text = error.source().map(ToString::to_string).unwrap_or_default();
    // Only this text of the parser never holds a value.
    let what = text.find("missing field").map_or("is malformed", |at| {
        text[at..].split(" at line").next().unwrap_or_default()
    });
    let origin = identity.file().map_or("the identity", |file| &file.origin);
    Error::new(ErrorKind::Auth, format!("{origin}: {what}")).with_hint(FORMS)
}

/// Says why no token came.
fn failed(identity: &Identity, error: &CredentialsError) -> Error {
    let text = told(identity, error);
    let member = identity.member();
    let message = format!("Google gives no token to {member}: {text}");
    let kind = if error.is_transient() {
        ErrorKind::Network
    } else {
        ErrorKind::Auth
    };
    let says = |words: &str| text.contains(words);
    if says("invalid_grant") || says("invalid_rapt") {
        return Error::new(ErrorKind::Auth, message)
            .with_hint("sign in again: gcloud auth application-default login");
    }
    if says("SERVICE_DISABLED") {
        return Error::new(ErrorKind::Permission, message).with_hint(
            "enable the API: gcloud services enable iamcredentials.googleapis.com --project PROJECT",
        );
    }
    match identity {
        Identity::Google {
            source,
            impersonate: Some(target),
        } if says("PERMISSION_DENIED") || says("403") => {
            Error::new(ErrorKind::Permission, message).with_hint(impersonation_grant(source, target))
        }
        _ => Error::new(kind, message),
    }
}

fn impersonation_grant(source: &Source, target: &str) -> String {
    let source = match source {
        Source::File(file) => Member::of_file(file),
        Source::Metadata { email, .. } => Member::machine(email.as_deref()),
    };
    format!(
        "{source} lacks iam.serviceAccounts.getAccessToken: gcloud iam service-accounts add-iam-policy-binding {target} \
         --member={} --role=roles/iam.serviceAccountTokenCreator (a grant takes up to 7 minutes to be seen)",
        source.iam()
    )
}

/// Puts a failure and its causes in one line, without secrets that a service might have repeated.
fn told(identity: &Identity, error: &CredentialsError) -> String {
    let mut parts = vec![error.to_string()];
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        if !parts.iter().any(|part| part.contains(&text)) {
            parts.push(text);
        }
        source = cause.source();
    }
    let mut text = parts.join(": ");
    for secret in SECRETS {
        let json = identity.file().map(|file| &file.json);
        let nested = json.and_then(|json| json.get("source_credentials"));
        for file in json.into_iter().chain(nested) {
            if let Some(value) = file
                .get(secret)
                .and_then(Value::as_str)
                .filter(|value| !value.is_empty())
            {
                text = text.replace(value, "***");
            }
        }
    }
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().filter(|c| !c.is_control()).take(MAX_TOLD).collect()
}
