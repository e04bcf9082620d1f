//! The provider against a double of Azure that Microsoft's own clients agree with.

#![expect(
    clippy::unwrap_used,
    reason = "clippy.toml allows unwrap in functions marked #[test] only, and these tests have helpers too"
)]

mod advice;
mod chain;
mod child;
mod imports;
mod listings;
mod locks;
mod protocol;
mod support;
mod tokens;
