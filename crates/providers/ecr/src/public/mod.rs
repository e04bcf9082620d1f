//! ECR Public.

mod api;
mod catalog;
mod change;
mod describe;
mod inventory;
mod registries;

pub(crate) use api::Public;
