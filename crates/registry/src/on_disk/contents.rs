//! What a layout holds, with the memory that makes looking at it cheap.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use layout::{LayoutError, Store, Version};
use oci::{Descriptor, Digest, MAX_MANIFEST, Manifest, ManifestReference, MediaKind, RepositoryName, Tag};

use super::view::{Known, View};

/// A layout and what was read of it. Manifests never change, so each is read once; the index is read again when its
/// file is another one.
///
/// Synchronous.
#[derive(Debug)]
pub(super) struct Contents {
    pub(super) layout: Box<dyn Store>,
    view: Mutex<Option<(Version, Arc<View>)>>,
    known: Mutex<HashMap<Digest, Arc<Known>>>,
    referrers: Mutex<Referrers>,
}

/// What refers to what in a repository, for one version of the index.
#[derive(Debug, Default)]
struct Referrers {
    view: Option<Arc<View>>,
    repositories: BTreeMap<Option<RepositoryName>, Arc<Attached>>,
}

/// The manifests of a repository, and those of them that have a subject.
#[derive(Debug, Default)]
pub(super) struct Attached {
    by_subject: BTreeMap<Digest, Vec<Descriptor>>,
    subjects: HashMap<Digest, Digest>,
}

/// A manifest that was asked for, where it stands.
pub(super) struct Found {
    pub(super) digest: Digest,
    /// The entry that names it, if one does.
    pub(super) entry: Option<Descriptor>,
}

impl Contents {
    pub(super) fn new(layout: Box<dyn Store>) -> Self {
        Self {
            layout,
            view: Mutex::default(),
            known: Mutex::default(),
            referrers: Mutex::default(),
        }
    }

    /// Returns the repositories that entries name, sorted. Entries that name none count for the one called `bare`.
    pub(super) fn repositories(
        &self,
        bare: Option<&RepositoryName>,
    ) -> Result<Vec<RepositoryName>, LayoutError> {
        let view = self.view()?;
        let names = view.repositories().filter_map(|name| name.or(bare));
        let names: BTreeSet<&RepositoryName> = names.collect();
        Ok(names.into_iter().cloned().collect())
    }

    /// Returns the tags of a repository; nothing where no entry names it.
    pub(super) fn tags(&self, repository: Option<&RepositoryName>) -> Result<Option<Vec<Tag>>, LayoutError> {
        let view = self.view()?;
        Ok(view
            .entries(repository)
            .map(|entries| entries.tags.keys().cloned().collect()))
    }

    /// Describes a manifest that is whole, as far as its length tells.
    pub(super) fn describe(
        &self,
        repository: Option<&RepositoryName>,
        reference: &ManifestReference,
    ) -> Result<Option<Descriptor>, LayoutError> {
        let Some(found) = self.find(repository, reference)? else {
            return Ok(None);
        };
        let known = self.known(&found.digest, found.entry.as_ref())?;
        Ok(known.map(|known| known.manifest.clone()))
    }

    /// Finds the bytes of a manifest.
    pub(super) fn read(
        &self,
        repository: Option<&RepositoryName>,
        reference: &ManifestReference,
    ) -> Result<Option<(Found, Bytes)>, LayoutError> {
        let Some(found) = self.find(repository, reference)? else {
            return Ok(None);
        };
        let bytes = self.layout.read_blob(&found.digest, MAX_MANIFEST)?;
        Ok(bytes.map(|bytes| (found, bytes)))
    }

    /// Lists what refers to `subject` among a repository's manifests, by digest.
    pub(super) fn referrers(
        &self,
        repository: Option<&RepositoryName>,
        subject: &Digest,
    ) -> Result<Vec<Descriptor>, LayoutError> {
        let attached = self.attached(repository)?;
        Ok(attached.by_subject.get(subject).cloned().unwrap_or_default())
    }

    pub(super) fn put(
        &self,
        repository: Option<&RepositoryName>,
        reference: &ManifestReference,
        manifest: &Manifest,
    ) -> Result<(), LayoutError> {
        let digest = match reference {
            ManifestReference::Tag(_) => manifest.digest(),
            ManifestReference::Digest(digest) => digest,
        };
        self.layout.write_blob(digest, manifest.bytes())?;
        let is_attached = manifest.subject().is_some();
        let descriptor = Descriptor {
            digest: digest.clone(),
            artifact_type: manifest
                .artifact_type()
                .filter(|_| is_attached)
                .map(str::to_owned),
            ..manifest.descriptor()
        };
        match reference {
            ManifestReference::Tag(tag) => self.layout.tag(repository, tag, &descriptor)?,
            ManifestReference::Digest(_) => self.layout.add_untagged(repository, &descriptor)?,
        }
        // A file's time may be too coarse to tell this version from the last.
        *lock(&self.view) = None;
        Ok(())
    }

    /// Removes the entry of a tag, or all of a digest's in a repository. Returns false where there was none.
    pub(super) fn delete(
        &self,
        repository: Option<&RepositoryName>,
        reference: &ManifestReference,
    ) -> Result<bool, LayoutError> {
        let removed = match reference {
            ManifestReference::Tag(tag) => self.layout.untag(repository, tag)?,
            ManifestReference::Digest(digest) => self.layout.forget(repository, digest)?,
        };
        // A file's time may be too coarse to tell this version from the last.
        *lock(&self.view) = None;
        Ok(removed)
    }

