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
    directory: PathBuf,
    layout: Layout,
    _lock: File,
}

impl Spool {
    /// Makes an empty one for the archive at `path`, whose index it starts with.
    ///
    /// # Errors
    /// Another process that writes the archive, and what the disk refuses.
    pub(crate) fn start(path: &Path, lock: WriteLock, index: &[u8]) -> Result<Self, LayoutError> {
        let WriteLock { directory, file } = lock;
        clear(&directory)?;
        let layout = Layout::open_or_create(&directory)?;
        let spool = Self {
            directory,
            layout,
            _lock: file,
        };
        let target = spool.layout.path().join("index.json");
        fs::write(&target, index).map_err(io("write", path))?;
        Ok(spool)
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Makes the file that becomes the archive.
    pub(crate) fn assembling(&self) -> Result<Temporary, LayoutError> {
        self.layout.temporary()
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        // Nothing is lost where this fails: the next writer clears.
        let _ = clear(&self.directory).and_then(|()| {
            let lock = lock_of(&self.directory);
            fs::remove_file(&lock).map_err(io("remove", &lock))?;
            fs::remove_dir(&self.directory).map_err(io("remove", &self.directory))
        });
    }
}

/// The right to write an archive: held against other processes until it is dropped.
#[derive(Debug)]
pub(crate) struct WriteLock {
    directory: PathBuf,
    file: File,
}

impl WriteLock {
    /// Takes the right to write the archive at `path`, without waiting for it.
    ///
    /// # Errors
    /// As [`Spool::start`].
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
                return Ok(Self { directory, file });
            }
        }
        Err(LayoutError::Busy {
            path: path.to_owned(),
        })
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
