//! Files that get their name only when they are whole.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{LayoutError, if_present, io};
use crate::lock::Lock;

const PREFIX: &str = ".transship-";
const SUFFIX: &str = ".tmp";

/// Counts the temporary files of this process, so that no two share a name.
static COUNT: AtomicU64 = AtomicU64::new(0);

/// For whom a file is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Its owner alone, until it is whole.
    Owner,
    /// Everybody, but for what the process's umask takes away.
    Usual,
}

/// A file under a name of its own in the layout's directory, for its owner only unless that is asked for.
///
/// Removed when dropped. It is locked as long as it is open: the leftovers of a killed process are those that are not.
#[derive(Debug)]
pub(crate) struct Temporary {
    path: PathBuf,
    file: File,
    persisted: bool,
}

impl Temporary {
    /// Makes an empty file in `directory`. The layout's lock keeps [`sweep`] away until the file has its own.
    pub(crate) fn new(directory: &Path, layout: &Lock) -> Result<Self, LayoutError> {
        Self::with(directory, Access::Owner, layout)
    }

    /// As [`Temporary::new`], for others too if they may.
    pub(crate) fn with(directory: &Path, access: Access, _layout: &Lock) -> Result<Self, LayoutError> {
        loop {
            let number = COUNT.fetch_add(1, Ordering::Relaxed);
            let path = directory.join(format!("{PREFIX}{}-{number}{SUFFIX}", std::process::id()));
            match create(&path, access) {
                Ok(file) => {
                    let temporary = Self {
                        path,
                        file,
                        persisted: false,
                    };
                    temporary.file.lock().map_err(io("lock", &temporary.path))?;
                    return Ok(temporary);
                }
                // Another machine's process with this number, on a shared filesystem.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(io("create", &path)(error)),
            }
        }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), LayoutError> {
        self.file.write_all(bytes).map_err(io("write", &self.path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Gives the file its name, replacing what stands there, once its bytes are on the disk.
    pub(crate) fn persist(self, target: &Path) -> Result<(), LayoutError> {
        publish(&self.file).map_err(io("change the mode of", &self.path))?;
        self.rename(target)
    }

    /// As [`Temporary::persist`], with the mode that the file has.
    pub(crate) fn rename(mut self, target: &Path) -> Result<(), LayoutError> {
        self.file.sync_all().map_err(io("sync", &self.path))?;
        fs::rename(&self.path, target).map_err(io("write", target))?;
        self.persisted = true;
        sync_directory(match target.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        })
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.persisted {
            // Nothing is lost where this fails: the next writer sweeps.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Removes the temporary files in `directory` whose process is gone.
pub(crate) fn sweep(directory: &Path, _layout: &Lock) -> Result<(), LayoutError> {
    for entry in fs::read_dir(directory).map_err(io("list", directory))? {
        let entry = entry.map_err(io("list", directory))?;
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if is_file && is_temporary(&entry.file_name()) {
            remove_if_left(&entry.path())?;
        }
    }
    Ok(())
}

fn remove_if_left(path: &Path) -> Result<(), LayoutError> {
    let Some(file) = if_present(File::open(path)).map_err(io("open", path))? else {
        return Ok(());
    };
    if file.try_lock().is_ok() {
        if_present(fs::remove_file(path)).map_err(io("remove", path))?;
    }
    Ok(())
}

pub(crate) fn is_temporary(name: &OsStr) -> bool {
    name.to_str()
        .is_some_and(|name| name.starts_with(PREFIX) && name.ends_with(SUFFIX))
}

fn create(path: &Path, access: Access) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    restrict(&mut options, access);
    options.open(path)
}

#[cfg(unix)]
fn restrict(options: &mut OpenOptions, access: Access) {
    let mode = match access {
        Access::Owner => 0o600,
        Access::Usual => 0o666,
    };
    std::os::unix::fs::OpenOptionsExt::mode(options, mode);
}

#[cfg(not(unix))]
fn restrict(_options: &mut OpenOptions, _access: Access) {}

#[cfg(unix)]
fn publish(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    // A filesystem without modes (a USB stick's) keeps what it has.
    if file.metadata()?.permissions().mode() & 0o777 != 0o600 {
        return Ok(());
    }
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn publish(_file: &File) -> io::Result<()> {
    Ok(())
}

/// Makes a rename last through a power cut.
#[cfg(unix)]
pub(crate) fn sync_directory(path: &Path) -> Result<(), LayoutError> {
    File::open(path)
        .and_then(|directory| directory.sync_all())
        .map_err(io("sync", path))
}

#[cfg(not(unix))]
pub(crate) fn sync_directory(_path: &Path) -> Result<(), LayoutError> {
    Ok(())
}
