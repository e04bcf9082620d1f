//! What a configuration knows better than the built-in profile of a registry.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Listing, MountRule};

/// What a configuration knows better than the built-in profile of a registry. What is not said stays as built in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProfileOverrides {
    /// How bodies of blobs are sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload: Option<UploadRule>,
    /// The largest body that goes in one request, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whole_up_to: Option<u64>,
    /// The size of each part of a larger one, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chunk: Option<u64>,
    /// How many tags are asked for at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<u32>,
    /// How blobs are mounted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mount: Option<MountRule>,
    /// Where attachments are listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub referrers: Option<ReferrersRule>,
    /// What becomes of an index of which some children are missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sparse_index: Option<SparseRule>,
    /// How repositories are listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listing: Option<Listing>,
    /// How many requests of a kind may start in a second.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rates: BTreeMap<Rated, u32>,
}

/// How bodies of blobs are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UploadRule {
    /// In one request.
    Whole,
    /// In parts where they are large.
    Chunked,
}

/// Where attachments are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReferrersRule {
    /// By the referrers API.
    Api,
    /// Under fallback tags.
    Fallback,
}

/// What a registry does with an index of which some children are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SparseRule {
    /// It takes it.
    Accepted,
    /// It refuses it.
    Refused,
}

/// A kind of request whose rate is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rated {
    /// GET of a page of tags.
    ListTags,
    /// HEAD of a manifest.
    HeadManifest,
    /// GET of a manifest.
    GetManifest,
    /// PUT of a manifest.
    PutManifest,
    /// GET of a page of referrers.
    ListReferrers,
    /// HEAD of a blob.
    HeadBlob,
    /// GET of a blob.
    GetBlob,
    /// POST that opens an upload or mounts.
    StartUpload,
    /// PATCH that sends a part of a blob.
    SendChunk,
    /// PUT that commits a blob.
    FinishUpload,
}
