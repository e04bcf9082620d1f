//! A process that serves on loopback, and says in its log where.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStderr, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

// The slowest needs two seconds of a free processor; many of them start at once on a busy one.
const PATIENCE: Duration = Duration::from_secs(120);

/// How much of the log is shown where a test fails.
const SHOWN: usize = 20;

/// A running server. It is killed when dropped, and its log shown where a test fails.
#[derive(Debug)]
pub(crate) struct Server {
    name: String,
    host: String,
    log: Arc<Mutex<Vec<String>>>,
    child: Child,
    // A server that reads its standard input learns by its end that the test is gone, however that went.
    _stdin: Option<ChildStdin>,
}

impl Server {
    /// Starts a process, and waits for the line of its standard error that has its address after `marker`.
    ///
    /// # Panics
    /// Where it ends, or says no address in time; the message has its log.
    pub(crate) async fn launch(mut command: Command, marker: &'static str) -> Self {
        let name = command.get_program().to_string_lossy().into_owned();
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{name} cannot be started: {error}"));
        let stderr = child.stderr.take().expect("standard error is piped");
        let mut server = Self {
            name,
            host: String::new(),
            log: Arc::default(),
            _stdin: child.stdin.take(),
            child,
        };
        let (ready, listening) = oneshot::channel();
        let log = Arc::clone(&server.log);
        thread::spawn(move || follow(stderr, marker, &log, ready));
        // Dropped by a panic, the server is killed and shows its log.
        server.host = tokio::time::timeout(PATIENCE, listening)
            .await
            .unwrap_or_else(|_| panic!("{} does not say where it listens", server.name))
            .unwrap_or_else(|_| panic!("{} ended", server.name));
        server
    }

    /// Returns `127.0.0.1:PORT`.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// Returns what it has logged.
    pub(crate) fn log(&self) -> String {
        self.log.lock().expect("no holder of the log panics").join("\n")
    }

    /// Kills the process, as a power cut would.
    pub(crate) fn kill(&mut self) {
        // An error says that it has ended already.
        let _ = self.child.kill();
        self.child.wait().expect("a child can be waited for");
    }

    fn show(&self) {
        let log = self.log.lock().expect("no holder of the log panics");
        let from = log.len().saturating_sub(SHOWN);
        let shown = log[from..].join("\n");
        // Nobody is left to tell where standard error is closed.
        let _ = writeln!(io::stderr(), "--- {} at {}\n{shown}", self.name, self.host);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            self.show();
        }
    }
}

/// Reads the log to its end; the line that names the address says that the server is ready.
fn follow(stderr: ChildStderr, marker: &str, log: &Mutex<Vec<String>>, ready: oneshot::Sender<String>) {
    let mut ready = Some(ready);
    for line in BufReader::new(stderr).lines().map_while(Result::ok) {
        let host = line
            .split_once(marker)
            .and_then(|(_, rest)| rest.split(['"', ' ']).next())
            .map(str::to_owned);
        log.lock().expect("no holder of the log panics").push(line);
        if let Some((host, ready)) = host.and_then(|host| Some((host, ready.take()?))) {
            // Nobody waits any more where the test has been given up.
            let _ = ready.send(host);
        }
    }
}
