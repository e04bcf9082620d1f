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
    /// In order. What lies between them is zero.
    extents: Arc<[Extent]>,
    size: u64,
}

/// Bytes that stand together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    /// Where they belong in the section.
    pub(crate) at: u64,
    /// Where they stand in the file.
    pub(crate) offset: u64,
    pub(crate) length: u64,
}

impl Section {
    pub(crate) fn new(file: &Arc<File>, offset: u64, size: u64) -> Self {
        let whole = Extent {
            at: 0,
            offset,
            length: size,
        };
        Self::of(file, vec![whole], size)
    }

    /// Makes a section of several parts of a file, in order and within `size`.
    pub(crate) fn of(file: &Arc<File>, extents: Vec<Extent>, size: u64) -> Self {
        Self {
            file: Arc::clone(file),
            extents: extents.into(),
            size,
        }
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Returns how much of it stands nowhere.
    pub(crate) fn holes(&self) -> u64 {
        let stored: u64 = self.extents.iter().map(|extent| extent.length).sum();
        self.size.saturating_sub(stored)
    }

    /// Returns where the file must not end before.
    pub(crate) fn end(&self) -> u64 {
        let ends = self
            .extents
            .iter()
            .map(|extent| extent.offset.saturating_add(extent.length));
        ends.max().unwrap_or(0)
    }

    pub(crate) fn reader(&self) -> SectionReader {
        SectionReader {
            section: self.clone(),
            position: 0,
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
    section: Section,
    position: u64,
}

impl SectionReader {
    /// Returns the extent that holds the next byte, or the first one behind it.
    fn extent(&self) -> Option<Extent> {
        let extents = &self.section.extents;
        let passed = extents.partition_point(|extent| extent.at + extent.length <= self.position);
        extents.get(passed).copied()
    }
}

impl Read for SectionReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let extent = self.extent();
        let (end, offset) = match extent {
            Some(extent) if extent.at <= self.position => {
                let within = self.position - extent.at;
                (extent.at + extent.length, Some(extent.offset + within))
            }
            hole => (hole.map_or(self.section.size, |next| next.at), None),
        };
        let left = end - self.position;
        let most = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
        let buffer = &mut buffer[..most];
        if buffer.is_empty() {
            return Ok(0);
        }
        let length = match offset {
            Some(offset) => read_at(&self.section.file, buffer, offset)?,
            None => {
                buffer.fill(0);
                most
            }
        };
        if length == 0 {
            let shorter = "the archive has become shorter since it was opened";
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, shorter));
        }
        self.position += length as u64;
        Ok(length)
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
