//! The dispatcher: one task that owns all state of a run. Workers do the requests and hand back how they ended.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use oci::Descriptor;
use planner::plan::TagRole;
use planner::{Op, OpId, OpKind, Place, Plan, ProblemKind, RegistryName, Side};
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;

use crate::context::Context;
use crate::fanout::WINDOW;
use crate::fault::Fault;
use crate::gates::Gates;
use crate::graph::Graph;
use crate::job::Job;
use crate::landing::{Landing, Opening};
use crate::ledger::{CauseId, Ledger, Loss};
use crate::node::{Node, NodeId, Outcome, Stage};
use crate::reads::{Gather, PendingReads, Read, ReadId};
use crate::upload::{Milestone, Sent};
use crate::{
    Change, Connections, Event, Events, ExecuteOptions, OpTally, Report, RepositoryTally, Stop, StopReason,
    TagTally,
};

/// Owns all state of a run.
pub(crate) struct Dispatcher<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) options: &'a ExecuteOptions,
    pub(crate) events: &'a Events,
    pub(crate) context: Arc<Context>,
    pub(crate) graph: Graph,
    pub(crate) nodes: Vec<Node>,
    /// Nodes that have not ended.
    pub(crate) open: usize,
    /// Small jobs by registry, most urgent first.
    pub(crate) queues: Vec<BTreeSet<(u8, NodeId)>>,
    /// By op: the places whose blob is to be read, and how many more may come.
    pub(crate) gathering: HashMap<usize, Gather>,
    pub(crate) awaited: Vec<usize>,
    /// Reads by number, and those that wait for their turn.
    pub(crate) reads: HashMap<ReadId, Read>,
    pub(crate) pending_reads: PendingReads,
    pub(crate) next_id: u64,
    pub(crate) running_reads: usize,
    /// Registries that hold a read back long after its other places have the blob: they get reads of their own.
    pub(crate) lagging: BTreeSet<usize>,
    /// What reads tell before they end.
    pub(crate) milestones: Milestones,
    pub(crate) most_reads: usize,
    pub(crate) gates: Gates,
    pub(crate) timers: BTreeMap<(Instant, u64), Timer>,
    pub(crate) tasks: JoinSet<TaskEnd>,
    pub(crate) ledger: Ledger,
    pub(crate) stopping: Option<StopReason>,
    pub(crate) abandon: bool,
    /// By registry.
    pub(crate) ops: Vec<OpTally>,
    pub(crate) tags: TagTally,
    pub(crate) repositories: RepositoryTally,
    pub(crate) changes: Vec<Change>,
    pub(crate) achieved: BTreeSet<(OpId, Place)>,
    pub(crate) retries: u64,
}

/// Both ends of what reads tell before they end.
pub(crate) type Milestones = (
    mpsc::UnboundedSender<(ReadId, Milestone)>,
    mpsc::UnboundedReceiver<(ReadId, Milestone)>,
);

/// What happens when its time comes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Timer {
    /// An op's gathered places are read without the others. Named by its gathering, which may be over.
    Gathered { op: usize, gathering: u64 },
    /// A read starts without the places that have not opened a session yet.
    Opened(ReadId),
    /// The places that a read still waits for lag behind the others.
    Lagging(ReadId),
    /// An upload is tried again.
    Rested(NodeId),
    /// What still runs is abandoned.
    Grace,
}

/// What a worker hands back.
pub(crate) enum TaskEnd {
    Small(NodeId, Result<Landing, Fault>),
    Opening(ReadId, NodeId, Result<Opening, Fault>),
    Sent(ReadId, Sent),
}

impl<'a> Dispatcher<'a> {
    pub(crate) fn new(
        plan: &'a Plan,
        connections: &Connections,
        options: &'a ExecuteOptions,
        events: &'a Events,
    ) -> Self {
        let graph = Graph::new(&plan.ops);
        let nodes: Vec<Node> = graph.waits().into_iter().map(Node::waiting).collect();
        let concurrency = |name| {
            connections
                .by_name()
                .get(name)
                .map_or(1, |connected| connected.concurrency)
        };
        let registries = graph.registries().len();
        let window = options.memory.min(WINDOW);
        let fitting = usize::try_from(options.memory / WINDOW).unwrap_or(usize::MAX);
        Self {
            plan,
            options,
            events,
            context: Arc::new(Context::new(connections, events, options, window)),
            open: nodes.len(),
            nodes,
            queues: vec![BTreeSet::new(); registries],
            gathering: HashMap::new(),
            awaited: plan.ops.iter().map(|op| op.at.len()).collect(),
            reads: HashMap::new(),
            pending_reads: PendingReads::new(),
            next_id: 0,
            running_reads: 0,
            lagging: BTreeSet::new(),
            milestones: mpsc::unbounded_channel(),
            most_reads: fitting.min(options.streams).max(1),
            gates: Gates::new(graph.registries().iter().map(concurrency)),
            graph,
            timers: BTreeMap::new(),
            tasks: JoinSet::new(),
            ledger: Ledger::default(),
            stopping: None,
            abandon: false,
            ops: vec![OpTally::default(); registries],
            tags: TagTally::default(),
            repositories: RepositoryTally::default(),
            changes: Vec::new(),
            achieved: BTreeSet::new(),
            retries: 0,
        }
    }

