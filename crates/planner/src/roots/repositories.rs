//! The repositories that tags go to: those that stand, those that are yet to come, and what their vendors say of them.

use std::collections::BTreeSet;

use oci::{Digest, Tag};

use super::{Walk, problem};
use crate::ask::{Answered, Gap};
use crate::content::Way;
use crate::plan::Note;
use crate::spec::Target;
use crate::{Change, Creation, Drift, Place, Problem, ProblemKind, Side, Standing};

impl<'a> Walk<'a, '_> {
    /// Returns the tags of a target that may be written; `None` where its repository is yet to come.
    pub(super) fn opened(
        &mut self,
        target: &'a Target,
        tags: Option<&'a BTreeSet<Tag>>,
    ) -> Answered<Option<&'a BTreeSet<Tag>>> {
        let unit = self.unit(&target.place);
        if self.ask.capabilities(&unit.registry).depth.is_some() && !unit.is_above(&target.place) {
            let error = "the path names a repository of the vendor's, and no image in it".to_owned();
            let hint = format!("add the image's name, as in {unit}/{{name}}");
            let problem = problem(&target.place, Side::Target, ProblemKind::Policy, error);
            return Err(Gap::Blocked(Box::new(Problem {
                hint: Some(hint),
                ..problem
            })));
        }
        if let Some(standing) = self.standing(&unit, tags.is_some())? {
            if let Some(reason) = &standing.refuses {
                let problem = problem(&unit, Side::Target, ProblemKind::Policy, reason.clone());
                return Err(Gap::Blocked(Box::new(problem)));
            }
            self.settings(&unit, standing);
        } else if tags.is_none() {
            self.may_appear(unit)?;
        }
        Ok(tags)
    }

    /// The repository that a call of the vendor's makes: the target's own, or one above it.
    fn unit(&self, place: &Place) -> Place {
        self.ask.capabilities(&place.registry).unit(place)
    }

    /// Asks for the repository itself, where more must be known of it than its tags tell.
    fn standing(&mut self, unit: &Place, listed: bool) -> Answered<Option<&'a Standing>> {
        let capabilities = self.ask.capabilities(&unit.registry);
        let registry = self.spec.registries.get(&unit.registry);
        let settings = registry.and_then(|registry| registry.connection.settings());
        let called = capabilities.creation == Creation::Call;
        let is_asked = match listed {
            true => called && settings.is_some(),
            // What is not listed may only lack images: its repository is one above.
            false => capabilities.depth.is_some(),
        };
        // Who names the registry's resource wants to be told early that nothing can be pushed there.
        let is_named = registry.is_some_and(|registry| registry.connection.resource_id.is_some());
        if is_asked || is_named {
            self.ask.repository(unit)
        } else {
            Ok(None)
        }
    }

    /// Notes an absent repository; one that nobody may make blocks what goes there.
    fn may_appear(&mut self, unit: Place) -> Answered<()> {
        let registry = self.spec.registries.get(&unit.registry);
        let forbidden = registry.is_some_and(|registry| registry.connection.never_creates());
        if forbidden || self.ask.capabilities(&unit.registry).creation == Creation::Never {
            let (error, hint) = match forbidden {
                true => (
                    "the repository does not exist and is not to be created",
                    "create it, or let create_repositories do so",
                ),
                false => (
                    "the repository does not exist, and who signs in can't create it",
                    "create it, or let the cloud's own identity sign in instead of a password, a token or docker's file",
                ),
            };
            let (error, hint) = (error.to_owned(), hint.to_owned());
            let problem = problem(&unit, Side::Target, ProblemKind::NotFound, error);
            return Err(Gap::Blocked(Box::new(Problem {
                hint: Some(hint),
                ..problem
            })));
        }
        self.wanted.absent.insert(unit);
        Ok(())
    }

    /// Says whether a repository exists that is listed as absent: some registries list none without a tag, and what is named by
    /// its digest has none.
    pub(super) fn is_unlisted(&mut self, way: Way<'a>, digest: &Digest) -> Answered<bool> {
        if self.ask.capabilities(&way.target.registry).creation != Creation::OnPush {
            return Ok(false);
        }
        let found = self.ask.head(way.target, digest.clone())?;
        Ok(found.is_some())
    }

    /// Takes note of settings that are not as wanted: to be changed where the configuration says so, else to be told.
    fn settings(&mut self, unit: &Place, standing: &Standing) {
        let registry = self.spec.registries.get(&unit.registry);
        let updates = registry.is_some_and(|registry| registry.connection.updates_repositories());
        for drift in &standing.drift {
            let Drift {
                setting,
                found,
                wanted,
                change,
            } = drift;
            let how = match change {
                Change::Possible if updates => {
                    let drifts = self.wanted.updates.entry(unit.clone()).or_default();
                    drifts.insert(drift.clone());
                    continue;
                }
                Change::Possible => "`on_drift: update` would change it",
                Change::Never => "only a new repository could have it",
            };
            self.wanted.notes.insert(Note {
                place: Some(unit.clone()),
                text: format!("{setting} is {found}, and {wanted} in the configuration; {how}"),
            });
        }
    }

    /// Refuses to move a tag that its registry would not let move.
    pub(super) fn movable(&mut self, way: Way<'a>, tag: &Tag) -> Answered<()> {
        let Some(reason) = self.ask.immovable(way.target, tag)? else {
            return Ok(());
        };
        let error = format!("the tag differs from the source's, and {reason}");
        let problem = problem(way.target, Side::Target, ProblemKind::Immutable, error);
        let hint = "give the new image another tag, or say `on_change: keep`".to_owned();
        Err(Gap::Blocked(Box::new(Problem {
            hint: Some(hint),
            ..problem
        })))
    }
}
