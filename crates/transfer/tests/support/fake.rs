//! A registry in memory that fails on command.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, stream};
use oci::{Descriptor, Digest, Manifest, ManifestReference, RepositoryName, Tag};
use planner::Standing;
use provider::{Advice, Class, Ensured, Importing, Lister, Listing, Profile, Provider};
use registry::{
    ByteStream, CredentialSource, Error, ErrorKind, ManifestPut, Mount, MountFrom, Operation, ReadRepository,
    Referrers, Registry, Traffic, TransportError, TransportErrorKind, UploadSession, WriteRepository,
};
use serde_json::Value;
use tokio::sync::Notify;

use super::image::Image;

/// What goes wrong.
#[derive(Clone, Debug)]
pub enum Trouble {
    /// The request is answered with an error.
    Error(ErrorKind),
    /// Nobody answers.
    Unreachable,
    /// The request waits until it is let go, then goes on.
    Wait(Arc<Notify>),
    /// An upload's body is never read.
    Stall,
    /// A manifest is taken and lost: somebody else overwrote it.
    Lose,
    /// A manifest is taken, and somebody else puts this one over it at once.
    Replace(Box<Manifest>),
    /// A body breaks after so many bytes.
    Cut(usize),
}

/// How a registry mounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mounts {
    Granted,
    Declined,
    Refused,
}

#[derive(Clone)]
pub struct Fake {
    name: Arc<str>,
    state: Arc<Mutex<State>>,
}

struct State {
    repositories: BTreeMap<RepositoryName, Content>,
    log: Vec<String>,
    troubles: Vec<(String, usize, Trouble)>,
    mounts: Mounts,
    referrers: Option<Vec<Descriptor>>,
    absent: BTreeSet<RepositoryName>,
    unfinished: Option<ErrorKind>,
}

#[derive(Default)]
struct Content {
    blobs: BTreeMap<Digest, Bytes>,
    manifests: BTreeMap<Digest, Manifest>,
    tags: BTreeMap<Tag, Digest>,
}

