//! Reads: a blob is read once for all places that are ready for it.
//!
//! Places gather until all of the op are there, or a while after the first. Then each is asked whether it lacks the
//! blob and opens a session, and those that have one share the read. Who comes later joins the next.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use planner::Place;
use registry::UploadSession;
use tokio::time::Instant;

use crate::Event;
use crate::dispatcher::{Dispatcher, TaskEnd, Timer};
use crate::fault::{Contact, Fault};
use crate::gates::Permits;
use crate::landing::Opening;
use crate::node::{NodeId, Outcome, Stage};
use crate::upload::{self, Destination, Milestone, Sent};

/// The most places that one read feeds.
const MOST_LANES: usize = 16;

/// A registry that stores less than so many bytes a second after their last one lags behind, whatever the blob.
const SLOW_COMMIT: u64 = 16 << 20;

/// How many sessions a blob gets at a place.
const SESSIONS: u32 = 3;

/// How many waiting reads are looked at for one that can start: a full gate must not make every look a long one.
const LOOKED_AT: usize = 64;

pub(crate) type ReadId = u64;

/// Reads that wait for their turn, largest first, by the permits they wait for: of those that wait for the same, only
/// the first is looked at, so that what waits for a slow registry hides nothing that another has room for.
pub(crate) type PendingReads = BTreeMap<Permits, BTreeSet<(Reverse<u64>, ReadId)>>;

/// Places of one op whose blob is to be read.
#[derive(Debug)]
pub(crate) struct Gather {
    pub(crate) id: u64,
    pub(crate) members: Vec<Member>,
}

#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) node: NodeId,
    pub(crate) session: Option<UploadSession>,
}

/// One read of a blob.
#[derive(Debug)]
pub(crate) struct Read {
    op: usize,
    from: Place,
    members: Vec<Member>,
    phase: Phase,
    permits: Permits,
    begun: Option<Instant>,
    /// Where the blob still goes, while it is sent.
    awaited: BTreeSet<NodeId>,
    /// Whether its source was read to the end: then it no longer counts as a read.
    fed: bool,
    /// Whether anything was told of it.
    told: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Waits for its turn.
    Pending,
    /// Sessions are being opened.
    Opening,
    /// The blob is being sent.
    Sending,
}

