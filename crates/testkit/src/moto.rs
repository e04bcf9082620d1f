//! moto, a double of Amazon's interfaces: ECR without `/v2`, STS, S3. <https://docs.getmoto.org>

use crate::amazon;
use crate::python::Served;

/// A running moto of its own state, on a free loopback port. It is killed when dropped.
#[derive(Debug)]
pub struct Moto(Served);

impl Moto {
    /// Starts one.
    ///
    /// # Panics
    /// Where it does not come up; its log is shown.
    pub async fn start() -> Self {
        Self(Served::start("moto.server", &["--host", "127.0.0.1", "--port", "0"], &[]).await)
    }

    /// Returns `127.0.0.1:PORT`.
    #[must_use]
    pub fn host(&self) -> &str {
        self.0.host()
    }

    /// Returns `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> &str {
        self.0.url()
    }

    /// Returns the variables that lead Amazon's clients here, with keys that moto takes.
    #[must_use]
    pub fn environment(&self) -> [(&'static str, &str); 6] {
        amazon::environment(self.url())
    }

    /// Returns what it has logged: a line for every request.
    #[must_use]
    pub fn log(&self) -> String {
        self.0.log()
    }
}
