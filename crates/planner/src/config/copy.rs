//! References without a configuration, and the specification of one copy.

use std::collections::BTreeMap;

use oci::{
    Digest, ManifestReference, NameError, ParseDigestError, Reference, ReferenceError, RepositoryName, Tag,
};

use super::connection::Connection;
use super::form::LayoutForm;
use super::registries::tidy;
use super::wanted;
use crate::spec::{
    Check, Endpoint, ForeignLayers, Mirror, OnChange, Pinned, Platforms, Referrers, Registry, Source, Target,
};
use crate::{Place, RegistryName, Spec};

/// The repository that a layout's entries without one get where nothing better is known.
const BARE: &str = "image";

/// How one copy is done.
#[derive(Clone, Debug)]
pub struct CopyOptions {
    /// The source's connection; its host or layout comes from the reference.
    pub source: Connection,
    /// The connection of every target.
    pub target: Connection,
    /// Whether attachments follow.
    pub referrers: Referrers,
    /// What is done about a tag that differs at the target.
    pub on_change: OnChange,
    /// How far an unchanged tag is trusted.
    pub check: Check,
    /// The manifest that is copied, where the reference stands at another: one child of an index. The tag stays.
    pub digest: Option<Digest>,
}

impl Default for CopyOptions {
    fn default() -> Self {
        Self {
            source: Connection::default(),
            target: Connection::default(),
            referrers: Referrers::All,
            on_change: OnChange::Update,
            check: Check::Tags,
            digest: None,
        }
    }
}

/// Why references can't be read or copied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CopyError {
    /// Outside the grammar of references.
    #[error("`{text}` is no reference")]
    Reference {
        /// The text.
        text: String,
        /// Why.
        source: ReferenceError,
    },
    /// `oci:` and the like without a path.
    #[error("`{text}` names no layout; {transport}PATH does")]
    NoPath {
        /// The text.
        text: String,
        /// What stands before the path, with its colon.
        transport: &'static str,
    },
    /// A target that is only read.
    #[error("`{text}` can't be written: archives of `docker save` are only read")]
    ReadOnly {
        /// The text.
        text: String,
    },
    /// Nowhere to copy to.
    #[error("a copy needs a target")]
    NoTarget,
    /// A target with a digest, which only the source decides.
    #[error("the target `{text}` has a digest; that follows from the source")]
    TargetDigest {
        /// The text.
        text: String,
    },
    /// One place twice, as a target or as source and target.
    #[error("`{text}` names a place that another argument names already")]
    Twice {
        /// The text.
        text: String,
    },
}

/// A reference that needs no configuration. Without a repository it means a layout's bare entries.
struct OneShot {
    endpoint: Endpoint,
    repository: Option<RepositoryName>,
    tag: Option<Tag>,
    digest: Option<Digest>,
}

impl OneShot {
    fn parse(text: &str) -> Result<Self, CopyError> {
        let wrong = |source| CopyError::Reference {
            text: text.to_owned(),
            source,
        };
        if let Some((form, rest)) = LayoutForm::split(text) {
            let (path, entry) = split_layout(rest);
            if path.is_empty() {
                return Err(CopyError::NoPath {
                    text: text.to_owned(),
                    transport: form.transport(),
                });
            }
            let (repository, tag, digest) = match (form, entry) {
                (LayoutForm::DockerArchive, Entry::Named(name)) => docker_entry(name).map_err(wrong)?,
                _ => layout_entry(entry).map_err(wrong)?,
            };
            return Ok(Self {
                endpoint: Endpoint::on_disk(form, tidy(path)),
                repository,
                tag,
                digest,
            });
        }
        let Reference {
            host,
            repository,
            tag,
            digest,
        } = text.parse().map_err(wrong)?;
        Ok(Self {
            endpoint: Endpoint::Host(host),
            repository: Some(repository),
            tag,
            digest,
        })
    }

    /// Returns the registry with `base` as its connection, and the repository in it.
    fn registry(&self, base: &Connection, bare: &RepositoryName) -> (Registry, RepositoryName) {
        let mut connection = base.clone();
        match &self.endpoint {
            Endpoint::Host(host) => connection.host = Some(host.to_string()),
            Endpoint::Layout(path) | Endpoint::OciArchive(path) | Endpoint::DockerArchive(path) => {
                // A connection is a text with variables; a path on the command line has none.
                connection.layout = Some(path.replace('$', "$$"));
                let form = self.endpoint.layout().map(|(form, _)| form);
                connection.form = form.filter(|form| *form != LayoutForm::of_path(path));
            }
        }
        if self.repository.is_none() {
            connection.bare = Some(bare.clone());
        }
        let repository = self.repository.clone().unwrap_or_else(|| bare.clone());
        (
            Registry {
                endpoint: self.endpoint.clone(),
                connection,
            },
            repository,
        )
    }
}

