//! A repository of a registry, over HTTP.

mod blobs;
mod content_range;
mod download;
pub(crate) mod link;
mod manifests;
mod pages;
mod referrers;
mod repository;
mod tags;
mod uploads;

pub(crate) use repository::RemoteRepository;
