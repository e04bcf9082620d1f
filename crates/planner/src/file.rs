//! The plan file: its entries, its sums, its seal.

use std::collections::{BTreeMap, BTreeSet};

use oci::Digest;
use serde_json::Value;

use crate::json;
use crate::plan::{BlobEntry, MadeIndex, ManifestEntry, SCHEMA, TagCounts};
use crate::want::Wanted;
use crate::{Op, OpKind, Plan, PlanError, Summary};

/// The manifests that ops carry.
pub(crate) fn manifest_entries(wanted: &Wanted<'_>, ops: &[Op]) -> BTreeMap<Digest, ManifestEntry> {
    let carries = |op: &&Op| matches!(op.kind, OpKind::PutManifest | OpKind::PutTag);
    let digests: BTreeSet<&Digest> = ops
        .iter()
        .filter(carries)
        .filter_map(|op| op.digest.as_ref())
        .collect();
    let entry = |digest: &Digest| {
        let manifest = wanted.known.get(digest)?;
        Some(ManifestEntry {
            made: wanted.made.get(digest).map(|from| MadeIndex {
                from: from.clone(),
                content: String::from_utf8_lossy(manifest.bytes()).into_owned(),
            }),
            ..ManifestEntry::of(manifest)
        })
    };
    digests
        .into_iter()
        .filter_map(|digest| Some((digest.clone(), entry(digest)?)))
        .collect()
}

/// The blobs that ops carry.
pub(crate) fn blob_entries(wanted: &Wanted<'_>, ops: &[Op]) -> BTreeMap<Digest, BlobEntry> {
    let carries = |op: &&Op| matches!(op.kind, OpKind::UploadBlob | OpKind::MountBlob);
    let digests = ops.iter().filter(carries).filter_map(|op| op.digest.clone());
    digests
        .filter_map(|digest| {
            let size = *wanted.sizes.get(&digest)?;
            Some((digest, BlobEntry { size }))
        })
        .collect()
}

impl Summary {
    /// Sums up ops, per place.
    #[must_use]
    pub fn of(ops: &[Op], blobs: &BTreeMap<Digest, BlobEntry>, tags: TagCounts, attachments: u64) -> Self {
        let mut summary = Self {
            tags,
            attachments,
            ..Self::default()
        };
        for op in ops {
            let places = op.at.len() as u64;
            let blob = op.digest.as_ref().and_then(|digest| blobs.get(digest));
            let size = blob.map(|blob| blob.size).unwrap_or_default();
            match op.kind {
                OpKind::CreateRepository => summary.repositories.create += places,
                OpKind::UploadBlob => {
                    summary.blobs.upload += places;
                    summary.bytes.read += size;
                    summary.bytes.upload += size * places;
                }
                OpKind::MountBlob => {
                    summary.blobs.mount += places;
                    summary.bytes.mount += size * places;
                }
                OpKind::PutManifest => summary.manifests.put += places,
                OpKind::UpdateRepository => summary.repositories.update += places,
                OpKind::ImportImage => summary.manifests.import += places,
                OpKind::MergeReferrers | OpKind::MergeSignatures | OpKind::PutTag => {}
            }
        }
        summary
    }
}

impl Plan {
    /// Returns true where applying would change something.
    #[must_use]
    pub fn has_changes(&self) -> bool {
        !self.ops.is_empty()
    }

    /// Returns the plan file: pretty JSON with a newline at its end, the same for the same plan.
    ///
    /// # Panics
    /// Never: a plan is made of maps with text keys, numbers and texts.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("a plan serialises");
        text.push('\n');
        text
    }

    /// Reads a plan file and checks its schema, its digest and its rules.
    ///
    /// # Errors
    /// Anything that is not a plan this program wrote, unchanged.
    pub fn from_json(bytes: &[u8]) -> Result<Self, PlanError> {
        let value = oci::read_json(bytes).map_err(PlanError::Json)?;
        let Some(found) = value.get("schema").and_then(Value::as_u64) else {
            return Err(PlanError::NotAPlan);
        };
        if found != u64::from(SCHEMA) {
            return Err(PlanError::Schema { found });
        }
        let actual = seal(&value);
        let plan: Self = serde_json::from_value(value).map_err(|error| PlanError::Json(error.into()))?;
        if plan.digest != actual {
            return Err(PlanError::Digest {
                written: plan.digest,
                actual,
            });
        }
        plan.check()?;
        Ok(plan)
    }

    /// Returns the plan with the digest over everything else in its place.
    pub(crate) fn sealed(mut self) -> Self {
        let value = serde_json::to_value(&self).expect("a plan serialises");
        self.digest = seal(&value);
        self
    }
}

/// The digest over everything but the digest, whatever the order of keys and the white space.
fn seal(value: &Value) -> Digest {
    let mut map = value.as_object().cloned().unwrap_or_default();
    map.remove("digest");
    Digest::sha256(json::sorted(&Value::Object(map)).to_string().as_bytes())
}
