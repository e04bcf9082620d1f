//! Docker Hub's own API on loopback, as far as its listing of tags goes.
//!
//! It follows [Docker's reference](https://docs.docker.com/reference/api/hub/latest/) (API version 2-beta): `POST
//! /v2/auth/token` with `identifier` and `secret`, and `GET /v2/namespaces/{namespace}/repositories/{repository}/tags` with
//! `page`, `page_size` up to 100, `count` and `next`. A repository that is private is answered with 404 to whoever brings
//! no token. The `digest` of a tag is not in the reference; the service has sent it for years.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use serde_json::{Value, json};
use url::form_urlencoded;

use crate::listening::{Body, Listening, never};

const TOKEN: &str = "hub-token";

/// What Docker Hub holds.
#[derive(Clone, Debug, Default)]
pub struct Hub {
    /// The user and the password, or access token, that a token is had for.
    pub user: Option<(String, String)>,
    /// Tags with their digests, by `namespace/repository`; a tag may have lost its digest.
    pub public: BTreeMap<String, Vec<(String, Option<String>)>>,
    /// The same, shown to the user alone.
    pub private: BTreeMap<String, Vec<(String, Option<String>)>>,
    /// Says of every page that there is another, and answers with the first.
    pub goes_in_a_circle: bool,
    /// Counts this many tags more than there are.
    pub miscounts: usize,
    /// Answers everything with this status, and lets nobody wait for the next try.
    pub refuses: Option<u16>,
}

/// A running API; it ends when dropped.
#[derive(Debug)]
pub struct HubServer {
    listening: Listening,
    asked: Arc<Mutex<Vec<String>>>,
}

impl HubServer {
    /// Listens on a free loopback port.
    ///
    /// # Panics
    /// Where no port can be had.
    pub async fn start(hub: Hub) -> Self {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (log, hub) = (Arc::clone(&asked), Arc::new(hub));
        let listening = Listening::start(move |request| {
            let hub = Arc::clone(&hub);
            let line = format!("{} {}", Request::method(&request), Request::uri(&request));
            log.lock().expect("no holder of the log panics").push(line);
            async move { hub.answer(request).await }
        })
        .await;
        Self { listening, asked }
    }

    /// Returns `127.0.0.1:PORT`.
    #[must_use]
    pub fn host(&self) -> String {
        self.listening.host()
    }

    /// Returns what it was asked, as `GET /path?query`, in the order of arrival.
    ///
    /// # Panics
    /// Never: nothing panics while it holds the log.
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no holder of the log panics").clone()
    }
}

impl Hub {
    async fn answer(&self, request: Request<Incoming>) -> io::Result<Response<Body>> {
        if let Some(status) = self.refuses {
            let status = StatusCode::from_u16(status).map_err(io::Error::other)?;
            return respond(status, &json!({ "message": "refused" }));
        }
        let (head, body) = request.into_parts();
        if head.method == Method::POST && head.uri.path() == "/v2/auth/token" {
            let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
            return self.token(&body);
        }
        let bearer = format!("Bearer {TOKEN}");
        let known = head
            .headers
            .get("authorization")
            .is_some_and(|value| *value == bearer);
        let Some(tags) = name(head.uri.path()).and_then(|name| self.tags(&name, known)) else {
            return respond(
                StatusCode::NOT_FOUND,
                &json!({ "message": "object not found", "errinfo": {} }),
            );
        };
        let query = head.uri.query().unwrap_or_default();
        self.page(tags, head.uri.path(), query)
    }

    fn token(&self, body: &[u8]) -> io::Result<Response<Body>> {
        let asked: Value = serde_json::from_slice(body).map_err(io::Error::other)?;
        let good = self
            .user
            .as_ref()
            .is_some_and(|(user, secret)| asked["identifier"] == **user && asked["secret"] == **secret);
        match good {
            true => respond(StatusCode::OK, &json!({ "access_token": TOKEN })),
            false => respond(
                StatusCode::UNAUTHORIZED,
                &json!({ "detail": "incorrect authentication credentials" }),
            ),
        }
    }

    fn tags(&self, name: &str, known: bool) -> Option<&[(String, Option<String>)]> {
        let private = || self.private.get(name).filter(|_| known);
        self.public.get(name).or_else(private).map(Vec::as_slice)
    }

    fn page(&self, tags: &[(String, Option<String>)], path: &str, query: &str) -> io::Result<Response<Body>> {
        let query: BTreeMap<String, String> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let number = |name: &str, usual: usize| {
            query
                .get(name)
                .and_then(|text| text.parse().ok())
                .unwrap_or(usual)
        };
        let size = number("page_size", 10).min(100);
        let asked = if self.goes_in_a_circle {
            1
        } else {
            number("page", 1)
        };
        let start = ((asked - 1) * size).min(tags.len());
        let end = (start + size).min(tags.len());
        let more = self.goes_in_a_circle || end < tags.len();
        let next = more.then(|| format!("https://hub.docker.com{path}?page={}&page_size={size}", asked + 1));
        let results: Vec<Value> = tags[start..end].iter().map(tag).collect();
        let body = json!({ "count": tags.len() + self.miscounts, "next": next, "previous": null, "results": results });
        respond(StatusCode::OK, &body)
    }
}

fn name(path: &str) -> Option<String> {
    let (namespace, rest) = path
        .strip_prefix("/v2/namespaces/")?
        .split_once("/repositories/")?;
    Some(format!("{namespace}/{}", rest.strip_suffix("/tags")?))
}

fn tag((name, digest): &(String, Option<String>)) -> Value {
    let image =
        json!({ "architecture": "amd64", "os": "linux", "digest": format!("sha256:{}", "0".repeat(64)) });
    let mut tag = json!({ "id": 1, "name": name, "images": [image], "v2": true, "tag_status": "active" });
    if let Some(digest) = digest {
        tag["digest"] = digest.as_str().into();
        tag["media_type"] = "application/vnd.oci.image.index.v1+json".into();
    }
    tag
}

fn respond(status: StatusCode, body: &Value) -> io::Result<Response<Body>> {
    Response::builder()
        .status(status)
        .header("content-type", "application/json")
        .header("retry-after", "0")
        .body(Full::new(Bytes::from(body.to_string())).map_err(never).boxed())
        .map_err(io::Error::other)
}
