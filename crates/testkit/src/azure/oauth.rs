//! The registry's own tokens.
//!
//! <https://github.com/Azure/acr/blob/main/docs/AAD-OAuth.md>

use std::collections::BTreeSet;
use std::io;

use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::directory::{Principal, Right, Use};
use super::ticket::Asked;
use super::{MANAGEMENT, REGISTRY, Shared, TENANT, answer};
use crate::listening::Body;

/// The user of a refresh token that comes as a password.
const TOKEN_USER: &str = "00000000-0000-0000-0000-000000000000";

pub(super) async fn answer(request: Request<Incoming>, shared: &Shared) -> io::Result<Response<Body>> {
    let asked = Asked::read(request).await?;
    let _running = shared.directory.note(&asked);
    // Long enough for requests at once to meet.
    tokio::task::yield_now().await;
    let pause = shared.directory.pause();
    if !pause.is_zero() {
        tokio::time::sleep(pause).await;
    }
    if asked.parameter("service") != Some(shared.host()) {
        return refuse("service does not match the registry");
    }
    match (asked.path.as_str(), &asked.method) {
        ("/oauth2/exchange", &Method::POST) => exchange(&asked, shared),
        ("/oauth2/token", &Method::POST | &Method::GET) => token(&asked, shared),
        _ => answer::registry_error(
            StatusCode::NOT_FOUND,
            &[],
            "NOT_FOUND",
            "no such page",
            &Value::Null,
        ),
    }
}

fn exchange(asked: &Asked, shared: &Shared) -> io::Result<Response<Body>> {
    if asked.parameter("grant_type") != Some("access_token") {
        return refuse("grant_type is not supported");
    }
    if asked.parameter("tenant").is_some_and(|tenant| tenant != TENANT) {
        return refuse("tenant is not that of the token");
    }
    let token = asked.parameter("access_token").unwrap_or_default();
    match shared.directory.holder(token) {
        Some((principal, Use::Entra(audience))) if audience == REGISTRY || audience == MANAGEMENT => {
            let refresh_token = shared.directory.refresh_token(&principal.client, shared.host());
            answer::ok(&json!({ "refresh_token": refresh_token }))
        }
        _ => refuse("AAD access token is invalid"),
    }
}

fn token(asked: &Asked, shared: &Shared) -> io::Result<Response<Body>> {
    let Some(principal) = who(asked, shared) else {
        return refuse("authentication required");
    };
    let scopes = asked.parameters.iter().filter(|(key, _)| key == "scope");
    let wanted: BTreeSet<String> = scopes
        .flat_map(|(_, value)| value.split_ascii_whitespace())
        .flat_map(single)
        .collect();
    let allowed: BTreeSet<String> = wanted
        .iter()
        .filter(|one| is_allowed(&principal, one))
        .cloned()
        .collect();
    if allowed.is_empty() && !wanted.is_empty() {
        return refuse(
            "authentication required, visit https://aka.ms/acr/authorization for more information.",
        );
    }
    let token = shared
        .directory
        .access_token(&principal.client, shared.host(), &allowed);
    // Nothing else: how long it lives is a claim of the token.
    answer::ok(&json!({ "access_token": token }))
}

fn who(asked: &Asked, shared: &Shared) -> Option<Principal> {
    let refresh = |token: &str| match shared.directory.holder(token)? {
        (principal, Use::Refresh) => Some(principal),
        _ => None,
    };
    if asked.method == Method::POST {
        let is_refresh = asked.parameter("grant_type") == Some("refresh_token");
        return refresh(asked.parameter("refresh_token").filter(|_| is_refresh)?);
    }
    let (user, password) = asked.basic()?;
    if user == TOKEN_USER {
        return refresh(&password);
    }
    let principal = shared.directory.principal(&user)?;
    (principal.secret.as_ref() == Some(&password)).then_some(principal)
}

/// Cuts `repository:a:pull,push` into one for each action.
fn single(scope: &str) -> Vec<String> {
    let Some((rest, actions)) = scope.rsplit_once(':') else {
        return Vec::new();
    };
    actions
        .split(',')
        .map(|action| format!("{rest}:{action}"))
        .collect()
}

fn is_allowed(principal: &Principal, one: &str) -> bool {
    let right = match one.rsplit_once(':') {
        Some(("registry:catalog", "*")) => Right::Catalogue,
        Some((_, "pull" | "metadata_read")) => Right::Pull,
        Some((_, "push")) => Right::Push,
        Some((_, "metadata_write")) => Right::Lock,
        _ => return false,
    };
    principal.rights.contains(&right)
}

fn refuse(message: &str) -> io::Result<Response<Body>> {
    answer::registry_error(
        StatusCode::UNAUTHORIZED,
        &[],
        "UNAUTHORIZED",
        message,
        &Value::Null,
    )
}
