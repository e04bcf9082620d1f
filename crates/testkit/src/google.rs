//! Google Cloud on loopback: who signs in, and where repositories are kept.
//!
//! Doubles, each after what Google publishes of the service; the Artifact Registry is tried with Google's own Python client.

mod answer;
pub mod artifact_registry;
mod asked;
pub mod identity;
pub mod key;
pub mod realm;

pub use self::asked::Asked;
