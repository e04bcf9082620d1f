//! Roots of which some platforms are taken.

use std::collections::BTreeSet;

use oci::{Content, Digest};

use super::{Root, Selected, Walk, problem};
use crate::ask::{Answered, Gap, both};
use crate::attachments::{self, Listings};
use crate::chosen::{self, Chosen};
use crate::content::Way;
use crate::plan::Note;
use crate::spec::{Mirror, Platforms, Referrers, Source};
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
        selected: &Selected,
        digest: Digest,
    ) -> Answered<Root<'a>> {
        let name = selected.tag.as_ref();
        let mut root = Root {
            name: name.map_or_else(|| digest.to_string(), ToString::to_string),
            digest,
            chosen: None,
        };
        if mirror.platforms == Platforms::All {
            return Ok(root);
        }
        let manifest = self.ask.kept(&source.place, &root.digest)?;
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
        needs: &mut Needs<'a>,
    ) -> Answered<()> {
        let Some(chosen) = &root.chosen else {
            return Ok(());
        };
        for platform in chosen.unmet(&way.mirror.platforms) {
            let key = (way.source.clone(), platform);
            self.unmet.entry(key).or_default().insert(root.name.clone());
        }
        for gone in &chosen.gone {
            let text = format!("{} names {gone}, which is missing and left out", root.name);
            let place = Some(way.source.clone());
            needs.notes.insert(Note { place, text });
        }
        // What stands was taken by the registry already.
        if !chosen.is_partial() || way.stands(self.ask, &root.digest)? {
            return Ok(());
        }
        if chosen.is_new() {
            return self.left_behind(way, listings, root, chosen, needs);
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
        root: &Root<'a>,
        chosen: &Chosen<'a>,
        needs: &mut Needs<'a>,
    ) -> Answered<()> {
        if way.mirror.referrers == Referrers::None {
            return Ok(());
        }
        let (mut open, mut seen, mut gap) = (vec![chosen], BTreeSet::new(), Ok(()));
        while let Some(chosen) = open.pop() {
            let original = chosen.original;
            if !seen.insert(original) {
                continue;
            }
            open.extend(chosen.nested().filter(|nested| nested.is_new()));
            let what = match attachments::count(way, self.ask, listings, original) {
                Ok(0) => continue,
                Ok(1) => "1 attachment is".to_owned(),
                Ok(count) => format!("{count} attachments are"),
                Err(Gap::Blocked(_)) => "attachments, which can't be counted, are".to_owned(),
                Err(Gap::Pending) => {
                    gap = both(gap, Err(Gap::Pending));
                    continue;
                }
            };
            let text = format!(
                "{} has a new index, so {what} left out with the old one, {original}: no signature covers the new one",
                root.name
            );
            let place = Some(way.target.clone());
            needs.notes.insert(Note { place, text });
        }
        gap
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
