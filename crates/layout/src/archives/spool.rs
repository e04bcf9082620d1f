//! Where what is written to an archive stands until the archive is made.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use crate::error::{LayoutError, if_present, io};
use crate::layout::Layout;
use crate::temporary::Temporary;

/// So often is a directory made anew that another process removes at the same time.
const ATTEMPTS: usize = 8;

/// A layout in a directory beside the archive, `.NAME.transship`. Gone when dropped.
///
/// Whoever holds it is the archive's only writer. What a killed process left behind goes when the next one starts.
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
    pub(crate) fn assembling(&self) -> Result<Temporary, LayoutError> {
        self.layout.temporary()
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
            fs::create_dir_all(&directory).map_err(io("create", &directory))?;
            let lock = lock_of(&directory);
            let mut options = OpenOptions::new();
            let options = options.read(true).write(true).create(true).truncate(false);
            let Some(file) = if_present(options.open(&lock)).map_err(io("create", &lock))? else {
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

/// Removes everything but the lock.
fn clear(directory: &Path) -> Result<(), LayoutError> {
    for entry in fs::read_dir(directory).map_err(io("list", directory))? {
        let entry = entry.map_err(io("list", directory))?;
        let path = entry.path();
        if path == lock_of(directory) {
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

#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> std::io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let Some(there) = if_present(fs::metadata(path))? else {
        return Ok(false);
    };
    let held = file.metadata()?;
    Ok((there.dev(), there.ino()) == (held.dev(), held.ino()))
}

#[cfg(not(unix))]
fn is_at(_file: &File, path: &Path) -> std::io::Result<bool> {
    path.try_exists()
}