    fn view(&self) -> Result<Arc<View>, LayoutError> {
        let version = self.layout.version();
        let mut seen = lock(&self.view);
        if let Some((of, view)) = seen.as_ref()
            && Some(of) == version.as_ref()
        {
            return Ok(Arc::clone(view));
        }
        let view = Arc::new(View::new(self.layout.entries()?));
        *seen = version.map(|version| (version, Arc::clone(&view)));
        Ok(view)
    }

    fn find(
        &self,
        repository: Option<&RepositoryName>,
        reference: &ManifestReference,
    ) -> Result<Option<Found>, LayoutError> {
        let view = self.view()?;
        match reference {
            ManifestReference::Tag(tag) => {
                let entry = self.layout_entry(&view, repository, tag)?;
                Ok(entry.map(|entry| Found {
                    digest: entry.digest.clone(),
                    entry: Some(entry),
                }))
            }
            ManifestReference::Digest(digest) => {
                Ok(self.is_visible(&view, repository, digest)?.then(|| Found {
                    digest: digest.clone(),
                    entry: view.entry(digest).cloned(),
                }))
            }
        }
    }

    /// Resolves a tag. Where several entries have its name, the layout says so.
    fn layout_entry(
        &self,
        view: &View,
        repository: Option<&RepositoryName>,
        tag: &Tag,
    ) -> Result<Option<Descriptor>, LayoutError> {
        match view.entries(repository) {
            Some(entries) if entries.ambiguous.contains(tag) => self.layout.resolve(repository, tag),
            Some(entries) => Ok(entries.tags.get(tag).cloned()),
            None => Ok(None),
        }
    }

    /// Tells whether a repository shows the manifest of this digest.
    ///
    /// A layout does not record which repository its manifests belong to, so each shows them all. Not so a manifest
    /// that refers to another: in a repository where no entry leads to it, it would be there and yet not be listed.
    fn is_visible(
        &self,
        view: &View,
        repository: Option<&RepositoryName>,
        digest: &Digest,
    ) -> Result<bool, LayoutError> {
        let Some(known) = self.known(digest, view.entry(digest))? else {
            return Ok(view.entry(digest).is_some());
        };
        Ok(known.subject.is_none() || self.attached(repository)?.subjects.contains_key(digest))
    }

    fn attached(&self, repository: Option<&RepositoryName>) -> Result<Arc<Attached>, LayoutError> {
        let view = self.view()?;
        let key = repository.cloned();
        {
            let mut referrers = lock(&self.referrers);
            if !referrers.view.as_ref().is_some_and(|of| Arc::ptr_eq(of, &view)) {
                *referrers = Referrers {
                    view: Some(Arc::clone(&view)),
                    repositories: BTreeMap::new(),
                };
            }
            if let Some(attached) = referrers.repositories.get(&key) {
                return Ok(Arc::clone(attached));
            }
        }
        let closure = view.closure(repository, |descriptor| self.child(descriptor))?;
        let attached = Arc::new(Attached::of(&closure));
        let mut referrers = lock(&self.referrers);
        if referrers.view.as_ref().is_some_and(|of| Arc::ptr_eq(of, &view)) {
            referrers.repositories.insert(key, Arc::clone(&attached));
        }
        Ok(attached)
    }

    fn child(&self, descriptor: &Descriptor) -> Result<Option<Arc<Known>>, LayoutError> {
        match descriptor.media_type.kind() {
            MediaKind::Image | MediaKind::Index => self.known(&descriptor.digest, Some(descriptor)),
            MediaKind::Blob | MediaKind::Schema1 => Ok(None),
        }
    }

    /// Returns what a manifest says. One that is missing, damaged or no manifest at all says nothing.
    fn known(&self, digest: &Digest, entry: Option<&Descriptor>) -> Result<Option<Arc<Known>>, LayoutError> {
        let Some(size) = self.layout.blob_size(digest)? else {
            return Ok(None);
        };
        let known = lock(&self.known).get(digest).map(Arc::clone);
        if let Some(known) = known.filter(|known| known.manifest.size == size) {
            return Ok(Some(known));
        }
        let bytes = match self.layout.read_blob(digest, MAX_MANIFEST) {
            Ok(Some(bytes)) => bytes,
            Ok(None) | Err(LayoutError::Digest { .. } | LayoutError::TooLarge { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let media_type = entry.map(|entry| &entry.media_type);
        let Ok(manifest) = Manifest::parse_as(bytes, media_type, digest.clone()) else {
            return Ok(None);
        };
        let known = Arc::new(Known::of(&manifest));
        lock(&self.known).insert(digest.clone(), Arc::clone(&known));
        Ok(Some(known))
    }
}

impl Attached {
    fn of(closure: &[Arc<Known>]) -> Self {
        let mut attached = Self::default();
        for known in closure {
            if let Some(subject) = &known.subject {
                attached
                    .subjects
                    .insert(known.manifest.digest.clone(), subject.clone());
                let list = attached.by_subject.entry(subject.clone()).or_default();
                list.push(known.referrer.clone());
            }
        }
        for list in attached.by_subject.values_mut() {
            list.sort_by(|one, other| one.digest.cmp(&other.digest));
        }
        attached
    }
}

/// What the locks guard is only ever replaced whole, so a panic elsewhere leaves it sound.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
