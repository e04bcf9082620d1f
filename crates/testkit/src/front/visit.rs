//! A request that came to a front.

use std::io;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HOST, HeaderMap, HeaderName};
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Incoming};
use oci::RepositoryName;
use registry::Operation;
use serde_json::json;
use url::form_urlencoded;

use crate::listening::{Body, never};
use crate::proxy::chunks;

/// Where Google's registry takes uploads.
pub(crate) const GOOGLE_UPLOADS: &str = "/artifacts-uploads/";

/// A request, and what it asks for.
#[derive(Debug)]
pub(crate) struct Visit {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    /// The body, until it is read.
    pub(crate) body: Option<Incoming>,
    /// What it is, as registries count it.
    pub(crate) operation: Option<Operation>,
    pub(crate) repository: Option<RepositoryName>,
    /// What it names in the repository: a tag or a digest, where it names one.
    pub(crate) reference: String,
}

impl Visit {
    pub(crate) fn new(request: Request<Incoming>) -> Self {
        let (head, body) = request.into_parts();
        let path = head.uri.path().to_owned();
        let (repository, resource) = split(&path);
        let (kind, reference) = resource.split_once('/').unwrap_or((resource, ""));
        let operation = operation(&head.method, &path, kind, reference);
        Self {
            operation,
            repository: repository.parse().ok(),
            reference: reference.to_owned(),
            method: head.method,
            query: head.uri.query().unwrap_or_default().to_owned(),
            headers: head.headers,
            body: Some(body),
            path,
        }
    }

    /// Returns true where an upload session is named.
    pub(crate) fn is_in_session(&self) -> bool {
        self.reference
            .strip_prefix("uploads/")
            .is_some_and(|id| !id.is_empty())
    }

    /// Returns the first value of a parameter of the query.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        let mut pairs = form_urlencoded::parse(self.query.as_bytes());
        pairs
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    }

    /// Takes parameters out of the query.
    pub(crate) fn forget(&mut self, names: &[&str]) {
        let kept = form_urlencoded::parse(self.query.as_bytes()).filter(|(key, _)| !names.contains(&&**key));
        self.query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(kept)
            .finish();
    }

    pub(crate) fn header(&self, name: HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Returns the host by which the front was asked.
    pub(crate) fn host(&self) -> &str {
        self.header(HOST).unwrap_or_default()
    }

    /// Returns how long the body says it is.
    pub(crate) fn length(&self) -> Option<u64> {
        self.header(CONTENT_LENGTH)?.parse().ok()
    }

    /// Returns true where there is a body to read.
    pub(crate) fn has_body(&self) -> bool {
        self.body.as_ref().is_some_and(|body| !body.is_end_stream())
    }

    /// Returns the first and the last byte of a part; `Err` for a `Content-Range` that is not `first-last`.
    ///
    /// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-a-blob-in-chunks>
    pub(crate) fn part(&self) -> Result<Option<(u64, u64)>, ()> {
        let Some(text) = self.header(CONTENT_RANGE) else {
            return Ok(None);
        };
        let (first, last) = text.split_once('-').ok_or(())?;
        let number = |text: &str| match text.bytes().all(|byte| byte.is_ascii_digit()) {
            true => text.parse::<u64>().map_err(drop),
            false => Err(()),
        };
        match (number(first)?, number(last)?) {
            (first, last) if first <= last && self.length() == Some(last - first + 1) => {
                Ok(Some((first, last)))
            }
            _ => Err(()),
        }
    }

    /// Refuses the request. Its body is read first: an early answer may be lost to a client that is still sending.
    pub(crate) async fn refuse(
        mut self,
        status: u16,
        code: &str,
        message: &str,
    ) -> io::Result<Response<Body>> {
        self.read(0).await?;
        Ok(refusal(status, code, message))
    }

    /// Reads the body to its end. One that is longer than `limit` bytes is dropped, and counts as none.
    pub(crate) async fn read(&mut self, limit: usize) -> io::Result<Option<Bytes>> {
        let mut bytes = BytesMut::new();
        let mut fits = true;
        let Some(body) = self.body.take() else {
            return Ok(Some(Bytes::new()));
        };
        let mut chunks = std::pin::pin!(chunks(body));
        while let Some(chunk) = chunks.next().await.transpose()? {
            fits &= bytes.len() + chunk.len() <= limit;
            if fits {
                bytes.extend_from_slice(&chunk);
            }
        }
        Ok(fits.then(|| bytes.freeze()))
    }
}

