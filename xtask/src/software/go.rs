//! Programs of others that Go builds from source, beside the profiles of cargo's target directory.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::find;
use super::quiet::quiet;

/// The directory of programs below the target directory.
const DIRECTORY: &str = "go/bin";

/// The programs, each with its module at a version that `go.sum`'s public log vouches for.
const PROGRAMS: [(&str, &str); 1] = [("regsync", "github.com/regclient/regclient/cmd/regsync@v0.11.7")];

/// Builds what is missing.
pub(super) fn provide() {
    for (program, module) in PROGRAMS {
        match build(program, module) {
            Ok(path) => println!("==> {program} is {}", path.display()),
            Err(reason) => {
                println!("==> no {program}: {reason}; the tests that need it will be skipped");
            }
        }
    }
}

fn build(program: &str, module: &str) -> Result<PathBuf, String> {
    let own = env::current_exe().map_err(|error| format!("where this program stands: {error}"))?;
    let directory = beside_profile(&own).ok_or("this program stands in no target directory")?;
    // A version has a directory of its own, so that another one is built and not mistaken.
    let version = module.rsplit('@').next().unwrap_or_default();
    let directory = directory.join(version);
    let path = directory.join(program);
    if path.is_file() {
        return Ok(path);
    }
    let go = find("go")
        .or_else(|| Some(PathBuf::from("/usr/local/go/bin/go")).filter(|go| go.is_file()))
        .ok_or("go is not installed")?;
    println!("==> go install {module}");
    let mut command = Command::new(go);
    quiet(command.args(["install", module]).env("GOBIN", &directory))?;
    Ok(path)
}

/// `<target>/go/bin` of a program in `<target>/<profile>`.
fn beside_profile(program: &Path) -> Option<PathBuf> {
    Some(program.parent()?.parent()?.join(DIRECTORY))
}
