//! The `transship` binary, built once and run with nothing of the machine around it but `PATH`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;
use std::{env, fs};

use tempfile::TempDir;
use tokio::process;

// Far beyond any run of the suite: a hanging program ends a test instead of the whole job.
const LIMIT: Duration = Duration::from_secs(180);

/// Returns the path of the binary, building it first unless `TRANSSHIP_BIN` names one.
///
/// # Panics
/// Where it does not build.
pub fn transship() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| env::var_os("TRANSSHIP_BIN").map_or_else(build, PathBuf::from))
}

fn build() -> PathBuf {
    let test = env::current_exe().expect("a test knows its own path");
    let profile = test
        .ancestors()
        .nth(2)
        .expect("a test stands in <target>/<profile>/deps")
        .to_owned();
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--package", "transship", "--bin", "transship"]);
    command
        .arg("--target-dir")
        .arg(profile.parent().expect("a profile stands in a target directory"));
    if profile.ends_with("release") {
        command.arg("--release");
    }
    let status = command.status().expect("cargo can be run");
    assert!(status.success(), "the binary does not build");
    profile.join("transship")
}

/// A directory of its own, a home of its own, and no environment.
#[derive(Debug)]
pub struct Sandbox {
    directory: TempDir,
    environment: Vec<(String, String)>,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a run that nobody looks at proves nothing"]
pub struct Output {
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// The exit code; -1 where a signal ended it.
    pub code: i32,
}

impl Output {
    /// Asserts the exit code, and shows everything where it is another.
    ///
    /// # Panics
    /// Where it is another.
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(
            self.code, code,
            "\n--- stdout\n{}\n--- stderr\n{}",
            self.stdout, self.stderr
        );
        self
    }

    /// Asserts that standard output contains each of `texts`.
    ///
    /// # Panics
    /// Where it does not.
    pub fn says(self, texts: &[&str]) -> Self {
        assert_contains(&self.stdout, texts);
        self
    }

    /// Asserts that standard error contains each of `texts`.
    ///
    /// # Panics
    /// Where it does not.
    pub fn warns(self, texts: &[&str]) -> Self {
        assert_contains(&self.stderr, texts);
        self
    }
}

fn assert_contains(output: &str, texts: &[&str]) {
    for text in texts {
        assert!(output.contains(text), "`{text}` is not in:\n{output}");
    }
}

impl Default for Sandbox {
    fn default() -> Self {
        Self::new()
    }
}

impl Sandbox {
    /// Makes an empty one.
    ///
    /// # Panics
    /// Where no temporary directory can be made.
    #[must_use]
    pub fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        for part in ["home", "work", "tmp"] {
            fs::create_dir(directory.path().join(part)).expect("a directory can be made");
        }
        Self {
            directory,
            environment: Vec::new(),
        }
    }

    /// Sets an environment variable for the runs to come.
    pub fn set(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// Leaves an environment variable out of the runs to come.
    pub fn unset(&mut self, name: &str) {
        self.environment.retain(|(known, _)| known != name);
    }

    /// Returns the path of a file in the working directory.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join("work").join(name)
    }

    /// Returns the home directory.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.directory.path().join("home")
    }

    /// Returns the directory that `TMPDIR` names.
    #[must_use]
    pub fn temporary(&self) -> PathBuf {
        self.directory.path().join("tmp")
    }

    /// Writes a file into the working directory.
    ///
    /// # Panics
    /// Where it cannot be written.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a file has a parent")).expect("a directory can be made");
        fs::write(&path, text).expect("a file of the sandbox can be written");
        path
    }

    /// Reads a file of the working directory.
    ///
    /// # Panics
    /// Where there is none.
    #[must_use]
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Returns the binary as a command: to be run in the working directory, without input, killed when dropped.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> process::Command {
        let mut command = process::Command::new(transship());
        command
            .args(arguments)
            .current_dir(self.path(""))
            .env_clear()
            .env("PATH", env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.home())
            .env("DOCKER_CONFIG", self.home().join(".docker"))
            .env("XDG_CONFIG_HOME", self.home().join(".config"))
            .env("XDG_CACHE_HOME", self.home().join(".cache"))
            .env("XDG_DATA_HOME", self.home().join(".local/share"))
            .env("XDG_RUNTIME_DIR", self.home().join(".run"))
            .env("TMPDIR", self.temporary())
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Runs the binary to its end.
    ///
    /// # Panics
    /// Where it cannot be run, or does not end.
    pub async fn run(&self, arguments: &[&str]) -> Output {
        let child = self.command(arguments).spawn().expect("the binary can be run");
        finish(child, arguments).await
    }
}

/// Waits for a run to end.
///
/// # Panics
/// Where it does not end.
pub async fn finish(child: process::Child, arguments: &[&str]) -> Output {
    let output = tokio::time::timeout(LIMIT, child.wait_with_output())
        .await
        .unwrap_or_else(|_| panic!("transship {arguments:?} does not end"))
        .expect("a child can be waited for");
    Output {
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        code: output.status.code().unwrap_or(-1),
    }
}
