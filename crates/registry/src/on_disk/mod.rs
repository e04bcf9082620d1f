//! OCI image layouts behind the same two traits as registries.

mod blobs;
mod contents;
mod failure;
mod registry;
mod repository;
mod view;

pub use registry::LayoutRegistry;
