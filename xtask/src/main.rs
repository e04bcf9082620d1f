//! The commands we help ourselves with: `cargo xtask test`, `software`, `conformance`.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a tool of the terminal prints"
)]

mod conformance;
mod outcome;
mod software;
mod test;

use std::env;
use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask <test | software | conformance>

  test         installs what the tests need where it may, builds, runs every test, says what was skipped
  software     installs what the tests need where it may, and stops there
  conformance  runs the conformance suite of the distribution specification against the embedded registry";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let result = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["test"] => test::run(),
        ["software"] => {
            software::provide();
            Ok(())
        }
        ["conformance"] => conformance::run(),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(64);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
