//! Pushes content and reads it back over plain HTTP, by the letter of the distribution specification.
//!
//! Independent of the client under test: nothing is retried, mounted or remembered here.

use std::collections::BTreeSet;

use bytes::Bytes;
use oci::{Digest, MediaType};
use reqwest::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, LOCATION};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;
use url::Url;

use crate::image::{Content, File};

/// One registry, spoken to directly.
#[derive(Clone, Debug)]
pub struct Direct {
    client: Client,
    base: Url,
    login: Option<(String, String)>,
}

/// A manifest as a registry served it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// The bytes.
    pub bytes: Bytes,
    /// The `Content-Type`.
    pub media_type: String,
    /// The digest of the bytes, computed here.
    pub digest: Digest,
}

impl Direct {
    /// Speaks to `host`, `127.0.0.1:5000` for example, without signing in.
    ///
    /// # Panics
    /// Where `host` is none.
    #[must_use]
    pub fn new(host: &str) -> Self {
        let client = Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .expect("a client of defaults can be built");
        let base = format!("http://{host}/v2/")
            .parse()
            .expect("a test's host is one");
        Self {
            client,
            base,
            login: None,
        }
    }

    /// Signs in by HTTP Basic.
    #[must_use]
    pub fn login(mut self, username: &str, password: &str) -> Self {
        self.login = Some((username.to_owned(), password.to_owned()));
        self
    }

    /// Pushes everything: blobs, manifests by digest, then tags.
    ///
    /// # Panics
    /// Where the registry refuses anything.
    pub async fn push(&self, repository: &str, content: &Content) {
        for (digest, bytes) in &content.blobs {
            self.put_blob(repository, digest, bytes.clone()).await;
        }
        for file in &content.manifests {
            self.put_manifest(repository, &file.digest.to_string(), file)
                .await;
        }
        for (tag, digest) in &content.tags {
            self.put_manifest(repository, tag.as_str(), content.file(digest))
                .await;
        }
    }

    /// Uploads a blob: one POST, one PUT.
    ///
    /// # Panics
    /// Where the registry refuses it.
    pub async fn put_blob(&self, repository: &str, digest: &Digest, bytes: Bytes) {
        let start = self.request(Method::POST, &format!("{repository}/blobs/uploads/"));
        let started = send(start.header(CONTENT_LENGTH, 0)).await;
        assert_status(&started, StatusCode::ACCEPTED, "start an upload");
        let mut location = self.location(&started);
        location
            .query_pairs_mut()
            .append_pair("digest", &digest.to_string());
        let finish = self
            .signed(self.client.put(location))
            .header(CONTENT_TYPE, "application/octet-stream")
            .header(CONTENT_LENGTH, bytes.len())
            .body(bytes);
        assert_status(&send(finish).await, StatusCode::CREATED, "finish an upload");
    }

    /// Puts a manifest under a tag or its digest.
    ///
    /// # Panics
    /// Where the registry refuses it.
    pub async fn put_manifest(&self, repository: &str, reference: &str, file: &File) {
        let request = self
            .request(Method::PUT, &format!("{repository}/manifests/{reference}"))
            .header(CONTENT_TYPE, file.media_type.as_str())
            .body(file.bytes.clone());
        assert_status(&send(request).await, StatusCode::CREATED, "put a manifest");
    }

    /// Deletes a manifest, and so every tag that names it.
    ///
    /// # Panics
    /// Where the registry refuses it.
    pub async fn delete_manifest(&self, repository: &str, digest: &Digest) {
        let request = self.request(Method::DELETE, &format!("{repository}/manifests/{digest}"));
        assert_status(&send(request).await, StatusCode::ACCEPTED, "delete a manifest");
    }

    /// Deletes a blob from a repository.
    ///
    /// # Panics
    /// Where the registry refuses it.
    pub async fn delete_blob(&self, repository: &str, digest: &Digest) {
        let request = self.request(Method::DELETE, &format!("{repository}/blobs/{digest}"));
        assert_status(&send(request).await, StatusCode::ACCEPTED, "delete a blob");
    }

    /// Reads a manifest; `None` where there is none.
    ///
    /// # Panics
    /// Where the registry answers anything else, or names another digest than the bytes have.
    pub async fn manifest(&self, repository: &str, reference: &str) -> Option<Fetched> {
        let accept: Vec<String> = MediaType::MANIFESTS.iter().map(ToString::to_string).collect();
        let request = self
            .request(Method::GET, &format!("{repository}/manifests/{reference}"))
            .header(ACCEPT, accept.join(", "));
        let response = send(request).await;
        if response.status() == StatusCode::NOT_FOUND {
            return None;
        }
        assert_status(&response, StatusCode::OK, "read a manifest");
        let media_type = text(response.headers(), CONTENT_TYPE.as_str());
        let named = text(response.headers(), "docker-content-digest");
        let bytes = response.bytes().await.expect("the manifest arrives whole");
        let digest = Digest::sha256(&bytes);
        assert_eq!(
            named,
            digest.to_string(),
            "the registry names the digest of the bytes"
        );
        Some(Fetched {
            bytes,
            media_type,
            digest,
        })
    }

    /// Reads a blob; `None` where there is none.
    ///
    /// # Panics
    /// Where the registry answers anything else.
    pub async fn blob(&self, repository: &str, digest: &Digest) -> Option<Bytes> {
        let response = send(self.request(Method::GET, &format!("{repository}/blobs/{digest}"))).await;
        if response.status() == StatusCode::NOT_FOUND {
            return None;
        }
        assert_status(&response, StatusCode::OK, "read a blob");
        Some(response.bytes().await.expect("the blob arrives whole"))
    }

    /// Returns the size of a blob; `None` where there is none.
    ///
    /// # Panics
    /// Where the registry answers anything else.
    pub async fn blob_size(&self, repository: &str, digest: &Digest) -> Option<u64> {
        let response = send(self.request(Method::HEAD, &format!("{repository}/blobs/{digest}"))).await;
        if response.status() == StatusCode::NOT_FOUND {
            return None;
        }
        assert_status(&response, StatusCode::OK, "look for a blob");
        text(response.headers(), CONTENT_LENGTH.as_str()).parse().ok()
    }

    /// Lists the tags of a repository, in one page; an absent repository has none.
    ///
    /// # Panics
    /// Where the registry answers anything but a list.
    pub async fn tags(&self, repository: &str) -> BTreeSet<String> {
        let response = send(self.request(Method::GET, &format!("{repository}/tags/list"))).await;
        if response.status() == StatusCode::NOT_FOUND {
            return BTreeSet::new();
        }
        assert_status(&response, StatusCode::OK, "list tags");
        let body = response.bytes().await.expect("the list arrives whole");
        let document: Value = serde_json::from_slice(&body).expect("a list of tags is JSON");
        let tags = document["tags"].as_array().cloned().unwrap_or_default();
        tags.iter().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = self.base.join(path).expect("a path of the protocol joins");
        self.signed(self.client.request(method, url))
    }

    fn signed(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.login {
            Some((username, password)) => request.basic_auth(username, Some(password)),
            None => request,
        }
    }

    fn location(&self, response: &Response) -> Url {
        let location = text(response.headers(), LOCATION.as_str());
        self.base.join(&location).expect("a Location is a URL")
    }
}

async fn send(request: RequestBuilder) -> Response {
    request.send().await.expect("the registry answers")
}

fn text(headers: &HeaderMap, name: &str) -> String {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
        .to_owned()
}

fn assert_status(response: &Response, expected: StatusCode, doing: &str) {
    assert_eq!(response.status(), expected, "{doing}: {}", response.url());
}
