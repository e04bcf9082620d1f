//! Signing in at the registry: a token of Entra ID is exchanged for a refresh token of the registry's own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::{Method, StatusCode};
use jiff::{SignedDuration, Timestamp};
use registry::{
    Credential, Error, ErrorKind, Flight, Reach, Rest, RestBody, RestReply, RestRequest, Secret, SignIn,
    Transport,
};
use serde::Deserialize;
use tokio::time::Instant;
use url::form_urlencoded;

use crate::advise::kept_out;
use crate::identity::{Chain, Identity, Resolved};
use crate::jwt::Claims;
use crate::places::Places;
use crate::retry;

/// Tokens are given up this long before they end, or a fifth of their life where that is less.
const MARGIN: Duration = Duration::from_secs(300);
/// A refresh token that does not say how long it lives is taken to live as long as they do.
const REFRESH_LIFE: Duration = Duration::from_secs(3 * 60 * 60);

/// Who is signed in at one registry.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) places: Places,
    /// The door to the registry.
    pub(crate) rest: Rest,
    /// The door to Azure Resource Manager.
    pub(crate) management: Rest,
    chain: Chain,
    signed: Flight<Arc<Signed>>,
    now: fn() -> Timestamp,
}

/// A sign-in.
#[derive(Debug)]
pub(crate) struct Signed {
    /// What the registry is shown.
    pub(crate) sign_in: SignIn,
    /// Whom Azure knows us as.
    pub(crate) identity: Option<Identity>,
    until: Option<Instant>,
    handed_out: AtomicBool,
}

#[derive(Deserialize)]
struct Exchanged {
    refresh_token: String,
}

impl Signed {
    /// Returns the refresh token; `None` for nobody.
    pub(crate) fn refresh_token(&self) -> Option<&Secret> {
        match &self.sign_in.credential {
            Credential::IdentityToken(token) => Some(token),
            Credential::Anonymous | Credential::Basic { .. } | Credential::Bearer(_) => None,
        }
    }

    fn is_fresh(&self) -> bool {
        self.until.is_none_or(|until| Instant::now() < until)
    }
}

impl Session {
    pub(crate) fn new(
        places: Places,
        transport: Arc<dyn Transport>,
        chain: Chain,
        now: fn() -> Timestamp,
    ) -> Self {
        Self {
            places,
            rest: Rest::new(Arc::clone(&transport), Reach::Registry),
            management: Rest::new(transport, Reach::Declared),
            chain,
            signed: Flight::default(),
            now,
        }
    }

    /// Returns who signed in last, without asking anybody.
    pub(crate) fn last(&self) -> Option<Arc<Signed>> {
        self.signed.peek()
    }

    /// Returns who is signed in, and signs in where nobody is or the time is over.
    ///
    /// # Errors
    /// See [`Session::sign_in_anew`].
    pub(crate) async fn signed(&self) -> Result<Arc<Signed>, Error> {
        self.signed.get(|signed| signed.is_fresh(), self.sign_in()).await
    }

    /// Signs in once more, unless somebody has done it since `before`.
    ///
    /// # Errors
    /// An identity that is available and gives no token, and a registry that does not take it.
    pub(crate) async fn sign_in_anew(&self, before: Option<&Arc<Signed>>) -> Result<Arc<Signed>, Error> {
        let newer = |signed: &Arc<Signed>| before.is_none_or(|before| !Arc::ptr_eq(before, signed));
        self.signed.get(newer, self.sign_in()).await
    }

    /// Returns a credential that was not handed out before: who asks again has been refused, or it has ended.
    ///
    /// # Errors
    /// See [`Session::sign_in_anew`].
    pub(crate) async fn hand_out(&self) -> Result<SignIn, Error> {
        let signed = match self.last() {
            Some(signed) if signed.is_fresh() && !signed.handed_out.swap(true, Ordering::Relaxed) => signed,
            // One that has ended is named too: what is wanted is any other.
            last => self.sign_in_anew(last.as_ref()).await?,
        };
        signed.handed_out.store(true, Ordering::Relaxed);
        Ok(signed.sign_in.clone())
    }

