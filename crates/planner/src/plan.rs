//! The plan: a dependency graph of idempotent operations, as it stands in the plan file.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use oci::{AttachmentTag, Descriptor, Digest, Manifest, MediaType, RepositoryName, Tag};
use serde::{Deserialize, Serialize};

use crate::config::Connection;
use crate::{Place, Problem, RegistryName};

/// The newest plan file this program writes, and the only one it reads.
pub const SCHEMA: u32 = 1;

/// What would be done, and everything needed to do exactly that.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The version of the file's form.
    pub schema: u32,
    /// The program that wrote it, `transship 0.1.0`.
    pub created_by: String,
    /// The digest over everything else.
    pub digest: Digest,
    /// The digest of what is wanted.
    pub config: Digest,
    /// The connections, as written.
    pub registries: BTreeMap<RegistryName, Connection>,
    /// The manifests that ops carry: digest to size, media type and what they name.
    pub manifests: BTreeMap<Digest, ManifestEntry>,
    /// The blobs that ops carry: digest to size.
    pub blobs: BTreeMap<Digest, BlobEntry>,
    /// The operations; an op stands after all it waits for.
    pub ops: Vec<Op>,
    /// What can't be planned.
    pub blocked: Vec<Problem>,
    /// What a reader should know.
    pub notes: Vec<Note>,
    /// The sums.
    pub summary: Summary,
}

/// A manifest that an op carries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestEntry {
    /// The media type it is put with.
    pub media_type: MediaType,
    /// Its size in bytes.
    pub size: u64,
    /// The manifests it names that ops carry too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub manifests: Vec<Digest>,
    /// The blobs it names, but for layers that are fetched from elsewhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blobs: Vec<Digest>,
    /// The manifest it is attached to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Digest>,
    /// The manifest itself, where no source has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made: Option<MadeIndex>,
}

/// An index that stands at no source: another one without some platforms.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MadeIndex {
    /// The digest of the index at the source.
    pub from: Digest,
    /// The bytes of the new one.
    pub content: String,
}

impl ManifestEntry {
    /// Returns the entry of a manifest that stands at a source.
    pub(crate) fn of(manifest: &Manifest) -> Self {
        // No registry asks for layers that are fetched from elsewhere.
        let blobs = manifest
            .blobs()
            .filter(|blob| !blob.media_type.is_nondistributable());
        Self {
            media_type: manifest.media_type().clone(),
            size: manifest.bytes().len() as u64,
            manifests: manifest.children().map(|child| child.digest.clone()).collect(),
            blobs: blobs.map(|blob| blob.digest.clone()).collect(),
            subject: manifest.subject().map(|subject| subject.digest.clone()),
            made: None,
        }
    }

    /// Returns the manifest where the plan has made it, and an error where that is not what the entry and `digest` say.
    ///
    /// # Errors
    /// Bytes that are no manifest, or another one.
    #[must_use]
    pub fn made(&self, digest: &Digest) -> Option<Result<Manifest, PlanError>> {
        let content = self.made.as_ref()?.content.as_bytes();
        let wrong = |text: String| Err(PlanError::Rule(text));
        let size = content.len() as u64;
        if size != self.size || Digest::of(digest.algorithm(), content) != *digest {
            return Some(wrong(format!("{digest} is not the digest of what it holds")));
        }
        let bytes = Bytes::copy_from_slice(content);
        let manifest = match Manifest::parse_as(bytes, Some(&self.media_type), digest.clone()) {
            Ok(manifest) => manifest,
            Err(error) => return Some(wrong(format!("{digest} is no manifest: {error}"))),
        };
        let named = Self {
            made: self.made.clone(),
            ..Self::of(&manifest)
        };
        Some(if named == *self {
            Ok(manifest)
        } else {
            wrong(format!("{digest} names other things than its entry says"))
        })
    }
}

/// A blob that an op carries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlobEntry {
    /// Its size in bytes.
    pub size: u64,
}

/// Names an op within its plan, such as `upload-3`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OpId(pub String);

impl fmt::Display for OpId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for OpId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One thing to place, and all the places it goes.
///
/// At each place it waits for what the ops in `after` (which must have succeeded) and `after_end` (which must have
/// ended) do at that same place or, where they have no such place, at that registry. Success is per place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Op {
    /// Its name.
    pub id: OpId,
    /// What it does.
    pub kind: OpKind,
    /// The blob or manifest; for `merge_referrers` and `merge_signatures` the subject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// The tag that `put_tag` moves, and that `merge_referrers` and `merge_signatures` write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<Tag>,
    /// Why `put_tag` moves its tag, where that is another reason than the tag's spelling tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<TagRole>,
    /// Where the blob or manifest is read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Place>,
    /// Where it goes.
    pub at: Vec<OpPlace>,
    /// The ops that must have succeeded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<OpId>,
    /// The ops that must have ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after_end: Vec<OpId>,
    /// The descriptors that `merge_referrers` and `merge_signatures` add.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entries: Vec<Descriptor>,
    /// The settings that `update_repository` changes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub settings: Vec<String>,
    /// Why it is done.
    pub reason: String,
}

