//! Asking a run to stop.

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// Who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// A person, by Ctrl-C.
    Interrupt,
    /// The system, by SIGTERM.
    Terminate,
}

/// Asks a run to stop.
#[derive(Debug)]
pub struct Stopper(watch::Sender<Option<StopReason>>);

impl Stopper {
    /// Asks. Only the first reason counts.
    pub fn stop(&self, reason: StopReason) {
        self.0.send_if_modified(|asked| {
            let first = asked.is_none();
            asked.get_or_insert(reason);
            first
        });
    }
}

/// Hears when a run is asked to stop.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<Option<StopReason>>);

impl Stop {
    /// Makes both ends.
    #[must_use]
    pub fn channel() -> (Stopper, Self) {
        let (sender, receiver) = watch::channel(None);
        (Stopper(sender), Self(receiver))
    }

    /// Makes one that is never asked.
    #[must_use]
    pub fn never() -> Self {
        Self::channel().1
    }

    /// Waits until the run is asked to stop; for ever where nobody can ask any more.
    pub(crate) async fn requested(&mut self) -> StopReason {
        if let Ok(reason) = self.0.wait_for(Option::is_some).await
            && let Some(reason) = *reason
        {
            return reason;
        }
        std::future::pending().await
    }
}
