//! Where the processes of this machine lock what they change together.

use std::io;
use std::path::PathBuf;

use planner::plan::TagRole;
use planner::{Op, OpKind, Plan};
use transfer::Locks;

use crate::context::{Context, environment_path};

/// Whether other processes may write to the registries of this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Company {
    /// They may.
    Others,
    /// The registries are this process's own.
    Nobody,
}

/// Finds a directory for locks, where the plan writes tags that others may add to at the same time.
///
/// Where there is none, that is said and nothing is locked.
pub(crate) fn of(context: &Context, plan: &Plan) -> Locks {
    if context.company == Company::Nobody || !plan.ops.iter().any(adds) {
        return Locks::none();
    }
    let mut found = Err(io::Error::from(io::ErrorKind::NotFound));
    for directory in directories() {
        found = Locks::at(directory.join("transship/locks"));
        if found.is_ok() {
            break;
        }
    }
    found.unwrap_or_else(|error| {
        context.terminal.say(&format!(
            "No directory for locks can be written ({error}): let no other transship on this machine attach to the same images now."
        ));
        Locks::none()
    })
}

/// The directories that the processes of one user share, the best first: a scheduled job has the same cache as a terminal, and often no
/// directory of a session.
fn directories() -> impl Iterator<Item = PathBuf> {
    let usual = || Some(environment_path("HOME")?.join(".cache"));
    let own = [
        environment_path("XDG_CACHE_HOME").or_else(usual),
        environment_path("XDG_RUNTIME_DIR"),
    ];
    own.into_iter().flatten().chain([std::env::temp_dir()])
}

fn adds(op: &Op) -> bool {
    match op.kind {
        OpKind::MergeReferrers | OpKind::MergeSignatures => true,
        OpKind::PutTag => op.tag_role() == Some(TagRole::Attachment),
        OpKind::CreateRepository
        | OpKind::UpdateRepository
        | OpKind::ImportImage
        | OpKind::UploadBlob
        | OpKind::MountBlob
        | OpKind::PutManifest => false,
    }
}
