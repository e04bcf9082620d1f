//! Files that stand in an archive without their holes, as `tar --sparse` puts them there.
//!
//! <https://www.gnu.org/software/tar/manual/html_section/Sparse-Formats.html>

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;

use super::headers::Headers;
use super::section::{Extent, Section};

/// What members are rounded up to, in bytes.
const BLOCK: u64 = 512;

/// The longest map of a file's extents that is read, in bytes.
const MAX_MAP: u64 = 1 << 20;

/// A file without its holes.
pub(crate) struct Sparse {
    /// Its name, where the member has another.
    pub(crate) name: Option<String>,
    pub(crate) section: Section,
}

/// Where something stands in a file, and its length.
type Block = (u64, u64);

/// Reads where the bytes of a sparse file stand; nothing of other members.
///
/// # Errors
/// A format that hardly anybody writes any more, and extents that overlap or lie outside of the file.
pub(crate) fn read(file: &Arc<File>, entry: &mut tar::Entry<'_, Headers<'_>>) -> io::Result<Option<Sparse>> {
    if entry.header().entry_type().is_gnu_sparse() {
        let section = in_headers(file, entry)?;
        return Ok(Some(Sparse { name: None, section }));
    }
    let Some(extended) = Extended::of(entry)? else {
        return Ok(None);
    };
    if extended.version != (Some(1), Some(0)) {
        return Err(io::Error::other(
            "a sparse file in another format than GNU's old one and 1.0",
        ));
    }
    let section = in_front(file, entry, extended.size.ok_or_else(damaged)?)?;
    let name = extended.name;
    Ok(Some(Sparse { name, section }))
}

/// What extended headers say of a sparse file.
#[derive(Default)]
struct Extended {
    version: (Option<u64>, Option<u64>),
    name: Option<String>,
    size: Option<u64>,
}

impl Extended {
    fn of(entry: &mut tar::Entry<'_, Headers<'_>>) -> io::Result<Option<Self>> {
        let Some(extensions) = entry.pax_extensions()? else {
            return Ok(None);
        };
        let mut found = None;
        for extension in extensions {
            let extension = extension?;
            let Some(key) = extension.key_bytes().strip_prefix(b"GNU.sparse.") else {
                continue;
            };
            let extended: &mut Self = found.get_or_insert_default();
            let text = String::from_utf8_lossy(extension.value_bytes());
            match key {
                b"major" => extended.version.0 = text.parse().ok(),
                b"minor" => extended.version.1 = text.parse().ok(),
                b"realsize" => extended.size = text.parse().ok(),
                b"name" => extended.name = Some(text.into_owned()),
                _ => {}
            }
        }
        Ok(found)
    }
}

/// GNU's old format has the map in the header, and in blocks behind it.
fn in_headers(file: &Arc<File>, entry: &tar::Entry<'_, Headers<'_>>) -> io::Result<Section> {
    let header = entry.header().as_gnu().ok_or_else(damaged)?;
    let mut blocks = blocks(&header.sparse)?;
    let mut start = entry.raw_file_position();
    let mut goes_on = header.is_extended();
    while goes_on {
        let mut more = tar::GnuExtSparseHeader::new();
        let mut reader = Section::new(file, start, BLOCK).reader();
        reader.read_exact(more.as_mut_bytes())?;
        blocks.extend(self::blocks(more.sparse())?);
        goes_on = more.is_extended();
        start += BLOCK;
    }
    section(file, start, entry.header().entry_size()?, entry.size(), &blocks)
}

fn blocks(written: &[tar::GnuSparseHeader]) -> io::Result<Vec<Block>> {
    let used = written.iter().filter(|block| !block.is_empty());
    used.map(|block| Ok((block.offset()?, block.length()?))).collect()
}

/// Format 1.0 has the map in front of the bytes: lines of numbers, the first of which counts the extents.
fn in_front(file: &Arc<File>, entry: &tar::Entry<'_, Headers<'_>>, size: u64) -> io::Result<Section> {
    let (start, stored) = (entry.raw_file_position(), entry.size());
    let map = Section::new(file, start, stored.min(MAX_MAP));
    let mut lines = BufReader::new(map.reader()).lines();
    let mut read = 0;
    let mut number = || -> io::Result<u64> {
        let line = lines.next().ok_or_else(damaged)??;
        read += line.len() as u64 + 1;
        line.parse().map_err(|_| damaged())
    };
    let mut blocks = Vec::new();
    for _ in 0..number()? {
        blocks.push((number()?, number()?));
    }
    let map = read.next_multiple_of(BLOCK);
    let stored = stored.checked_sub(map).ok_or_else(damaged)?;
    section(file, start + map, stored, size, &blocks)
}

/// Puts together a file of `size` bytes of which `stored` stand at `start`, one block behind the other.
fn section(file: &Arc<File>, start: u64, stored: u64, size: u64, blocks: &[Block]) -> io::Result<Section> {
    let mut extents = Vec::new();
    let (mut end, mut used) = (0, 0_u64);
    for &(at, length) in blocks {
        let next = at.checked_add(length).filter(|next| *next <= size);
        let offset = start.checked_add(used).ok_or_else(damaged)?;
        if at < end {
            return Err(damaged());
        }
        end = next.ok_or_else(damaged)?;
        used += length;
        extents.push(Extent { at, offset, length });
    }
    match used <= stored {
        true => Ok(Section::of(file, extents, size)),
        false => Err(damaged()),
    }
}

fn damaged() -> io::Error {
    io::Error::other("the map of a sparse file is damaged")
}
