//! Listings over loopback, through the transport that is shipped.

#[cfg(test)]
mod harbor;
#[cfg(test)]
mod hub;
#[cfg(test)]
mod support;
