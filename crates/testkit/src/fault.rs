//! What a proxy does to a request instead of passing it on.

use std::time::Duration;

use http::Method;

/// What is known of a request before it is passed on.
#[derive(Clone, Debug)]
pub struct RequestHead {
    /// The method.
    pub method: Method,
    /// The path.
    pub path: String,
    /// The query, without the question mark; empty where there is none.
    pub query: String,
    /// How many requests came before, since the proxy was started.
    pub before: usize,
}

impl RequestHead {
    /// Returns true where the request starts an upload or mounts a blob.
    #[must_use]
    pub fn starts_upload(&self) -> bool {
        self.method == Method::POST && self.path.ends_with("/blobs/uploads/")
    }

    /// Returns true where the request carries a blob's bytes towards the registry.
    #[must_use]
    pub fn sends_blob(&self) -> bool {
        let uploads = self.path.contains("/blobs/uploads/");
        uploads && (self.method == Method::PUT || self.method == Method::PATCH)
    }

    /// Returns true where the request reads a blob.
    #[must_use]
    pub fn reads_blob(&self) -> bool {
        self.method == Method::GET && self.path.contains("/blobs/") && !self.path.contains("/uploads/")
    }

    /// Returns true where the request puts a manifest.
    #[must_use]
    pub fn puts_manifest(&self) -> bool {
        self.method == Method::PUT && self.path.contains("/manifests/")
    }
}

/// A fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// None: the request is passed on.
    None,
    /// The request's body is read and dropped, and this status is the answer.
    Status(u16),
    /// The connection is closed without an answer.
    Reset,
    /// The connection is closed once this many bytes of a body have passed, in either direction.
    Cut {
        /// How many bytes pass.
        after: u64,
    },
    /// The request waits before it is passed on.
    Delay(Duration),
    /// Bodies pass no faster than this, in both directions.
    Throttle {
        /// Bytes a second.
        bytes_per_second: u64,
    },
    /// The request is never answered.
    Stall,
}
