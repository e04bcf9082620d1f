//! Reads a tar file's headers.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

/// How long an extended header may be, in bytes. One holds a name and some numbers, and is kept in memory.
const MAX_HEADER: u64 = 1 << 20;

/// A file of which no more than a header is read from one place on.
#[derive(Debug)]
pub(crate) struct Headers<'a> {
    file: &'a File,
    left: u64,
}

impl<'a> Headers<'a> {
    pub(crate) fn of(file: &'a File) -> Self {
        Self {
            file,
            left: MAX_HEADER,
        }
    }
}

impl Read for Headers<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.file.take(self.left).read(buffer)?;
        self.left -= length as u64;
        if self.left == 0 {
            return Err(io::Error::other(format!(
                "a header has more than {MAX_HEADER} bytes"
            )));
        }
        Ok(length)
    }
}

impl Seek for Headers<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.left = MAX_HEADER;
        self.file.seek(to)
    }
}
