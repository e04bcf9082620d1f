//! From the first segment of a reference to a registry.

use std::collections::BTreeMap;

use oci::{Digest, Host, Reference, ReferenceError, RepositoryName, Tag};

use super::connection::Connection;
use super::diagnostic::{Diagnostic, Next, Span};
use super::registries::{Declared, usual_port};
use super::suggest::nearest;
use crate::RegistryName;
use crate::spec::{Endpoint, Registry};

/// Prefixes of references to what is no registry, and what to do instead.
const TRANSPORTS: [(&str, &str); 3] = [
    (
        "oci:",
        "declare it: registries: { usb: { layout: PATH } }, and start with `usb/`",
    ),
    (
        "oci-archive:",
        "declare it: registries: { usb: { layout: FILE.tar } }, and start with `usb/`",
    ),
    (
        "docker-archive:",
        "it is only read, and by copy: transship copy docker-archive:FILE oci-archive:FILE.tar makes a `layout` of it",
    ),
];

/// A registry of [`Names`], by its position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RegistryId(usize);

/// A name for several targets.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) span: Span,
    pub(crate) members: Vec<Member>,
}

/// A registry of a group, and a path in it, empty or with `/` at its end.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) registry: RegistryId,
    pub(crate) path: String,
}

/// Everything that a first segment can name, in the order of the file.
#[derive(Debug, Default)]
pub(crate) struct Names {
    registries: Vec<Declared>,
    pub(crate) groups: BTreeMap<String, Group>,
}

/// `repository[:tag][@digest]` behind a registry.
pub(crate) struct Path {
    pub(crate) repository: RepositoryName,
    pub(crate) tag: Option<Tag>,
    pub(crate) digest: Option<Digest>,
}

impl Names {
    pub(crate) fn new(registries: Vec<Declared>) -> Self {
        Self {
            registries,
            groups: BTreeMap::new(),
        }
    }

    pub(crate) fn get(&self, id: RegistryId) -> &Declared {
        &self.registries[id.0]
    }

    pub(crate) fn declared(&self, name: &str) -> Option<&Declared> {
        self.registries
            .iter()
            .find(|declared| declared.span.is_some() && declared.name.as_str() == name)
    }

    /// Finds the registry that `first` names: a declared one, else the one declaration of that host, else the host itself.
    pub(crate) fn registry(&mut self, first: &str, at: Span) -> Result<RegistryId, Diagnostic> {
        if let Some(id) = self
            .registries
            .iter()
            .position(|declared| declared.name.as_str() == first)
        {
            return Ok(RegistryId(id));
        }
        if !Host::looks_like(first) {
            return Err(self.unknown(first, at));
        }
        if first.contains('@') {
            let help = "declare the registry, and say who signs in under its `auth`";
            return Err(Diagnostic::new(
                at,
                "a reference holds no user and no password",
                help,
            ));
        }
        let host: Host = first
            .parse()
            .map_err(|error| Diagnostic::new(at, format!("`{first}` is no host"), format!("{error}")))?;
        let endpoint = Endpoint::Host(usual_port(host, false));
        let declarations: Vec<usize> = (0..self.registries.len())
            .filter(|id| self.registries[*id].registry.endpoint == endpoint)
            .collect();
        match declarations.as_slice() {
            [] => self.undeclared(endpoint, first, at),
            [one] => Ok(RegistryId(*one)),
            several => Err(self.ambiguous(first, several, at)),
        }
    }

    fn undeclared(&mut self, endpoint: Endpoint, host: &str, at: Span) -> Result<RegistryId, Diagnostic> {
        let name: RegistryName = match &endpoint {
            Endpoint::Host(host) => host.as_str(),
            Endpoint::Layout(path) | Endpoint::OciArchive(path) | Endpoint::DockerArchive(path) => path,
        }
        .parse()
        .map_err(|error| Diagnostic::new(at, format!("`{host}` is no host"), format!("{error}")))?;
        let connection = Connection {
            host: Some(host.to_string()),
            ..Connection::default()
        };
        self.registries.push(Declared {
            name,
            span: None,
            registry: Registry { endpoint, connection },
        });
        Ok(RegistryId(self.registries.len() - 1))
    }

    fn ambiguous(&self, host: &str, several: &[usize], at: Span) -> Diagnostic {
        let names: Vec<String> = several
            .iter()
            .map(|id| format!("`{}`", self.registries[*id].name))
            .collect();
        let message = format!("`{host}` is declared more than once, as {}", names.join(" and "));
        let problem = Diagnostic::new(at, message, "name the one that is meant instead of the host");
        let spans = several.iter().filter_map(|id| self.registries[*id].span);
        spans.fold(problem, Diagnostic::also)
    }

    fn unknown(&self, first: &str, at: Span) -> Diagnostic {
        if let Some(group) = self.groups.get(first) {
            let message = format!("`{first}` is a group, and a group only stands in `to`");
            return Diagnostic::new(at, message, "name one registry").also(group.span);
        }
        let names = self.registries.iter().filter(|declared| declared.span.is_some());
        let names = names
            .map(|declared| declared.name.as_str())
            .chain(self.groups.keys().map(String::as_str));
        let next = Next::meant_or(
            nearest(first, names),
            "a reference starts with a declared name, or with a host such as docker.io or localhost:5000",
        );
        let message = format!("`{first}` is neither declared under `registries` nor a host");
        Diagnostic::new(at, message, next)
    }

    /// Parses what stands behind the registry. `docker.io/alpine` reads as `docker.io/library/alpine`.
    pub(crate) fn path(&self, id: RegistryId, text: &str) -> Result<Path, ReferenceError> {
        read_path(&self.get(id).registry.endpoint, text)
    }
}

pub(crate) fn read_path(endpoint: &Endpoint, text: &str) -> Result<Path, ReferenceError> {
    let host = match endpoint {
        Endpoint::Host(host) => host.clone(),
        // A layout has no host; one with no rules of its own stands in for it.
        Endpoint::Layout(_) | Endpoint::OciArchive(_) | Endpoint::DockerArchive(_) => {
            "layout.invalid".parse()?
        }
    };
    let Reference {
        repository,
        tag,
        digest,
        ..
    } = Reference::parse_path(host, text)?;
    Ok(Path {
        repository,
        tag,
        digest,
    })
}

/// Says that a reference names a registry and no repository of it.
pub(crate) fn which_repository(registry: &RegistryName, at: Span) -> Diagnostic {
    Diagnostic::new(
        at,
        format!("which repository of `{registry}` is meant?"),
        format!("write it as in {registry}/library/alpine"),
    )
}

/// Splits a reference of the configuration into its first segment and the rest.
pub(crate) fn split(text: &str, at: Span) -> Result<(&str, &str), Diagnostic> {
    if let Some((transport, help)) = TRANSPORTS
        .iter()
        .find(|(transport, _)| text.starts_with(transport))
    {
        let what = format!("`{transport}` in a configuration");
        return Err(Diagnostic::unimplemented(at, what, *help));
    }
    for scheme in ["https://", "http://"] {
        if text.starts_with(scheme) {
            let help = format!("leave `{scheme}` out");
            return Err(Diagnostic::new(at, "a reference has no scheme", help));
        }
    }
    let text = text.strip_prefix("docker://").unwrap_or(text);
    let (first, rest) = text.split_once('/').unwrap_or((text, ""));
    if first.is_empty() {
        let help = "start with a declared name or a host, as in hub/library/alpine";
        return Err(Diagnostic::new(at, "a reference starts with a registry", help));
    }
    Ok((first, rest))
}
