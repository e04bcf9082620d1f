//! The members of a tar file: what each is called and where its bytes stand.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::compression::{TELLING, compression};
use super::headers::Headers;
use super::name::{follow, tidy};
use super::section::Section;
use super::sparse::{self, Sparse};
use crate::error::{LayoutError, io};
use crate::store::Version;

/// How many links may lead to one another.
const MOST_LINKS: usize = 8;

/// How much longer than the archive the holes of its sparse members may be in all, in bytes. No registry takes a layer of
/// that length, and a header of 512 bytes can promise what no disk holds.
const MOST_HOLES: u64 = 64 << 30;

/// A tar file whose headers were read once. Its members are read by their positions, nothing is unpacked.
#[derive(Debug)]
pub(crate) struct Members {
    path: PathBuf,
    file: Arc<File>,
    version: Version,
    by_name: BTreeMap<String, Member>,
}

#[derive(Debug)]
enum Member {
    File(Section),
    Link(String),
}

impl Members {
    /// Reads the headers of an archive.
    ///
    /// # Errors
    /// What is no file or no tar file, compressed or cut off, and a member that leads out of the archive.
    pub(crate) fn read(path: &Path) -> Result<Self, LayoutError> {
        // Before it is opened: to open a pipe is to wait for its other end.
        let metadata = fs::metadata(path).map_err(io("open", path))?;
        if !metadata.is_file() {
            return Err(match metadata.is_dir() {
                true => LayoutError::Directory {
                    path: path.to_owned(),
                },
                false => LayoutError::Stream {
                    path: path.to_owned(),
                },
            });
        }
        let file = File::open(path).map_err(io("open", path))?;
        let metadata = file.metadata().map_err(io("read", path))?;
        let mut members = Self {
            path: path.to_owned(),
            file: Arc::new(file),
            version: Version::of(&metadata),
            by_name: BTreeMap::new(),
        };
        members.refuse_compressed(metadata.len())?;
        members.gather(metadata.len())?;
        Ok(members)
    }

    /// Returns the version of the file that was read.
    pub(crate) fn version(&self) -> &Version {
        &self.version
    }

    /// Returns what errors call a member.
    pub(crate) fn path_of(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Returns the names of all members but directories, sorted.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    /// Returns true for a symbolic or hard link.
    pub(crate) fn is_link(&self, name: &str) -> bool {
        matches!(self.by_name.get(name), Some(Member::Link(_)))
    }

    /// Finds a file by its name, through links.
    ///
    /// # Errors
    /// Links that lead round in a circle.
    pub(crate) fn find(&self, name: &str) -> Result<Option<Section>, LayoutError> {
        let mut name = name;
        for _ in 0..=MOST_LINKS {
            match self.by_name.get(name) {
                None => return Ok(None),
                Some(Member::File(section)) => return Ok(Some(section.clone())),
                Some(Member::Link(target)) => name = target,
            }
        }
        Err(self.bad_member(name, "leads round in a circle of links"))
    }

    fn refuse_compressed(&self, size: u64) -> Result<(), LayoutError> {
        let start = Section::new(&self.file, 0, size.min(TELLING)).read(&self.path, TELLING)?;
        match compression(&start) {
            Some(compression) => Err(LayoutError::Compressed {
                path: self.path.clone(),
                compression,
            }),
            None => Ok(()),
        }
    }

    fn gather(&mut self, length: u64) -> Result<(), LayoutError> {
        let file = Arc::clone(&self.file);
        let mut archive = tar::Archive::new(Headers::of(&file));
        let mut holes = 0_u64;
        for entry in archive.entries_with_seek().map_err(|error| self.damaged(error))? {
            let mut entry = entry.map_err(|error| self.damaged(error))?;
            let kind = entry.header().entry_type();
            if !is_read(kind) {
                continue;
            }
            let (name, section) =
                match sparse::read(&file, &mut entry).map_err(|error| self.damaged(error))? {
                    Some(Sparse { name, section }) => (name, Some(section)),
                    None => (None, None),
                };
            let name = name.unwrap_or_else(|| String::from_utf8_lossy(&entry.path_bytes()).into_owned());
            if kind.is_file() && name.ends_with('/') {
                // So the oldest format has its directories.
                continue;
            }
            let name = tidy(&name).map_err(|_| self.bad_member(&name, "leads out of the archive"))?;
            holes = holes.saturating_add(section.as_ref().map_or(0, Section::holes));
            if holes > length.saturating_add(MOST_HOLES) {
                return Err(self.bad_member(&name, "has more holes than any image would"));
            }
            if let Some(member) = self.member(&name, &entry, section, length)? {
                self.add(&name, member)?;
            }
        }
        Ok(())
    }

    /// Understands a file or a link.
    fn member(
        &self,
        name: &str,
        entry: &tar::Entry<'_, Headers<'_>>,
        sparse: Option<Section>,
        length: u64,
    ) -> Result<Option<Member>, LayoutError> {
        let kind = entry.header().entry_type();
        let is_plain = kind.is_file() || kind.is_contiguous();
        let plain = || is_plain.then(|| Section::new(&self.file, entry.raw_file_position(), entry.size()));
        if let Some(section) = sparse.or_else(plain) {
            return match section.end() <= length {
                true => Ok(Some(Member::File(section))),
                false => Err(LayoutError::Truncated {
                    path: self.path.clone(),
                    name: name.to_owned(),
                }),
            };
        }
        let target = entry.link_name_bytes().unwrap_or_default();
        let target = String::from_utf8_lossy(&target);
        let target = match kind {
            tar::EntryType::Symlink => follow(name, &target),
            tar::EntryType::Link => tidy(&target),
            _ => return Ok(None),
        };
        let out = |_| self.bad_member(name, "links to something outside of the archive");
        target.map(Member::Link).map(Some).map_err(out)
    }

    /// A name that stands twice means one thing to one program and another to the next, unless it is a digest.
    fn add(&mut self, name: &str, member: Member) -> Result<(), LayoutError> {
        let is_named_by_digest = name.starts_with("blobs/");
        match self.by_name.insert(name.to_owned(), member) {
            Some(_) if !is_named_by_digest => Err(self.bad_member(name, "stands there twice")),
            _ => Ok(()),
        }
    }

    fn damaged(&self, source: std::io::Error) -> LayoutError {
        LayoutError::Tar {
            path: self.path.clone(),
            source,
        }
    }

    fn bad_member(&self, name: &str, problem: &'static str) -> LayoutError {
        LayoutError::Member {
            path: self.path.clone(),
            name: name.to_owned(),
            problem,
        }
    }
}

/// Returns true for files and links. What else there may be is nothing to read, whatever its name: directories above all,
/// devices, and headers that concern the whole archive.
fn is_read(kind: tar::EntryType) -> bool {
    let is_file = kind.is_file() || kind.is_contiguous() || kind.is_gnu_sparse();
    is_file || kind.is_symlink() || kind.is_hard_link()
}
