//! The provider against a double of Azure that Microsoft's own clients agree with.

mod advice;
mod chain;
mod child;
mod imports;
mod listings;
mod locks;
mod protocol;
mod support;
mod tokens;
