//! A store in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use oci::{Algorithm, Descriptor, Digest, Hasher, Manifest, RepositoryName, Tag};

use crate::store::{BlobSink, BlobSource, Committed, FoundBlob, Store, StoreError};

/// Repositories in memory. What a repository holds is what was uploaded to it or mounted into it, nothing else.
#[derive(Default)]
pub(crate) struct Memory {
    state: Arc<Mutex<Repositories>>,
}

type Repositories = BTreeMap<RepositoryName, Repository>;

#[derive(Default)]
struct Repository {
    blobs: BTreeMap<Digest, Blob>,
    manifests: BTreeMap<Digest, Arc<Manifest>>,
    tags: BTreeMap<Tag, Digest>,
    /// From a subject to what refers to it.
    referrers: BTreeMap<Digest, BTreeSet<Digest>>,
}

#[derive(Clone)]
struct Blob {
    pieces: Arc<[Bytes]>,
    size: u64,
}

struct MemorySink {
    state: Arc<Mutex<Repositories>>,
    pieces: Vec<Bytes>,
    /// Most digests are SHA-256, so that one is computed as the bytes pass.
    sha256: Hasher,
}

impl MemorySink {
    fn digest(&self, algorithm: Algorithm) -> Digest {
        let mut hasher = self.sha256.clone();
        if algorithm != Algorithm::Sha256 {
            hasher = Hasher::new(algorithm);
            self.pieces.iter().for_each(|piece| hasher.update(piece));
        }
        hasher.finish()
    }
}

/// Every change is one insertion or removal, so what a panic leaves behind is whole.
fn lock(state: &Mutex<Repositories>) -> MutexGuard<'_, Repositories> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Memory {
    fn read<T>(&self, repository: &RepositoryName, view: impl FnOnce(&Repository) -> Option<T>) -> Option<T> {
        lock(&self.state).get(repository).and_then(view)
    }

    fn change<T: Default>(
        &self,
        repository: &RepositoryName,
        change: impl FnOnce(&mut Repository) -> T,
    ) -> T {
        lock(&self.state)
            .get_mut(repository)
            .map(change)
            .unwrap_or_default()
    }
}

impl Repository {
    fn forget(&mut self, digest: &Digest) -> bool {
        let Some(manifest) = self.manifests.remove(digest) else {
            return false;
        };
        self.tags.retain(|_, target| target != digest);
        if let Some(list) = manifest
            .subject()
            .and_then(|subject| self.referrers.get_mut(&subject.digest))
        {
            list.remove(digest);
        }
        true
    }
}

impl Store for Memory {
    fn blob_size(&self, repository: &RepositoryName, digest: &Digest) -> Result<Option<u64>, StoreError> {
        Ok(self.read(repository, |found| found.blobs.get(digest).map(|blob| blob.size)))
    }

    fn open_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Option<FoundBlob>, StoreError> {
        let blob = self.read(repository, |found| found.blobs.get(digest).cloned());
        Ok(blob.map(|blob| FoundBlob {
            size: blob.size,
            source: BlobSource::Pieces(blob.pieces),
        }))
    }

    fn start_blob(&self) -> Result<Box<dyn BlobSink>, StoreError> {
        let sha256 = Hasher::new(Algorithm::Sha256);
        Ok(Box::new(MemorySink {
            state: Arc::clone(&self.state),
            pieces: Vec::new(),
            sha256,
        }))
    }

    fn mount_blob(
        &self,
        to: &RepositoryName,
        digest: &Digest,
        from: Option<&RepositoryName>,
    ) -> Result<bool, StoreError> {
        let mut state = lock(&self.state);
        let blob = match from {
            Some(from) => state.get(from).and_then(|found| found.blobs.get(digest)),
            None => state.values().find_map(|found| found.blobs.get(digest)),
        };
        let Some(blob) = blob.cloned() else {
            return Ok(false);
        };
        state
            .entry(to.clone())
            .or_default()
            .blobs
            .insert(digest.clone(), blob);
        Ok(true)
    }

    fn remove_blob(&self, repository: &RepositoryName, digest: &Digest) -> Result<bool, StoreError> {
        Ok(self.change(repository, |found| found.blobs.remove(digest).is_some()))
    }

    fn resolve(&self, repository: &RepositoryName, tag: &Tag) -> Result<Option<Digest>, StoreError> {
        Ok(self.read(repository, |found| found.tags.get(tag).cloned()))
    }

    fn manifest(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Option<Arc<Manifest>>, StoreError> {
        Ok(self.read(repository, |found| found.manifests.get(digest).cloned()))
    }

    fn put_manifest(
        &self,
        repository: &RepositoryName,
        manifest: &Arc<Manifest>,
        tags: &[Tag],
    ) -> Result<(), StoreError> {
        let mut state = lock(&self.state);
        let found = state.entry(repository.clone()).or_default();
        let digest = manifest.digest().clone();
        found.manifests.insert(digest.clone(), Arc::clone(manifest));
        found
            .tags
            .extend(tags.iter().map(|tag| (tag.clone(), digest.clone())));
        if let Some(subject) = manifest.subject() {
            found
                .referrers
                .entry(subject.digest.clone())
                .or_default()
                .insert(digest);
        }
        Ok(())
    }

    fn remove_manifest(&self, repository: &RepositoryName, digest: &Digest) -> Result<bool, StoreError> {
        Ok(self.change(repository, |found| found.forget(digest)))
    }

    fn untag(&self, repository: &RepositoryName, tag: &Tag) -> Result<bool, StoreError> {
        Ok(self.change(repository, |found| found.tags.remove(tag).is_some()))
    }

    fn tags(&self, repository: &RepositoryName) -> Result<Option<Vec<Tag>>, StoreError> {
        Ok(self.read(repository, |found| Some(found.tags.keys().cloned().collect())))
    }

    fn repositories(&self) -> Result<Vec<RepositoryName>, StoreError> {
        Ok(lock(&self.state).keys().cloned().collect())
    }

    fn referrers(
        &self,
        repository: &RepositoryName,
        subject: &Digest,
    ) -> Result<Vec<Descriptor>, StoreError> {
        let list = self.read(repository, |found| {
            let manifests = found
                .referrers
                .get(subject)?
                .iter()
                .filter_map(|digest| found.manifests.get(digest));
            Some(manifests.map(|manifest| manifest.referrer_descriptor()).collect())
        });
        Ok(list.unwrap_or_default())
    }
}

impl BlobSink for MemorySink {
    fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        self.sha256.update(&bytes);
        self.pieces.push(bytes);
        Ok(())
    }

    fn commit(
        self: Box<Self>,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Committed, StoreError> {
        if self.digest(digest.algorithm()) != *digest {
            return Ok(Committed::Mismatch);
        }
        let size = self.pieces.iter().map(|piece| piece.len() as u64).sum();
        let blob = Blob {
            pieces: self.pieces.into(),
            size,
        };
        lock(&self.state)
            .entry(repository.clone())
            .or_default()
            .blobs
            .insert(digest.clone(), blob);
        Ok(Committed::Kept)
    }
}
