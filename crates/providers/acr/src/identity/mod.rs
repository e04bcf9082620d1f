//! Whom Azure knows us as: the chain that azure_identity leaves to its users.

mod chain;
mod client;
mod failure;
mod link;
mod metadata;

pub(crate) use chain::{Chain, Identity, Resolved};
pub(crate) use link::Sources;
