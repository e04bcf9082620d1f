//! Tar files as others write them.

use std::fs::File;
use std::path::{Path, PathBuf};

use oci::{Descriptor, Digest, MediaType};
use serde_json::json;
use tempfile::TempDir;

/// A tar file that is being written, in a directory that goes with it.
pub(crate) struct Tarball {
    directory: TempDir,
    tar: tar::Builder<File>,
}

impl Tarball {
    pub(crate) fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let tar = tar::Builder::new(File::create(directory.path().join("x.tar")).unwrap());
        Self { directory, tar }
    }

    /// Adds a file under a name that is taken as it is, however bad.
    pub(crate) fn file(self, name: &str, bytes: &[u8]) -> Self {
        self.of_kind(tar::EntryType::Regular, name, bytes)
    }

    /// Adds what is no file, or one.
    pub(crate) fn of_kind(mut self, kind: tar::EntryType, name: &str, bytes: &[u8]) -> Self {
        let mut header = header(name, kind, bytes.len() as u64);
        header.set_cksum();
        self.tar.append(&header, bytes).unwrap();
        self
    }

    pub(crate) fn link(mut self, kind: tar::EntryType, name: &str, target: &str) -> Self {
        let mut header = header(name, kind, 0);
        header.as_old_mut().linkname[..target.len()].copy_from_slice(target.as_bytes());
        header.set_cksum();
        self.tar.append(&header, &b""[..]).unwrap();
        self
    }

    /// Adds what an image layout begins with.
    pub(crate) fn layout(self, entries: &[Descriptor]) -> Self {
        let index = json!({ "schemaVersion": 2, "manifests": entries });
        self.file("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#)
            .file("index.json", index.to_string().as_bytes())
    }

    pub(crate) fn blob(self, bytes: &[u8]) -> Self {
        self.file(&format!("blobs/sha256/{}", Digest::sha256(bytes).hex()), bytes)
    }

    /// Adds extended headers for what comes next.
    pub(crate) fn extended(mut self, extensions: &[(&str, &str)]) -> Self {
        let extensions = extensions.iter().map(|(key, value)| (*key, value.as_bytes()));
        self.tar.append_pax_extensions(extensions).unwrap();
        self
    }

    /// Adds a sparse file of `size` bytes, stored as GNU's format 1.0 does.
    pub(crate) fn sparse(self, stored: &[u8], size: &str, name: &str) -> Self {
        let extensions = [
            ("GNU.sparse.major", "1"),
            ("GNU.sparse.minor", "0"),
            ("GNU.sparse.name", name),
            ("GNU.sparse.realsize", size),
        ];
        self.extended(&extensions).file("GNUSparseFile.1/x", stored)
    }

    /// Ends the file. The directory goes with the guard.
    pub(crate) fn done(self) -> (TempDir, PathBuf) {
        self.tar.into_inner().unwrap();
        let path = self.directory.path().join("x.tar");
        (self.directory, path)
    }
}

fn header(name: &str, kind: tar::EntryType, size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_size(size);
    header
}

/// Describes a manifest of these bytes under a name, as an entry does.
pub(crate) fn entry(name: &str, bytes: &[u8]) -> Descriptor {
    let mut descriptor = Descriptor::new(MediaType::OCI_MANIFEST, Digest::sha256(bytes), bytes.len() as u64);
    let key = "org.opencontainers.image.ref.name".to_owned();
    descriptor.annotations.insert(key, name.to_owned());
    descriptor
}

/// Lists the members of a tar file with their times and owners, in order.
pub(crate) fn members(path: &Path) -> Vec<(String, u64, u64)> {
    let mut archive = tar::Archive::new(File::open(path).unwrap());
    let entries = archive.entries().unwrap().map(|entry| {
        let entry = entry.unwrap();
        let header = entry.header();
        let name = entry.path().unwrap().display().to_string();
        (name, header.mtime().unwrap(), header.uid().unwrap())
    });
    entries.collect()
}

/// Names what stands in a directory, sorted.
pub(crate) fn beside(path: &Path) -> Vec<String> {
    let entries = path.parent().unwrap().read_dir().unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
