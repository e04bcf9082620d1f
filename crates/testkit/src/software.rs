//! Software that the tests need and did not write.

use std::env;
use std::io::{self, Write as _};
use std::path::PathBuf;
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
    let output = Command::new("skopeo")
        .arg("--insecure-policy")
        .args(arguments)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .expect("skopeo can be run");
    assert!(
        output.status.success(),
        "skopeo {arguments:?}: {}",
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
