//! ECR private.

mod api;
mod blobs;
mod change;
mod describe;
mod drift;
mod inventory;

pub(crate) use api::Private;
pub(crate) use drift::{differs, policy_drift, tags_drift};
pub(crate) use inventory::not_listed;
