//! Credential helpers: programs that keep docker's credentials.

use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::time::Duration;

use async_trait::async_trait;
use oci::Host;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::{Credential, CredentialSource, Error, ErrorKind, Secret, SignIn};

/// A helper may have to ask a keyring or a cloud, not a person.
const TIME: Duration = Duration::from_secs(30);
/// No answer is longer.
const MAX_ANSWER: u64 = 1 << 20;
/// The user name by which a helper says that the secret is an identity token.
const TOKEN: &str = "<token>";

/// `docker-credential-NAME`.
///
/// <https://github.com/docker/docker-credential-helpers>
#[derive(Clone, Debug)]
pub struct Helper {
    name: String,
    server: String,
    directory: Option<PathBuf>,
}

impl Helper {
    /// Makes a source that asks the helper `name` for `host`.
    ///
    /// # Errors
    /// A name that is not `[a-z0-9._-]+`: it becomes part of a program's name.
    pub fn new(name: &str, host: &Host) -> Result<Self, Error> {
        let fits = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
        if name.is_empty() || !name.bytes().all(fits) {
            let message = "a credential helper's name has lower-case letters, digits, `.`, `_` and `-` only";
            return Err(Error::new(ErrorKind::Auth, message));
        }
        Ok(Self {
            name: name.to_owned(),
            server: server(host),
            directory: None,
        })
    }

    /// Looks for the helper in `directory` instead of on the path.
    #[must_use]
    pub fn in_directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// Asks the helper; `None` where it has nothing for the host.
    pub(super) async fn get(&self) -> Result<Option<Credential>, Error> {
        match self.run("get", &self.server).await? {
            Some(answer) => self.read(&answer).map(Some),
            None => Ok(None),
        }
    }

    /// Tells whether the helper keeps a credential for the host.
    ///
    /// # Errors
    /// As [`Helper::store`].
    pub async fn knows(&self) -> Result<bool, Error> {
        Ok(self.get().await?.is_some())
    }

    /// Gives the helper a password to keep for the host, in place of what it has.
    ///
    /// # Errors
    /// A helper that can't be run, fails, or gives no answer.
    pub async fn store(&self, username: &str, password: &Secret) -> Result<(), Error> {
        let request = serde_json::json!({
            "ServerURL": self.server,
            "Username": username,
            "Secret": password.expose(),
        });
        let request = Secret::new(request.to_string());
        match self.run("store", request.expose()).await? {
            Some(_) => Ok(()),
            None => Err(self.failed("keeps nothing")),
        }
    }

    /// Has the helper forget what it keeps for the host. Returns false where it kept nothing and says so: many do not.
    ///
    /// # Errors
    /// As [`Helper::store`].
    pub async fn erase(&self) -> Result<bool, Error> {
        Ok(self.run("erase", &self.server).await?.is_some())
    }

    /// Runs the helper and returns what it printed; `None` where it says that it has nothing for the host.
    async fn run(&self, verb: &str, request: &str) -> Result<Option<Vec<u8>>, Error> {
        let output = match timeout(TIME, self.exchange(verb, request)).await {
            Ok(output) => output?,
            Err(_) => return Err(self.failed(&format!("gave no answer for {} s", TIME.as_secs()))),
        };
        if output.status.success() {
            return Ok(Some(output.stdout));
        }
        if says_none(&output.stdout) || says_none(&output.stderr) {
            return Ok(None);
        }
        // What it printed may quote what it keeps.
        Err(self.failed(&format!("failed ({})", output.status)))
    }

    async fn exchange(&self, verb: &str, request: &str) -> Result<Output, Error> {
        let mut child = self.spawn(verb)?;
        let lost = |error| self.failed("broke off").caused_by(error);
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let ask = async {
            if let Some(mut stdin) = stdin {
                // A helper that ends without reading has its reasons; its status tells.
                let _unread = stdin.write_all(request.as_bytes()).await;
            }
        };
        let ((), stdout, stderr) = tokio::join!(ask, read(stdout), read(stderr));
        let (stdout, stderr) = (stdout.map_err(lost)?, stderr.map_err(lost)?);
        if longest(&stdout, &stderr) > MAX_ANSWER {
            return Err(self.failed("says too much"));
        }
        Ok(Output {
            status: child.wait().await.map_err(lost)?,
            stdout,
            stderr,
        })
    }

