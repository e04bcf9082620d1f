//! What is attached to a manifest: referrers, the fallback tag, cosign's tags; and to those, recursively.

use std::borrow::Cow;
use std::collections::BTreeSet;

use oci::{AttachmentTag, CosignKind, Descriptor, Digest, Manifest, MediaKind, Signatures, Tag};

use crate::ask::{Answered, Ask, Gap, Telling, both};
use crate::content::Way;
use crate::plan::Note;
use crate::signatures::{self, UnionNeed};
use crate::spec::{Check, Referrers};
use crate::want::{MergeWant, Needs, TagNeed};

/// The tag listings of both ends; attachments by tag are looked up in them without a request.
#[derive(Clone, Copy)]
pub(crate) struct Listings<'a> {
    pub(crate) source: &'a BTreeSet<Tag>,
    /// `None` where the repository does not exist.
    pub(crate) target: Option<&'a BTreeSet<Tag>>,
    /// How it is known what refers to what at the source.
    pub(crate) telling: Telling,
}

impl Listings<'_> {
    fn at_target(&self, tag: &Tag) -> bool {
        self.target.is_some_and(|tags| tags.contains(tag))
    }
}

/// Adds whatever is attached to `subject` and missing at the target.
pub(crate) fn need<'a>(
    way: Way<'a>,
    ask: &mut Ask<'a>,
    listings: Listings<'a>,
    subject: &Digest,
    needs: &mut Needs<'a>,
) -> Answered<()> {
    if !needs.visited.insert(subject.clone()) {
        return Ok(());
    }
    let attaching = Attaching {
        way,
        listings,
        subject,
    };
    let mut gap = Ok(());
    for scheme in AttachmentTag::ALL {
        let tag = scheme.of(subject);
        if listings.source.contains(&tag) {
            gap = both(
                gap,
                match scheme {
                    AttachmentTag::Fallback => attaching.fallback(ask, &tag, needs),
                    AttachmentTag::Cosign(kind) => attaching.cosign(ask, kind, &tag, needs),
                },
            );
        }
    }
    both(gap, attaching.referrers(ask, needs))
}

/// Counts what is attached to a manifest at the source, whether it is copied or not.
pub(crate) fn count<'a>(
    way: Way<'a>,
    ask: &mut Ask<'a>,
    listings: Listings<'a>,
    subject: &Digest,
) -> Answered<usize> {
    let mut referrers: BTreeSet<Digest> = match listings.telling {
        Telling::Listed => ask.listed_referrers(way.source, subject),
        Telling::Pending => return Err(Gap::Pending),
        Telling::Asked => ask.referrers(way.source, subject)?.unwrap_or_default(),
    }
    .into_iter()
    .map(|referrer| referrer.digest)
    .collect();
    let tags = AttachmentTag::ALL.map(|scheme| (scheme, scheme.of(subject)));
    let standing = tags.iter().filter(|(_, tag)| listings.source.contains(tag));
    let mut tagged = 0;
    for (scheme, tag) in standing {
        match scheme {
            AttachmentTag::Cosign(_) => tagged += 1,
            AttachmentTag::Fallback => {
                let index = ask.get(way.source, tag)?;
                let entries = index.into_iter().flat_map(Manifest::children);
                referrers.extend(entries.map(|entry| entry.digest.clone()));
            }
        }
    }
    Ok(referrers.len() + tagged)
}

/// Why nothing is added to a tag that stands.
pub(crate) const IMMOVABLE: &str = "the registry does not let it move";

struct Attaching<'a, 's> {
    way: Way<'a>,
    listings: Listings<'a>,
    subject: &'s Digest,
}

