//! `index.json`, kept as the JSON it is so that what other tools wrote survives.

use std::path::{Path, PathBuf};

use oci::{Descriptor, Digest, JsonError, RepositoryName, Tag};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::entry::{Entry, REF_NAME, REPOSITORY, ref_name};
use crate::error::LayoutError;

/// The document, its entries as written, and the place each of them has.
#[derive(Clone, Debug)]
pub(crate) struct Index {
    path: PathBuf,
    document: Map<String, Value>,
    slots: Vec<Slot>,
}

/// An entry as written, and as understood: not at all where its digest has an algorithm that is not registered.
#[derive(Clone, Debug)]
struct Slot {
    written: Value,
    entry: Option<Entry>,
}

impl Index {
    /// Returns the bytes of an index without entries.
    pub(crate) fn empty() -> Vec<u8> {
        let document = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [],
        });
        pretty(&document)
    }

    /// Reads the bytes of the `index.json` at `path`.
    pub(crate) fn parse(path: &Path, bytes: &[u8]) -> Result<Self, LayoutError> {
        let malformed = |expected| LayoutError::Malformed {
            path: path.to_owned(),
            expected,
        };
        let value = oci::read_json(bytes).map_err(|source| LayoutError::Json {
            path: path.to_owned(),
            source,
        })?;
        let Value::Object(mut document) = value else {
            return Err(malformed("an index is a JSON object"));
        };
        if document.get("schemaVersion").and_then(Value::as_u64) != Some(2) {
            return Err(malformed("the schemaVersion of an index is 2"));
        }
        let manifests = match document.remove("manifests") {
            Some(Value::Array(manifests)) => manifests,
            None | Some(Value::Null) => Vec::new(),
            Some(_) => return Err(malformed("`manifests` is a list")),
        };
        let slots = manifests.into_iter().enumerate().map(|(position, written)| {
            Slot::read(written).map_err(|source| LayoutError::Entry {
                path: path.to_owned(),
                position,
                source,
            })
        });
        Ok(Self {
            path: path.to_owned(),
            document,
            slots: slots.collect::<Result<_, _>>()?,
        })
    }

    /// Returns the bytes to write.
    pub(crate) fn into_bytes(mut self) -> Vec<u8> {
        let manifests = self.slots.into_iter().map(|slot| slot.written).collect();
        self.document
            .insert("manifests".to_owned(), Value::Array(manifests));
        pretty(&Value::Object(self.document))
    }

    /// Puts the entries in an order that does not depend on when each was written: tags first, by their repository.
    pub(crate) fn sorted(mut self) -> Self {
        self.slots.sort_by_cached_key(|slot| {
            let entry = slot.entry.as_ref();
            let tag = entry.and_then(|entry| entry.tag.clone());
            let repository = entry.and_then(|entry| entry.repository.clone());
            (tag.is_none(), repository, tag, slot.written.to_string())
        });
        self
    }

    /// Adds an entry, whatever stands there.
    pub(crate) fn push(&mut self, entry: Entry) {
        self.slots.push(Slot::new(entry));
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.slots.iter().filter_map(|slot| slot.entry.as_ref())
    }

    pub(crate) fn into_entries(self) -> Vec<Entry> {
        self.slots.into_iter().filter_map(|slot| slot.entry).collect()
    }

    /// Returns what a tag points to.
    pub(crate) fn resolve(
        &self,
        repository: Option<&RepositoryName>,
        tag: &Tag,
    ) -> Result<Option<Descriptor>, LayoutError> {
        let mut found = self.entries().filter(|entry| entry.is(repository, tag));
        let Some(first) = found.next() else {
            return Ok(None);
        };
        if found.any(|other| other.descriptor.digest != first.descriptor.digest) {
            let name = ref_name(repository, tag);
            return Err(LayoutError::Ambiguous {
                path: self.path.clone(),
                name,
            });
        }
        Ok(Some(first.descriptor.clone()))
    }

    /// Puts a tagged entry in the place of those it replaces: of the same name, or of the same content without a name.
    ///
    /// Returns true where that changed anything.
    pub(crate) fn tag(&mut self, entry: Entry) -> bool {
        let replaced: Vec<usize> = self.positions(|other| {
            (other.repository == entry.repository && other.tag == entry.tag)
                || is_nameless_twin(other, &entry)
        });
        let Some((&first, rest)) = replaced.split_first() else {
            self.slots.push(Slot::new(entry));
            return true;
        };
        let changed = self.slots[first].replace(entry) || !rest.is_empty();
        for &position in rest.iter().rev() {
            self.slots.remove(position);
        }
        changed
    }

    /// Adds an entry without a tag, unless its repository has the content already.
    pub(crate) fn add(&mut self, entry: Entry) -> bool {
        let known = self.entries().any(|other| {
            other.repository == entry.repository && other.descriptor.digest == entry.descriptor.digest
        });
        if !known {
            self.slots.push(Slot::new(entry));
        }
        !known
    }

    pub(crate) fn untag(&mut self, repository: Option<&RepositoryName>, tag: &Tag) -> bool {
        self.remove(|entry| entry.is(repository, tag))
    }

    pub(crate) fn forget(&mut self, repository: Option<&RepositoryName>, digest: &Digest) -> bool {
        self.remove(|entry| entry.repository.as_ref() == repository && entry.descriptor.digest == *digest)
    }

    fn remove(&mut self, mut goes: impl FnMut(&Entry) -> bool) -> bool {
        let before = self.slots.len();
        self.slots
            .retain(|slot| !slot.entry.as_ref().is_some_and(&mut goes));
        self.slots.len() < before
    }

    fn positions(&self, fits: impl Fn(&Entry) -> bool) -> Vec<usize> {
        let fits = |slot: &Slot| slot.entry.as_ref().is_some_and(&fits);
        self.slots
            .iter()
            .enumerate()
            .filter_map(|(position, slot)| fits(slot).then_some(position))
            .collect()
    }
}