impl Fake {
    pub fn new(name: &str) -> Self {
        let state = State {
            repositories: BTreeMap::new(),
            log: Vec::new(),
            troubles: Vec::new(),
            mounts: Mounts::Granted,
            referrers: None,
            absent: BTreeSet::new(),
            unfinished: None,
        };
        Self {
            name: name.into(),
            state: Arc::new(Mutex::new(state)),
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Lets the next `times` requests whose log line contains `pattern` go wrong.
    pub fn trouble(&self, pattern: &str, times: usize, trouble: Trouble) {
        self.state().troubles.push((pattern.to_owned(), times, trouble));
    }

    /// Lets the end go wrong, when all that was written is to last.
    pub fn never_finishes(&self, kind: ErrorKind) {
        self.state().unfinished = Some(kind);
    }

    /// Ends all trouble.
    pub fn heal(&self) {
        self.state().troubles.clear();
    }

    pub fn mounts(self, mounts: Mounts) -> Self {
        self.state().mounts = mounts;
        self
    }

    /// Answers the referrers API with a list.
    pub fn lists_referrers(&self, list: Vec<Descriptor>) {
        self.state().referrers = Some(list);
    }

    /// Puts an image there, unseen.
    pub fn hold(&self, repository: &str, tag: &str, image: &Image) {
        self.hold_blobs(repository, image);
        self.hold_manifest(repository, tag, &image.manifest);
    }

    pub fn hold_blobs(&self, repository: &str, image: &Image) {
        let mut state = self.state();
        let content = state.repositories.entry(repository.parse().unwrap()).or_default();
        content.blobs.extend(
            image
                .blobs
                .iter()
                .map(|blob| (Digest::sha256(blob), blob.clone())),
        );
    }

    pub fn hold_manifest(&self, repository: &str, tag: &str, manifest: &Manifest) {
        let mut state = self.state();
        let content = state.repositories.entry(repository.parse().unwrap()).or_default();
        content
            .tags
            .insert(tag.parse().unwrap(), manifest.digest().clone());
        content
            .manifests
            .insert(manifest.digest().clone(), manifest.clone());
    }

    pub fn tag(&self, repository: &str, tag: &str) -> Option<Digest> {
        let repository: RepositoryName = repository.parse().unwrap();
        let tag: Tag = tag.parse().unwrap();
        self.state()
            .repositories
            .get(&repository)?
            .tags
            .get(&tag)
            .cloned()
    }

    /// Returns the manifest that a tag stands at.
    pub fn tagged(&self, repository: &str, tag: &str) -> Option<Manifest> {
        self.manifest(repository, &self.tag(repository, tag)?)
    }

    /// Returns a blob.
    pub fn blob(&self, repository: &str, digest: &Digest) -> Option<Bytes> {
        let repository: RepositoryName = repository.parse().unwrap();
        let state = self.state();
        state.repositories.get(&repository)?.blobs.get(digest).cloned()
    }

    pub fn manifest(&self, repository: &str, digest: &Digest) -> Option<Manifest> {
        let repository: RepositoryName = repository.parse().unwrap();
        self.state()
            .repositories
            .get(&repository)?
            .manifests
            .get(digest)
            .cloned()
    }

    /// Returns whether all of an image stands there.
    pub fn holds(&self, repository: &str, image: &Image) -> bool {
        let repository: RepositoryName = repository.parse().unwrap();
        let state = self.state();
        let Some(content) = state.repositories.get(&repository) else {
            return false;
        };
        content.manifests.get(image.digest()) == Some(&image.manifest)
            && image
                .blobs
                .iter()
                .all(|blob| content.blobs.get(&Digest::sha256(blob)) == Some(blob))
    }

    /// Counts the requests whose log line contains `pattern`.
    pub fn count(&self, pattern: &str) -> usize {
        self.state()
            .log
            .iter()
            .filter(|line| line.contains(pattern))
            .count()
    }

    /// Counts the requests that write.
    pub fn writes(&self) -> usize {
        self.count("PUT") + self.count("POST")
    }

    pub fn log(&self) -> Vec<String> {
        self.state().log.clone()
    }

    pub fn forget_log(&self) {
        self.state().log.clear();
    }

    /// Notes a request, and lets it go wrong if it is to.
    async fn ask(&self, line: String) -> Result<Option<Trouble>, Error> {
        let trouble = {
            let mut state = self.state();
            let due = state
                .troubles
                .iter_mut()
                .find(|(pattern, times, _)| *times > 0 && line.contains(pattern));
            let trouble = due.map(|(_, times, trouble)| {
                *times -= 1;
                trouble.clone()
            });
            state.log.push(line.clone());
            trouble
        };
        match trouble {
            Some(Trouble::Error(kind)) => Err(Error::new(kind, format!("{line} at {}: refused", self.name))),
            Some(Trouble::Unreachable) => {
                let cause = TransportError::new(TransportErrorKind::Refused, "connection refused");
                Err(Error::new(ErrorKind::Network, line).caused_by(cause))
            }
            Some(Trouble::Wait(notify)) => {
                notify.notified().await;
                Ok(None)
            }
            other => Ok(other),
        }
    }
}

impl fmt::Debug for Fake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fake({})", self.name)
    }
}

#[async_trait]
impl Registry for Fake {
    fn reader(&self, repository: &RepositoryName) -> Arc<dyn ReadRepository> {
        Arc::new(FakeRepository {
            fake: self.clone(),
            name: repository.clone(),
        })
    }

    fn writer(&self, repository: &RepositoryName) -> Arc<dyn WriteRepository> {
        Arc::new(FakeRepository {
            fake: self.clone(),
            name: repository.clone(),
        })
    }

    async fn catalog(&self) -> Result<Option<Vec<RepositoryName>>, Error> {
        Ok(Some(self.state().repositories.keys().cloned().collect()))
    }

    fn traffic(&self) -> Traffic {
        let mut requests: BTreeMap<String, u64> = BTreeMap::new();
        for line in &self.state().log {
            *requests
                .entry(line.split(' ').next().unwrap().to_owned())
                .or_default() += 1;
        }
        Traffic {
            requests,
            ..Traffic::default()
        }
    }

    async fn finish(&self) -> Result<(), Error> {
        match self.state().unfinished {
            Some(kind) => Err(Error::new(kind, format!("finish {}", self.name))),
            None => Ok(()),
        }
    }
}

