//! A Harbor on loopback, as far as its listings go.
//!
//! It follows [`api/v2.0/swagger.yaml`](https://github.com/goharbor/harbor/blob/v2.13.0/api/v2.0/swagger.yaml) of
//! Harbor 2.13: `GET` of `/projects/{name}`, `/repositories`, `.../artifacts` and `.../artifacts/{reference}`, with `page`,
//! `page_size`, `q=base=*`, `with_tag`, `with_accessory`, `with_immutable_status`, `X-Total-Count` and names that are
//! encoded twice. Beside it stand `/v2/{name}/tags/list` and the token service that Harbor's challenge names.
//!
//! As Harbor does, it leaves attached artifacts and the children of indexes out of listings, but lists the tags of both
//! at `/v2`. Harbor 2.5 cut its pages before it left attached artifacts out:
//! [`Harbor::cuts_first`].

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use serde_json::{Value, json};
use url::form_urlencoded;

use crate::listening::{Body, Listening, never};

const TOKEN: &str = "harbor-token";

/// What a Harbor holds, and whom it lets in.
#[derive(Clone, Debug, Default)]
pub struct Harbor {
    /// Its user and password; nobody is asked where there is none.
    pub user: Option<(String, String)>,
    /// Its projects; those that are true are proxy caches.
    pub projects: BTreeMap<String, bool>,
    /// Its repositories, by name with the project in front.
    pub repositories: BTreeMap<String, Vec<HarborArtifact>>,
    /// Cuts pages first and leaves attached artifacts out afterwards, as Harbor 2.5 did.
    pub cuts_first: bool,
    /// Answers every page of artifacts with the first.
    pub goes_in_a_circle: bool,
    /// Answers artifacts with 403, as it does to a robot account that may pull and no more.
    pub hides_artifacts: bool,
}

/// An artifact.
#[derive(Clone, Debug, Default)]
pub struct HarborArtifact {
    /// Its digest.
    pub digest: String,
    /// Its tags; those that are true are immutable.
    pub tags: Vec<(String, bool)>,
    /// The digest of what it is attached to, and Harbor's word for how.
    pub attached: Option<(String, String)>,
    /// The digests of its children.
    pub children: Vec<String>,
}

/// A running Harbor; it ends when dropped.
#[derive(Debug)]
pub struct HarborServer {
    listening: Listening,
    asked: Arc<Mutex<Vec<String>>>,
}

impl HarborServer {
    /// Listens on a free loopback port.
    ///
    /// # Panics
    /// Where no port can be had.
    pub async fn start(harbor: Harbor) -> Self {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (log, harbor) = (Arc::clone(&asked), Arc::new(harbor));
        let listening = Listening::start(move |request: Request<Incoming>| {
            let path = request.uri().to_string();
            log.lock().expect("no holder of the log panics").push(path);
            let answer = harbor.answer(&request);
            async move { answer }
        })
        .await;
        Self { listening, asked }
    }

    /// Returns `127.0.0.1:PORT`.
    #[must_use]
    pub fn host(&self) -> String {
        self.listening.host()
    }

    /// Returns the paths and queries that it was asked for, in the order of arrival.
    ///
    /// # Panics
    /// Never: nothing panics while it holds the log.
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no holder of the log panics").clone()
    }
}

type Parameters = BTreeMap<String, String>;

