//! Turns events into what is shown.

use std::collections::HashMap;
use std::sync::Arc;

use oci::AttachmentTag;
use planner::{OpId, OpKind, Place, Plan, size};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, interval_at};
use transfer::{Counters, Event, Outcome, StopReason};

use super::screen::Screen;

/// Follows a survey or an execution.
#[derive(Debug)]
pub(super) struct Follower {
    screen: Screen,
    work: Work,
}

#[derive(Debug)]
enum Work {
    Survey {
        round: u32,
        answered: usize,
    },
    Execution {
        ended: usize,
        steps: usize,
        names: HashMap<OpId, String>,
        counters: Arc<Counters>,
    },
}

impl Follower {
    pub(super) fn survey(screen: Screen) -> Self {
        Self {
            screen,
            work: Work::Survey {
                round: 0,
                answered: 0,
            },
        }
    }

    pub(super) fn execution(screen: Screen, plan: &Plan, steps: usize, counters: Arc<Counters>) -> Self {
        Self {
            screen,
            work: Work::Execution {
                ended: 0,
                steps,
                names: tag_names(plan),
                counters,
            },
        }
    }

    /// Shows events until `ended` says that no more will come.
    pub(super) async fn follow(
        mut self,
        mut arriving: mpsc::UnboundedReceiver<Event>,
        mut ended: oneshot::Receiver<()>,
    ) {
        let period = self.screen.interval();
        let mut ticks = interval_at(Instant::now() + period, period);
        loop {
            tokio::select! {
                Some(event) = arriving.recv() => self.take(&event),
                _ = ticks.tick() => self.show(),
                _ = &mut ended => break,
            }
        }
        while let Ok(event) = arriving.try_recv() {
            self.take(&event);
        }
        self.screen.clear();
    }

    fn take(&mut self, event: &Event) {
        match event {
            Event::RoundStarted {
                round: now,
                questions,
            } => {
                if let Work::Survey { round, .. } = &mut self.work {
                    *round = *now;
                }
                self.screen
                    .detail(|| format!("survey round {now}: {questions} questions"));
            }
            Event::Answered { .. } => {
                if let Work::Survey { answered, .. } = &mut self.work {
                    *answered += 1;
                }
            }
            Event::OpEnded {
                op,
                kind,
                place,
                outcome,
                elapsed,
            } => {
                self.op_ended(op, *kind, place, *outcome, elapsed.as_secs_f64());
            }
            Event::BlobStarted {
                digest,
                size: bytes,
                from,
                to,
                ..
            } => self.screen.detail(|| {
                format!(
                    "reading {} ({}) from {from} for {} places",
                    digest.short(),
                    size(*bytes),
                    to.len()
                )
            }),
            Event::UploadRetried { place, error, .. } => {
                self.screen
                    .line(&format!("retrying an upload to {place}: {error}"));
            }
            Event::GivenUp { error } => self.screen.line(&format!("giving up: {error}")),
            Event::Stopping { reason } => self.screen.line(stopping(*reason)),
            Event::RoundEnded { .. }
            | Event::PlanStarted { .. }
            | Event::OpStarted { .. }
            | Event::BlobEnded { .. }
            | Event::PlanEnded => {}
        }
    }

    fn op_ended(&mut self, op: &OpId, kind: OpKind, place: &Place, outcome: Outcome, seconds: f64) {
        let Work::Execution { ended, names, .. } = &mut self.work else {
            return;
        };
        *ended += 1;
        match (names.get(op), told(outcome)) {
            (Some(tag), Some(told)) => self.screen.line(&format!("{told} {place}:{tag}")),
            _ => self.screen.detail(|| {
                format!(
                    "{} {} at {place} in {seconds:.2} s",
                    told(outcome).unwrap_or("skipped"),
                    verb(kind)
                )
            }),
        }
    }

    fn show(&self) {
        match &self.work {
            Work::Survey { round, answered } => {
                let text = || format!("surveying: round {round}, {answered} answers");
                self.screen.show(0, text, || Some(text()));
            }
            Work::Execution {
                ended,
                steps,
                counters,
                ..
            } => {
                let total = counters.total();
                let bar = || format!("{ended} of {steps} steps");
                let line = || {
                    let (read, sent) = (size(total.read), size(total.written));
                    Some(format!(
                        "{ended} of {steps} steps; read {read}, sent {sent}, mounted {}",
                        size(total.mounted)
                    ))
                };
                self.screen.show(total.written, bar, line);
            }
        }
    }
}

/// The tags that people selected, by the op that puts each.
fn tag_names(plan: &Plan) -> HashMap<OpId, String> {
    let tags = plan.ops.iter().filter(|op| op.kind == OpKind::PutTag);
    tags.filter_map(|op| {
        let tag = op
            .tag
            .as_ref()
            .filter(|tag| AttachmentTag::scheme(tag).is_none())?;
        Some((op.id.clone(), tag.to_string()))
    })
    .collect()
}

/// The word for an outcome; what was skipped is told by its root cause alone.
fn told(outcome: Outcome) -> Option<&'static str> {
    match outcome {
        Outcome::Done => Some("done"),
        Outcome::AlreadyDone => Some("already there:"),
        Outcome::Mounted => Some("mounted"),
        Outcome::TagKept => Some("left as it is:"),
        Outcome::Failed => Some("failed"),
        Outcome::Skipped => None,
    }
}

fn verb(kind: OpKind) -> &'static str {
    match kind {
        OpKind::CreateRepository => "repository",
        OpKind::UploadBlob | OpKind::MountBlob => "blob",
        OpKind::PutManifest => "manifest",
        OpKind::MergeReferrers => "fallback tag",
        OpKind::PutTag => "tag",
    }
}

fn stopping(reason: StopReason) -> &'static str {
    match reason {
        StopReason::Interrupt => {
            "Stopping: what runs is ended, nothing new is started. Ctrl-C again abandons it."
        }
        StopReason::Terminate => "Stopping on SIGTERM: what runs is ended, nothing new is started.",
    }
}
