//! What registries can do, by the software or service behind them.

use oci::Host;
use planner::{Capabilities, Creation, MountRule};

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
    /// Harbor, wherever it runs: no host tells, the configuration does.
    Harbor,
    /// Any other: it is taken to follow the specification.
    Other,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Layout,
        Self::DockerHub,
        Self::Github,
        Self::Ecr,
        Self::EcrPublic,
        Self::Google,
        Self::Azure,
        Self::Harbor,
        Self::Other,
    ];

    /// Recognises a service by the host it is reached at.
    #[must_use]
    pub fn of(host: &Host) -> Self {
        let name = host.name();
        let ends = |suffix: &str| name.strip_suffix(suffix).is_some_and(|rest| rest.ends_with('.'));
        match name {
            "docker.io" => Self::DockerHub,
            "ghcr.io" => Self::Github,
            "public.ecr.aws" => Self::EcrPublic,
            "gcr.io" => Self::Google,
            _ if name.contains(".dkr.ecr") && (ends("amazonaws.com") || ends("amazonaws.com.cn")) => {
                Self::Ecr
            }
            _ if ends("pkg.dev") || ends("gcr.io") => Self::Google,
            _ if ends("azurecr.io") => Self::Azure,
            _ => Self::Other,
        }
    }

    /// Returns what a registry of this class can do.
    #[must_use]
    pub fn capabilities(self) -> Capabilities {
        let (mount, creation, referrers_api) = match self {
            // Blobs are shared by all repositories of a layout, its index lists what refers to a manifest.
            Self::Layout => (MountRule::Any, Creation::OnPush, Some(true)),
            // GitHub has no referrers API and answers 404 for it.
            Self::Github => (MountRule::Any, Creation::OnPush, Some(false)),
            // ECR mounts what a manifest of the other repository names. It refuses to list the referrers of some
            // manifests; that says nothing about the others.
            Self::Ecr => (MountRule::Committed, Creation::Call, Some(true)),
            Self::EcrPublic => (MountRule::Never, Creation::Call, Some(false)),
            Self::Google => (MountRule::Any, Creation::Call, Some(true)),
            Self::Azure => (MountRule::Any, Creation::OnPush, Some(true)),
            Self::DockerHub | Self::Harbor | Self::Other => (MountRule::Any, Creation::OnPush, None),
        };
        Capabilities {
            mount,
            creation,
            referrers_api,
            ..Capabilities::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(host: &str) -> Class {
        Class::of(&host.parse().unwrap())
    }

    #[test]
    fn services_are_recognised_by_their_hosts() {
        assert_eq!(class("docker.io"), Class::DockerHub);
        assert_eq!(class("ghcr.io"), Class::Github);
        assert_eq!(class("123456789012.dkr.ecr.eu-west-1.amazonaws.com"), Class::Ecr);
        assert_eq!(
            class("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn"),
            Class::Ecr
        );
        assert_eq!(class("public.ecr.aws"), Class::EcrPublic);
        assert_eq!(class("europe-west1-docker.pkg.dev"), Class::Google);
        assert_eq!(class("eu.gcr.io"), Class::Google);
        assert_eq!(class("contoso.azurecr.io"), Class::Azure);
        assert_eq!(class("127.0.0.1:5000"), Class::Other);
    }

    #[test]
    fn a_host_that_only_ends_like_a_service_is_another() {
        assert_eq!(class("evilazurecr.io"), Class::Other);
        assert_eq!(class("notgcr.io"), Class::Other);
        assert_eq!(class("a.dkr.ecr.example.com"), Class::Other);
    }

    #[test]
    fn a_layout_mounts_creates_and_lists_referrers() {
        let expected = Capabilities {
            mount: MountRule::Any,
            creation: Creation::OnPush,
            referrers_api: Some(true),
            ..Capabilities::default()
        };
        assert_eq!(Class::Layout.capabilities(), expected);
    }
}
