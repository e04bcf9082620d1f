//! `cargo xtask test`: everything that the tests need, then every test there is.

use std::env;
use std::io::{BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use crate::outcome::Outcome;
use crate::software;

// Real registries and a gigabyte of streams share the machine: more threads than this only make clocks unfair.
const THREADS: usize = 4;

/// Installs what is missing, builds, runs all tests, and prints the sums.
pub(crate) fn run() -> Result<(), String> {
    let python = software::provide();
    let cargo = |arguments: &[&str]| cargo(arguments, python.as_deref());
    step(cargo(&["build", "--workspace", "--all-targets", "--locked"]))?;
    let mut outcome = Outcome::default();
    let mut complete = true;
    for selection in ["--all-targets", "--doc"] {
        let (heard, success) = listen(cargo(&[
            "test",
            "--workspace",
            "--locked",
            "--no-fail-fast",
            selection,
        ]))?;
        outcome.merge(heard);
        complete &= success;
    }
    for skipped in outcome.skipped() {
        println!("SKIPPED: {skipped}");
    }
    println!("{outcome}");
    judge(&outcome, complete)
}

fn judge(outcome: &Outcome, complete: bool) -> Result<(), String> {
    if !complete {
        return Err("some tests failed or did not build".to_owned());
    }
    if outcome.is_empty() {
        return Err("not one test ran".to_owned());
    }
    if outcome.skips() > 0 && env::var("CI").as_deref() == Ok("true") {
        return Err("under CI=true nothing may be skipped".to_owned());
    }
    Ok(())
}

fn cargo(arguments: &[&str], python: Option<&Path>) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .args(arguments)
        .current_dir(root())
        .env("TRANSSHIP_BIN", binary())
        .env("RUST_TEST_THREADS", threads().to_string());
    if let Some(python) = python {
        command.env("TRANSSHIP_PYTHON", python);
    }
    command
}

fn threads() -> usize {
    thread::available_parallelism().map_or(1, |cores| cores.get().min(THREADS))
}

/// The binary that `cargo build` leaves beside this one.
fn binary() -> PathBuf {
    let own = env::current_exe().unwrap_or_default();
    own.with_file_name(format!("transship{}", env::consts::EXE_SUFFIX))
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap_or(Path::new("."))
}

fn step(mut command: Command) -> Result<(), String> {
    println!("==> {}", words(&command));
    let status = command.status().map_err(|error| format!("cargo: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{}: {status}", words(&command)))
    }
}

/// Runs a command, repeats what it says, and adds it up.
fn listen(mut command: Command) -> Result<(Outcome, bool), String> {
    println!("==> {}", words(&command));
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cargo: {error}"))?;
    let errors = child.stderr.take();
    let listener = thread::spawn(move || errors.map(|stream| follow(stream, |line| eprintln!("{line}"))));
    let mut outcome = child
        .stdout
        .take()
        .map(|stream| follow(stream, |line| println!("{line}")))
        .unwrap_or_default();
    if let Ok(Some(heard)) = listener.join() {
        outcome.merge(heard);
    }
    let status = child.wait().map_err(|error| format!("cargo: {error}"))?;
    Ok((outcome, status.success()))
}

fn follow(stream: impl Read, repeat: impl Fn(&str)) -> Outcome {
    let mut outcome = Outcome::default();
    for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line);
        repeat(&line);
        outcome.hear(&line);
    }
    outcome
}

fn words(command: &Command) -> String {
    let arguments = command
        .get_args()
        .map(|argument| argument.to_string_lossy().into_owned());
    format!("cargo {}", arguments.collect::<Vec<_>>().join(" "))
}
