//! The tools whose configurations are read.

use std::fmt;
use std::str::FromStr;

/// A tool whose configuration can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The file of `skopeo sync --src yaml`.
    SkopeoSync,
    /// The file of regsync, of regclient.
    Regsync,
    /// The files of image-syncer, `auth` and `images`, or both in one.
    ImageSyncer,
    /// The file of dregsy.
    Dregsy,
}

/// A word that names none of them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no format that can be imported; there are skopeo-sync, regsync, image-syncer and dregsy")]
pub struct UnknownFormat(String);

impl Format {
    /// Returns the tool's name, as its users write it.
    #[must_use]
    pub fn tool(self) -> &'static str {
        match self {
            Self::SkopeoSync => "skopeo sync",
            Self::Regsync => "regsync",
            Self::ImageSyncer => "image-syncer",
            Self::Dregsy => "dregsy",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.tool())
    }
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(text: &str) -> Result<Self, UnknownFormat> {
        match text {
            "skopeo-sync" | "skopeo" => Ok(Self::SkopeoSync),
            "regsync" => Ok(Self::Regsync),
            "image-syncer" => Ok(Self::ImageSyncer),
            "dregsy" => Ok(Self::Dregsy),
            other => Err(UnknownFormat(other.to_owned())),
        }
    }
}
