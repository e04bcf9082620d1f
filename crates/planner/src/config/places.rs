//! Checks that no two mirrors get in each other's way.

use std::collections::BTreeMap;

use oci::RepositoryName;

use super::collisions::{Spot, Writer, Writers, static_tags};
use super::diagnostic::{Diagnostic, Span};
use super::mirrors::{Draft, Read};
use super::names::{Names, RegistryId};
use super::template::Write;

/// Who writes a repository.
type Way<'a> = (&'a Read, &'a Write);

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
    writers: BTreeMap<Spot<'a>, Writers<'a, Way<'a>>>,
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
            source: self.spot(read.registry, &read.repository),
            pinned: read.pinned.as_ref(),
            who: (read, write),
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
        let tags = static_tags(&draft.mirror.tags, writer.pinned, write.tag.as_deref());
        let other = self.writers.entry(target).or_default().add(writer, tags);
        if let Some((other, tag)) = other {
            self.collision(writer.who, other.who, tag.as_deref());
        }
    }

    fn collision(&mut self, (read, write): Way<'_>, other: Way<'_>, tag: Option<&str>) {
        let target = self.name(write.registry, &write.repository);
        let sources = [other.0, read].map(|read| {
            let name = self.name(read.registry, &read.repository);
            let pinned = read.pinned.as_ref();
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
        let problem = if write.at == other.1.at {
            let help = "`{name}` or `{repository}` in `to` keeps the sources apart";
            Diagnostic::new(read.at, message, help)
                .also(other.0.at)
                .also(write.at)
        } else {
            let help = "give one of them another repository, or tags that differ by name (`list`, or a pinned `from`)";
            Diagnostic::new(write.at, message, help).also(other.1.at)
        };
        self.problems.push(problem);
    }

    /// Tells a repository that is read here and written elsewhere.
    fn read(&mut self, read: &'a Read) {
        let spot = self.spot(read.registry, &read.repository);
        let writers = self.writers.get(&spot).into_iter().flat_map(Writers::all);
        let Some(written) = writers.map(|writer| writer.who.1.at).min() else {
            return;
        };
        let name = self.name(read.registry, &read.repository);
        let message = format!("`{name}` is read here and written there");
        let help = "use one file per stage, or fan out from the first source";
        self.problems
            .push(Diagnostic::new(read.at, message, help).also(written));
    }
}
