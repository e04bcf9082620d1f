//! Progress on standard error: a bar on a terminal, plain lines elsewhere, nothing where quiet is asked for.

mod follower;
mod screen;

use planner::Plan;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use transfer::Events;

use self::follower::Follower;
use self::screen::Screen;
use crate::terminal::Terminal;

/// Shows events until it is ended.
#[derive(Debug)]
pub(crate) struct Progress {
    events: Events,
    done: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Progress {
    /// Shows a survey.
    pub(crate) fn survey(terminal: &Terminal) -> Self {
        let screen = Screen::survey(terminal);
        Self::start(|_| Follower::survey(screen))
    }

    /// Shows the execution of a plan.
    pub(crate) fn execution(terminal: &Terminal, plan: &Plan) -> Self {
        let screen = Screen::execution(terminal, plan.summary.bytes.upload);
        let steps = plan.ops.iter().map(|op| op.at.len()).sum();
        Self::start(|events| Follower::execution(screen, plan, steps, events.counters()))
    }

    /// Shows how blobs are read back and hashed.
    pub(crate) fn hashing(terminal: &Terminal) -> Self {
        let screen = Screen::survey(terminal);
        Self::start(|events| Follower::hashing(screen, events.counters()))
    }

    fn start(follower: impl FnOnce(&Events) -> Follower) -> Self {
        let (events, arriving) = Events::channel();
        let (done, ended) = oneshot::channel();
        let task = tokio::spawn(follower(&events).follow(arriving, ended));
        Self { events, done, task }
    }

    /// Returns where events are sent.
    pub(crate) fn events(&self) -> &Events {
        &self.events
    }

    /// Shows what has arrived, then takes the bar away.
    pub(crate) async fn end(self) {
        // A follower that has gone already needs no word.
        let _ = self.done.send(());
        let _ = self.task.await;
    }
}