/// Makes a refusal in the form of the specification.
pub(crate) fn refusal(status: u16, code: &str, message: &str) -> Response<Body> {
    let document = json!({ "errors": [{ "code": code, "message": message }] });
    with_text(status, "application/json", document.to_string())
}

pub(crate) fn with_text(status: u16, media_type: &str, text: String) -> Response<Body> {
    Response::builder()
        .status(status)
        .header(CONTENT_TYPE, media_type)
        .body(Full::new(Bytes::from(text)).map_err(never).boxed())
        .expect("a front's own answers are well-formed")
}

/// Divides `/v2/<repository>/<resource>`.
fn split(path: &str) -> (&str, &str) {
    let Some(rest) = path.strip_prefix("/v2/") else {
        return ("", "");
    };
    let kinds = ["/blobs/", "/manifests/", "/tags/", "/referrers/"];
    let end = kinds.iter().find_map(|kind| rest.rfind(kind));
    end.map_or(("", rest), |end| (&rest[..end], &rest[end + 1..]))
}

fn operation(method: &Method, path: &str, kind: &str, reference: &str) -> Option<Operation> {
    let upload = path.starts_with(GOOGLE_UPLOADS) || (kind == "blobs" && reference.starts_with("uploads/"));
    Some(match (method.as_str(), kind) {
        ("POST", _) if upload => Operation::StartUpload,
        ("PATCH", _) if upload => Operation::SendChunk,
        ("PUT", _) if upload => Operation::FinishUpload,
        _ if upload => return None,
        ("GET", "tags") => Operation::ListTags,
        ("GET", "referrers") => Operation::ListReferrers,
        ("GET", "manifests") => Operation::GetManifest,
        ("HEAD", "manifests") => Operation::HeadManifest,
        ("PUT", "manifests") => Operation::PutManifest,
        ("GET", "blobs") => Operation::GetBlob,
        ("HEAD", "blobs") => Operation::HeadBlob,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(method: &Method, path: &str) -> (String, String, Option<Operation>) {
        let (repository, resource) = split(path);
        let (kind, reference) = resource.split_once('/').unwrap_or((resource, ""));
        let operation = operation(method, path, kind, reference);
        (repository.to_owned(), reference.to_owned(), operation)
    }

    #[test]
    fn what_is_asked_for_is_told_by_method_and_path() {
        let table = [
            (Method::GET, "/v2/a/b/tags/list", "list", Operation::ListTags),
            (Method::PUT, "/v2/a/b/manifests/v1", "v1", Operation::PutManifest),
            (
                Method::HEAD,
                "/v2/a/b/blobs/sha256:00",
                "sha256:00",
                Operation::HeadBlob,
            ),
            (
                Method::POST,
                "/v2/a/b/blobs/uploads/",
                "uploads/",
                Operation::StartUpload,
            ),
            (
                Method::PATCH,
                "/v2/a/b/blobs/uploads/x",
                "uploads/x",
                Operation::SendChunk,
            ),
        ];
        for (method, path, reference, operation) in table {
            let expected = ("a/b".to_owned(), reference.to_owned(), Some(operation));
            assert_eq!(seen(&method, path), expected, "{path}");
        }
        let google = seen(
            &Method::PUT,
            "/artifacts-uploads/namespaces/p/repositories/r/uploads/x",
        );
        assert_eq!(
            google,
            (String::new(), String::new(), Some(Operation::FinishUpload))
        );
        assert_eq!(seen(&Method::GET, "/v2/").2, None);
        assert_eq!(seen(&Method::GET, "/v2/a/blobs/uploads/x").2, None);
        assert_eq!(seen(&Method::PUT, "/v2/blobs/manifests/x").0, "blobs");
    }
}
