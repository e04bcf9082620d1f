//! The registry's own listings and attributes, `/acr/v1`.
//!
//! <https://learn.microsoft.com/rest/api/containerregistry/>, and the recorded answers of Azure's SDK for JavaScript.

use std::io;

use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::directory::{Repository, Use};
use super::ticket::Asked;
use super::{Shared, answer};
use crate::listening::Body;

/// However many are asked for.
///
/// <https://github.com/Azure/acr/issues/749>
const MOST: usize = 1_000;
const USUAL: usize = 100;
const TIME: &str = "2026-01-01T00:00:00.0000000Z";

pub(super) async fn answer(request: Request<Incoming>, shared: &Shared) -> io::Result<Response<Body>> {
    let asked = Asked::read(request).await?;
    let _running = shared.directory.note(&asked);
    let path = asked.path.trim_start_matches("/acr/v1/").to_owned();
    if path == "_catalog" {
        return match lacking(&asked, shared, "registry:catalog", "*") {
            Some(refusal) => refusal,
            None => page(
                &asked,
                "/acr/v1/_catalog",
                shared.directory.repositories(),
                |names| json!({ "repositories": names }),
            ),
        };
    }
    let (name, kind, last) = parts(&path);
    let action = if asked.method == Method::PATCH {
        "metadata_write"
    } else {
        "metadata_read"
    };
    if let Some(refusal) = lacking(&asked, shared, &format!("repository:{name}"), action) {
        return refusal;
    }
    let Some(repository) = shared.directory.repository(name) else {
        let detail = json!({ "name": name });
        return answer::registry_error(
            StatusCode::NOT_FOUND,
            &[],
            "NAME_UNKNOWN",
            "repository name not known to registry",
            &detail,
        );
    };
    serve(&asked, shared, name, kind, last, &repository)
}

fn serve(
    asked: &Asked,
    shared: &Shared,
    name: &str,
    kind: &str,
    last: Option<&str>,
    repository: &Repository,
) -> io::Result<Response<Body>> {
    let common = json!({ "registry": shared.host(), "imageName": name });
    let own = format!("/acr/v1/{name}/{kind}");
    match (kind, last, &asked.method) {
        ("", None, &Method::GET) => {
            let mut body = common;
            body["createdTime"] = TIME.into();
            body["lastUpdateTime"] = TIME.into();
            body["manifestCount"] = repository.manifests.len().into();
            body["tagCount"] = repository.tags.len().into();
            body["changeableAttributes"] = attributes(repository.writable);
            answer::ok(&body)
        }
        ("_tags", None, &Method::GET) => {
            let names = repository.tags.keys().cloned().collect();
            page(asked, &own, names, |names| {
                let tags = names.iter().map(|tag| tag_entry(repository, tag));
                let mut body = common;
                body["tags"] = tags.collect();
                body
            })
        }
        ("_manifests", None, &Method::GET) => {
            let names = repository.manifests.keys().cloned().collect();
            page(asked, &own, names, |names| {
                let manifests = names.iter().map(|digest| manifest_entry(repository, digest));
                let mut body = common;
                body["manifests"] = manifests.collect();
                body
            })
        }
        ("_tags", Some(tag), &Method::GET | &Method::PATCH) if repository.tags.contains_key(tag) => {
            let mut body = common;
            let changed = change(asked, shared, name, tag)?;
            body["tag"] = tag_entry(&changed, tag);
            answer::ok(&body)
        }
        _ => answer::registry_error(
            StatusCode::NOT_FOUND,
            &[],
            "TAG_UNKNOWN",
            "the specified tag does not exist",
            &Value::Null,
        ),
    }
}

