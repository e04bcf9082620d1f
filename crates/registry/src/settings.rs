//! How a registry is talked to.

use oci::Host;

use crate::Wire;

/// What a client needs to know of its registry, besides who signs in.
#[derive(Clone, Debug)]
pub struct ClientSettings {
    /// The registry.
    pub host: Host,
    /// Talks plain HTTP.
    pub plain_http: bool,
    /// The token service that may have the credential although its host is another: `host[:port]`, or its whole address.
    pub realm: Option<String>,
    /// How many requests are on the way at once, and apart from them how many streamed uploads.
    pub concurrency: usize,
    /// How many requests start in a second.
    pub requests_per_second: Option<u32>,
    /// Bytes a second, both ways together.
    pub bandwidth: Option<u64>,
    /// How often a request that failed is sent again, at most.
    pub retries: u32,
    /// How the registry wants to be talked to.
    pub wire: Wire,
    /// What the client calls itself.
    pub user_agent: String,
}

impl ClientSettings {
    /// Makes the settings of a registry that has no special ones.
    #[must_use]
    pub fn new(host: Host) -> Self {
        Self {
            host,
            plain_http: false,
            realm: None,
            concurrency: 8,
            requests_per_second: None,
            bandwidth: None,
            retries: 4,
            wire: Wire::default(),
            user_agent: concat!("transship/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}
