//! A Python environment with what `tests/python/requirements.txt` pins, beside the profiles of cargo's target directory.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

use super::find;
use super::quiet::quiet;
use crate::test::root;

const REQUIREMENTS: &str = "tests/python/requirements.txt";

/// Makes the environment, unless it stands already as the requirements say.
pub(super) fn provide() -> Option<PathBuf> {
    match environment() {
        Ok(python) => Some(python),
        Err(reason) => {
            println!("==> no Python environment: {reason}; the tests that need it will be skipped");
            None
        }
    }
}

/// Tells whether `python3 -m venv` would do its work.
pub(super) fn makes_environments() -> bool {
    find("python3").is_some_and(|python| runs(&python, "import ensurepip, venv"))
}

fn environment() -> Result<PathBuf, String> {
    let own = env::current_exe().map_err(|error| format!("where this program stands: {error}"))?;
    let directory = beside_profile(&own).ok_or("this program stands in no target directory")?;
    let python = directory.join("bin/python");
    let file = root().join(REQUIREMENTS);
    let wanted = fs::read_to_string(&file).map_err(|error| format!("{REQUIREMENTS}: {error}"))?;
    // Written last: an environment without it, or with another one, is rebuilt.
    let stamp = directory.join("requirements.txt");
    if fs::read_to_string(&stamp).is_ok_and(|made| made == wanted) && runs(&python, "pass") {
        println!("==> the Python environment is as {REQUIREMENTS} says");
        return Ok(python);
    }
    println!("==> making the Python environment {}", directory.display());
    make(&directory, &python, &file)?;
    fs::write(&stamp, wanted).map_err(|error| format!("{}: {error}", stamp.display()))?;
    Ok(python)
}

fn make(directory: &Path, python: &Path, requirements: &Path) -> Result<(), String> {
    let system = find("python3").ok_or("python3 is not installed")?;
    let mut venv = Command::new(system);
    quiet(venv.args(["-m", "venv", "--clear"]).arg(directory))?;
    let mut pip = Command::new(python);
    pip.args(["-m", "pip", "install", "--quiet", "--no-input"])
        .arg("--disable-pip-version-check")
        // Nobody's build scripts run here, and no compiler is needed.
        .arg("--only-binary=:all:")
        .arg("--requirement")
        .arg(requirements);
    quiet(&mut pip)
}

fn runs(python: &Path, script: &str) -> bool {
    let status = Command::new(python)
        .args(["-c", script])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}

/// `<target>/python` of a program in `<target>/<profile>`.
fn beside_profile(program: &Path) -> Option<PathBuf> {
    Some(program.parent()?.parent()?.join("python"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::beside_profile;

    #[test]
    fn the_environment_stands_beside_the_profiles() {
        let directory = beside_profile(Path::new("/build/debug/xtask"));
        assert_eq!(directory.as_deref(), Some(Path::new("/build/python")));
    }
}
