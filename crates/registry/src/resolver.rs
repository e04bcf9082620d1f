//! Names, resolved with care.

use std::io;
use std::net::SocketAddr;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::address::{self, Place};

/// Resolves names.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Resolver {
    /// Those that the configuration names: they lead wherever they lead.
    Anywhere,
    /// Those that answers point to: what leads to this machine, to its link or to a metadata service is refused. The
    /// check sees the very addresses that are connected to, so that a name can't change in between.
    Outward,
}

/// A name that leads inside.
#[derive(Debug, thiserror::Error)]
#[error("the name leads inside")]
pub(crate) struct LeadsInside;

/// A name that leads nowhere.
#[derive(Debug, thiserror::Error)]
#[error("no address is known for it")]
pub(crate) struct Unresolved(#[source] io::Error);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let resolver = *self;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0))
                .await
                .map_err(Unresolved)?;
            let found: Vec<SocketAddr> = found.collect();
            if matches!(resolver, Self::Outward) && found.iter().any(leads_inside) {
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
