//! Where application-default credentials are looked for, in the order of Google's own libraries.
//!
//! <https://docs.cloud.google.com/docs/authentication/application-default-credentials>

use planner::config::SecretReference;
use provider::Setup;
use registry::{Error, ErrorKind};
use serde_json::Value;

/// The variable that names a file.
pub(crate) const FILE: &str = "GOOGLE_APPLICATION_CREDENTIALS";

/// A file that describes an identity.
#[derive(Clone)]
pub(crate) struct KeyFile {
    /// Where it was found, for people.
    pub(crate) origin: String,
    /// Its text, secrets and all.
    pub(crate) text: registry::Secret,
    /// The same, read.
    pub(crate) json: Value,
}

impl KeyFile {
    /// Reads the text of a file.
    ///
    /// # Errors
    /// No JSON, or one without a `type`. Nothing of it is repeated.
    pub(crate) fn parse(origin: String, text: registry::Secret) -> Result<Self, Error> {
        let broken = |what: &str| Error::new(ErrorKind::Auth, format!("{origin} {what}")).with_hint(FORMS);
        let json: Value = serde_json::from_str(text.expose()).map_err(|_| broken("is not JSON"))?;
        if json.get("type").and_then(Value::as_str).is_none() {
            return Err(broken("has no `type`"));
        }
        Ok(Self { origin, text, json })
    }

    /// Returns the kind of identity it describes.
    pub(crate) fn kind(&self) -> &str {
        self.text_of("type").unwrap_or_default()
    }

    /// Returns a field's text.
    pub(crate) fn text_of(&self, key: &str) -> Option<&str> {
        self.json.get(key)?.as_str()
    }
}

/// What Google's tools write.
pub(crate) const FORMS: &str = "take a file that `gcloud auth application-default login`, \
     `gcloud iam service-accounts keys create` or `gcloud iam workload-identity-pools create-cred-config` writes";

/// Reads the file that the environment names, or the one at the well-known place.
///
/// # Errors
/// A file that is named and can't be used.
pub(crate) fn find(setup: &Setup) -> Result<Option<KeyFile>, Error> {
    if let Some(path) = (setup.environment)(FILE).filter(|path| !path.is_empty()) {
        return read(setup, format!("{path} (of {FILE})"), &path).map(Some);
    }
    let Some(path) = well_known(setup) else {
        return Ok(None);
    };
    if !std::path::Path::new(&path).exists() {
        return Ok(None);
    }
    read(setup, path.clone(), &path).map(Some)
}

/// Reads a file.
///
/// # Errors
/// A file that can't be read, or is none of Google's.
pub(crate) fn read(setup: &Setup, origin: String, path: &str) -> Result<KeyFile, Error> {
    let text = (setup.secrets)(&SecretReference::File(path.to_owned())).map_err(|why| {
        let message = format!("credentials of {}: {why}", setup.name);
        Error::new(ErrorKind::Auth, message).with_hint(FORMS)
    })?;
    KeyFile::parse(origin, text)
}

fn well_known(setup: &Setup) -> Option<String> {
    let (root, folder) = if cfg!(windows) {
        ("APPDATA", "gcloud")
    } else {
        ("HOME", ".config/gcloud")
    };
    let root = (setup.environment)(root).filter(|root| !root.is_empty())?;
    Some(format!("{root}/{folder}/application_default_credentials.json"))
}
