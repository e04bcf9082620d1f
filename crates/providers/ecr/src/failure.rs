//! What Amazon's SDK reports, as what it means.

use std::error::Error as StdError;

use aws_config::imds::client::error::TokenError;
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_ecr::error::{ConnectorError, ProvideErrorMetadata, SdkError};
use aws_sdk_sts::operation::assume_role::AssumeRoleError;
use aws_sdk_sts::operation::assume_role_with_web_identity::AssumeRoleWithWebIdentityError;
use oci::RepositoryName;
use registry::{Error, ErrorKind, printable};

use crate::action::Action;
use crate::advice::{self, Sentence};
use crate::session::Session;

/// What codes mean. Those of Amazon's API that are not here say what they are in their message.
const KINDS: [(ErrorKind, &[&str]); 6] = [
    (
        ErrorKind::Permission,
        &["AccessDeniedException", "AccessDenied", "UnauthorizedException"],
    ),
    (
        ErrorKind::Auth,
        &[
            "ExpiredToken",
            "ExpiredTokenException",
            "IncompleteSignature",
            "InvalidClientTokenId",
            "InvalidIdentityToken",
            "InvalidSignatureException",
            "MissingAuthenticationTokenException",
            "RequestExpired",
            "SignatureDoesNotMatch",
            "UnrecognizedClientException",
        ],
    ),
    (
        ErrorKind::RateLimit,
        &[
            "RequestLimitExceeded",
            "Throttling",
            "ThrottlingException",
            "TooManyRequestsException",
        ],
    ),
    (ErrorKind::Quota, &["LimitExceededException"]),
    (
        ErrorKind::NotFound,
        &["RegistryNotFoundException", "RepositoryNotFoundException"],
    ),
    (
        ErrorKind::Network,
        &[
            "InternalFailure",
            "InternalServerError",
            "ServerException",
            "ServiceUnavailable",
            "ServiceUnavailableException",
        ],
    ),
];

/// Makes the error of a call that failed.
pub(crate) fn failure<E>(
    session: &Session,
    action: Action,
    repository: Option<&RepositoryName>,
    error: &SdkError<E>,
) -> Error
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    let doing = doing(session, action, repository);
    if let Some(credentials) = find::<CredentialsError>(error) {
        return unidentified(session, credentials).during(&doing);
    }
    let SdkError::ServiceError(_) = error else {
        return unanswered(error).during(&doing);
    };
    let (kind, text) = match error.code() {
        Some(code) => (kind(code), text(error)),
        None => uncoded(error),
    };
    let told = Error::new(kind, text.clone());
    let told = match kind {
        ErrorKind::Permission => advice::on_action(session, action, repository, &text).on(told),
        _ => match hint(session, kind, error.code()) {
            Some(hint) => told.with_hint(hint),
            None => told,
        },
    };
    told.during(&doing)
}

/// Says whether AWS answered with this very code.
pub(crate) fn is<E: ProvideErrorMetadata>(error: &SdkError<E>, code: &str) -> bool {
    error.code() == Some(code)
}

/// Says what was tried, and where.
pub(crate) fn doing(session: &Session, action: Action, repository: Option<&RepositoryName>) -> String {
    let (verb, host) = (action.verb(), &session.host);
    match repository {
        Some(repository) => format!("{verb} {host}/{repository}"),
        None => format!("{verb} {host}"),
    }
}

/// Says where nobody was looked for in vain, if that is why a call failed: nobody was asked for, and nobody is there.
pub(crate) fn nobody<E: StdError + 'static>(session: &Session, error: &SdkError<E>) -> Option<String> {
    let outermost = find::<CredentialsError>(error)?;
    // A machine whose metadata service is switched off has as little to say as one without: it gives no session token.
    let absent =
        matches!(outermost, CredentialsError::CredentialsNotLoaded(_)) || find::<TokenError>(error).is_some();
    (absent && !session.identity.is_explicit()).then(|| {
        "no AWS credentials in the environment, the configuration files, a web identity token, the container or the \
         instance metadata"
            .to_owned()
    })
}

