//! Adding entries to a subject's fallback tag.
//!
//! <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#referrers-tag-schema>

use std::collections::HashSet;

use bytes::Bytes;
use oci::{Content, Descriptor, Digest, Manifest, ManifestReference, MediaType, Tag};
use planner::{Place, ProblemKind, Side};
use registry::{Error, Referrers, WriteRepository};
use serde::Serialize;
use serde_json::{Value, json};

use crate::contention::{self, Contention, Next};
use crate::context::Context;
use crate::fault::Fault;
use crate::landing::Landing;
use crate::locks::Held;

/// A new index as it is written. Field order is the order of its bytes.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Index<'a> {
    schema_version: u32,
    media_type: MediaType,
    manifests: &'a [&'a Descriptor],
}

/// Makes sure that `entries` are listed as referring to `subject`: by the registry itself, or under `tag`. Without a subject
/// the registry is not asked.
///
/// A tag that stands there is completed whatever the registry lists: clients read it. None is made where the registry
/// lists everything.
///
/// No registry offers to change a tag only if it stands where it was read, so what was written is read back, and
/// written again where somebody else's write took our entries away for good.
pub(crate) async fn merge(
    context: &Context,
    _held: &Held,
    place: &Place,
    subject: Option<&Digest>,
    tag: &Tag,
    entries: &[Descriptor],
) -> Result<Landing, Fault> {
    let repository = context.writer(place)?;
    let failed = |error: Error| Fault::target(place, &error);
    let reference: ManifestReference = tag.clone().into();
    let mut contention = Contention::default();
    loop {
        let standing = repository.get_manifest(&reference).await.map_err(failed)?;
        if standing.is_none()
            && let Some(subject) = subject
            && listed(repository.as_ref(), subject, entries)
                .await
                .map_err(failed)?
        {
            return Ok(Landing::AlreadyDone);
        }
        let present = present(place, tag, standing.as_ref())?;
        let missing = missing(present, entries);
        if missing.is_empty() {
            return Ok(contention.landing());
        }
        match contention.next().await {
            Next::Write => {}
            Next::Read => continue,
            Next::GiveUp => return Err(contention::lost(place, tag)),
        }
        let index = index(place, &missing, standing.as_ref())?;
        repository
            .put_manifest(&reference, &index)
            .await
            .map_err(failed)?;
    }
}

async fn listed(
    repository: &dyn WriteRepository,
    subject: &Digest,
    entries: &[Descriptor],
) -> Result<bool, Error> {
    Ok(match repository.referrers(subject).await? {
        Referrers::List(list) => missing(&list, entries).is_empty(),
        Referrers::Unsupported => false,
    })
}

fn present<'a>(place: &Place, tag: &Tag, standing: Option<&'a Manifest>) -> Result<&'a [Descriptor], Fault> {
    match standing.map(Manifest::content) {
        None => Ok(&[]),
        Some(Content::Index { manifests }) => Ok(manifests),
        Some(Content::Image { .. }) => {
            let text = format!("tag {tag} of {place} is an image, and referrers are listed in an index");
            Err(Fault::new(Side::Target, place, ProblemKind::Other, text))
        }
    }
}

/// Returns the entries that are missing, each once.
fn missing<'e>(present: &[Descriptor], entries: &'e [Descriptor]) -> Vec<&'e Descriptor> {
    let mut seen: HashSet<&Digest> = present.iter().map(|entry| &entry.digest).collect();
    let missing = entries.iter().filter(|entry| seen.insert(&entry.digest));
    missing.collect()
}

/// The standing index with entries behind its own, whatever else it and they say; or a new one.
fn index(place: &Place, entries: &[&Descriptor], standing: Option<&Manifest>) -> Result<Manifest, Fault> {
    let broken = |error: &dyn std::fmt::Display| {
        Fault::new(
            Side::Target,
            place,
            ProblemKind::Other,
            format!("make an index of referrers: {error}"),
        )
    };
    let bytes = match standing {
        Some(standing) => {
            let mut document = oci::read_json(standing.bytes()).map_err(|error| broken(&error))?;
            match document.get_mut("manifests").and_then(Value::as_array_mut) {
                Some(listed) => listed.extend(entries.iter().map(|entry| json!(entry))),
                None => document["manifests"] = json!(entries),
            }
            serde_json::to_vec(&document)
        }
        None => serde_json::to_vec(&Index {
            schema_version: 2,
            media_type: MediaType::OCI_INDEX,
            manifests: entries,
        }),
    };
    let bytes = Bytes::from(bytes.map_err(|error| broken(&error))?);
    let media_type = standing.map_or(MediaType::OCI_INDEX, |standing| standing.media_type().clone());
    Manifest::parse(bytes, Some(&media_type)).map_err(|error| broken(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(text: &str) -> Descriptor {
        Descriptor::new(MediaType::OCI_MANIFEST, Digest::sha256(text.as_bytes()), 3)
    }

    fn place() -> Place {
        Place {
            registry: "x".parse().unwrap(),
            repository: "y".parse().unwrap(),
        }
    }

    #[test]
    fn only_what_is_missing_is_added_and_once() {
        let entries = [entry("a"), entry("c"), entry("c")];
        assert_eq!(missing(&[entry("b"), entry("a")], &entries), [&entry("c")]);
    }

    #[test]
    fn an_index_keeps_what_it_and_its_entries_say() {
        let mut known = json!(entry("b"));
        known["unknown"] = json!({ "kept": [1, 2] });
        let document = json!({
            "schemaVersion": 2,
            "mediaType": MediaType::OCI_INDEX,
            "artifactType": "application/x",
            "manifests": [known],
            "subject": entry("s"),
            "annotations": { "kept": "yes" },
            "unknown": true,
        });
        let standing = Manifest::parse(Bytes::from(document.to_string()), None).unwrap();
        let make = || index(&place(), &[&entry("a")], Some(&standing)).unwrap();
        assert_eq!(make().bytes(), make().bytes());
        let mut made: Value = serde_json::from_slice(make().bytes()).unwrap();
        assert_eq!(made["manifests"], json!([known, entry("a")]));
        made["manifests"] = json!([known]);
        assert_eq!(made, document);
    }

    #[test]
    fn the_same_entries_make_the_same_bytes() {
        let made = index(&place(), &[&entry("a")], None).unwrap();
        let text = format!(
            r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"{}","size":3}}]}}"#,
            Digest::sha256(b"a")
        );
        assert_eq!(made.bytes().as_ref(), text.as_bytes());
    }
}
