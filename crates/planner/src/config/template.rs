//! Targets as `to` writes them: `{host}`, `{repository}` and `{name}` of the source, `:{tag}-suffix` at the end.

use oci::{RepositoryName, Tag};

use super::diagnostic::{Diagnostic, Next, Span};
use super::names::{Member, Names, RegistryId, split, which_repository};
use super::suggest::nearest;
use crate::spec::{Endpoint, Pinned, TargetTemplate};

const PLACEHOLDERS: [&str; 3] = ["host", "repository", "name"];
const TAG: &str = "{tag}";

/// One entry of `to`: a path in a registry, or in each registry of a group.
#[derive(Debug)]
pub(crate) struct Template {
    members: Vec<Member>,
    path: String,
    tag: Option<String>,
    at: Span,
}

/// What a template is filled from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Filling<'a> {
    pub(crate) endpoint: &'a Endpoint,
    pub(crate) repository: &'a RepositoryName,
    pub(crate) pinned: Option<&'a Pinned>,
}

/// One place that a source is written to.
#[derive(Clone, Debug)]
pub(crate) struct Write {
    pub(crate) registry: RegistryId,
    pub(crate) repository: RepositoryName,
    pub(crate) tag: Option<String>,
    pub(crate) at: Span,
}

impl Template {
    pub(crate) fn parse(text: &str, at: Span, names: &mut Names) -> Result<Self, Diagnostic> {
        let (first, rest) = split(text, at)?;
        if rest.contains('@') {
            let help = "leave it out; the digest follows from the source";
            return Err(Diagnostic::new(at, "a target has no digest", help));
        }
        let members = match names.groups.get(first) {
            Some(group) => group.members.clone(),
            None => vec![Member {
                registry: names.registry(first, at)?,
                path: String::new(),
            }],
        };
        let (path, tag) = match rest.rsplit_once(':') {
            Some((path, tag)) if !tag.contains('/') => (path, Some(tag)),
            _ => (rest, None),
        };
        if let Some(tag) = tag {
            check_tag(tag, at)?;
        }
        // `{tag}` alone keeps the tag.
        let tag = tag.filter(|tag| *tag != TAG).map(str::to_owned);
        Ok(Self {
            members,
            path: path.trim_end_matches('/').to_owned(),
            tag,
            at,
        })
    }

    /// Returns how many places one source is written to.
    pub(crate) fn targets(&self) -> usize {
        self.members.len()
    }

    pub(crate) fn fill(&self, filling: Filling<'_>, names: &Names) -> Result<Vec<Write>, Diagnostic> {
        self.fits(filling.pinned)?;
        let path = fill(&self.path, filling).map_err(|problem| problem.at(self.at))?;
        self.members
            .iter()
            .map(|member| self.write(member, &path, names))
            .collect()
    }

    /// Checks the template for sources of which manifests are taken by digest alone.
    pub(crate) fn suits_digests(&self) -> Result<(), Diagnostic> {
        match &self.tag {
            None => Ok(()),
            Some(tag) => Err(Diagnostic::new(
                self.at,
                format!("what `digests` takes has no tag, and the target names `{tag}`"),
                format!("leave `:{tag}` out, or name one digest in `from` for one tag at the target"),
            )),
        }
    }

    /// Checks the template for sources whose names are not known yet.
    ///
    /// `several` says that there may be more than one.
    pub(crate) fn suits_any(
        &self,
        endpoint: &Endpoint,
        several: bool,
        names: &Names,
    ) -> Result<(), Diagnostic> {
        let example: RepositoryName = "x/x"
            .parse()
            .map_err(|error| Diagnostic::new(self.at, "no example", format!("{error}")))?;
        let filling = Filling {
            endpoint,
            repository: &example,
            pinned: None,
        };
        self.fill(filling, names)?;
        if several
            && !["{name}", "{repository}"]
                .iter()
                .any(|word| self.path.contains(word))
        {
            let message = "every repository that is found would be written into one";
            let help = "`{name}` or `{repository}` in `to` keeps the sources apart";
            return Err(Diagnostic::new(self.at, message, help));
        }
        Ok(())
    }

    /// Returns the template for sources whose names are not known yet.
    pub(crate) fn plain(&self, names: &Names) -> Vec<TargetTemplate> {
        let plain = |member: &Member| TargetTemplate {
            registry: names.get(member.registry).name.clone(),
            path: format!("{}{}", member.path, self.path),
            tag: self.tag.clone(),
        };
        self.members.iter().map(plain).collect()
    }

