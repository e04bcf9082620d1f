//! What all operations on a remote repository share.

use std::fmt;

use async_trait::async_trait;
use http::{HeaderMap, HeaderValue, Method};
use oci::{Descriptor, Digest, Manifest, ManifestReference, RepositoryName, Tag};

use super::document::Query;
use super::download::Download;
use super::{blobs, manifests, referrers, tags, uploads};
use crate::call::{Call, Reply, Scope, Target};
use crate::{
    ByteStream, Client, DeleteRepository, Deletion, Error, ManifestPut, Mount, MountFrom, Operation,
    ReadRepository, Referrers, UploadSession, WriteRepository,
};

/// The repository `name` of the registry that `client` talks to.
#[derive(Clone)]
pub(crate) struct RemoteRepository {
    pub(super) client: Client,
    pub(super) name: RepositoryName,
    power: Power,
}

/// What the token of a repository must allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Power {
    Read,
    Write,
    Delete,
}

impl RemoteRepository {
    /// Opens a repository to read from. Its tokens ask for no more than that.
    pub(crate) fn reader(client: Client, name: RepositoryName) -> Self {
        let power = Power::Read;
        Self { client, name, power }
    }

    /// Opens a repository to read from and write to: one token serves both.
    pub(crate) fn writer(client: Client, name: RepositoryName) -> Self {
        let power = Power::Write;
        Self { client, name, power }
    }

    /// Opens a repository to read from and delete from: one token serves both.
    pub(crate) fn deleter(client: Client, name: RepositoryName) -> Self {
        let power = Power::Delete;
        Self { client, name, power }
    }

    /// Says what is tried, for errors: `put manifest sha256:... in host/repository`.
    pub(super) fn action(&self, what: impl fmt::Display) -> String {
        format!("{what} in {}/{}", self.client.host(), self.name)
    }

    /// Makes the path of something in the repository.
    pub(super) fn path(&self, rest: impl fmt::Display) -> Target {
        Target::Path(format!("/v2/{}/{rest}", self.name))
    }

    pub(super) fn scope(&self) -> Scope {
        match self.power {
            Power::Read => Scope::pull(&self.name),
            Power::Write => Scope::push(&self.name),
            Power::Delete => Scope::delete(&self.name),
        }
    }

    /// Makes a call that may be repeated, has no body and follows redirects.
    pub(super) fn call(&self, operation: Operation, method: Method, target: Target) -> Call {
        Call {
            method,
            operation: Some(operation),
            ..Call::get(target, self.scope())
        }
    }

    /// Sends a call and says in its error what was tried.
    pub(super) async fn send(&self, action: &str, call: Call) -> Result<Reply, Error> {
        self.client.send(call).await.map_err(|error| error.during(action))
    }

    /// Asks for a small document.
    pub(super) fn query(&self, operation: Operation, target: Target, accept: HeaderValue) -> Query {
        Query {
            target,
            accept,
            scope: self.scope(),
            operation: Some(operation),
        }
    }
}

/// Reads a header that holds a digest. An empty or malformed one says nothing.
pub(super) fn digest_header(headers: &HeaderMap, name: &str) -> Option<Digest> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

impl fmt::Debug for RemoteRepository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RemoteRepository({}/{})", self.client.host(), self.name)
    }
}

#[async_trait]
impl ReadRepository for RemoteRepository {
    async fn tags(&self) -> Result<Option<Vec<Tag>>, Error> {
        tags::list(self).await
    }

    async fn head_manifest(&self, reference: &ManifestReference) -> Result<Option<Descriptor>, Error> {
        manifests::head(self, reference).await
    }

    async fn get_manifest(&self, reference: &ManifestReference) -> Result<Option<Manifest>, Error> {
        manifests::get(self, reference).await
    }

    async fn referrers(&self, subject: &Digest) -> Result<Referrers, Error> {
        referrers::list(self, subject).await
    }

    async fn head_blob(&self, digest: &Digest) -> Result<Option<u64>, Error> {
        blobs::head(self, digest).await
    }

    async fn read_blob(&self, blob: &Descriptor) -> Result<ByteStream, Error> {
        Ok(Download::start(self.clone(), blob).await?.into_stream())
    }
}

#[async_trait]
impl WriteRepository for RemoteRepository {
    async fn mount_blob(&self, digest: &Digest, from: &MountFrom) -> Result<Mount, Error> {
        uploads::mount(self, digest, from).await
    }

    async fn start_upload(&self) -> Result<UploadSession, Error> {
        uploads::start(self).await
    }

    async fn upload_blob(
        &self,
        session: UploadSession,
        blob: &Descriptor,
        body: ByteStream,
    ) -> Result<(), Error> {
        uploads::upload(self, session, blob, body).await
    }

    async fn put_manifest(
        &self,
        reference: &ManifestReference,
        manifest: &Manifest,
    ) -> Result<ManifestPut, Error> {
        manifests::put(self, reference, manifest).await
    }
}

#[async_trait]
impl DeleteRepository for RemoteRepository {
    async fn delete(&self, reference: &ManifestReference) -> Result<Deletion, Error> {
        manifests::delete(self, reference).await
    }
}
