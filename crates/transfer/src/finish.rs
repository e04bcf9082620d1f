//! The end of a run: registries that keep what was written until then make it last.

use std::collections::BTreeMap;

use planner::{Plan, RegistryName, Side};
use registry::Error;

use crate::fault::Fault;
use crate::report::Failure;
use crate::{Connections, Event, Events, OpTally, Report};

/// Finishes every registry that the plan writes to.
///
/// One that can't has nothing of what was written: its tags and ops count as failed. `ops` has them by registry.
pub(crate) async fn finish(
    plan: &Plan,
    connections: &Connections,
    events: &Events,
    ops: &BTreeMap<RegistryName, OpTally>,
    report: &mut Report,
) {
    for (name, connected) in connections.by_name() {
        let written = plan
            .ops
            .iter()
            .any(|op| op.at.iter().any(|at| at.registry == *name));
        if !written {
            continue;
        }
        if connected.host.is_none() {
            events.send(Event::Finishing {
                registry: name.clone(),
            });
        }
        if let Err(error) = connected.registry.finish().await {
            let done = ops.get(name).copied().unwrap_or_default();
            lose(plan, name, done, &error, report);
        }
    }
}

fn lose(plan: &Plan, name: &RegistryName, done: OpTally, error: &Error, report: &mut Report) {
    let before = report.changes.len();
    report.changes.retain(|change| change.registry != *name);
    report.achieved.retain(|(_, place)| place.registry != *name);
    let lost = (before - report.changes.len()) as u64;
    report.tags.written = report.tags.written.saturating_sub(lost);
    report.tags.failed += lost;
    let mut places = plan
        .ops
        .iter()
        .flat_map(|op| op.at.iter().map(move |at| (op, at)));
    let Some((op, at)) = places.find(|(_, at)| at.registry == *name) else {
        return;
    };
    let fault = Fault::of(Side::Target, &at.place(), error);
    report.failures.push(Failure {
        affected: report.ops.lose(done),
        ..Failure::of(&op.id, &fault)
    });
    report.failures.sort();
}
