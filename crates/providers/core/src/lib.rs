//! What a registry provider is, the generic one, and those of registries whose API no SDK is needed for.
//!
//! `registry` knows the protocol, a provider knows one vendor: who signs in, what the vendor's registries can do, how a
//! repository is created, and how many things are listed at once.

mod advice;
mod advised;
mod class;
mod generic;
mod harbor;
mod hub;
mod profile;
mod provider;
mod secrecy;
mod setup;
mod signed_in;
mod table;

pub use advice::Advice;
pub use advised::AdvisedRegistry;
pub use class::Class;
pub use generic::GenericProvider;
pub use harbor::HarborProvider;
pub use hub::HubProvider;
pub use profile::Profile;
pub use provider::{Ensured, Importing, Lister, Listing, Provider};
pub use secrecy::takes_credentials;
pub use setup::{Environment, Secrets, Setup};
pub use signed_in::SignedInProvider;
