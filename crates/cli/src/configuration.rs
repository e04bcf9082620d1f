//! Reads a configuration from a file or from standard input.

use std::io;
use std::path::{Path, PathBuf};

use planner::Spec;
use planner::config::{self, Input};

use crate::arguments::{Narrow, Trust};
use crate::context::{Context, environment};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files;

/// More than any configuration needs, and little enough to hold in memory.
const MAX_CONFIGURATION: u64 = 8 << 20;

/// A configuration, and the directory that its relative paths count from.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// What it says.
    pub(crate) spec: Spec,
    /// Where it stands.
    pub(crate) directory: PathBuf,
    /// What the command line keeps of it, where that can be told only once repositories are found.
    pub(crate) only: Vec<String>,
}

/// Reads and resolves a configuration, narrowed to what the command line keeps.
///
/// # Errors
/// A configuration that can't be read or is refused (65), and flags that keep nothing or are not there yet (64).
pub(crate) fn load(file: &Path, narrow: &Narrow) -> Result<Loaded, Failure> {
    if narrow.shard.is_some() {
        return Err(Failure::not_yet("`--shard`"));
    }
    let source = files::Input::new(file);
    let text = read(&source)?;
    let input = Input {
        name: &source.name(),
        text: &text,
        environment: &environment,
    };
    let spec = config::parse(&input).map_err(|problems| refuse(&problems))?;
    let later = !spec.discovers().is_empty();
    let (now, only) = match later {
        true => (&[][..], narrow.only.clone()),
        false => (&narrow.only[..], Vec::new()),
    };
    Ok(Loaded {
        spec: narrowed(spec, now)?,
        directory: source.directory(),
        only,
    })
}

/// Checks a configuration without its environment, and returns what it says.
///
/// # Errors
/// A configuration that can't be read or is refused (65).
pub(crate) fn check(file: &Path) -> Result<Spec, Failure> {
    let source = files::Input::new(file);
    let text = read(&source)?;
    let input = Input {
        name: &source.name(),
        text: &text,
        environment: &environment,
    };
    config::parse_offline(&input).map_err(|problems| refuse(&problems))
}

/// Warns where a configuration wants nothing.
pub(crate) fn warn_of_nothing(context: &Context, spec: &Spec) {
    if spec.mirrors.is_empty() {
        context
            .terminal
            .say("warning: there is nothing to do: the configuration has no mirrors");
    }
}

/// Overrides how far unchanged tags are trusted, where the command line says so.
pub(crate) fn trusted(spec: Spec, trust: Trust) -> Spec {
    match trust.check {
        Some(check) => spec.with_check(check.into()),
        None => spec,
    }
}

/// Keeps what the command line keeps.
///
/// # Errors
/// Flags that keep nothing (64).
pub(crate) fn narrowed(spec: Spec, only: &[String]) -> Result<Spec, Failure> {
    if only.is_empty() {
        return Ok(spec);
    }
    spec.only(only)
        .map_err(|problem| Failure::usage(format!("--only: {problem}")))
}

fn refuse(problems: &config::Diagnostics) -> Failure {
    let exit = if problems.only_unimplemented() {
        Exit::Usage
    } else {
        Exit::Refused
    };
    Failure::rendered(exit, problems.to_string())
}

fn read(source: &files::Input) -> Result<String, Failure> {
    let bytes = source
        .read(MAX_CONFIGURATION)
        .map_err(|error| unreadable(source, &error))?;
    String::from_utf8(bytes).map_err(|_| Failure::refused(format!("{} is not UTF-8", source.name())))
}

fn unreadable(source: &files::Input, error: &io::Error) -> Failure {
    let failure = Failure::refused(format!("can't read the configuration {}", source.name())).because(error);
    match error.kind() {
        io::ErrorKind::NotFound => {
            failure.hint("`transship init` writes a configuration to start from; `-f FILE` names another")
        }
        _ => failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exit_of(text: &str) -> Option<Exit> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("transship.yaml");
        std::fs::write(&path, text).unwrap();
        load(&path, &Narrow::default())
            .err()
            .map(|failure| failure.exit())
    }

    #[test]
    fn a_wrong_configuration_is_refused() {
        assert_eq!(exit_of("version: 1\nmirors: []\n"), Some(Exit::Refused));
    }

    #[test]
    fn a_configuration_that_asks_for_what_is_not_there_yet_is_a_usage_error() {
        let text = "version: 1\nmirrors:\n  - { from: \"oci:layout:a:v1\", to: c.example/d }\n";
        assert_eq!(exit_of(text), Some(Exit::Usage));
    }

    #[test]
    fn a_missing_configuration_says_how_to_get_one() {
        let failure = load(Path::new("/nowhere/transship.yaml"), &Narrow::default()).unwrap_err();
        assert_eq!(failure.exit(), Exit::Refused);
        assert!(failure.render().contains("transship init"));
    }
}
