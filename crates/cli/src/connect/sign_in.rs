//! Who signs in at a registry: flags, then `auth`, then its cloud's own identity, then what docker and podman keep, then
//! nobody.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use oci::Host;
use planner::RegistryName;
use planner::config::Auth;
use registry::credentials::{Anonymous, Chain, DockerFiles, Helper, Nobody, Static, TokenSource};
use registry::{Credential, CredentialSource, Error, SignIn};

use super::manner::Manner;
use crate::credentials;
use crate::failure::Failure;

/// Who may sign in at a registry, before its cloud is asked.
pub(super) struct Sources {
    /// What comes before everything: flags, and the file that a flag names.
    first: Vec<Arc<dyn CredentialSource>>,
    /// What `auth` names.
    declared: Option<Arc<dyn CredentialSource>>,
    /// What docker and podman keep.
    kept: Arc<dyn CredentialSource>,
}

impl Sources {
    /// Gathers the sources of a registry.
    ///
    /// # Errors
    /// `auth` that names nobody, or more than one (65).
    pub(super) fn of(
        name: &RegistryName,
        host: &Host,
        auth: Option<&Auth>,
        manner: &Manner,
    ) -> Result<Self, Failure> {
        let flag = manner.flags(name).and_then(|flags| flags.sign_in.clone());
        let flag = flag.map(|flag| Arc::new(flag) as Arc<dyn CredentialSource>);
        let authfile = manner.authfile().map(|path| authfile(host, path)).transpose()?;
        Ok(Self {
            first: flag.into_iter().chain(authfile).collect(),
            declared: auth.map(|auth| declared(name, host, auth)).transpose()?.flatten(),
            kept: kept(host, credentials::files()),
        })
    }

    /// Returns true where a flag or the configuration says who signs in, so that no cloud has a say. The file that a flag
    /// names does where it knows the host, and where it can't be read.
    pub(super) async fn decided(&self) -> bool {
        if self.declared.is_some() {
            return true;
        }
        let first = Chain::new(self.first.clone()).sign_in().await;
        first.is_err() || first.is_ok_and(|first| first.credential != Credential::Anonymous)
    }

    /// Returns true where docker or podman keep a credential for the host, or can't be read.
    pub(super) async fn has_kept(&self) -> bool {
        let kept = self.kept.sign_in().await;
        kept.is_err() || kept.is_ok_and(|kept| kept.credential != Credential::Anonymous)
    }

    /// Puts the sources in order, without a cloud's. The first that has a credential decides.
    pub(super) fn without_cloud(self, why: Option<String>) -> Arc<dyn CredentialSource> {
        let told = why.map(|why| Arc::new(Nobody::because(why)) as Arc<dyn CredentialSource>);
        let usual = self.declared.unwrap_or(self.kept);
        Arc::new(Chain::new(
            self.first.into_iter().chain([usual]).chain(told).collect(),
        ))
    }

    /// Puts the sources in order, with a cloud's own identity between what is declared and what is kept. `found` is what
    /// the cloud gave when it was asked who we are.
    pub(super) fn with_cloud(
        self,
        cloud: Arc<dyn CredentialSource>,
        found: Option<SignIn>,
    ) -> Arc<dyn CredentialSource> {
        let found = Mutex::new(found);
        let cloud = Arc::new(Cloud { found, source: cloud });
        Arc::new(Chain::new(
            self.first.into_iter().chain([cloud, self.kept]).collect(),
        ))
    }
}

/// A cloud's identity: what it gave already is used before it is asked again.
#[derive(Debug)]
struct Cloud {
    found: Mutex<Option<SignIn>>,
    source: Arc<dyn CredentialSource>,
}

#[async_trait]
impl CredentialSource for Cloud {
    async fn sign_in(&self) -> Result<SignIn, Error> {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner).take();
        match found {
            Some(found) => Ok(found),
            None => self.source.sign_in().await,
        }
    }
}

/// A file that is named and missing is a slip, where the usual files may well be.
fn authfile(host: &Host, path: &Path) -> Result<Arc<dyn CredentialSource>, Failure> {
    if path.exists() {
        return Ok(kept(host, vec![path.to_owned()]));
    }
    Err(Failure::usage(format!(
        "--authfile: there is no file {}",
        path.display()
    )))
}

fn docker_config(origin: String, host: &Host, path: &str) -> Arc<dyn CredentialSource> {
    if Path::new(path).exists() {
        return kept(host, vec![path.into()]);
    }
    // Only who needs this registry is held up by it.
    let missing = format!("there is no file {path}");
    Arc::new(TokenSource::new(origin, Arc::new(move || Err(missing.clone()))))
}

fn kept(host: &Host, files: Vec<PathBuf>) -> Arc<dyn CredentialSource> {
    Arc::new(DockerFiles::new(host.clone(), files))
}

/// Returns the source that `auth` names; none where it only says other things, such as a realm.
fn declared(
    name: &RegistryName,
    host: &Host,
    auth: &Auth,
) -> Result<Option<Arc<dyn CredentialSource>>, Failure> {
    let origin = format!("auth of registry {name}");
    let refuse = |problem: &str| Failure::refused(format!("{origin}: {problem}"));
    if auth.anonymous == Some(true) {
        return Ok(Some(Arc::new(Anonymous)));
    }
    if let Some(token) = &auth.token {
        return Ok(Some(Arc::new(TokenSource::new(
            origin,
            credentials::secret(token),
        ))));
    }
    if let Some(helper) = &auth.helper {
        let helper =
            Helper::new(helper, host).map_err(|error| refuse("the helper can't be used").because(&error))?;
        return Ok(Some(Arc::new(helper)));
    }
    if let Some(path) = &auth.docker_config {
        return Ok(Some(docker_config(origin, host, path)));
    }
    match (&auth.username, &auth.password) {
        (Some(username), Some(password)) => {
            let source = Static::new(origin, username.clone(), credentials::secret(password));
            Ok(Some(Arc::new(source)))
        }
        (None, None) => Ok(None),
        _ => Err(refuse("`username` and `password` go together")),
    }
}

