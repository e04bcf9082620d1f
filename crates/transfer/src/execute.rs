//! Executing a plan.

use std::time::Duration;

use planner::Plan;

use crate::dispatcher::Dispatcher;
use crate::finish::finish;
use crate::{Connections, Event, Events, Locks, Report, Stop};

/// How a plan is executed.
#[derive(Clone, Debug)]
pub struct ExecuteOptions {
    /// How many bytes of blobs may be in memory at once.
    pub memory: u64,
    /// How many blobs may be read at once.
    pub streams: usize,
    /// How long a blob's read waits for more of its places to be ready, from the first on.
    pub gather: Duration,
    /// How much longer than the first place of a read another may take before its registry gets reads of its own.
    pub lag: Duration,
    /// How long a target may take no byte of a blob before it goes on by itself.
    pub patience: Duration,
    /// How long running work may take once the run was asked to stop.
    pub grace: Duration,
    /// How long a failed upload rests before the next try; each try doubles it.
    pub rest: Duration,
    /// Where the processes of this machine lock the tags that they add to.
    pub locks: Locks,
}

impl Default for ExecuteOptions {
    fn default() -> Self {
        Self {
            memory: 256 << 20,
            streams: 8,
            gather: Duration::from_secs(2),
            lag: Duration::from_secs(15),
            patience: Duration::from_secs(30),
            grace: Duration::from_secs(10),
            rest: Duration::from_secs(1),
            locks: Locks::none(),
        }
    }
}

/// Does what a plan says, as far as it can be done, and reports what happened.
///
/// Nothing is written before the registry has said that it is missing, so a plan may be executed again. What fails
/// costs only what waits for it at the same place. Ends early where `stop` asks for it: what runs may finish. At the end
/// each registry makes last what was written to it.
///
/// The plan must have been checked, see [`Plan::check`].
pub async fn execute(
    plan: &Plan,
    connections: &Connections,
    options: &ExecuteOptions,
    events: &Events,
    stop: Stop,
) -> Report {
    let placements = plan.ops.iter().map(|op| op.at.len()).sum();
    events.send(Event::PlanStarted {
        ops: plan.ops.len(),
        placements,
    });
    let (mut report, ops) = Dispatcher::new(plan, connections, options, events)
        .run(stop)
        .await;
    finish(plan, connections, events, &ops, &mut report).await;
    for (name, traffic) in connections.traffic() {
        report.retries += traffic.retries;
        report.requests.insert(name, traffic.requests);
    }
    for (name, counts) in events.counters().by_registry() {
        let bytes = &mut report.bytes;
        let columns = [
            (&mut bytes.read, counts.read),
            (&mut bytes.written, counts.written),
            (&mut bytes.mounted, counts.mounted),
        ];
        for (column, count) in columns {
            if count > 0 {
                column.insert(name.clone(), count);
            }
        }
    }
    events.send(Event::PlanEnded);
    report.concluded()
}
