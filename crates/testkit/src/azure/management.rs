//! Azure Resource Manager, as far as a registry goes.
//!
//! <https://learn.microsoft.com/rest/api/container-registry/registries>

use std::io;
use std::sync::Arc;

use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::directory::{Principal, Right, Use};
use super::ticket::Asked;
use super::{MANAGEMENT, SUBSCRIPTION, Shared, answer, import, resource_id};
use crate::listening::Body;

/// What importers are polled at; the address has this shape in the field.
pub(super) const RESULTS: &str =
    "providers/Microsoft.ContainerRegistry/locations/WESTEUROPE/operationResults";

pub(super) async fn answer(request: Request<Incoming>, shared: Arc<Shared>) -> io::Result<Response<Body>> {
    let asked = Asked::read(request).await?;
    let _running = shared.directory.note(&asked);
    let held = asked.bearer().and_then(|token| shared.directory.holder(token));
    let Some((principal, Use::Entra(audience))) = held else {
        let text = "Authentication failed. The 'Authorization' header is missing or invalid.";
        return answer::management_error(StatusCode::UNAUTHORIZED, "AuthenticationFailed", text);
    };
    if audience != MANAGEMENT {
        let text = format!("The access token has been obtained for wrong audience or resource '{audience}'.");
        return answer::management_error(
            StatusCode::UNAUTHORIZED,
            "InvalidAuthenticationTokenAudience",
            &text,
        );
    }
    let subscription = format!("/subscriptions/{SUBSCRIPTION}");
    let (id, path) = (resource_id(), asked.path.clone());
    match (&asked.method, path.as_str()) {
        (&Method::GET, "/subscriptions") => subscriptions(&asked),
        (&Method::GET, path)
            if path == format!("{subscription}/providers/Microsoft.ContainerRegistry/registries") =>
        {
            list(&principal, &asked, &shared)
        }
        (&Method::GET, path) if path == id => {
            match lacking(
                &principal,
                Right::Describe,
                "Microsoft.ContainerRegistry/registries/read",
                &asked,
            ) {
                Some(refusal) => refusal,
                None => answer::ok(&resource(&shared)),
            }
        }
        (&Method::POST, path) if path == format!("{id}/importImage") => {
            let action = "Microsoft.ContainerRegistry/registries/importImage/action";
            match lacking(&principal, Right::Import, action, &asked) {
                Some(refusal) => refusal,
                None => import::begin(&asked, &shared),
            }
        }
        (&Method::GET, path) if path.starts_with(&format!("{subscription}/{RESULTS}/")) => {
            import::poll(path.rsplit('/').next().unwrap_or_default(), &shared).await
        }
        _ => {
            let text = format!(
                "The Resource '{}' was not found.",
                path.rsplit("providers/").next().unwrap_or_default()
            );
            answer::management_error(StatusCode::NOT_FOUND, "ResourceNotFound", &text)
        }
    }
}

/// <https://learn.microsoft.com/rest/api/resources/subscriptions/list>
fn subscriptions(asked: &Asked) -> io::Result<Response<Body>> {
    if asked.parameter("api-version").is_none() {
        let text = "The api-version query parameter (?api-version=) is required for all requests.";
        return answer::management_error(StatusCode::BAD_REQUEST, "MissingApiVersionParameter", text);
    }
    let subscription = json!({
        "id": format!("/subscriptions/{SUBSCRIPTION}"), "subscriptionId": SUBSCRIPTION, "displayName": "Contoso",
        "state": "Enabled",
    });
    answer::ok(&json!({ "value": [subscription], "count": { "type": "Total", "value": 1 } }))
}

/// Lists what the caller may see, a page for each: another registry first.
fn list(principal: &Principal, asked: &Asked, shared: &Shared) -> io::Result<Response<Body>> {
    if !principal.rights.contains(&Right::Describe) {
        return answer::ok(&json!({ "value": [] }));
    }
    if asked.parameter("$skiptoken").is_some() {
        return answer::ok(&json!({ "value": [resource(shared)] }));
    }
    let mut other = resource(shared);
    other["id"] = resource_id().replace("contoso", "fabrikam").into();
    other["name"] = "fabrikam".into();
    other["properties"]["loginServer"] = "fabrikam.azurecr.io".into();
    let host = asked
        .headers
        .get("host")
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let next = format!("https://{host}{}?api-version=2025-11-01&$skiptoken=2", asked.path);
    answer::ok(&json!({ "value": [other], "nextLink": next }))
}

/// <https://learn.microsoft.com/rest/api/container-registry/registries/get>
fn resource(shared: &Shared) -> Value {
    let mut properties = json!({
        "loginServer": shared.host(),
        "creationDate": "2026-01-01T00:00:00.0000000Z",
        "provisioningState": "Succeeded",
        "adminUserEnabled": false,
        "publicNetworkAccess": "Enabled",
        "networkRuleSet": { "defaultAction": "Allow", "ipRules": [] },
        "roleAssignmentMode": "LegacyRegistryPermissions",
        "policies": {
            "quarantinePolicy": { "status": "disabled" },
            "azureADAuthenticationAsArmPolicy": { "status": "enabled" },
            "exportPolicy": { "status": "enabled" },
        },
    });
    for (key, value) in shared.hub.properties().as_object().into_iter().flatten() {
        properties[key] = value.clone();
    }
    json!({
        "id": resource_id(), "name": "contoso", "type": "Microsoft.ContainerRegistry/registries",
        "location": "westeurope", "sku": { "name": "Standard", "tier": "Standard" }, "properties": properties,
    })
}

fn lacking(
    principal: &Principal,
    right: Right,
    action: &str,
    asked: &Asked,
) -> Option<io::Result<Response<Body>>> {
    if principal.rights.contains(&right) {
        return None;
    }
    let client = &principal.client;
    let text = format!(
        "The client '{client}' with object id 'oid-{client}' does not have authorization to perform action '{action}' over scope '{}' or the scope is invalid. If access was recently granted, please refresh your credentials.",
        asked.path
    );
    Some(answer::management_error(
        StatusCode::FORBIDDEN,
        "AuthorizationFailed",
        &text,
    ))
}
