//! Turns events into what is shown.

use std::collections::HashMap;
use std::sync::Arc;

use planner::plan::TagRole;
use planner::{Op, OpId, OpKind, Place, Plan, size};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, interval_at};
use transfer::{Counters, Event, Outcome, StopReason};

use super::screen::{Rate, Screen};

/// Follows a survey or an execution.
#[derive(Debug)]
pub(super) struct Follower {
    screen: Screen,
    work: Work,
}

#[derive(Debug)]
enum Work {
    Survey {
        answered: usize,
    },
    Hashing {
        counters: Arc<Counters>,
    },
    Execution {
        ended: usize,
        steps: usize,
        names: HashMap<OpId, Name>,
        counters: Arc<Counters>,
    },
}

/// What an op is called.
#[derive(Debug)]
enum Name {
    /// A tag that people selected.
    Tag(String),
    /// What stands behind tags.
    Behind(String),
}

impl Follower {
    pub(super) fn survey(screen: Screen) -> Self {
        Self {
            screen,
            work: Work::Survey { answered: 0 },
        }
    }

    pub(super) fn execution(screen: Screen, plan: &Plan, steps: usize, counters: Arc<Counters>) -> Self {
        Self {
            screen,
            work: Work::Execution {
                ended: 0,
                steps,
                names: names(plan),
                counters,
            },
        }
    }

    pub(super) fn hashing(screen: Screen, counters: Arc<Counters>) -> Self {
        let work = Work::Hashing { counters };
        Self { screen, work }
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
                self.screen.detail(|| {
                    format!(
                        "asking the registries, round {now}: {}",
                        counted(*questions, "question")
                    )
                });
            }
            Event::Answered { .. } => {
                if let Work::Survey { answered } = &mut self.work {
                    *answered += 1;
                }
            }
            Event::OpEnded {
                op,
                place,
                outcome,
                elapsed,
                ..
            } => {
                self.op_ended(op, place, *outcome, elapsed.as_secs_f64());
            }
            Event::BlobStarted {
                digest,
                size: bytes,
                from,
                to,
                ..
            } => self.screen.detail(|| {
                format!(
                    "reading blob {} ({}) from {from} for {}",
                    digest.short(),
                    size(*bytes),
                    counted(to.len(), "place")
                )
            }),
            Event::UploadRetried { place, error, .. } => {
                self.screen
                    .line(&format!("retrying an upload to {place}: {error}"));
            }
            Event::GivenUp { error } | Event::Unlocked { error } => self.screen.line(error),
            Event::Finishing { registry } => self.screen.line(&format!("finishing {registry}")),
            Event::Stopping { reason } => self.screen.line(stopping(*reason)),
            Event::RoundEnded { .. }
            | Event::PlanStarted { .. }
            | Event::OpStarted { .. }
            | Event::BlobEnded { .. }
            | Event::PlanEnded => {}
        }
    }

    fn op_ended(&mut self, op: &OpId, place: &Place, outcome: Outcome, seconds: f64) {
        let Work::Execution { ended, names, .. } = &mut self.work else {
            return;
        };
        *ended += 1;
        let told = told(outcome);
        match names.get(op) {
            // What was skipped is told by its root cause alone.
            Some(Name::Tag(tag)) if outcome != Outcome::Skipped => {
                self.screen.line(&format!("{told}: {place}:{tag}"));
            }
            Some(Name::Tag(tag)) => self.screen.detail(|| format!("{told}: {place}:{tag}")),
            Some(Name::Behind(what)) => {
                self.screen
                    .detail(|| format!("{told}: {what} at {place} in {seconds:.2} s"));
            }
            None => {}
        }
    }

    fn show(&self) {
        match &self.work {
            Work::Survey { answered } => {
                let text = || format!("asking the registries: {}", counted(*answered, "answer"));
                self.screen.show(0, |_| text(), text);
            }
            Work::Hashing { counters } => {
                let text = || format!("reading blobs back: {}", size(counters.total().read));
                self.screen.show(0, |_| text(), text);
            }
            Work::Execution {
                ended,
                steps,
                counters,
                ..
            } => {
                let total = counters.total();
                let bar = |rate: Rate| {
                    let (sent, all) = (size(total.written.min(rate.total)), size(rate.total));
                    let second = size(rate.per_second);
                    format!("{sent} of {all} sent, {second}/s, {ended} of {steps} steps")
                };
                let line = || {
                    let (read, sent) = (size(total.read), size(total.written));
                    format!(
                        "{ended} of {steps} steps; read {read}, sent {sent}, mounted {}",
                        size(total.mounted)
                    )
                };
                self.screen.show(total.written, bar, line);
            }
        }
    }
}

fn names(plan: &Plan) -> HashMap<OpId, Name> {
    plan.ops.iter().map(|op| (op.id.clone(), name(op))).collect()
}

fn name(op: &Op) -> Name {
    let what = match op.kind {
        OpKind::CreateRepository | OpKind::UpdateRepository => "repository",
        OpKind::ImportImage => "import",
        OpKind::UploadBlob | OpKind::MountBlob => "blob",
        OpKind::PutManifest => "manifest",
        OpKind::MergeReferrers => "fallback tag",
        OpKind::MergeSignatures => "cosign tag",
        OpKind::PutTag => "attachment",
    };
    match (&op.tag, &op.digest) {
        (Some(tag), _) if op.tag_role() == Some(TagRole::Selected) => Name::Tag(tag.to_string()),
        (_, Some(digest)) => Name::Behind(format!("{what} {}", digest.short())),
        _ => Name::Behind(what.to_owned()),
    }
}

/// Counts with a plural in `s`.
fn counted(n: usize, one: &str) -> String {
    format!("{n} {one}{}", if n == 1 { "" } else { "s" })
}

fn told(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Done => "written",
        Outcome::AlreadyDone => "already there",
        Outcome::Mounted => "mounted",
        Outcome::TagKept => "left as it is",
        Outcome::Failed => "failed",
        Outcome::Skipped => "skipped",
    }
}

fn stopping(reason: StopReason) -> &'static str {
    match reason {
        StopReason::Interrupt => {
            "Stopping: what is under way is finished, nothing new is started. Ctrl-C again stops at once."
        }
        StopReason::Terminate => {
            "Stopping on SIGTERM: what is under way is finished, nothing new is started."
        }
    }
}
