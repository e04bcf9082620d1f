//! Programs of others that Go builds from source, beside the profiles of cargo's target directory.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::find;
use super::quiet::{heard, quiet};

/// What is built and what it is built from, below the target directory.
const DIRECTORY: &str = "go";

/// How many packages are compiled at once: the tests are built beside them.
const PARALLEL: &str = "2";

/// How a program comes out of its module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Recipe {
    /// By `go install`.
    Install,
    /// By `go build` in the module's own directory: `go install` refuses a module that replaces others.
    Inside,
}

/// A program, with its module at a version that `go.sum`'s public log vouches for.
#[derive(Clone, Copy, Debug)]
struct Program {
    name: &'static str,
    module: &'static str,
    version: &'static str,
    recipe: Recipe,
}

impl Program {
    const fn new(name: &'static str, module: &'static str, version: &'static str, recipe: Recipe) -> Self {
        Self {
            name,
            module,
            version,
            recipe,
        }
    }
}

const PROGRAMS: [Program; 5] = [
    Program::new(
        "crane",
        "github.com/google/go-containerregistry",
        "v0.22.1",
        Recipe::Install,
    ),
    Program::new("oras", "oras.land/oras", "v1.3.6", Recipe::Install),
    Program::new(
        "regctl",
        "github.com/regclient/regclient",
        "v0.11.7",
        Recipe::Install,
    ),
    Program::new(
        "regsync",
        "github.com/regclient/regclient",
        "v0.11.7",
        Recipe::Install,
    ),
    Program::new(
        "umoci",
        "github.com/opencontainers/umoci",
        "v0.6.0",
        Recipe::Inside,
    ),
];

/// Builds what is missing.
pub(super) fn provide() {
    for program in PROGRAMS {
        let name = program.name;
        match build(program) {
            Ok(path) => println!("==> {name} is {}", path.display()),
            Err(reason) => {
                println!("==> no {name}: {reason}; the tests that need it will be skipped");
            }
        }
    }
}

fn build(program: Program) -> Result<PathBuf, String> {
    let own = env::current_exe().map_err(|error| format!("where this program stands: {error}"))?;
    let directory = beside_profile(&own).ok_or("this program stands in no target directory")?;
    // A version has a directory of its own, so that another one is built and not mistaken.
    let bin = directory.join("bin").join(program.version);
    let path = bin.join(program.name);
    if path.is_file() {
        return Ok(path);
    }
    let go = Go {
        program: find("go")
            .or_else(|| Some(PathBuf::from("/usr/local/go/bin/go")).filter(|go| go.is_file()))
            .ok_or("go is not installed")?,
        cache: directory.join("cache"),
    };
    println!(
        "==> building {} {} of {}",
        program.name, program.version, program.module
    );
    match program.recipe {
        Recipe::Install => go.install(program, &bin)?,
        Recipe::Inside => go.build_inside(program, &path)?,
    }
    Ok(path)
}

struct Go {
    program: PathBuf,
    cache: PathBuf,
}

impl Go {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).env("GOCACHE", &self.cache);
        command
    }

    fn install(&self, program: Program, bin: &Path) -> Result<(), String> {
        let package = format!("{}/cmd/{}@{}", program.module, program.name, program.version);
        let mut install = self.command(&["install", "-p", PARALLEL, &package]);
        quiet(install.env("GOBIN", bin))
    }

    fn build_inside(&self, program: Program, path: &Path) -> Result<(), String> {
        let module = format!("{}@{}", program.module, program.version);
        quiet(&mut self.command(&["mod", "download", &module]))?;
        let directory = heard(&mut self.command(&["list", "-m", "-f", "{{.Dir}}", &module]))?;
        let package = format!("./cmd/{}", program.name);
        let mut build = self.command(&["build", "-p", PARALLEL, "-o"]);
        quiet(build.arg(path).arg(package).current_dir(directory.trim()))
    }
}

/// `<target>/go` of a program in `<target>/<profile>`.
fn beside_profile(program: &Path) -> Option<PathBuf> {
    Some(program.parent()?.parent()?.join(DIRECTORY))
}
