//! What a cloud's provider is made from.

use std::fmt;
use std::sync::Arc;

use oci::Host;
use planner::config::{Auth, SecretReference};
use registry::{Secret, Transport};

use crate::Profile;

/// Reads a variable of the environment.
pub type Environment = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// Reads what a secret reference points to, anew each time. The error says what is wrong with it.
pub type Secrets = Arc<dyn Fn(&SecretReference) -> Result<Secret, String> + Send + Sync>;

/// What a cloud's provider is made from.
#[derive(Clone)]
pub struct Setup {
    /// How the registry is called, for errors.
    pub name: String,
    /// Its host.
    pub host: Host,
    /// Whether it is asked over plain HTTP.
    pub plain_http: bool,
    /// Who signs in, variables expanded and paths made absolute.
    pub auth: Auth,
    /// What it can do.
    pub profile: Profile,
    /// The registry's resource, where the configuration names it (ACR).
    pub resource_id: Option<String>,
    /// Reads secrets.
    pub secrets: Secrets,
    /// Reads the environment.
    pub environment: Environment,
    /// The door to the network for what no SDK does.
    pub transport: Arc<dyn Transport>,
}

impl fmt::Debug for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setup")
            .field("name", &self.name)
            .field("host", &self.host)
            .finish_non_exhaustive()
    }
}
