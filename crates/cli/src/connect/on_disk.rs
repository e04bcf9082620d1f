//! OCI image layouts, and what `docker save` wrote.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use layout::{Archive, Layout, LayoutError, Store, settled};
use planner::RegistryName;
use planner::config::{Connection, LayoutForm, Resolved};
use provider::{Class, GenericProvider, Profile};
use registry::credentials::Anonymous;
use registry::{ErrorKind, LayoutRegistry, Registry};
use transfer::Connected;

use super::unopened::Unopened;
use super::{CONCURRENCY, Role};
use crate::exit::Exit;
use crate::failure::Failure;

/// The archives of a run. Each is opened once: it has one writer, whatever names reach it.
#[derive(Debug, Default)]
pub(super) struct Archives(Mutex<BTreeMap<PathBuf, Archive>>);

impl Archives {
    fn open(&self, path: &Path, role: Role) -> Result<Archive, LayoutError> {
        let mut opened = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let file = settled(path);
        if let Some(archive) = opened.get(&file) {
            return Ok(archive.clone());
        }
        let archive = match role {
            Role::Source => Archive::open(path)?,
            Role::Target => Archive::open_or_create(path)?,
        };
        opened.insert(file, archive.clone());
        Ok(archive)
    }
}

/// Opens a layout; one that is only written to may be missing yet.
pub(super) fn reach(
    name: &RegistryName,
    path: &str,
    resolved: &Resolved,
    role: Role,
    archives: &Archives,
) -> Connected {
    let (path, bare) = (Path::new(path), resolved.connection.bare.clone());
    let form = resolved.connection.layout_form();
    let opened = match form {
        LayoutForm::Directory => Layout::open(path).map(Box::<dyn Store>::from),
        LayoutForm::OciArchive => archives.open(path, role).map(Box::from),
        LayoutForm::DockerArchive => Archive::open_docker(path).map(Box::from),
    };
    let registry: Arc<dyn Registry> = match opened {
        Ok(store) => Arc::new(LayoutRegistry::new(store, bare)),
        Err(error) if form == LayoutForm::Directory && role == Role::Target && is_missing(&error) => {
            Arc::new(Unopened::empty(path, bare))
        }
        Err(_) if form == LayoutForm::Directory && path.is_file() => {
            let problem = format!("can't read {}: {A_FILE}", path.display());
            Arc::new(Unopened::refused(problem, an_archive(path)))
        }
        Err(error) => Arc::new(Unopened::broken(&error)),
    };
    let provider = GenericProvider::of(name.to_string(), Arc::new(Anonymous), Profile::of(Class::Layout));
    Connected {
        registry,
        provider: Arc::new(provider),
        concurrency: CONCURRENCY,
        host: None,
        layout: Some(settled(path)),
        settings: None,
    }
}

/// Opens a layout that is there.
///
/// # Errors
/// One that can't be opened.
pub(super) fn open(form: LayoutForm, path: &str, connection: &Connection) -> Result<LayoutRegistry, Failure> {
    let store = store(form, Path::new(path))?;
    Ok(LayoutRegistry::new(store, connection.bare.clone()))
}

/// Opens what stands on disk, to look at it without a registry's ways.
///
/// # Errors
/// As [`open`].
pub(crate) fn store(form: LayoutForm, path: &Path) -> Result<Box<dyn Store>, Failure> {
    let opened = match form {
        LayoutForm::Directory => Layout::open(path).map(Box::<dyn Store>::from),
        LayoutForm::OciArchive => Archive::open(path).map(Box::from),
        LayoutForm::DockerArchive => Archive::open_docker(path).map(Box::from),
    };
    opened.map_err(|error| unreadable(form, path, &error))
}

/// Says that what stands on disk can't be read, and why.
pub(crate) fn unreadable(form: LayoutForm, path: &Path, error: &LayoutError) -> Failure {
    let exit = match kind(error) {
        ErrorKind::Permission => Exit::Denied,
        _ => Exit::Failed,
    };
    let what = format!("can't read {}{}", form.transport(), path.display());
    if form == LayoutForm::Directory && path.is_file() {
        return Failure::failed(format!("{what}: {A_FILE}")).hint(an_archive(path));
    }
    Failure::new(exit, what)
        .because(error)
        .maybe_hint(error.hint().as_deref())
}

/// Sorts what the disk refuses from what else is wrong with a layout.
pub(super) fn kind(error: &LayoutError) -> ErrorKind {
    let refused = [io::ErrorKind::PermissionDenied, io::ErrorKind::ReadOnlyFilesystem];
    match error {
        LayoutError::Io { source, .. } if refused.contains(&source.kind()) => ErrorKind::Permission,
        _ => ErrorKind::Other,
    }
}

/// Why a file is no layout.
const A_FILE: &str = "it is a file, and a layout is a directory";

/// Says how a layout in a file is named.
fn an_archive(path: &Path) -> String {
    format!(
        "a layout in a file is an archive: `oci-archive:{}` reads it, and in a configuration its name ends in .tar",
        path.display()
    )
}

/// A directory that is not there or is empty becomes a layout; one that holds something else does not.
fn is_missing(error: &LayoutError) -> bool {
    match error {
        LayoutError::Io { source, .. } => source.kind() == io::ErrorKind::NotFound,
        LayoutError::NotALayout { path } => path
            .read_dir()
            .map_or(true, |mut entries| entries.next().is_none()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn a_file_where_a_layout_is_named_is_told_to_be_an_archive() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let failure = store(LayoutForm::Directory, file.path()).unwrap_err();
        assert_eq!(failure.exit(), Exit::Failed);
        let told = failure.render();
        assert!(
            told.contains("it is a file, and a layout is a directory"),
            "{told}"
        );
        let archive = format!("`oci-archive:{}`", file.path().display());
        assert!(told.contains(&archive), "{told}");
    }

    #[test]
    fn what_may_not_be_read_is_a_permission() {
        let error = |kind: io::ErrorKind| LayoutError::Io {
            action: "open",
            path: PathBuf::from("m.tar"),
            source: kind.into(),
        };
        for (refusal, exit) in [
            (io::ErrorKind::PermissionDenied, Exit::Denied),
            (io::ErrorKind::ReadOnlyFilesystem, Exit::Denied),
            (io::ErrorKind::NotFound, Exit::Failed),
        ] {
            let failure = unreadable(LayoutForm::OciArchive, Path::new("m.tar"), &error(refusal));
            assert_eq!(failure.exit(), exit, "{refusal}");
        }
    }
}
