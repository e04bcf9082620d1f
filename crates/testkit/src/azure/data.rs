//! The protocol: passed on to a real registry, and watched.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::StreamExt as _;
use http::header::{AUTHORIZATION, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, LOCATION, TRANSFER_ENCODING};
use http::request::Parts;
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
    checks: Checks,
}

/// Who looks at tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Checks {
    /// The registry behind.
    Behind,
    /// We, for a registry that lets everyone in.
    Here,
}

impl Upstream {
    pub(super) fn new(host: &str, checks: Checks) -> Self {
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .expect("a client of defaults can be built");
        Self {
            host: host.to_owned(),
            client,
            checks,
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
    if upstream.checks == Checks::Here
        && let Some(refusal) = unlet(&request, shared)
    {
        shared.challenges.fetch_add(1, Ordering::Relaxed);
        return refusal;
    }
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
    let entrance = headers(head.headers.clone(), shared);
    let mut response = pass(upstream, &head, entrance, body).await?;
    if response.status() == StatusCode::TEMPORARY_REDIRECT {
        lead_to_storage(response.headers_mut(), shared);
    }
    Ok(response)
}

/// Reads what a redirect of the registry's leads to.
pub(super) async fn read_stored(
    request: Request<Incoming>,
    shared: Arc<Shared>,
) -> io::Result<Response<Body>> {
    let Some(upstream) = shared.storage_upstream.get() else {
        return Err(io::Error::other("nothing was redirected here"));
    };
    let (head, body) = request.into_parts();
    let headers = end_to_end(head.headers.clone());
    pass(upstream, &head, headers, body).await
}

/// The storage behind speaks no TLS, and no client follows from where it was spoken to where it is not.
fn lead_to_storage(headers: &mut HeaderMap, shared: &Shared) {
    let location = headers.get(LOCATION).and_then(|location| location.to_str().ok());
    let Some((host, path)) = location
        .and_then(|location| location.strip_prefix("http://"))
        .and_then(|rest| rest.split_once('/'))
    else {
        return;
    };
    shared
        .storage_upstream
        .get_or_init(|| Upstream::new(host, Checks::Behind));
    let storage = shared.storage.get().map_or("localhost", String::as_str);
    if let Ok(location) = format!("https://{storage}/{path}").parse() {
        headers.insert(LOCATION, location);
    }
}

async fn pass(
    upstream: &Upstream,
    head: &Parts,
    headers: HeaderMap,
    body: Incoming,
) -> io::Result<Response<Body>> {
    let target = head.uri.path_and_query().map_or("/", |path| path.as_str());
    let mut onward = upstream
        .client
        .request(head.method.clone(), format!("http://{}{target}", upstream.host))
        .headers(headers);
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

/// Returns the refusal of a request whose token does not let do this, where nobody behind checks that.
fn unlet(request: &Request<Incoming>, shared: &Shared) -> Option<io::Result<Response<Body>>> {
    let repository = repository(request.uri().path());
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD);
    let action = if changes { "push" } else { "pull" };
    let wanted = repository.map(|repository| format!("repository:{repository}:{action}"));
    let bearer = request.headers().get(AUTHORIZATION);
    let token = bearer.and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let lets = match token.and_then(|token| shared.directory.holder(token)) {
        Some((_, Use::Access(allowed))) => wanted.as_ref().is_none_or(|wanted| allowed.contains(wanted)),
        _ => false,
    };
    if lets {
        return None;
    }
    let host = shared.host();
    let scope = wanted
        .map(|wanted| format!(",scope=\"{wanted}\""))
        .unwrap_or_default();
    let challenge = format!("Bearer realm=\"https://{host}/oauth2/token\",service=\"{host}\"{scope}");
    Some(answer::registry_error(
        StatusCode::UNAUTHORIZED,
        &[("www-authenticate", &challenge)],
        "UNAUTHORIZED",
        "authentication required, visit https://aka.ms/acr/authorization for more information.",
        &Value::Null,
    ))
}

/// Finds the repository in a path of the protocol.
fn repository(path: &str) -> Option<&str> {
    let rest = path.strip_prefix("/v2/")?;
    let kinds = ["/blobs/", "/manifests/", "/tags/", "/referrers/"];
    let end = kinds.iter().find_map(|kind| rest.rfind(kind))?;
    Some(&rest[..end])
}
