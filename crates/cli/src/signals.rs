//! Ctrl-C and SIGTERM: the first asks for a graceful end, the second does not wait.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::exit::Exit;

/// A signal that asks the program to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// SIGTERM.
    Terminate,
}

impl Signal {
    /// Returns how a run that it ended exits: what a scheduler stopped may be run again.
    pub(crate) fn exit(self) -> Exit {
        match self {
            Self::Interrupt => Exit::Interrupted,
            Self::Terminate => Exit::Temporary,
        }
    }
}

/// The signals caught so far, in order; clones see the same.
#[derive(Clone, Debug)]
pub(crate) struct Signals {
    caught: watch::Receiver<Vec<Signal>>,
}

impl Signals {
    /// Catches signals from now on.
    ///
    /// # Errors
    /// Where the system lets no handler in.
    pub(crate) fn listen() -> std::io::Result<Self> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let (sender, caught) = watch::channel(Vec::new());
        tokio::spawn(async move {
            loop {
                let next = tokio::select! {
                    Some(()) = interrupt.recv() => Signal::Interrupt,
                    Some(()) = terminate.recv() => Signal::Terminate,
                    else => break,
                };
                sender.send_modify(|caught| caught.push(next));
            }
        });
        Ok(Self { caught })
    }

    /// Waits for the first signal.
    pub(crate) async fn first(&self) -> Signal {
        self.nth(0).await
    }

    /// Waits for the second signal.
    pub(crate) async fn second(&self) -> Signal {
        self.nth(1).await
    }

    /// Returns the first signal, if one was caught.
    pub(crate) fn caught(&self) -> Option<Signal> {
        self.caught.borrow().first().copied()
    }

    async fn nth(&self, n: usize) -> Signal {
        let mut caught = self.caught.clone();
        let found = caught
            .wait_for(|caught| caught.len() > n)
            .await
            .map(|caught| caught[n]);
        match found {
            Ok(signal) => signal,
            // Nobody listens any more, so no signal can come.
            Err(_) => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signals() -> (watch::Sender<Vec<Signal>>, Signals) {
        let (sender, caught) = watch::channel(Vec::new());
        (sender, Signals { caught })
    }

    #[tokio::test]
    async fn the_first_signal_decides_how_the_run_exits() {
        let (sender, signals) = signals();
        assert_eq!(signals.caught(), None);
        sender.send_modify(|caught| caught.extend([Signal::Terminate, Signal::Interrupt]));
        assert_eq!(signals.first().await.exit(), Exit::Temporary);
        assert_eq!(signals.second().await, Signal::Interrupt);
        assert_eq!(signals.caught(), Some(Signal::Terminate));
    }

    #[test]
    fn ctrl_c_exits_as_shells_expect() {
        assert_eq!(Signal::Interrupt.exit().code(), 130);
    }
}
