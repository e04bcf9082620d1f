//! What should stand at each target, whether it does or not.

use std::collections::{BTreeMap, BTreeSet};

use oci::{Digest, Manifest, Signatures, Tag};

use crate::ask::Ask;
use crate::roots;
use crate::want::Extent;
use crate::{Capabilities, Place, RegistryName, Spec, Survey};

/// What should stand in one repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// The tags, and the digests they should stand at.
    pub tags: BTreeMap<Tag, Digest>,
    /// The manifests.
    pub manifests: BTreeSet<Digest>,
    /// The blobs and their sizes in bytes.
    pub blobs: BTreeMap<Digest, u64>,
    /// The tags of attachments that lack what the source's hold and don't get it, and why.
    pub apart: BTreeMap<Tag, String>,
}

/// Returns what should stand at each target, as far as the survey read it.
///
/// Complete for a survey that was made with `check: blobs`.
#[must_use]
pub fn closure(
    spec: &Spec,
    capabilities: &BTreeMap<RegistryName, Capabilities>,
    survey: &Survey,
) -> BTreeMap<Place, Contents> {
    let mut ask = Ask::new(survey, capabilities);
    let wanted = roots::want(spec, &mut ask);
    let mut closure: BTreeMap<Place, Contents> = BTreeMap::new();
    for ((place, tag), digest) in wanted.standing {
        closure.entry(place).or_default().tags.insert(tag, digest);
    }
    for ((place, tag), reason) in wanted.apart {
        closure.entry(place).or_default().apart.insert(tag, reason);
    }
    for (digest, place) in wanted.united {
        let contents = closure.entry(place).or_default();
        let image = wanted.known.get(&digest).map(AsRef::as_ref);
        let config = image.and_then(Signatures::of).map(Signatures::config);
        contents
            .blobs
            .extend(config.map(|config| (config.digest.clone(), config.size)));
        contents.manifests.insert(digest);
    }
    for ((digest, place), want) in wanted.manifests {
        let contents = closure.entry(place).or_default();
        let manifest = wanted.known.get(&digest).map(AsRef::as_ref);
        if want.extent == Extent::Layers {
            let layers = manifest.and_then(Signatures::of).map(Signatures::layers);
            let layers = layers.unwrap_or_default().iter();
            contents
                .blobs
                .extend(layers.map(|layer| (layer.digest.clone(), layer.size)));
            continue;
        }
        let blobs = manifest
            .into_iter()
            .flat_map(Manifest::blobs)
            .filter(|blob| want.foreign || !blob.media_type.is_nondistributable());
        contents
            .blobs
            .extend(blobs.map(|blob| (blob.digest.clone(), blob.size)));
        contents.manifests.insert(digest);
    }
    closure
}
