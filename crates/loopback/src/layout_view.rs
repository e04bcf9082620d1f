//! What a layout's index says, read once for as long as it stays the same.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use layout::{Layout, LayoutError};
use oci::{Descriptor, Digest, MAX_MANIFEST, Manifest, MediaKind, RepositoryName, Tag};

use crate::store::StoreError;

/// Tells one version of `index.json` from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stamp {
    /// The file's time, length and number: it is always replaced, never written in place.
    File(Option<SystemTime>, u64, u64),
    /// No version any more.
    Stale,
}

impl Stamp {
    pub(crate) fn of(layout: &Layout) -> io::Result<Self> {
        let metadata = std::fs::metadata(layout.path().join("index.json"))?;
        Ok(Self::File(
            metadata.modified().ok(),
            metadata.len(),
            number(&metadata),
        ))
    }
}

#[cfg(unix)]
fn number(metadata: &std::fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

#[cfg(not(unix))]
fn number(_metadata: &std::fs::Metadata) -> u64 {
    0
}

/// One version of the index, by repository.
#[derive(Default)]
pub(crate) struct View {
    repositories: BTreeMap<RepositoryName, Entries>,
    closures: Mutex<BTreeMap<RepositoryName, Arc<Closure>>>,
    /// Manifests read for an earlier version. They are immutable, so they need no second reading.
    known: BTreeMap<Digest, Arc<Manifest>>,
}

/// The entries of a repository.
#[derive(Default)]
pub(crate) struct Entries {
    tags: BTreeMap<Tag, Descriptor>,
    roots: Vec<Descriptor>,
}

impl Entries {
    /// Lists the tags in ASCII order.
    pub(crate) fn tags(&self) -> impl Iterator<Item = &Tag> {
        self.tags.keys()
    }

    /// Returns what a tag points to.
    pub(crate) fn tagged(&self, tag: &Tag) -> Option<&Descriptor> {
        self.tags.get(tag)
    }
}

/// A repository's manifests: what its entries name, and their children.
#[derive(Default)]
pub(crate) struct Closure {
    pub(crate) manifests: BTreeMap<Digest, Arc<Manifest>>,
}

impl Closure {
    /// Lists what refers to `subject`, by digest.
    pub(crate) fn referrers(&self, subject: &Digest) -> Vec<Descriptor> {
        let refers =
            |manifest: &&Arc<Manifest>| manifest.subject().is_some_and(|found| found.digest == *subject);
        self.manifests
            .values()
            .filter(refers)
            .map(|manifest| manifest.referrer_descriptor())
            .collect()
    }
}

impl View {
    /// Reads the index. Entries without a repository are those of `bare`; the entries that name it win over them.
    pub(crate) fn read(
        layout: &Layout,
        bare: &RepositoryName,
        earlier: Option<&Self>,
    ) -> Result<Self, StoreError> {
        let (named, nameless): (Vec<_>, Vec<_>) = layout
            .entries()?
            .into_iter()
            .partition(|entry| entry.repository.is_some());
        let mut repositories: BTreeMap<RepositoryName, Entries> = BTreeMap::new();
        for entry in nameless.into_iter().chain(named) {
            let name = entry.repository.unwrap_or_else(|| bare.clone());
            let entries = repositories.entry(name).or_default();
            entries
                .tags
                .extend(entry.tag.map(|tag| (tag, entry.descriptor.clone())));
            entries.roots.push(entry.descriptor);
        }
        Ok(Self {
            repositories,
            known: earlier.map(Self::read_so_far).unwrap_or_default(),
            ..Self::default()
        })
    }

    fn read_so_far(&self) -> BTreeMap<Digest, Arc<Manifest>> {
        let closures = self.closures.lock().unwrap_or_else(PoisonError::into_inner);
        let read = closures.values().flat_map(|closure| closure.manifests.iter());
        self.known
            .iter()
            .chain(read)
            .map(|(digest, manifest)| (digest.clone(), Arc::clone(manifest)))
            .collect()
    }

    pub(crate) fn repositories(&self) -> Vec<RepositoryName> {
        self.repositories.keys().cloned().collect()
    }

    pub(crate) fn entries(&self, repository: &RepositoryName) -> Option<&Entries> {
        self.repositories.get(repository)
    }

    /// Returns a repository's manifests, read on the first call.
    pub(crate) fn closure(
        &self,
        layout: &Layout,
        repository: &RepositoryName,
    ) -> Result<Arc<Closure>, StoreError> {
        let found = self
            .closures
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(repository)
            .cloned();
        if let Some(closure) = found {
            return Ok(closure);
        }
        let closure = Arc::new(self.close(layout, repository)?);
        let mut closures = self.closures.lock().unwrap_or_else(PoisonError::into_inner);
        closures.insert(repository.clone(), Arc::clone(&closure));
        Ok(closure)
    }

    /// Tells whether another repository than this one has the manifest too.
    pub(crate) fn is_shared(
        &self,
        layout: &Layout,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<bool, StoreError> {
        for other in self.repositories.keys().filter(|other| *other != repository) {
            if self.closure(layout, other)?.manifests.contains_key(digest) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn close(&self, layout: &Layout, repository: &RepositoryName) -> Result<Closure, StoreError> {
        let mut closure = Closure::default();
        let mut open = self
            .entries(repository)
            .map(|entries| entries.roots.clone())
            .unwrap_or_default();
        while let Some(descriptor) = open.pop() {
            if closure.manifests.contains_key(&descriptor.digest) {
                continue;
            }
            if let Some(manifest) = self.manifest(layout, &descriptor)? {
                open.extend(manifest.children().cloned());
                closure.manifests.insert(descriptor.digest, manifest);
            }
        }
        Ok(closure)
    }

    /// Reads a manifest. One that is missing, damaged or not a manifest is none.
    fn manifest(
        &self,
        layout: &Layout,
        descriptor: &Descriptor,
    ) -> Result<Option<Arc<Manifest>>, StoreError> {
        if descriptor.media_type.kind() == MediaKind::Blob || layout.blob_size(&descriptor.digest)?.is_none()
        {
            return Ok(None);
        }
        if let Some(known) = self.known.get(&descriptor.digest) {
            return Ok(Some(Arc::clone(known)));
        }
        let bytes = match layout.read_blob(&descriptor.digest, MAX_MANIFEST) {
            Ok(Some(bytes)) => bytes,
            Ok(None) | Err(LayoutError::Digest { .. } | LayoutError::TooLarge { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let digest = descriptor.digest.clone();
        Ok(Manifest::parse_as(bytes, Some(&descriptor.media_type), digest)
            .ok()
            .map(Arc::new))
    }
}
