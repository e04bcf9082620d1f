//! Where Google's registry sends clients for its tokens.
//!
//! <https://docs.cloud.google.com/artifact-registry/docs/docker/authentication>

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::identity::Identities;
use crate::token_service::{Decision, Grant, TokenRequest, TokenService};

/// How long its tokens last, in seconds.
const LIFE: u64 = 300;

/// Starts a token service that takes what Google's documents and nothing else: `oauth2accesstoken` with a token that
/// `identities` gave, and `_json_key_base64` with the key of `account`.
///
/// # Panics
/// Where no port can be had.
pub async fn start(identities: Arc<Identities>, account: &str) -> TokenService {
    let account = account.to_owned();
    TokenService::start(move |request| match takes(request, &identities, &account) {
        true => Decision::Grant(Grant::lasting(LIFE)),
        false => Decision::Refuse,
    })
    .await
}

fn takes(request: &TokenRequest, identities: &Identities, account: &str) -> bool {
    match &request.basic {
        Some((user, token)) if user == "oauth2accesstoken" => identities.owner(token).is_some(),
        Some((user, key)) if user == "_json_key_base64" => {
            let key = STANDARD.decode(key).unwrap_or_default();
            let key: Value = serde_json::from_slice(&key).unwrap_or_default();
            key["type"] == "service_account" && key["client_email"] == account
        }
        _ => false,
    }
}