#[derive(Debug)]
struct FakeRepository {
    fake: Fake,
    name: RepositoryName,
}

impl FakeRepository {
    async fn ask(&self, request: String) -> Result<Option<Trouble>, Error> {
        self.fake.ask(format!("{request} {}", self.name)).await
    }

    fn content<T>(&self, look: impl FnOnce(&mut Content) -> T) -> T {
        look(
            self.fake
                .state()
                .repositories
                .entry(self.name.clone())
                .or_default(),
        )
    }

    fn session(&self) -> UploadSession {
        UploadSession::new("http://fake.example/upload".parse().unwrap())
    }

    fn find(&self, reference: &ManifestReference) -> Option<Manifest> {
        self.content(|content| {
            let digest = match reference {
                ManifestReference::Tag(tag) => content.tags.get(tag)?,
                ManifestReference::Digest(digest) => digest,
            };
            content.manifests.get(digest).cloned()
        })
    }
}

#[async_trait]
impl ReadRepository for FakeRepository {
    async fn tags(&self) -> Result<Option<Vec<Tag>>, Error> {
        self.ask("GET tags".to_owned()).await?;
        Ok(Some(
            self.content(|content| content.tags.keys().cloned().collect()),
        ))
    }

    async fn head_manifest(&self, reference: &ManifestReference) -> Result<Option<Descriptor>, Error> {
        self.ask(format!("HEAD manifest {reference}")).await?;
        Ok(self.find(reference).map(|manifest| manifest.descriptor()))
    }

    async fn get_manifest(&self, reference: &ManifestReference) -> Result<Option<Manifest>, Error> {
        self.ask(format!("GET manifest {reference}")).await?;
        Ok(self.find(reference))
    }

    async fn referrers(&self, subject: &Digest) -> Result<Referrers, Error> {
        self.ask(format!("GET referrers {subject}")).await?;
        Ok(self
            .fake
            .state()
            .referrers
            .clone()
            .map_or(Referrers::Unsupported, Referrers::List))
    }

    async fn head_blob(&self, digest: &Digest) -> Result<Option<u64>, Error> {
        self.ask(format!("HEAD blob {digest}")).await?;
        Ok(self.content(|content| content.blobs.get(digest).map(|blob| blob.len() as u64)))
    }

    async fn read_blob(&self, blob: &Descriptor) -> Result<ByteStream, Error> {
        let trouble = self.ask(format!("GET blob {}", blob.digest)).await?;
        let bytes = self.content(|content| content.blobs.get(&blob.digest).cloned());
        let bytes = bytes.ok_or_else(|| Error::new(ErrorKind::NotFound, "no such blob"))?;
        let cut = match trouble {
            Some(Trouble::Cut(length)) => Some(length.min(bytes.len())),
            _ => None,
        };
        let whole = bytes.slice(..cut.unwrap_or(bytes.len()));
        let mut chunks: Vec<Result<Bytes, Error>> = whole
            .chunks(1 << 16)
            .map(|chunk| Ok(Bytes::copy_from_slice(chunk)))
            .collect();
        chunks.extend(cut.map(|_| Err(Error::new(ErrorKind::Network, "the source broke"))));
        Ok(stream::iter(chunks).boxed())
    }
}

#[async_trait]
impl WriteRepository for FakeRepository {
    async fn mount_blob(&self, digest: &Digest, from: &MountFrom) -> Result<Mount, Error> {
        self.ask(format!("POST mount {digest} {}", from.repository))
            .await?;
        let held = {
            let state = self.fake.state();
            state
                .repositories
                .get(&from.repository)
                .and_then(|content| content.blobs.get(digest).cloned())
        };
        let mounts = self.fake.state().mounts;
        Ok(match (held, mounts) {
            (Some(bytes), Mounts::Granted) => {
                self.content(|content| content.blobs.insert(digest.clone(), bytes));
                Mount::Mounted
            }
            (_, Mounts::Refused) => Mount::Refused,
            _ => Mount::Declined(self.session()),
        })
    }

    async fn start_upload(&self) -> Result<UploadSession, Error> {
        self.ask("POST upload".to_owned()).await?;
        Ok(self.session())
    }

