//! Places: a repository of a registry.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use oci::RepositoryName;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The name of a registry in a configuration, or the host of one that is not declared.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RegistryName(Arc<str>);

/// A text is not the name of a registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a registry's name is letters, digits, `.`, `_`, `-` or `:`, and starts with a letter or a digit")]
pub struct RegistryNameError;

impl RegistryName {
    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RegistryName {
    type Err = RegistryNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fits = |c: char| c.is_ascii_alphanumeric() || "._-:[]".contains(c);
        let starts = text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[');
        if !starts || text.len() > 255 || !text.chars().all(fits) {
            return Err(RegistryNameError);
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for RegistryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RegistryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for RegistryName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for RegistryName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// A repository of a registry: where things stand and where they go.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// The registry, by its name.
    pub registry: RegistryName,
    /// The repository in it.
    pub repository: RepositoryName,
}

impl Place {
    /// Returns the place that the first `depth` segments of the path name, or the place itself where no depth is given.
    #[must_use]
    pub fn unit(&self, depth: Option<usize>) -> Self {
        let Some(depth) = depth else {
            return self.clone();
        };
        let path = self.repository.as_str();
        let end = path
            .match_indices('/')
            .nth(depth.saturating_sub(1))
            .map_or(path.len(), |(at, _)| at);
        Self {
            registry: self.registry.clone(),
            repository: path[..end].parse().unwrap_or_else(|_| self.repository.clone()),
        }
    }

    /// Returns true where `other` stands below this place: `project/base` above `project/base/alpine`.
    #[must_use]
    pub fn is_above(&self, other: &Self) -> bool {
        self.registry == other.registry
            && other
                .repository
                .as_str()
                .strip_prefix(self.repository.as_str())
                .is_some_and(|rest| rest.starts_with('/'))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
