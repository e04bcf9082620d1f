//! Platforms of an index's children.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};

use crate::json::null_as_default;

/// What an image runs on, `os/architecture[/variant]`.
///
/// A part that a document leaves out, writes as `null` or leaves empty reads as empty or none: such platforms occur on
/// children that are no images.
///
/// <https://github.com/opencontainers/image-spec/blob/main/image-index.md#image-index-property-descriptions>
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Platform {
    /// `linux`, `windows`, ...
    #[serde(default, deserialize_with = "null_as_default")]
    pub os: String,
    /// `amd64`, `arm64`, ...
    #[serde(default, deserialize_with = "null_as_default")]
    pub architecture: String,
    /// `v8`, `v7`, ...
    #[serde(
        default,
        deserialize_with = "empty_as_none",
        skip_serializing_if = "Option::is_none"
    )]
    pub variant: Option<String>,
    /// The operating system's version, where it matters (Windows).
    #[serde(
        default,
        rename = "os.version",
        deserialize_with = "empty_as_none",
        skip_serializing_if = "Option::is_none"
    )]
    pub os_version: Option<String>,
    /// What the operating system must offer.
    #[serde(
        default,
        rename = "os.features",
        deserialize_with = "null_as_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub os_features: Vec<String>,
}

/// A text is not `os/architecture[/variant]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a platform is os/architecture or os/architecture/variant, such as linux/arm64/v8")]
pub struct ParsePlatformError;

impl Platform {
    /// Returns true where `other` is what `self` asks for: a part that `self` leaves out fits anything.
    ///
    /// An index may leave out the usual variant of an architecture: `linux/arm64/v8` accepts `linux/arm64`.
    #[must_use]
    pub fn accepts(&self, other: &Self) -> bool {
        self.os == other.os
            && self.architecture == other.architecture
            && self
                .variant
                .as_deref()
                .is_none_or(|variant| other.variant_or_usual() == Some(variant))
            && self
                .os_version
                .as_ref()
                .is_none_or(|version| other.os_version.as_ref() == Some(version))
    }

    /// Returns the variant, or what tools take an architecture without one to be.
    fn variant_or_usual(&self) -> Option<&str> {
        self.variant.as_deref().or(match self.architecture.as_str() {
            "amd64" => Some("v1"),
            "arm" => Some("v7"),
            "arm64" => Some("v8"),
            _ => None,
        })
    }
}

fn empty_as_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.filter(|text| !text.is_empty()))
}

impl FromStr for Platform {
    type Err = ParsePlatformError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.split('/').collect();
        let fits = |part: &&str| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        };
        let ([os, architecture] | [os, architecture, _]) = parts.as_slice() else {
            return Err(ParsePlatformError);
        };
        if !parts.iter().all(fits) {
            return Err(ParsePlatformError);
        }
        Ok(Self {
            os: (*os).to_owned(),
            architecture: (*architecture).to_owned(),
            variant: parts.get(2).map(|&variant| variant.to_owned()),
            os_version: None,
            os_features: Vec::new(),
        })
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        if let Some(variant) = &self.variant {
            write!(f, "/{variant}")?;
        }
        Ok(())
    }
}
