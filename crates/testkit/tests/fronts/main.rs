//! The rules of the fronts, by requests that break them.

#[cfg(test)]
mod amazon;
#[cfg(test)]
mod amazon_api;
#[cfg(test)]
mod azure;
#[cfg(test)]
mod google;
#[cfg(test)]
mod visitor;