/// Reads an answer that is not as AWS's API gives it: that of a proxy, of an endpoint's policy, of a double.
fn uncoded<E>(error: &SdkError<E>) -> (ErrorKind, String) {
    let Some(response) = error.raw_response() else {
        return (ErrorKind::Other, "AWS gave no answer that can be read".to_owned());
    };
    let status = response.status().as_u16();
    let kind = match status {
        401 => ErrorKind::Auth,
        403 => ErrorKind::Permission,
        429 => ErrorKind::RateLimit,
        500..=599 => ErrorKind::Network,
        _ => ErrorKind::Other,
    };
    let body = String::from_utf8_lossy(response.body().bytes().unwrap_or_default());
    let message = body
        .split_once("<Message>")
        .and_then(|(_, rest)| rest.split_once("</Message>"));
    let text = match message {
        Some((message, _)) => printable(&format!("{status}: {message}")),
        None => format!("{status}, in a form that is not AWS's; something may stand in between"),
    };
    (kind, text)
}

fn kind(code: &str) -> ErrorKind {
    KINDS
        .iter()
        .find(|(_, codes)| codes.contains(&code))
        .map_or(ErrorKind::Other, |(kind, _)| *kind)
}

fn text(error: &impl ProvideErrorMetadata) -> String {
    let code = error.code().unwrap_or("an error without a code");
    match error.message() {
        Some(message) => printable(&format!("{code}: {message}")),
        None => printable(code),
    }
}

fn hint(session: &Session, kind: ErrorKind, code: Option<&str>) -> Option<String> {
    let origin = session.origin();
    match (kind, code.unwrap_or_default()) {
        (ErrorKind::Auth, _) => Some(format!(
            "AWS does not take the keys from {origin}; renew them, and check the clock of this machine"
        )),
        (ErrorKind::RateLimit, _) => {
            Some("AWS throttles the account in this region; run it again later".to_owned())
        }
        (ErrorKind::Quota, _) => Some(
            "the account has a quota for it in this region; ask for more under Service Quotas, or remove repositories"
                .to_owned(),
        ),
        (_, "RegistryNotFoundException") => Some(format!(
            "{origin} is of another account than the registry; assume a role there with `auth.role_arn`"
        )),
        (_, "KmsException") => Some(
            "the key must stand in the region of the registry, be enabled, and allow its caller kms:DescribeKey and \
             kms:CreateGrant"
                .to_owned(),
        ),
        _ => None,
    }
}

/// The error of a call that got no answer, or none that can be read.
fn unanswered<E: StdError + 'static>(error: &SdkError<E>) -> Error {
    let kind = match error {
        SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) => ErrorKind::Network,
        SdkError::ResponseError(_) => ErrorKind::Integrity,
        _ => ErrorKind::Other,
    };
    Error::new(kind, printable(&causes(error)))
}

/// The error of an identity that can't be had.
fn unidentified(session: &Session, error: &CredentialsError) -> Error {
    if let Some(refusal) = refused_by_sts(error) {
        return denied(session, &refusal);
    }
    let network = find::<ConnectorError>(error)
        .is_some_and(|connector| connector.is_io() || connector.is_timeout())
        && find_not_loaded(error).is_none();
    let kind = if network {
        ErrorKind::Network
    } else {
        ErrorKind::Auth
    };
    let origin = session.origin();
    let causes = printable(&causes(error));
    let told = Error::new(kind, format!("no credentials from {origin}: {causes}"));
    match renewal(session, &causes, find_not_loaded(error).is_some()) {
        Some(hint) if !network => told.with_hint(hint),
        _ => told,
    }
}

fn renewal(session: &Session, causes: &str, absent: bool) -> Option<String> {
    let lower = causes.to_lowercase();
    let profile = session.identity.profile.as_deref();
    if lower.contains("sso") || lower.contains("token has expired") || lower.contains("access token") {
        return Some(match profile {
            Some(profile) => format!("run `aws sso login --profile {profile}`"),
            None => "run `aws sso login`, with `--profile` where `AWS_PROFILE` names one".to_owned(),
        });
    }
    match (profile, &session.identity.role) {
        (Some(profile), _) if absent => Some(format!(
            "give profile {profile} credentials in ~/.aws/config (`aws configure sso --profile {profile}`), or correct \
             `auth.profile` of registry {}",
            session.name
        )),
        (None, Some(role)) if absent => Some(format!(
            "somebody has to assume {role}: set AWS_PROFILE, or add `profile` to the `auth` of registry {}",
            session.name
        )),
        (None, None) if absent => Some(format!(
            "run `aws configure sso` and set AWS_PROFILE, or add `profile` or `role_arn` to the `auth` of registry {}",
            session.name
        )),
        _ => None,
    }
}

