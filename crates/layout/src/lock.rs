//! The advisory lock of a layout.

use std::fs::{File, OpenOptions};
use std::path::Path;

use crate::error::{LayoutError, io};

/// Holds a layout against every other writer, in this process and in others, until it is dropped.
///
/// The lock is on `oci-layout`, so that it leaves no file of its own behind.
#[derive(Debug)]
pub(crate) struct Lock(File);

impl Lock {
    /// Waits for the lock on the file at `path`, which must exist.
    pub(crate) fn take(path: &Path) -> Result<Self, LayoutError> {
        // Writable, because NFS grants exclusive locks on writable files only.
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(path)
            .map_err(io("open", path))?;
        Self::on(file, path)
    }

    /// Waits for the lock on a file that is open.
    pub(crate) fn on(file: File, path: &Path) -> Result<Self, LayoutError> {
        file.lock().map_err(io("lock", path))?;
        Ok(Self(file))
    }

    /// Returns the locked file.
    pub(crate) fn file(&self) -> &File {
        &self.0
    }
}
