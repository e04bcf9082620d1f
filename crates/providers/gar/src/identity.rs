//! Which identity signs in, decided before anything is signed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use planner::config::{Auth, SecretReference};
use provider::Setup;
use registry::{Credential, Error, ErrorKind, Secret};

use crate::adc::{self, FORMS, KeyFile};
use crate::member::Member;
use crate::metadata::{Found, Metadata};

/// The user name that goes with an access token.
///
/// <https://docs.cloud.google.com/artifact-registry/docs/docker/authentication>
pub(crate) const TOKEN_USER: &str = "oauth2accesstoken";

/// The user name that goes with a service account's key in base64, as documented there.
pub(crate) const KEY_USER: &str = "_json_key_base64";

/// The same with the key as it is.
const RAW_KEY_USER: &str = "_json_key";

/// Which identity signs in.
#[derive(Clone)]
pub(crate) enum Identity {
    /// Nobody, and why.
    Nobody(String),
    /// A token that the configuration holds, and how images are asked for with it.
    Token {
        token: Secret,
        shown: Credential,
        origin: String,
    },
    /// A service account's key that signs in by itself.
    Key(KeyFile),
    /// An identity that Google gives tokens.
    Google {
        source: Source,
        impersonate: Option<String>,
    },
}

/// Where Google's tokens begin.
#[derive(Clone)]
pub(crate) enum Source {
    File(KeyFile),
    Metadata { endpoint: String, email: Option<String> },
}

impl Identity {
    /// Finds who signs in: what `auth` names, then application-default credentials, then nobody.
    ///
    /// # Errors
    /// What is named and can't be used.
    pub(crate) async fn find(setup: &Setup, metadata: &Metadata) -> Result<Self, Error> {
        if let Some(declared) = declared(setup)? {
            return Ok(declared);
        }
        let impersonate = setup.auth.impersonate.clone();
        let file = match &setup.auth.key_file {
            Some(path) => Some(adc::read(setup, path.clone(), path)?),
            None => adc::find(setup)?,
        };
        if let Some(file) = file {
            understood(&file)?;
            return Ok(match (impersonate, file.kind()) {
                (None, "service_account") => Self::Key(file),
                (impersonate, _) => Self::Google {
                    source: Source::File(file),
                    impersonate,
                },
            });
        }
        match (metadata.find(setup).await, impersonate) {
            (Found::Server { endpoint, email }, impersonate) => Ok(Self::Google {
                source: Source::Metadata { endpoint, email },
                impersonate,
            }),
            (Found::Nothing(why), None) => Ok(Self::Nobody(tried(&why))),
            (Found::Nothing(why), Some(target)) => Err(rootless(&target, &why)),
        }
    }

    /// Says who that is.
    pub(crate) fn member(&self) -> Member {
        match self {
            Self::Nobody(_) => Member::nobody(),
            Self::Token { origin, .. } => Member::bearer(origin),
            Self::Key(file) => Member::of_file(file),
            Self::Google {
                impersonate: Some(email),
                ..
            } => Member::service_account(email),
            Self::Google {
                source: Source::File(file),
                ..
            } => Member::of_file(file),
            Self::Google {
                source: Source::Metadata { email, .. },
                ..
            } => Member::machine(email.as_deref()),
        }
    }

    /// Says whether what was built for `other` serves this one too.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Key(file), Self::Key(other)) => file.text == other.text,
            (
                Self::Google { source, impersonate },
                Self::Google {
                    source: other,
                    impersonate: target,
                },
            ) => impersonate == target && source.is_same(other),
            _ => false,
        }
    }

    /// Returns the file it began with.
    pub(crate) fn file(&self) -> Option<&KeyFile> {
        match self {
            Self::Key(file)
            | Self::Google {
                source: Source::File(file),
                ..
            } => Some(file),
            _ => None,
        }
    }
}

