//! What a client is told that has to sign in.

use http::header::{HOST, WWW_AUTHENTICATE};

use crate::failure::{Code, Failure};
use crate::options::BearerOptions;
use crate::scope::Scope;
use crate::service::Call;

/// Why a bearer token is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// None was sent.
    Missing,
    /// It is unknown, or its time is over.
    Invalid,
    /// It allows something else.
    Insufficient,
}

/// Asks for a user and a password.
pub(crate) fn basic() -> Failure {
    unauthorized("Basic realm=\"loopback\"")
}

/// Asks for a token, and says where to get it.
///
/// <https://distribution.github.io/distribution/spec/auth/token/>
pub(crate) fn bearer(options: &BearerOptions, call: &Call, scopes: &[Scope], why: Why) -> Failure {
    let realm = options
        .realm
        .clone()
        .unwrap_or_else(|| format!("http://{}/token", call.header(&HOST).unwrap_or("localhost")));
    let mut text = format!("Bearer realm=\"{realm}\",service=\"{}\"", options.service);
    if !scopes.is_empty() {
        let scopes: Vec<String> = scopes.iter().map(ToString::to_string).collect();
        text += &format!(",scope=\"{}\"", scopes.join(" "));
    }
    text += match why {
        Why::Missing => "",
        Why::Invalid => ",error=\"invalid_token\"",
        Why::Insufficient => ",error=\"insufficient_scope\"",
    };
    unauthorized(&text)
}

fn unauthorized(challenge: &str) -> Failure {
    Failure::new(Code::Unauthorized, "authentication required").with_header(WWW_AUTHENTICATE, challenge)
}
