//! Hosts, repository names and tags.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Why a text is not a host, a repository name or a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Not `host[:port]`.
    #[error("a host is a DNS name or an address, with `:port` where it is not the usual one")]
    Host,
    /// Outside the grammar of the distribution specification.
    #[error(
        "a repository is lower-case letters, digits, `.`, `_`, `__` or `-` between them, in segments divided by `/`"
    )]
    Repository,
    /// Longer than registries accept.
    #[error("a repository has at most {} characters", RepositoryName::MAX)]
    RepositoryLength,
    /// Outside the grammar of the distribution specification.
    #[error(
        "a tag is at most 128 letters, digits, `_`, `.` or `-`, and starts with a letter, a digit or `_`"
    )]
    Tag,
}

macro_rules! text_newtype {
    ($name:ident) => {
        impl $name {
            /// Returns the text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?
                    .parse()
                    .map_err(serde::de::Error::custom)
            }
        }
    };
}

/// A registry's `host[:port]`, in one spelling: lower case, an IPv6 address in its short form. `index.docker.io` and `registry-1.docker.io` read as `docker.io`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Host(Arc<str>);
text_newtype!(Host);

impl Host {
    /// The longest host with its port, in characters: a DNS name has at most 253.
    pub const MAX: usize = 255;

    /// Returns true where the text can only be a host: it has a `.` or a `:`, or is `localhost`.
    #[must_use]
    pub fn looks_like(segment: &str) -> bool {
        segment.contains(['.', ':']) || segment == "localhost"
    }

    /// Returns the name or address without the port. An IPv6 address keeps its brackets.
    #[must_use]
    pub fn name(&self) -> &str {
        split_port(&self.0).0
    }

    /// Returns the port, if one is written.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        split_port(&self.0).1.and_then(|port| port.parse().ok())
    }

    /// Returns true for addresses that never leave the machine: `localhost` and names under it, `127.0.0.0/8`, `[::1]`.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let name = self.name();
        name == "localhost"
            || name.ends_with(".localhost")
            || ipv6(name).is_some_and(|address| address.is_loopback())
            || name
                .parse::<Ipv4Addr>()
                .is_ok_and(|address| address.is_loopback())
    }
}

fn split_port(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, Some(port)),
        _ => (text, None),
    }
}

impl FromStr for Host {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > Self::MAX {
            return Err(NameError::Host);
        }
        let text = text.to_ascii_lowercase();
        let (name, port) = split_port(&text);
        let name = match ipv6(name) {
            Some(address) => format!("[{address}]"),
            None if is_dns_name(name) => name.to_owned(),
            None => return Err(NameError::Host),
        };
        Ok(Self(match (name.as_str(), port.map(parse_port).transpose()?) {
            ("index.docker.io" | "registry-1.docker.io", None) => "docker.io".into(),
            (name, None) => name.into(),
            (name, Some(port)) => format!("{name}:{port}").into(),
        }))
    }
}

fn parse_port(text: &str) -> Result<u16, NameError> {
    let digits = (1..=5).contains(&text.len()) && text.bytes().all(|digit| digit.is_ascii_digit());
    match text.parse() {
        Ok(port) if digits && port > 0 => Ok(port),
        _ => Err(NameError::Host),
    }
}

fn is_dns_name(name: &str) -> bool {
    name.split('.').all(|label| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    })
}

fn ipv6(name: &str) -> Option<Ipv6Addr> {
    name.strip_prefix('[')?.strip_suffix(']')?.parse().ok()
}

/// The name of a repository within a registry, such as `library/alpine`.
///
/// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests>
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepositoryName(Arc<str>);
text_newtype!(RepositoryName);

impl RepositoryName {
    /// The longest name, in characters, that registries are known to accept.
    pub const MAX: usize = 255;

    /// Returns the last segment, `alpine` of `library/alpine`.
    #[must_use]
    pub fn last_segment(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }
}

impl FromStr for RepositoryName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > Self::MAX {
            return Err(NameError::RepositoryLength);
        }
        if !text.split('/').all(is_segment) {
            return Err(NameError::Repository);
        }
        Ok(Self(text.into()))
    }
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_segment(segment: &str) -> bool {
    let alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = segment.as_bytes();
    if !(bytes.first().copied().is_some_and(alphanumeric) && bytes.last().copied().is_some_and(alphanumeric))
    {
        return false;
    }
    segment
        .split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        .all(is_separator)
}

fn is_separator(text: &str) -> bool {
    matches!(text, "" | "." | "_" | "__") || text.bytes().all(|byte| byte == b'-')
}

/// A tag, such as `v1.2`.
///
/// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests>
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(Arc<str>);
text_newtype!(Tag);

impl FromStr for Tag {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let first = text.bytes().next().ok_or(NameError::Tag)?;
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
        if text.len() > 128 || matches!(first, b'.' | b'-') || !text.bytes().all(fits) {
            return Err(NameError::Tag);
        }
        Ok(Self(text.into()))
    }
}