#[derive(Clone, Copy)]
enum Entry<'a> {
    None,
    Digest(&'a str),
    Named(&'a str),
}

/// Splits `PATH[:[REPOSITORY:]TAG|[:REPOSITORY[:TAG]]@digest]` behind its path.
fn split_layout(text: &str) -> (&str, Entry<'_>) {
    match text.split_once([':', '@']) {
        Some((path, rest)) if text[path.len()..].starts_with('@') => (path, Entry::Digest(rest)),
        Some((path, rest)) => (path, Entry::Named(rest)),
        None => (text, Entry::None),
    }
}

type EntryParts = (Option<RepositoryName>, Option<Tag>, Option<Digest>);

fn layout_entry(entry: Entry<'_>) -> Result<EntryParts, ReferenceError> {
    match entry {
        Entry::None => Ok((None, None, None)),
        Entry::Digest(digest) => digest
            .parse()
            .map(|digest| (None, None, Some(digest)))
            .map_err(|error: ParseDigestError| error.into()),
        Entry::Named(name) => match name.split_once('@') {
            Some((name, digest)) => pinned_entry(name, digest),
            None => named_entry(name).map_err(ReferenceError::from),
        },
    }
}

fn named_entry(name: &str) -> Result<EntryParts, NameError> {
    match name.rsplit_once(':') {
        Some((repository, tag)) => named(Some(repository), tag),
        None => named(None, name),
    }
}

/// Reads `REPOSITORY[:TAG]@DIGEST`.
fn pinned_entry(name: &str, digest: &str) -> Result<EntryParts, ReferenceError> {
    let (repository, tag) = match name.rsplit_once(':') {
        Some((repository, tag)) => (repository, Some(tag.parse()?)),
        None => (name, None),
    };
    Ok((Some(repository.parse()?), tag, Some(digest.parse()?)))
}

/// Reads an image's name in an archive of `docker save`, which may be one that only docker takes.
fn docker_entry(name: &str) -> Result<EntryParts, ReferenceError> {
    match oci::docker_name(name) {
        Some((repository, tag)) => Ok((Some(repository), Some(tag), None)),
        None => layout_entry(Entry::Named(name)),
    }
}

fn named(repository: Option<&str>, tag: &str) -> Result<EntryParts, NameError> {
    Ok((repository.map(str::parse).transpose()?, Some(tag.parse()?), None))
}

/// Names a registry that nobody declared.
fn name(endpoint: &Endpoint, taken: &BTreeMap<RegistryName, Registry>) -> Option<RegistryName> {
    let base = match endpoint {
        Endpoint::Host(host) => host.to_string(),
        Endpoint::Layout(path) | Endpoint::OciArchive(path) | Endpoint::DockerArchive(path) => {
            let last = path.rsplit('/').next().unwrap_or_default();
            let transport = endpoint.layout().map_or("", |(form, _)| form.transport());
            let fits = |c: char| {
                if c.is_ascii_alphanumeric() || "._-".contains(c) {
                    c
                } else {
                    '-'
                }
            };
            format!("{transport}{}", last.chars().map(fits).collect::<String>())
        }
    };
    let numbered = (2..).map(|number| format!("{base}-{number}"));
    let free = |name: &RegistryName| !taken.contains_key(name);
    std::iter::once(base.clone())
        .chain(numbered)
        .map_while(|name| name.parse().ok())
        .find(free)
}

/// Registries by the names that references gave them.
#[derive(Default)]
struct Gathered(BTreeMap<RegistryName, Registry>);

impl Gathered {
    fn place(&mut self, reference: &OneShot, base: &Connection, bare: &RepositoryName) -> Option<Place> {
        let (registry, repository) = reference.registry(base, bare);
        let known = self.0.iter().find(|(_, other)| {
            other.endpoint == registry.endpoint && other.connection == registry.connection
        });
        let known = known.map(|(name, _)| name.clone());
        let name = known.or_else(|| name(&registry.endpoint, &self.0))?;
        self.0.insert(name.clone(), registry);
        Some(Place {
            registry: name,
            repository,
        })
    }
}

fn bare() -> Result<RepositoryName, ReferenceError> {
    Ok(BARE.parse()?)
}

/// Reads `host/repository[:tag][@digest]` or `oci:PATH[:[REPOSITORY:]TAG|[:REPOSITORY[:TAG]]@digest]`, likewise
/// `oci-archive:` and `docker-archive:`.
///
/// In a layout a reference without a repository means the entries that have none; they stand as the repository that the
/// connection calls `bare`.
///
/// # Errors
/// A text that is none of them.
pub fn reference(text: &str) -> Result<(Place, Option<ManifestReference>, Registry), CopyError> {
    let wrong = |source| CopyError::Reference {
        text: text.to_owned(),
        source,
    };
    let parsed = OneShot::parse(text)?;
    let base = Connection::default();
    let bare = bare().map_err(wrong)?;
    let mut gathered = Gathered::default();
    let place = gathered
        .place(&parsed, &base, &bare)
        .ok_or_else(|| wrong(ReferenceError::NoHost))?;
    let (registry, _) = parsed.registry(&base, &bare);
    let tag = parsed.tag.map(ManifestReference::Tag);
    Ok((
        place,
        parsed.digest.map(ManifestReference::Digest).or(tag),
        registry,
    ))
}

/// Makes the specification of one artifact's copy to one or many places.
///
/// A source without tag and digest means `latest`; a target without a tag takes the source's, and a target layout without a
/// repository gets an entry with the tag alone.
///
/// # Errors
/// References that are none, a target that is only read or has a digest, and a place that stands twice.
pub fn copy(source: &str, targets: &[String], options: CopyOptions) -> Result<Spec, CopyError> {
    if targets.is_empty() {
        return Err(CopyError::NoTarget);
    }
    let wrong = |text: &str, source| CopyError::Reference {
        text: text.to_owned(),
        source,
    };
    let from = OneShot::parse(source)?;
    let mut gathered = Gathered::default();
    let image = bare().map_err(|error| wrong(source, error))?;
    let place = gathered.place(&from, &options.source, &image);
    let place = place.ok_or_else(|| wrong(source, ReferenceError::NoHost))?;
    let mut pinned = pin(&from).map_err(|error| wrong(source, error.into()))?;
    pinned.digest = options.digest.or(pinned.digest);
    let last = place.repository.last_segment().parse().unwrap_or(image);

    let mut copied = Copied {
        spots: vec![(from.endpoint, place.repository.clone(), pinned.tag.clone())],
        targets: Vec::new(),
    };
    for text in targets {
        let to = OneShot::parse(text)?;
        let place = gathered.place(&to, &options.target, &last);
        copied.add(
            text,
            to,
            place.ok_or_else(|| wrong(text, ReferenceError::NoHost))?,
            &pinned,
        )?;
    }
    let mirror = Mirror {
        name: source.to_owned(),
        sources: vec![Source {
            place,
            pinned: Some(pinned),
            targets: copied.targets,
        }],
        tags: Vec::new(),
        on_change: options.on_change,
        check: options.check,
        referrers: options.referrers,
        foreign_layers: ForeignLayers::Skip,
        platforms: Platforms::All,
        discoveries: Vec::new(),
        found: Vec::new(),
        problems: Vec::new(),
    };
    let mirrors = vec![mirror];
    let digest = wanted::digest(&gathered.0, &mirrors, &|_| None);
    Ok(Spec {
        registries: gathered.0,
        mirrors,
        digest,
    })
}

fn pin(source: &OneShot) -> Result<Pinned, NameError> {
    let latest = || "latest".parse::<Tag>();
    let tag = match (&source.tag, &source.digest) {
        (None, None) => Some(latest()?),
        (tag, _) => tag.clone(),
    };
    Ok(Pinned {
        tag,
        digest: source.digest.clone(),
    })
}

/// The places of one copy, to find those that stand twice.
struct Copied {
    spots: Vec<(Endpoint, RepositoryName, Option<Tag>)>,
    targets: Vec<Target>,
}

impl Copied {
    fn add(&mut self, text: &str, to: OneShot, place: Place, pinned: &Pinned) -> Result<(), CopyError> {
        if let Endpoint::DockerArchive(_) = to.endpoint {
            return Err(CopyError::ReadOnly {
                text: text.to_owned(),
            });
        }
        if to.digest.is_some() {
            return Err(CopyError::TargetDigest {
                text: text.to_owned(),
            });
        }
        let tag = to.tag.filter(|tag| Some(tag) != pinned.tag.as_ref());
        let spot = (
            to.endpoint,
            place.repository.clone(),
            tag.clone().or_else(|| pinned.tag.clone()),
        );
        if self.spots.contains(&spot) {
            return Err(CopyError::Twice {
                text: text.to_owned(),
            });
        }
        self.spots.push(spot);
        self.targets.push(Target {
            place,
            tag: tag.map(|tag| tag.to_string()),
        });
        Ok(())
    }
}
