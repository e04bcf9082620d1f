//! The forms that a layout on disk has.

use std::path::Path;

use serde::{Deserialize, Serialize};

/// How images stand on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LayoutForm {
    /// An OCI image layout in a directory.
    Directory,
    /// An OCI image layout in a tar file.
    OciArchive,
    /// A tar file as `docker save` writes it; it is only read.
    DockerArchive,
}

impl LayoutForm {
    const ALL: [Self; 3] = [Self::Directory, Self::OciArchive, Self::DockerArchive];

    /// Returns what a path means that stands under `layout`: an archive where it ends in `.tar`.
    #[must_use]
    pub fn of_path(path: &str) -> Self {
        let extension = Path::new(path).extension();
        match extension.is_some_and(|extension| extension.eq_ignore_ascii_case("tar")) {
            true => Self::OciArchive,
            false => Self::Directory,
        }
    }

    /// Returns what references to it begin with, such as `oci:`.
    #[must_use]
    pub fn transport(self) -> &'static str {
        match self {
            Self::Directory => "oci:",
            Self::OciArchive => "oci-archive:",
            Self::DockerArchive => "docker-archive:",
        }
    }

    /// Splits a reference to something on disk into its form, and the path with what follows it.
    #[must_use]
    pub fn split(text: &str) -> Option<(Self, &str)> {
        let form = |form: Self| Some((form, text.strip_prefix(form.transport())?));
        Self::ALL.into_iter().find_map(form)
    }
}
