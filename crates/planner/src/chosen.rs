//! An index of which some platforms are taken: as it stands, or made anew without the others.
//!
//! <https://github.com/opencontainers/image-spec/blob/main/image-index.md#image-index-property-descriptions>

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use bytes::Bytes;
use oci::{Content, Descriptor, Digest, Manifest, MediaKind, Platform};
use serde_json::Value;

use crate::ask::{Answered, Ask, both};
use crate::content::{MAX_DEPTH, Way};
use crate::json;
use crate::spec::Platforms;
use crate::{Place, ProblemKind};

/// BuildKit's annotation of what an attestation is about.
///
/// <https://github.com/moby/buildkit/blob/master/docs/attestations/attestation-storage.md>
const ABOUT: &str = "vnd.docker.reference.digest";

/// So many platforms of an index are named in a problem.
const SHOWN: usize = 8;

/// So much of a platform's name is shown.
const LONGEST: usize = 40;

/// An index as it goes to the targets.
#[derive(Clone, Debug)]
pub(crate) struct Chosen<'a> {
    /// The source's own, or a new one.
    pub(crate) index: Cow<'a, Manifest>,
    /// The digest of the source's own.
    pub(crate) original: &'a Digest,
    pub(crate) taken: Vec<Taken<'a>>,
    /// Whether it, or an index in it, names what it does not bring.
    partial: bool,
    /// Indexes that it names and the source does not have.
    pub(crate) gone: BTreeSet<&'a Digest>,
    /// The platforms of all its images.
    offered: BTreeSet<&'a Platform>,
    /// Those of the wanted platforms that an image fits.
    met: BTreeSet<&'a Platform>,
}

/// A child that is taken.
#[derive(Clone, Debug)]
pub(crate) enum Taken<'a> {
    /// A manifest, or an index that is taken whole.
    Whole(&'a Descriptor),
    /// An index of which some is taken.
    Index(Rc<Chosen<'a>>),
}

impl<'a> Chosen<'a> {
    /// Says whether anything is left out.
    pub(crate) fn is_partial(&self) -> bool {
        self.partial
    }

    /// Returns the platforms that no image of the index fits, where it has images.
    pub(crate) fn unmet(&self, platforms: &'a Platforms) -> BTreeSet<&'a Platform> {
        let wanted = platforms.chosen().filter(|_| !self.offered.is_empty());
        let wanted = wanted.into_iter().flatten();
        wanted.filter(|platform| !self.met.contains(platform)).collect()
    }

    /// Says whether the index is a new one.
    pub(crate) fn is_new(&self) -> bool {
        self.index.digest() != self.original
    }

    /// Returns the indexes in it of which some is taken.
    pub(crate) fn nested(&self) -> impl Iterator<Item = &Chosen<'a>> {
        self.taken.iter().filter_map(|taken| match taken {
            Taken::Whole(_) => None,
            Taken::Index(chosen) => Some(&**chosen),
        })
    }

    /// Says whether it has images and none of them fits.
    fn misses(&self) -> bool {
        self.met.is_empty() && !(self.offered.is_empty() && self.gone.is_empty())
    }
}

/// Chooses among the children of `index`. An index of which nothing fits is a problem at the source.
pub(crate) fn choose<'a>(
    ask: &mut Ask<'a>,
    source: &'a Place,
    index: &'a Manifest,
    platforms: &'a Platforms,
) -> Answered<Rc<Chosen<'a>>> {
    let mut choosing = Choosing {
        source,
        platforms,
        known: BTreeMap::new(),
    };
    let chosen = choosing.index(ask, index, 0)?;
    match (chosen.misses(), chosen.gone.first()) {
        (false, _) => Ok(chosen),
        (true, Some(gone)) if chosen.offered.is_empty() => {
            let error = format!("the manifest {gone} is missing");
            Err(Way::problem_at(source, ProblemKind::NotFound, error))
        }
        (true, _) => {
            let wanted = listed(platforms.chosen().into_iter().flatten());
            let offered = listed(chosen.offered.iter().copied());
            let error = format!("the index has no image for {wanted}; it has {offered}");
            Err(Way::problem_at(source, ProblemKind::NotFound, error))
        }
    }
}