    async fn sign_in(&self) -> Result<Arc<Signed>, Error> {
        let identity = match self.chain.resolve(&self.places.scope).await? {
            Resolved::Identity(identity) => identity,
            Resolved::Nobody(reasons) => return Ok(Arc::new(nobody(&reasons))),
        };
        let asked = Instant::now();
        let refresh_token = self.exchange(&identity).await?;
        let life = Claims::read(refresh_token.expose())
            .and_then(|claims| self.life(&claims))
            .unwrap_or(REFRESH_LIFE);
        let useful = useful(life);
        let expires = SignedDuration::try_from(useful)
            .ok()
            .and_then(|useful| (self.now)().checked_add(useful).ok());
        Ok(Arc::new(Signed {
            sign_in: SignIn {
                credential: Credential::IdentityToken(refresh_token),
                origin: identity.to_string(),
                expires,
            },
            identity: Some(*identity),
            handed_out: AtomicBool::new(false),
            until: Some(asked + useful),
        }))
    }

    /// Returns how long a token lives: by its own times, or by our clock where it has only its end.
    pub(crate) fn life(&self, claims: &Claims) -> Option<Duration> {
        claims.life().or_else(|| {
            let now = u64::try_from((self.now)().as_second()).ok()?;
            claims.exp.map(|end| Duration::from_secs(end.saturating_sub(now)))
        })
    }

    /// Exchanges a token of Entra ID for a refresh token.
    ///
    /// <https://github.com/Azure/acr/blob/main/docs/AAD-OAuth.md#calling-post-oauth2exchange-to-get-an-acr-refresh-token>
    async fn exchange(&self, identity: &Identity) -> Result<Secret, Error> {
        let form = self.exchange_form(identity);
        let url = self.places.at_registry("oauth2/exchange")?;
        let request = RestRequest::send(Method::POST, url, RestBody::Form(form));
        let reply = retry::ask(&self.rest, &request).await?;
        if !reply.status.is_success() {
            return Err(self.refused(&reply, identity));
        }
        let exchanged: Exchanged = reply.json("the refresh token")?;
        Ok(Secret::new(exchanged.refresh_token))
    }

    fn exchange_form(&self, identity: &Identity) -> String {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "access_token")
            .append_pair("service", self.places.host.as_str());
        if let Some(tenant) = &identity.claims.tid {
            form.append_pair("tenant", tenant);
        }
        form.append_pair("access_token", identity.token.expose());
        form.finish()
    }

    fn refused(&self, reply: &RestReply, identity: &Identity) -> Error {
        let host = &self.places.host;
        let error = reply.refusal(&format!("sign in at {host} as {identity}"));
        if !matches!(
            reply.status,
            StatusCode::UNAUTHORIZED | StatusCode::BAD_REQUEST | StatusCode::FORBIDDEN
        ) {
            return error;
        }
        // Without its status: it is about who signs in, and not about what was asked.
        let error = Error::new(ErrorKind::Auth, error.message());
        // A firewall looked at no token.
        if kept_out(error.message()).is_some() {
            return error;
        }
        error.with_hint(format!(
            "{host} takes no token for {}: check that it belongs to the identity's tenant, and `audience`",
            self.places.scope.trim_end_matches("/.default")
        ))
    }
}

/// How long a token that lives for `life` is used.
pub(crate) fn useful(life: Duration) -> Duration {
    life - MARGIN.min(life / 5)
}

fn nobody(reasons: &str) -> Signed {
    Signed {
        sign_in: SignIn {
            credential: Credential::Anonymous,
            origin: format!("no identity of Azure's: {reasons}"),
            expires: None,
        },
        identity: None,
        until: None,
        handed_out: AtomicBool::new(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_given_up_before_it_ends() {
        let seconds = |life| useful(Duration::from_secs(life)).as_secs();
        assert_eq!(seconds(10_800), 10_500);
        assert_eq!(seconds(100), 80);
        assert_eq!(seconds(0), 0);
    }
}
