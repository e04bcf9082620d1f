//! `transship apply`.

use std::path::Path;

use planner::Plan;
use transfer::{Connections, Report};

use crate::arguments::{Apply, Format, Narrow};
use crate::configuration;
use crate::connect::{self, Manner};
use crate::context::Context;
use crate::execution;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files::Input;
use crate::prompt;
use crate::report::{self, Blocked, Verb};
use crate::saved_plan;
use crate::survey::{self, Surveyed};

/// What to do where nobody can be asked.
const WITHOUT_ASKING: &str =
    "give `--auto-approve`, or save a plan with `transship plan --out PLAN` and apply that";

/// What is read where no flag says otherwise.
const CONFIGURATION: &str = "transship.yaml";

/// Does what a saved plan says, or plans, asks and does it.
///
/// # Errors
/// A configuration or plan that is refused (65), flags that do not go together (64), a signal.
pub(crate) async fn run(context: &Context, arguments: &Apply) -> Result<Exit, Failure> {
    report::can_be_written(&arguments.run)?;
    let mut done = Report::new();
    let (ended, blocked) = match &arguments.plan {
        Some(plan) => (saved(context, arguments, plan, &mut done).await, Blocked::Untold),
        None => (fresh(context, arguments, &mut done).await, shown(context)),
    };
    report::conclude(context, &arguments.run, Verb::Apply, blocked, done, ended)
}

/// What is blocked stands in the plan, and is told again only to a standard error that goes elsewhere.
fn shown(context: &Context) -> Blocked {
    if context.terminal.shows_both() {
        Blocked::Shown
    } else {
        Blocked::Untold
    }
}

async fn saved(
    context: &Context,
    arguments: &Apply,
    path: &Path,
    done: &mut Report,
) -> Result<Exit, Failure> {
    refuse_what_only_plans(arguments)?;
    let plan = saved_plan::read(path)?;
    *done = Report::of(&plan);
    let connections = match &arguments.file {
        Some(file) => connect_by(context, arguments, file, &plan).await?,
        None => {
            let manner = Manner::declared(Input::new(path).directory(), &arguments.access);
            connect::connect(context, &connect::of_plan(&plan), &manner).await?
        }
    };
    execution::carry_out(context, &plan, &connections, done).await
}

/// A saved plan is done whole, as it was reviewed.
fn refuse_what_only_plans(arguments: &Apply) -> Result<(), Failure> {
    let only_plans = [
        (!arguments.narrow.only.is_empty(), "--only"),
        (arguments.trust.check.is_some(), "--check"),
    ];
    match only_plans.into_iter().find(|(given, _)| *given) {
        Some((_, flag)) => Err(Failure::usage(format!("`{flag}` does not go with a saved plan"))
            .hint(format!("give `{flag}` to `transship plan`"))),
        None if arguments.narrow.shard.is_some() => Err(Failure::not_yet("`--shard`")),
        None => Ok(()),
    }
}

/// Takes the connections from a configuration alone, if the plan was made for it.
async fn connect_by(
    context: &Context,
    arguments: &Apply,
    file: &Path,
    plan: &Plan,
) -> Result<Connections, Failure> {
    let loaded = configuration::load(file, &Narrow::default())?;
    if loaded.spec.digest != plan.config {
        return Err(Failure::refused(format!(
            "the plan was made for another configuration than {}: it says {}, the file has {}",
            file.display(),
            plan.config.short(),
            loaded.spec.digest.short(),
        ))
        .hint("plan again, or leave `-f` out to use the connections of the plan"));
    }
    let manner = Manner::declared(loaded.directory, &arguments.access);
    connect::connect(context, &connect::of_spec(&loaded.spec), &manner).await
}

async fn fresh(context: &Context, arguments: &Apply, done: &mut Report) -> Result<Exit, Failure> {
    if !arguments.auto_approve {
        prompt::need_a_person(WITHOUT_ASKING)?;
    }
    let file = arguments.file.as_deref().unwrap_or(Path::new(CONFIGURATION));
    let loaded = configuration::load(file, &arguments.narrow)?;
    configuration::warn_of_nothing(context, &loaded.spec);
    let spec = configuration::trusted(loaded.spec, arguments.trust);
    done.config = Some(spec.digest.clone());
    let manner = Manner::declared(loaded.directory, &arguments.access);
    let connections = connect::connect(context, &connect::of_spec(&spec), &manner).await?;
    let surveyed = survey::survey(context, &spec, &loaded.only, &connections).await?;
    let Surveyed { plan, floors, .. } = surveyed;
    *done = Report::of(&plan);
    show(context, &plan.text_with(&floors), arguments.run.format)?;
    if plan.has_changes() && !arguments.auto_approve && !prompt::approve(context, "apply this plan").await? {
        return Err(Failure::failed("the plan was not approved; nothing was applied"));
    }
    execution::carry_out(context, &plan, &connections, done).await
}

/// Shows the plan; where standard output is for the report, on standard error.
fn show(context: &Context, plan: &str, format: Format) -> Result<(), Failure> {
    match format {
        Format::Text => context.text(&format!("{}\n", plan.trim_end())),
        Format::Json => {
            context.terminal.say(plan.trim_end());
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::arguments::{Arguments, Command};

    fn apply(line: &str) -> Apply {
        match Arguments::try_parse_from(line.split(' ')).unwrap().command {
            Command::Apply(apply) => apply,
            other => panic!("not an apply: {other:?}"),
        }
    }

    #[test]
    fn a_saved_plan_is_applied_whole() {
        for flag in ["--only a", "--check blobs", "--shard 1/2"] {
            let failure =
                refuse_what_only_plans(&apply(&format!("transship apply p.json {flag}"))).unwrap_err();
            assert_eq!(failure.exit(), Exit::Usage, "{flag}");
        }
        assert!(refuse_what_only_plans(&apply("transship apply p.json -f c.yaml")).is_ok());
    }
}
