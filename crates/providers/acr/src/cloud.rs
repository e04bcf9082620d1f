//! The clouds of Azure, and which of them a registry belongs to.

use oci::Host;

/// One of Azure's clouds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Cloud {
    /// What its registries' names end with.
    pub(crate) suffix: &'static str,
    /// Where Entra ID grants tokens.
    pub(crate) authority: &'static str,
    /// Azure Resource Manager, which is also whom tokens for it are for.
    pub(crate) management: &'static str,
}

/// Whom tokens for registries are for, in every cloud. It is taken whatever `azureADAuthenticationAsArmPolicy` says.
///
/// <https://learn.microsoft.com/azure/container-registry/container-registry-disable-authentication-as-arm>
pub(crate) const AUDIENCE: &str = "https://containerregistry.azure.net";

const PUBLIC: Cloud = Cloud {
    suffix: "azurecr.io",
    authority: "https://login.microsoftonline.com",
    management: "https://management.azure.com",
};

const CHINA: Cloud = Cloud {
    suffix: "azurecr.cn",
    authority: "https://login.chinacloudapi.cn",
    management: "https://management.chinacloudapi.cn",
};

const GOVERNMENT: Cloud = Cloud {
    suffix: "azurecr.us",
    authority: "https://login.microsoftonline.us",
    management: "https://management.usgovcloudapi.net",
};

impl Cloud {
    /// Returns the cloud of a registry: the public one, where its name does not tell.
    pub(crate) fn of(host: &Host) -> &'static Self {
        [&CHINA, &GOVERNMENT]
            .into_iter()
            .find(|cloud| registry_in(host.name(), cloud.suffix).is_some())
            .unwrap_or(&PUBLIC)
    }
}

/// Returns the name of the registry at `host`, as `az acr` takes it; `None` for a host that is not Azure's.
///
/// `contoso.azurecr.io`, or `contoso.westeurope.geo.azurecr.io` for the replica of a region.
pub(crate) fn registry_name(host: &Host) -> Option<&str> {
    [&PUBLIC, &CHINA, &GOVERNMENT]
        .into_iter()
        .find_map(|cloud| registry_in(host.name(), cloud.suffix))
}

fn registry_in<'a>(host: &'a str, suffix: &str) -> Option<&'a str> {
    let rest = host.strip_suffix(suffix)?.strip_suffix('.')?;
    let (name, region) = rest
        .split_once('.')
        .map_or((rest, None), |(name, rest)| (name, Some(rest)));
    let is_region = |rest: &str| {
        rest.strip_suffix(".geo")
            .is_some_and(|region| !region.contains('.'))
    };
    (!name.is_empty() && region.is_none_or(is_region)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(host: &str) -> (&'static str, Option<String>) {
        let host: Host = host.parse().unwrap();
        (
            Cloud::of(&host).authority,
            registry_name(&host).map(str::to_owned),
        )
    }

    #[test]
    fn a_hosts_name_tells_its_cloud_and_its_registry() {
        let contoso = Some("contoso".to_owned());
        for (host, cloud, name) in [
            ("contoso.azurecr.io", &PUBLIC, contoso.clone()),
            ("contoso.westeurope.geo.azurecr.io", &PUBLIC, contoso.clone()),
            ("contoso.azurecr.cn", &CHINA, contoso.clone()),
            ("contoso.azurecr.us", &GOVERNMENT, contoso.clone()),
            ("contoso.usgovvirginia.geo.azurecr.us", &GOVERNMENT, contoso),
            (
                "contoso-a1b2c3.azurecr.io",
                &PUBLIC,
                Some("contoso-a1b2c3".to_owned()),
            ),
            ("registry.corp.example", &PUBLIC, None),
            ("contoso.evil.azurecr.us", &PUBLIC, None),
            ("evilazurecr.us", &PUBLIC, None),
            ("azurecr.us", &PUBLIC, None),
            ("localhost:5000", &PUBLIC, None),
        ] {
            assert_eq!(seen(host), (cloud.authority, name), "{host}");
        }
    }
}
