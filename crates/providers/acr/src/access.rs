//! Access tokens for the registry's own API, one for each scope.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::{Method, StatusCode};
use registry::{Error, ErrorKind, Flight, RestBody, RestReply, RestRequest, Secret};
use serde::Deserialize;
use tokio::time::Instant;
use url::form_urlencoded;

use crate::jwt::Claims;
use crate::retry;
use crate::session::{Session, Signed, useful};

/// A token that does not say how long it lives is used for so long: the specification's word.
const DEFAULT_LIFE: Duration = Duration::from_secs(60);

/// The access tokens of one session.
#[derive(Debug, Default)]
pub(crate) struct AccessTokens(Mutex<BTreeMap<String, Arc<Flight<Access>>>>);

/// An access token.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    pub(crate) secret: Secret,
    id: u64,
    until: Instant,
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
}

impl AccessTokens {
    /// Returns a token for `scope`, another one than `refused`; `None` where nobody is signed in.
    ///
    /// # Errors
    /// No sign-in, and a registry that grants nothing.
    pub(crate) async fn get(
        &self,
        session: &Session,
        scope: &str,
        refused: Option<&Access>,
    ) -> Result<Option<Access>, Error> {
        let signed = session.signed().await?;
        if signed.refresh_token().is_none() {
            return Ok(None);
        }
        let usable = |access: &Access| {
            Instant::now() < access.until && refused.is_none_or(|refused| refused.id != access.id)
        };
        let flight = self.flight(scope);
        flight.get(usable, grant(session, signed, scope)).await.map(Some)
    }

    fn flight(&self, scope: &str) -> Arc<Flight<Access>> {
        let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(flights.entry(scope.to_owned()).or_default())
    }
}

/// Gets a token. A refresh token that is refused is replaced, once: it may have been revoked.
async fn grant(session: &Session, signed: Arc<Signed>, scope: &str) -> Result<Access, Error> {
    let reply = ask(session, &signed, scope).await?;
    if reply.status != StatusCode::UNAUTHORIZED {
        return read(session, &reply, scope);
    }
    let signed = session.sign_in_anew(Some(&signed)).await?;
    read(session, &ask(session, &signed, scope).await?, scope)
}

/// <https://github.com/Azure/acr/blob/main/docs/AAD-OAuth.md#calling-post-oauth2token-to-get-an-acr-access-token>
async fn ask(session: &Session, signed: &Signed, scope: &str) -> Result<RestReply, Error> {
    let Some(refresh_token) = signed.refresh_token() else {
        let message = format!("nobody is signed in at {}", session.places.host);
        return Err(Error::new(ErrorKind::Auth, message));
    };
    let form = form_urlencoded::Serializer::new(String::new())
        .append_pair("grant_type", "refresh_token")
        .append_pair("service", session.places.host.as_str())
        .append_pair("scope", scope)
        .append_pair("refresh_token", refresh_token.expose())
        .finish();
    let url = session.places.at_registry("oauth2/token")?;
    let request = RestRequest::send(Method::POST, url, RestBody::Form(form));
    retry::ask(&session.rest, &request).await
}

fn read(session: &Session, reply: &RestReply, scope: &str) -> Result<Access, Error> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    if !reply.status.is_success() {
        return Err(reply.refusal(&format!("ask {} for {scope}", session.places.host)));
    }
    let granted: Granted = reply.json("the access token")?;
    let life = Claims::read(&granted.access_token)
        .and_then(|claims| session.life(&claims))
        .unwrap_or(DEFAULT_LIFE);
    Ok(Access {
        secret: Secret::new(granted.access_token),
        id: NEXT.fetch_add(1, Ordering::Relaxed),
        until: Instant::now() + useful(life),
    })
}
