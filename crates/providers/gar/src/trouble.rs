//! Why somebody can't sign in, and what to do about it.

use std::error::Error as _;

use google_cloud_auth::build_errors::Error as BuilderError;
use google_cloud_auth::errors::CredentialsError;
use registry::{Error, ErrorKind};
use serde_json::Value;

use crate::adc::FORMS;
use crate::identity::{Identity, Source};
use crate::member::Member;

/// Fields of files that are never told.
const SECRETS: [&str; 3] = ["private_key", "refresh_token", "client_secret"];

/// The most of a failure's text that is told, in characters.
const MAX_TOLD: usize = 600;

/// Says that somebody has to sign in.
pub(crate) fn nobody(why: &str) -> Error {
    Error::new(
        ErrorKind::Auth,
        format!("Google's API answers nobody who is not signed in: {why}"),
    )
    .with_hint("sign in: gcloud auth application-default login; or name `auth.key_file`")
}

/// Says what is wrong with a file, without what stands in it.
pub(crate) fn malformed(identity: &Identity, error: &BuilderError) -> Error {
    let text = error.source().map(ToString::to_string).unwrap_or_default();
    // Only this text of the parser never holds a value.
    let what = text.find("missing field").map_or("is malformed", |at| {
        text[at..].split(" at line").next().unwrap_or_default()
    });
    let origin = identity.file().map_or("the identity", |file| &file.origin);
    Error::new(ErrorKind::Auth, format!("{origin}: {what}")).with_hint(FORMS)
}

/// Says why no token came.
pub(crate) fn failed(identity: &Identity, error: &CredentialsError) -> Error {
    let text = told(identity, error);
    let member = identity.member();
    let message = format!("Google gives no token to {member}: {text}");
    let kind = if error.is_transient() {
        ErrorKind::Network
    } else {
        ErrorKind::Auth
    };
    let says = |words: &str| text.contains(words);
    if says("invalid_grant") || says("invalid_rapt") {
        return Error::new(ErrorKind::Auth, message)
            .with_hint("sign in again: gcloud auth application-default login");
    }
    if says("SERVICE_DISABLED") {
        return Error::new(ErrorKind::Permission, message).with_hint(
            "enable the API: gcloud services enable iamcredentials.googleapis.com --project PROJECT",
        );
    }
    match identity {
        Identity::Google {
            source,
            impersonate: Some(target),
        } if says("PERMISSION_DENIED") || says("403") => {
            Error::new(ErrorKind::Permission, message).with_hint(impersonation_grant(source, target))
        }
        _ => Error::new(kind, message),
    }
}

fn impersonation_grant(source: &Source, target: &str) -> String {
    let source = match source {
        Source::File(file) => Member::of_file(file),
        Source::Metadata { email, .. } => Member::machine(email.as_deref()),
    };
    format!(
        "{source} lacks iam.serviceAccounts.getAccessToken: gcloud iam service-accounts add-iam-policy-binding {target} \
         --member={} --role=roles/iam.serviceAccountTokenCreator (a grant takes up to 7 minutes to be seen)",
        source.iam()
    )
}

/// Puts a failure and its causes in one line, without secrets that a service might have repeated.
fn told(identity: &Identity, error: &CredentialsError) -> String {
    let mut parts = vec![error.to_string()];
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        if !parts.iter().any(|part| part.contains(&text)) {
            parts.push(text);
        }
        source = cause.source();
    }
    let mut text = parts.join(": ");
    for secret in SECRETS {
        let json = identity.file().map(|file| &file.json);
        let nested = json.and_then(|json| json.get("source_credentials"));
        for file in json.into_iter().chain(nested) {
            if let Some(value) = file
                .get(secret)
                .and_then(Value::as_str)
                .filter(|value| !value.is_empty())
            {
                text = text.replace(value, "***");
            }
        }
    }
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().filter(|c| !c.is_control()).take(MAX_TOLD).collect()
}