/// Names platforms, as far as they are few and fit to be shown: a source may write anything.
fn listed<'p>(platforms: impl Iterator<Item = &'p Platform>) -> String {
    let fits = |letter: char| letter.is_ascii_graphic();
    let name = |platform: &Platform| -> String {
        let text = platform.to_string();
        text.chars()
            .filter(|letter| fits(*letter))
            .take(LONGEST)
            .collect()
    };
    let names: BTreeSet<String> = platforms.map(name).collect();
    let shown: Vec<&str> = names.iter().take(SHOWN).map(String::as_str).collect();
    match names.len() - shown.len() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

struct Choosing<'a> {
    source: &'a Place,
    platforms: &'a Platforms,
    /// The indexes that were looked into: one may be named many times.
    known: BTreeMap<&'a Digest, Answered<Rc<Chosen<'a>>>>,
}

/// How a child is told from those of other platforms.
enum Child<'a> {
    /// It is an image for one platform.
    For(&'a Platform),
    /// It belongs to another child.
    About(Digest),
    /// It is an index, and its children have platforms.
    Index,
    /// It has nothing to do with platforms.
    Any,
    /// It is no manifest: it belongs to the index itself.
    Blob,
}

/// The children of an index, by their positions in it.
struct Choice<'a> {
    chosen: Chosen<'a>,
    /// What is taken, with its position.
    taken: Vec<(usize, Taken<'a>)>,
    /// The positions of what is left out.
    left: BTreeSet<usize>,
}

impl<'a> Choosing<'a> {
    fn index(&mut self, ask: &mut Ask<'a>, index: &'a Manifest, depth: usize) -> Answered<Rc<Chosen<'a>>> {
        if let Some(known) = self.known.get(index.digest()) {
            return known.clone();
        }
        let chosen = self.look(ask, index, depth).map(Rc::new);
        self.known.insert(index.digest(), chosen.clone());
        chosen
    }

    /// Looks into an index.
    fn look(&mut self, ask: &mut Ask<'a>, index: &'a Manifest, depth: usize) -> Answered<Chosen<'a>> {
        if depth > MAX_DEPTH {
            let error = format!("{} is nested deeper than {MAX_DEPTH} indexes", index.digest());
            return Err(Way::problem_at(self.source, ProblemKind::Policy, error));
        }
        let mut choice = self.choice(ask, index, depth)?;
        attestations(index, &mut choice);
        let Choice {
            mut chosen,
            mut taken,
            left,
        } = choice;
        taken.sort_by_key(|(position, _)| *position);
        let digests: BTreeSet<&Digest> = taken.iter().map(|(_, taken)| taken.digest()).collect();
        let children = children(index).enumerate();
        let missing =
            children.filter(|(position, child)| left.contains(position) && !digests.contains(&child.digest));
        chosen.partial |= missing.count() > 0;
        if matches!(self.platforms, Platforms::Rewrite(_)) && (chosen.partial || !left.is_empty()) {
            chosen.partial = true;
            chosen.index = Cow::Owned(self.rewritten(index, &taken, &left)?);
        }
        chosen.taken = taken.into_iter().map(|(_, taken)| taken).collect();
        Ok(chosen)
    }

    /// Looks at each child by itself.
    fn choice(&mut self, ask: &mut Ask<'a>, index: &'a Manifest, depth: usize) -> Answered<Choice<'a>> {
        let mut choice = Choice {
            chosen: Chosen {
                index: Cow::Borrowed(index),
                original: index.digest(),
                taken: Vec::new(),
                partial: false,
                gone: BTreeSet::new(),
                offered: BTreeSet::new(),
                met: BTreeSet::new(),
            },
            taken: Vec::new(),
            left: BTreeSet::new(),
        };
        let mut gap = Ok(());
        for (position, child) in children(index).enumerate() {
            match kind(child) {
                Child::For(platform) if !self.fits(platform, &mut choice.chosen) => {
                    choice.left.insert(position);
                }
                Child::For(_) | Child::Any => choice.taken.push((position, Taken::Whole(child))),
                Child::About(_) | Child::Blob => {}
                Child::Index => gap = both(gap, self.nested(ask, position, child, depth, &mut choice)),
            }
        }
        gap.map(|()| choice)
    }

    fn fits(&self, platform: &'a Platform, chosen: &mut Chosen<'a>) -> bool {
        chosen.offered.insert(platform);
        let wanted = self.platforms.chosen().into_iter().flatten();
        let met: Vec<&Platform> = wanted.filter(|wanted| wanted.accepts(platform)).collect();
        chosen.met.extend(&met);
        !met.is_empty()
    }

    fn nested(
        &mut self,
        ask: &mut Ask<'a>,
        position: usize,
        child: &'a Descriptor,
        depth: usize,
        choice: &mut Choice<'a>,
    ) -> Answered<()> {
        let chosen = &mut choice.chosen;
        // A source may hold what was chosen before: then it lacks what was left out.
        let Some(index) = ask.kept(self.source, &child.digest)? else {
            chosen.gone.insert(&child.digest);
            choice.left.insert(position);
            return Ok(());
        };
        let inner = self.index(ask, index, depth + 1)?;
        chosen.offered.extend(&inner.offered);
        chosen.met.extend(&inner.met);
        chosen.gone.extend(&inner.gone);
        if inner.misses() {
            choice.left.insert(position);
        } else {
            chosen.partial |= inner.partial;
            choice.taken.push((position, Taken::Index(inner)));
        }
        Ok(())
    }

    /// Makes an index without the children that are left out. Keys are sorted and white space is left out, so that the same
    /// choice always makes the same bytes; whatever else the document holds stays.
    fn rewritten(
        &self,
        index: &Manifest,
        taken: &[(usize, Taken<'a>)],
        left: &BTreeSet<usize>,
    ) -> Answered<Manifest> {
        let broken = |error: &dyn std::fmt::Display| {
            let text = format!("{} can't be rewritten: {error}", index.digest());
            Way::problem_at(self.source, ProblemKind::Other, text)
        };
        let mut document: Value = oci::read_json(index.bytes()).map_err(|error| broken(&error))?;
        if let Some(Value::Array(children)) = document.get_mut("manifests") {
            for (position, taken) in taken {
                if let (Some(child), Some(made)) = (children.get_mut(*position), taken.replacement()) {
                    point_to(child, made);
                }
            }
            let mut position = 0..;
            children.retain(|_| position.next().is_none_or(|position| !left.contains(&position)));
        }
        let bytes = Bytes::from(json::sorted(&document).to_string());
        // Registries that are given a tag alone know a manifest by SHA-256.
        Manifest::parse(bytes, Some(index.media_type())).map_err(|error| broken(&error))
    }
}

/// Takes what belongs to something else, unless that is left out.
fn attestations<'a>(index: &'a Manifest, choice: &mut Choice<'a>) {
    let taken: BTreeSet<&Digest> = choice.taken.iter().map(|(_, taken)| taken.digest()).collect();
    let all = || children(index).enumerate();
    let left = all().filter(|(position, _)| choice.left.contains(position));
    let left: BTreeSet<&Digest> = left.map(|(_, child)| &child.digest).collect();
    let gone: Vec<&Digest> = left.difference(&taken).copied().collect();
    for (position, child) in all() {
        let Child::About(about) = kind(child) else {
            continue;
        };
        if gone.contains(&&about) {
            choice.left.insert(position);
        } else {
            choice.taken.push((position, Taken::Whole(child)));
        }
    }
}