impl<'a> Attaching<'a, '_> {
    /// A cosign tag is an image of its own; to one that differs at the target the missing layers are added.
    fn cosign(&self, ask: &mut Ask<'a>, kind: CosignKind, tag: &Tag, needs: &mut Needs<'a>) -> Answered<()> {
        let way = self.way;
        if let Referrers::ArtifactTypes(types) = &way.mirror.referrers {
            let image = ask.get(way.source, tag)?;
            if !image.is_some_and(|image| is_cosign_of(image, types)) {
                return Ok(());
            }
        }
        if !self.listings.at_target(tag) {
            let Some(image) = ask.get(way.source, tag)? else {
                return Ok(());
            };
            let need = self.tag_need(ask, tag, image);
            needs.known.insert(image.digest().clone(), Cow::Borrowed(image));
            let landed = self.land(ask, &image.descriptor(), needs);
            let tagged = need.map(|need| drop(needs.tags.insert(tag.clone(), need)));
            return both(tagged, landed);
        }
        let (here, there) = (
            ask.head(way.source, tag.clone()),
            ask.head(way.target, tag.clone()),
        );
        let (Some(here), Some(there)) = (here?, there?) else {
            return Ok(());
        };
        if here.digest == there.digest {
            return self.recheck(ask, &here, needs);
        }
        let (here, there) = (ask.get(way.source, tag), ask.get(way.target, tag));
        let (Some(here), Some(there)) = (here?, there?) else {
            return Ok(());
        };
        let lacking = match signatures::lacking(kind, here, there) {
            Ok(lacking) if !lacking.is_empty() && ask.immovable(way.target, tag)?.is_some() => {
                Err(IMMOVABLE.to_owned())
            }
            other => other,
        };
        match lacking {
            Ok(lacking) => {
                needs.united.insert(there.digest().clone());
                needs.known.insert(there.digest().clone(), Cow::Borrowed(there));
                self.unite(ask, tag, (here, there), lacking, needs)
            }
            Err(reason) => {
                needs.leave_apart(kind, tag, &reason);
                let text = format!("{tag} differs from the source's and is left as it is: {reason}");
                needs.notes.insert(Note {
                    place: Some(way.target.clone()),
                    text,
                });
                Ok(())
            }
        }
    }

    /// Adds layers of the source's image to the one that stands at the target. What refers to either image stays.
    fn unite(
        &self,
        ask: &mut Ask<'a>,
        tag: &Tag,
        (image, there): (&'a Manifest, &'a Manifest),
        lacking: Vec<&'a Descriptor>,
        needs: &mut Needs<'a>,
    ) -> Answered<()> {
        let looked_at = match self.way.mirror.check {
            Check::Blobs => {
                Signatures::of(image).map_or_else(Vec::new, |held| held.layers().iter().collect())
            }
            Check::Tags | Check::Manifests => lacking.clone(),
        };
        let (mut blobs, mut gap) = (BTreeSet::new(), Ok(()));
        for layer in &looked_at {
            match self.way.lacks(ask, layer, needs) {
                Ok(true) => {
                    blobs.insert(layer.digest.clone());
                }
                Ok(false) => {}
                Err(other) => gap = both(gap, Err(other)),
            }
        }
        if !looked_at.is_empty() {
            needs.known.insert(image.digest().clone(), Cow::Borrowed(image));
            let union = UnionNeed {
                subject: self.subject.clone(),
                image: image.digest().clone(),
                layers: lacking.into_iter().cloned().collect(),
                load: Signatures::of(there).map(Signatures::load),
                blobs,
            };
            needs.unions.insert(tag.clone(), union);
        }
        gap
    }

    /// A fallback tag is copied byte for byte where the target has none, else its missing entries are added.
    fn fallback(&self, ask: &mut Ask<'a>, tag: &Tag, needs: &mut Needs<'a>) -> Answered<()> {
        let way = self.way;
        let index = ask.get(way.source, tag);
        let there = if self.listings.at_target(tag) {
            ask.head(way.target, tag.clone())
        } else {
            Ok(None)
        };
        let (Some(index), there) = (index?, there?) else {
            return Ok(());
        };
        let taken = self.of_taken_types(ask, index.children())?;
        let all = taken.len() == index.children().count();
        let lacking: Vec<&Descriptor> = match &there {
            Some(there) if there.digest == *index.digest() => Vec::new(),
            Some(_) => missing(&taken, ask.get(way.target, tag)?),
            None => taken.clone(),
        };
        let count = lacking.len();
        let lacking = self.standing(ask, lacking)?;
        let gone = count - lacking.len();
        // Where not all of it is copied no tag stands for it: what the target lists by itself is there.
        let lacking = match &there {
            None if !all => self.unlisted(ask, lacking)?,
            _ => lacking,
        };
        let mut gap = Ok(());
        for entry in taken {
            let lacks = lacking.iter().any(|lacking| lacking.digest == entry.digest);
            gap = both(
                gap,
                if lacks {
                    self.land(ask, entry, needs)
                } else {
                    self.recheck(ask, entry, needs)
                },
            );
        }
        if there.is_none() && gone == 0 && all {
            let need = self.tag_need(ask, tag, index);
            let tagged = need.map(|need| drop(needs.tags.insert(tag.clone(), need)));
            gap = both(gap, tagged);
            // The tag carries it: it is put by digest only where something else needs that.
            needs.manifests.entry(index.digest().clone()).or_default();
            needs.known.insert(index.digest().clone(), Cow::Borrowed(index));
        } else if !lacking.is_empty() {
            gap = both(gap, self.merge(ask, tag, &lacking, needs));
        }
        if gone > 0 {
            let text = format!("{tag} also names what is gone at the source ({gone} left out)");
            needs.notes.insert(Note {
                place: Some(way.source.clone()),
                text,
            });
        }
        gap
    }

    /// The entries whose type a mirror takes. What an entry does not tell its manifest does; one that is gone is told elsewhere.
    fn of_taken_types<'e>(
        &self,
        ask: &mut Ask<'a>,
        entries: impl IntoIterator<Item = &'e Descriptor>,
    ) -> Answered<Vec<&'e Descriptor>> {
        let Referrers::ArtifactTypes(types) = &self.way.mirror.referrers else {
            return Ok(entries.into_iter().collect());
        };
        let named = |found: &str| types.iter().any(|wanted| wanted == found);
        let (mut taken, mut gap) = (Vec::new(), Ok(()));
        for entry in entries {
            let own = entry.artifact_type.as_deref().filter(|own| !own.is_empty());
            let is_taken = match own {
                Some(own) => Ok(named(own)),
                None => ask.manifest(self.way.source, &entry.digest).map(|manifest| {
                    manifest.is_none_or(|manifest| manifest.artifact_type().is_some_and(named))
                }),
            };
            match is_taken {
                Ok(true) => taken.push(entry),
                Ok(false) => {}
                Err(other) => gap = both(gap, Err(other)),
            }
        }
        gap.map(|()| taken)
    }

    /// The entries whose manifests still stand at the source.
    fn standing(&self, ask: &mut Ask<'a>, entries: Vec<&'a Descriptor>) -> Answered<Vec<&'a Descriptor>> {
        let (mut standing, mut gap) = (Vec::new(), Ok(()));
        for entry in entries {
            match ask.manifest(self.way.source, &entry.digest) {
                Ok(Some(_)) => standing.push(entry),
                Ok(None) => {}
                Err(other) => gap = both(gap, Err(other)),
            }
        }
        gap.map(|()| standing)
    }

    /// The entries that the target's referrers API does not list.
    fn unlisted<'e>(&self, ask: &mut Ask<'a>, entries: Vec<&'e Descriptor>) -> Answered<Vec<&'e Descriptor>> {
        if !self.way.exists || entries.is_empty() {
            return Ok(entries);
        }
        let listed = ask.referrers(self.way.target, self.subject)?.unwrap_or_default();
        let is_listed = |entry: &Descriptor| listed.iter().any(|listed| listed.digest == entry.digest);
        Ok(entries.into_iter().filter(|entry| !is_listed(entry)).collect())
    }

    /// What the source's referrers API lists beyond its fallback tag.
    fn referrers(&self, ask: &mut Ask<'a>, needs: &mut Needs<'a>) -> Answered<()> {
        let way = self.way;
        let listed = match self.listings.telling {
            Telling::Listed => ask.listed_referrers(way.source, self.subject),
            Telling::Pending => return Err(Gap::Pending),
            Telling::Asked => ask.referrers(way.source, self.subject)?.unwrap_or_default(),
        };
        let taken = self.of_taken_types(ask, &listed)?;
        let listed: Vec<Descriptor> = taken.into_iter().cloned().collect();
        if listed.is_empty() {
            return Ok(());
        }
        let tag = AttachmentTag::Fallback.of(self.subject);
        let told = |ask: &Ask<'a>, entry: &Descriptor| ask.refers_there(way.target, &entry.digest);
        let is_told = way.exists && listed.iter().all(|entry| told(ask, entry).is_some());
        let there = match (way.exists, is_told) {
            (true, true) => {
                let standing = listed.iter().filter(|entry| told(ask, entry) == Some(true));
                Ok(Some(standing.cloned().collect()))
            }
            (true, false) => ask.referrers(way.target, self.subject),
            (false, _) => Ok(None),
        };
        let by_tag = if self.listings.at_target(&tag) {
            ask.get(way.target, &tag)
        } else {
            Ok(None)
        };
        let (there, by_tag) = (there?, by_tag?);
        let there = there.as_deref();
        let has_api = there.is_some() || ask.has_referrers_api(&way.target.registry);
        let copied = self.copied_entries(ask, &tag, needs);
        let mut gap = Ok(());
        let mut unlisted = Vec::new();
        for entry in &listed {
            let listed_there = match there {
                Some(there) => there.iter().any(|there| there.digest == entry.digest),
                None => names(by_tag, &entry.digest),
            };
            gap = both(
                gap,
                if listed_there {
                    self.recheck(ask, entry, needs)
                } else {
                    self.land(ask, entry, needs)
                },
            );
            if !listed_there && !copied.contains(&entry.digest) {
                unlisted.push(entry);
            }
        }
        if !has_api && !unlisted.is_empty() {
            let mut whole = Vec::new();
            for entry in unlisted {
                match self.whole(ask, entry) {
                    Ok(entry) => whole.push(entry),
                    Err(other) => gap = both(gap, Err(other)),
                }
            }
            gap = both(
                gap,
                self.merge(ask, &tag, &whole.iter().collect::<Vec<_>>(), needs),
            );
        }
        gap
    }

    /// The entry of a fallback tag: from the manifest itself, where its source's listing tells less than an entry must hold.
    fn whole(&self, ask: &mut Ask<'a>, entry: &Descriptor) -> Answered<Descriptor> {
        if entry.size > 0 {
            return Ok(entry.clone());
        }
        self.way
            .read(ask, &entry.digest)
            .map(Manifest::referrer_descriptor)
    }

    /// The entries of the fallback tag that this root already copies or merges.
    fn copied_entries(&self, ask: &Ask<'a>, tag: &Tag, needs: &Needs<'a>) -> BTreeSet<Digest> {
        let index = needs.tags.get(tag).and_then(|need| ask.known(&need.digest));
        let merged = needs
            .merges
            .get(tag)
            .into_iter()
            .flat_map(|merge| merge.entries.keys().cloned());
        let copied = index
            .into_iter()
            .flat_map(|index| index.children().map(|child| child.digest.clone()));
        merged.chain(copied).collect()
    }

    /// Adds an attached manifest and its content; what is attached to those follows.
    fn land(&self, ask: &mut Ask<'a>, entry: &Descriptor, needs: &mut Needs<'a>) -> Answered<()> {
        needs.attachments.insert(entry.digest.clone());
        self.way.need(ask, &entry.digest, entry.media_type.kind(), needs)
    }

    /// Looks behind an attachment that stands at the target: at what is attached to it and to the manifests below it
    /// and, where `check` says so, at its content.
    fn recheck(&self, ask: &mut Ask<'a>, entry: &Descriptor, needs: &mut Needs<'a>) -> Answered<()> {
        let kind = entry.media_type.kind();
        let deep = self.way.mirror.check > Check::Tags || kind == MediaKind::Index;
        if deep && ask.manifest(self.way.source, &entry.digest)?.is_some() {
            return self.way.need(ask, &entry.digest, kind, needs);
        }
        needs.content.insert(entry.digest.clone());
        Ok(())
    }

    fn tag_need(&self, ask: &mut Ask<'a>, tag: &Tag, manifest: &Manifest) -> Answered<TagNeed> {
        // A repository that does not exist says nothing of its tags.
        let immovable = match self.listings.target {
            Some(_) => ask.immovable(self.way.target, tag)?,
            None => None,
        };
        Ok(TagNeed {
            digest: manifest.digest().clone(),
            subject: self.subject.clone(),
            immovable,
        })
    }

    /// Adds entries to a fallback tag, unless it stands and can't be moved.
    fn merge(
        &self,
        ask: &mut Ask<'a>,
        tag: &Tag,
        entries: &[&Descriptor],
        needs: &mut Needs<'a>,
    ) -> Answered<()> {
        let is_put = needs.tags.get(tag).is_some_and(|need| need.immovable.is_some());
        let stands = self.listings.at_target(tag);
        if is_put || stands && ask.immovable(self.way.target, tag)?.is_some() {
            needs.apart.insert(tag.clone(), IMMOVABLE.to_owned());
            needs.notes.insert(Note {
                place: Some(self.way.target.clone()),
                text: format!("{tag} lacks entries of the source's and is left as it is: {IMMOVABLE}"),
            });
            return Ok(());
        }
        let merge = needs.merges.entry(tag.clone()).or_insert_with(|| MergeWant {
            subject: self.subject.clone(),
            source: self.way.source.clone(),
            entries: Default::default(),
        });
        merge
            .entries
            .extend(entries.iter().map(|&entry| (entry.digest.clone(), entry.clone())));
        Ok(())
    }
}

/// Says whether an image under one of cosign's tags is of one of `types`: its layers are what it attaches, and their media types
/// what these images have instead of a type of their own.
fn is_cosign_of(image: &Manifest, types: &[String]) -> bool {
    let layers = image.blobs().map(|blob| blob.media_type.as_str());
    image
        .artifact_type()
        .into_iter()
        .chain(layers)
        .any(|found| types.iter().any(|wanted| wanted == found))
}

fn missing<'a>(entries: &[&'a Descriptor], there: Option<&Manifest>) -> Vec<&'a Descriptor> {
    let lacking = entries.iter().filter(|entry| !names(there, &entry.digest));
    lacking.copied().collect()
}

fn names(index: Option<&Manifest>, digest: &Digest) -> bool {
    index.is_some_and(|index| index.children().any(|child| child.digest == *digest))
}
