//! `transship logout`.

use std::path::{Path, PathBuf};

use oci::Host;
use registry::credentials::DockerFiles;
use registry::{Credential, CredentialSource};

use super::login;
use crate::arguments::Logout;
use crate::context::Context;
use crate::credential_file::{CredentialFile, Keeper};
use crate::credentials;
use crate::exit::Exit;
use crate::failure::Failure;

/// Forgets the credential of a host, and says where else one stands.
///
/// # Errors
/// What is no host (64), and a file or a helper that fails.
pub(crate) async fn run(context: &Context, arguments: &Logout) -> Result<Exit, Failure> {
    let host = login::host(&arguments.host)?;
    let file = CredentialFile::open(arguments.authfile.as_deref())?;
    let path = file.path().to_owned();
    let kept = file.forget(&host).await?;
    if kept.is_empty() {
        context.text(&format!("{} has no credential for {host}.\n", path.display()))?;
    }
    for keeper in &kept {
        let whose = match keeper {
            Keeper::File => path.display().to_string(),
            Keeper::Helper(name) => format!("docker-credential-{name}, which {} names", path.display()),
        };
        context.text(&format!(
            "Logged out: the credential for {host} was removed from {whose}.\n"
        ))?;
    }
    for place in elsewhere(&host, &path, credentials::files()).await {
        context
            .terminal
            .say(&format!("warning: {place} still has a credential for {host}"));
    }
    Ok(Exit::Done)
}

/// Finds the other places that still sign in at the host. One that can't be read signs nobody in, and says so when it is used.
async fn elsewhere(host: &Host, done: &Path, files: Vec<PathBuf>) -> Vec<String> {
    let mut places = Vec::new();
    for file in files {
        if file.canonicalize().is_ok_and(|file| file == done) {
            continue;
        }
        let found = DockerFiles::new(host.clone(), vec![file]).sign_in().await;
        places.extend(
            found
                .ok()
                .filter(|found| found.credential != Credential::Anonymous)
                .map(|found| found.origin),
        );
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_credential_in_another_file_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().canonicalize().unwrap().join(name);
        for name in ["done", "other"] {
            std::fs::write(path(name), r#"{"auths":{"r.example":{"auth":"dTpw"}}}"#).unwrap();
        }
        std::fs::write(path("broken"), "{").unwrap();
        let files = vec![path("done"), path("missing"), path("broken"), path("other")];
        let host = "r.example".parse().unwrap();
        let found = elsewhere(&host, &path("done"), files).await;
        assert_eq!(found, [path("other").display().to_string()]);
    }
}
