//! Imports: the registry fetches an image by itself.

use std::time::Duration;

use http::header::{LOCATION, RETRY_AFTER};
use http::{HeaderMap, StatusCode};
use provider::Importing;
use registry::{Credential, Error, ErrorKind, RestReply};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Management, VERSION, checked};

/// An import that takes longer is given up; Azure goes on with it.
const PATIENCE: Duration = Duration::from_secs(60 * 60);
/// How long to wait where Azure does not say.
const PAUSE: Duration = Duration::from_secs(10);
/// However long Azure says, it is asked again within this.
const MAX_PAUSE: Duration = Duration::from_secs(60);
/// The user of a refresh token, where a password is wanted.
///
/// <https://learn.microsoft.com/azure/container-registry/container-registry-authentication#az-acr-login-with---expose-token>
const TOKEN_USER: &str = "00000000-0000-0000-0000-000000000000";

impl Management {
    /// Imports an image and waits until that is done. The digest at the target is for the caller to check.
    ///
    /// <https://learn.microsoft.com/rest/api/container-registry/registries/import-image>
    ///
    /// # Errors
    /// A refusal, a failure in the words of the registry, and an import without end.
    pub(crate) async fn import(&self, import: &Importing) -> Result<(), Error> {
        let resource = self.resource().await?;
        let action = format!(
            "import {}/{}@{} into {}",
            import.host, import.from, import.digest, import.to
        );
        let url = self.url(&format!("{}/importImage", resource.id), VERSION)?;
        let own = (import.host == self.session.places.host).then_some(resource.id.as_str());
        let reply = checked(self.post(url, body(import, own)).await?, &action)?;
        tokio::time::timeout(PATIENCE, self.done(reply, &action))
            .await
            .unwrap_or_else(|_| {
                let message = format!("{action}: not done after {} minutes", PATIENCE.as_secs() / 60);
                Err(Error::new(ErrorKind::Network, message)
                    .with_hint("Azure goes on with it; run it again later, and what has arrived is found"))
            })
    }

    /// <https://learn.microsoft.com/azure/azure-resource-manager/management/async-operations>
    async fn done(&self, mut reply: RestReply, action: &str) -> Result<(), Error> {
        let mut place = None;
        while reply.status == StatusCode::ACCEPTED || is_running(&reply) {
            if let Some(named) = named(&reply.headers) {
                place = Some(self.own(named)?);
            }
            let Some(url) = place.clone() else {
                let message = format!("{action}: Azure does not say where to ask how it goes");
                return Err(Error::new(ErrorKind::Integrity, message));
            };
            tokio::time::sleep_until(Instant::now() + pause(&reply.headers)).await;
            reply = polled(self.get(url).await?, action)?;
        }
        match failure(&reply.body) {
            Some(said) => Err(Error::new(kind(&said), format!("{action}: {said}"))),
            None => Ok(()),
        }
    }
}

/// An import that was taken and failed: in the registry's words, which are about the source as often as not.
fn polled(reply: RestReply, action: &str) -> Result<RestReply, Error> {
    let own = matches!(
        reply.status,
        StatusCode::UNAUTHORIZED | StatusCode::TOO_MANY_REQUESTS
    );
    match failure(&reply.body).filter(|_| reply.status.is_client_error() && !own) {
        Some(said) => Err(Error::new(kind(&said), format!("{action}: {said}"))),
        None => checked(reply, action),
    }
}

/// Says what is imported. `own` is the registry's resource, where it is also the source.
fn body(import: &Importing, own: Option<&str>) -> Value {
    let mut source = json!({ "sourceImage": format!("{}@{}", import.from, import.digest) });
    match own {
        Some(id) => source["resourceId"] = id.into(),
        None => {
            source["registryUri"] = import.host.as_str().into();
            if let Some(credentials) = credentials(&import.sign_in.credential) {
                source["credentials"] = credentials;
            }
        }
    }
    json!({
        "source": source,
        "untaggedTargetRepositories": [import.to.to_string()],
        // It writes no tags; should that ever change, none is overwritten.
        "mode": "NoForce",
    })
}

fn credentials(credential: &Credential) -> Option<Value> {
    Some(match credential {
        Credential::Anonymous => return None,
        Credential::Basic { username, password } => {
            json!({ "username": username, "password": password.expose() })
        }
        Credential::IdentityToken(token) => json!({ "username": TOKEN_USER, "password": token.expose() }),
        Credential::Bearer(token) => json!({ "password": token.expose() }),
    })
}