impl Op {
    /// Returns why `put_tag` moves its tag; `None` for ops of other kinds.
    #[must_use]
    pub fn tag_role(&self) -> Option<TagRole> {
        let tag = self.tag.as_ref().filter(|_| self.kind == OpKind::PutTag)?;
        Some(self.role.unwrap_or_else(|| TagRole::spelled(tag)))
    }
}

/// Why a tag is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TagRole {
    /// It attaches something.
    Attachment,
    /// A mirror selects it.
    Selected,
}

impl TagRole {
    /// Returns the role that a tag's spelling tells.
    pub(crate) fn spelled(tag: &Tag) -> Self {
        match AttachmentTag::scheme(tag) {
            Some(_) => Self::Attachment,
            None => Self::Selected,
        }
    }
}

/// What an op does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OpKind {
    /// Makes a repository by an API call.
    CreateRepository,
    /// Reads a blob once and sends it to every place.
    UploadBlob,
    /// Mounts a blob from another repository of the registry; uploads it where that is refused.
    MountBlob,
    /// Puts a manifest by digest.
    PutManifest,
    /// Adds entries to a subject's fallback tag.
    MergeReferrers,
    /// Puts a manifest by tag, if the tag stands where it was seen.
    PutTag,
    /// Changes settings of a repository by an API call.
    UpdateRepository,
    /// Lets the registry fetch an image with all it names.
    ImportImage,
    /// Adds layers to the image under one of cosign's tags.
    MergeSignatures,
}

/// One place an op goes to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpPlace {
    /// The registry.
    pub registry: RegistryName,
    /// The repository.
    pub repository: RepositoryName,
    /// What `put_tag` must find there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<Expect>,
    /// The repository that `mount_blob` mounts from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<RepositoryName>,
    /// The registry that `mount_blob` mounts from, where that is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<RegistryName>,
}

impl OpPlace {
    /// Returns the place itself.
    #[must_use]
    pub fn place(&self) -> Place {
        Place {
            registry: self.registry.clone(),
            repository: self.repository.clone(),
        }
    }
}

/// What stood at a tag when it was surveyed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Expect {
    /// Nothing.
    Absent,
    /// A manifest.
    Digest(Digest),
}

impl Serialize for Expect {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Absent => serializer.serialize_str("absent"),
            Self::Digest(digest) => digest.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Expect {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            "absent" => Ok(Self::Absent),
            text => text.parse().map(Self::Digest).map_err(serde::de::Error::custom),
        }
    }
}

/// Something a reader should know.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Note {
    /// The place, if it concerns one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// What there is to know.
    pub text: String,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(place) => write!(f, "note: {place}: {}", self.text),
            None => write!(f, "note: {}", self.text),
        }
    }
}

/// The sums of a plan, counted per place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// Tags that a mirror selects.
    pub tags: TagCounts,
    /// Attachments that land.
    pub attachments: u64,
    /// Repositories.
    pub repositories: RepositoryCounts,
    /// Manifests.
    pub manifests: ManifestCounts,
    /// Blobs.
    pub blobs: BlobCounts,
    /// Bytes of blobs.
    pub bytes: ByteCounts,
}

/// Tags by what happens to them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TagCounts {
    /// Made.
    pub create: u64,
    /// Moved.
    pub update: u64,
    /// As wanted already.
    pub unchanged: u64,
    /// Different, and left by `on_change: keep`.
    pub keep: u64,
    /// Not plannable.
    pub blocked: u64,
    /// Removed.
    pub delete: u64,
}

/// Repositories by what happens to them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RepositoryCounts {
    /// Made by an API call.
    pub create: u64,
    /// Settings changed by an API call.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub update: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// Manifests by what happens to them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestCounts {
    /// Put by digest.
    pub put: u64,
    /// Fetched by the registry itself, with all they name.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub import: u64,
}

/// Blobs by what happens to them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlobCounts {
    /// Sent.
    pub upload: u64,
    /// Mounted.
    pub mount: u64,
}

/// Bytes of blobs by what happens to them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ByteCounts {
    /// Read from sources.
    pub read: u64,
    /// Sent to targets.
    pub upload: u64,
    /// Mounted at targets, and so not sent.
    pub mount: u64,
}

/// Why a plan file is refused.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// Not JSON, or not a plan.
    #[error("the file is not a plan of schema {SCHEMA}")]
    Json(#[source] oci::JsonError),
    /// JSON without a plan's `schema`.
    #[error("the file is not a plan: it says no schema")]
    NotAPlan,
    /// Another schema.
    #[error("the plan has schema {found}; this program reads schema {SCHEMA}")]
    Schema {
        /// What the file says.
        found: u64,
    },
    /// The file was changed after it was written.
    #[error("the plan was changed after it was written: its digest is {written}, its content has {actual}")]
    Digest {
        /// What the file says.
        written: Digest,
        /// What its content has.
        actual: Digest,
    },
    /// The graph breaks a rule.
    #[error("the plan breaks a rule: {0}")]
    Rule(String),
}
