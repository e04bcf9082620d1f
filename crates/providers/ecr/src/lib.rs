//! Amazon ECR and ECR Public: native sign-in, repository creation, inventories.
//!
//! Amazon's SDK reads its own environment and files, as every tool of Amazon's does: profiles, single sign-on, IRSA, Pod
//! Identity, instance roles. Nothing is read and nothing is sent before the first need.

mod action;
mod advice;
mod failure;
mod host;
mod identity;
mod pace;
mod policy;
mod private;
mod provider;
mod public;
mod session;
mod settings;
mod sign_in;

pub use provider::EcrProvider;
