//! What each request needs, and how it is granted.
//!
//! <https://docs.cloud.google.com/artifact-registry/docs/access-control>

use provider::Advice;
use registry::{Error, ErrorKind, Operation};

use crate::member::Member;
use crate::place::Unit;

const READER: &str = "roles/artifactregistry.reader";
const WRITER: &str = "roles/artifactregistry.writer";
const REPOSITORY_ADMIN: &str = "roles/artifactregistry.repoAdmin";
const ADMIN: &str = "roles/artifactregistry.admin";

/// Every grant is late.
const LATE: &str = "a grant takes up to 7 minutes to be seen";

/// A call of the Artifact Registry API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    /// `projects.locations.repositories.get`.
    GetRepository,
    /// `projects.locations.repositories.create`.
    CreateRepository,
    /// `projects.locations.repositories.patch`.
    UpdateRepository,
    /// `projects.locations.repositories.packages.versions.list`.
    ListVersions,
    /// `projects.locations.repositories.packages.tags.list`.
    ListTags,
}

impl Call {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::GetRepository,
        Self::CreateRepository,
        Self::UpdateRepository,
        Self::ListVersions,
        Self::ListTags,
    ];
}

/// What a request needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Right {
    /// The permissions, the one that is missed first in front.
    pub permissions: &'static [&'static str],
    /// The smallest of Google's roles that has them.
    pub role: &'static str,
    /// Whether it is granted on the project: there is no repository yet, or none to hold it.
    pub on_project: bool,
}

impl Right {
    /// Returns what a request to the registry itself needs.
    #[must_use]
    pub const fn of_operation(operation: Operation) -> Self {
        match operation {
            Operation::ListTags
            | Operation::HeadManifest
            | Operation::GetManifest
            | Operation::ListReferrers
            | Operation::HeadBlob
            | Operation::GetBlob => {
                Self::on_repository(&["artifactregistry.repositories.downloadArtifacts"], READER)
            }
            Operation::StartUpload | Operation::SendChunk | Operation::FinishUpload => {
                Self::on_repository(&["artifactregistry.repositories.uploadArtifacts"], WRITER)
            }
            Operation::PutManifest => Self::on_repository(
                &[
                    "artifactregistry.repositories.uploadArtifacts",
                    "artifactregistry.tags.create",
                    "artifactregistry.tags.update",
                ],
                WRITER,
            ),
        }
    }

    /// Returns what a call of the API needs.
    #[must_use]
    pub const fn of_call(call: Call) -> Self {
        match call {
            Call::GetRepository => Self::on_repository(&["artifactregistry.repositories.get"], READER),
            Call::ListVersions => Self::on_repository(&["artifactregistry.versions.list"], READER),
            Call::ListTags => Self::on_repository(&["artifactregistry.tags.list"], READER),
            Call::UpdateRepository => Self::on_repository(&["artifactregistry.repositories.update"], ADMIN),
            Call::CreateRepository => Self {
                permissions: &["artifactregistry.repositories.create"],
                role: ADMIN,
                on_project: true,
            },
        }
    }

    const fn on_repository(permissions: &'static [&'static str], role: &'static str) -> Self {
        Self {
            permissions,
            role,
            on_project: false,
        }
    }
}

/// Says what to grant where a request was refused. `unit` is where, as far as that is known.
pub(crate) fn advice(
    right: Right,
    unit: Result<&Unit, &str>,
    member: Option<&Member>,
    error: &Error,
) -> Option<Advice> {
    if !matches!(error.kind(), ErrorKind::Permission | ErrorKind::Auth) {
        return None;
    }
    let named = named(error.message());
    let action = named.as_deref().unwrap_or(right.permissions[0]).to_owned();
    let role = named.as_deref().map_or(right.role, |named| role(named, right));
    let nobody = member.is_some_and(|member| *member == Member::nobody());
    if nobody {
        return Some(Advice {
            identity: Member::nobody().to_string(),
            action,
            grant: format!(
                "sign in as somebody with {role}: gcloud auth application-default login; or name `auth.key_file`"
            ),
        });
    }
    // A refused credential lacks no permission, unless the answer says which.
    if error.kind() == ErrorKind::Auth && named.is_none() {
        return None;
    }
    let (identity, iam) = match member {
        Some(member) => (member.to_string(), member.iam().to_owned()),
        None => ("whoever is signed in".to_owned(), "MEMBER".to_owned()),
    };
    let command = match unit {
        Ok(unit) if !right.on_project => format!(
            "gcloud artifacts repositories add-iam-policy-binding {} --project={} --location={}",
            unit.repository, unit.project, unit.location
        ),
        Ok(unit) => format!("gcloud projects add-iam-policy-binding {}", unit.project),
        Err(project) => format!("gcloud projects add-iam-policy-binding {project}"),
    };
    Some(Advice {
        identity,
        action,
        grant: format!("{command} --member={iam} --role={role} ({LATE})"),
    })
}

/// Finds the permission that an answer names: `Permission "artifactregistry.tags.update" denied on resource ...`.
fn named(message: &str) -> Option<String> {
    let start = message.find("artifactregistry.")?;
    let quoted = message[..start].ends_with(['"', '\'']);
    let name: String = message[start..]
        .chars()
        .take_while(|c| c.is_ascii_alphabetic() || *c == '.')
        .collect();
    (quoted && name.matches('.').count() == 2).then_some(name)
}

/// Returns the smallest of Google's roles with a permission.
fn role(permission: &str, right: Right) -> &'static str {
    let Some((kind, verb)) = permission
        .strip_prefix("artifactregistry.")
        .and_then(|rest| rest.split_once('.'))
    else {
        return right.role;
    };
    match (kind, verb) {
        (_, "downloadArtifacts" | "get" | "list") => READER,
        (_, "uploadArtifacts") | ("tags", "create" | "update") => WRITER,
        (_, "deleteArtifacts") | ("tags" | "versions" | "packages", "delete") => REPOSITORY_ADMIN,
        ("repositories", _) => ADMIN,
        _ => right.role,
    }
}
