//! Who is signed in, for people and for grants.

use std::fmt;

use crate::adc::KeyFile;

/// Who is signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    /// For people.
    label: String,
    /// As `--member` takes it; a word in capitals is left to be filled in.
    iam: String,
}

impl Member {
    /// A service account.
    pub(crate) fn service_account(email: &str) -> Self {
        Self {
            label: format!("service account {email}"),
            iam: format!("serviceAccount:{email}"),
        }
    }

    /// The metadata server's account.
    pub(crate) fn machine(email: Option<&str>) -> Self {
        match email {
            Some(email) => Self {
                label: format!("{email} (metadata server)"),
                iam: format!("serviceAccount:{email}"),
            },
            None => Self {
                label: "the machine's service account (metadata server)".to_owned(),
                iam: "serviceAccount:EMAIL".to_owned(),
            },
        }
    }

    /// Whoever a token belongs to that the configuration holds.
    pub(crate) fn bearer(origin: &str) -> Self {
        Self {
            label: format!("the owner of the token ({origin})"),
            iam: "user:EMAIL".to_owned(),
        }
    }

    /// Whoever else the configuration names.
    pub(crate) fn stranger(registry: &str) -> Self {
        Self {
            label: format!("whoever `auth` of registry {registry} names"),
            iam: "MEMBER".to_owned(),
        }
    }

    /// Nobody.
    pub(crate) fn nobody() -> Self {
        Self {
            label: "nobody (anonymous)".to_owned(),
            iam: "allUsers".to_owned(),
        }
    }

    /// Whoever a file describes.
    pub(crate) fn of_file(file: &KeyFile) -> Self {
        let origin = &file.origin;
        let acted = file
            .text_of("service_account_impersonation_url")
            .and_then(impersonated)
            .or_else(|| file.text_of("client_email"));
        if let Some(email) = acted {
            return Self {
                label: format!("service account {email} ({origin})"),
                iam: format!("serviceAccount:{email}"),
            };
        }
        match file.kind() {
            "external_account" => Self {
                label: format!("the federated identity of {origin}"),
                iam: pool(file.text_of("audience").unwrap_or_default()),
            },
            _ => match file.text_of("account").filter(|account| !account.is_empty()) {
                Some(account) => Self {
                    label: format!("{account} ({origin})"),
                    iam: format!("user:{account}"),
                },
                None => Self {
                    label: format!("the user of {origin}"),
                    iam: "user:EMAIL".to_owned(),
                },
            },
        }
    }

    pub(crate) fn iam(&self) -> &str {
        &self.iam
    }
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.label)
    }
}

/// Reads the account out of `.../serviceAccounts/EMAIL:generateAccessToken`.
fn impersonated(url: &str) -> Option<&str> {
    url.rsplit_once("/serviceAccounts/")?
        .1
        .strip_suffix(":generateAccessToken")
}

/// Returns all identities of a pool, as grants name them.
///
/// <https://docs.cloud.google.com/iam/docs/principal-identifiers>
fn pool(audience: &str) -> String {
    let pool = audience
        .trim_start_matches("//iam.googleapis.com/")
        .rsplit_once("/providers/")
        .map(|(pool, _)| pool);
    match pool {
        Some(pool) => format!("principalSet://iam.googleapis.com/{pool}/*"),
        None => "principalSet://iam.googleapis.com/POOL/*".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use registry::Secret;
    use serde_json::{Value, json};

    fn member(file: &Value) -> Member {
        Member::of_file(&KeyFile::parse("adc.json".to_owned(), Secret::new(file.to_string())).unwrap())
    }

    #[test]
    fn files_tell_whom_to_grant_to() {
        let url = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/m@p.iam.gserviceaccount.com:generateAccessToken";
        let audience =
            "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/ci/providers/github";
        for (file, iam) in [
            (
                json!({ "type": "service_account", "client_email": "k@p.iam.gserviceaccount.com" }),
                "serviceAccount:k@p.iam.gserviceaccount.com",
            ),
            (
                json!({ "type": "impersonated_service_account", "service_account_impersonation_url": url }),
                "serviceAccount:m@p.iam.gserviceaccount.com",
            ),
            (
                json!({ "type": "external_account", "audience": audience }),
                "principalSet://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/ci/*",
            ),
            (
                json!({ "type": "external_account", "audience": audience, "service_account_impersonation_url": url }),
                "serviceAccount:m@p.iam.gserviceaccount.com",
            ),
            (json!({ "type": "authorized_user", "account": "" }), "user:EMAIL"),
            (
                json!({ "type": "authorized_user", "account": "ann@example.com" }),
                "user:ann@example.com",
            ),
        ] {
            assert_eq!(member(&file).iam(), iam, "{file}");
        }
    }
}
