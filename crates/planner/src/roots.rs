//! Roots: the tags that mirrors select, and what each needs at each target.

mod platforms;
mod repositories;
mod selection;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use oci::{Digest, ManifestReference, MediaKind, Platform, Tag};

use crate::ask::{Answered, Ask, Gap, Telling, both};
use crate::attachments::{self, Listings};
use crate::blocked::Blocked;
use crate::chosen::Chosen;
use crate::config::Count;
use crate::content::Way;
use crate::plan::{Expect, Note, TagRole};
use crate::spec::{Check, Mirror, OnChange, Platforms, Referrers, Source, Target};
use crate::want::{Needs, TagWant, Wait, Wanted};
use crate::{Place, Problem, ProblemKind, Side, Spec};

/// Walks all roots and gathers what is wanted; what is not known yet becomes questions of `ask`.
pub(crate) fn want<'a>(spec: &'a Spec, ask: &mut Ask<'a>) -> Wanted<'a> {
    let mut walk = Walk {
        spec,
        ask,
        wanted: Wanted::default(),
        blocked: Blocked::default(),
        claims: BTreeMap::new(),
        counts: BTreeMap::new(),
        unmet: BTreeMap::new(),
    };
    let mut taken: Vec<Taken<'a>> = Vec::new();
    for (number, mirror) in spec.mirrors.iter().enumerate() {
        let sources = mirror.sources.iter();
        taken.extend(sources.filter_map(|source| walk.source(number, mirror, source)));
        walk.shortfalls(number, mirror);
    }
    for problem in spec.problems() {
        walk.blocked.add(problem, 0);
    }
    for taken in &taken {
        walk.roots(taken);
    }
    walk.note_unmet();
    let Walk {
        mut wanted, blocked, ..
    } = walk;
    wanted.counts.blocked = blocked.tags();
    wanted.blocked = blocked.into_problems();
    wanted
}

struct Walk<'a, 'w> {
    spec: &'a Spec,
    ask: &'w mut Ask<'a>,
    wanted: Wanted<'a>,
    blocked: Blocked,
    /// Which digest each target tag was promised, and by which mirror.
    claims: BTreeMap<(Place, Tag), (Digest, &'a str)>,
    /// How many tags each set of a mirror took from a source that counts together with others.
    counts: BTreeMap<(usize, &'a Place), Vec<Count>>,
    /// The indexes of a source that have no image for a platform that is asked for.
    unmet: BTreeMap<(Place, &'a Platform), BTreeSet<String>>,
}

/// One selected thing of a source.
#[derive(Clone, Debug)]
struct Selected {
    tag: Option<Tag>,
    digest: Option<Digest>,
}

/// The tags of a repository that has none.
static UNTAGGED: BTreeSet<Tag> = BTreeSet::new();

/// Who claims a tag of a target.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Claim {
    /// Nobody has, or who has can't bring it.
    First,
    /// Another mirror has, with the same digest.
    Again,
}

/// What stands at the source, and what goes to the targets in its place.
struct Root<'a> {
    /// How the source calls it.
    name: String,
    /// The digest at the targets.
    digest: Digest,
    /// The index, where some platforms of it are taken.
    chosen: Option<Rc<Chosen<'a>>>,
}

/// What a mirror takes from a source, and where that goes.
struct Taken<'a> {
    mirror: &'a Mirror,
    source: &'a Source,
    tags: &'a BTreeSet<Tag>,
    selected: Vec<Selected>,
    open: Vec<Open<'a>>,
}

/// A target whose listing is known.
#[derive(Clone, Copy)]
struct Open<'a> {
    target: &'a Target,
    tags: Option<&'a BTreeSet<Tag>>,
}

