//! The provider against a double of Azure that Microsoft's own clients agree with.

#[cfg(test)]
mod advice;
#[cfg(test)]
mod chain;
#[cfg(test)]
mod child;
#[cfg(test)]
mod imports;
#[cfg(test)]
mod listings;
#[cfg(test)]
mod locks;
#[cfg(test)]
mod protocol;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tokens;
