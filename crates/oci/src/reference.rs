//! References: where an artifact stands.

use std::fmt;
use std::str::FromStr;

use crate::{Digest, Host, NameError, ParseDigestError, RepositoryName, Tag};

/// What a manifest is asked for by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ManifestReference {
    /// By tag.
    Tag(Tag),
    /// By digest.
    Digest(Digest),
}

impl fmt::Display for ManifestReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => tag.fmt(f),
            Self::Digest(digest) => fmt::Display::fmt(digest, f),
        }
    }
}

impl From<Tag> for ManifestReference {
    fn from(tag: Tag) -> Self {
        Self::Tag(tag)
    }
}

impl From<Digest> for ManifestReference {
    fn from(digest: Digest) -> Self {
        Self::Digest(digest)
    }
}

/// `host[:port]/repository[:tag][@digest]`, with or without a leading `docker://`.
///
/// `docker.io/alpine` reads as `docker.io/library/alpine`. Nothing else is guessed: the host must be written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    /// The registry.
    pub host: Host,
    /// The repository in it.
    pub repository: RepositoryName,
    /// The tag, if one is written.
    pub tag: Option<Tag>,
    /// The digest, if one is written; it decides, whatever the tag says.
    pub digest: Option<Digest>,
}

/// Why a text is not a reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// The first segment can't be a host.
    #[error("a reference starts with a registry's host, such as docker.io/ or localhost:5000/")]
    NoHost,
    /// Nothing after the host.
    #[error("a reference names a repository after its host")]
    NoRepository,
    /// A part is outside its grammar.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The digest is malformed.
    #[error(transparent)]
    Digest(#[from] ParseDigestError),
}

/// The parts of a text `repository[:tag][@digest]`, unparsed.
pub(crate) fn split(text: &str) -> (&str, Option<&str>, Option<&str>) {
    let (rest, digest) = match text.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (text, None),
    };
    match rest.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, Some(tag), digest),
        _ => (rest, None, digest),
    }
}

impl Reference {
    /// Returns the digest where there is one, else the tag, else nothing.
    #[must_use]
    pub fn manifest(&self) -> Option<ManifestReference> {
        let digest = self.digest.clone().map(ManifestReference::Digest);
        digest.or_else(|| self.tag.clone().map(ManifestReference::Tag))
    }

    /// Parses `repository[:tag][@digest]` that stands after a registry's name.
    ///
    /// # Errors
    /// Where a part is outside its grammar.
    pub fn parse_path(host: Host, path: &str) -> Result<Self, ReferenceError> {
        let (repository, tag, digest) = split(path);
        if repository.is_empty() {
            return Err(ReferenceError::NoRepository);
        }
        let official = host.as_str() == "docker.io" && !repository.contains('/');
        Ok(Self {
            repository: if official {
                format!("library/{repository}").parse()?
            } else {
                repository.parse()?
            },
            tag: tag.map(str::parse).transpose()?,
            digest: digest.map(str::parse).transpose()?,
            host,
        })
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.strip_prefix("docker://").unwrap_or(text);
        let (host, path) = text.split_once('/').unwrap_or((text, ""));
        if !Host::looks_like(host) {
            return Err(ReferenceError::NoHost);
        }
        Self::parse_path(host.parse()?, path)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

/// Reads the name that docker gives an image, `[HOST/]NAME:TAG`, as an archive of `docker save` holds it.
///
/// Docker Hub and its `library/` are left out, as docker leaves them out; so is a host with a port, which no repository's
/// name can hold. `None` where the rest is outside the grammar.
#[must_use]
pub fn docker_name(text: &str) -> Option<(RepositoryName, Tag)> {
    let (name, tag) = text.rsplit_once(':')?;
    let name = match name.split_once('/') {
        Some(("docker.io" | "index.docker.io", rest)) => rest.strip_prefix("library/").unwrap_or(rest),
        Some((host, rest)) if host.contains(':') => rest,
        _ => name,
    };
    Some((name.parse().ok()?, tag.parse().ok()?))
}
