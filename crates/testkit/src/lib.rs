//! What the tests stand on: images, real registries, doubles of clouds, a proxy that counts and breaks, and the binary
//! itself.
//!
//! A dev-dependency only. Images are pushed and read back here without any of the crates under test.

mod amazon;
pub mod azure;
pub mod binary;
pub mod exchange;
pub mod fault;
pub mod front;
pub mod google;
pub mod harbor;
pub mod hub;
pub mod image;
pub mod layout;
mod listening;
pub mod ministack;
pub mod moto;
pub mod process;
pub mod proxy;
pub mod push;
pub mod python;
mod server;
pub mod software;
pub mod token_service;
pub mod walker;
pub mod world;
