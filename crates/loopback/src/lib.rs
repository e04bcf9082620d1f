//! A small OCI registry in-process, over memory or an OCI image layout.
//!
//! It follows release 1.1 of the OCI Distribution Specification, and these of its later additions: tags given as
//! parameters when a manifest is pushed by digest, the `digest-algorithm` parameter and the cancelling of uploads.
//! SHA-256 and SHA-512 are both addresses of blobs and of manifests.
//!
//! <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md>
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! let server = transship_loopback::Registry::in_memory().serve(([127, 0, 0, 1], 0).into()).await?;
//! println!("http://{}/v2/", server.host());
//! server.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! What it is not: a registry to put on a public network. It speaks plain HTTP, knows one user at most, and never
//! collects garbage. A blob's bytes are never gathered in one piece, neither on their way in nor on their way out.

mod auth;
mod blobs;
mod challenge;
mod failure;
mod layout_store;
mod layout_view;
mod manifests;
mod memory;
mod options;
mod page;
mod range;
mod record;
mod referrers;
mod registry;
mod route;
mod scope;
mod server;
mod service;
mod session;
mod store;
mod tags;
mod token;
mod uploads;

pub use options::{BearerOptions, Options};
pub use record::RequestRecord;
pub use registry::Registry;
pub use server::Server;
