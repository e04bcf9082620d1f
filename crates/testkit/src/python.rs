//! Python with what `tests/python/requirements.txt` pins: doubles of clouds, and the clouds' own clients as oracles.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{self, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::Command;

use crate::server::Server;

// Far beyond any script of the suite: a hanging client ends a test instead of the whole job.
const LIMIT: Duration = Duration::from_secs(120);

/// How deep below the target directory a test stands at most: `<target>/<triple>/<profile>/deps/<test>`.
const DEPTH: usize = 5;

/// Runs a module in a session of its own, with all it says in its log, until the test that holds its input is gone.
const LAUNCHER: &str = r#"
import os, runpy, signal, sys, threading

def outlived():
    os.read(0, 1)
    os.killpg(0, signal.SIGKILL)

os.setsid()
os.dup2(2, 1)
threading.Thread(target=outlived, daemon=True).start()
runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
"#;

/// Returns the environment's interpreter: the one that `TRANSSHIP_PYTHON` names, or the one that `cargo xtask test`
/// left in the target directory of this test.
#[must_use]
pub fn interpreter() -> Option<PathBuf> {
    env::var_os("TRANSSHIP_PYTHON")
        .map(PathBuf::from)
        .or_else(beside_profile)
        .filter(|python| python.is_file())
}

fn beside_profile() -> Option<PathBuf> {
    let test = env::current_exe().ok()?;
    test.ancestors()
        .take(DEPTH)
        .map(|directory| directory.join("python/bin/python"))
        .find(|python| python.is_file())
}

/// Tells whether the environment has a module, `google.cloud.artifactregistry_v1` for example.
#[must_use]
pub fn has(module: &str) -> bool {
    let Some(python) = interpreter() else {
        return false;
    };
    let script = "import importlib.util, sys; sys.exit(importlib.util.find_spec(sys.argv[1]) is None)";
    let status = process::Command::new(python)
        .args(["-c", script, module])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}

/// Runs a script to its end, with nothing of this process's environment but `PATH`, and returns what it printed.
///
/// # Panics
/// Where there is no environment, and where the script fails or does not end; the message has its standard error.
pub async fn run(script: &str, environment: &[(&str, &str)]) -> String {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let mut command = Command::from(command(directory.path()));
    command
        .arg("-c")
        .arg(script)
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = tokio::time::timeout(LIMIT, command.output())
        .await
        .unwrap_or_else(|_| panic!("the script does not end:\n{script}"))
        .expect("python can be run");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n--- of the script\n{script}");
    String::from_utf8(output.stdout).expect("a script prints UTF-8")
}

fn command(directory: &Path) -> process::Command {
    let python = interpreter().expect("cargo xtask test makes the Python environment");
    let mut command = process::Command::new(python);
    command
        .current_dir(directory)
        .env_clear()
        .env("PATH", env::var_os("PATH").unwrap_or_default())
        .env("HOME", directory)
        .env("TMPDIR", directory)
        .env("PYTHONUNBUFFERED", "1")
        .env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// A server written in Python, in a directory of its own.
#[derive(Debug)]
pub(crate) struct Served {
    server: Server,
    url: String,
    _directory: TempDir,
}

impl Served {
    /// Starts a module with its arguments.
    ///
    /// # Panics
    /// As [`Server::launch`].
    pub(crate) async fn start(module: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let mut command = command(directory.path());
        command
            .args(["-c", LAUNCHER, module])
            .args(arguments)
            .envs(environment.iter().copied());
        let server = Server::launch(command, "Running on http://").await;
        Self {
            url: format!("http://{}", server.host()),
            server,
            _directory: directory,
        }
    }

    pub(crate) fn host(&self) -> &str {
        self.server.host()
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn log(&self) -> String {
        self.server.log()
    }
}