impl Dispatcher<'_> {
    /// Adds a place to those whose blob is to be read.
    pub(crate) fn gather(&mut self, node: NodeId, session: Option<UploadSession>) {
        let Some(from) = self.source(node) else {
            self.fail_incomplete(node);
            return;
        };
        if let Some(cause) = self.ledger.lost(&from) {
            self.end(node, Outcome::Skipped, Some(cause));
            return;
        }
        let op = self.graph.op(node);
        self.nodes[node].stage = Stage::Gathered;
        if !self.gathering.contains_key(&op) {
            let id = self.new_id();
            self.gathering.insert(
                op,
                Gather {
                    id,
                    members: Vec::new(),
                },
            );
            self.set_timer(self.options.gather, Timer::Gathered { op, gathering: id });
        }
        if let Some(gather) = self.gathering.get_mut(&op) {
            gather.members.push(Member { node, session });
        }
        self.arrive(node);
    }

    /// Returns where a node's blob is read: where the op says, else where it was to be mounted from.
    fn source(&self, node: NodeId) -> Option<Place> {
        let op = self.op(node);
        let at = &op.at[self.graph.place(node)];
        let mounted_from = || {
            let repository = at.from.clone()?;
            Some(Place {
                registry: at.registry.clone(),
                repository,
            })
        };
        op.from.clone().or_else(mounted_from)
    }

    /// Notes that a place is there, or will not come. With the last one the op's gathering is over.
    pub(crate) fn arrive(&mut self, node: NodeId) {
        let op = self.graph.op(node);
        if std::mem::take(&mut self.nodes[node].awaited) {
            self.awaited[op] -= 1;
        }
        if self.awaited[op] == 0 {
            self.release(op);
        }
    }

    /// Notes that a place will come again.
    fn await_again(&mut self, node: NodeId) {
        if !std::mem::replace(&mut self.nodes[node].awaited, true) {
            self.awaited[self.graph.op(node)] += 1;
        }
    }

    /// Ends a gathering whose time is up, unless it is over already.
    pub(crate) fn release_if(&mut self, op: usize, gathering: u64) {
        if self
            .gathering
            .get(&op)
            .is_some_and(|gather| gather.id == gathering)
        {
            self.release(op);
        }
    }

    /// Makes reads of the places that have gathered.
    pub(crate) fn release(&mut self, op: usize) {
        let Some(gather) = self.gathering.remove(&op) else {
            return;
        };
        let mut by_source: BTreeMap<Place, Vec<Member>> = BTreeMap::new();
        for member in gather.members {
            if let Some(from) = self.source(member.node) {
                self.nodes[member.node].stage = Stage::Reading;
                by_source.entry(from).or_default().push(member);
            }
        }
        for (from, members) in by_source {
            for members in self.shares(members) {
                self.add_read(op, from.clone(), members);
            }
        }
    }

    /// Splits places into those that can share a read: no more at one registry than may upload there at once. One more
    /// would wait for the others to end, and they for the bytes that it does not take.
    fn shares(&self, members: Vec<Member>) -> Vec<Vec<Member>> {
        let mut shares: Vec<(Permits, Vec<Member>)> = Vec::new();
        for member in members {
            let registry = self.graph.registry(member.node);
            let capacity = self.gates.capacity(registry);
            let apart = |other: &usize| *other != registry && self.lagging.contains(other);
            let has_room = |(taken, share): &&mut (Permits, Vec<Member>)| {
                let alone = self.lagging.contains(&registry) && taken.keys().any(|other| *other != registry);
                let room = taken.get(&registry).is_none_or(|&taken| taken < capacity);
                share.len() < MOST_LANES && room && !alone && !taken.keys().any(apart)
            };
            match shares.iter_mut().find(has_room) {
                Some((taken, share)) => {
                    *taken.entry(registry).or_default() += 1;
                    share.push(member);
                }
                None => shares.push(([(registry, 1)].into(), vec![member])),
            }
        }
        shares.into_iter().map(|(_, share)| share).collect()
    }

    fn add_read(&mut self, op: usize, from: Place, members: Vec<Member>) {
        let size = self.blob(op).map_or(0, |blob| blob.size);
        let id = self.new_id();
        let read = Read {
            op,
            from,
            members,
            phase: Phase::Pending,
            permits: Permits::new(),
            begun: None,
            awaited: BTreeSet::new(),
            fed: false,
            told: false,
        };
        let needs = self.needs(&read);
        self.reads.insert(id, read);
        self.pending_reads
            .entry(needs)
            .or_default()
            .insert((Reverse(size), id));
    }

    /// Starts the largest reads that can start.
    pub(crate) fn start_reads(&mut self) {
        while self.running_reads < self.most_reads {
            let heads = self.pending_reads.iter();
            let mut heads: Vec<_> = heads
                .filter_map(|(needs, reads)| Some((*reads.first()?, needs.clone())))
                .collect();
            heads.sort_unstable();
            heads.truncate(LOOKED_AT);
            let Some((key, needs)) = heads.into_iter().find(|&((_, id), _)| self.admit(id)) else {
                return;
            };
            self.take_pending(&needs, key);
            self.running_reads += 1;
            self.open_sessions(key.1);
        }
    }

    fn take_pending(&mut self, needs: &Permits, key: (Reverse<u64>, ReadId)) {
        if let Some(reads) = self.pending_reads.get_mut(needs) {
            reads.remove(&key);
            if reads.is_empty() {
                self.pending_reads.remove(needs);
            }
        }
    }

    /// Takes a read's permits, if they are free.
    fn admit(&mut self, id: ReadId) -> bool {
        let Some(read) = self.reads.get(&id) else {
            return true;
        };
        let permits = self.gates.take(&self.needs(read));
        let admitted = permits.is_some();
        if let (Some(read), Some(permits)) = (self.reads.get_mut(&id), permits) {
            read.permits = permits;
        }
        admitted
    }

    /// One permit of the source, and one for each place that is still to get the blob.
    fn needs(&self, read: &Read) -> Permits {
        let names = self.graph.registries();
        let source = names.partition_point(|name| *name < read.from.registry);
        let mut needs = Permits::from([(source, 1)]);
        let open = |member: &&Member| !self.nodes[member.node].has_ended();
        for member in read.members.iter().filter(open) {
            *needs.entry(self.graph.registry(member.node)).or_default() += 1;
        }
        needs
    }

    fn open_sessions(&mut self, id: ReadId) {
        let Some(mut read) = self.reads.remove(&id) else {
            self.running_reads -= 1;
            return;
        };
        read.phase = Phase::Opening;
        read.members.retain(|member| !self.nodes[member.node].has_ended());
        let Some(blob) = self.blob(read.op) else {
            let nodes: Vec<NodeId> = read.members.iter().map(|member| member.node).collect();
            self.reads.insert(id, read);
            self.finish(id);
            nodes.into_iter().for_each(|node| self.fail_incomplete(node));
            return;
        };
        for member in &read.members {
            self.begin(member.node, Stage::Running);
            if member.session.is_none() {
                let (context, blob, node) = (Arc::clone(&self.context), Arc::clone(&blob), member.node);
                let place = self.place(node);
                self.tasks.spawn(async move {
                    TaskEnd::Opening(id, node, upload::open(&context, &place, &blob).await)
                });
            }
        }
        if read.members.iter().any(|member| member.session.is_some()) {
            self.set_timer(self.options.gather, Timer::Opened(id));
        }
        self.reads.insert(id, read);
        self.launch_if_complete(id);
    }

    pub(crate) fn place(&self, node: NodeId) -> Place {
        self.op(node).at[self.graph.place(node)].place()
    }

    /// Takes in how the requests before an upload ended.
    pub(crate) fn opened(&mut self, id: ReadId, node: NodeId, result: Result<Opening, Fault>) {
        if !self.nodes[node].has_ended() {
            match result {
                Ok(Opening::Stands) => {
                    self.answered(node);
                    // After a failed upload it stands there because that upload was committed after all.
                    let fresh = self.nodes[node].failures == 0;
                    self.end(
                        node,
                        if fresh {
                            Outcome::AlreadyDone
                        } else {
                            Outcome::Done
                        },
                        None,
                    );
                }
                Ok(Opening::Open(session)) => {
                    self.answered(node);
                    self.admit_session(id, node, session);
                }
                Err(fault) => self.failed(node, &fault),
            }
        }
        self.launch_if_complete(id);
    }

    fn admit_session(&mut self, id: ReadId, node: NodeId, session: UploadSession) {
        let Some(read) = self
            .reads
            .get_mut(&id)
            .filter(|read| read.phase == Phase::Opening)
        else {
            self.gather(node, Some(session));
            return;
        };
        let first = read.members.iter().all(|member| member.session.is_none());
        if let Some(member) = read.members.iter_mut().find(|member| member.node == node) {
            member.session = Some(session);
        }
        if first {
            self.set_timer(self.options.gather, Timer::Opened(id));
        }
    }

    /// Launches the reads that wait for nobody any more.
    pub(crate) fn launch_ready(&mut self) {
        let ids: Vec<ReadId> = self.reads.keys().copied().collect();
        ids.into_iter().for_each(|id| self.launch_if_complete(id));
    }

    fn launch_if_complete(&mut self, id: ReadId) {
        let waits = |member: &Member| member.session.is_none() && !self.nodes[member.node].has_ended();
        if self
            .reads
            .get(&id)
            .is_some_and(|read| !read.members.iter().any(waits))
        {
            self.launch(id);
        }
    }

    /// Reads the blob for the places that have a session. The others will gather again.
    pub(crate) fn launch(&mut self, id: ReadId) {
        if self.stopping.is_some() {
            return;
        }
        let Some(read) = self
            .reads
            .get_mut(&id)
            .filter(|read| read.phase == Phase::Opening)
        else {
            return;
        };
        read.phase = Phase::Sending;
        let (op, from) = (read.op, read.from.clone());
        let mut destinations = Vec::new();
        for member in std::mem::take(&mut read.members) {
            match member.session {
                _ if self.nodes[member.node].has_ended() => {}
                None => self.await_again(member.node),
                Some(session) => {
                    let place = self.place(member.node);
                    destinations.push(Destination {
                        node: member.node,
                        place,
                        session,
                    });
                }
            }
        }
        let lost = self.ledger.lost(&from);
        match self.blob(op) {
            Some(blob) if lost.is_none() && !destinations.is_empty() => {
                self.send(id, &blob, from, destinations);
            }
            _ => {
                self.finish(id);
                for destination in destinations {
                    self.end(destination.node, Outcome::Skipped, lost);
                }
            }
        }
    }

    fn send(&mut self, id: ReadId, blob: &Arc<oci::Descriptor>, from: Place, destinations: Vec<Destination>) {
        if let Some(read) = self.reads.get_mut(&id) {
            read.begun = Some(Instant::now());
            let op = read.op;
            self.events.send(Event::BlobStarted {
                op: self.plan.ops[op].id.clone(),
                digest: blob.digest.clone(),
                size: blob.size,
                from: from.clone(),
                to: destinations
                    .iter()
                    .map(|destination| destination.place.clone())
                    .collect(),
            });
        }
        for destination in &destinations {
            self.nodes[destination.node].stage = Stage::Streaming;
        }
        if let Some(read) = self.reads.get_mut(&id) {
            read.awaited = destinations.iter().map(|destination| destination.node).collect();
        }
        let (context, blob) = (Arc::clone(&self.context), Arc::clone(blob));
        let milestones = self.milestones.0.clone();
        self.tasks.spawn(async move {
            // The dispatcher outlives its tasks, so somebody hears.
            let tell = |milestone| {
                let _ = milestones.send((id, milestone));
            };
            TaskEnd::Sent(id, upload::send(&context, &blob, &from, destinations, tell).await)
        });
    }

    /// Takes in what is done of a read before all of it is: nothing that waits for a place waits for the slowest one.
    pub(crate) fn reached(&mut self, id: ReadId, milestone: Milestone) {
        let Some(read) = self.reads.get_mut(&id) else {
            return;
        };
        let first = !std::mem::replace(&mut read.told, true);
        let op = read.op;
        match milestone {
            Milestone::Fed => {
                let names = self.graph.registries();
                let source = names.partition_point(|name| *name < read.from.registry);
                self.gates.give_one(&mut read.permits, source);
                self.running_reads -= 1;
                read.fed = true;
            }
            Milestone::Landed(node) => {
                let registry = self.graph.registry(node);
                self.gates.give_one(&mut read.permits, registry);
                read.awaited.remove(&node);
                self.lagging.remove(&registry);
            }
        }
        if first {
            let size = self.blob(op).map_or(0, |blob| blob.size);
            let lag = self.options.lag + Duration::from_secs(size / SLOW_COMMIT);
            self.set_timer(lag, Timer::Lagging(id));
        }
        if let Milestone::Landed(node) = milestone
            && !self.nodes[node].has_ended()
        {
            self.answered(node);
            self.end(node, Outcome::Done, None);
        }
    }

    /// Notes who holds a read back, and takes them out of the reads to come.
    pub(crate) fn note_lagging(&mut self, id: ReadId) {
        let Some(read) = self.reads.get(&id) else {
            return;
        };
        let late: Vec<usize> = read
            .awaited
            .iter()
            .map(|&node| self.graph.registry(node))
            .collect();
        let known = self.lagging.len();
        self.lagging.extend(late);
        if self.lagging.len() == known {
            return;
        }
        let pending = std::mem::take(&mut self.pending_reads);
        for (_, id) in pending.into_values().flatten() {
            if let Some(read) = self.reads.remove(&id) {
                for members in self.shares(read.members) {
                    self.add_read(read.op, read.from.clone(), members);
                }
            }
        }
    }

    /// Takes in how a read and its uploads ended.
    pub(crate) fn sent(&mut self, id: ReadId, sent: Sent) {
        self.finish(id);
        let mut with_source = Vec::new();
        for (node, end) in sent.uploads {
            match end {
                _ if self.nodes[node].has_ended() => {}
                Some(Ok(())) => {
                    self.answered(node);
                    self.end(node, Outcome::Done, None);
                }
                Some(Err(fault)) => self.upload_failed(node, &fault),
                None => with_source.push(node),
            }
        }
        if let Some(fault) = sent.source {
            let loss = self.ledger.strike(&fault);
            self.fail(&with_source, &fault, loss);
        }
    }

    /// Lets a failed upload rest for another try, unless it had enough of them or another would not help.
    fn upload_failed(&mut self, node: NodeId, fault: &Fault) {
        self.nodes[node].failures += 1;
        let failures = self.nodes[node].failures;
        let hopeless = fault.contact == Contact::Failed || self.forlorn(node).is_some();
        if failures >= SESSIONS || !fault.may_pass() || hopeless {
            self.failed(node, fault);
            return;
        }
        self.retries += 1;
        let (op, place) = (self.op(node).id.clone(), self.place(node));
        self.events.send(Event::UploadRetried {
            op,
            place,
            error: fault.error.to_string(),
        });
        self.nodes[node].stage = Stage::Resting;
        self.await_again(node);
        self.set_timer(self.options.rest * 2_u32.pow(failures - 1), Timer::Rested(node));
    }

    pub(crate) fn rested(&mut self, node: NodeId) {
        if self.nodes[node].stage == Stage::Resting {
            self.gather(node, None);
        }
    }

    /// Gives back what a read took.
    fn finish(&mut self, id: ReadId) {
        let Some(read) = self.reads.remove(&id) else {
            return;
        };
        self.gates.give(&read.permits);
        self.running_reads -= usize::from(!read.fed);
        if let (Some(begun), Some(blob)) = (read.begun, self.blob(read.op)) {
            let op = self.plan.ops[read.op].id.clone();
            let digest = blob.digest.clone();
            self.events.send(Event::BlobEnded {
                op,
                digest,
                elapsed: begun.elapsed(),
            });
        }
    }
}
