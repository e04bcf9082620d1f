//! What a registry was seen to do.

use oci::Digest;
use serde::Serialize;

/// A fact, or why it could not be found out.
pub type Told<T> = Result<T, String>;

/// What reading showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reads {
    /// How it lets people in.
    pub sign_in: SignInFacts,
    /// How it lists a few tags.
    pub tags: TagsFacts,
    /// What it says to more tags at once than some allow.
    pub limit: Told<LimitFacts>,
    /// What it says of a manifest that is not read.
    pub manifest: Told<ManifestFacts>,
    /// What it says of a blob that is not read.
    pub blob: Told<BlobFacts>,
    /// Where it sends those who read a blob.
    pub redirect: Told<RedirectFacts>,
    /// Whether a part of a blob can be read.
    pub range: Told<RangeFacts>,
    /// What it says to those who ask for referrers.
    pub referrers: Told<ReferrersFacts>,
    /// A blob that stands in the repository, for those who go on to write.
    pub sample: Told<Digest>,
}

/// What opening and cancelling upload sessions showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Writes {
    /// How it opens a session, and cancels it.
    pub session: Told<SessionFacts>,
    /// What it says to a mount of a blob from the very repository that it stands in.
    pub mount: Told<MountFacts>,
    /// How it takes a blob in parts.
    pub chunks: Told<ChunkFacts>,
}

/// How a registry lets people in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SignInFacts {
    /// What its front page answers to nobody.
    pub status: u16,
    /// What it asks for there.
    pub challenges: Vec<ChallengeFacts>,
    /// Where the credential came from that was shown, where one was needed.
    pub credential: Option<String>,
}

/// One challenge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChallengeFacts {
    /// Its scheme, in lower case.
    pub scheme: String,
    /// The token service that it names, as `host[:port]`.
    pub token_service: Option<String>,
    /// What the registry calls itself there.
    pub service: Option<String>,
}

/// A list of a few tags.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TagsFacts {
    /// How many were asked for.
    pub asked: usize,
    /// How many came.
    pub listed: usize,
    /// Where the next page is, where there is one.
    pub next: Option<LocationFacts>,
}

/// An address that a registry named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LocationFacts {
    /// Whether it has a scheme and a host.
    pub absolute: bool,
    /// Whether it is under `/v2/`.
    pub under_v2: bool,
    /// The host, where it is not the registry's.
    pub elsewhere: Option<String>,
}

/// What is said to more tags at once than some allow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LimitFacts {
    /// How many were asked for.
    pub asked: usize,
    /// The status.
    pub status: u16,
}

/// What is said of a manifest that is not read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ManifestFacts {
    /// The status.
    pub status: u16,
    /// Whether its digest is named.
    pub digest: bool,
    /// Whether its size is named.
    pub size: bool,
}

/// What is said of a blob that is not read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BlobFacts {
    /// The status, after redirects.
    pub status: u16,
    /// Whether its right size is named.
    pub size: bool,
}

/// Where those who read a blob are sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RedirectFacts {
    /// The first status.
    pub status: u16,
    /// The host that a redirect names.
    pub to: Option<String>,
}

/// Whether a part of a blob can be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RangeFacts {
    /// The status after redirects: 206 where it can.
    pub status: u16,
}

/// What is said to those who ask for referrers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReferrersFacts {
    /// The status.
    pub status: u16,
    /// Whether an index came.
    pub index: bool,
}

/// An upload session that was opened and cancelled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SessionFacts {
    /// The status of the POST.
    pub status: u16,
    /// Where the session is.
    pub location: Option<LocationFacts>,
    /// The status of the DELETE.
    pub cancelled: Option<u16>,
}

/// A mount.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MountFacts {
    /// The status: 201 where it was mounted, 202 where a session was opened instead.
    pub status: u16,
    /// The status of the DELETE of that session.
    pub cancelled: Option<u16>,
}

/// A session that was sent two bytes, one by one, and was cancelled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChunkFacts {
    /// The least bytes of a part, where the registry names a bound: `OCI-Chunk-Min-Length`.
    pub least: Option<u64>,
    /// The first part.
    pub first: PatchFacts,
    /// The second part, where the first was taken.
    pub second: Option<PatchFacts>,
    /// The status of the DELETE.
    pub cancelled: Option<u16>,
}

/// A part that was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PatchFacts {
    /// The status.
    pub status: u16,
    /// The answer's `Range`.
    pub range: Option<String>,
}

impl PatchFacts {
    /// Returns true where the part was taken.
    #[must_use]
    pub fn is_taken(&self) -> bool {
        matches!(self.status, 200..=204)
    }
}