    /// Runs the plan to its end, or until it is stopped. Tells the ops by registry too.
    pub(crate) async fn run(mut self, mut stop: Stop) -> (Report, BTreeMap<RegistryName, OpTally>) {
        for node in 0..self.graph.len() {
            if self.nodes[node].stage == Stage::Waiting(0) {
                self.ready(node);
            }
        }
        loop {
            self.dispatch();
            if self.is_over() {
                break;
            }
            let alarm = self.timers.first_key_value().map(|((instant, _), _)| *instant);
            tokio::select! {
                Some((read, milestone)) = self.milestones.1.recv() => self.reached(read, milestone),
                Some(end) = self.tasks.join_next() => self.ended(end),
                reason = stop.requested(), if self.stopping.is_none() => self.stop(reason),
                () = sleep_until(alarm) => self.tick(),
            }
        }
        self.tasks.shutdown().await;
        self.report()
    }

    /// Nothing is left to wait for: all has ended, or what has not will not start any more.
    fn is_over(&self) -> bool {
        let starts_nothing = |timer: &Timer| matches!(timer, Timer::Lagging(_));
        let idle =
            self.tasks.is_empty() && (self.stopping.is_some() || self.timers.values().all(starts_nothing));
        self.open == 0 || idle || self.abandon
    }

    /// Starts what can start: small requests first.
    fn dispatch(&mut self) {
        if self.stopping.is_some() {
            return;
        }
        for registry in 0..self.queues.len() {
            while !self.queues[registry].is_empty() && self.gates.take_small(registry) {
                if let Some((_, node)) = self.queues[registry].pop_first() {
                    self.start_small(node);
                }
            }
        }
        self.start_reads();
    }

    fn start_small(&mut self, node: NodeId) {
        let (op, place) = (self.graph.op(node), self.graph.place(node));
        let Some(job) = Job::new(self.plan, &self.plan.ops[op], place) else {
            self.gates.give_small(self.graph.registry(node));
            self.fail_incomplete(node);
            return;
        };
        self.begin(node, Stage::Running);
        let (context, place) = (Arc::clone(&self.context), self.op(node).at[place].place());
        self.tasks
            .spawn(async move { TaskEnd::Small(node, job.run(&context, &place).await) });
    }

    /// Notes that a node's work begins, unless it began before.
    pub(crate) fn begin(&mut self, node: NodeId, stage: Stage) {
        self.nodes[node].stage = stage;
        if self.nodes[node].started.is_none() {
            self.nodes[node].started = Some(Instant::now());
            let op = self.op(node);
            let place = op.at[self.graph.place(node)].place();
            self.events.send(Event::OpStarted {
                op: op.id.clone(),
                kind: op.kind,
                place,
            });
        }
    }

    fn ended(&mut self, end: Result<TaskEnd, JoinError>) {
        match end {
            Ok(TaskEnd::Small(node, result)) => self.small_ended(node, result),
            Ok(TaskEnd::Opening(read, node, result)) => self.opened(read, node, result),
            Ok(TaskEnd::Sent(read, sent)) => self.sent(read, sent),
            Err(error) => {
                if let Ok(panic) = error.try_into_panic() {
                    std::panic::resume_unwind(panic);
                }
            }
        }
    }

    fn small_ended(&mut self, node: NodeId, result: Result<Landing, Fault>) {
        self.gates.give_small(self.graph.registry(node));
        if self.nodes[node].has_ended() {
            return;
        }
        match result {
            Ok(landing) => {
                self.answered(node);
                self.landed(node, landing);
            }
            Err(fault) => self.failed(node, &fault),
        }
    }

