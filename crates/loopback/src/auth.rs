//! Who may do what.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;

use crate::challenge::{self, Why};
use crate::failure::Failure;
use crate::options::{BearerOptions, Options};
use crate::route::Route;
use crate::scope::needed;
use crate::service::{Call, Service};

/// Lets a request pass, or says how to sign in.
pub(crate) fn check(service: &Service, call: &Call, route: &Route) -> Result<(), Failure> {
    match &service.options.bearer {
        Some(bearer) => check_token(service, bearer, call, route),
        None if knows(&service.options, basic(call).as_ref()) => Ok(()),
        None => Err(challenge::basic()),
    }
}

fn check_token(service: &Service, bearer: &BearerOptions, call: &Call, route: &Route) -> Result<(), Failure> {
    let scopes = needed(call, route);
    let refuse = |why| Err(challenge::bearer(bearer, call, &scopes, why));
    let Some(token) = credentials(call, "bearer") else {
        return refuse(Why::Missing);
    };
    match service.tokens.grants(token) {
        None => refuse(Why::Invalid),
        Some(grants) if scopes.iter().all(|scope| scope.is_within(&grants)) => Ok(()),
        Some(_) => refuse(Why::Insufficient),
    }
}

/// Tells whether this is the registry's user. Without one, everybody is.
pub(crate) fn knows(options: &Options, user: Option<&(String, String)>) -> bool {
    options.basic_auth.is_none() || options.basic_auth.as_ref() == user
}

/// Returns the user and the password that a request carries.
pub(crate) fn basic(call: &Call) -> Option<(String, String)> {
    let decoded = STANDARD.decode(credentials(call, "basic")?).ok()?;
    let text = String::from_utf8(decoded).ok()?;
    text.split_once(':')
        .map(|(user, password)| (user.to_owned(), password.to_owned()))
}

/// Returns what follows the scheme in `Authorization`. Schemes are compared without case.
fn credentials<'a>(call: &'a Call, scheme: &str) -> Option<&'a str> {
    let (written, rest) = call.header(&AUTHORIZATION)?.split_once(' ')?;
    written.eq_ignore_ascii_case(scheme).then(|| rest.trim())
}
