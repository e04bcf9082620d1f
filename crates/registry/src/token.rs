//! Tokens, and the service that grants them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, USER_AGENT};
use http::{Method, StatusCode};
use tokio::time::Instant;
use url::Url;

use crate::call::{Effort, Repeat, Scope};
use crate::realm::{Realm, Trust};
use crate::redirect::is_redirect;
use crate::retry::{self, Decision, Jitter, Outcome, decide};
use crate::{
    Credential, Error, ErrorKind, Reach, Request, RequestBody, Response, SafeUrl, Secret, Transport,
    TransportError,
};

/// No token is longer.
const MAX_ANSWER: usize = 1 << 20;
/// How long a token lives where its service does not say: the specification's word.
const DEFAULT_LIFE: Duration = Duration::from_secs(60);
/// No token is kept longer than a day, whatever its service says.
const MAX_LIFE: Duration = Duration::from_secs(24 * 60 * 60);

/// A bearer token.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) secret: Secret,
    /// Tells this token from the one before.
    pub(crate) id: u64,
    pub(crate) fresh_until: Instant,
}

impl Token {
    /// Takes a token that is sent as it is. Where nothing tells how long it lives, it is kept for a day.
    pub(crate) fn as_is(secret: Secret, fresh_until: Option<Instant>) -> Self {
        Self::new(secret, fresh_until.unwrap_or_else(|| Instant::now() + MAX_LIFE))
    }

    fn new(secret: Secret, fresh_until: Instant) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self {
            secret,
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            fresh_until,
        }
    }

    /// Reads a token service's answer to a question asked at `asked`. Its life is counted from the question and on our
    /// own clock, so no clock's skew matters; at four fifths of it a new one is asked for.
    ///
    /// ACR's service does not say how long its tokens live, but they are JWTs, and those do.
    fn read(answer: &[u8], asked: Instant) -> Option<Self> {
        let answer = oci::read_json(answer).ok()?;
        let text = |key: &str| answer.get(key)?.as_str().filter(|text| !text.is_empty());
        let secret = text("token").or_else(|| text("access_token"))?;
        let life = answer
            .get("expires_in")
            .and_then(serde_json::Value::as_u64)
            .filter(|seconds| *seconds > 0)
            .map(Duration::from_secs)
            .or_else(|| jwt_life(secret))
            .unwrap_or(DEFAULT_LIFE);
        Some(Self::new(Secret::new(secret), asked + life.min(MAX_LIFE) * 4 / 5))
    }

    pub(crate) fn is_fresh(&self) -> bool {
        Instant::now() < self.fresh_until
    }
}

/// Reads from a JWT how long it lives, by its own clock. Its signature is not our business.
///
/// <https://www.rfc-editor.org/rfc/rfc7519#section-4.1>
fn jwt_life(token: &str) -> Option<Duration> {
    let mut parts = token.split('.');
    let claims = parts.nth(1).filter(|_| parts.count() == 1)?;
    let claims = URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok()?;
    let claims = oci::read_json(&claims).ok()?;
    let seconds = |claim: &str| claims.get(claim)?.as_u64();
    let since = seconds("iat").or_else(|| seconds("nbf"))?;
    let life = Duration::from_secs(seconds("exp")?.checked_sub(since)?);
    // Times are whole seconds: one that was granted at the end of a second lives almost one less.
    let least = life - Duration::from_secs(1).min(life / 2);
    (!life.is_zero()).then_some(least)
}

/// What a token service says.
pub(crate) enum Answer {
    Granted(Token),
    /// It refused the credential, or what the scope asks for.
    Refused(StatusCode),
}

/// Asks token services.
#[derive(Debug)]
pub(crate) struct TokenClient {
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) user_agent: HeaderValue,
    pub(crate) tries: u32,
    pub(crate) jitter: Jitter,
    pub(crate) now: fn() -> jiff::Timestamp,
}

