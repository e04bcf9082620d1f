//! The protocol: passed on to a real registry, and watched.

use std::io;

use futures_util::StreamExt as _;
use http::header::{AUTHORIZATION, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, BodyStream, Full, StreamBody};
use hyper::body::{Body as _, Frame, Incoming};
use serde_json::Value;

use super::directory::Use;
use super::{Shared, answer};
use crate::listening::{Body, never};

/// Where the protocol is spoken.
pub(super) struct Upstream {
    host: String,
    client: reqwest::Client,
}

impl Upstream {
    pub(super) fn new(host: &str) -> Self {
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
}

/// A manifest on its way in.
struct Manifest {
    repository: String,
    reference: String,
    media_type: String,
}

pub(super) async fn answer(request: Request<Incoming>, shared: &Shared) -> io::Result<Response<Body>> {
    let Some(upstream) = shared.upstream.get() else {
        return answer::registry_error(
            StatusCode::NOT_FOUND,
            &[],
            "UNSUPPORTED",
            "no protocol here",
            &Value::Null,
        );
    };
    let manifest = manifest(&request);
    if let Some(manifest) = &manifest
        && is_locked(shared, manifest)
    {
        // https://github.com/Azure/acr-cli/issues/70
        return answer::registry_error(
            StatusCode::METHOD_NOT_ALLOWED,
            &[],
            "REGISTRY_DISALLOWED_OPERATION",
            "The operation is disallowed on this registry, repository or image. View troubleshooting steps at https://aka.ms/acr/faq/#why-does-my-pull-or-push-request-fail-with-disallowed-operation",
            &Value::Null,
        );
    }
    let response = forward(request, upstream, shared).await?;
    if let Some(manifest) = manifest
        && response.status() == StatusCode::CREATED
    {
        let digest = response
            .headers()
            .get("docker-content-digest")
            .and_then(|value| value.to_str().ok());
        let digest = digest.unwrap_or(&manifest.reference).to_owned();
        let tag = (!manifest.reference.contains(':')).then_some(manifest.reference.as_str());
        shared
            .directory
            .put(&manifest.repository, tag, &digest, &manifest.media_type);
    }
    Ok(response)
}

fn manifest(request: &Request<Incoming>) -> Option<Manifest> {
    if request.method() != Method::PUT {
        return None;
    }
    let (repository, reference) = request
        .uri()
        .path()
        .strip_prefix("/v2/")?
        .split_once("/manifests/")?;
    let media_type = request.headers().get(CONTENT_TYPE)?.to_str().ok()?;
    Some(Manifest {
        repository: repository.to_owned(),
        reference: reference.replace("%3A", ":"),
        media_type: media_type.to_owned(),
    })
}

fn is_locked(shared: &Shared, manifest: &Manifest) -> bool {
    let repository = shared.directory.repository(&manifest.repository);
    repository
        .is_some_and(|repository| !repository.writable || repository.locked.contains(&manifest.reference))
}

/// The registry behind lets tokens live for a minute after their end: one that has ended is taken off.
fn headers(mut headers: HeaderMap, shared: &Shared) -> HeaderMap {
    let token = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let lives =
        token.is_some_and(|token| matches!(shared.directory.holder(token), Some((_, Use::Access(_)))));
    if !lives {
        headers.remove(AUTHORIZATION);
    }
    headers.insert("x-forwarded-proto", HeaderValue::from_static("https"));
    end_to_end(headers)
}

fn end_to_end(mut headers: HeaderMap) -> HeaderMap {
    headers.remove(CONNECTION);
    if headers.remove(TRANSFER_ENCODING).is_some() {
        headers.remove(CONTENT_LENGTH);
    }
    headers
}

async fn forward(
    request: Request<Incoming>,
    upstream: &Upstream,
    shared: &Shared,
) -> io::Result<Response<Body>> {
    let (head, body) = request.into_parts();
    let target = head.uri.path_and_query().map_or("/", |path| path.as_str());
    let mut onward = upstream
        .client
        .request(head.method.clone(), format!("http://{}{target}", upstream.host))
        .headers(headers(head.headers, shared));
    if !body.is_end_stream() {
        let chunks = BodyStream::new(body).filter_map(|frame| async {
            match frame {
                Ok(frame) => frame.into_data().ok().map(Ok),
                Err(error) => Some(Err(io::Error::other(error))),
            }
        });
        onward = onward.body(reqwest::Body::wrap_stream(chunks));
    }
    let answer = onward.send().await.map_err(io::Error::other)?;
    let mut response = Response::builder().status(answer.status());
    if let Some(headers) = response.headers_mut() {
        *headers = end_to_end(answer.headers().clone());
    }
    let body = if head.method == Method::HEAD {
        Full::default().map_err(never).boxed()
    } else {
        let chunks = answer.bytes_stream().map(|chunk| chunk.map_err(io::Error::other));
        BoxBody::new(StreamBody::new(chunks.map(|chunk| chunk.map(Frame::data))))
    };
    response.body(body).map_err(io::Error::other)
}