impl Harbor {
    fn answer(&self, request: &Request<Incoming>) -> io::Result<Response<Body>> {
        let path = request.uri().path();
        let query = request.uri().query().unwrap_or_default();
        let query: Parameters = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        if path == "/service/token" {
            return match self.lets_in(request.headers()) {
                true => respond(
                    StatusCode::OK,
                    None,
                    &json!({ "token": TOKEN, "expires_in": 1800 }),
                ),
                false => refuse(StatusCode::UNAUTHORIZED, "UNAUTHORIZED"),
            };
        }
        if let Some(rest) = path.strip_prefix("/v2/") {
            return self.registry(request.headers(), rest.strip_suffix("/tags/list"));
        }
        if !self.lets_in(request.headers()) {
            return refuse(StatusCode::UNAUTHORIZED, "UNAUTHORIZED");
        }
        let segments: Vec<&str> = path.trim_start_matches("/api/v2.0/").split('/').collect();
        match segments.as_slice() {
            ["projects", name] => self.project(name),
            ["repositories"] => self.listing(&query),
            ["projects", ..] if self.hides_artifacts => refuse(StatusCode::FORBIDDEN, "FORBIDDEN"),
            ["projects", project, "repositories", name, "artifacts"] => self.artifacts(project, name, &query),
            ["projects", project, "repositories", name, "artifacts", reference] => {
                self.artifact(project, name, reference)
            }
            _ => refuse(StatusCode::NOT_FOUND, "NOT_FOUND"),
        }
    }

    fn lets_in(&self, headers: &HeaderMap) -> bool {
        let Some((user, password)) = &self.user else {
            return true;
        };
        let expected = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
        headers
            .get("authorization")
            .is_some_and(|value| *value == expected)
    }

