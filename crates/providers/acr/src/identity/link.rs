//! The links of the chain: the ways in which Azure may know us.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use azure_core::cloud::{CloudConfiguration, CustomConfiguration};
use azure_core::credentials::{Secret, TokenCredential};
use azure_core::http::{ClientOptions, ExponentialRetryOptions, RetryOptions, Transport as AzureTransport};
use azure_core::time::Duration;
use azure_identity::{
    AzureCliCredential, AzureCliCredentialOptions, AzureDeveloperCliCredential,
    AzureDeveloperCliCredentialOptions, ClientAssertionCredentialOptions, ClientSecretCredential,
    ClientSecretCredentialOptions, ManagedIdentityCredential, ManagedIdentityCredentialOptions,
    UserAssignedId, WorkloadIdentityCredential, WorkloadIdentityCredentialOptions,
};
use planner::config::SecretReference;
use provider::{Environment, Secrets};
use registry::{Error, ErrorKind, Transport};

use super::client::Client;
use super::metadata;

const TENANT: &str = "AZURE_TENANT_ID";
const CLIENT: &str = "AZURE_CLIENT_ID";
const SECRET: &str = "AZURE_CLIENT_SECRET";
const TOKEN_FILE: &str = "AZURE_FEDERATED_TOKEN_FILE";

/// A way to be known to Azure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Link {
    /// An application with the secret that the configuration points to.
    ClientSecret {
        tenant: String,
        client: String,
        secret: SecretReference,
    },
    /// An application with the secret of the environment.
    EnvironmentSecret,
    /// A token that Kubernetes or a build service issued, for this application or the environment's.
    Workload(Option<String>),
    /// The identity of the machine, or this one of its identities.
    Managed(Option<String>),
    /// Who is logged in at the Azure CLI.
    AzureCli,
    /// Who is logged in at the Azure Developer CLI.
    AzureDeveloperCli,
}

/// What links are made from.
#[derive(Clone)]
pub(crate) struct Sources {
    /// The tenant that the configuration names.
    pub(crate) tenant: Option<String>,
    /// Entra ID.
    pub(crate) authority: String,
    /// Reads the environment.
    pub(crate) environment: Environment,
    /// Reads secrets.
    pub(crate) secrets: Secrets,
    /// The network.
    pub(crate) transport: Arc<dyn Transport>,
}

/// Why a link gives no credential.
#[derive(Debug)]
pub(super) enum Missing {
    /// It is not available here.
    Absent(String),
    /// It is, and does not work.
    Failed(Error),
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClientSecret { .. } => f.write_str("client secret of `auth`"),
            Self::EnvironmentSecret => f.write_str("client secret of the environment"),
            Self::Workload(_) => f.write_str("workload identity"),
            Self::Managed(_) => f.write_str("managed identity"),
            Self::AzureCli => f.write_str("Azure CLI"),
            Self::AzureDeveloperCli => f.write_str("Azure Developer CLI"),
        }
    }
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources")
            .field("authority", &self.authority)
            .finish_non_exhaustive()
    }
}

impl Link {
    /// Makes the credential of this link.
    pub(super) async fn credential(&self, sources: &Sources) -> Result<Arc<dyn TokenCredential>, Missing> {
        match self {
            Self::ClientSecret {
                tenant,
                client,
                secret,
            } => {
                let secret = (sources.secrets)(secret)
                    .map_err(|what| self.failed(format!("`client_secret`: {what}")))?;
                self.client_secret(sources, tenant, client, secret.expose())
            }
            Self::EnvironmentSecret => {
                let secret = sources.variable(SECRET)?;
                self.client_secret(sources, &sources.tenant()?, &sources.variable(CLIENT)?, &secret)
            }
            Self::Workload(client) => self.workload(sources, client.as_deref()),
            Self::Managed(client) => self.managed(sources, client.as_deref()).await,
            Self::AzureCli => {
                let tenant_id = sources.tenant.clone();
                let options = AzureCliCredentialOptions {
                    tenant_id,
                    ..AzureCliCredentialOptions::default()
                };
                let credential = AzureCliCredential::new(Some(options));
                credential.map(erased).map_err(|error| self.broken(&error))
            }
            Self::AzureDeveloperCli => {
                let tenant_id = sources.tenant.clone();
                let options = AzureDeveloperCliCredentialOptions {
                    tenant_id,
                    ..AzureDeveloperCliCredentialOptions::default()
                };
                let credential = AzureDeveloperCliCredential::new(Some(options));
                credential.map(erased).map_err(|error| self.broken(&error))
            }
        }
    }

