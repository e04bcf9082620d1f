//! Entra ID's token endpoint.
//!
//! <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow>

use std::io;
use std::sync::Arc;

use http::header::HOST;
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use serde_json::json;

use super::ticket::Asked;
use super::{Shared, TENANT, answer};
use crate::listening::Body;

const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

pub(super) async fn answer(request: Request<Incoming>, shared: Arc<Shared>) -> io::Result<Response<Body>> {
    let asked = Asked::read(request).await?;
    let _running = shared.directory.note(&asked);
    if asked.path == format!("/{TENANT}/v2.0/.well-known/openid-configuration") {
        return discovery(&asked);
    }
    let is_endpoint = asked.method == Method::POST && asked.path == format!("/{TENANT}/oauth2/v2.0/token");
    if !is_endpoint {
        return refuse(
            90002,
            "invalid_request",
            "Tenant not found. Check to make sure you have the correct tenant ID.",
        );
    }
    if asked.parameter("grant_type") != Some("client_credentials") {
        return refuse(
            70003,
            "unsupported_grant_type",
            "The app requested an unsupported grant type.",
        );
    }
    let client = asked.parameter("client_id").unwrap_or_default();
    let Some(principal) = shared.directory.principal(client) else {
        let text =
            format!("Application with identifier '{client}' was not found in the directory 'Contoso'.");
        return refuse(700_016, "unauthorized_client", &text);
    };
    let Some(audience) = asked
        .parameter("scope")
        .and_then(|scope| scope.strip_suffix("/.default"))
    else {
        return refuse(
            1_002_012,
            "invalid_scope",
            "The provided value for scope is not valid.",
        );
    };
    let secret = asked.parameter("client_secret");
    let assertion = asked
        .parameter("client_assertion")
        .filter(|_| asked.parameter("client_assertion_type") == Some(ASSERTION));
    let known = (secret.is_some() && secret == principal.secret.as_deref())
        || (assertion.is_some() && assertion == principal.assertion.as_deref());
    if !known && assertion.is_some() {
        let text = "No matching federated identity record found for presented assertion subject.";
        return refuse(70021, "invalid_request", text);
    }
    if !known {
        let text = format!(
            "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '{client}'."
        );
        return refuse(7_000_215, "invalid_client", &text);
    }
    let token = shared.directory.entra_token(client, audience);
    answer::ok(
        &json!({ "token_type": "Bearer", "expires_in": 86_399, "ext_expires_in": 86_399, "access_token": token }),
    )
}

/// <https://learn.microsoft.com/entra/identity-platform/v2-protocols-oidc>
fn discovery(asked: &Asked) -> io::Result<Response<Body>> {
    let host = asked
        .headers
        .get(HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    let base = format!("https://{host}/{TENANT}");
    answer::ok(&json!({
        "issuer": format!("{base}/v2.0"),
        "authorization_endpoint": format!("{base}/oauth2/v2.0/authorize"),
        "token_endpoint": format!("{base}/oauth2/v2.0/token"),
        "jwks_uri": format!("{base}/discovery/v2.0/keys"),
    }))
}

/// <https://learn.microsoft.com/entra/identity-platform/reference-error-codes#handling-error-codes-in-your-application>
fn refuse(code: u32, error: &str, text: &str) -> io::Result<Response<Body>> {
    let status = if code == 7_000_215 {
        StatusCode::UNAUTHORIZED
    } else {
        StatusCode::BAD_REQUEST
    };
    let description =
        format!("AADSTS{code}: {text} Trace ID: 0000 Correlation ID: 1111 Timestamp: 2026-01-01 00:00:00Z");
    let body = json!({ "error": error, "error_description": description, "error_codes": [code] });
    answer::with(status, &[], &body)
}
