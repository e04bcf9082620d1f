//! An index of which some platforms are taken: as it stands, or made anew without the others.
//!
//! <https://github.com/opencontainers/image-spec/blob/main/image-index.md#image-index-property-descriptions>

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use oci::{Descriptor, Digest, Manifest, MediaKind, Platform};
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

/// An index as it goes to the targets.
#[derive(Clone, Debug)]
pub(crate) struct Chosen<'a> {
    /// The source's own, or a new one.
    pub(crate) index: Cow<'a, Manifest>,
    /// The digest of the source's own.
    pub(crate) original: &'a Digest,
    pub(crate) taken: Vec<Taken<'a>>,
    /// What it, or an index in it, names and does not bring.
    left: usize,
    /// The platforms of all its images.
    offered: BTreeSet<String>,
    /// Those of the wanted platforms that an image fits.
    met: BTreeSet<&'a Platform>,
}

/// A child that is taken.
#[derive(Clone, Debug)]
pub(crate) enum Taken<'a> {
    /// A manifest, or an index that is taken whole.
    Whole(&'a Descriptor),
    /// An index of which some is taken.
    Index(Box<Chosen<'a>>),
}

impl<'a> Chosen<'a> {
    /// Says whether anything is left out.
    pub(crate) fn is_partial(&self) -> bool {
        self.left > 0
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
}

/// Chooses among the children of `index`. An index of which nothing fits is a problem at the source.
pub(crate) fn choose<'a>(
    ask: &mut Ask<'a>,
    source: &'a Place,
    index: &'a Manifest,
    platforms: &'a Platforms,
) -> Answered<Chosen<'a>> {
    let reading = Choosing { source, platforms };
    let chosen = reading.index(ask, index, 0)?;
    if chosen.met.is_empty() && !chosen.offered.is_empty() {
        let wanted: Vec<String> = platforms
            .chosen()
            .into_iter()
            .flatten()
            .map(ToString::to_string)
            .collect();
        let offered: Vec<&str> = chosen.offered.iter().map(String::as_str).collect();
        let error = format!(
            "the index has no image for {}; it has {}",
            wanted.join(", "),
            offered.join(", ")
        );
        return Err(Way::problem_at(source, ProblemKind::NotFound, error));
    }
    Ok(chosen)
}

#[derive(Clone, Copy)]
struct Choosing<'a> {
    source: &'a Place,
    platforms: &'a Platforms,
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
}

impl<'a> Choosing<'a> {
    fn index(self, ask: &mut Ask<'a>, index: &'a Manifest, depth: usize) -> Answered<Chosen<'a>> {
        if depth > MAX_DEPTH {
            let error = format!("{} is nested deeper than {MAX_DEPTH} indexes", index.digest());
            return Err(Way::problem_at(self.source, ProblemKind::Policy, error));
        }
        let mut chosen = Chosen {
            index: Cow::Borrowed(index),
            original: index.digest(),
            taken: Vec::new(),
            left: 0,
            offered: BTreeSet::new(),
            met: BTreeSet::new(),
        };
        let mut gap = Ok(());
        for child in index.children() {
            match kind(child) {
                Child::For(platform) if !self.fits(platform, &mut chosen) => chosen.left += 1,
                Child::For(_) | Child::Any => chosen.taken.push(Taken::Whole(child)),
                Child::About(_) => {}
                Child::Index => gap = both(gap, self.nested(ask, child, depth, &mut chosen)),
            }
        }
        gap?;
        self.attestations(index, &mut chosen);
        if let (Platforms::Rewrite(_), true) = (self.platforms, chosen.is_partial()) {
            chosen.index = Cow::Owned(self.rewritten(index, &chosen)?);
        }
        Ok(chosen)
    }

    fn fits(self, platform: &'a Platform, chosen: &mut Chosen<'a>) -> bool {
        chosen.offered.insert(platform.to_string());
        let wanted = self.platforms.chosen().into_iter().flatten();
        let met: Vec<&Platform> = wanted.filter(|wanted| wanted.accepts(platform)).collect();
        chosen.met.extend(&met);
        !met.is_empty()
    }

    fn nested(
        self,
        ask: &mut Ask<'a>,
        child: &'a Descriptor,
        depth: usize,
        chosen: &mut Chosen<'a>,
    ) -> Answered<()> {
        let Some(index) = ask.manifest(self.source, &child.digest)? else {
            let error = format!("the manifest {} is missing", child.digest);
            return Err(Way::problem_at(self.source, ProblemKind::NotFound, error));
        };
        let inner = self.index(ask, index, depth + 1)?;
        chosen.offered.extend(inner.offered.iter().cloned());
        chosen.met.extend(&inner.met);
        if inner.met.is_empty() && !inner.offered.is_empty() {
            chosen.left += 1;
            return Ok(());
        }
        chosen.left += inner.left;
        chosen.taken.push(Taken::Index(Box::new(inner)));
        Ok(())
    }

    /// Takes what belongs to the images that are taken.
    fn attestations(self, index: &'a Manifest, chosen: &mut Chosen<'a>) {
        let taken: BTreeSet<&Digest> = chosen.taken.iter().map(Taken::digest).collect();
        let of_taken = |child: &&Descriptor| match kind(child) {
            Child::About(about) => Some(taken.contains(&about)),
            _ => None,
        };
        let (mut kept, mut left) = (Vec::new(), 0);
        for child in index.children() {
            match of_taken(&child) {
                Some(true) => kept.push(Taken::Whole(child)),
                Some(false) => left += 1,
                None => {}
            }
        }
        chosen.taken.extend(kept);
        chosen.left += left;
    }

    /// Makes an index without the children that are not taken. Keys are sorted and white space is left out, so that the same
    /// choice always makes the same bytes; whatever else the document holds stays.
    fn rewritten(self, index: &Manifest, chosen: &Chosen<'_>) -> Answered<Manifest> {
        let broken = |error: &dyn std::fmt::Display| {
            let text = format!("{} can't be rewritten: {error}", index.digest());
            Way::problem_at(self.source, ProblemKind::Other, text)
        };
        let mut document: Value = oci::read_json(index.bytes()).map_err(|error| broken(&error))?;
        let replaced: BTreeMap<String, Option<&Manifest>> = chosen
            .taken
            .iter()
            .map(|taken| (taken.digest().to_string(), taken.replacement()))
            .collect();
        let manifest_children: BTreeSet<String> =
            index.children().map(|child| child.digest.to_string()).collect();
        if let Some(Value::Array(children)) = document.get_mut("manifests") {
            children.retain_mut(|child| {
                let digest = child.get("digest").and_then(Value::as_str).unwrap_or_default();
                match replaced.get(digest) {
                    Some(Some(made)) => {
                        point_to(child, made);
                        true
                    }
                    Some(None) => true,
                    // A blob among the children has no platform.
                    None => !manifest_children.contains(digest),
                }
            });
        }
        let bytes = Bytes::from(json::sorted(&document).to_string());
        let digest = Digest::of(index.digest().algorithm(), &bytes);
        Manifest::parse_as(bytes, Some(index.media_type()), digest).map_err(|error| broken(&error))
    }
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