/// Carries a PATCH out: attributes that are not named stay as they are.
fn change(asked: &Asked, shared: &Shared, name: &str, tag: &str) -> io::Result<Repository> {
    let wanted: Value = match asked.method {
        Method::PATCH => serde_json::from_slice(&asked.body).map_err(io::Error::other)?,
        _ => Value::Null,
    };
    Ok(shared.directory.change(name, |repository| {
        match wanted["writeEnabled"].as_bool() {
            Some(false) => drop(repository.locked.insert(tag.to_owned())),
            Some(true) => drop(repository.locked.remove(tag)),
            None => {}
        }
        repository.clone()
    }))
}

/// Cuts `team/app/_tags/v1` into its repository, the listing and what is named of it.
fn parts(path: &str) -> (&str, &'static str, Option<&str>) {
    for kind in ["_tags", "_manifests"] {
        if let Some((name, rest)) = path.split_once(&format!("/{kind}")) {
            return (name, kind, rest.strip_prefix('/').filter(|last| !last.is_empty()));
        }
    }
    (path, "", None)
}

fn tag_entry(repository: &Repository, tag: &str) -> Value {
    json!({
        "name": tag, "digest": repository.tags[tag], "createdTime": TIME, "lastUpdateTime": TIME, "signed": false,
        "changeableAttributes": attributes(!repository.locked.contains(tag)),
    })
}

fn manifest_entry(repository: &Repository, digest: &str) -> Value {
    let tags: Vec<&String> = repository
        .tags
        .iter()
        .filter(|(_, at)| *at == digest)
        .map(|(tag, _)| tag)
        .collect();
    let mut entry = json!({
        "digest": digest, "imageSize": 525, "createdTime": TIME, "lastUpdateTime": TIME,
        "mediaType": repository.manifests[digest], "changeableAttributes": attributes(true),
    });
    if !tags.is_empty() {
        entry["tags"] = json!(tags);
    }
    entry
}

fn attributes(writable: bool) -> Value {
    json!({ "deleteEnabled": true, "writeEnabled": writable, "readEnabled": true, "listEnabled": true })
}

fn page(
    asked: &Asked,
    path: &str,
    names: Vec<String>,
    body: impl FnOnce(&[String]) -> Value,
) -> io::Result<Response<Body>> {
    let size = asked
        .parameter("n")
        .and_then(|n| n.parse().ok())
        .unwrap_or(USUAL)
        .clamp(1, MOST);
    let after = asked.parameter("last").unwrap_or_default();
    let rest: Vec<String> = names.into_iter().filter(|name| name.as_str() > after).collect();
    let shown = &rest[..rest.len().min(size)];
    match shown.last().filter(|_| rest.len() > size) {
        Some(last) => {
            let link = format!(
                "<{}?last={last}&n={size}&orderby=>; rel=\"next\"",
                path.replace(':', "%3A")
            );
            answer::with(StatusCode::OK, &[("link", &link)], &body(shown))
        }
        None => answer::ok(&body(shown)),
    }
}

/// Returns the refusal of a token that does not let do this.
fn lacking(asked: &Asked, shared: &Shared, what: &str, action: &str) -> Option<io::Result<Response<Body>>> {
    let held = asked.bearer().and_then(|token| shared.directory.holder(token));
    let wanted = format!("{what}:{action}");
    let error = match held {
        Some((_, Use::Access(allowed))) if allowed.contains(&wanted) => return None,
        Some(_) => ",error=\"insufficient_scope\"",
        None if asked.bearer().is_some() => ",error=\"invalid_token\"",
        None => "",
    };
    let host = shared.host();
    let challenge =
        format!("Bearer realm=\"https://{host}/oauth2/token\",service=\"{host}\",scope=\"{wanted}\"{error}");
    Some(answer::registry_error(
        StatusCode::UNAUTHORIZED,
        &[("www-authenticate", &challenge)],
        "UNAUTHORIZED",
        "authentication required, visit https://aka.ms/acr/authorization for more information.",
        &json!([{ "Type": "repository", "Name": what.trim_start_matches("repository:"), "Action": action }]),
    ))
}
