//! What the tests stand on: images, real registries, a proxy that counts and breaks, and the binary itself.
//!
//! A dev-dependency only. Images are pushed and read back here without any of the crates under test.

pub mod binary;
pub mod exchange;
pub mod fault;
pub mod image;
pub mod layout;
mod listening;
pub mod process;
pub mod proxy;
pub mod push;
mod server;
pub mod software;
pub mod token_service;
pub mod world;
