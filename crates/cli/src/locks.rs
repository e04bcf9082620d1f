//! Where the processes of this machine lock what they change together.

use std::io;
use std::path::{Path, PathBuf};

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

/// A directory in which locks could be kept.
#[derive(Clone, Debug)]
enum Candidate {
    /// One of this user's.
    Own(PathBuf),
    /// One that all users write to.
    Shared(PathBuf),
    /// One that the environment does not name.
    Unnamed,
}

/// Finds a directory for locks, where the plan writes tags that others may add to at the same time.
///
/// Where it is not the first choice, that is said: another process may have found a better one. Where there is none,
/// nothing is locked.
pub(crate) fn of(context: &Context, plan: &Plan) -> Locks {
    if context.company == Company::Nobody || !plan.ops.iter().any(adds) {
        return Locks::none();
    }
    let (locks, word) = first(candidates());
    if let Some(word) = word {
        context.terminal.say(&word);
    }
    locks
}

/// The directories that the processes of one user share, the best first: a scheduled job has the same cache as a terminal, and often no
/// directory of a session.
fn candidates() -> [Candidate; 3] {
    let usual = || Some(environment_path("HOME")?.join(".cache"));
    let own = |path: Option<PathBuf>| path.map_or(Candidate::Unnamed, Candidate::Own);
    [
        own(environment_path("XDG_CACHE_HOME").or_else(usual)),
        own(environment_path("XDG_RUNTIME_DIR")),
        Candidate::Shared(std::env::temp_dir()),
    ]
}

/// Takes the first directory that can be written, and returns what is to be said of it.
fn first(candidates: impl IntoIterator<Item = Candidate>) -> (Locks, Option<String>) {
    let mut refusals = Vec::new();
    for candidate in candidates {
        let found = candidate
            .directory()
            .and_then(|directory| Ok((Locks::at(directory.clone())?, directory)));
        match found {
            Ok((locks, _)) if refusals.is_empty() => return (locks, None),
            Ok((locks, directory)) => {
                let word = format!(
                    "Locks are kept in {} ({}).",
                    directory.display(),
                    refusals.join("; ")
                );
                return (locks, Some(word));
            }
            Err(error) => refusals.push(candidate.refusal(&error)),
        }
    }
    let word = format!(
        "No directory for locks can be written ({}): let no other transship on this machine attach to the same images now.",
        refusals.join("; ")
    );
    (Locks::none(), Some(word))
}

impl Candidate {
    fn directory(&self) -> io::Result<PathBuf> {
        match self {
            Self::Own(path) => Ok(path.join("transship/locks")),
            Self::Shared(path) => Ok(private(path)?.join("locks")),
            Self::Unnamed => Err(io::Error::from(io::ErrorKind::NotFound)),
        }
    }

    fn refusal(&self, error: &io::Error) -> String {
        match self {
            Self::Own(path) | Self::Shared(path) => format!("not in {}: {error}", path.display()),
            Self::Unnamed => "the environment names no other".to_owned(),
        }
    }
}

/// Returns this user's own directory within one that all write to. One that stands there must be the user's alone: whoever
/// else could write in it could hold every lock, or put something else in a file's place.
#[cfg(unix)]
fn private(shared: &Path) -> io::Result<PathBuf> {
    use std::fs::DirBuilder;
    use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};

    // Whatever a process makes belongs to its user.
    let user = tempfile::tempfile_in(shared)?.metadata()?.uid();
    let path = shared.join(format!("transship-{user}"));
    match DirBuilder::new().mode(0o700).create(&path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let found = path.symlink_metadata()?;
    if found.is_dir() && found.uid() == user && found.mode() & 0o077 == 0 {
        return Ok(path);
    }
    let text = format!("{} is no directory of this user's alone", path.display());
    Err(io::Error::new(io::ErrorKind::PermissionDenied, text))
}

/// Returns a directory within that for temporary files, which is the user's own already.
#[cfg(not(unix))]
fn private(shared: &Path) -> io::Result<PathBuf> {
    Ok(shared.join("transship"))
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

#[cfg(all(test, unix))]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn the_first_choice_is_taken_without_a_word() {
        let directory = tempfile::tempdir().unwrap();
        let (_, word) = first([Candidate::Own(directory.path().to_owned()), Candidate::Unnamed]);
        assert_eq!(word, None);
        assert!(directory.path().join("transship/locks/00").is_file());
    }

    #[test]
    fn any_other_choice_is_told_with_what_is_wrong_with_the_first() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        fs::write(&file, "").unwrap();
        let shared = Candidate::Shared(directory.path().to_owned());
        let (_, word) = first([Candidate::Own(file.clone()), Candidate::Unnamed, shared]);
        let word = word.unwrap();
        let kept = format!("Locks are kept in {}/transship-", directory.path().display());
        assert!(word.starts_with(&kept), "{word}");
        assert!(word.contains(&format!("not in {}", file.display())), "{word}");
        let (_, word) = first([Candidate::Own(file)]);
        assert!(
            word.unwrap()
                .starts_with("No directory for locks can be written (not in ")
        );
    }

    #[test]
    fn a_directory_among_those_of_others_is_this_users_alone() {
        let shared = tempfile::tempdir().unwrap();
        let path = private(shared.path()).unwrap();
        let mode = path.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        assert_eq!(private(shared.path()).unwrap(), path, "it is found again");
        fs::set_permissions(&path, Permissions::from_mode(0o770)).unwrap();
        assert!(private(shared.path()).is_err(), "others may write there");
        fs::remove_dir(&path).unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        symlink(elsewhere.path(), &path).unwrap();
        let error = private(shared.path()).unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("is no directory of this user's alone")
        );
    }
}
