//! The provider of Google Artifact Registry against doubles of what Google runs.

mod advice;
mod documents;
mod identities;
mod inventories;
mod patience;
mod repositories;
mod support;