impl TokenClient {
    /// Asks for a token. A redirect is not followed, and no more than 1 MiB is read.
    ///
    /// <https://distribution.github.io/distribution/spec/auth/token/>,
    /// <https://distribution.github.io/distribution/spec/auth/oauth/>
    ///
    /// # Errors
    /// A service that does not answer, or answers something else.
    pub(crate) async fn ask(
        &self,
        realm: &Realm,
        service: Option<&str>,
        scope: &Scope,
        credential: &Credential,
    ) -> Result<Answer, Error> {
        let question = Question::new(realm, service, scope, credential);
        let safe = SafeUrl::new(&question.url);
        let start = Instant::now();
        let mut tries = 0;
        loop {
            tries += 1;
            let asked = Instant::now();
            let sent = self.once(&question).await;
            let outcome = match &sent {
                Ok((status, headers, _)) => Outcome::Status(*status, retry::retry_after(headers, self.now)),
                Err(error) => Outcome::Failed(error.kind()),
            };
            if let Decision::Again(after) = decide(outcome, Repeat::Safe, tries, self.tries, self.jitter) {
                tokio::time::sleep(after).await;
                continue;
            }
            let effort = Effort {
                tries,
                elapsed: start.elapsed(),
            };
            let (status, _, body) = sent.map_err(|error| unanswered(&safe, error, effort))?;
            return answer(&safe, status, &body, asked, effort);
        }
    }

    async fn once(&self, question: &Question) -> Result<(StatusCode, HeaderMap, Bytes), TransportError> {
        let mut request = question.request();
        request.headers.insert(USER_AGENT, self.user_agent.clone());
        let response = self.transport.send(request).await?;
        let (status, headers) = (response.status, response.headers.clone());
        Ok((status, headers, read(response).await?))
    }
}

fn unanswered(safe: &SafeUrl, error: TransportError, effort: Effort) -> Error {
    error.into_error(&format!("token service {safe}"), effort)
}

fn answer(
    safe: &SafeUrl,
    status: StatusCode,
    body: &[u8],
    asked: Instant,
    effort: Effort,
) -> Result<Answer, Error> {
    let failed = |kind, what: &str| Err(Error::new(kind, format!("token service {safe} {what}")));
    match status {
        status if status.is_success() => match Token::read(body, asked) {
            Some(token) => Ok(Answer::Granted(token)),
            None => failed(ErrorKind::Auth, "answers without a token"),
        },
        StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            Ok(Answer::Refused(status))
        }
        status if is_redirect(status) => {
            failed(ErrorKind::Policy, "redirects, and a credential does not follow")
        }
        StatusCode::TOO_MANY_REQUESTS => failed(ErrorKind::RateLimit, &format!("answers 429 ({effort})")),
        status if status.is_server_error() => {
            failed(ErrorKind::Network, &format!("answers {status} ({effort})"))
        }
        status => failed(ErrorKind::Auth, &format!("answers {status}")),
    }
}

