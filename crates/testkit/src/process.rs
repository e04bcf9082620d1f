//! Debian's docker-registry as a process of its own.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use tempfile::TempDir;

use crate::server::Server;

/// The user that [`Access::Password`] lets in.
pub const USERNAME: &str = "mirror";

/// The password of [`USERNAME`].
pub const PASSWORD: &str = "swordfish";

// bcrypt of PASSWORD, the only form that the registry takes.
const HTPASSWD: &str = "mirror:$2y$05$abcdefghijklmnopqrstuupWDwJQeCHYIBQy8WvkVB6ImhZ476YYy\n";

const ANY_PORT: &str = "127.0.0.1:0";

/// Whom a registry lets in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everyone.
    Open,
    /// [`USERNAME`] with [`PASSWORD`], by HTTP Basic.
    Password,
    /// Whoever brings a token of a service: [`TokenService::access`](crate::token_service::TokenService::access).
    Token {
        /// The URL of the service.
        realm: String,
        /// The name of this registry there, the audience of its tokens.
        service: String,
        /// The name of the service in its tokens.
        issuer: String,
        /// The certificates that vouch for the service's key, in PEM.
        rootcertbundle: String,
    },
}

/// Where a registry keeps what it is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Storage {
    /// Below its directory.
    Disk,
    /// In its memory, which spares the disk a thousand small files.
    Memory,
}

/// A running `docker-registry`: storage in a directory of its own, deletion enabled, a free loopback port.
///
/// It is killed when dropped.
#[derive(Debug)]
pub struct DockerRegistry {
    // In this order: the process ends before its directory.
    server: Server,
    directory: TempDir,
}

impl DockerRegistry {
    /// Starts a registry that everyone may use.
    ///
    /// # Panics
    /// Where it does not come up; the message has its log.
    pub async fn start() -> Self {
        Self::start_with(Access::Open).await
    }

    /// Starts a registry.
    ///
    /// # Panics
    /// As [`DockerRegistry::start`].
    pub async fn start_with(access: Access) -> Self {
        Self::start_on(Storage::Disk, access).await
    }

    /// Starts a registry that everyone may use, and that keeps all in its memory: nothing outlives it.
    ///
    /// # Panics
    /// As [`DockerRegistry::start`].
    pub async fn start_in_memory() -> Self {
        Self::start_on(Storage::Memory, Access::Open).await
    }

    async fn start_on(storage: Storage, access: Access) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let file = directory.path().join("config.yml");
        fs::write(&file, configuration(directory.path(), storage, access))
            .expect("the configuration can be written");
        let server = launch(&file).await;
        Self { server, directory }
    }

    /// Returns `127.0.0.1:PORT`.
    #[must_use]
    pub fn host(&self) -> &str {
        self.server.host()
    }

    /// Returns the directory of its storage.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.directory.path()
    }

    /// Returns what it has logged.
    #[must_use]
    pub fn log(&self) -> String {
        self.server.log()
    }

    /// Kills the process, as a power cut would. What it stored stays until the value is dropped.
    ///
    /// # Panics
    /// Where the process cannot be waited for.
    pub fn kill(&mut self) {
        self.server.kill();
    }

    /// Starts the killed registry again, on the same port and with what it had stored.
    ///
    /// # Panics
    /// Where it does not come up.
    pub async fn restart(&mut self) {
        self.kill();
        let file = self.directory.path().join("config.yml");
        let text = fs::read_to_string(&file).expect("the configuration can be read");
        let host = self.host().to_owned();
        fs::write(&file, text.replace(ANY_PORT, &host)).expect("the configuration can be written");
        self.server = launch(&file).await;
        assert_eq!(host, self.host(), "the registry listens where it did");
    }
}

fn configuration(directory: &Path, storage: Storage, access: Access) -> String {
    let root = directory.join("storage");
    let storage = match storage {
        Storage::Disk => format!("filesystem: {{ rootdirectory: {root:?} }}"),
        Storage::Memory => "inmemory: {}".to_owned(),
    };
    let mut text = format!(
        "version: 0.1\n\
         log: {{ level: info, accesslog: {{ disabled: true }} }}\n\
         storage: {{ {storage}, delete: {{ enabled: true }} }}\n\
         validation: {{ manifests: {{ urls: {{ allow: [\"^https://\"] }} }} }}\n\
         http: {{ addr: \"{ANY_PORT}\", secret: testkit }}\n"
    );
    match access {
        Access::Open => Ok(()),
        Access::Password => {
            let path = file(directory, "htpasswd", HTPASSWD);
            writeln!(text, "auth: {{ htpasswd: {{ realm: testkit, path: {path:?} }} }}")
        }
        Access::Token {
            realm,
            service,
            issuer,
            rootcertbundle,
        } => {
            let path = file(directory, "roots.pem", &rootcertbundle);
            let named = format!("realm: {realm:?}, service: {service:?}, issuer: {issuer:?}");
            writeln!(text, "auth: {{ token: {{ {named}, rootcertbundle: {path:?} }} }}")
        }
    }
    .expect("a string takes all that is written");
    text
}

fn file(directory: &Path, name: &str, text: &str) -> PathBuf {
    let path = directory.join(name);
    fs::write(&path, text).expect("a file of the registry can be written");
    path
}

async fn launch(file: &Path) -> Server {
    let mut command = Command::new("docker-registry");
    command
        .arg("serve")
        .arg(file)
        // REGISTRY_* would override the file.
        .env_clear()
        .env("PATH", env::var_os("PATH").unwrap_or_default());
    Server::launch(command, "listening on ").await
}
