//! The registry as Azure's resource.

use registry::{Error, ErrorKind};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{Management, VERSION, checked};
use crate::cloud::registry_name;
use crate::permission::Mode;

/// The version of the subscriptions' API that is spoken.
const SUBSCRIPTIONS: &str = "2022-12-01";
/// More pages than this are a listing that goes round in circles.
const MAX_PAGES: usize = 1_000;

/// The registry as Azure's resource.
///
/// <https://learn.microsoft.com/rest/api/container-registry/registries/get>
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Resource {
    /// `/subscriptions/.../registries/NAME`.
    pub(crate) id: String,
    name: String,
    properties: Properties,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Properties {
    #[serde(default)]
    login_server: String,
    #[serde(default)]
    provisioning_state: Option<String>,
    #[serde(default)]
    public_network_access: Option<String>,
    #[serde(default)]
    network_rule_set: Option<NetworkRules>,
    #[serde(default)]
    role_assignment_mode: Option<String>,
    #[serde(default)]
    policies: Policies,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct NetworkRules {
    #[serde(default)]
    default_action: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Policies {
    quarantine_policy: Option<Policy>,
    #[serde(rename = "azureADAuthenticationAsArmPolicy")]
    authentication_as_arm: Option<Policy>,
}

#[derive(Clone, Debug, Deserialize)]
struct Policy {
    #[serde(default)]
    status: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page<T> {
    #[serde(default = "Vec::new")]
    value: Vec<T>,
    #[serde(default)]
    next_link: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Subscription {
    subscription_id: String,
}

impl Resource {
    /// Returns how it checks permissions.
    pub(crate) fn mode(&self) -> Mode {
        match self.properties.role_assignment_mode.as_deref() {
            Some("AbacRepositoryPermissions") => Mode::Repository,
            _ => Mode::Registry,
        }
    }

    /// Says why nothing can be pushed there, where that is so.
    pub(crate) fn refuses(&self) -> Option<String> {
        let state = self.properties.provisioning_state.as_deref()?;
        let serves = matches!(state, "Succeeded" | "Updating");
        (!serves).then(|| format!("the registry {} is in provisioning state {state}", self.name))
    }

    /// Says what keeps people out who have every permission, for errors.
    pub(crate) fn reservations(&self) -> Vec<&'static str> {
        let properties = &self.properties;
        let rules = properties.network_rule_set.as_ref();
        let says = |policy: &Option<Policy>, status: &str| {
            policy.as_ref().and_then(|policy| policy.status.as_deref()) == Some(status)
        };
        let told = [
            (
                properties.public_network_access.as_deref() == Some("Disabled"),
                "public network access is disabled: run where a private endpoint of the registry is reached",
            ),
            (
                rules.and_then(|rules| rules.default_action.as_deref()) == Some("Deny"),
                "only the networks in the registry's rules are let in",
            ),
            (
                says(&properties.policies.authentication_as_arm, "disabled"),
                "tokens for Azure Resource Manager are not taken: the audience is https://containerregistry.azure.net",
            ),
            (
                says(&properties.policies.quarantine_policy, "enabled"),
                "images that are pushed are quarantined until somebody releases them",
            ),
        ];
        told.into_iter()
            .filter(|(holds, _)| *holds)
            .map(|(_, text)| text)
            .collect()
    }

    /// Returns true where the registry answers at `host`, or at a regional name of it.
    fn answers_at(&self, host: &oci::Host) -> bool {
        let login_server = &self.properties.login_server;
        let is_regional = || {
            let named: Option<oci::Host> = login_server.parse().ok();
            host.name().contains(".geo.") && named.as_ref().and_then(registry_name) == registry_name(host)
        };
        login_server.eq_ignore_ascii_case(host.as_str()) || is_regional()
    }
}

impl Management {
    /// Describes the registry that the configuration names.
    ///
    /// <https://learn.microsoft.com/rest/api/container-registry/registries/get>
    pub(super) async fn describe(&self, id: &str) -> Result<Resource, Error> {
        let action = format!("describe {id}");
        let reply = self.get(self.url(id, VERSION)?).await?;
        let resource: Resource = checked(reply, &action)
            .map_err(|error| match error.kind() {
                ErrorKind::NotFound => {
                    error.with_better_hint("correct `resource_id`, or create the registry: az acr create")
                }
                _ => error,
            })?
            .json("the registry's resource")?;
        let host = &self.session.places.host;
        // A host that is not Azure's is somebody's own name for the registry.
        if registry_name(host).is_some() && !resource.answers_at(host) {
            let login_server = &resource.properties.login_server;
            let message =
                format!("`resource_id` names a registry that answers at {login_server}, and not at {host}");
            return Err(Error::new(ErrorKind::Policy, message).with_hint("correct `resource_id` or `host`"));
        }
        Ok(resource)
    }

    /// Searches all subscriptions that we see.
    ///
    /// <https://learn.microsoft.com/rest/api/resources/subscriptions/list>,
    /// <https://learn.microsoft.com/rest/api/container-registry/registries/list>
    pub(super) async fn search(&self) -> Result<Resource, Error> {
        let host = self.session.places.host.clone();
        let subscriptions: Vec<Subscription> = self.all("subscriptions", SUBSCRIPTIONS).await?;
        for subscription in &subscriptions {
            let id = &subscription.subscription_id;
            let path = format!("subscriptions/{id}/providers/Microsoft.ContainerRegistry/registries");
            let registries: Vec<Resource> = self.all(&path, VERSION).await?;
            if let Some(found) = registries.into_iter().find(|registry| registry.answers_at(&host)) {
                return Ok(found);
            }
        }
        let message = format!(
            "none of the registries in the {} subscriptions that we see answers at {host}",
            subscriptions.len()
        );
        let hint = format!(
            "grant role \"Reader\" on the registry, or name it: resource_id, as `az acr show --name {} --query id` says",
            registry_name(&host).unwrap_or("NAME")
        );
        Err(Error::new(ErrorKind::NotFound, message).with_hint(hint))
    }

    async fn all<T: DeserializeOwned>(&self, path: &str, version: &str) -> Result<Vec<T>, Error> {
        let action = format!("list {path}");
        let mut url = self.url(path, version)?;
        let mut all = Vec::new();
        for _ in 0..MAX_PAGES {
            let reply = checked(self.get(url).await?, &action)?;
            let page: Page<T> = reply.json(&action)?;
            all.extend(page.value);
            match page.next_link.filter(|link| !link.is_empty()) {
                Some(link) => url = self.own(&link)?,
                None => return Ok(all),
            }
        }
        Err(Error::new(
            ErrorKind::Integrity,
            format!("{action}: it has no end"),
        ))
    }
}