    /// Returns the registries that the template names.
    pub(crate) fn registries(&self) -> impl Iterator<Item = RegistryId> {
        self.members.iter().map(|member| member.registry)
    }

    fn write(&self, member: &Member, path: &str, names: &Names) -> Result<Write, Diagnostic> {
        let whole = format!("{}{path}", member.path);
        let whole = whole.trim_end_matches('/');
        if whole.is_empty() {
            return Err(which_repository(&names.get(member.registry).name, self.at));
        }
        let parsed = names.path(member.registry, whole).map_err(|error| {
            let registry = &names.get(member.registry).name;
            let message = format!("`{whole}` is no repository of `{registry}`");
            Diagnostic::new(self.at, message, error.to_string())
        })?;
        let (registry, repository) = (member.registry, parsed.repository);
        Ok(Write {
            registry,
            repository,
            tag: self.tag.clone(),
            at: self.at,
        })
    }

    /// Checks that the target's tag and what the source is pinned to make sense together.
    fn fits(&self, pinned: Option<&Pinned>) -> Result<(), Diagnostic> {
        let Some(tag) = &self.tag else { return Ok(()) };
        match pinned {
            None if !tag.contains(TAG) => Err(Diagnostic::new(
                self.at,
                format!("every tag of the source would become `{tag}`"),
                format!("keep the tags apart: \":{{tag}}-{tag}\", or pin the source to one tag"),
            )),
            Some(Pinned { tag: None, .. }) if tag.contains(TAG) => Err(Diagnostic::new(
                self.at,
                "a source that is pinned to a digest alone has no `{tag}`",
                "name the tag at the target, or in `from`",
            )),
            _ => Ok(()),
        }
    }
}

fn check_tag(tag: &str, at: Span) -> Result<(), Diagnostic> {
    let filled = tag.replacen(TAG, "x", 1);
    match filled.parse::<Tag>() {
        Ok(_) => Ok(()),
        Err(_) if filled.contains('{') => {
            let message = format!("`{tag}` has a placeholder other than one `{TAG}`");
            Err(Diagnostic::new(at, message, "write it as in \":{tag}-mirror\""))
        }
        Err(error) => Err(Diagnostic::new(
            at,
            format!("`{tag}` is no tag"),
            error.to_string(),
        )),
    }
}

/// Why a path can't be filled.
struct Unfilled {
    message: String,
    meant: Option<&'static str>,
}

impl Unfilled {
    fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            meant: None,
        }
    }

    fn at(self, at: Span) -> Diagnostic {
        let help = "there are {host}, {repository} and {name}, and {tag} behind the `:`";
        let meant = self.meant.map(|name| format!("{{{name}}}"));
        Diagnostic::new(at, self.message, Next::meant_or(meant.as_deref(), help))
    }
}

/// Fills the path of a template from a source that was found.
pub(crate) fn fill_found(path: &str, filling: Filling<'_>) -> Result<String, String> {
    let filled = fill(path, filling).map_err(|unfilled| unfilled.message)?;
    Ok(filled.trim_end_matches('/').to_owned())
}

fn fill(path: &str, filling: Filling<'_>) -> Result<String, Unfilled> {
    let mut filled = String::new();
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((placeholder, after)) = after.split_once('}') else {
            return Err(Unfilled::new("`{` without its `}`"));
        };
        filled.push_str(before);
        filled.push_str(&value(placeholder, filling)?);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

fn value(placeholder: &str, filling: Filling<'_>) -> Result<String, Unfilled> {
    match placeholder {
        "repository" => Ok(filling.repository.to_string()),
        "name" => Ok(filling.repository.last_segment().to_owned()),
        "host" => match filling.endpoint {
            // No repository's name has a `:`, so the port is left out.
            Endpoint::Host(host) => Ok(host.name().to_owned()),
            Endpoint::Layout(_) | Endpoint::OciArchive(_) | Endpoint::DockerArchive(_) => {
                Err(Unfilled::new("a source in a layout has no `{host}`"))
            }
        },
        "tag" => Err(Unfilled::new("`{tag}` only stands behind the last `:`")),
        other => {
            let message = format!("unknown placeholder `{{{other}}}`");
            Err(Unfilled {
                message,
                meant: nearest(other, PLACEHOLDERS),
            })
        }
    }
}
