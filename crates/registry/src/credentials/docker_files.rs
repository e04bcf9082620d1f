//! The files that docker and podman sign in with.

use std::io;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use oci::{Host, RepositoryName};
use tokio::io::AsyncReadExt;

use super::docker_config::DockerConfig;
use super::helper::Helper;
use crate::{Credential, CredentialSource, Error, ErrorKind, SignIn};

/// No such file is larger.
const MAX_FILE: u64 = 8 << 20;

/// docker's `config.json` and podman's `auth.json`, with the helpers that they name. Files are read each time.
#[derive(Clone, Debug)]
pub struct DockerFiles {
    host: Host,
    repository: Option<RepositoryName>,
    files: Vec<PathBuf>,
    helpers: Option<PathBuf>,
}

impl DockerFiles {
    /// Makes a source that looks for `host` in `files`, in their order. Missing files are passed over.
    #[must_use]
    pub fn new(host: Host, files: Vec<PathBuf>) -> Self {
        Self {
            host,
            repository: None,
            files,
            helpers: None,
        }
    }

    /// Also takes entries of podman's that name the repository or a prefix of it; the longest wins.
    #[must_use]
    pub fn for_repository(mut self, repository: RepositoryName) -> Self {
        self.repository = Some(repository);
        self
    }

    /// Looks for helpers in `directory` instead of on the path.
    #[must_use]
    pub fn helpers_in(mut self, directory: impl Into<PathBuf>) -> Self {
        self.helpers = Some(directory.into());
        self
    }

    async fn look_in(&self, file: &Path) -> Result<Option<SignIn>, Error> {
        let unreadable = |what: &str| Error::new(ErrorKind::Auth, format!("{}: {what}", file.display()));
        let Some(bytes) = read(file)
            .await
            .map_err(|error| unreadable("it can't be read").caused_by(error))?
        else {
            return Ok(None);
        };
        let config = DockerConfig::read(&bytes).map_err(|why| unreadable(&why.to_string()))?;
        for name in config.helpers(&self.host) {
            let helper = self
                .helper(name)
                .map_err(|error| error.during(&file.display().to_string()))?;
            if let Some(credential) = helper.get().await? {
                let origin = format!("docker-credential-{name}, named in {}", file.display());
                return Ok(Some(SignIn {
                    credential,
                    origin,
                    expires: None,
                }));
            }
        }
        let found = config.credential(&self.host, self.repository.as_ref());
        Ok(found
            .map_err(|why| unreadable(&why.to_string()))?
            .map(|credential| SignIn {
                credential,
                origin: file.display().to_string(),
                expires: None,
            }))
    }

    fn helper(&self, name: &str) -> Result<Helper, Error> {
        let helper = Helper::new(name, &self.host)?;
        Ok(match &self.helpers {
            Some(directory) => helper.in_directory(directory),
            None => helper,
        })
    }
}

/// Reads a file; `None` where there is none.
async fn read(file: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = match tokio::fs::File::open(file).await {
        Ok(file) => file,
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).await?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > MAX_FILE) {
        return Err(io::Error::from(io::ErrorKind::FileTooLarge));
    }
    Ok(Some(bytes))
}

#[async_trait]
impl CredentialSource for DockerFiles {
    async fn sign_in(&self) -> Result<SignIn, Error> {
        for file in &self.files {
            let found = self.look_in(file).await?;
            if let Some(sign_in) = found.filter(|sign_in| sign_in.credential != Credential::Anonymous) {
                return Ok(sign_in);
            }
        }
        Ok(SignIn::anonymous())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn files(contents: &[Option<&str>]) -> (tempfile::TempDir, DockerFiles) {
        let directory = tempfile::tempdir().unwrap();
        let paths = contents.iter().enumerate().map(|(number, content)| {
            let path = directory.path().join(number.to_string());
            if let Some(content) = content {
                fs::write(&path, content).unwrap();
            }
            path
        });
        let paths = paths.collect();
        let files = DockerFiles::new("r.example".parse().unwrap(), paths).helpers_in(directory.path());
        (directory, files)
    }

    const ONE: &str = r#"{"auths":{"r.example":{"auth":"dTpw"}}}"#;

    #[tokio::test]
    async fn the_first_file_that_knows_the_host_is_named() {
        let (directory, files) = files(&[None, Some("{}"), Some(ONE)]);
        let sign_in = files.sign_in().await.unwrap();
        assert_eq!(sign_in.origin, directory.path().join("2").display().to_string());
        assert_ne!(sign_in.credential, Credential::Anonymous);
    }

    #[tokio::test]
    async fn files_without_the_host_sign_in_nobody() {
        let (_directory, files) = files(&[None, Some("{}")]);
        assert_eq!(files.sign_in().await.unwrap(), SignIn::anonymous());
    }

    #[tokio::test]
    async fn a_malformed_file_ends_the_search() {
        let (_directory, files) = files(&[Some("CANARY"), Some(ONE)]);
        let error = files.sign_in().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Auth);
        assert!(!format!("{error} {error:?}").contains("CANARY"));
    }

    #[tokio::test]
    async fn a_broken_helper_never_falls_back_to_the_file() {
        let broken = r#"{"credsStore":"gone","auths":{"r.example":{"auth":"dTpw"}}}"#;
        let (_directory, files) = files(&[Some(broken)]);
        assert_eq!(files.sign_in().await.unwrap_err().kind(), ErrorKind::Auth);
    }

    #[tokio::test]
    async fn a_helper_whose_name_is_a_path_is_refused() {
        let hostile = r#"{"credHelpers":{"r.example":"../../bin/sh"}}"#;
        let (_directory, files) = files(&[Some(hostile)]);
        assert_eq!(files.sign_in().await.unwrap_err().kind(), ErrorKind::Auth);
    }
}
