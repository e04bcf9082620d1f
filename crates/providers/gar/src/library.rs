//! Google's own library, as far as it is used: it makes access tokens of every kind of identity.

use google_cloud_auth::build_errors::Error as BuilderError;
use google_cloud_auth::credentials::{
    AccessTokenCredentials, external_account, impersonated, mds, service_account, user_account,
};
use registry::Error;
use serde_json::{Value, json};

use crate::adc::KeyFile;
use crate::identity::{Identity, Source};
use crate::trouble::{malformed, nobody};

/// The only scope with which the API writes.
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

/// IAM Credentials, which act as service accounts.
const IAM: &str = "https://iamcredentials.googleapis.com";

/// Makes the credentials of an identity, inside the runtime that they need. `iam` is another address of IAM Credentials.
///
/// # Errors
/// A file that lacks something.
pub(crate) fn build(identity: &Identity, iam: Option<&str>) -> Result<AccessTokenCredentials, Error> {
    let result = match identity {
        Identity::Key(file) => of_file(&file.json),
        Identity::Google {
            source: Source::File(file),
            impersonate,
        } => match impersonate {
            None => of_file(&file.json),
            Some(target) => acting(file, target, iam.unwrap_or(IAM)),
        },
        Identity::Google {
            source: Source::Metadata { endpoint, .. },
            impersonate,
        } => of_machine(endpoint, impersonate.as_deref()),
        Identity::Nobody(why) => return Err(nobody(why)),
        Identity::Token { origin, .. } => return Err(nobody(origin)),
    };
    result.map_err(|error| malformed(identity, &error))
}

/// Acts as `target` for whoever the file describes.
fn acting(file: &KeyFile, target: &str, iam: &str) -> Result<AccessTokenCredentials, BuilderError> {
    if file.kind() == "impersonated_service_account" {
        // The file's form does not nest.
        return impersonated::Builder::from_source_credentials(of_file(&file.json)?.into())
            .with_target_principal(target)
            .with_scopes([SCOPE])
            .build_access_token_credentials();
    }
    let iam = iam.trim_end_matches('/');
    let url = format!("{iam}/v1/projects/-/serviceAccounts/{target}:generateAccessToken");
    of_file(&json!({
        "type": "impersonated_service_account",
        "service_account_impersonation_url": url,
        "source_credentials": file.json,
    }))
}

/// Makes the credentials that a file describes.
fn of_file(json: &Value) -> Result<AccessTokenCredentials, BuilderError> {
    let json = json.clone();
    match json.get("type").and_then(Value::as_str) {
        Some("service_account") => service_account::Builder::new(json)
            .with_access_specifier(service_account::AccessSpecifier::from_scopes([SCOPE]))
            .build_access_token_credentials(),
        Some("external_account") => external_account::Builder::new(json)
            .with_scopes([SCOPE])
            .build_access_token_credentials(),
        Some("impersonated_service_account") => impersonated::Builder::new(json)
            .with_scopes([SCOPE])
            .build_access_token_credentials(),
        _ => user_account::Builder::new(json)
            .with_scopes([SCOPE])
            .build_access_token_credentials(),
    }
}

fn of_machine(endpoint: &str, impersonate: Option<&str>) -> Result<AccessTokenCredentials, BuilderError> {
    let machine = mds::Builder::default()
        .with_endpoint(endpoint)
        .with_scopes([SCOPE])
        .build_access_token_credentials()?;
    match impersonate {
        None => Ok(machine),
        Some(target) => impersonated::Builder::from_source_credentials(machine.into())
            .with_target_principal(target)
            .with_scopes([SCOPE])
            .build_access_token_credentials(),
    }
}
