//! `transship show`.

use super::form;
use crate::arguments::Show;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::saved_plan;

/// Prints a saved plan.
///
/// # Errors
/// A plan that can't be read or is refused (65).
pub(crate) fn run(context: &Context, arguments: &Show) -> Result<Exit, Failure> {
    form::known(arguments.format)?;
    let plan = saved_plan::read(&arguments.plan)?;
    form::print(context, &plan, &[], arguments.format)?;
    Ok(Exit::Done)
}
