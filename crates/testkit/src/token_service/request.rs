//! What a token service is asked.

use std::collections::BTreeMap;
use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use url::form_urlencoded;

/// A request for a token: the query of a GET, or the form of a POST.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRequest {
    /// GET or POST.
    pub method: Method,
    /// The user and the password of HTTP Basic.
    pub basic: Option<(String, String)>,
    /// The registry that the token is for.
    pub service: String,
    /// What the token is for, `repository:team/app:pull` for example, in the order of the request.
    pub scopes: Vec<String>,
    /// All else: `grant_type`, `refresh_token`, `client_id`, ...
    pub parameters: BTreeMap<String, String>,
}

impl TokenRequest {
    /// Returns a parameter.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str)
    }

    /// Returns true where it brings this user and password, by HTTP Basic or in its form.
    #[must_use]
    pub fn is_from(&self, username: &str, password: &str) -> bool {
        let posted = || Some((self.parameter("username")?, self.parameter("password")?));
        let basic = self
            .basic
            .as_ref()
            .map(|(name, word)| (name.as_str(), word.as_str()));
        basic.or_else(posted) == Some((username, password))
    }

    /// Returns the user that the token speaks of.
    pub(super) fn subject(&self) -> &str {
        let basic = self.basic.as_ref().map(|(name, _)| name.as_str());
        basic.or_else(|| self.parameter("username")).unwrap_or_default()
    }

    pub(super) async fn read(request: Request<Incoming>) -> io::Result<Result<Self, StatusCode>> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        if head.uri.path() != "/token" {
            return Ok(Err(StatusCode::NOT_FOUND));
        }
        let asked = match head.method {
            Method::GET => head.uri.query().unwrap_or_default().as_bytes(),
            Method::POST => &body,
            _ => return Ok(Err(StatusCode::METHOD_NOT_ALLOWED)),
        };
        let mut read = Self {
            basic: basic(&head.headers),
            method: head.method,
            service: String::new(),
            scopes: Vec::new(),
            parameters: BTreeMap::new(),
        };
        for (name, value) in form_urlencoded::parse(asked) {
            match &*name {
                "service" => read.service = value.into_owned(),
                "scope" => read
                    .scopes
                    .extend(value.split_ascii_whitespace().map(str::to_owned)),
                _ => drop(read.parameters.insert(name.into_owned(), value.into_owned())),
            }
        }
        Ok(Ok(read))
    }
}

fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (username, password) = text.split_once(':')?;
    Some((username.to_owned(), password.to_owned()))
}
