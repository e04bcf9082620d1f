//! A layout that the binary serves as a registry.

use testkit::binary::Sandbox;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::Child;

/// A running `transship serve`. It is killed when dropped.
pub(crate) struct Serving {
    pub(crate) host: String,
    child: Child,
}

impl Serving {
    /// Serves a directory of the sandbox, on a free port of the loopback interface.
    pub(crate) async fn start(sandbox: &Sandbox, directory: &str) -> Self {
        let mut child = sandbox
            .command(&["serve", directory, "--listen", "127.0.0.1:0"])
            .spawn()
            .expect("the binary can be run");
        let stdout = child.stdout.take().expect("standard output is piped");
        let stderr = child.stderr.take().expect("standard error is piped");
        let host = tokio::select! {
            Some(host) = address(stdout) => host,
            Some(host) = address(stderr) => host,
            else => panic!("serve names no address"),
        };
        Self { host, child }
    }

    /// Ends it.
    pub(crate) async fn end(mut self) {
        self.child.kill().await.expect("the server can be killed");
    }
}

/// Reads lines until one names an address.
async fn address(stream: impl AsyncRead + Unpin) -> Option<String> {
    let mut lines = BufReader::new(stream).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some((_, rest)) = line.split_once("127.0.0.1:") {
            let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
            return Some(format!("127.0.0.1:{port}"));
        }
    }
    None
}
