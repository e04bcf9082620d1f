//! Signing in to Docker Hub's API, which is another sign-in than that of its registry.

use std::sync::Arc;

use http::{Method, StatusCode};
use registry::{Credential, CredentialSource, Error, ErrorKind, Rest, RestBody, RestRequest, Secret};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Mutex;
use url::Url;

/// Who signs in, and the token that was had for it.
#[derive(Debug)]
pub(super) struct Session {
    credentials: Arc<dyn CredentialSource>,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    /// Nobody has needed a token yet.
    Unasked,
    Token(Secret),
    /// There is no token to be had, and asking once more may lock the account.
    Never,
}

#[derive(Deserialize)]
struct Answer {
    access_token: String,
}

impl Session {
    pub(super) fn new(credentials: Arc<dyn CredentialSource>) -> Self {
        Self {
            credentials,
            state: Mutex::new(State::Unasked),
        }
    }

    /// Returns the token, where one was needed before.
    pub(super) async fn token(&self) -> Option<String> {
        match &*self.state.lock().await {
            State::Token(token) => Some(token.expose().to_owned()),
            State::Unasked | State::Never => None,
        }
    }

    /// Returns another token than the one that was `shown`; nothing where there is none to be had.
    ///
    /// One request is on the way at a time, and a refusal is remembered.
    ///
    /// <https://docs.docker.com/reference/api/hub/latest/#tag/authentication-api/operation/AuthCreateAccessToken>
    ///
    /// # Errors
    /// A source that fails, and no answer.
    pub(super) async fn log_in(
        &self,
        rest: &Rest,
        api: &Url,
        shown: Option<&str>,
    ) -> Result<Option<String>, Error> {
        let mut state = self.state.lock().await;
        match &*state {
            State::Never => return Ok(None),
            State::Token(token) if shown != Some(token.expose()) => {
                return Ok(Some(token.expose().to_owned()));
            }
            State::Token(_) | State::Unasked => {}
        }
        let token = self.exchange(rest, api).await?;
        *state = match &token {
            // The same once more: it is not the token that hides things.
            Some(token) if shown == Some(token) => State::Never,
            Some(token) => State::Token(Secret::new(token.as_str())),
            None => State::Never,
        };
        Ok(token.filter(|token| shown != Some(token)))
    }

    async fn exchange(&self, rest: &Rest, api: &Url) -> Result<Option<String>, Error> {
        let Credential::Basic { username, password } = self.credentials.sign_in().await?.credential else {
            return Ok(None);
        };
        let url = api.join("/v2/auth/token").map_err(|error| {
            Error::new(ErrorKind::Other, format!("{api} has no such address")).caused_by(error)
        })?;
        let body = RestBody::Json(json!({ "identifier": username, "secret": password.expose() }));
        let reply = rest.send(&RestRequest::send(Method::POST, url, body)).await?;
        if reply.status != StatusCode::OK {
            return Ok(None);
        }
        let answer: Option<Answer> = serde_json::from_slice(&reply.body).ok();
        Ok(answer
            .map(|answer| answer.access_token)
            .filter(|token| !token.is_empty()))
    }
}
