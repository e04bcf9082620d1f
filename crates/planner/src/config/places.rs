//! Checks that no two mirrors get in each other's way.

use std::collections::{BTreeMap, BTreeSet};

use oci::RepositoryName;

use super::diagnostic::{Diagnostic, Span};
use super::mirrors::{Draft, Read};
use super::names::{Names, RegistryId};
use super::template::Write;
use crate::spec::Endpoint;

/// A repository by where it is, whatever name reached it.
type Spot<'a> = (&'a Endpoint, &'a RepositoryName);

/// Somebody who writes a repository.
#[derive(Clone, Copy)]
struct Writer<'a> {
    read: &'a Read,
    write: &'a Write,
    source: Spot<'a>,
}

/// The writers of one repository, by the tags they are known to write.
#[derive(Default)]
struct Writers<'a> {
    /// One per source whose tags are not known beforehand.
    open: Vec<Writer<'a>>,
    by_tag: BTreeMap<String, Writer<'a>>,
    named: Vec<Writer<'a>>,
}

/// Finds targets with two sources, repositories that are both read and written, and targets that stand twice.
pub(crate) fn check(drafts: &[Draft], names: &Names) -> Vec<Diagnostic> {
    let mut checker = Checker {
        names,
        writers: BTreeMap::new(),
        problems: Vec::new(),
    };
    for draft in drafts {
        for read in &draft.reads {
            checker.twice(read);
            for write in &read.writes {
                checker.write(draft, read, write);
            }
        }
    }
    for draft in drafts {
        for read in &draft.reads {
            checker.read(read);
        }
    }
    checker.problems
}

struct Checker<'a> {
    names: &'a Names,
    writers: BTreeMap<Spot<'a>, Writers<'a>>,
    problems: Vec<Diagnostic>,
}

impl<'a> Checker<'a> {
    fn spot(&self, registry: RegistryId, repository: &'a RepositoryName) -> Spot<'a> {
        (&self.names.get(registry).registry.endpoint, repository)
    }

    fn name(&self, registry: RegistryId, repository: &RepositoryName) -> String {
        format!("{}/{repository}", self.names.get(registry).name)
    }

    /// Tells targets that one source writes more than once.
    fn twice(&mut self, read: &'a Read) {
        let mut seen: BTreeMap<(Spot<'a>, Option<&str>), Span> = BTreeMap::new();
        for write in &read.writes {
            let spot = self.spot(write.registry, &write.repository);
            if let Some(first) = seen.insert((spot, write.tag.as_deref()), write.at) {
                let name = self.name(write.registry, &write.repository);
                let message = format!("the target `{name}` stands twice");
                self.problems.push(match first == write.at {
                    true => Diagnostic::new(
                        write.at,
                        message,
                        "a group in it reaches one repository by two ways",
                    ),
                    false => Diagnostic::new(write.at, message, "leave one out").also(first),
                });
            }
        }
    }

    fn write(&mut self, draft: &'a Draft, read: &'a Read, write: &'a Write) {
        let target = self.spot(write.registry, &write.repository);
        let writer = Writer {
            read,
            write,
            source: self.spot(read.registry, &read.repository),
        };
        if writer.source == target {
            let name = self.name(read.registry, &read.repository);
            let message = format!("`{name}` would be copied to itself");
            let problem = Diagnostic::new(
                write.at,
                message,
                "give the target another repository or registry",
            );
            self.problems.push(problem.also(read.at));
            return;
        }
        let other = self
            .writers
            .entry(target)
            .or_default()
            .add(writer, static_tags(draft, read, write));
        if let Some((other, tag)) = other {
            self.collision(writer, other, tag.as_deref());
        }
    }

    fn collision(&mut self, writer: Writer<'_>, other: Writer<'_>, tag: Option<&str>) {
        let target = self.name(writer.write.registry, &writer.write.repository);
        let sources = [other, writer].map(|writer| {
            let name = self.name(writer.read.registry, &writer.read.repository);
            let pinned = writer.read.pinned.as_ref();
            let tag = pinned.and_then(|pinned| pinned.tag.as_ref());
            let digest = pinned.and_then(|pinned| pinned.digest.as_ref());
            let tag = tag.map(|tag| format!(":{tag}")).unwrap_or_default();
            let digest = digest
                .map(|digest| format!("@{}", digest.short()))
                .unwrap_or_default();
            format!("`{name}{tag}{digest}`")
        });
        let place = tag.map_or_else(|| target.clone(), |tag| format!("{target}:{tag}"));
        let message = format!(
            "two sources write into `{place}`: {} and {}",
            sources[0], sources[1]
        );
        let problem = if writer.write.at == other.write.at {
            let help = "`{name}` or `{repository}` in `to` keeps the sources apart";
            Diagnostic::new(writer.read.at, message, help)
                .also(other.read.at)
                .also(writer.write.at)
        } else {
            let help = "give one of them another repository, or tags that differ by name (`list`, or a pinned `from`)";
            Diagnostic::new(writer.write.at, message, help).also(other.write.at)
        };
        self.problems.push(problem);
    }

    /// Tells a repository that is read here and written elsewhere.
    fn read(&mut self, read: &'a Read) {
        let spot = self.spot(read.registry, &read.repository);
        let Some(writer) = self.writers.get(&spot).and_then(Writers::first) else {
            return;
        };
        let name = self.name(read.registry, &read.repository);
        let message = format!("`{name}` is read here and written there");
        let help = "use one file per stage, or fan out from the first source";
        self.problems
            .push(Diagnostic::new(read.at, message, help).also(writer.write.at));
    }
}

impl<'a> Writers<'a> {
    /// Adds a writer; returns the first that it collides with, and at which tag where that is known.
    fn add(
        &mut self,
        writer: Writer<'a>,
        tags: Option<BTreeSet<String>>,
    ) -> Option<(Writer<'a>, Option<String>)> {
        let differs = |other: &&Writer<'a>| other.source != writer.source;
        let Some(tags) = tags else {
            let other = self.open.iter().chain(&self.named).find(differs).copied();
            self.open.push(writer);
            return other.map(|other| (other, None));
        };
        let mut collision = self.open.iter().find(differs).map(|other| (*other, None));
        self.named.push(writer);
        for tag in tags {
            let other = *self.by_tag.entry(tag.clone()).or_insert(writer);
            let pins = other.read.pinned.is_some() && writer.read.pinned.is_some();
            if differs(&&other) || (pins && other.read.pinned != writer.read.pinned) {
                collision = collision.or(Some((other, Some(tag))));
            }
        }
        collision
    }

    fn first(&self) -> Option<Writer<'a>> {
        self.open
            .iter()
            .chain(&self.named)
            .copied()
            .min_by_key(|writer| writer.write.at)
    }
}

/// Returns the tags that a source gets at a target, where the configuration alone tells them.
fn static_tags(draft: &Draft, read: &Read, write: &Write) -> Option<BTreeSet<String>> {
    let renamed = |tag: &str| match &write.tag {
        Some(template) => template.replace("{tag}", tag),
        None => tag.to_owned(),
    };
    if let Some(pinned) = &read.pinned {
        let own = pinned.tag.as_ref().map(oci::Tag::as_str);
        return Some(own.or(write.tag.as_deref()).map(renamed).into_iter().collect());
    }
    let sets = &draft.mirror.tags;
    let lists = sets.iter().map(|set| set.list()).collect::<Option<Vec<_>>>()?;
    (!lists.is_empty()).then(|| {
        lists
            .into_iter()
            .flatten()
            .map(|tag| renamed(tag.as_str()))
            .collect()
    })
}
