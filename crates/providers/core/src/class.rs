//! The registries whose behaviour is known beforehand.

use std::fmt;

use oci::Host;
use planner::config::{infer_provider, is_ecr_public};

/// The registries whose behaviour is known beforehand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// An OCI image layout on disk.
    Layout,
    /// Docker Hub.
    DockerHub,
    /// GitHub's container registry.
    Github,
    /// Amazon ECR, private.
    Ecr,
    /// Amazon ECR Public.
    EcrPublic,
    /// Google Artifact Registry, and `gcr.io` that it serves.
    Google,
    /// Azure Container Registry.
    Azure,
    /// Any other: it is taken to follow the specification.
    Other,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Layout,
        Self::DockerHub,
        Self::Github,
        Self::Ecr,
        Self::EcrPublic,
        Self::Google,
        Self::Azure,
        Self::Other,
    ];

    /// Returns the class of the registry at `host`. What `provider` says of a connection comes before what the host tells.
    #[must_use]
    pub fn of(host: &Host, provider: Option<&str>) -> Self {
        match provider.unwrap_or_else(|| infer_provider(host)) {
            "ecr" if is_ecr_public(host) => Self::EcrPublic,
            "ecr" => Self::Ecr,
            "gar" => Self::Google,
            "acr" => Self::Azure,
            _ => match host.name() {
                "docker.io" => Self::DockerHub,
                "ghcr.io" => Self::Github,
                _ => Self::Other,
            },
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Layout => "OCI image layout",
            Self::DockerHub => "Docker Hub",
            Self::Github => "GitHub Container Registry",
            Self::Ecr => "Amazon ECR",
            Self::EcrPublic => "Amazon ECR Public",
            Self::Google => "Google Artifact Registry",
            Self::Azure => "Azure Container Registry",
            Self::Other => "a registry that follows the specification",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hosts of every kind, with the provider that the planner infers and the class that follows.
    const HOSTS: [(&str, &str, Class); 26] = [
        ("docker.io", "generic", Class::DockerHub),
        ("ghcr.io", "generic", Class::Github),
        ("123456789012.dkr.ecr.eu-west-1.amazonaws.com", "ecr", Class::Ecr),
        (
            "123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com",
            "ecr",
            Class::Ecr,
        ),
        (
            "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn",
            "ecr",
            Class::Ecr,
        ),
        (
            "123456789012.dkr.ecr.eusc-de-east-1.amazonaws.eu",
            "ecr",
            Class::Ecr,
        ),
        ("123456789012.dkr.ecr.us-iso-east-1.c2s.ic.gov", "ecr", Class::Ecr),
        ("123456789012.dkr-ecr.eu-west-1.on.aws", "ecr", Class::Ecr),
        ("123456789012.dkr-ecr-fips.us-east-1.on.aws", "ecr", Class::Ecr),
        (
            "123456789012.dkr-ecr.cn-north-1.on.amazonwebservices.com.cn",
            "ecr",
            Class::Ecr,
        ),
        ("public.ecr.aws", "ecr", Class::EcrPublic),
        ("ecr-public.aws.com", "ecr", Class::EcrPublic),
        ("europe-west1-docker.pkg.dev", "gar", Class::Google),
        ("us-docker.pkg.dev", "gar", Class::Google),
        ("gcr.io", "gar", Class::Google),
        ("eu.gcr.io", "gar", Class::Google),
        ("contoso.azurecr.io", "acr", Class::Azure),
        ("contoso.azurecr.cn", "acr", Class::Azure),
        ("contoso.azurecr.us", "acr", Class::Azure),
        ("contoso.westeurope.geo.azurecr.io", "acr", Class::Azure),
        ("127.0.0.1:5000", "generic", Class::Other),
        ("a.dkr.ecr.example.com", "generic", Class::Other),
        ("evilazurecr.io", "generic", Class::Other),
        ("x.pkg.dev", "generic", Class::Other),
        ("notgcr.io", "generic", Class::Other),
        ("x.docker.io", "generic", Class::Other),
    ];

    #[test]
    fn class_and_provider_of_a_host_agree() {
        for (host, provider, class) in HOSTS {
            let host: Host = host.parse().unwrap();
            assert_eq!(infer_provider(&host), provider, "{host}");
            assert_eq!(Class::of(&host, None), class, "{host}");
            // Saying what the host tells anyway changes nothing.
            assert_eq!(Class::of(&host, Some(provider)), class, "{host}");
        }
    }

    #[test]
    fn a_named_provider_comes_before_the_host() {
        for host in ["localhost:5000", "vpce-1.example.com", "contoso.azurecr.io"] {
            let host: Host = host.parse().unwrap();
            for (provider, class) in [
                ("ecr", Class::Ecr),
                ("gar", Class::Google),
                ("acr", Class::Azure),
                ("generic", Class::Other),
            ] {
                assert_eq!(Class::of(&host, Some(provider)), class, "{host} {provider}");
            }
        }
    }
}