    fn spawn(&self, verb: &str) -> Result<Child, Error> {
        let program = self.program();
        let path = self
            .directory
            .as_ref()
            .map_or_else(|| PathBuf::from(&program), |directory| directory.join(&program));
        Command::new(path)
            .arg(verb)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| self.failed("can't be run").caused_by(error))
    }

    fn read(&self, answer: &[u8]) -> Result<Credential, Error> {
        let malformed = || self.failed("answers something else than a credential");
        let answer = oci::read_json(answer).map_err(|_| malformed())?;
        let text = |key: &str| answer.get(key).and_then(serde_json::Value::as_str);
        let secret = Secret::new(text("Secret").ok_or_else(malformed)?);
        if secret.is_empty() {
            return Err(malformed());
        }
        match text("Username").ok_or_else(malformed)? {
            TOKEN => Ok(Credential::IdentityToken(secret)),
            username => Ok(Credential::Basic {
                username: username.to_owned(),
                password: secret,
            }),
        }
    }

    fn program(&self) -> String {
        format!("docker-credential-{}", self.name)
    }

    fn failed(&self, what: &str) -> Error {
        let message = format!(
            "credential helper {} {what}, asked for {}",
            self.program(),
            self.server
        );
        Error::new(ErrorKind::Auth, message)
    }
}

/// The name under which docker keeps a registry.
pub(super) fn server(host: &Host) -> String {
    match host.as_str() {
        "docker.io" => "https://index.docker.io/v1/".to_owned(),
        host => host.to_owned(),
    }
}

/// The protocol's way to say that there is nothing is this sentence.
fn says_none(output: &[u8]) -> bool {
    String::from_utf8_lossy(output)
        .to_ascii_lowercase()
        .contains("credentials not found")
}

async fn read(pipe: Option<impl AsyncRead + Unpin>) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        pipe.take(MAX_ANSWER + 1).read_to_end(&mut bytes).await?;
    }
    Ok(bytes)
}

fn longest(stdout: &[u8], stderr: &[u8]) -> u64 {
    u64::try_from(stdout.len().max(stderr.len())).unwrap_or(u64::MAX)
}

