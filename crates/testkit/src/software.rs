//! Software that the tests need and did not write.

use std::env;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use crate::python;

/// How a test goes on without a piece of software.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// It is there.
    Met,
    /// It is not: the test returns, and has said so.
    Skip,
}

/// Asks for a program of `PATH`.
///
/// A missing one is said on standard error in a line that begins with `SKIPPED:`, past the capture of the test
/// harness, so that it is seen and counted.
///
/// # Panics
/// Under `CI=true`, where the program is missing: nothing is skipped there.
#[must_use]
pub fn need(program: &str) -> Need {
    if find(program).is_some() {
        return Need::Met;
    }
    miss(&format!("{program} is not installed"))
}

/// Asks for a module of the Python environment, and says a missing one as [`need`] does.
///
/// # Panics
/// As [`need`].
#[must_use]
pub fn need_python(module: &str) -> Need {
    if python::has(module) {
        return Need::Met;
    }
    miss(&format!(
        "the Python environment has no {module}, cargo xtask test makes it"
    ))
}

/// Asks for a program that Go builds, of `PATH` or as `cargo xtask test` builds it, and says a missing one as [`need`] does.
///
/// # Panics
/// As [`need`].
#[must_use]
pub fn need_built(program: &str) -> Need {
    if find_built(program).is_some() {
        return Need::Met;
    }
    miss(&format!(
        "{program} is not built, cargo xtask test builds it where Go is installed"
    ))
}

/// How deep below the target directory a test stands at most: `<target>/<triple>/<profile>/deps/<test>`.
const DEPTH: usize = 5;

fn find_built(program: &str) -> Option<PathBuf> {
    let test = env::current_exe().ok()?;
    let built = test
        .ancestors()
        .take(DEPTH)
        .filter_map(|directory| directory.join("go/bin").read_dir().ok())
        .flatten()
        .flatten()
        .map(|version| version.path().join(program))
        .find(|file| file.is_file());
    built.or_else(|| find(program))
}

/// Runs a program that [`need_built`] found to its end, in a directory that is its home too, with nothing of docker's,
/// and returns what it printed.
///
/// # Panics
/// Where it cannot be run or fails.
pub async fn built(program: &str, home: &Path, arguments: &[&str]) -> Vec<u8> {
    let file = find_built(program).expect("the program was asked for");
    let mut command = Command::new(file);
    command
        .args(arguments)
        .current_dir(home)
        .env("HOME", home)
        .env("DOCKER_CONFIG", home);
    succeed(command, program, arguments).await
}

fn miss(what: &str) -> Need {
    assert!(
        env::var("CI").as_deref() != Ok("true"),
        "{what}, and under CI=true nothing is skipped"
    );
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    writeln!(io::stderr(), "SKIPPED: {test}: {what}").expect("standard error is open");
    Need::Skip
}

/// Finds a program in `PATH`, and in the directories that hold Debian's.
#[must_use]
pub fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/bin".into(), "/usr/local/bin".into()])
        .map(|directory| directory.join(program))
        .find(|file| file.is_file())
}

/// Runs skopeo to its end and returns what it printed.
///
/// # Panics
/// Where skopeo cannot be run or fails.
pub async fn skopeo(arguments: &[&str]) -> Vec<u8> {
    let mut command = Command::new("skopeo");
    command.arg("--insecure-policy").args(arguments);
    succeed(command, "skopeo", arguments).await
}

async fn succeed(mut command: Command, program: &str, arguments: &[&str]) -> Vec<u8> {
    let output = command
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap_or_else(|error| panic!("{program} cannot be run: {error}"));
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

/// Reads a manifest's bytes as skopeo sees them.
///
/// # Panics
/// As [`skopeo`].
pub async fn skopeo_raw(host: &str, repository: &str, reference: &str) -> Vec<u8> {
    let separator = if reference.contains(':') { '@' } else { ':' };
    let place = format!("docker://{host}/{repository}{separator}{reference}");
    skopeo(&["inspect", "--raw", "--tls-verify=false", &place]).await
}
