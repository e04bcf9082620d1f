//! A store over an OCI image layout.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use layout::{BlobWriter, Layout, LayoutError};
use oci::{Descriptor, Digest, MAX_MANIFEST, Manifest, RepositoryName, Tag};

use crate::layout_view::{Stamp, View};
use crate::store::{BlobSink, BlobSource, Committed, FoundBlob, Store, StoreError};

/// Repositories of a layout.
///
/// A layout does not record which repository a blob belongs to, so each repository shows them all, and every mount of
/// a blob that is there succeeds. A repository's manifests are those that its entries name, and their children.
pub(crate) struct LayoutStore {
    layout: Layout,
    bare: RepositoryName,
    seen: Mutex<Option<(Stamp, Arc<View>)>>,
}

impl From<LayoutError> for StoreError {
    fn from(error: LayoutError) -> Self {
        Self::Layout(Box::new(error))
    }
}

impl LayoutStore {
    /// Serves `layout`, its entries that name no repository under the name of its directory.
    pub(crate) fn new(layout: Layout) -> Self {
        let bare = name_of(layout.path());
        Self {
            layout,
            bare,
            seen: Mutex::default(),
        }
    }

    /// Serves entries that name no repository under `bare`.
    pub(crate) fn with_bare(&self, bare: RepositoryName) -> Self {
        Self {
            layout: self.layout.clone(),
            bare,
            seen: Mutex::default(),
        }
    }

