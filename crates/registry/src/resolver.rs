//! Names that answers point to, resolved with care.

use std::net::SocketAddr;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::address::{self, Place};

/// Resolves names and refuses those that lead to this machine, to its link or to a metadata service. The check sees the
/// very addresses that are connected to, so that a name can't change in between.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OutwardResolver;

/// A name that leads inside.
#[derive(Debug, thiserror::Error)]
#[error("the name leads inside")]
pub(crate) struct LeadsInside;

impl Resolve for OutwardResolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            if found.iter().any(leads_inside) {
                return Err(LeadsInside.into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

fn leads_inside(address: &SocketAddr) -> bool {
    matches!(
        address::place_of_address(address.ip()),
        Place::Machine | Place::Link
    )
}