/// All that an index names, in order.
fn children(index: &Manifest) -> impl Iterator<Item = &Descriptor> {
    let (Content::Index { manifests: all } | Content::Image { layers: all, .. }) = index.content();
    all.iter()
}

impl<'a> Taken<'a> {
    /// The digest at the source.
    fn digest(&self) -> &'a Digest {
        match self {
            Self::Whole(child) => &child.digest,
            Self::Index(chosen) => chosen.original,
        }
    }

    /// The new index that stands in its place, where there is one.
    fn replacement(&self) -> Option<&Manifest> {
        match self {
            Self::Whole(_) => None,
            Self::Index(chosen) => chosen.is_new().then_some(&*chosen.index),
        }
    }
}

fn kind(child: &Descriptor) -> Child<'_> {
    if child.media_type.kind() == MediaKind::Blob {
        return Child::Blob;
    }
    let platform = child
        .platform
        .as_ref()
        .filter(|platform| !platform.os.is_empty() && platform.os != "unknown");
    match (platform, child.annotations.get(ABOUT)) {
        (Some(platform), _) => Child::For(platform),
        (None, Some(about)) => about.parse().map_or(Child::Any, Child::About),
        (None, None) if child.media_type.kind() == MediaKind::Index => Child::Index,
        (None, None) => Child::Any,
    }
}

/// Lets a descriptor describe another manifest.
fn point_to(child: &mut Value, made: &Manifest) {
    let Some(fields) = child.as_object_mut() else {
        return;
    };
    fields.insert("digest".to_owned(), made.digest().to_string().into());
    fields.insert("size".to_owned(), (made.bytes().len() as u64).into());
    // It would hold the other manifest.
    fields.remove("data");
}