/// What STS says about a role that it does not give.
struct Refusal {
    code: Option<String>,
    text: String,
}

fn refused_by_sts(error: &CredentialsError) -> Option<Refusal> {
    let assumed = find::<SdkError<AssumeRoleError>>(error).and_then(refusal);
    assumed.or_else(|| find::<SdkError<AssumeRoleWithWebIdentityError>>(error).and_then(refusal))
}

fn refusal<E: ProvideErrorMetadata>(error: &SdkError<E>) -> Option<Refusal> {
    matches!(error, SdkError::ServiceError(_)).then(|| Refusal {
        code: error.code().map(str::to_owned),
        text: text(error),
    })
}

fn denied(session: &Session, refusal: &Refusal) -> Error {
    let kind = refusal.code.as_deref().map_or(ErrorKind::Other, kind);
    let origin = session.origin();
    let error = Error::new(kind, format!("no credentials from {origin}: {}", refusal.text));
    if kind != ErrorKind::Permission {
        return match kind {
            ErrorKind::Auth => error.with_hint(format!(
                "STS does not take what it was shown; renew the credentials behind {origin}"
            )),
            _ => error,
        };
    }
    let sentence = Sentence::read(&refusal.text);
    let who = sentence
        .user
        .map_or_else(|| "its caller".to_owned(), str::to_owned);
    let role = session.identity.role.as_deref().or(sentence.resource);
    let role = role.unwrap_or("the role");
    let condition = if session.identity.external_id.is_some() {
        ", under the external id that `auth.external_id` gives"
    } else {
        ", under an external id if `auth.external_id` gives one"
    };
    let action = sentence.action.unwrap_or("sts:AssumeRole");
    error.with_hint(format!(
        "grant {action} on {role} to {who}, and let the trust policy of {role} name {who}{condition}"
    ))
}

/// Finds a cause by its type.
fn find<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(cause) = next {
        if let Some(found) = cause.downcast_ref() {
            return Some(found);
        }
        next = cause.source();
    }
    None
}

/// Finds out whether there were no credentials at the bottom of it all.
fn find_not_loaded(error: &CredentialsError) -> Option<&CredentialsError> {
    let mut next = Some(error as &(dyn StdError + 'static));
    while let Some(cause) = next {
        match cause.downcast_ref::<CredentialsError>() {
            Some(found @ CredentialsError::CredentialsNotLoaded(_)) => return Some(found),
            _ => next = cause.source(),
        }
    }
    None
}

/// Says all that an error says, and its causes, once each.
fn causes(error: &dyn StdError) -> String {
    let mut said: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(cause) = next {
        let text = cause.to_string();
        if !said.iter().any(|before| before.contains(&text)) {
            said.push(text);
        }
        next = cause.source();
    }
    said.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_their_kinds() {
        for (code, expected) in [
            ("AccessDeniedException", ErrorKind::Permission),
            ("ThrottlingException", ErrorKind::RateLimit),
            ("LimitExceededException", ErrorKind::Quota),
            ("ExpiredTokenException", ErrorKind::Auth),
            ("RepositoryNotFoundException", ErrorKind::NotFound),
            ("ServerException", ErrorKind::Network),
            ("InvalidParameterException", ErrorKind::Other),
        ] {
            assert_eq!(kind(code), expected, "{code}");
        }
    }

    #[test]
    fn causes_are_said_once() {
        let inner = CredentialsError::not_loaded("no profile");
        let error = CredentialsError::provider_error(inner);
        assert_eq!(
            causes(&error),
            "an error occurred while loading credentials: the credential provider was not enabled: no profile"
        );
        assert!(find_not_loaded(&error).is_some());
        assert!(find_not_loaded(&CredentialsError::provider_error("x")).is_none());
    }
}
