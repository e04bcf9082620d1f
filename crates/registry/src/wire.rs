//! How one registry wants to be talked to, as plain data.

use std::collections::BTreeMap;

/// What a request does, as registries count and limit it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// GET of a page of tags.
    ListTags,
    /// HEAD of a manifest.
    HeadManifest,
    /// GET of a manifest.
    GetManifest,
    /// PUT of a manifest, by tag or by digest.
    PutManifest,
    /// GET of a page of referrers.
    ListReferrers,
    /// HEAD of a blob.
    HeadBlob,
    /// GET of a blob.
    GetBlob,
    /// POST that opens an upload session, or mounts a blob.
    StartUpload,
    /// PATCH that sends a part of a blob.
    SendChunk,
    /// PUT that commits a blob, with its body or without.
    FinishUpload,
}

/// How a blob's body is cut into requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Upload {
    /// One PUT with the whole body.
    #[default]
    Whole,
    /// One PUT up to `above` bytes; beyond, PATCH requests of `chunk` bytes each, the last of which may be shorter.
    Chunked {
        /// The largest body that goes in one PUT, in bytes.
        above: u64,
        /// The size of each PATCH, in bytes; at least one.
        chunk: u64,
    },
}

impl Upload {
    /// Returns how large the parts of a blob of `size` bytes are, in bytes; nothing where it goes whole.
    pub(crate) fn chunk(self, size: u64) -> Option<u64> {
        match self {
            Self::Chunked { above, chunk } if size > above => Some(chunk.max(1)),
            Self::Whole | Self::Chunked { .. } => None,
        }
    }
}

/// How one registry wants to be talked to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wire {
    /// How bodies are cut.
    pub upload: Upload,
    /// How many tags are asked for at once.
    pub page: usize,
    /// How many requests of a kind may start in a second.
    pub rates: BTreeMap<Operation, u32>,
}

impl Default for Wire {
    fn default() -> Self {
        Self {
            upload: Upload::Whole,
            page: 1_000,
            rates: BTreeMap::new(),
        }
    }
}