    fn landed(&mut self, node: NodeId, landing: Landing) {
        match landing {
            Landing::Done => self.end(node, Outcome::Done, None),
            Landing::AlreadyDone => self.end(node, Outcome::AlreadyDone, None),
            Landing::Mounted => self.end(node, Outcome::Mounted, None),
            Landing::Upload(session) => self.gather(node, session),
            Landing::TagWritten { before, unsealed } => {
                self.note_change(node, before);
                let record = |fault| {
                    self.ledger
                        .record(&self.plan.ops[self.graph.op(node)].id, &fault, Loss::Op)
                        .0
                };
                let cause = unsealed.map(record);
                self.end(node, Outcome::Done, cause);
            }
            Landing::TagKept(fault) => {
                let (cause, _) = self.ledger.record(&self.op(node).id, &fault, Loss::Op);
                self.end(node, Outcome::TagKept, Some(cause));
            }
        }
    }

    fn note_change(&mut self, node: NodeId, before: Option<oci::Digest>) {
        let op = self.op(node);
        let (Some(tag), Some(after)) = (op.tag.clone(), op.digest.clone()) else {
            return;
        };
        if op.tag_role() == Some(TagRole::Selected) {
            let place = op.at[self.graph.place(node)].place();
            self.changes.push(Change {
                registry: place.registry,
                repository: place.repository,
                tag,
                before,
                after,
            });
        }
    }

    fn stop(&mut self, reason: StopReason) {
        self.stopping = Some(reason);
        self.events.send(Event::Stopping { reason });
        self.set_timer(self.options.grace, Timer::Grace);
    }

    pub(crate) fn set_timer(&mut self, delay: std::time::Duration, timer: Timer) {
        let id = self.new_id();
        self.timers.insert((Instant::now() + delay, id), timer);
    }

    pub(crate) fn new_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    fn tick(&mut self) {
        match self.timers.pop_first() {
            Some((_, Timer::Gathered { op, gathering })) => self.release_if(op, gathering),
            Some((_, Timer::Opened(read))) => self.launch(read),
            Some((_, Timer::Lagging(read))) => self.note_lagging(read),
            Some((_, Timer::Rested(node))) => self.rested(node),
            Some((_, Timer::Grace)) => self.abandon = true,
            None => {}
        }
    }

    pub(crate) fn op(&self, node: NodeId) -> &'a Op {
        &self.plan.ops[self.graph.op(node)]
    }

    pub(crate) fn blob(&self, op: usize) -> Option<Arc<Descriptor>> {
        let digest = self.plan.ops[op].digest.as_ref()?;
        Some(crate::upload::descriptor(
            digest,
            self.plan.blobs.get(digest)?.size,
        ))
    }

    /// Records why ops are left although nobody stopped the run: they wait for each other. Plans are checked, so this is
    /// a hand-made one; it must not look like a success.
    fn stranded(&mut self) -> Option<CauseId> {
        let running = self.stopping.is_none();
        let node = (0..self.graph.len()).find(|&node| running && !self.nodes[node].has_ended())?;
        let op = self.op(node);
        let text = format!("op {} waits for what never ends", op.id);
        let fault = Fault::new(Side::Target, &self.place(node), ProblemKind::Other, text);
        Some(self.ledger.record(&op.id, &fault, Loss::Op).0)
    }

    fn report(mut self) -> (Report, BTreeMap<RegistryName, OpTally>) {
        let unfinished = self.open > 0;
        let cause = self.stranded();
        for node in 0..self.graph.len() {
            self.end(node, Outcome::Skipped, cause);
        }
        self.changes.sort();
        let mut report = Report::of(self.plan);
        report.stopped_by = self.stopping.filter(|_| unfinished);
        report.changes = self.changes;
        report.tags.written += self.tags.written;
        report.tags.unchanged += self.tags.unchanged;
        report.tags.failed += self.tags.failed;
        report.repositories = self.repositories;
        for ops in &self.ops {
            report.ops.add(*ops);
        }
        report.retries = self.retries;
        report.achieved = self.achieved;
        report.failures = self.ledger.into_failures();
        let by_registry = self.graph.registries().iter().cloned().zip(self.ops).collect();
        (report, by_registry)
    }
}

/// How urgent a small job is: first what others wait for.
pub(crate) fn rank(kind: OpKind) -> u8 {
    match kind {
        OpKind::CreateRepository | OpKind::UpdateRepository | OpKind::ImportImage => 0,
        OpKind::MountBlob => 1,
        OpKind::PutManifest => 2,
        OpKind::MergeReferrers | OpKind::MergeSignatures => 3,
        OpKind::PutTag | OpKind::UploadBlob => 4,
    }
}

async fn sleep_until(alarm: Option<Instant>) {
    match alarm {
        Some(instant) => tokio::time::sleep_until(instant).await,
        None => std::future::pending().await,
    }
}