impl Source {
    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::File(file), Self::File(other)) => file.text == other.text,
            (Self::Metadata { endpoint, .. }, Self::Metadata { endpoint: other, .. }) => endpoint == other,
            _ => false,
        }
    }
}

/// Takes what `auth` holds itself. Another user name is no identity of Google's: its API is asked by the usual one.
fn declared(setup: &Setup) -> Result<Option<Identity>, Error> {
    let auth = &setup.auth;
    let origin = format!("auth of registry {}", setup.name);
    if auth.anonymous == Some(true) {
        return Ok(Some(Identity::Nobody(origin)));
    }
    if let Some(token) = &auth.token {
        let token = secret(setup, &origin, token)?;
        let shown = Credential::Bearer(token.clone());
        return Ok(Some(Identity::Token { token, shown, origin }));
    }
    let (Some(username), Some(password)) = (&auth.username, &auth.password) else {
        return Ok(None);
    };
    match username.as_str() {
        TOKEN_USER => {
            let token = secret(setup, &origin, password)?;
            let shown = Credential::Basic {
                username: TOKEN_USER.to_owned(),
                password: token.clone(),
            };
            Ok(Some(Identity::Token { token, shown, origin }))
        }
        RAW_KEY_USER => key(origin.clone(), secret(setup, &origin, password)?).map(Some),
        KEY_USER => {
            let encoded = secret(setup, &origin, password)?;
            key(origin.clone(), decoded(&origin, &encoded)?).map(Some)
        }
        _ => Ok(None),
    }
}

/// Says whether `auth` names somebody for images whom Google's API does not know.
pub(crate) fn names_stranger(auth: &Auth) -> bool {
    let strange = |user: &String| ![TOKEN_USER, KEY_USER, RAW_KEY_USER].contains(&user.as_str());
    auth.helper.is_some() || auth.docker_config.is_some() || auth.username.as_ref().is_some_and(strange)
}

/// Says whether a key that was found is one that `auth` names, not one that the environment happens to have.
pub(crate) fn names_key(auth: &Auth) -> bool {
    auth.key_file.is_some() || auth.username.is_some()
}

fn secret(setup: &Setup, origin: &str, reference: &SecretReference) -> Result<Secret, Error> {
    (setup.secrets)(reference).map_err(|why| Error::new(ErrorKind::Auth, format!("{origin}: {why}")))
}

fn decoded(origin: &str, encoded: &Secret) -> Result<Secret, Error> {
    let text: String = encoded.expose().split_whitespace().collect();
    let bytes = STANDARD.decode(text).ok();
    bytes
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .map(Secret::new)
        .ok_or_else(|| {
            let message = format!("{origin}: the password of {KEY_USER} is not base64");
            Error::new(ErrorKind::Auth, message).with_hint("encode the key file: base64 -w0 key.json")
        })
}

fn key(origin: String, text: Secret) -> Result<Identity, Error> {
    KeyFile::parse(origin, text).map(Identity::Key)
}

/// Refuses what the library does not know, in words that help.
fn understood(file: &KeyFile) -> Result<(), Error> {
    match file.kind() {
        "authorized_user" | "service_account" | "impersonated_service_account" | "external_account" => Ok(()),
        kind => {
            let kind: String = kind.chars().filter(char::is_ascii_graphic).take(60).collect();
            let message = format!("{} has type `{kind}`, which is not understood", file.origin);
            Err(Error::new(ErrorKind::Auth, message).with_hint(FORMS))
        }
    }
}

fn tried(metadata: &str) -> String {
    format!(
        "anonymous (no Google identity: {} is not set, no application-default credentials, no metadata server: {metadata})",
        adc::FILE
    )
}

fn rootless(target: &str, metadata: &str) -> Error {
    let message = format!(
        "nobody to act as {target} for: {} is not set, there are no application-default credentials and no metadata \
         server ({metadata})",
        adc::FILE
    );
    Error::new(ErrorKind::Auth, message)
        .with_hint("sign in: gcloud auth application-default login; or name `auth.key_file`")
}