fn named(headers: &HeaderMap) -> Option<&str> {
    let named = headers
        .get(LOCATION)
        .or_else(|| headers.get("azure-asyncoperation"));
    named?.to_str().ok()
}

fn pause(headers: &HeaderMap) -> Duration {
    let seconds = headers
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    seconds.map_or(PAUSE, Duration::from_secs).min(MAX_PAUSE)
}

/// The address of an operation answers 200 while it runs, and says so.
fn is_running(reply: &RestReply) -> bool {
    matches!(
        status(&reply.body).as_deref(),
        Some("InProgress" | "Running" | "Accepted")
    )
}

fn status(body: &[u8]) -> Option<String> {
    let document: Value = serde_json::from_slice(body).ok()?;
    Some(document.get("status")?.as_str()?.to_owned())
}

/// Reads what went wrong: an answer of 200 may say so too.
fn failure(body: &[u8]) -> Option<String> {
    let document: Value = serde_json::from_slice(body).ok()?;
    let error = document.get("error").filter(|error| error.is_object());
    let ended = matches!(status(body).as_deref(), Some("Failed" | "Canceled"));
    if error.is_none() && !ended {
        return None;
    }
    let text = |key: &str| error?.get(key)?.as_str().map(str::to_owned);
    let said: Vec<String> = ["code", "message"].iter().filter_map(|key| text(key)).collect();
    Some(match said.as_slice() {
        [] => "it failed, and Azure does not say why".to_owned(),
        said => said.join(": "),
    })
}

/// The source's own refusal is part of the text.
fn kind(said: &str) -> ErrorKind {
    let said = said.to_lowercase();
    let says = |text: &str| said.contains(text);
    if says("unauthorized") {
        ErrorKind::Auth
    } else if says("denied") || says("forbidden") {
        ErrorKind::Permission
    } else if says("toomanyrequests") {
        ErrorKind::RateLimit
    } else if says("manifest_unknown") || says("name_unknown") || says("not found") {
        ErrorKind::NotFound
    } else {
        ErrorKind::Other
    }
}

#[cfg(test)]
mod tests {
    use oci::Digest;
    use registry::SignIn;

    use super::*;

    fn importing(credential: Credential) -> Importing {
        Importing {
            host: "source.example".parse().unwrap(),
            from: "team/app".parse().unwrap(),
            digest: Digest::sha256(b"image"),
            to: "base/app".parse().unwrap(),
            sign_in: SignIn {
                credential,
                ..SignIn::anonymous()
            },
        }
    }

    #[test]
    fn the_source_is_signed_in_to_in_the_way_that_it_takes() {
        let basic = Credential::Basic {
            username: "AWS".to_owned(),
            password: "word".into(),
        };
        for (credential, expected) in [
            (Credential::Anonymous, Value::Null),
            (basic, json!({ "username": "AWS", "password": "word" })),
            (
                Credential::IdentityToken("refresh".into()),
                json!({ "username": TOKEN_USER, "password": "refresh" }),
            ),
            (Credential::Bearer("token".into()), json!({ "password": "token" })),
        ] {
            let source = &body(&importing(credential), None)["source"];
            assert_eq!(source["credentials"], expected);
            assert_eq!(source["registryUri"], "source.example");
        }
    }

    #[test]
    fn within_one_registry_no_credential_is_handed_out() {
        let body = body(
            &importing(Credential::Bearer("CANARY".into())),
            Some("/subscriptions/s"),
        );
        assert_eq!(body["source"]["resourceId"], "/subscriptions/s");
        assert!(!body.to_string().contains("CANARY"));
    }

    #[test]
    fn a_failure_is_told_in_azures_words() {
        let body =
            br#"{"status":"Failed","error":{"code":"InvalidParameters","message":"Error copying blobs."}}"#;
        assert_eq!(
            failure(body).as_deref(),
            Some("InvalidParameters: Error copying blobs.")
        );
        assert_eq!(failure(br#"{"status":"Succeeded"}"#), None);
        assert_eq!(failure(b""), None);
        assert_eq!(kind("Unauthorized: authentication required"), ErrorKind::Auth);
    }
}
