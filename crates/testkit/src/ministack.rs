//! ministack, a double of Amazon's interfaces that serves `/v2` of its ECR too. <https://github.com/ministackorg/ministack>

use crate::amazon;
use crate::python::Served;

const ENVIRONMENT: [(&str, &str); 6] = [
    // It would bind to every address of the machine,
    ("BIND_HOST", "127.0.0.1"),
    ("GATEWAY_PORT", "0"),
    // and so would these two, on ports that are not free a second time.
    ("IOT_MTLS_ENABLED", "0"),
    ("SFTP_ENABLED", "0"),
    ("SERVICES", "ecr,iam,s3,sts"),
    // The region of a repository that `/v2` is asked for without a name of Amazon's as its host.
    ("MINISTACK_REGION", "eu-west-1"),
];

/// A running ministack of its own state, on a free loopback port. It is killed when dropped.
///
/// Its `/v2` asks nobody who they are, and serves the repositories that have been created alone: those of the account
/// 000000000000, unless the `Host` is a name of Amazon's with another one.
#[derive(Debug)]
pub struct Ministack(Served);

impl Ministack {
    /// Starts one.
    ///
    /// # Panics
    /// Where it does not come up; its log is shown.
    pub async fn start() -> Self {
        Self(Served::start("ministack", &[], &ENVIRONMENT).await)
    }

    /// Returns `127.0.0.1:PORT`, of its registry and of everything else.
    #[must_use]
    pub fn host(&self) -> &str {
        self.0.host()
    }

    /// Returns `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> &str {
        self.0.url()
    }

    /// Returns the variables that lead Amazon's clients here, with keys that ministack takes.
    #[must_use]
    pub fn environment(&self) -> [(&'static str, &str); 6] {
        amazon::environment(self.url())
    }

    /// Returns what it has logged.
    #[must_use]
    pub fn log(&self) -> String {
        self.0.log()
    }
}
