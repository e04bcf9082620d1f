//! What the tests have in common: registries, a client, and things to push.

#![expect(dead_code, reason = "each test program uses a part of it")]

use layout::Layout;
use oci::Digest;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use tempfile::TempDir;
use transship_loopback::{Options, Registry, Server};

pub(crate) const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// A registry that serves, and a client of it.
pub(crate) struct World {
    pub(crate) registry: Registry,
    pub(crate) server: Server,
    http: reqwest::Client,
    directory: Option<TempDir>,
}

impl World {
    pub(crate) async fn memory(options: Options) -> Self {
        Self::of(Registry::in_memory().with_options(options), None).await
    }

    pub(crate) async fn layout(options: Options) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let layout = Layout::open_or_create(directory.path()).unwrap();
        Self::of(
            Registry::over_layout(layout).with_options(options),
            Some(directory),
        )
        .await
    }

    /// One registry over memory and one over a layout.
    pub(crate) async fn both(options: Options) -> [Self; 2] {
        [Self::memory(options.clone()).await, Self::layout(options).await]
    }

    pub(crate) async fn of(registry: Registry, directory: Option<TempDir>) -> Self {
        let server = registry.serve(([127, 0, 0, 1], 0).into()).await.unwrap();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self {
            registry,
            server,
            http,
            directory,
        }
    }

    /// Opens the layout behind the registry.
    pub(crate) fn opened(&self) -> Layout {
        Layout::open(self.directory.as_ref().unwrap().path()).unwrap()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.server.host())
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, self.url(path))
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.unwrap()
    }

    pub(crate) async fn head(&self, path: &str) -> Response {
        self.request(Method::HEAD, path).send().await.unwrap()
    }

    pub(crate) async fn delete(&self, path: &str) -> Response {
        self.request(Method::DELETE, path).send().await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str) -> Response {
        self.request(Method::POST, path).send().await.unwrap()
    }

    /// Uploads a blob in one request.
    pub(crate) async fn push_blob(&self, repository: &str, bytes: &[u8]) -> Digest {
        let digest = Digest::sha256(bytes);
        let path = format!("/v2/{repository}/blobs/uploads/?digest={digest}");
        let response = self
            .request(Method::POST, &path)
            .body(bytes.to_vec())
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 201);
        digest
    }

    /// Starts an upload and returns where it is.
    pub(crate) async fn start(&self, repository: &str) -> String {
        let response = self.post(&format!("/v2/{repository}/blobs/uploads/")).await;
        assert_eq!(response.status(), 202);
        header(&response, "location")
    }

    pub(crate) async fn put_manifest(&self, repository: &str, reference: &str, manifest: &Value) -> Response {
        let media_type = manifest["mediaType"].as_str().unwrap().to_owned();
        self.request(Method::PUT, &format!("/v2/{repository}/manifests/{reference}"))
            .header("content-type", media_type)
            .body(manifest.to_string())
            .send()
            .await
            .unwrap()
    }

    /// Pushes an image of one layer under a tag.
    pub(crate) async fn push_image(&self, repository: &str, tag: &str) -> (Value, Digest) {
        self.push_blob(repository, b"{}").await;
        self.push_blob(repository, tag.as_bytes()).await;
        let manifest = image(tag.as_bytes());
        let response = self.put_manifest(repository, tag, &manifest).await;
        assert_eq!(response.status(), 201);
        let digest = digest_of(&manifest);
        (manifest, digest)
    }

    /// Pushes something that refers to `subject`.
    pub(crate) async fn push_referrer(&self, repository: &str, subject: &Digest, kind: &str) -> Digest {
        self.push_blob(repository, b"{}").await;
        let manifest = referrer(subject, kind);
        let digest = digest_of(&manifest);
        let response = self
            .put_manifest(repository, &digest.to_string(), &manifest)
            .await;
        assert_eq!(response.status(), 201);
        digest
    }
}

pub(crate) fn header(response: &Response, name: &str) -> String {
    response
        .headers()
        .get(name)
        .unwrap_or_else(|| panic!("no {name}"))
        .to_str()
        .unwrap()
        .to_owned()
}

pub(crate) async fn json(response: Response) -> Value {
    serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
}

/// Returns the code of the first error of a response.
pub(crate) async fn code(response: Response) -> String {
    json(response).await["errors"][0]["code"]
        .as_str()
        .unwrap()
        .to_owned()
}

pub(crate) fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({ "mediaType": media_type, "digest": Digest::sha256(bytes).to_string(), "size": bytes.len() })
}

/// An image with an empty config and this layer.
pub(crate) fn image(layer: &[u8]) -> Value {
    json!({
        "schemaVersion": 2,
        "mediaType": IMAGE,
        "config": descriptor("application/vnd.oci.image.config.v1+json", b"{}"),
        "layers": [descriptor("application/vnd.oci.image.layer.v1.tar", layer)],
    })
}

/// An index of these manifests.
pub(crate) fn index(children: &[&Value]) -> Value {
    let children: Vec<Value> = children
        .iter()
        .map(|child| descriptor(child["mediaType"].as_str().unwrap(), child.to_string().as_bytes()))
        .collect();
    json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": children })
}

pub(crate) fn referrer(subject: &Digest, kind: &str) -> Value {
    json!({
        "schemaVersion": 2,
        "mediaType": IMAGE,
        "artifactType": kind,
        "config": descriptor("application/vnd.oci.empty.v1+json", b"{}"),
        "layers": [],
        "subject": { "mediaType": IMAGE, "digest": subject.to_string(), "size": 1 },
        "annotations": { "kind": kind },
    })
}

pub(crate) fn digest_of(manifest: &Value) -> Digest {
    Digest::sha256(manifest.to_string().as_bytes())
}
