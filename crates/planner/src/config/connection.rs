//! How to reach a registry, as written.

use oci::RepositoryName;
use serde::{Deserialize, Serialize};

use super::form::LayoutForm;
use super::overrides::ProfileOverrides;

/// An entry of `registries`, as written: `${NAME}` and secret references unexpanded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Connection {
    /// `host[:port]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The directory of an OCI image layout, or its archive; excludes `host`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layout: Option<String>,
    /// The form of the layout, where its path does not tell it. Set by one-shot references alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form: Option<LayoutForm>,
    /// The repository name under which a layout's entries without one appear. Set by one-shot references alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bare: Option<RepositoryName>,
    /// The provider, where it is not to be inferred from the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// Whether the registry is asked over plain HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plain_http: Option<bool>,
    /// Whether the registry's certificate goes unchecked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub insecure_skip_verify: Option<bool>,
    /// Certificates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    /// Who signs in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,
    /// What the registry is spared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// Settings of created repositories, or `false`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub create_repositories: Option<serde_json::Value>,
    /// The registry's resource in Azure's management, where the provider is not to look for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_id: Option<String>,
    /// Whether images are copied by the registries themselves where they can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_side_copy: Option<bool>,
    /// What is known better than the built-in profile of the registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<ProfileOverrides>,
}

impl Connection {
    /// Returns the form of the layout, whose path is expanded.
    #[must_use]
    pub fn layout_form(&self) -> LayoutForm {
        let path = self.layout.as_deref().unwrap_or_default();
        self.form.unwrap_or_else(|| LayoutForm::of_path(path))
    }

    /// Returns true where no repository may come to be: `create_repositories: false`.
    #[must_use]
    pub fn never_creates(&self) -> bool {
        self.create_repositories == Some(serde_json::Value::Bool(false))
    }

    /// Returns the settings of repositories, where there are any.
    #[must_use]
    pub fn settings(&self) -> Option<&serde_json::Map<String, serde_json::Value>> {
        self.create_repositories
            .as_ref()
            .and_then(|value| value.as_object())
    }

    /// Returns true where repositories that stand already get the settings that they lack: `on_drift: update`.
    #[must_use]
    pub fn updates_repositories(&self) -> bool {
        let settings = self.settings();
        settings.and_then(|settings| settings.get("on_drift")) == Some(&serde_json::Value::from("update"))
    }
}

/// Certificates, as paths from the file they stand in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// Authorities to trust beside the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
    /// The client's certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_cert: Option<String>,
    /// The client's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_key: Option<String>,
}

/// A secret by where it stands; never the secret itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum SecretReference {
    /// An environment variable.
    Env(String),
    /// A file.
    File(String),
}

/// Who signs in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    /// Nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anonymous: Option<bool>,
    /// A user, with `password`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The user's password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<SecretReference>,
    /// A bearer token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<SecretReference>,
    /// A docker credential helper, by the part after `docker-credential-`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub helper: Option<String>,
    /// A docker `config.json` or podman `auth.json`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub docker_config: Option<String>,
    /// A host beside the registry's own that may be sent the credential, as the realm of its tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub realm: Option<String>,
    /// The address of the provider's API, where it is not the usual one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// A profile of the AWS configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// The AWS role to assume.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_arn: Option<String>,
    /// The external id that the AWS role asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// The AWS region, where the host does not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The Google service account to act as.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub impersonate: Option<String>,
    /// A Google service account's key file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_file: Option<String>,
    /// The Azure tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<String>,
    /// The Azure application.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// The Azure application's secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<SecretReference>,
    /// The audience of Azure tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
    /// The authority that Azure tokens come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
}

/// What the registry is spared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Requests in flight at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// Requests a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests_per_second: Option<u32>,
    /// Bytes a second in each direction, such as `20MiB/s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bandwidth: Option<String>,
}
