//! Cosign tags that stand on both sides and differ: layers are added, nothing is overwritten.

use std::collections::BTreeSet;

use oci::{AttachmentTag, CosignKind, Descriptor, Digest, Load, Manifest, Overload, Signatures, Tag};

use crate::Place;
use crate::attachments::IMMOVABLE;
use crate::plan::Note;
use crate::want::{Needs, TagNeed, Wanted};

/// What one root adds to the image under a cosign tag.
#[derive(Debug)]
pub(crate) struct UnionNeed {
    pub(crate) subject: Digest,
    /// The source's image, which itself does not go to the target.
    pub(crate) image: Digest,
    /// The layers that the tag lacks, in the source's order.
    pub(crate) layers: Vec<Descriptor>,
    /// What the image under the tag holds without them.
    pub(crate) load: Option<Load>,
    /// The blobs that the target lacks.
    pub(crate) blobs: BTreeSet<Digest>,
}

/// Layers that the image under a cosign tag lacks.
#[derive(Clone, Debug)]
pub(crate) struct UnionWant {
    pub(crate) subject: Digest,
    pub(crate) source: Place,
    pub(crate) layers: Vec<Descriptor>,
}

impl UnionWant {
    /// Adds layers, each once: all of them, or none where the image would hold too much.
    pub(crate) fn add(&mut self, load: Option<Load>, layers: Vec<Descriptor>) -> Result<(), Overload> {
        let new = layers.into_iter().filter(|layer| !self.layers.contains(layer));
        let new: Vec<Descriptor> = new.collect();
        if let Some(load) = load {
            load.with(self.layers.iter().chain(&new))?;
        }
        self.layers.extend(new);
        Ok(())
    }
}

/// Returns the layers of the image `from` that `to` lacks, or why the two can't be united.
///
/// A bill of materials is not added to another: cosign refuses an image that holds two, and a signature of the first is
/// bound to the digest of its image.
pub(crate) fn lacking<'m>(
    kind: CosignKind,
    from: &'m Manifest,
    to: &Manifest,
) -> Result<Vec<&'m Descriptor>, String> {
    if kind == CosignKind::Sbom {
        return Err("cosign reads one bill of materials alone".to_owned());
    }
    let (Some(from), Some(to)) = (Signatures::of(from), Signatures::of(to)) else {
        return Err("what is not a list of signatures can't be united".to_owned());
    };
    if !to.is_like(from) {
        return Err("the two are of different kinds".to_owned());
    }
    let lacking = to.lacking(from.layers());
    let load = to.load().with(lacking.iter().copied());
    load.map_err(|overload| overload.to_string())?;
    Ok(lacking)
}

impl<'a> Wanted<'a> {
    /// Where another source attaches another image by the same cosign tag, adds the layers of this one to that.
    pub(crate) fn unite(&self, place: &Place, needs: &mut Needs<'a>) {
        for (tag, need) in needs.tags.clone() {
            let first = self.tags.get(&(place.clone(), tag.clone()));
            let first = first.filter(|first| first.digest != need.digest);
            let (Some(AttachmentTag::Cosign(kind)), Some(first)) = (AttachmentTag::scheme(&tag), first)
            else {
                continue;
            };
            let known = |digest: &Digest| {
                self.known
                    .get(digest)
                    .or_else(|| needs.known.get(digest))
                    .cloned()
            };
            let (Some(from), Some(to)) = (known(&need.digest), known(&first.digest)) else {
                continue;
            };
            let layers = match lacking(kind, &from, &to) {
                Ok(layers) if !layers.is_empty() && need.immovable.is_some() => Err(IMMOVABLE.to_owned()),
                other => other,
            };
            match layers {
                Ok(layers) => {
                    needs.tags.remove(&tag);
                    let load = Signatures::of(&to).map(Signatures::load);
                    let union = needs.union(&need, &layers, load);
                    needs.unions.insert(tag, union);
                }
                Err(reason) => {
                    needs.tags.remove(&tag);
                    needs.leave(&need.digest);
                    needs.leave_apart(kind, &tag, &reason);
                    let source = &first.source;
                    let text = format!("{tag} differs from that of {source}, which is taken: {reason}");
                    let place = Some(place.clone());
                    needs.notes.insert(Note { place, text });
                }
            }
        }
    }
}

impl Needs<'_> {
    /// Takes only the layers of an image that was to go to the target whole, unless something else needs it there.
    fn union(&mut self, need: &TagNeed, layers: &[&Descriptor], load: Option<Load>) -> UnionNeed {
        let image = &need.digest;
        let blobs = self.manifests.get(image).map(|need| need.blobs.clone());
        let blobs = blobs.unwrap_or_default().into_iter();
        let taken = |blob: &Digest| layers.iter().any(|layer| layer.digest == *blob);
        let blobs = blobs.filter(taken).collect();
        self.leave(image);
        UnionNeed {
            subject: need.subject.clone(),
            image: image.clone(),
            layers: layers.iter().map(|&layer| layer.clone()).collect(),
            load,
            blobs,
        }
    }

    /// Notes that a cosign tag does not get what the source's holds. Of bills of materials one is enough.
    pub(crate) fn leave_apart(&mut self, kind: CosignKind, tag: &Tag, reason: &str) {
        match kind {
            CosignKind::Signature | CosignKind::Attestation => {
                self.apart.insert(tag.clone(), reason.to_owned());
            }
            CosignKind::Sbom => {}
        }
    }

    /// Takes an image out of what goes to the target, unless something else needs it there.
    fn leave(&mut self, image: &Digest) {
        if !self.is_needed_for_itself(image) {
            self.manifests.remove(image);
            self.attachments.remove(image);
        }
    }

    /// Says whether something that goes to the target names `image`, or is attached to it.
    fn is_needed_for_itself(&self, image: &Digest) -> bool {
        let named = |manifest: &Manifest| {
            let mut named = manifest.children().chain(manifest.subject());
            named.any(|descriptor| descriptor.digest == *image)
        };
        let mut going = self.manifests.keys().filter_map(|digest| self.known.get(digest));
        let by_tag = self.tags.values().map(|need| &need.subject);
        let mut subjects = by_tag.chain(self.merges.values().map(|merge| &merge.subject));
        going.any(|manifest| named(manifest)) || subjects.any(|subject| subject == image)
    }
}
