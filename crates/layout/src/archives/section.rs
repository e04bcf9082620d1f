//! A part of a file.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use crate::error::{LayoutError, io};

/// A part of a file that is read by position, so that many may read at once.
#[derive(Clone, Debug)]
pub(crate) struct Section {
    file: Arc<File>,
    offset: u64,
    size: u64,
}

impl Section {
    pub(crate) fn new(file: &Arc<File>, offset: u64, size: u64) -> Self {
        Self {
            file: Arc::clone(file),
            offset,
            size,
        }
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    pub(crate) fn reader(&self) -> SectionReader {
        SectionReader {
            file: Arc::clone(&self.file),
            position: self.offset,
            left: self.size,
        }
    }

    /// Reads all of it, at most `limit` bytes. `path` is what errors call it.
    pub(crate) fn read(&self, path: &Path, limit: u64) -> Result<Vec<u8>, LayoutError> {
        if self.size > limit {
            return Err(LayoutError::TooLarge {
                path: path.to_owned(),
                size: self.size,
                limit,
            });
        }
        let mut bytes = Vec::new();
        self.reader().read_to_end(&mut bytes).map_err(io("read", path))?;
        Ok(bytes)
    }
}

/// Reads a [`Section`] from its start. A file that has become shorter is an error.
#[derive(Debug)]
pub(crate) struct SectionReader {
    file: Arc<File>,
    position: u64,
    left: u64,
}

impl Read for SectionReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).map_or(buffer.len(), |left| left.min(buffer.len()));
        if most == 0 {
            return Ok(0);
        }
        match read_at(&self.file, &mut buffer[..most], self.position)? {
            0 => Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the archive has become shorter since it was opened",
            )),
            length => {
                self.position += length as u64;
                self.left -= length as u64;
                Ok(length)
            }
        }
    }
}

#[cfg(unix)]
fn read_at(file: &File, buffer: &mut [u8], position: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, position)
}

#[cfg(windows)]
fn read_at(file: &File, buffer: &mut [u8], position: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, position)
}
