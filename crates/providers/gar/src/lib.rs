//! Google Artifact Registry, and `gcr.io` that it serves: sign-in with Google's identities, repositories, inventories.
//!
//! Who signs in is found by Google's own `google-cloud-auth`. The calls of the
//! [Artifact Registry API](https://docs.cloud.google.com/artifact-registry/docs/reference/rest) are few and written here.

mod account;
mod adc;
mod api;
mod cleanup;
mod creation;
mod drift;
mod identity;
mod inventory;
mod library;
mod member;
mod metadata;
mod place;
mod provider;
mod rights;
mod settings;
mod sign_in;
mod trouble;

pub use provider::GarProvider;
pub use rights::{Call, Right};
