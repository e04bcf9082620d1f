//! How nodes become ready and end, and what that means for those that wait for them.

use std::time::Duration;

use planner::plan::TagRole;
use planner::{OpKind, Place, ProblemKind, RegistryName, Side};

use crate::Event;
use crate::dispatcher::{Dispatcher, rank};
use crate::fault::Fault;
use crate::graph::Wait;
use crate::ledger::{CauseId, Loss};
use crate::node::{NodeId, Outcome, Stage};

impl Dispatcher<'_> {
    /// Puts a node whose wait is over where it gets its turn.
    pub(crate) fn ready(&mut self, node: NodeId) {
        if let Some(cause) = self.forlorn(node) {
            self.end(node, Outcome::Skipped, Some(cause));
        } else {
            self.enqueue(node);
        }
    }

    fn enqueue(&mut self, node: NodeId) {
        let kind = self.op(node).kind;
        if kind == OpKind::UploadBlob {
            self.gather(node, None);
        } else {
            self.nodes[node].stage = Stage::Queued;
            self.queues[self.graph.registry(node)].insert((rank(kind), node));
        }
    }

    /// Returns why a node can't be done any more: its registry is lost, or the one it reads from. A mount reads only
    /// if it is refused.
    pub(crate) fn forlorn(&self, node: NodeId) -> Option<CauseId> {
        let op = self.op(node);
        let source = op.from.as_ref().filter(|_| op.kind != OpKind::MountBlob);
        let lost = self.ledger.lost(&self.place(node));
        lost.or_else(|| self.ledger.lost(source?))
    }

    pub(crate) fn registry(&self, node: NodeId) -> &RegistryName {
        &self.graph.registries()[self.graph.registry(node)]
    }

    /// Notes that a node's place did what it was asked.
    pub(crate) fn answered(&mut self, node: NodeId) {
        let place = self.place(node);
        self.ledger.answered(&place);
    }

    /// Ends a node that failed, and gives its registry up where that was one failure too many.
    pub(crate) fn failed(&mut self, node: NodeId, fault: &Fault) {
        let loss = self.ledger.strike(fault);
        self.fail(&[node], fault, loss);
    }

    /// Ends nodes that failed for one cause.
    pub(crate) fn fail(&mut self, nodes: &[NodeId], fault: &Fault, loss: Loss) {
        let Some(&first) = nodes.first() else {
            return;
        };
        let (cause, loss) = self.ledger.record(&self.op(first).id, fault, loss);
        for &node in nodes {
            self.end(node, Outcome::Failed, Some(cause));
        }
        if loss > Loss::Op {
            self.give_up(&fault.place, loss, cause);
        }
    }

    /// Ends a node whose op lacks what its kind needs. Plans are checked, so this is a hand-made one.
    pub(crate) fn fail_incomplete(&mut self, node: NodeId) {
        let (op, place) = (self.op(node), self.place(node));
        let text = format!(
            "op {} lacks what it needs, or the plan lacks what it names",
            op.id
        );
        self.fail(
            &[node],
            &Fault::new(Side::Target, &place, ProblemKind::Other, text),
            Loss::Op,
        );
    }

    /// Skips at once what is still to be done with a lost repository or registry.
    fn give_up(&mut self, place: &Place, loss: Loss, cause: CauseId) {
        let error = self.ledger.error(cause).to_owned();
        self.events.send(Event::GivenUp { error });
        for node in 0..self.graph.len() {
            let lost_there = match loss {
                Loss::Registry => *self.registry(node) == place.registry,
                Loss::Op | Loss::Place => self.place(node) == *place,
            };
            let leave = match self.nodes[node].stage {
                Stage::Streaming | Stage::Ended(_) => true,
                // A request to another registry may yet succeed: what it read may be in memory.
                Stage::Running => !lost_there,
                _ => false,
            };
            if !leave && self.forlorn(node).is_some() {
                self.end(node, Outcome::Skipped, Some(cause));
            }
        }
        self.launch_ready();
    }

    /// Ends a node, and makes ready or skips what waits for it.
    pub(crate) fn end(&mut self, node: NodeId, outcome: Outcome, cause: Option<CauseId>) {
        let mut ending = vec![(node, outcome, cause)];
        while let Some((node, outcome, cause)) = ending.pop() {
            if self.nodes[node].has_ended() {
                continue;
            }
            self.settle(node, outcome, cause);
            for (next, wait) in self.graph.dependents(node) {
                let Stage::Waiting(count) = self.nodes[next].stage else {
                    continue;
                };
                if wait == Wait::Success && !outcome.landed() {
                    ending.push((next, Outcome::Skipped, cause));
                } else if count > 1 {
                    self.nodes[next].stage = Stage::Waiting(count - 1);
                } else if let Some(cause) = self.forlorn(next) {
                    ending.push((next, Outcome::Skipped, Some(cause)));
                } else {
                    self.enqueue(next);
                }
            }
        }
    }

    fn settle(&mut self, node: NodeId, outcome: Outcome, cause: Option<CauseId>) {
        self.withdraw(node);
        self.nodes[node].stage = Stage::Ended(outcome);
        self.nodes[node].cause = cause;
        self.open -= 1;
        self.ops[self.graph.registry(node)].count(outcome);
        self.count_tag(node, outcome);
        if outcome.achieved() {
            self.achieved.insert((self.op(node).id.clone(), self.place(node)));
        }
        if let Some(cause) = cause {
            self.ledger.affect(cause);
        }
        self.tell(node, outcome);
        self.arrive(node);
    }

    /// Takes a node out of where it waits for its turn.
    fn withdraw(&mut self, node: NodeId) {
        match self.nodes[node].stage {
            Stage::Queued => {
                let rank = rank(self.op(node).kind);
                self.queues[self.graph.registry(node)].remove(&(rank, node));
            }
            Stage::Gathered => {
                if let Some(gather) = self.gathering.get_mut(&self.graph.op(node)) {
                    gather.members.retain(|member| member.node != node);
                }
            }
            _ => {}
        }
    }

    fn count_tag(&mut self, node: NodeId, outcome: Outcome) {
        let op = self.op(node);
        match (op.kind, outcome) {
            (OpKind::CreateRepository, Outcome::Done) => self.repositories.created += 1,
            (OpKind::UpdateRepository, Outcome::Done) => self.repositories.updated += 1,
            _ => {}
        }
        if op.tag_role() != Some(TagRole::Selected) {
            return;
        }
        match outcome {
            Outcome::Done | Outcome::Mounted => self.tags.written += 1,
            Outcome::AlreadyDone => self.tags.unchanged += 1,
            Outcome::TagKept | Outcome::Failed => self.tags.failed += 1,
            Outcome::Skipped => self.tags.failed += u64::from(self.nodes[node].cause.is_some()),
        }
    }

    fn tell(&self, node: NodeId, outcome: Outcome) {
        let (op, place) = (self.op(node), self.place(node));
        let elapsed = self.nodes[node]
            .started
            .map_or(Duration::ZERO, |started| started.elapsed());
        self.events.send(Event::OpEnded {
            op: op.id.clone(),
            kind: op.kind,
            place,
            outcome,
            elapsed,
        });
    }
}
