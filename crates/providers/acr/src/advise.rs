//! What to grant, and how.

use http::StatusCode;
use oci::{Host, RepositoryName};
use provider::Advice;
use registry::{Error, ErrorKind, Operation};

use crate::cloud::registry_name;
use crate::identity::Identity;
use crate::permission::{Mode, Permission};

/// What is known of who is refused, and where.
#[derive(Debug)]
pub(crate) struct Adviser<'a> {
    pub(crate) host: &'a Host,
    pub(crate) identity: Option<&'a Identity>,
    pub(crate) mode: Option<Mode>,
    pub(crate) resource_id: Option<&'a str>,
}

impl Adviser<'_> {
    /// Says what to do where the registry refused `operation` in `repository`.
    pub(crate) fn operation(
        &self,
        operation: Operation,
        repository: &RepositoryName,
        error: &Error,
    ) -> Option<Advice> {
        if error.code() == Some("REGISTRY_DISALLOWED_OPERATION") {
            return Some(self.locked(repository));
        }
        self.refused(permission(operation), error)
    }

    /// Says what to grant where `error` is a refusal of what needs `permission`.
    pub(crate) fn refused(&self, permission: Permission, error: &Error) -> Option<Advice> {
        if !matches!(error.kind(), ErrorKind::Auth | ErrorKind::Permission) {
            return None;
        }
        if let Some(address) = kept_out(error.message()) {
            return Some(self.firewall(address));
        }
        // Where nobody signs in, no role helps; and who could not sign in is told what to do by that error itself.
        let answered = matches!(
            error.status(),
            Some(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
        );
        let by_a_role = error.kind() == ErrorKind::Permission || answered && self.identity.is_some();
        by_a_role.then(|| self.grant(permission))
    }

    /// Adds what to do to an error, where that is known.
    pub(crate) fn on(&self, permission: Permission, error: Error) -> Error {
        match self.refused(permission, &error) {
            Some(advice) => advice.on(error),
            None => error,
        }
    }

    /// Says how to get a permission.
    pub(crate) fn grant(&self, permission: Permission) -> Advice {
        let grant = permission.grant(self.mode.unwrap_or(Mode::Registry));
        let assignee = self
            .identity
            .and_then(|identity| identity.claims.assignee())
            .unwrap_or("ASSIGNEE");
        let command = |role: &str| {
            format!(
                "az role assignment create --assignee {assignee} --role \"{role}\" --scope {}",
                self.scope()
            )
        };
        let other = permission.grant(Mode::Repository);
        let (mut action, mut text) = (grant.action.name().to_owned(), command(grant.role));
        if self.mode.is_none() && other != grant {
            action = format!("{action} (or {})", other.action.name());
            text = format!(
                "{text} (role \"{}\" instead, where the registry's roleAssignmentMode is AbacRepositoryPermissions)",
                other.role
            );
        }
        Advice {
            identity: self.who(),
            action,
            grant: text,
        }
    }

    fn who(&self) -> String {
        self.identity
            .map_or_else(|| "who signed in".to_owned(), ToString::to_string)
    }

    fn scope(&self) -> String {
        match self.resource_id {
            Some(id) => id.to_owned(),
            None => format!("$(az acr show --name {} --query id --output tsv)", self.name()),
        }
    }

    fn name(&self) -> &str {
        let of_resource = self.resource_id.and_then(|id| id.rsplit('/').next());
        of_resource
            .or_else(|| registry_name(self.host))
            .unwrap_or(self.host.as_str())
    }

    /// <https://learn.microsoft.com/azure/container-registry/container-registry-image-lock#unlock-an-image-or-repository>
    pub(crate) fn locked(&self, repository: &RepositoryName) -> Advice {
        let update = format!("az acr repository update --name {}", self.name());
        Advice {
            identity: format!("{}/{repository}", self.host),
            action: "writeEnabled".to_owned(),
            grant: format!(
                "unlock the tag with `{update} --image {repository}:TAG --write-enabled true`, or the repository with \
                 `{update} --repository {repository} --write-enabled true`"
            ),
        }
    }

    /// <https://learn.microsoft.com/azure/container-registry/container-registry-access-selected-networks>
    fn firewall(&self, address: &str) -> Advice {
        Advice {
            identity: format!("this machine at {address}"),
            action: "a network rule of the registry".to_owned(),
            grant: format!(
                "az acr network-rule add --name {} --ip-address {address}, or run inside the registry's network",
                self.name()
            ),
        }
    }
}

/// Finds the address in `client with IP '203.0.113.7' is not allowed access`.
pub(crate) fn kept_out(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once("client with IP '")?;
    let (address, rest) = rest.split_once('\'')?;
    rest.contains("not allowed access").then_some(address)
}

/// Returns what an operation needs.
pub(crate) fn permission(operation: Operation) -> Permission {
    match operation {
        Operation::ListTags
        | Operation::HeadManifest
        | Operation::GetManifest
        | Operation::ListReferrers
        | Operation::HeadBlob
        | Operation::GetBlob => Permission::Pull,
        Operation::PutManifest | Operation::StartUpload | Operation::SendChunk | Operation::FinishUpload => {
            Permission::Push
        }
    }
}
