//! One version of a layout's index, by repository.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use layout::{Entry, LayoutError};
use oci::{Descriptor, Digest, Manifest, RepositoryName, Tag};

/// What a manifest says that is asked for again and again.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) manifest: Descriptor,
    pub(super) referrer: Descriptor,
    pub(super) subject: Option<Digest>,
    pub(super) children: Vec<Descriptor>,
}

impl Known {
    pub(super) fn of(manifest: &Manifest) -> Self {
        Self {
            manifest: manifest.descriptor(),
            referrer: manifest.referrer_descriptor(),
            subject: manifest.subject().map(|subject| subject.digest.clone()),
            children: manifest.children().cloned().collect(),
        }
    }
}

/// The index as it was read once.
#[derive(Debug, Default)]
pub(super) struct View {
    repositories: BTreeMap<Option<RepositoryName>, Entries>,
    by_digest: HashMap<Digest, Descriptor>,
}

/// The entries of a repository.
#[derive(Debug, Default)]
pub(super) struct Entries {
    pub(super) tags: BTreeMap<Tag, Descriptor>,
    /// The tags that several entries have.
    pub(super) ambiguous: BTreeSet<Tag>,
    pub(super) roots: Vec<Descriptor>,
}

impl View {
    pub(super) fn new(entries: Vec<Entry>) -> Self {
        let mut view = Self::default();
        for Entry {
            repository,
            tag,
            descriptor,
        } in entries
        {
            view.by_digest
                .entry(descriptor.digest.clone())
                .or_insert_with(|| descriptor.clone());
            let entries = view.repositories.entry(repository).or_default();
            if let Some(tag) = tag
                && entries.tags.insert(tag.clone(), descriptor.clone()).is_some()
            {
                entries.ambiguous.insert(tag);
            }
            entries.roots.push(descriptor);
        }
        view
    }

    /// Returns what entries name as their repository, once each; nothing for those that name none.
    pub(super) fn repositories(&self) -> impl Iterator<Item = Option<&RepositoryName>> {
        self.repositories.keys().map(Option::as_ref)
    }

    pub(super) fn entries(&self, repository: Option<&RepositoryName>) -> Option<&Entries> {
        self.repositories.get(&repository.cloned())
    }

    /// Returns an entry of any repository that names this digest.
    pub(super) fn entry(&self, digest: &Digest) -> Option<&Descriptor> {
        self.by_digest.get(digest)
    }

    /// Walks through a repository's manifests: those its entries name, and their children.
    pub(super) fn closure(
        &self,
        repository: Option<&RepositoryName>,
        mut read: impl FnMut(&Descriptor) -> Result<Option<Arc<Known>>, LayoutError>,
    ) -> Result<Vec<Arc<Known>>, LayoutError> {
        let roots = self.entries(repository).map(|entries| entries.roots.clone());
        let mut open = roots.unwrap_or_default();
        let mut seen = HashSet::new();
        let mut closure = Vec::new();
        while let Some(descriptor) = open.pop() {
            if !seen.insert(descriptor.digest.clone()) {
                continue;
            }
            if let Some(known) = read(&descriptor)? {
                open.extend(known.children.iter().cloned());
                closure.push(known);
            }
        }
        Ok(closure)
    }
}