impl<'a> Walk<'a, '_> {
    fn source(&mut self, number: usize, mirror: &'a Mirror, source: &'a Source) -> Option<Taken<'a>> {
        let listing = self.ask.tags(&source.place);
        let listings: Vec<_> = source
            .targets
            .iter()
            .map(|target| (target, self.ask.tags(&target.place)))
            .collect();
        let tags = match listing {
            Ok(Some(tags)) => tags,
            // A registry may know no repository that has no tag.
            Ok(None) if names_digests(mirror, source) => &UNTAGGED,
            Ok(None) => {
                self.absent_source(source);
                return None;
            }
            Err(Gap::Blocked(problem)) => {
                self.blocked.add(*problem, 0);
                return None;
            }
            Err(Gap::Pending) => return None,
        };
        if !self.wanted.sources.contains(&source.place) {
            self.wanted.sources.push(source.place.clone());
        }
        self.note_listing(&source.place);
        let selected = self.selected(number, mirror, source, tags);
        let mut open = Vec::new();
        for (target, listing) in listings {
            self.note_listing(&target.place);
            match listing.and_then(|tags| self.opened(target, tags)) {
                Ok(tags) => open.push(Open { target, tags }),
                Err(Gap::Blocked(problem)) => self.blocked.add(*problem, selected.len() as u64),
                Err(Gap::Pending) => {}
            }
        }
        Some(Taken {
            mirror,
            source,
            tags,
            selected,
            open,
        })
    }

    fn roots(&mut self, taken: &Taken<'a>) {
        let tellings: Vec<Telling> = taken.open.iter().map(|open| self.telling(taken, open)).collect();
        for selected in &taken.selected {
            self.root(taken, selected, &tellings);
        }
    }

    /// Finds out how it is known what is attached to what a mirror takes for one target.
    fn telling(&mut self, taken: &Taken<'a>, open: &Open<'a>) -> Telling {
        if taken.mirror.referrers == Referrers::None {
            return Telling::Asked;
        }
        let spared = self.spared(taken, open);
        self.ask
            .telling(&taken.source.place, taken.selected.len(), &spared)
    }

    /// What need not be looked at as an attachment, because it goes to the target for its own sake: it stands at a selected tag
    /// of the source, and stands at that tag of the target too or will. The target's registry lists what it refers to by itself.
    fn spared(&self, taken: &Taken<'a>, open: &Open<'a>) -> BTreeSet<Digest> {
        let target = &open.target.place;
        let whole = taken.mirror.platforms == Platforms::All;
        if !whole || !self.ask.has_referrers_api(&target.registry) {
            return BTreeSet::new();
        }
        let lands = |tag: &Tag, digest: &Digest| {
            let Ok(tag) = target_tag(open.target, tag) else {
                return false;
            };
            match (open.tags, self.ask.listed(target, &tag)) {
                (_, Some(standing)) => standing == digest || taken.mirror.on_change == OnChange::Update,
                (Some(tags), None) => !tags.contains(&tag),
                (None, None) => true,
            }
        };
        let tags = taken.selected.iter().filter(|selected| selected.digest.is_none());
        tags.filter_map(|selected| selected.tag.as_ref())
            .filter_map(|tag| Some((tag, self.ask.listed(&taken.source.place, tag)?)))
            .filter(|(tag, digest)| lands(tag, digest))
            .map(|(_, digest)| digest.clone())
            .collect()
    }

    /// Says where a repository is asked tag by tag because its vendor does not list it to us.
    fn note_listing(&mut self, place: &Place) {
        if let Some(reason) = self.ask.unlisted(place) {
            self.wanted.notes.insert(Note {
                place: Some(place.clone()),
                text: format!("asked tag by tag, which is slow: {reason}"),
            });
        }
    }

    fn absent_source(&mut self, source: &Source) {
        let error = "the repository does not exist".to_owned();
        let hint = "check the name, and that the credential may read it".to_owned();
        let problem = problem(&source.place, Side::Source, ProblemKind::NotFound, error);
        self.blocked.add(
            Problem {
                hint: Some(hint),
                ..problem
            },
            0,
        );
    }

    fn root(&mut self, taken: &Taken<'a>, selected: &Selected, tellings: &[Telling]) {
        let Taken {
            mirror,
            source,
            tags,
            open,
            ..
        } = taken;
        let root = self.digest(mirror, source, selected, open);
        let root = match root.and_then(|digest| self.chosen(mirror, source, selected, digest)) {
            Ok(root) => root,
            Err(Gap::Pending) => return,
            Err(Gap::Blocked(mut problem)) => {
                problem.tag = problem.tag.or_else(|| selected.tag.clone());
                return self.blocked.add(*problem, open.len() as u64);
            }
        };
        for (open, telling) in open.iter().zip(tellings) {
            let way = Way {
                mirror,
                source: &source.place,
                target: &open.target.place,
                exists: open.tags.is_some(),
            };
            let listings = Listings {
                source: tags,
                target: open.tags,
                telling: *telling,
            };
            let Some(tag) = self.target_tag(open.target, selected, way) else {
                continue;
            };
            match self.at_target(way, listings, &root, tag.as_ref()) {
                Ok(()) | Err(Gap::Pending) => {}
                Err(Gap::Blocked(mut problem)) => {
                    let own = match problem.side {
                        Side::Source => selected.tag.clone(),
                        Side::Target => tag,
                    };
                    problem.tag = problem.tag.or(own);
                    self.blocked.add(*problem, 1);
                }
            }
        }
    }

    /// The digest of a root: with the manifest itself where a target surely lacks it, else without.
    fn digest(
        &mut self,
        mirror: &Mirror,
        source: &'a Source,
        selected: &Selected,
        open: &[Open<'a>],
    ) -> Answered<Digest> {
        let Some(tag) = selected.tag.as_ref().filter(|_| selected.digest.is_none()) else {
            return selected.digest.clone().ok_or(Gap::Pending);
        };
        if open.is_empty() {
            return Err(Gap::Pending);
        }
        let lacks = |open: &Open<'a>| {
            let tag = target_tag(open.target, tag);
            !open
                .tags
                .is_some_and(|tags| tag.is_ok_and(|tag| tags.contains(&tag)))
        };
        let digest = if mirror.check > Check::Tags || open.iter().any(lacks) {
            self.ask
                .get(&source.place, tag)?
                .map(|manifest| manifest.digest().clone())
        } else {
            self.ask
                .head(&source.place, tag.clone())?
                .map(|descriptor| descriptor.digest)
        };
        digest.ok_or_else(|| {
            let error = format!("the tag {tag} was listed and is gone");
            Gap::Blocked(Box::new(problem(
                &source.place,
                Side::Source,
                ProblemKind::NotFound,
                error,
            )))
        })
    }

    /// The tag at the target: `None` where nothing fits, `Some(None)` for a root without a tag.
    fn target_tag(&mut self, target: &Target, selected: &Selected, way: Way<'_>) -> Option<Option<Tag>> {
        let Some(tag) = &selected.tag else {
            return Some(target.tag.as_ref().and_then(|tag| tag.parse().ok()));
        };
        match target_tag(target, tag) {
            Ok(tag) => Some(Some(tag)),
            Err(text) => {
                let error = format!("{text} is no tag");
                let mut problem = problem(way.target, Side::Target, ProblemKind::Policy, error);
                problem.tag = Some(tag.clone());
                self.blocked.add(problem, 1);
                None
            }
        }
    }

    fn at_target(
        &mut self,
        way: Way<'a>,
        listings: Listings<'a>,
        root: &Root<'a>,
        tag: Option<&Tag>,
    ) -> Answered<()> {
        let digest = &root.digest;
        let way = match tag {
            None if !way.exists => Way {
                exists: self.is_unlisted(way, digest)?,
                ..way
            },
            _ => way,
        };
        let stands = match tag {
            Some(tag) if listings.target.is_some_and(|tags| tags.contains(tag)) => self
                .ask
                .head(way.target, ManifestReference::Tag(tag.clone()))?
                .map(|found| found.digest),
            _ => None,
        };
        let Some(claimed) = tag else {
            return self.first(way, listings, root, None, stands);
        };
        if self.claim(way, claimed, digest)? == Claim::Again {
            return self.again(way, listings, root, claimed, stands.as_ref());
        }
        let key = (way.target.clone(), claimed.clone());
        self.wanted.standing.insert(key.clone(), digest.clone());
        let first = self.first(way, listings, root, tag, stands);
        if matches!(first, Err(Gap::Blocked(_))) {
            // Another mirror may still bring it.
            self.claims.remove(&key);
        }
        first
    }

    /// Brings a root that no mirror before has brought to the same tag.
    fn first(
        &mut self,
        way: Way<'a>,
        listings: Listings<'a>,
        root: &Root<'a>,
        tag: Option<&Tag>,
        stands: Option<Digest>,
    ) -> Answered<()> {
        let digest = &root.digest;
        let unchanged = stands.as_ref() == Some(digest);
        if let (Some(tag), Some(_), false) = (tag, &stands, unchanged) {
            match way.mirror.on_change {
                OnChange::Update => self.movable(way, tag)?,
                OnChange::Keep => {
                    self.wanted.counts.keep += 1;
                    self.wanted.notes.insert(Note {
                        place: Some(way.target.clone()),
                        text: format!("{tag} differs from the source's and is kept"),
                    });
                    return Ok(());
                }
                OnChange::Refuse => {
                    let error = "the tag differs from the source's, and on_change is refuse".to_owned();
                    return Err(Gap::Blocked(Box::new(problem(
                        way.target,
                        Side::Target,
                        ProblemKind::Policy,
                        error,
                    ))));
                }
            }
        }
        let mut needs = Needs::default();
        if !unchanged {
            self.partly(way, listings, root, &mut needs)?;
        }
        self.needs(way, listings, root, unchanged, &mut needs)?;
        self.land(way, root, tag, stands, needs)
    }

    /// Adds what another mirror takes beyond the first with the same digest at the same tag: more platforms, more attachments.
    fn again(
        &mut self,
        way: Way<'a>,
        listings: Listings<'a>,
        root: &Root<'a>,
        tag: &Tag,
        stands: Option<&Digest>,
    ) -> Answered<()> {
        let key = (way.target.clone(), tag.clone());
        let unchanged = stands == Some(&root.digest);
        if !unchanged && !self.wanted.tags.contains_key(&key) {
            return Ok(());
        }
        let mut needs = Needs::default();
        if !unchanged {
            self.partly(way, listings, root, &mut needs)?;
        }
        self.needs(way, listings, root, unchanged, &mut needs)?;
        self.undisputed(way, &needs)?;
        let waits = self.wanted.join(way.target, way.source, needs);
        if let Some(want) = self.wanted.tags.get_mut(&key) {
            want.waits.extend(waits);
        }
        Ok(())
    }

    /// Says whether this root is the first that claims the tag.
    ///
    /// Of two mirrors that want different digests at one tag, the second is blocked.
    fn claim(&mut self, way: Way<'a>, tag: &Tag, digest: &Digest) -> Answered<Claim> {
        let key = (way.target.clone(), tag.clone());
        let Some((other, mirror)) = self.claims.get(&key) else {
            self.claims.insert(key, (digest.clone(), &way.mirror.name));
            return Ok(Claim::First);
        };
        if other == digest {
            return Ok(Claim::Again);
        }
        let error = format!(
            "the tag is to be {other} by {mirror} and {digest} by {}",
            way.mirror.name
        );
        let hint = Some("let one mirror leave the tag out, or give it another tag".to_owned());
        let problem = problem(way.target, Side::Target, ProblemKind::Policy, error);
        Err(Gap::Blocked(Box::new(Problem { hint, ..problem })))
    }

    /// What the root needs at its target: its content unless it stands there, and attachments in any case.
    fn needs(
        &mut self,
        way: Way<'a>,
        listings: Listings<'a>,
        root: &Root<'a>,
        unchanged: bool,
        needs: &mut Needs<'a>,
    ) -> Answered<()> {
        let mut gap = Ok(());
        // That an index stands of which children may be missing does not prove those that are taken.
        let sparse = root
            .chosen
            .as_ref()
            .is_some_and(|chosen| chosen.is_partial() && !chosen.is_new());
        if !unchanged || sparse || way.mirror.check > Check::Tags {
            gap = match &root.chosen {
                Some(chosen) => way.need_chosen(self.ask, chosen, needs),
                None => way.need(self.ask, &root.digest, MediaKind::Index, needs),
            };
        }
        if way.mirror.referrers == Referrers::None {
            return gap;
        }
        if !root.chosen.as_ref().is_some_and(|chosen| chosen.is_new()) {
            needs.content.insert(root.digest.clone());
        }
        // What is attached has content of its own, to which more is attached.
        while let Some(subject) = needs.content.difference(&needs.visited).next().cloned() {
            gap = both(gap, attachments::need(way, self.ask, listings, &subject, needs));
        }
        gap
    }

    fn land(
        &mut self,
        way: Way<'a>,
        root: &Root<'a>,
        tag: Option<&Tag>,
        stands: Option<Digest>,
        mut needs: Needs<'a>,
    ) -> Answered<()> {
        let digest = &root.digest;
        self.undisputed(way, &needs)?;
        if stands.as_ref() == Some(digest) {
            self.wanted.counts.unchanged += 1;
            self.wanted.join(way.target, way.source, needs);
            return Ok(());
        }
        // The tag carries its manifest: where that stands already, its bytes are put once more, under the tag.
        let manifest = match (&root.chosen, self.ask.known(digest)) {
            (Some(chosen), _) => chosen.index.clone(),
            (None, Some(manifest)) => Cow::Borrowed(manifest),
            (None, None) => Cow::Borrowed(way.read(self.ask, digest)?),
        };
        needs.known.insert(digest.clone(), manifest);
        let waits = self.wanted.join(way.target, way.source, needs);
        let Some(tag) = tag else {
            if let Some(want) = self
                .wanted
                .manifests
                .get_mut(&(digest.clone(), way.target.clone()))
            {
                want.by_digest = true;
            }
            return Ok(());
        };
        match stands {
            Some(_) => self.wanted.counts.update += 1,
            None => self.wanted.counts.create += 1,
        }
        self.tag(way, digest, tag, stands, waits);
        Ok(())
    }

    /// Refuses a blob whose size another root has told differently.
    fn undisputed(&self, way: Way<'a>, needs: &Needs<'a>) -> Answered<()> {
        match self.wanted.disputed(needs) {
            None => Ok(()),
            Some((blob, size, other)) => {
                let error = format!("{blob} is said to have {size} bytes and, elsewhere, {other} bytes");
                Err(way.source_problem(ProblemKind::Integrity, error))
            }
        }
    }

    fn tag(
        &mut self,
        way: Way<'a>,
        digest: &Digest,
        tag: &Tag,
        stands: Option<Digest>,
        waits: BTreeSet<Wait>,
    ) {
        let key = (way.target.clone(), tag.clone());
        let want = self.wanted.tags.entry(key).or_insert_with(|| TagWant {
            digest: digest.clone(),
            source: way.source.clone(),
            expect: stands.map_or(Expect::Absent, Expect::Digest),
            waits: BTreeSet::new(),
            role: TagRole::Selected,
        });
        want.waits.extend(waits);
    }
}

/// Says whether a mirror names manifests of a source by their digests.
fn names_digests(mirror: &Mirror, source: &Source) -> bool {
    let pinned = source.pinned.as_ref().and_then(|pinned| pinned.digest.as_ref());
    pinned.is_some() || mirror.tags.iter().any(|set| set.conditions().digests.is_some())
}

fn target_tag(target: &Target, tag: &Tag) -> Result<Tag, String> {
    let Some(template) = &target.tag else {
        return Ok(tag.clone());
    };
    let text = template.replace("{tag}", tag.as_str());
    text.parse().map_err(|_| text)
}

fn problem(place: &Place, side: Side, kind: ProblemKind, error: String) -> Problem {
    Problem {
        registry: place.registry.clone(),
        repository: Some(place.repository.clone()),
        tag: None,
        side,
        kind,
        error,
        hint: None,
        tags: 0,
    }
}