    async fn upload_blob(
        &self,
        _session: UploadSession,
        blob: &Descriptor,
        mut body: ByteStream,
    ) -> Result<(), Error> {
        let trouble = self.ask(format!("PUT blob {}", blob.digest)).await?;
        let mut received = BytesMut::new();
        loop {
            match &trouble {
                Some(Trouble::Stall) => std::future::pending().await,
                Some(Trouble::Cut(length)) if received.len() >= *length => {
                    return Err(Error::new(
                        ErrorKind::Network,
                        format!("{} hung up", self.fake.name),
                    ));
                }
                _ => {}
            }
            match body.next().await {
                Some(chunk) => received.extend_from_slice(&chunk?),
                None => break,
            }
        }
        let received = received.freeze();
        assert_eq!(
            Digest::sha256(&received),
            blob.digest,
            "a body that ended without an error is the blob"
        );
        self.content(|content| content.blobs.insert(blob.digest.clone(), received));
        Ok(())
    }

    async fn put_manifest(
        &self,
        reference: &ManifestReference,
        manifest: &Manifest,
    ) -> Result<ManifestPut, Error> {
        let trouble = self.ask(format!("PUT manifest {reference}")).await?;
        let manifest = match &trouble {
            Some(Trouble::Lose) => return Ok(ManifestPut::default()),
            Some(Trouble::Replace(other)) => other,
            _ => manifest,
        };
        self.content(|content| {
            for blob in manifest.blobs() {
                assert!(
                    content.blobs.contains_key(&blob.digest),
                    "blobs stand before the manifest"
                );
            }
            content
                .manifests
                .insert(manifest.digest().clone(), manifest.clone());
            if let ManifestReference::Tag(tag) = reference {
                content.tags.insert(tag.clone(), manifest.digest().clone());
            }
        });
        Ok(ManifestPut::default())
    }
}

/// A provider whose call is logged by the registry.
#[derive(Debug)]
pub struct FakeProvider {
    fake: Fake,
    profile: Profile,
}

impl FakeProvider {
    pub fn new(fake: Fake) -> Self {
        let profile = Profile::of(Class::Other);
        Self { fake, profile }
    }
}

impl fmt::Display for FakeProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("fake")
    }
}

#[async_trait]
impl Lister for FakeProvider {
    async fn inventory(&self, _repository: &RepositoryName) -> Result<Listing, Error> {
        Ok(Listing::Unavailable(None))
    }

    async fn repositories(&self) -> Result<Option<Vec<RepositoryName>>, Error> {
        Ok(None)
    }

    async fn find_repository(
        &self,
        _repository: &RepositoryName,
        _settings: Option<&Value>,
    ) -> Result<Option<Standing>, Error> {
        Ok(None)
    }

    async fn blobs(
        &self,
        _repository: &RepositoryName,
        _blobs: &[Digest],
    ) -> Result<Option<BTreeSet<Digest>>, Error> {
        Ok(None)
    }
}

#[async_trait]
impl Provider for FakeProvider {
    fn profile(&self) -> &Profile {
        &self.profile
    }

    fn credentials(&self) -> Arc<dyn CredentialSource> {
        Arc::new(registry::credentials::Anonymous)
    }

    fn advise(&self, _: Operation, _: &RepositoryName, _: &Error) -> Option<Advice> {
        None
    }

    async fn ensure_repository(
        &self,
        repository: &RepositoryName,
        _settings: Option<&Value>,
    ) -> Result<Ensured, Error> {
        self.fake.ask(format!("CREATE {repository}")).await?;
        Ok(Ensured::Created)
    }

    async fn update_repository(
        &self,
        repository: &RepositoryName,
        _settings: Option<&Value>,
    ) -> Result<(), Error> {
        self.fake.ask(format!("UPDATE {repository}")).await?;
        Ok(())
    }

    async fn import(&self, import: &Importing) -> Result<(), Error> {
        self.fake
            .ask(format!("IMPORT {} {} {}", import.from, import.digest, import.to))
            .await?;
        Ok(())
    }

    async fn seal(
        &self,
        repository: &RepositoryName,
        tag: &Tag,
        _settings: Option<&Value>,
    ) -> Result<(), Error> {
        self.fake.ask(format!("SEAL {repository}:{tag}")).await?;
        Ok(())
    }
}
