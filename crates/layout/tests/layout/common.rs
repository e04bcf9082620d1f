//! What the tests of this crate share.

use std::fs;

use oci::{Descriptor, Digest, MediaType, RepositoryName, Tag};
use tempfile::TempDir;
use transship_layout::Layout;

/// An empty layout in a directory that goes with the returned guard.
pub(crate) fn new_layout() -> (TempDir, Layout) {
    let directory = TempDir::new().expect("a temporary directory");
    let layout = Layout::open_or_create(&directory.path().join("mirror")).expect("a new layout");
    (directory, layout)
}

/// Replaces the layout's `index.json`.
pub(crate) fn write_index(layout: &Layout, text: &str) {
    fs::write(layout.path().join("index.json"), text).expect("index.json is writable");
}

/// Returns the layout's `index.json`.
pub(crate) fn read_index(layout: &Layout) -> String {
    fs::read_to_string(layout.path().join("index.json")).expect("index.json is readable")
}

/// Returns the names in the layout's directory, sorted.
pub(crate) fn names(layout: &Layout) -> Vec<String> {
    let entries = fs::read_dir(layout.path()).expect("the layout is a directory");
    let mut names: Vec<String> = entries
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    names
}

/// A descriptor of some manifest, a different one for each text.
pub(crate) fn manifest(text: &str) -> Descriptor {
    Descriptor::new(
        MediaType::OCI_MANIFEST,
        Digest::sha256(text.as_bytes()),
        text.len() as u64,
    )
}

/// Parses a tag.
pub(crate) fn tag(text: &str) -> Tag {
    text.parse().expect("a tag")
}

/// Parses a repository.
pub(crate) fn repository(text: &str) -> RepositoryName {
    text.parse().expect("a repository")
}
