//! `transship completion`.

use clap::CommandFactory;

use crate::arguments::{Arguments, Completion};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Prints completions for a shell.
///
/// # Errors
/// Where standard output can't be written.
pub(crate) fn run(context: &Context, arguments: &Completion) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(
        arguments.shell,
        &mut Arguments::command(),
        "transship",
        &mut script,
    );
    context.data(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}
