//! The provider against doubles of AWS: moto and ministack, which others wrote, and a front for what neither does.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails it")]

mod front;
mod inside;
mod moto;
mod public;
mod refusals;
mod repositories;
mod signing_in;
mod wire;