#[async_trait]
impl CredentialSource for Helper {
    async fn sign_in(&self) -> Result<SignIn, Error> {
        let credential = self.get().await?.unwrap_or(Credential::Anonymous);
        let origin = self.program();
        Ok(SignIn {
            credential,
            origin,
            expires: None,
        })
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A helper that is a shell script; it finds what it was asked in `$server`.
    fn helper(host: &str, script: &str) -> (tempfile::TempDir, Helper) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("docker-credential-test");
        fs::write(&path, format!("#!/bin/sh\nserver=$(cat)\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        let helper = Helper::new("test", &host.parse().unwrap())
            .unwrap()
            .in_directory(directory.path());
        (directory, helper)
    }

    /// A script just written may still be open in a process that another test is starting.
    fn is_busy(error: &Error) -> bool {
        let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<std::io::Error>());
        cause.is_some_and(|cause| cause.kind() == std::io::ErrorKind::ExecutableFileBusy)
    }

    async fn get(host: &str, script: &str) -> Result<Option<Credential>, String> {
        let (_directory, helper) = helper(host, script);
        loop {
            match helper.get().await {
                Err(error) if is_busy(&error) => tokio::task::yield_now().await,
                result => return result.map_err(|error| format!("{error} {error:?}")),
            }
        }
    }

    fn basic(username: &str, password: &str) -> Result<Option<Credential>, String> {
        Ok(Some(Credential::Basic {
            username: username.to_owned(),
            password: password.into(),
        }))
    }

    const ECHO: &str =
        r#"printf '{"ServerURL":"%s","Username":"%s","Secret":"%s"}' "$server" "$1" "$server""#;

    #[tokio::test]
    async fn the_host_is_asked_for_and_the_answer_read() {
        assert_eq!(get("r.example:5000", ECHO).await, basic("get", "r.example:5000"));
        assert_eq!(
            get("docker.io", ECHO).await,
            basic("get", "https://index.docker.io/v1/")
        );
    }

    #[tokio::test]
    async fn a_token_is_an_identity_token() {
        let script = r#"echo '{"Username":"<token>","Secret":"t"}'"#;
        assert_eq!(
            get("r.example", script).await,
            Ok(Some(Credential::IdentityToken("t".into())))
        );
    }

    /// Runs a script as often as it takes for nobody else to have it open.
    async fn until_free<T>(work: impl AsyncFn() -> Result<T, Error>) -> Result<T, String> {
        loop {
            match work().await {
                Err(error) if is_busy(&error) => tokio::task::yield_now().await,
                result => return result.map_err(|error| format!("{error} {error:?}")),
            }
        }
    }

    #[tokio::test]
    async fn a_password_is_kept_and_forgotten_by_the_words_of_the_protocol() {
        let script = r#"printf '%s %s' "$1" "$server" > "$(dirname "$0")/asked""#;
        let (directory, helper) = helper("docker.io", script);
        let asked = || fs::read_to_string(directory.path().join("asked")).unwrap();
        let password = Secret::new("p\"w");
        until_free(async || helper.store("u", &password).await)
            .await
            .unwrap();
        let asked_first = asked();
        let (verb, request) = asked_first.split_once(' ').unwrap();
        let request: serde_json::Value = serde_json::from_str(request).unwrap();
        let expected = serde_json::json!({
            "ServerURL": "https://index.docker.io/v1/", "Username": "u", "Secret": "p\"w",
        });
        assert_eq!((verb, request), ("store", expected));
        assert!(until_free(async || helper.erase().await).await.unwrap());
        assert_eq!(asked(), "erase https://index.docker.io/v1/");
    }

    #[tokio::test]
    async fn what_a_helper_refuses_is_an_error_and_what_it_never_had_is_none() {
        let (_directory, none) = helper(
            "r.example",
            "echo 'credentials not found in native keychain'; exit 1",
        );
        assert!(!until_free(async || none.erase().await).await.unwrap());
        let (_directory, broken) = helper("r.example", "echo CANARY; exit 1");
        let secret = Secret::new("CANARY");
        let error = until_free(async || broken.store("u", &secret).await)
            .await
            .unwrap_err();
        assert!(error.contains("docker-credential-test"), "{error}");
        assert!(!error.contains("CANARY"), "{error}");
    }

    #[tokio::test]
    async fn not_found_is_none() {
        let script = "echo 'credentials not found in native keychain'; exit 1";
        assert_eq!(get("r.example", script).await, Ok(None));
    }

    #[tokio::test]
    async fn any_other_failure_is_an_error_that_quotes_nothing() {
        for script in [
            "echo CANARY; exit 1",
            "echo CANARY >&2; exit 3",
            "echo CANARY",
            r#"echo '{"Username":"CANARY"}'"#,
            r#"echo '{"Username":"u","Secret":""}'"#,
            "head -c 2000000 /dev/zero",
        ] {
            let error = get("r.example", script).await.unwrap_err();
            assert!(error.contains("docker-credential-test"), "{error}");
            assert!(!error.contains("CANARY"), "{error}");
        }
    }

    #[tokio::test]
    async fn a_missing_helper_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let helper = Helper::new("none", &"r.example".parse().unwrap()).unwrap();
        let error = helper.in_directory(directory.path()).get().await.unwrap_err();
        assert!(error.to_string().contains("can't be run"));
    }

    #[test]
    fn a_name_that_is_a_path_or_a_command_is_refused() {
        for name in ["", "../x", "a/b", "a b", "A", "x;y", "$(x)", "x\n"] {
            assert!(
                Helper::new(name, &"r.example".parse().unwrap()).is_err(),
                "{name:?}"
            );
        }
    }
}