    /// Returns the index as it stands now. It is read anew only when its file has changed.
    fn view(&self) -> Result<Arc<View>, StoreError> {
        let stamp = Stamp::of(&self.layout)?;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, view)) = seen.as_ref().filter(|(of, _)| *of == stamp) {
            return Ok(Arc::clone(view));
        }
        let known = seen.take().map(|(_, view)| view);
        let view = Arc::new(View::read(&self.layout, &self.bare, known.as_deref())?);
        *seen = Some((stamp, Arc::clone(&view)));
        Ok(view)
    }

    /// Makes the next look read the layout anew, whatever its file's time says.
    fn forget_view(&self) {
        if let Some((stamp, _)) = self.seen.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            *stamp = Stamp::Stale;
        }
    }

    /// Returns where entries of a repository may stand, the place to write to first.
    fn places<'a>(
        &self,
        repository: &'a RepositoryName,
    ) -> Result<Vec<Option<&'a RepositoryName>>, StoreError> {
        let written = Some(repository);
        if *repository != self.bare {
            return Ok(vec![written]);
        }
        let names = self.layout.repositories()?;
        let keeps_bare = names.contains(&None) && !names.contains(&Some(repository.clone()));
        Ok(if keeps_bare {
            vec![None, written]
        } else {
            vec![written, None]
        })
    }

    /// Tells whether a manifest's file is there and undamaged. The view may have read it before it was lost.
    fn is_whole(&self, digest: &Digest) -> Result<bool, StoreError> {
        match self.layout.read_blob(digest, MAX_MANIFEST) {
            Ok(bytes) => Ok(bytes.is_some()),
            Err(LayoutError::Digest { .. } | LayoutError::TooLarge { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Points a tag at a manifest. What it pointed at before stays in the repository, as an entry without a tag.
    fn point(
        &self,
        repository: &RepositoryName,
        places: &[Option<&RepositoryName>],
        tag: &Tag,
        descriptor: &Descriptor,
    ) -> Result<(), StoreError> {
        let before = self
            .view()?
            .entries(repository)
            .and_then(|entries| entries.tagged(tag).cloned());
        self.layout.tag(places[0], tag, descriptor)?;
        for &other in &places[1..] {
            self.layout.untag(other, tag)?;
        }
        match before.filter(|before| before.digest != descriptor.digest) {
            Some(before) => Ok(self.layout.add_untagged(Some(repository), &before)?),
            None => Ok(()),
        }
    }
}

/// Makes a repository's name of a directory's.
fn name_of(path: &Path) -> RepositoryName {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().to_lowercase())
        .unwrap_or_default();
    let words = name
        .split(|letter: char| !letter.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty());
    let name = words.collect::<Vec<_>>().join("-");
    name.parse()
        .unwrap_or_else(|_| "layout".parse().expect("a word is a repository"))
}

impl Store for LayoutStore {
    fn blob_size(&self, _repository: &RepositoryName, digest: &Digest) -> Result<Option<u64>, StoreError> {
        Ok(self.layout.blob_size(digest)?)
    }

    fn open_blob(
        &self,
        _repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Option<FoundBlob>, StoreError> {
        let Some(file) = self.layout.open_blob(digest)? else {
            return Ok(None);
        };
        Ok(Some(FoundBlob {
            size: file.metadata()?.len(),
            source: BlobSource::File(file),
        }))
    }

    fn start_blob(&self) -> Result<Box<dyn BlobSink>, StoreError> {
        Ok(Box::new(self.layout.start_blob()?))
    }

    fn mount_blob(
        &self,
        to: &RepositoryName,
        digest: &Digest,
        _from: Option<&RepositoryName>,
    ) -> Result<bool, StoreError> {
        Ok(self.blob_size(to, digest)?.is_some())
    }

    fn remove_blob(&self, _repository: &RepositoryName, digest: &Digest) -> Result<bool, StoreError> {
        let removed = self.layout.remove_blob(digest)?;
        self.forget_view();
        Ok(removed)
    }

    fn resolve(&self, repository: &RepositoryName, tag: &Tag) -> Result<Option<Digest>, StoreError> {
        let view = self.view()?;
        Ok(view
            .entries(repository)
            .and_then(|entries| entries.tagged(tag).map(|found| found.digest.clone())))
    }

    fn manifest(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Option<Arc<Manifest>>, StoreError> {
        let closure = self.view()?.closure(&self.layout, repository)?;
        match closure.manifests.get(digest) {
            Some(found) if self.is_whole(digest)? => Ok(Some(Arc::clone(found))),
            Some(_) | None => Ok(None),
        }
    }

    fn put_manifest(
        &self,
        repository: &RepositoryName,
        manifest: &Arc<Manifest>,
        tags: &[Tag],
    ) -> Result<(), StoreError> {
        let descriptor = Descriptor {
            artifact_type: manifest
                .artifact_type()
                .filter(|_| manifest.subject().is_some())
                .map(str::to_owned),
            ..manifest.descriptor()
        };
        self.layout.write_blob(manifest.digest(), manifest.bytes())?;
        let places = self.places(repository)?;
        for tag in tags {
            self.point(repository, &places, tag, &descriptor)?;
        }
        if tags.is_empty() {
            self.layout.add_untagged(places[0], &descriptor)?;
        }
        self.forget_view();
        Ok(())
    }

    /// Removes the manifest's entries, and its bytes too unless another repository has it: while they are there, an
    /// index that names them would keep showing them.
    fn remove_manifest(&self, repository: &RepositoryName, digest: &Digest) -> Result<bool, StoreError> {
        let view = self.view()?;
        if !view
            .closure(&self.layout, repository)?
            .manifests
            .contains_key(digest)
        {
            return Ok(false);
        }
        let shared = view.is_shared(&self.layout, repository, digest)?;
        for place in self.places(repository)? {
            self.layout.forget(place, digest)?;
        }
        if !shared {
            self.layout.remove_blob(digest)?;
        }
        self.forget_view();
        Ok(true)
    }

    /// Removes the tag. What it pointed to stays in the repository, as an entry without a tag.
    fn untag(&self, repository: &RepositoryName, tag: &Tag) -> Result<bool, StoreError> {
        let places = self.places(repository)?;
        let mut removed = false;
        for place in places {
            let Some(descriptor) = self.layout.resolve(place, tag)? else {
                continue;
            };
            self.layout.untag(place, tag)?;
            self.layout.add_untagged(Some(repository), &descriptor)?;
            removed = true;
        }
        self.forget_view();
        Ok(removed)
    }

    fn tags(&self, repository: &RepositoryName) -> Result<Option<Vec<Tag>>, StoreError> {
        Ok(self
            .view()?
            .entries(repository)
            .map(|entries| entries.tags().cloned().collect()))
    }

    fn repositories(&self) -> Result<Vec<RepositoryName>, StoreError> {
        Ok(self.view()?.repositories())
    }

    fn referrers(
        &self,
        repository: &RepositoryName,
        subject: &Digest,
    ) -> Result<Vec<Descriptor>, StoreError> {
        Ok(self.view()?.closure(&self.layout, repository)?.referrers(subject))
    }
}

impl BlobSink for BlobWriter {
    fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        Ok(Self::write(self, &bytes)?)
    }

    fn commit(
        self: Box<Self>,
        _repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Committed, StoreError> {
        match Self::commit(*self, digest) {
            Ok(()) => Ok(Committed::Kept),
            Err(LayoutError::Digest { .. }) => Ok(Committed::Mismatch),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_names_the_repository_of_bare_tags() {
        for (path, name) in [
            ("/a/Mirror Disk", "mirror-disk"),
            ("/x/v1.2_a", "v1-2-a"),
            ("/x/--", "layout"),
        ] {
            assert_eq!(name_of(Path::new(path)).as_str(), name);
        }
    }
}
