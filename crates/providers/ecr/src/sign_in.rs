//! Signing in at the registry, with a password that the API gives.

use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use registry::{Credential, CredentialSource, Error, ErrorKind, SignIn};

use crate::action::Action;
use crate::failure;
use crate::provider::Api;
use crate::session::Session;

/// What the API says to who asks for a password.
#[derive(Debug)]
pub(crate) enum Answer {
    Token(Token),
    /// Nobody asked, because nobody is there; it says where somebody was looked for.
    Nobody(String),
}

/// A password as the API gives it.
pub(crate) struct Token {
    /// `user:password` in base64.
    pub(crate) encoded: Option<String>,
    /// When it ends, in seconds since 1970.
    pub(crate) expires: Option<i64>,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token")
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

/// Signs in with the password that the API gives.
#[derive(Debug)]
pub(crate) struct Password(pub(crate) Arc<Api>);

#[async_trait]
impl CredentialSource for Password {
    async fn sign_in(&self) -> Result<SignIn, Error> {
        let session = self.0.session();
        match self.0.token().await? {
            Answer::Token(token) => sign_in(session, &token, Timestamp::now()),
            Answer::Nobody(tried) => Ok(SignIn {
                credential: Credential::Anonymous,
                origin: format!("anonymous: {tried}"),
                expires: None,
            }),
        }
    }
}

fn sign_in(session: &Session, token: &Token, now: Timestamp) -> Result<SignIn, Error> {
    let (username, password) = token
        .encoded
        .as_deref()
        .and_then(decode)
        .ok_or_else(|| malformed(session))?;
    let expires = token
        .expires
        .and_then(|seconds| Timestamp::from_second(seconds).ok());
    Ok(SignIn {
        credential: Credential::Basic {
            username,
            password: password.into(),
        },
        origin: session.origin(),
        // One that has ended already is for one use: whoever renewed it in time would renew it for ever.
        expires: expires.filter(|expires| *expires > now),
    })
}

fn decode(encoded: &str) -> Option<(String, String)> {
    let decoded = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    let (username, password) = decoded.split_once(':')?;
    Some((username.to_owned(), password.to_owned()))
}

fn malformed(session: &Session) -> Error {
    let doing = failure::doing(session, Action::GetAuthorizationToken, None);
    let message = format!("{doing}: AWS answered without an authorization token that can be read");
    Error::new(ErrorKind::Integrity, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::{Address, Service};
    use crate::identity::Identity;

    fn session() -> Session {
        let address = Address {
            service: Service::Private,
            account: None,
            region: "eu-west-1".to_owned(),
            partition: "aws",
            fips: false,
            dual_stack: false,
            endpoint: None,
        };
        Session::new(
            "ecr".to_owned(),
            "registry.example".parse().unwrap(),
            address,
            Identity::default(),
        )
    }

    fn token(text: &str, expires: i64) -> Token {
        Token {
            encoded: Some(STANDARD.encode(text)),
            expires: Some(expires),
        }
    }

    #[test]
    fn the_password_is_in_the_token() {
        let now = Timestamp::from_second(1_000).unwrap();
        let told = sign_in(&session(), &token("AWS:pass:word", 2_000), now).unwrap();
        let expected = Credential::Basic {
            username: "AWS".to_owned(),
            password: "pass:word".to_owned().into(),
        };
        assert_eq!(told.credential, expected);
        assert_eq!(told.expires, Some(Timestamp::from_second(2_000).unwrap()));
    }

    #[test]
    fn a_token_that_has_ended_already_is_for_one_use() {
        let now = Timestamp::from_second(1_000).unwrap();
        let told = sign_in(&session(), &token("AWS:x", 999), now).unwrap();
        assert_eq!(told.expires, None);
    }

    #[test]
    fn a_token_that_is_none_is_an_error_without_it() {
        let now = Timestamp::from_second(1_000).unwrap();
        let error = sign_in(&session(), &token("CANARY", 2_000), now).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Integrity);
        assert!(!format!("{error:?}").contains("CANARY"));
        assert!(!format!("{:?}", token("CANARY", 2)).contains(&STANDARD.encode("CANARY")));
    }
}
