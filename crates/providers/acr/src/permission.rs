//! What is needed for what, and which role grants it.
//!
//! <https://learn.microsoft.com/azure/container-registry/container-registry-rbac-built-in-roles-directory-reference>

/// How a registry checks permissions: its `roleAssignmentMode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// For the whole registry: `LegacyRegistryPermissions`.
    Registry,
    /// For each repository: `AbacRepositoryPermissions`. Roles for whole registries give nothing there.
    Repository,
}

/// What the provider and the client of a registry need permission for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Permission {
    /// Reading manifests and blobs.
    Pull,
    /// Writing them.
    Push,
    /// Listing what stands in a repository.
    Metadata,
    /// Listing repositories.
    Catalogue,
    /// Locking a tag.
    Lock,
    /// Reading the registry's resource.
    Describe,
    /// Importing images.
    Import,
}

/// What is granted, and by what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    /// The operation, as role definitions name it.
    pub(crate) action: Action,
    /// The built-in role with the fewest others in it.
    pub(crate) role: &'static str,
}

/// An operation, by the list of a role definition that it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// `Actions`.
    Control(&'static str),
    /// `DataActions`.
    Data(&'static str),
}

const READER: &str = "Container Registry Repository Reader";
const WRITER: &str = "Container Registry Repository Writer";

impl Permission {
    /// Returns what grants it.
    pub(crate) fn grant(self, mode: Mode) -> Grant {
        let (action, role) = match (self, mode) {
            (Self::Pull | Self::Metadata | Self::Catalogue, Mode::Registry) => (
                Action::Control("Microsoft.ContainerRegistry/registries/pull/read"),
                "AcrPull",
            ),
            (Self::Pull, Mode::Repository) => (
                Action::Data("Microsoft.ContainerRegistry/registries/repositories/content/read"),
                READER,
            ),
            (Self::Metadata, Mode::Repository) => (
                Action::Data("Microsoft.ContainerRegistry/registries/repositories/metadata/read"),
                READER,
            ),
            (Self::Catalogue, Mode::Repository) => (
                Action::Data("Microsoft.ContainerRegistry/registries/catalog/read"),
                "Container Registry Repository Catalog Lister",
            ),
            (Self::Push, Mode::Registry) => (
                Action::Control("Microsoft.ContainerRegistry/registries/push/write"),
                "AcrPush",
            ),
            (Self::Push, Mode::Repository) => (
                Action::Data("Microsoft.ContainerRegistry/registries/repositories/content/write"),
                WRITER,
            ),
            // AcrPush can't lock, whatever the mode.
            (Self::Lock, Mode::Registry | Mode::Repository) => (
                Action::Data("Microsoft.ContainerRegistry/registries/repositories/metadata/write"),
                WRITER,
            ),
            (Self::Describe, Mode::Registry | Mode::Repository) => (
                Action::Control("Microsoft.ContainerRegistry/registries/read"),
                "Reader",
            ),
            (Self::Import, Mode::Registry | Mode::Repository) => (
                Action::Control("Microsoft.ContainerRegistry/registries/importImage/action"),
                "Container Registry Data Importer and Data Reader",
            ),
        };
        Grant { action, role }
    }
}

impl Action {
    /// Returns its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Control(name) | Self::Data(name) => name,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    /// A custom role, as `az role definition create --role-definition FILE` takes it.
    fn role(text: &str) -> (BTreeSet<String>, BTreeSet<String>) {
        let role: Value = serde_json::from_str(text).unwrap();
        for key in ["Name", "Description"] {
            assert!(!role[key].as_str().unwrap().is_empty(), "{key}");
        }
        assert_eq!(role["IsCustom"], true);
        let scope = role["AssignableScopes"][0].as_str().unwrap();
        assert!(scope.starts_with("/subscriptions/"), "{scope}");
        let known = [
            "Name",
            "IsCustom",
            "Description",
            "Actions",
            "NotActions",
            "DataActions",
            "NotDataActions",
            "AssignableScopes",
        ];
        let keys = role.as_object().unwrap().keys();
        assert_eq!(keys.filter(|key| !known.contains(&key.as_str())).count(), 0);
        let list = |key: &str| {
            let list = role[key].as_array().unwrap().iter();
            list.map(|name| name.as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(
            (
                role["NotActions"].as_array().unwrap().len(),
                role["NotDataActions"].as_array().unwrap().len()
            ),
            (0, 0)
        );
        (list("Actions"), list("DataActions"))
    }

    fn needed(permissions: &[Permission]) -> (BTreeSet<String>, BTreeSet<String>) {
        let (mut control, mut data) = (BTreeSet::new(), BTreeSet::new());
        for permission in permissions {
            for mode in [Mode::Registry, Mode::Repository] {
                match permission.grant(mode).action {
                    Action::Control(name) => control.insert(name.to_owned()),
                    Action::Data(name) => data.insert(name.to_owned()),
                };
            }
        }
        (control, data)
    }

    #[test]
    fn the_roles_in_the_documentation_are_what_the_code_needs_and_no_more() {
        use Permission::{Catalogue, Describe, Import, Lock, Metadata, Pull, Push};
        let plan: &[_] = &[Pull, Metadata, Catalogue, Describe];
        let push: &[_] = &[Pull, Metadata, Catalogue, Describe, Push, Lock];
        let import: &[_] = &[Pull, Metadata, Catalogue, Describe, Import];
        for (text, permissions) in [
            (include_str!("../../../../docs/policies/acr-plan.json"), plan),
            (include_str!("../../../../docs/policies/acr-push.json"), push),
            (include_str!("../../../../docs/policies/acr-import.json"), import),
        ] {
            assert_eq!(role(text), needed(permissions), "{text}");
        }
    }
}
