//! Roots of which some platforms are taken.

use oci::{Content, Digest, Tag};

use super::{Root, Walk, problem};
use crate::ask::{Answered, Gap};
use crate::attachments::{self, Listings};
use crate::chosen::{self, Chosen};
use crate::content::Way;
use crate::plan::Note;
use crate::spec::{Mirror, Platforms, Source};
use crate::want::Needs;
use crate::{Problem, ProblemKind, Side};

/// So many tags are named in a note; of more, their number is told.
const NAMED: usize = 4;

impl<'a> Walk<'a, '_> {
    /// Chooses platforms, where a mirror names some and the root is an index.
    pub(super) fn chosen(
        &mut self,
        mirror: &'a Mirror,
        source: &'a Source,
        digest: Digest,
    ) -> Answered<Root<'a>> {
        let mut root = Root { digest, chosen: None };
        if mirror.platforms == Platforms::All {
            return Ok(root);
        }
        let manifest = self.ask.manifest(&source.place, &root.digest)?;
        let index = manifest.filter(|manifest| matches!(manifest.content(), Content::Index { .. }));
        if let Some(index) = index {
            let chosen = chosen::choose(self.ask, &source.place, index, &mirror.platforms)?;
            root.digest = chosen.index.digest().clone();
            root.chosen = Some(chosen);
        }
        Ok(root)
    }

    /// Says what is left out of an index that goes to a target, and refuses what the target does not take.
    pub(super) fn partly(
        &mut self,
        way: Way<'a>,
        listings: Listings<'a>,
        root: &Root<'a>,
        tag: Option<&Tag>,
        needs: &mut Needs<'a>,
    ) -> Answered<()> {
        let Some(chosen) = &root.chosen else {
            return Ok(());
        };
        let name = tag.map_or_else(|| root.digest.to_string(), ToString::to_string);
        for platform in chosen.unmet(&way.mirror.platforms) {
            let key = (way.source.clone(), platform);
            self.unmet.entry(key).or_default().insert(name.clone());
        }
        if !chosen.is_partial() {
            return Ok(());
        }
        if chosen.is_new() {
            return self.left_behind(way, listings, chosen, &name, needs);
        }
        let registry = &way.target.registry;
        match self.ask.capabilities(registry).sparse_index {
            Some(true) => Ok(()),
            Some(false) => {
                let error = format!("{registry} refuses an index of which some children are missing");
                let hint = "write index: rewrite for a new index, or copy every platform; where the registry takes such indexes, say profile: { sparse_index: accepted }";
                let problem = problem(way.target, Side::Target, ProblemKind::Policy, error);
                Err(Gap::Blocked(Box::new(Problem {
                    hint: Some(hint.to_owned()),
                    ..problem
                })))
            }
            None => {
                needs.notes.insert(Note {
                    place: None,
                    text: format!("whether {registry} takes an index of which some children are missing is seen when it is applied; most registries refuse it, and index: rewrite is the way round"),
                });
                Ok(())
            }
        }
    }

    /// Says which attachments of an index a new one in its place does not have: they name the other.
    fn left_behind(
        &mut self,
        way: Way<'a>,
        listings: Listings<'a>,
        chosen: &Chosen<'a>,
        name: &str,
        needs: &mut Needs<'a>,
    ) -> Answered<()> {
        let count = attachments::count(way, self.ask, listings, chosen.original)?;
        if count > 0 {
            let noun = if count == 1 { "attachment" } else { "attachments" };
            needs.notes.insert(Note {
                place: Some(way.target.clone()),
                text: format!(
                    "{name} is a new index, so {count} {noun} of {} are left out: no signature covers the new one",
                    chosen.original
                ),
            });
        }
        Ok(())
    }

    /// Says which platforms were asked for and not found.
    pub(super) fn note_unmet(&mut self) {
        for ((source, platform), names) in std::mem::take(&mut self.unmet) {
            let named: Vec<&str> = names.iter().take(NAMED).map(String::as_str).collect();
            let more = names.len() - named.len();
            let mut text = format!("no image for {platform} in {}", named.join(", "));
            if more > 0 {
                text.push_str(&format!(" and {more} more"));
            }
            self.wanted.notes.insert(Note {
                place: Some(source),
                text,
            });
        }
    }
}
