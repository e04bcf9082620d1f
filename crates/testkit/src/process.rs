//! Debian's docker-registry as a process of its own.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::{env, fs, thread};

use tempfile::TempDir;
use tokio::sync::oneshot;

/// The user that [`Access::Password`] lets in.
pub const USERNAME: &str = "mirror";

/// The password of [`USERNAME`].
pub const PASSWORD: &str = "swordfish";

// bcrypt of PASSWORD, the only form that the registry takes.
const HTPASSWD: &str = "mirror:$2y$05$abcdefghijklmnopqrstuupWDwJQeCHYIBQy8WvkVB6ImhZ476YYy\n";

/// Whom a registry lets in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everyone.
    Open,
    /// [`USERNAME`] with [`PASSWORD`], by HTTP Basic.
    Password,
}

/// A running `docker-registry`: storage in a directory of its own, deletion enabled, a free loopback port.
///
/// It is killed when dropped.
#[derive(Debug)]
pub struct DockerRegistry {
    directory: TempDir,
    host: String,
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
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
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        fs::write(directory.path().join("htpasswd"), HTPASSWD).expect("the password file can be written");
        let file = directory.path().join("config.yml");
        fs::write(&file, configuration(directory.path(), access, "127.0.0.1:0"))
            .expect("the configuration can be written");
        let (child, host, log) = launch(&file).await;
        Self {
            directory,
            host,
            child,
            log,
        }
    }

    /// Returns `127.0.0.1:PORT`.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the directory of its storage.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.directory.path()
    }

    /// Returns what it has logged.
    ///
    /// # Panics
    /// Never: nothing panics while it holds the log.
    #[must_use]
    pub fn log(&self) -> String {
        self.log.lock().expect("no holder of the log panics").join("\n")
    }

    /// Kills the process, as a power cut would. What it stored stays until the value is dropped.
    ///
    /// # Panics
    /// Where the process cannot be waited for.
    pub fn kill(&mut self) {
        // An error says that it has ended already.
        let _ = self.child.kill();
        self.child.wait().expect("a child can be waited for");
    }

    /// Starts the killed registry again, on the same port and with what it had stored.
    ///
    /// # Panics
    /// Where it does not come up.
    pub async fn restart(&mut self) {
        self.kill();
        let file = self.directory.path().join("config.yml");
        let text = fs::read_to_string(&file).expect("the configuration can be read");
        fs::write(&file, text.replace("127.0.0.1:0", &self.host)).expect("the configuration can be written");
        let (child, host, log) = launch(&file).await;
        assert_eq!(host, self.host, "the registry listens where it did");
        self.child = child;
        self.log = log;
    }
}

impl Drop for DockerRegistry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn configuration(directory: &Path, access: Access, address: &str) -> String {
    let root = directory.join("storage");
    let mut text = format!(
        "version: 0.1\n\
         log: {{ level: info, accesslog: {{ disabled: true }} }}\n\
         storage: {{ filesystem: {{ rootdirectory: {root:?} }}, delete: {{ enabled: true }} }}\n\
         http: {{ addr: \"{address}\", secret: testkit }}\n"
    );
    if access == Access::Password {
        let path = directory.join("htpasswd");
        writeln!(text, "auth: {{ htpasswd: {{ realm: testkit, path: {path:?} }} }}")
            .expect("a string takes all that is written");
    }
    text
}

async fn launch(file: &Path) -> (Child, String, Arc<Mutex<Vec<String>>>) {
    let mut child = Command::new("docker-registry")
        .arg("serve")
        .arg(file)
        // REGISTRY_* would override the file.
        .env_clear()
        .env("PATH", env::var_os("PATH").unwrap_or_default())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("docker-registry can be started");
    let stderr = child.stderr.take().expect("standard error is piped");
    let log = Arc::new(Mutex::new(Vec::new()));
    let (ready, listening) = oneshot::channel();
    thread::spawn({
        let log = Arc::clone(&log);
        move || follow(stderr, &log, ready)
    });
    match listening.await {
        Ok(host) => (child, host, log),
        Err(_) => {
            let _ = child.kill();
            let _ = child.wait();
            panic!("docker-registry ended: {:#?}", log.lock());
        }
    }
}

/// Reads the log to its end; the line that names the address says that the registry is ready.
fn follow(stderr: ChildStderr, log: &Mutex<Vec<String>>, ready: oneshot::Sender<String>) {
    let mut ready = Some(ready);
    for line in BufReader::new(stderr).lines().map_while(Result::ok) {
        let host = line
            .split_once("listening on ")
            .and_then(|(_, rest)| rest.split(['"', ' ']).next())
            .map(str::to_owned);
        log.lock().expect("no holder of the log panics").push(line);
        if let Some((host, ready)) = host.and_then(|host| Some((host, ready.take()?))) {
            // Nobody waits any more where the test has been given up.
            let _ = ready.send(host);
        }
    }
}
