//! What a registry supports and asks for.

use std::time::Duration;

/// What a [`Registry`](crate::Registry) supports, and whom it lets in.
#[derive(Clone, Debug)]
pub struct Options {
    /// Answers the referrers API. Without it, clients fall back to the referrers tag schema.
    pub referrers_api: bool,
    /// Mounts blobs from the repository a request names. Without it, a mount is answered with an upload session.
    pub mounts: bool,
    /// Mounts blobs also where a request names no repository to mount from.
    pub anonymous_mounts: bool,
    /// Accepts manifests that name blobs or manifests which the repository lacks.
    pub sparse: bool,
    /// Refuses every write with 405.
    pub read_only: bool,
    /// Deletes tags, manifests and blobs. Without it, a deletion is answered with 405.
    pub delete: bool,
    /// The one user and password, asked for by HTTP Basic, or at the token endpoint where `bearer` is set.
    pub basic_auth: Option<(String, String)>,
    /// Asks for bearer tokens and issues them at `/token`.
    pub bearer: Option<BearerOptions>,
    /// The most entries in one page of tags, repositories or referrers, whatever a client asks for.
    pub page_size: Option<usize>,
    /// Remembers every request, for [`Registry::requests`](crate::Registry::requests).
    pub record: bool,
    /// Makes upload sessions and tokens hard to guess, where it is random.
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            referrers_api: true,
            mounts: true,
            anonymous_mounts: false,
            sparse: false,
            read_only: false,
            delete: true,
            basic_auth: None,
            bearer: None,
            page_size: None,
            record: false,
            seed: 0,
        }
    }
}

/// How bearer tokens are asked for and issued.
///
/// <https://distribution.github.io/distribution/spec/auth/token/>
#[derive(Clone, Debug)]
pub struct BearerOptions {
    /// The name of the service in the challenge.
    pub service: String,
    /// How long a token is good for, by the clock of tokio.
    pub lifetime: Duration,
    /// Where tokens are issued, if not at `/token` of the host that was asked.
    pub realm: Option<String>,
    /// Lets clients without credentials have tokens to pull with.
    pub anonymous_pull: bool,
}

impl Default for BearerOptions {
    fn default() -> Self {
        Self {
            service: "loopback".to_owned(),
            lifetime: Duration::from_secs(300),
            realm: None,
            anonymous_pull: false,
        }
    }
}
