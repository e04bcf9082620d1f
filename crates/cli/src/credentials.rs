//! Where credentials are looked for.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use planner::config::SecretReference;
use registry::Secret;
use registry::credentials::{SecretSource, Static};

use crate::context::{environment, environment_path};
use crate::failure::Failure;
use crate::files::Input;
use crate::prompt;

/// Secrets are small.
pub(crate) const MAX_SECRET: u64 = 1 << 20;

/// Takes `USER:PASSWORD`; with `USER` alone a person is asked.
///
/// # Errors
/// A password that nobody can be asked for (64).
pub(crate) fn flag(name: &str, text: &str) -> Result<Static, Failure> {
    let (username, password) = match text.split_once(':') {
        Some((username, password)) => (username, password.to_owned()),
        None => (text, prompt::password(name, text)?),
    };
    let password = Secret::new(password);
    Ok(Static::new(
        format!("the flag {name}"),
        username,
        Arc::new(move || Ok(password.clone())),
    ))
}

/// Reads what a reference points to, anew each time.
pub(crate) fn secret(reference: &SecretReference) -> SecretSource {
    match reference.clone() {
        SecretReference::Env(name) => Arc::new(move || {
            environment(&name)
                .map(Secret::new)
                .ok_or_else(|| format!("the variable {name} is not set"))
        }),
        SecretReference::File(path) => Arc::new(move || secret_file(Path::new(&path))),
    }
}

fn secret_file(path: &Path) -> Result<Secret, String> {
    let unreadable = |why: &dyn std::fmt::Display| format!("{} can't be read: {why}", path.display());
    let bytes = Input::File(path.to_owned())
        .read(MAX_SECRET)
        .map_err(|error| unreadable(&error))?;
    String::from_utf8(bytes)
        .map(Secret::new)
        .map_err(|_| unreadable(&"it is not UTF-8"))
}

/// Returns where docker keeps credentials; nothing without a home.
pub(crate) fn docker_file() -> Option<PathBuf> {
    let directory =
        environment_path("DOCKER_CONFIG").or_else(|| Some(environment_path("HOME")?.join(".docker")));
    directory.map(|directory| directory.join("config.json"))
}

/// Returns where docker and podman keep credentials, in the order they are looked at.
pub(crate) fn files() -> Vec<PathBuf> {
    let home = environment_path("HOME");
    let docker = docker_file();
    let configured = environment_path("REGISTRY_AUTH_FILE");
    let run = environment_path("XDG_RUNTIME_DIR").map(|run| run.join("containers/auth.json"));
    let kept = home.map(|home| home.join(".config/containers/auth.json"));
    [docker, configured, run, kept].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use registry::{Credential, CredentialSource};

    use super::*;

    #[tokio::test]
    async fn a_password_may_hold_colons() {
        let found = flag("--creds", "user:a:b").unwrap().sign_in().await.unwrap();
        let expected = Credential::Basic {
            username: "user".to_owned(),
            password: Secret::new("a:b"),
        };
        assert_eq!(found.credential, expected);
        assert_eq!(found.origin, "the flag --creds");
    }

    #[test]
    fn a_secret_file_is_read_each_time() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        let source = secret(&SecretReference::File(path.display().to_string()));
        assert!(source().unwrap_err().contains("can't be read"));
        for text in ["old", "new"] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(source().unwrap().expose(), text);
        }
    }

    #[test]
    fn a_variable_that_is_not_set_is_named() {
        let source = secret(&SecretReference::Env("TRANSSHIP_TEST_UNSET".to_owned()));
        assert_eq!(
            source().unwrap_err(),
            "the variable TRANSSHIP_TEST_UNSET is not set"
        );
    }
}