    fn registry(&self, headers: &HeaderMap, listed: Option<&str>) -> io::Result<Response<Body>> {
        let bearer = format!("Bearer {TOKEN}");
        if headers.get("authorization").is_none_or(|value| *value != bearer) {
            let host = headers
                .get("host")
                .and_then(|host| host.to_str().ok())
                .unwrap_or_default();
            let challenge =
                format!(r#"Bearer realm="http://{host}/service/token",service="harbor-registry""#);
            let body = json!({ "errors": [{ "code": "UNAUTHORIZED", "message": "unauthorized to access repository" }] });
            return respond(
                StatusCode::UNAUTHORIZED,
                Some(("www-authenticate", challenge)),
                &body,
            );
        }
        let Some(artifacts) = listed.and_then(|name| self.repositories.get(name)) else {
            return refuse(StatusCode::NOT_FOUND, "NOT_FOUND");
        };
        let mut tags: Vec<&String> = artifacts
            .iter()
            .flat_map(|artifact| &artifact.tags)
            .map(|(tag, _)| tag)
            .collect();
        tags.sort();
        respond(StatusCode::OK, None, &json!({ "name": listed, "tags": tags }))
    }

    fn project(&self, name: &str) -> io::Result<Response<Body>> {
        match self.projects.get(name) {
            Some(proxy) => {
                let registry = proxy.then_some(3);
                let body = json!({ "project_id": 1, "name": name, "registry_id": registry, "metadata": { "public": "false" } });
                respond(StatusCode::OK, None, &body)
            }
            None => refuse(StatusCode::NOT_FOUND, "NOT_FOUND"),
        }
    }

    fn listing(&self, query: &Parameters) -> io::Result<Response<Body>> {
        let names: Vec<Value> = self
            .repositories
            .iter()
            .map(|(name, artifacts)| json!({ "id": 1, "name": name, "artifact_count": artifacts.len() }))
            .collect();
        let page: Vec<Value> = cut(&names, query).to_vec();
        respond(
            StatusCode::OK,
            Some(("x-total-count", names.len().to_string())),
            &json!(page),
        )
    }

    fn artifacts(&self, project: &str, name: &str, query: &Parameters) -> io::Result<Response<Body>> {
        // The name of a repository that does not exist is the filter of a listing that is empty.
        let empty = Vec::new();
        let all = self.repository(project, name).unwrap_or(&empty);
        let is_child = |artifact: &HarborArtifact| {
            all.iter()
                .any(|parent| parent.children.contains(&artifact.digest))
        };
        let based = |artifact: &&HarborArtifact| {
            query.get("q").is_some_and(|q| q == "base=*") || !artifact.tags.is_empty() || !is_child(artifact)
        };
        let rows: Vec<&HarborArtifact> = all.iter().filter(based).collect();
        let shown: Vec<&HarborArtifact> = rows
            .iter()
            .filter(|artifact| artifact.attached.is_none())
            .copied()
            .collect();
        let mut query = query.clone();
        if self.goes_in_a_circle {
            query.insert("page".to_owned(), "1".to_owned());
        }
        let page: Vec<Value> = cut(if self.cuts_first { &rows } else { &shown }, &query)
            .iter()
            .filter(|artifact| artifact.attached.is_none())
            .map(|artifact| document(artifact, all))
            .collect();
        let total = if self.goes_in_a_circle {
            1_000_000
        } else {
            shown.len()
        };
        let body = if page.is_empty() { Value::Null } else { json!(page) };
        respond(StatusCode::OK, Some(("x-total-count", total.to_string())), &body)
    }

    fn artifact(&self, project: &str, name: &str, reference: &str) -> io::Result<Response<Body>> {
        let all = self.repository(project, name);
        let found =
            all.and_then(|all| Some((all.iter().find(|artifact| artifact.digest == reference)?, all)));
        match found {
            Some((artifact, all)) => respond(StatusCode::OK, None, &document(artifact, all)),
            None => refuse(StatusCode::NOT_FOUND, "NOT_FOUND"),
        }
    }

    fn repository(&self, project: &str, name: &str) -> Option<&Vec<HarborArtifact>> {
        // An API that decodes once sees `%2F`, and one that was sent a single encoding a path of its own.
        assert!(!name.contains("%2F"), "{name} is encoded once");
        let name = name.replace("%252F", "/");
        self.repositories.get(&format!("{project}/{name}"))
    }
}

fn document(artifact: &HarborArtifact, all: &[HarborArtifact]) -> Value {
    let tags: Vec<Value> = artifact
        .tags
        .iter()
        .map(|(name, immutable)| json!({ "id": 1, "name": name, "immutable": immutable }))
        .collect();
    let attached = all.iter().filter_map(|other| {
        let (subject, kind) = other.attached.as_ref()?;
        (*subject == artifact.digest).then(|| {
            json!({ "id": 1, "digest": other.digest, "type": kind, "size": 1,
                    "subject_artifact_digest": subject, "subject_artifact_id": 0 })
        })
    });
    let attached: Vec<Value> = attached.collect();
    let children: Vec<Value> = artifact
        .children
        .iter()
        .map(|child| json!({ "child_id": 1, "child_digest": child }))
        .collect();
    let nothing_as_null = |list: Vec<Value>| if list.is_empty() { Value::Null } else { json!(list) };
    json!({
        "id": 1, "type": "IMAGE", "digest": artifact.digest, "size": 1,
        "media_type": "application/vnd.oci.image.config.v1+json",
        "manifest_media_type": "application/vnd.oci.image.manifest.v1+json",
        "tags": nothing_as_null(tags), "accessories": nothing_as_null(attached), "references": nothing_as_null(children),
    })
}

fn cut<'a, T>(rows: &'a [T], query: &Parameters) -> &'a [T] {
    let number = |name: &str, usual: usize| {
        query
            .get(name)
            .and_then(|text| text.parse().ok())
            .unwrap_or(usual)
    };
    // The API's own bound.
    let size = number("page_size", 10).min(100);
    let start = (number("page", 1) - 1) * size;
    &rows[start.min(rows.len())..(start + size).min(rows.len())]
}

fn refuse(status: StatusCode, code: &str) -> io::Result<Response<Body>> {
    respond(
        status,
        None,
        &json!({ "errors": [{ "code": code, "message": code.to_lowercase() }] }),
    )
}

fn respond(status: StatusCode, header: Option<(&str, String)>, body: &Value) -> io::Result<Response<Body>> {
    let mut response = Response::builder()
        .status(status)
        .header("content-type", "application/json");
    if let Some((name, value)) = header {
        response = response.header(name, value);
    }
    response
        .body(Full::new(Bytes::from(body.to_string())).map_err(never).boxed())
        .map_err(io::Error::other)
}
