//! Makes an archive of what it held and what was written since.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::io::ErrorKind::{PermissionDenied, Unsupported};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::Path;

use super::held::{Held, member};
use super::spool::Spool;
use crate::error::{LayoutError, if_present, io};
use crate::index::Index;
use crate::layout::MARKER;
use crate::store::{BlobReader, Version};
use crate::temporary::Access;

/// How much is copied at once.
const CHUNK: usize = 256 << 10;

/// The mode of every member.
const MODE: u32 = 0o644;

/// Writes the archive and puts it in its place.
///
/// The same content gives the same bytes: members are sorted and have neither times nor owners, `oci-layout` and
/// `index.json` come first.
///
/// # Errors
/// What the disk refuses, and an archive that another program has changed in the meantime. It stays as it is then.
pub(super) fn assemble(path: &Path, held: &Held, spool: &Spool, index: Index) -> Result<(), LayoutError> {
    let old = if_present(fs::metadata(path)).map_err(io("read", path))?;
    let temporary = spool.assembling(match old {
        Some(_) => Access::Owner,
        None => Access::Usual,
    })?;
    let written = write(temporary.file(), held, spool, index);
    // Also where that failed: who reads a file that is being changed meets errors that say less.
    if Version::at(path) != held.version {
        return Err(LayoutError::Changed {
            path: path.to_owned(),
        });
    }
    written.map_err(|error| match error {
        Failed::Disk(error) => io("write", path)(error),
        Failed::Layout(error) => error,
    })?;
    keep_permissions(temporary.file(), old.as_ref(), path)?;
    temporary.rename(path)
}

enum Failed {
    Disk(io::Error),
    Layout(LayoutError),
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::Disk(error)
    }
}

impl From<LayoutError> for Failed {
    fn from(error: LayoutError) -> Self {
        Self::Layout(error)
    }
}

/// A file that becomes a member: its length, and its bytes once they are wanted.
type Content<'a> = (u64, Box<dyn Fn() -> Result<BlobReader, LayoutError> + 'a>);

fn write(file: &File, held: &Held, spool: &Spool, index: Index) -> Result<(), Failed> {
    let mut tar = tar::Builder::new(BufWriter::with_capacity(CHUNK, file));
    append(&mut tar, "oci-layout", MARKER.len() as u64, MARKER)?;
    let index = index.into_bytes();
    append(&mut tar, "index.json", index.len() as u64, &*index)?;
    for (name, (size, open)) in contents(held, spool)? {
        append(&mut tar, &name, size, BufReader::with_capacity(CHUNK, open()?))?;
    }
    Ok(tar.into_inner()?.flush()?)
}

/// Gathers what follows the index. A blob that was written takes the place of the one that stood there.
fn contents<'a>(held: &'a Held, spool: &'a Spool) -> Result<BTreeMap<String, Content<'a>>, LayoutError> {
    let mut contents: BTreeMap<String, Content<'a>> = BTreeMap::new();
    for (name, section) in &held.others {
        let open = || Ok(BlobReader::from(section.reader()));
        contents.insert(name.clone(), (section.size(), Box::new(open)));
    }
    for (digest, blob) in &held.blobs {
        contents.insert(member(digest), (blob.size(), Box::new(|| Ok(blob.reader()))));
    }
    for (digest, size) in spool.layout().blobs()? {
        let name = member(&digest);
        let open = move || {
            let file = spool.layout().open_blob(&digest)?;
            let missing = || io("open", spool.layout().path())(io::ErrorKind::NotFound.into());
            file.map(BlobReader::from).ok_or_else(missing)
        };
        contents.insert(name, (size, Box::new(open)));
    }
    Ok(contents)
}

fn append(tar: &mut tar::Builder<impl Write>, name: &str, size: u64, content: impl Read) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Regular);
    header.set_mode(MODE);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(size);
    let mut content = Exact { content, left: size };
    tar.append_data(&mut header, name, &mut content)
}

/// Reads as many bytes as were promised; fewer are an error, as the archive would be damaged by them.
struct Exact<R> {
    content: R,
    left: u64,
}

impl<R: Read> Read for Exact<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = (&mut self.content).take(self.left).read(buffer)?;
        self.left -= length as u64;
        match length {
            0 if self.left > 0 && !buffer.is_empty() => Err(io::ErrorKind::UnexpectedEof.into()),
            length => Ok(length),
        }
    }
}

/// Gives the new archive the mode and the owner of the old one. One that is new has what the directory gives its files.
fn keep_permissions(file: &File, old: Option<&Metadata>, path: &Path) -> Result<(), LayoutError> {
    let Some(old) = old else {
        return Ok(());
    };
    // Before the mode, which a change of owners may take bits from.
    keep_owner(file, old);
    // A filesystem without modes keeps what it has.
    match file.set_permissions(old.permissions()) {
        Err(error) if !matches!(error.kind(), PermissionDenied | Unsupported) => {
            Err(io("change the mode of", path)(error))
        }
        _ => Ok(()),
    }
}

/// Most users may give nothing away, but to groups of their own: then the archive belongs to whoever wrote it last.
#[cfg(unix)]
fn keep_owner(file: &File, old: &Metadata) {
    use std::os::unix::fs::{MetadataExt, fchown};
    let _ = fchown(file, Some(old.uid()), Some(old.gid())).or_else(|_| fchown(file, None, Some(old.gid())));
}

#[cfg(not(unix))]
fn keep_owner(_file: &File, _old: &Metadata) {}
