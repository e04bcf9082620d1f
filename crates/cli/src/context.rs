//! What every command is given: the terminal, the environment, the signals and the time it began.

use std::path::PathBuf;

use jiff::Timestamp;

use crate::failure::Failure;
use crate::locks::Company;
use crate::signals::Signals;
use crate::terminal::Terminal;

/// What every command is given.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    /// Where words go.
    pub(crate) terminal: Terminal,
    /// What asks the program to end.
    pub(crate) signals: Signals,
    /// When the run began.
    pub(crate) started: Timestamp,
    /// Whether other processes may write what this one writes.
    pub(crate) company: Company,
}

impl Context {
    /// Waits for `work`, unless a signal comes first. For work that leaves nothing half done.
    ///
    /// # Errors
    /// The signal, as the failure it exits with.
    pub(crate) async fn unless_interrupted<T>(&self, work: impl Future<Output = T>) -> Result<T, Failure> {
        tokio::select! {
            biased;
            signal = self.signals.first() => Err(Failure::new(signal.exit(), "interrupted")),
            done = work => Ok(done),
        }
    }

    /// Writes data to standard output.
    ///
    /// # Errors
    /// Where it can't be written.
    pub(crate) fn data(&self, text: &str) -> Result<(), Failure> {
        self.terminal.data(text).map_err(|error| unwritten(&error))
    }

    /// Writes bytes to standard output as they are.
    ///
    /// # Errors
    /// Where they can't be written.
    pub(crate) fn bytes(&self, bytes: &[u8]) -> Result<(), Failure> {
        self.terminal.bytes(bytes).map_err(|error| unwritten(&error))
    }

    /// Writes text for people to standard output.
    ///
    /// # Errors
    /// Where it can't be written.
    pub(crate) fn text(&self, text: &str) -> Result<(), Failure> {
        self.terminal.text(text).map_err(|error| unwritten(&error))
    }

    /// Writes text for people to standard output, with short digests on a terminal.
    ///
    /// # Errors
    /// Where it can't be written.
    pub(crate) fn brief(&self, text: &str) -> Result<(), Failure> {
        self.terminal.brief(text).map_err(|error| unwritten(&error))
    }
}

fn unwritten(error: &std::io::Error) -> Failure {
    Failure::failed("can't write to standard output").because(error)
}

/// Looks a name up in the environment. A value that is not Unicode counts as none, as does an empty name.
pub(crate) fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Returns the path that an environment variable names, if it names one.
pub(crate) fn environment_path(name: &str) -> Option<PathBuf> {
    std::env::var_os(name)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}
