//! The registry behind a front.

use std::io;

use bytes::Bytes;
use futures_util::StreamExt as _;
use http::header::{ACCEPT, CONTENT_LENGTH, HeaderMap, HeaderValue, LOCATION};
use http::{Method, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::Frame;
use oci::{Digest, RepositoryName};

use super::visit::Visit;
use crate::listening::{Body, never};
use crate::proxy::{chunks, end_to_end};

/// docker-registry has not what it may not show.
const MANIFESTS: &str = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, \
                         application/vnd.docker.distribution.manifest.v2+json, \
                         application/vnd.docker.distribution.manifest.list.v2+json";

/// The registry that a front passes requests on to.
#[derive(Debug)]
pub(crate) struct Upstream {
    host: String,
    client: reqwest::Client,
}

impl Upstream {
    pub(crate) fn new(host: &str) -> Self {
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .expect("a client of defaults can be built");
        Self {
            host: host.to_owned(),
            client,
        }
    }

    /// Passes a request on as it is.
    pub(crate) async fn pass(&self, visit: Visit) -> io::Result<Response<Body>> {
        let url = self.url(&visit.path, &visit.query);
        let (front, has_body) = (visit.host().to_owned(), visit.has_body());
        let mut request = self
            .client
            .request(visit.method.clone(), url)
            .headers(end_to_end(visit.headers));
        if let Some(body) = visit.body.filter(|_| has_body) {
            request = request.body(reqwest::Body::wrap_stream(chunks(body)));
        }
        self.answer(request, &visit.method, &front).await
    }

    /// Passes a request on with a body that was read.
    pub(crate) async fn pass_with(&self, visit: Visit, body: Bytes) -> io::Result<Response<Body>> {
        let front = visit.host().to_owned();
        let mut headers = end_to_end(visit.headers);
        headers.remove(CONTENT_LENGTH);
        let request = self
            .client
            .request(visit.method.clone(), self.url(&visit.path, &visit.query))
            .headers(headers)
            .body(body);
        self.answer(request, &visit.method, &front).await
    }

    /// Posts a body, and returns the answer as it is.
    pub(crate) async fn post(
        &self,
        path: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> io::Result<reqwest::Response> {
        let mut headers = end_to_end(headers);
        headers.remove(CONTENT_LENGTH);
        let request = self.client.post(self.url(path, "")).headers(headers).body(body);
        request.send().await.map_err(io::Error::other)
    }

    /// Tells whether something is there. `headers` may hold what lets in.
    pub(crate) async fn has(&self, path: &str, headers: &HeaderMap) -> io::Result<bool> {
        let mut headers = end_to_end(headers.clone());
        headers.remove(CONTENT_LENGTH);
        headers.insert(ACCEPT, HeaderValue::from_static(MANIFESTS));
        let request = self.client.head(self.url(path, "")).headers(headers);
        let answer = request.send().await.map_err(io::Error::other)?;
        Ok(answer.status().is_success())
    }

    /// Starts to read a blob.
    pub(crate) async fn blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        headers: HeaderMap,
    ) -> io::Result<reqwest::Response> {
        let url = self.url(&format!("/v2/{repository}/blobs/{digest}"), "");
        let request = self.client.get(url).headers(headers);
        request.send().await.map_err(io::Error::other)
    }

    fn url(&self, path: &str, query: &str) -> String {
        let mark = if query.is_empty() { "" } else { "?" };
        format!("http://{}{path}{mark}{query}", self.host)
    }

    async fn answer(
        &self,
        request: reqwest::RequestBuilder,
        method: &Method,
        front: &str,
    ) -> io::Result<Response<Body>> {
        let answer = request.send().await.map_err(io::Error::other)?;
        let mut response = Response::builder().status(answer.status());
        if let Some(headers) = response.headers_mut() {
            *headers = end_to_end(answer.headers().clone());
            self.lead_back(headers, front);
        }
        let body = if method == Method::HEAD {
            Full::new(Bytes::new()).map_err(never).boxed()
        } else {
            let chunks = answer.bytes_stream().map(|chunk| chunk.map_err(io::Error::other));
            BoxBody::new(StreamBody::new(chunks.map(|chunk| chunk.map(Frame::data))))
        };
        response.body(body).map_err(io::Error::other)
    }

    /// Leads to the front where the registry names itself.
    fn lead_back(&self, headers: &mut HeaderMap, front: &str) {
        let location = headers.get(LOCATION).and_then(|location| location.to_str().ok());
        let own = location.and_then(|location| location.strip_prefix(&format!("http://{}", self.host)));
        let location = own.map(|path| format!("http://{front}{path}"));
        if let Some(location) = location.and_then(|location| location.parse().ok()) {
            headers.insert(LOCATION, location);
        }
    }
}
