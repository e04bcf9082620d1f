//! Repositories, remote and on disk: one contract for both, and registries that lie.

extern crate transship_registry as registry;

#[cfg(test)]
mod blobs;
#[cfg(test)]
mod chunks;
#[cfg(test)]
mod contract;
#[cfg(test)]
mod deletions;
#[cfg(test)]
mod lists;
#[cfg(test)]
mod manifests;
#[cfg(test)]
mod on_disk;
#[cfg(test)]
mod scripted;
#[cfg(test)]
mod support;
#[cfg(test)]
mod uploads;
