//! What all operations on a remote repository share.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use oci::{Descriptor, Digest, Manifest, ManifestReference, RepositoryName, Tag};
use serde::de::{DeserializeOwned, Error as _};
use serde_json::Value;
use url::Url;

use super::download::Download;
use super::{blobs, manifests, referrers, tags, uploads};
use crate::call::{Call, CallBody, Redirects, Repeat, Reply, Scope, Target};
use crate::{
    ByteStream, Client, Error, ErrorKind, ManifestPut, Mount, MountFrom, ReadRepository, Referrers,
    UploadSession, WriteRepository,
};

/// How often a small body that breaks off is asked for again.
const BODY_TRIES: u32 = 3;

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
}

/// A reply whose body was read whole.
pub(super) struct Document {
    pub(super) headers: HeaderMap,
    pub(super) url: Url,
    pub(super) bytes: Bytes,
}

impl Document {
    /// Reads the document as a JSON object.
    pub(super) fn json<T: DeserializeOwned>(&self, what: &str) -> Result<T, Error> {
        let value = oci::read_json(&self.bytes).and_then(|value| match value {
            Value::Object(_) => Ok(serde_json::from_value(value)?),
            _ => Err(serde_json::Error::custom("not an object").into()),
        });
        value.map_err(|error| {
            Error::new(ErrorKind::Integrity, format!("{what} is malformed")).caused_by(error)
        })
    }
}

/// What a document was asked for with: all that a second try needs.
#[derive(Clone)]
pub(super) struct Query {
    pub(super) target: Target,
    pub(super) accept: HeaderValue,
    pub(super) limit: usize,
}

/// How a document was answered.
pub(super) enum Answer {
    Document(Document),
    /// Another status than 200.
    Refused(Reply),
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
        }
    }

    /// Makes a call that may be repeated, has no body and follows redirects.
    pub(super) fn call(&self, method: Method, target: Target) -> Call {
        Call {
            method,
            target,
            headers: HeaderMap::new(),
            body: CallBody::Empty,
            scope: self.scope(),
            repeat: Repeat::Safe,
            redirects: Redirects::Follow,
        }
    }

    /// Sends a call and says in its error what was tried.
    pub(super) async fn send(&self, action: &str, call: Call) -> Result<Reply, Error> {
        self.client.send(call).await.map_err(|error| error.during(action))
    }

    /// Gets a small document whole. Where its body breaks off, it is asked for again.
    pub(super) async fn document(&self, action: &str, query: Query) -> Result<Answer, Error> {
        let mut tries = 1;
        loop {
            let mut call = self.call(Method::GET, query.target.clone());
            call.headers.insert(header::ACCEPT, query.accept.clone());
            let reply = self.send(action, call).await?;
            if reply.status != StatusCode::OK {
                return Ok(Answer::Refused(reply));
            }
            let (headers, url) = (reply.headers.clone(), reply.url.clone());
            match reply.bytes(query.limit).await {
                Ok(bytes) => return Ok(Answer::Document(Document { headers, url, bytes })),
                Err(error) if error.kind() == ErrorKind::Network && tries < BODY_TRIES => tries += 1,
                Err(error) => return Err(error.during(action)),
            }
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
