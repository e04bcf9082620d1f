//! A user name and a password.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::{Credential, CredentialSource, Error, ErrorKind, Secret, SignIn};

/// Reads a secret each time it is asked: a file may have been rotated. Its error says which variable or file failed,
/// and nothing of what is in it.
pub type SecretSource = Arc<dyn Fn() -> Result<Secret, String> + Send + Sync>;

/// A user name, and a password that is read each time.
#[derive(Clone)]
pub struct Static {
    origin: String,
    username: String,
    password: SecretSource,
}

impl Static {
    /// Makes a source; `origin` names it in errors: `auth of registry site`.
    #[must_use]
    pub fn new(origin: impl Into<String>, username: impl Into<String>, password: SecretSource) -> Self {
        Self {
            origin: origin.into(),
            username: username.into(),
            password,
        }
    }
}

impl fmt::Debug for Static {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Static")
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}

/// Reads a secret. A line break at its end is the file's, not the secret's.
pub(super) fn read(origin: &str, secret: &SecretSource) -> Result<Secret, Error> {
    let secret = secret().map_err(|why| Error::new(ErrorKind::Auth, format!("{origin}: {why}")))?;
    let text = secret.expose().trim_end_matches(['\r', '\n']);
    if text.is_empty() {
        return Err(Error::new(
            ErrorKind::Auth,
            format!("{origin}: the secret is empty"),
        ));
    }
    Ok(Secret::new(text))
}

#[async_trait]
impl CredentialSource for Static {
    async fn sign_in(&self) -> Result<SignIn, Error> {
        Ok(SignIn {
            credential: Credential::Basic {
                username: self.username.clone(),
                password: read(&self.origin, &self.password)?,
            },
            origin: self.origin.clone(),
            expires: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn the_password_is_read_each_time_and_loses_its_line_break() {
        let reads = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&reads);
        let password = Arc::new(move || {
            let read = counted.fetch_add(1, Ordering::Relaxed);
            Ok(Secret::new(format!("word {read}\n")))
        });
        let source = Static::new("auth of registry site", "u", password);
        for expected in ["word 0", "word 1"] {
            let Credential::Basic { password, .. } = source.sign_in().await.unwrap().credential else {
                panic!("not a password");
            };
            assert_eq!(password.expose(), expected);
        }
    }

    #[tokio::test]
    async fn an_empty_secret_is_an_error_that_names_its_origin() {
        let source = Static::new("auth of registry site", "u", Arc::new(|| Ok("\n".into())));
        let error = source.sign_in().await.unwrap_err();
        assert_eq!(error.to_string(), "auth of registry site: the secret is empty");
    }

    #[test]
    fn nothing_secret_shows() {
        let source = Static::new("o", "u", Arc::new(|| Ok("CANARY".into())));
        assert!(!format!("{source:?}").contains("CANARY"));
    }
}