#[cfg(test)]
mod tests {
    use planner::config::SecretReference;
    use registry::Secret;

    use super::*;
    use crate::arguments::{Access, OneRegistry};

    fn site() -> (RegistryName, Host) {
        ("site".parse().unwrap(), "site.example".parse().unwrap())
    }

    fn authfile(directory: &tempfile::TempDir) -> Access {
        let path = directory.path().join("auth.json");
        // user:file
        std::fs::write(&path, r#"{"auths":{"site.example":{"auth":"dXNlcjpmaWxl"}}}"#).unwrap();
        Access {
            authfile: Some(path),
            retry_times: None,
        }
    }

    fn password(directory: &tempfile::TempDir) -> Auth {
        let path = directory.path().join("password");
        std::fs::write(&path, "declared\n").unwrap();
        Auth {
            username: Some("user".to_owned()),
            password: Some(SecretReference::File(path.display().to_string())),
            ..Auth::default()
        }
    }

    async fn found(auth: Option<&Auth>, manner: &Manner) -> Credential {
        let (name, host) = site();
        Sources::of(&name, &host, auth, manner)
            .unwrap()
            .without_cloud(None)
            .sign_in()
            .await
            .unwrap()
            .credential
    }

    fn user(password: &str) -> Credential {
        Credential::Basic {
            username: "user".to_owned(),
            password: Secret::new(password),
        }
    }

    #[tokio::test]
    async fn a_flag_comes_before_a_file() {
        let directory = tempfile::tempdir().unwrap();
        let one = OneRegistry {
            creds: Some("user:flag".to_owned()),
            tls_verify: None,
        };
        let manner = Manner::one_shot(&authfile(&directory), &one).unwrap();
        assert_eq!(found(None, &manner).await, user("flag"));
    }

    #[tokio::test]
    async fn the_file_of_a_flag_comes_before_auth() {
        let directory = tempfile::tempdir().unwrap();
        let auth = password(&directory);
        let manner = Manner::declared(PathBuf::new(), &authfile(&directory));
        assert_eq!(found(Some(&auth), &manner).await, user("file"));
        let manner = Manner::declared(PathBuf::new(), &Access::default());
        assert_eq!(found(Some(&auth), &manner).await, user("declared"));
    }

    #[tokio::test]
    async fn anonymous_means_nobody_whatever_files_hold() {
        let manner = Manner::declared(PathBuf::new(), &Access::default());
        let auth = Auth {
            anonymous: Some(true),
            ..Auth::default()
        };
        assert_eq!(found(Some(&auth), &manner).await, Credential::Anonymous);
    }

    #[tokio::test]
    async fn the_file_of_a_flag_leaves_a_cloud_no_say_where_it_knows_the_host() {
        let directory = tempfile::tempdir().unwrap();
        let manner = Manner::declared(PathBuf::new(), &authfile(&directory));
        for (host, decided) in [("site.example", true), ("other.example", false)] {
            let (name, host) = (site().0, host.parse().unwrap());
            let sources = Sources::of(&name, &host, None, &manner).unwrap();
            assert_eq!(sources.decided().await, decided, "{host}");
        }
    }

    #[tokio::test]
    async fn what_a_cloud_gave_is_used_once_before_it_is_asked_again() {
        let (name, host) = site();
        let manner = Manner::declared(PathBuf::new(), &Access::default());
        let cloud = Arc::new(TokenSource::new(
            "cloud".to_owned(),
            Arc::new(|| Ok(Secret::new("second"))),
        ));
        let found = SignIn {
            credential: Credential::Bearer(Secret::new("first")),
            ..SignIn::anonymous()
        };
        let sources = Sources::of(&name, &host, None, &manner).unwrap();
        let source = sources.with_cloud(cloud, Some(found));
        for expected in ["first", "second", "second"] {
            let credential = source.sign_in().await.unwrap().credential;
            assert_eq!(credential, Credential::Bearer(Secret::new(expected)));
        }
    }

    #[test]
    fn a_credential_file_that_a_flag_names_must_be_there() {
        let (name, host) = site();
        let access = Access {
            authfile: Some("nowhere/auth.json".into()),
            retry_times: None,
        };
        let refused = Sources::of(&name, &host, None, &Manner::declared(PathBuf::new(), &access)).err();
        assert_eq!(
            refused.map(|refused| refused.exit()),
            Some(crate::exit::Exit::Usage)
        );
    }

    #[tokio::test]
    async fn a_credential_file_that_a_configuration_names_must_be_there_when_it_is_needed() {
        let (name, host) = site();
        let auth = Auth {
            docker_config: Some("nowhere/config.json".to_owned()),
            ..Auth::default()
        };
        let manner = Manner::declared(PathBuf::new(), &Access::default());
        let sources = Sources::of(&name, &host, Some(&auth), &manner).unwrap();
        let source = sources.without_cloud(None);
        let refused = source.sign_in().await.unwrap_err().to_string();
        assert!(
            refused.contains("there is no file nowhere/config.json"),
            "{refused}"
        );
    }

    #[test]
    fn a_user_without_a_password_is_refused() {
        let (name, host) = site();
        let auth = Auth {
            username: Some("user".to_owned()),
            ..Auth::default()
        };
        let manner = Manner::declared(PathBuf::new(), &Access::default());
        assert!(Sources::of(&name, &host, Some(&auth), &manner).is_err());
    }
}
