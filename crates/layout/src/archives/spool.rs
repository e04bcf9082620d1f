//! Where what is written to an archive stands until the archive is made.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::blob::{check_directory, regular_file};
use crate::error::{LayoutError, if_present, io};
use crate::layout::Layout;
use crate::temporary::{Access, Temporary, is_temporary};

/// So often is a directory made anew that another process removes at the same time.
const ATTEMPTS: usize = 8;

/// What a layout consists of, apart from files that are temporary.
const PARTS: [&str; 3] = ["blobs", "index.json", "oci-layout"];

/// A layout in a directory beside the archive, `.NAME.transship`. Gone when dropped.
///
/// Whoever holds it is the archive's only writer. What a killed process left behind goes when the next one starts. No
/// link is followed that stands in the directory's place or in it, and nothing is removed but what a spool consists of.
#[derive(Debug)]
pub(crate) struct Spool {
    layout: Layout,
    _lock: WriteLock,
}

impl Spool {
    /// Makes one that holds nothing but an index.
    ///
    /// # Errors
    /// What the disk refuses.
    pub(crate) fn start(lock: WriteLock, index: &[u8]) -> Result<Self, LayoutError> {
        clear(&lock.directory)?;
        let layout = Layout::open_or_create(&lock.directory)?;
        let target = lock.directory.join("index.json");
        fs::write(&target, index).map_err(io("write", &target))?;
        Ok(Self { layout, _lock: lock })
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Makes the file that becomes the archive.
    pub(crate) fn assembling(&self, access: Access) -> Result<Temporary, LayoutError> {
        self.layout.temporary(access)
    }
}

/// The right to write an archive: held against other processes until it is dropped, and the directory goes.
#[derive(Debug)]
pub(crate) struct WriteLock {
    directory: PathBuf,
    _file: File,
}

impl WriteLock {
    /// Takes the right to write the archive at `path`, without waiting for it.
    ///
    /// # Errors
    /// Another process that has it, and what the disk refuses.
    pub(crate) fn take(path: &Path) -> Result<Self, LayoutError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let directory = path.with_file_name(format!(".{name}.transship"));
        for _ in 0..ATTEMPTS {
            make(&directory)?;
            let lock = lock_of(&directory);
            let Some(file) = open(&lock)? else {
                continue;
            };
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    return Err(LayoutError::Busy {
                        path: path.to_owned(),
                    });
                }
                Err(TryLockError::Error(error)) => return Err(io("lock", &lock)(error)),
            }
            // The one who held it may have removed the file in between.
            if is_at(&file, &lock).map_err(io("read", &lock))? {
                return Ok(Self {
                    directory,
                    _file: file,
                });
            }
        }
        Err(LayoutError::Busy {
            path: path.to_owned(),
        })
    }
}

impl Drop for WriteLock {
    fn drop(&mut self) {
        // Nothing is lost where this fails: the next writer clears. The lock goes last, and while it is held.
        let _ = clear(&self.directory).and_then(|()| {
            let lock = lock_of(&self.directory);
            fs::remove_file(&lock).map_err(io("remove", &lock))?;
            fs::remove_dir(&self.directory).map_err(io("remove", &self.directory))
        });
    }
}

fn lock_of(directory: &Path) -> PathBuf {
    directory.join("lock")
}

/// Makes the directory for its owner alone, where it is missing. What stands there instead may be anybody's.
fn make(directory: &Path) -> Result<(), LayoutError> {
    if let Some(parent) = directory.parent() {
        fs::create_dir_all(parent).map_err(io("create", parent))?;
    }
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(directory) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => check_directory(directory).map(drop),
        made => made.map_err(io("create", directory)),
    }
}

/// Opens the lock, or makes it; nothing where another process removes it at the same time.
fn open(lock: &Path) -> Result<Option<File>, LayoutError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    let opened = match regular_file(lock)? {
        Some(_) => options.open(lock),
        // Not through a link that has come to stand there.
        None => options.create_new(true).open(lock),
    };
    match opened {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(None),
        opened => if_present(opened).map_err(io("create", lock)),
    }
}

/// Removes what a spool consists of, but the lock. What else stands there is not ours, and stays.
fn clear(directory: &Path) -> Result<(), LayoutError> {
    for entry in fs::read_dir(directory).map_err(io("list", directory))? {
        let entry = entry.map_err(io("list", directory))?;
        let path = entry.path();
        if !is_ours(&entry.file_name()) {
            continue;
        }
        let is_directory = entry.file_type().map_err(io("read", &path))?.is_dir();
        let removed = match is_directory {
            true => fs::remove_dir_all(&path),
            false => fs::remove_file(&path),
        };
        if_present(removed).map_err(io("remove", &path))?;
    }
    Ok(())
}

fn is_ours(name: &OsStr) -> bool {
    PARTS.iter().any(|part| name == *part) || is_temporary(name)
}

#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let Some(there) = if_present(fs::symlink_metadata(path))? else {
        return Ok(false);
    };
    let held = file.metadata()?;
    Ok((there.dev(), there.ino()) == (held.dev(), held.ino()))
}

#[cfg(not(unix))]
fn is_at(_file: &File, path: &Path) -> io::Result<bool> {
    path.try_exists()
}
