//! What was asked.

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderMap, Method, Request};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use url::form_urlencoded;

/// A request, without its secrets' sense: they are compared where they are taken.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The method.
    pub method: Method,
    /// The path, `%2F` and the like decoded.
    pub path: String,
    /// The parameters of the query, and of the form where the body is one.
    pub parameters: Vec<(String, String)>,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Asked {
    /// Returns the first parameter of a name.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let named = self.parameters.iter().find(|(key, _)| key == name);
        named.map(|(_, value)| value.as_str())
    }

    /// Returns the token that it brings.
    #[must_use]
    pub fn bearer(&self) -> Option<&str> {
        self.headers
            .get(AUTHORIZATION)?
            .to_str()
            .ok()?
            .strip_prefix("Bearer ")
    }

    /// Returns the user and the password that it brings.
    #[must_use]
    pub fn basic(&self) -> Option<(String, String)> {
        let encoded = self
            .headers
            .get(AUTHORIZATION)?
            .to_str()
            .ok()?
            .strip_prefix("Basic ")?;
        let text = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
        let (user, password) = text.split_once(':')?;
        Some((user.to_owned(), password.to_owned()))
    }

    pub(super) async fn read(request: Request<Incoming>) -> io::Result<Self> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        let query = head.uri.query().unwrap_or_default().as_bytes();
        let is_form = head
            .headers
            .get(http::header::CONTENT_TYPE)
            .is_some_and(|value| value.as_bytes().starts_with(b"application/x-www-form-urlencoded"));
        let form: &[u8] = if is_form { &body } else { b"" };
        let parameters = form_urlencoded::parse(query)
            .chain(form_urlencoded::parse(form))
            .map(|(key, value)| (key.into_owned(), value.into_owned()))
            .collect();
        Ok(Self {
            path: decoded(head.uri.path()),
            method: head.method,
            parameters,
            headers: head.headers,
            body,
        })
    }
}

/// Decodes a path as a form does, in which a plus stands for itself.
fn decoded(path: &str) -> String {
    let text = path.replace('+', "%2B");
    form_urlencoded::parse(format!("p={text}").as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}
