//! Carries a plan out, and ends gracefully when asked to.

use planner::Plan;
use transfer::{Connections, Events, ExecuteOptions, Report, Stop, StopReason, execute};

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::locks;
use crate::progress::Progress;
use crate::signals::Signal;

/// Does what the plan says, and fills in the report.
///
/// # Errors
/// The second signal: then the run is abandoned, and the report holds only what the plan said.
pub(crate) async fn carry_out(
    context: &Context,
    plan: &Plan,
    connections: &Connections,
    report: &mut Report,
) -> Result<Exit, Failure> {
    *report = Report::of(plan);
    let progress = Progress::execution(&context.terminal, plan);
    let ended = until_abandoned(context, plan, connections, progress.events()).await;
    progress.end().await;
    match ended {
        Some(done) => {
            let exit = exit(&done);
            *report = done;
            Ok(exit)
        }
        None => Err(abandoned(context)),
    }
}

/// Returns nothing where the second signal came first: then the run is dropped where it stands.
async fn until_abandoned(
    context: &Context,
    plan: &Plan,
    connections: &Connections,
    events: &Events,
) -> Option<Report> {
    let (stopper, stop) = Stop::channel();
    let options = ExecuteOptions {
        locks: locks::of(context, plan),
        ..ExecuteOptions::default()
    };
    let ask = async {
        stopper.stop(reason(context.signals.first().await));
        context.signals.second().await;
    };
    tokio::select! {
        done = execute(plan, connections, &options, events, stop) => Some(done),
        () = ask => None,
    }
}

fn reason(signal: Signal) -> StopReason {
    match signal {
        Signal::Interrupt => StopReason::Interrupt,
        Signal::Terminate => StopReason::Terminate,
    }
}

fn abandoned(context: &Context) -> Failure {
    let exit = context.signals.caught().map_or(Exit::Interrupted, Signal::exit);
    Failure::new(
        exit,
        "abandoned on the second signal; plan again to see what is left to do",
    )
}

fn exit(report: &Report) -> Exit {
    match report.exit_code() {
        0 => Exit::Done,
        75 => Exit::Temporary,
        77 => Exit::Denied,
        130 => Exit::Interrupted,
        _ => Exit::Failed,
    }
}
