//! The binary: arguments, files, terminal and exit codes over the libraries.

mod arguments;
mod commands;
mod configuration;
mod connect;
mod context;
mod credential_file;
mod credentials;
mod demo;
mod execution;
mod exit;
mod failure;
mod files;
mod locks;
mod platform;
mod problem;
mod progress;
mod prompt;
mod reference;
mod report;
mod run;
mod saved_plan;
mod signals;
mod survey;
mod terminal;

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(run::main().code())
}
