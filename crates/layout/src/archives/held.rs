//! What one version of an archive holds.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

use bytes::Bytes;
use oci::{Algorithm, Digest};

use super::docker;
use super::members::Members;
use super::section::Section;
use crate::blob::verify;
use crate::error::LayoutError;
use crate::index::Index;
use crate::layout::{MAX_INDEX, MAX_MARKER, check_version};
use crate::store::{BlobReader, Version};

/// The index of an archive and where its blobs stand.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) index: Index,
    pub(crate) blobs: HashMap<Digest, Blob>,
    /// Files that are no part of a layout.
    pub(crate) others: BTreeMap<String, Section>,
    /// A link that is no part of a layout, if there is one.
    pub(crate) link: Option<String>,
    /// The images of `docker save`, in order.
    pub(crate) images: Vec<Digest>,
    /// The version of the file; nothing where there is none.
    pub(crate) version: Option<Version>,
}

/// Where a blob stands.
#[derive(Clone, Debug)]
pub(crate) enum Blob {
    /// In the archive.
    Section(Section),
    /// Nowhere: it was made of what stands there.
    Made(Bytes),
}

impl Held {
    /// Reads an OCI image layout.
    pub(crate) fn layout(path: &Path) -> Result<Self, LayoutError> {
        let members = Members::read(path)?;
        let file = |name: &'static str, limit| {
            let section = members.find(name)?.ok_or_else(|| LayoutError::Lacks {
                path: path.to_owned(),
                name,
                instead: instead(&members),
            })?;
            section.read(&members.path_of(name), limit)
        };
        check_version(&file("oci-layout", MAX_MARKER)?, &members.path_of("oci-layout"))?;
        let index = Index::parse(&members.path_of("index.json"), &file("index.json", MAX_INDEX)?)?;
        let mut held = Self::new(index);
        held.version = Some(members.version().clone());
        for name in members.names() {
            held.take(&members, name)?;
        }
        Ok(held)
    }

    /// Reads what `docker save` wrote.
    pub(crate) fn docker(path: &Path) -> Result<Self, LayoutError> {
        docker::read(&Members::read(path)?, path)
    }

    /// An archive that is not there yet, or a file without a byte.
    pub(crate) fn nothing(path: &Path) -> Self {
        let index = Index::parse(&path.join("index.json"), &Index::empty());
        Self {
            version: Version::at(path),
            ..Self::new(index.expect("an empty index is one"))
        }
    }

    /// Reads an OCI image layout that may not be there yet.
    pub(crate) fn layout_if_any(path: &Path) -> Result<Self, LayoutError> {
        match fs::metadata(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::nothing(path)),
            Ok(metadata) if metadata.is_file() && metadata.len() == 0 => Ok(Self::nothing(path)),
            _ => Self::layout(path),
        }
    }

    pub(crate) fn new(index: Index) -> Self {
        Self {
            index,
            blobs: HashMap::new(),
            others: BTreeMap::new(),
            link: None,
            images: Vec::new(),
            version: None,
        }
    }

    /// Returns true where every blob of `other` is here too.
    pub(crate) fn has_blobs_of(&self, other: &Self) -> bool {
        let size = |held: &Self, digest| held.blobs.get(digest).map(Blob::size);
        other
            .blobs
            .keys()
            .all(|digest| size(self, digest) == size(other, digest))
    }

    fn take(&mut self, members: &Members, name: &str) -> Result<(), LayoutError> {
        if let Some(digest) = digest(name) {
            if let Some(section) = members.find(name)? {
                self.blobs.insert(digest, Blob::Section(section));
            }
        } else if members.is_link(name) {
            self.link = Some(name.to_owned());
        } else if !["oci-layout", "index.json"].contains(&name)
            && let Some(section) = members.find(name)?
        {
            self.others.insert(name.to_owned(), section);
        }
        Ok(())
    }
}

impl Blob {
    pub(crate) fn size(&self) -> u64 {
        match self {
            Self::Section(section) => section.size(),
            Self::Made(bytes) => bytes.len() as u64,
        }
    }

    pub(crate) fn reader(&self) -> BlobReader {
        match self {
            Self::Section(section) => section.reader().into(),
            Self::Made(bytes) => bytes.clone().into(),
        }
    }

    /// Reads and verifies all of it, at most `limit` bytes. `path` is what errors call it.
    pub(crate) fn read(&self, path: &Path, digest: &Digest, limit: u64) -> Result<Bytes, LayoutError> {
        let bytes = match self {
            Self::Section(section) => section.read(path, limit)?.into(),
            Self::Made(bytes) => bytes.clone(),
        };
        verify(path, digest, Digest::of(digest.algorithm(), &bytes))?;
        Ok(bytes)
    }
}

/// Says how else an archive can be read that is no OCI image layout.
fn instead(members: &Members) -> Option<&'static str> {
    let is_docker = members.names().any(|name| name == "manifest.json");
    is_docker.then_some("docker-archive:")
}

/// Returns the digest that a member's name spells, if it is a blob's.
pub(crate) fn digest(name: &str) -> Option<Digest> {
    let (algorithm, hex) = name.strip_prefix("blobs/")?.split_once('/')?;
    format!("{algorithm}:{hex}").parse().ok()
}

/// Returns the name of a blob's member.
pub(crate) fn member(digest: &Digest) -> String {
    let algorithm: Algorithm = digest.algorithm();
    format!("blobs/{}/{}", algorithm.as_str(), digest.hex())
}
