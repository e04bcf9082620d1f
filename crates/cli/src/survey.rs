//! From a specification to a plan: asks the registries, then decides.

use planner::{Plan, Spec, Survey};
use transfer::Connections;

use crate::context::Context;
use crate::failure::Failure;
use crate::progress::Progress;

/// What the registries answered, and what follows from it.
#[derive(Debug)]
pub(crate) struct Surveyed {
    /// The answers.
    pub(crate) survey: Survey,
    /// What would be done.
    pub(crate) plan: Plan,
}

/// Asks the registries everything that the plan depends on. Writes to none of them.
///
/// # Errors
/// A signal that comes first.
pub(crate) async fn survey(
    context: &Context,
    spec: &Spec,
    connections: &Connections,
) -> Result<Surveyed, Failure> {
    let capabilities = connections.capabilities();
    let progress = Progress::survey(&context.terminal);
    let reader = connections.reader();
    let asking = transfer::survey(spec, &capabilities, &reader, progress.events());
    let survey = context.unless_interrupted(asking).await?;
    progress.end().await;
    let plan = planner::plan(spec, &capabilities, &survey);
    Ok(Surveyed { survey, plan })
}
