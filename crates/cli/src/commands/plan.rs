//! `transship plan`.

use planner::Plan;

use super::form;
use crate::arguments;
use crate::configuration;
use crate::connect::{self, Manner};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::saved_plan;
use crate::survey::{self, Surveyed};

/// Surveys both sides, shows what would change, and saves it where asked.
///
/// # Errors
/// A configuration that is refused (65), flags that are not there yet (64), a signal.
pub(crate) async fn run(context: &Context, arguments: &arguments::Plan) -> Result<Exit, Failure> {
    form::known(arguments.format)?;
    if let Some(path) = &arguments.out {
        saved_plan::can_be_written(path)?;
    }
    let loaded = configuration::load(&arguments.configuration.file, &arguments.narrow)?;
    configuration::warn_of_nothing(context, &loaded.spec);
    let spec = configuration::trusted(loaded.spec, arguments.trust);
    let manner = Manner::declared(loaded.directory, &arguments.access);
    let connections = connect::connect(context, &connect::of_spec(&spec), &manner).await?;
    let surveyed = survey::survey(context, &spec, &loaded.only, &connections).await?;
    let Surveyed { plan, floors, .. } = surveyed;
    if let Some(path) = &arguments.out {
        saved_plan::write(path, &plan)?;
    }
    form::print(context, &plan, &floors, arguments.format)?;
    if let Some(path) = &arguments.out {
        let path = path.display();
        context.terminal.say(&format!(
            "\nSaved the plan to {path}. To do exactly this: transship apply {path}"
        ));
    }
    Ok(exit(&plan, arguments.detailed_exitcode))
}

/// What is blocked decides; pending changes only count where they are asked for.
fn exit(plan: &Plan, detailed: bool) -> Exit {
    match Exit::of_causes(plan.blocked.iter().map(|problem| problem.kind)) {
        Exit::Done if detailed && plan.has_changes() => Exit::Changes,
        exit => exit,
    }
}
