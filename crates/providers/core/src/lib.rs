//! What a registry provider is, and the generic one.
//!
//! `registry` knows the protocol, a provider knows one vendor: who signs in, what the vendor's registries can do and
//! how a repository is created.

mod class;
mod generic;
mod provider;

pub use class::Class;
pub use generic::GenericProvider;
pub use provider::{Ensured, Inventory, Provider};
