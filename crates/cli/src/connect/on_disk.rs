//! OCI image layouts.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use layout::{Layout, LayoutError};
use planner::RegistryName;
use planner::config::{Connection, Resolved};
use provider::{Class, GenericProvider, Profile};
use registry::credentials::Anonymous;
use registry::{LayoutRegistry, Registry};
use transfer::Connected;

use super::unopened::Unopened;
use super::{CONCURRENCY, Role};
use crate::failure::Failure;

/// Opens a layout; one that is only written to may be missing yet.
///
/// # Errors
/// An archive, which is not there yet (64).
pub(super) fn reach(
    name: &RegistryName,
    path: &str,
    resolved: &Resolved,
    role: Role,
) -> Result<Connected, Failure> {
    if Path::new(path)
        .extension()
        .is_some_and(|extension| extension == "tar")
    {
        return Err(Failure::not_yet(&format!("the archive {path}")).hint("give the directory of a layout"));
    }
    let registry: Arc<dyn Registry> = match Layout::open(Path::new(path)) {
        Ok(layout) => Arc::new(LayoutRegistry::new(layout, resolved.connection.bare.clone())),
        Err(error) if role == Role::Target && is_missing(&error) => {
            Arc::new(Unopened::empty(Path::new(path), resolved.connection.bare.clone()))
        }
        Err(error) => Arc::new(Unopened::broken(&error)),
    };
    let provider = GenericProvider::of(name.to_string(), Arc::new(Anonymous), Profile::of(Class::Layout));
    Ok(Connected {
        registry,
        provider: Arc::new(provider),
        concurrency: CONCURRENCY,
        host: None,
        layout: Some(settled(Path::new(path))),
        settings: None,
    })
}

/// The one path of a directory, whoever names it; it may be missing yet.
fn settled(path: &Path) -> PathBuf {
    let missing = || Some(path.parent()?.canonicalize().ok()?.join(path.file_name()?));
    let settled = path.canonicalize().ok().or_else(missing);
    settled
        .or_else(|| std::path::absolute(path).ok())
        .unwrap_or_else(|| path.to_owned())
}

/// Opens a layout that is there.
///
/// # Errors
/// One that can't be opened.
pub(super) fn open(path: &str, connection: &Connection) -> Result<LayoutRegistry, Failure> {
    let layout = Layout::open(Path::new(path))
        .map_err(|error| Failure::failed(format!("can't read oci:{path}")).because(&error))?;
    Ok(LayoutRegistry::new(layout, connection.bare.clone()))
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
