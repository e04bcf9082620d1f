//! The provider of Google Artifact Registry against doubles of what Google runs.

#[cfg(test)]
mod advice;
#[cfg(test)]
mod data_plane;
#[cfg(test)]
mod documents;
#[cfg(test)]
mod identities;
#[cfg(test)]
mod inventories;
#[cfg(test)]
mod patience;
#[cfg(test)]
mod repositories;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tokens;