/// Returns true for an untagged entry of the same repository and content. A name outside the grammar is a name too.
fn is_nameless_twin(other: &Entry, entry: &Entry) -> bool {
    other.tag.is_none()
        && other.repository == entry.repository
        && other.descriptor.digest == entry.descriptor.digest
        && !other.descriptor.annotations.contains_key(REF_NAME)
}

impl Slot {
    fn new(entry: Entry) -> Self {
        Self {
            written: written(&entry),
            entry: Some(entry),
        }
    }

    fn read(written: Value) -> Result<Self, JsonError> {
        if has_unregistered_digest(&written) {
            return Ok(Self { written, entry: None });
        }
        let descriptor = Descriptor::deserialize(&written)?;
        Ok(Self {
            written,
            entry: Some(Entry::new(descriptor)),
        })
    }

    /// Puts another entry here. What is written of the same content and unknown to us stays.
    fn replace(&mut self, entry: Entry) -> bool {
        let same_content = self
            .entry
            .as_ref()
            .is_some_and(|old| old.descriptor.digest == entry.descriptor.digest);
        let mut new = written(&entry);
        if same_content {
            new = merged(&self.written, &new);
        }
        let changed = new != self.written;
        self.written = new;
        self.entry = Some(entry);
        changed
    }
}

/// Lays the properties and annotations of `new` over those of `old`.
fn merged(old: &Value, new: &Value) -> Value {
    let mut all = object(Some(old));
    let mut annotations = object(old.get("annotations"));
    annotations.retain(|key, _| key != REF_NAME && key != REPOSITORY);
    annotations.extend(object(new.get("annotations")));
    all.extend(object(Some(new)));
    if !annotations.is_empty() {
        all.insert("annotations".to_owned(), Value::Object(annotations));
    }
    Value::Object(all)
}

fn object(value: Option<&Value>) -> Map<String, Value> {
    value.and_then(Value::as_object).cloned().unwrap_or_default()
}

fn written(entry: &Entry) -> Value {
    serde_json::to_value(entry.annotated()).expect("a descriptor has only string keys")
}

fn has_unregistered_digest(written: &Value) -> bool {
    let digest = written.get("digest").and_then(Value::as_str);
    digest.is_some_and(|digest| digest.parse::<Digest>() == Err(oci::ParseDigestError::Algorithm))
}

fn pretty(document: &Value) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(document).expect("a JSON value has only string keys");
    bytes.push(b'\n');
    bytes
}
