//! A repository of a registry, over HTTP.

mod blobs;
mod catalog;
mod chunks;
mod content_range;
mod document;
mod download;
pub(crate) mod link;
mod manifests;
mod pages;
mod referrers;
mod repository;
mod source;
mod tags;
mod uploads;

pub(crate) use catalog::catalog;
pub(crate) use repository::RemoteRepository;
