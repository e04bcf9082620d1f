//! Azure Container Registry: native sign-in, inventories, locks and imports.
//!
//! Tokens come from `azure_identity`. Everything else is asked of the registry itself (`/oauth2/*`, `/acr/v1/*`) and of
//! Azure Resource Manager, for which there are no Rust clients.

mod access;
mod advise;
mod catalogue;
mod cloud;
mod data_plane;
mod identity;
mod jwt;
mod management;
mod pages;
mod permission;
mod places;
mod provider;
mod retry;
mod session;

pub use provider::AcrProvider;
