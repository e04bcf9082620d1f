//! From the command line to an exit code.

use clap::Parser;
use jiff::Timestamp;
use tokio::runtime::{Builder, Runtime};

use crate::arguments::Arguments;
use crate::commands;
use crate::context::{Context, environment_path};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::locks::Company;
use crate::signals::Signals;
use crate::terminal::{Loudness, Terminal};

/// Runs the program and returns how it ends.
pub(crate) fn main() -> Exit {
    let started = Timestamp::now();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return explain(&error),
    };
    let terminal = Terminal::new(loudness(&arguments), environment_path("NO_COLOR").is_some());
    let ended = match Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => drive(runtime, terminal.clone(), started, arguments),
        Err(error) => Err(Failure::failed("start the runtime").because(&error)),
    };
    ended.unwrap_or_else(|failure| {
        terminal.error(failure.render().trim_end());
        failure.exit()
    })
}

fn drive(
    runtime: Runtime,
    terminal: Terminal,
    started: Timestamp,
    arguments: Arguments,
) -> Result<Exit, Failure> {
    let ended = runtime.block_on(async {
        let signals =
            Signals::listen().map_err(|error| Failure::failed("listen for signals").because(&error))?;
        let context = Context {
            terminal,
            signals,
            started,
            company: Company::Others,
        };
        commands::run(&context, arguments.command).await
    });
    // A thread may still wait for an answer on standard input.
    runtime.shutdown_background();
    ended
}

/// Prints help, the version, or what is wrong with the command line.
fn explain(error: &clap::Error) -> Exit {
    // Where the stream is gone, nobody is left to be told.
    let _ = error.print();
    if error.use_stderr() {
        Exit::Usage
    } else {
        Exit::Done
    }
}

fn loudness(arguments: &Arguments) -> Loudness {
    match (arguments.quiet, arguments.verbose) {
        (true, _) => Loudness::Quiet,
        (false, 0) => Loudness::Normal,
        (false, _) => Loudness::Verbose,
    }
}