/// Reads a body; what exceeds the limit is no token and reads as nothing.
async fn read(mut response: Response) -> Result<Bytes, TransportError> {
    let mut bytes = BytesMut::new();
    while let Some(chunk) = response.body.next().await {
        let chunk = chunk?;
        if bytes.len() + chunk.len() > MAX_ANSWER {
            return Ok(Bytes::new());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.freeze())
}

/// A request to a token service, ready to be sent more than once.
struct Question {
    url: Url,
    reach: Reach,
    headers: HeaderMap,
    form: Option<Bytes>,
}

impl Question {
    fn new(realm: &Realm, service: Option<&str>, scope: &Scope, credential: &Credential) -> Self {
        let mut question = Self {
            url: realm.url.clone(),
            reach: match realm.trust {
                Trust::Credential(reach) | Trust::Anonymous(reach) => reach,
            },
            headers: HeaderMap::new(),
            form: None,
        };
        question
            .headers
            .insert(ACCEPT, HeaderValue::from_static("application/json"));
        if let Credential::IdentityToken(token) = credential {
            question.form = Some(form(service, scope, token));
            let urlencoded = HeaderValue::from_static("application/x-www-form-urlencoded");
            question.headers.insert(CONTENT_TYPE, urlencoded);
            return question;
        }
        if let Some(basic) = basic(credential) {
            question.headers.insert(AUTHORIZATION, basic);
        }
        let mut query = question.url.query_pairs_mut();
        if let Some(service) = service {
            query.append_pair("service", service);
        }
        for parameter in scope.parameters() {
            query.append_pair("scope", &parameter);
        }
        drop(query);
        question
    }

    fn request(&self) -> Request {
        Request {
            method: if self.form.is_some() {
                Method::POST
            } else {
                Method::GET
            },
            url: self.url.clone(),
            headers: self.headers.clone(),
            body: self.form.clone().map_or(RequestBody::Empty, RequestBody::Bytes),
            reach: self.reach,
        }
    }
}

fn form(service: Option<&str>, scope: &Scope, token: &Secret) -> Bytes {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.append_pair("grant_type", "refresh_token")
        .append_pair("client_id", "transship")
        .append_pair("service", service.unwrap_or_default());
    if *scope != Scope::none() {
        form.append_pair("scope", &scope.to_string());
    }
    form.append_pair("refresh_token", token.expose());
    Bytes::from(form.finish())
}

/// Returns the `Authorization` of a user name and a password; `None` for any other credential.
pub(crate) fn basic(credential: &Credential) -> Option<HeaderValue> {
    let Credential::Basic { username, password } = credential else {
        return None;
    };
    let pair = STANDARD.encode(format!("{username}:{}", password.expose()));
    sensitive(&format!("Basic {pair}"))
}

/// Returns the `Authorization` of a token; `None` for text that no header may carry.
pub(crate) fn bearer(token: &Secret) -> Option<HeaderValue> {
    sensitive(&format!("Bearer {}", token.expose()))
}

fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn life(answer: &str) -> Option<u64> {
        let asked = Instant::now();
        let token = Token::read(answer.as_bytes(), asked)?;
        Some((token.fresh_until - asked).as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_is_used_for_four_fifths_of_its_life() {
        assert_eq!(life(r#"{"token":"t","expires_in":300}"#), Some(240));
        assert_eq!(life(r#"{"access_token":"t"}"#), Some(48));
        assert_eq!(life(r#"{"token":"t","expires_in":0}"#), Some(48));
        assert_eq!(life(r#"{"token":"t","expires_in":"x"}"#), Some(48));
        assert_eq!(
            life(r#"{"token":"t","expires_in":18446744073709551615}"#),
            Some(69_120)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_jwt_says_itself_how_long_it_lives_where_its_service_does_not() {
        let token = |claims: &str| format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims));
        let answer = |claims: &str| format!(r#"{{"access_token":"{}"}}"#, token(claims));
        assert_eq!(life(&answer(r#"{"iat":1000,"exp":5500}"#)), Some(3_599));
        assert_eq!(life(&answer(r#"{"nbf":1000,"exp":1011}"#)), Some(8));
        for claims in [
            "{}",
            "[]",
            "x",
            r#"{"exp":9}"#,
            r#"{"iat":9,"exp":9}"#,
            r#"{"iat":9,"exp":1}"#,
            r#"{"iat":"1","exp":"2"}"#,
        ] {
            assert_eq!(life(&answer(claims)), Some(48), "{claims}");
        }
        let token = token(r#"{"iat":1000,"exp":5500}"#);
        let said = format!(r#"{{"access_token":"{token}","expires_in":10}}"#);
        assert_eq!(life(&said), Some(8));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_without_a_token_is_none() {
        for answer in [
            "",
            "{}",
            "[]",
            r#"{"token":""}"#,
            r#"{"token":null}"#,
            r#"{"token":5}"#,
            "<html>",
        ] {
            assert_eq!(life(answer), None, "{answer}");
        }
        assert_eq!(life(r#"{"token":"","access_token":"t"}"#), Some(48));
    }

    #[test]
    fn nothing_secret_shows_in_a_question() {
        let credential = Credential::Basic {
            username: "u".to_owned(),
            password: "CANARY".into(),
        };
        let header = basic(&credential).unwrap();
        assert_eq!(header, "Basic dTpDQU5BUlk=");
        assert!(!format!("{header:?} {credential:?}").contains("CANARY"));
        assert!(!format!("{header:?}").contains("dTpD"));
    }

    #[test]
    fn a_token_with_a_line_break_is_no_header() {
        assert!(bearer(&"a\r\nX: y".into()).is_none());
    }
}