    fn client_secret(
        &self,
        sources: &Sources,
        tenant: &str,
        client: &str,
        secret: &str,
    ) -> Result<Arc<dyn TokenCredential>, Missing> {
        let client_options = sources.options();
        let options = ClientSecretCredentialOptions { client_options };
        let secret = Secret::new(secret.to_owned());
        ClientSecretCredential::new(tenant, client.to_owned(), secret, Some(options))
            .map(erased)
            .map_err(|error| self.broken(&error))
    }

    fn workload(&self, sources: &Sources, client: Option<&str>) -> Result<Arc<dyn TokenCredential>, Missing> {
        let file = sources.variable(TOKEN_FILE)?;
        let client = match client {
            Some(client) => client.to_owned(),
            None => sources.variable(CLIENT)?,
        };
        let client_options = sources.options();
        let options = WorkloadIdentityCredentialOptions {
            credential_options: ClientAssertionCredentialOptions { client_options },
            client_id: Some(client),
            tenant_id: Some(sources.tenant()?),
            token_file_path: Some(PathBuf::from(file)),
        };
        WorkloadIdentityCredential::new(Some(options))
            .map(erased)
            .map_err(|error| self.broken(&error))
    }

    async fn managed(
        &self,
        sources: &Sources,
        client: Option<&str>,
    ) -> Result<Arc<dyn TokenCredential>, Missing> {
        let elsewhere = ["IDENTITY_ENDPOINT", "MSI_ENDPOINT", "IMDS_ENDPOINT"];
        let named = elsewhere.iter().any(|name| sources.variable(name).is_ok());
        if !named && !metadata::is_there(&sources.transport).await {
            return Err(Missing::Absent("no metadata service answers here".to_owned()));
        }
        let options = ManagedIdentityCredentialOptions {
            user_assigned_id: client.map(|id| UserAssignedId::ClientId(id.to_owned())),
            client_options: sources.options(),
        };
        // What is refused here is a place whose identities the SDK does not know, such as Azure Arc.
        ManagedIdentityCredential::new(Some(options))
            .map(erased)
            .map_err(|error| Missing::Absent(error.to_string()))
    }

    fn failed(&self, what: impl fmt::Display) -> Missing {
        Missing::Failed(Error::new(ErrorKind::Auth, format!("{self}: {what}")))
    }

    fn broken(&self, error: &azure_core::Error) -> Missing {
        self.failed(error)
    }
}

fn erased<C: TokenCredential + 'static>(credential: Arc<C>) -> Arc<dyn TokenCredential> {
    credential
}

impl Sources {
    fn tenant(&self) -> Result<String, Missing> {
        match &self.tenant {
            Some(tenant) => Ok(tenant.clone()),
            None => self.variable(TENANT),
        }
    }

    fn variable(&self, name: &str) -> Result<String, Missing> {
        (self.environment)(name)
            .filter(|value| !value.is_empty())
            .ok_or_else(|| Missing::Absent(format!("{name} is not set")))
    }

    fn options(&self) -> ClientOptions {
        let mut cloud = CustomConfiguration::default();
        cloud.authority_host.clone_from(&self.authority);
        ClientOptions {
            // Without bounds, azure_core tries for a minute and says nothing.
            retry: RetryOptions::exponential(ExponentialRetryOptions {
                max_retries: 2,
                max_total_elapsed: Duration::seconds(10),
                ..ExponentialRetryOptions::default()
            }),
            transport: Some(AzureTransport::new(Arc::new(Client(Arc::clone(&self.transport))))),
            cloud: Some(Arc::new(CloudConfiguration::from(cloud))),
            ..ClientOptions::default()
        }
    }
}
