//! Which missing blob is sent where, and from where the other repositories mount it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use oci::{Digest, RepositoryName};

use crate::ask::Ask;
use crate::holders::Holders;
use crate::want::Wanted;
use crate::{MountRule, Place, RegistryName, Spec};

/// Where each blob is sent and mounted.
#[derive(Debug, Default)]
pub(crate) struct Seeds {
    pub(crate) uploads: BTreeMap<Digest, BTreeSet<Place>>,
    pub(crate) mounts: BTreeMap<Digest, BTreeMap<Place, Mounting>>,
    /// Manifests that must be put by digest before something mounts what they name.
    pub(crate) committed: BTreeSet<(Digest, Place)>,
}

/// From where a blob is mounted, and what that waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mounting {
    pub(crate) from: RepositoryName,
    /// The registry mounted from, where that is another one.
    pub(crate) origin: Option<RegistryName>,
    pub(crate) after: MountAfter,
}

/// What a mount waits for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum MountAfter {
    /// The blob stands there already.
    Nothing,
    /// Its upload to that place.
    Upload(Place),
    /// The manifest that names it there.
    Manifest(Digest, Place),
}

/// The manifests in an order that extends content order: what is named stands before what names it. Among equals,
/// those that name the most shared blobs stand first, so that they seed.
pub(crate) fn ranked<'w>(wanted: &'w Wanted<'_>) -> Vec<&'w Digest> {
    let mut shared: HashMap<&Digest, u64> = HashMap::new();
    let digests: BTreeSet<&Digest> = wanted.manifests.keys().map(|(digest, _)| digest).collect();
    let manifests = || digests.iter().filter_map(|digest| wanted.known.get(*digest));
    for blob in manifests().flat_map(|manifest| manifest.blobs()) {
        *shared.entry(&blob.digest).or_default() += 1;
    }
    let mut heights = HashMap::new();
    let mut ranked: Vec<_> = digests
        .iter()
        .map(|digest| {
            let height = height(wanted, digest, &mut heights);
            let blobs = wanted
                .known
                .get(*digest)
                .into_iter()
                .flat_map(|manifest| manifest.blobs());
            let sharing = blobs
                .filter(|blob| shared.get(&blob.digest).is_some_and(|count| *count > 1))
                .count();
            (height, std::cmp::Reverse(sharing), *digest)
        })
        .collect();
    ranked.sort();
    ranked.into_iter().map(|(_, _, digest)| digest).collect()
}

/// The length of the longest way down from a manifest, over children and subjects.
fn height<'w>(wanted: &'w Wanted<'_>, digest: &'w Digest, heights: &mut HashMap<&'w Digest, u64>) -> u64 {
    if let Some(&height) = heights.get(digest) {
        return height;
    }
    let Some(manifest) = wanted.known.get(digest) else {
        return 0;
    };
    // A digest can't name itself, so this ends; the entry below only guards against a broken survey.
    heights.insert(digest, 0);
    let below = manifest.children().chain(manifest.subject());
    let deepest = below
        .map(|child| height(wanted, &child.digest, heights) + 1)
        .max()
        .unwrap_or(0);
    heights.insert(digest, deepest);
    deepest
}

/// Decides for every missing blob whether it is sent or mounted.
pub(crate) fn seeds(
    spec: &Spec,
    ask: &Ask<'_>,
    holders: &Holders<'_>,
    wanted: &Wanted<'_>,
    ranked: &[&Digest],
) -> Seeds {
    let mut seeds = Seeds::default();
    let mut seeded: BTreeMap<(&Digest, &RegistryName), MountFrom> = BTreeMap::new();
    let mut by_digest: BTreeMap<&Digest, Vec<&Place>> = BTreeMap::new();
    for (digest, place) in wanted.manifests.keys() {
        by_digest.entry(digest).or_default().push(place);
    }
    for &digest in ranked {
        for &place in by_digest.get(digest).into_iter().flatten() {
            let want = &wanted.manifests[&(digest.clone(), place.clone())];
            for blob in &want.blobs {
                if seeds.places(blob, place) {
                    continue;
                }
                let rule = ask.capabilities(&place.registry).mount;
                let Some(registry) = spec.registries.get(&place.registry) else {
                    continue;
                };
                if let Some(holder) = holders.of_blob(&registry.endpoint, blob, rule) {
                    seeds.mount(blob, place, &holder.repository, MountAfter::Nothing);
                } else if let Some(seed) = seeded.get(&(blob, &place.registry)) {
                    seeds.mount(blob, place, &seed.0.repository, seed.1.clone());
                } else if rule == MountRule::Any
                    && let Some(origin) = related(spec, ask, place, &want.source)
                {
                    seeds.mount_across(blob, place, origin);
                    // The other repositories there mount from this one: where a relative declines, one of them is sent the blob.
                    let after = MountAfter::Upload(place.clone());
                    seeded.insert((blob, &place.registry), MountFrom(place.clone(), after));
                } else {
                    seeds
                        .uploads
                        .entry(blob.clone())
                        .or_default()
                        .insert(place.clone());
                    let after = match rule {
                        MountRule::Never => continue,
                        MountRule::Committed if want.put => {
                            MountAfter::Manifest(digest.clone(), place.clone())
                        }
                        MountRule::Any | MountRule::Committed => MountAfter::Upload(place.clone()),
                    };
                    seeded.insert((blob, &place.registry), MountFrom(place.clone(), after));
                }
            }
        }
    }
    seeds
}

/// The source itself, where its registry and that of `place` are of one family: they mount from each other.
fn related<'w>(spec: &Spec, ask: &Ask<'_>, place: &Place, source: &'w Place) -> Option<&'w Place> {
    let family = ask.capabilities(&place.registry).family?;
    let endpoint = |place: &Place| {
        spec.registries
            .get(&place.registry)
            .map(|registry| &registry.endpoint)
    };
    let related = ask.capabilities(&source.registry).family.as_ref() == Some(&family);
    (related && endpoint(place) != endpoint(source)).then_some(source)
}

/// A seed and what mounting from it waits for.
struct MountFrom(Place, MountAfter);

impl Seeds {
    /// Mounts from a repository of another registry, where the blob stands already.
    fn mount_across(&mut self, blob: &Digest, place: &Place, origin: &Place) {
        let mounting = Mounting {
            from: origin.repository.clone(),
            origin: Some(origin.registry.clone()),
            after: MountAfter::Nothing,
        };
        self.mounts
            .entry(blob.clone())
            .or_default()
            .insert(place.clone(), mounting);
    }

    fn places(&self, blob: &Digest, place: &Place) -> bool {
        self.uploads
            .get(blob)
            .is_some_and(|places| places.contains(place))
            || self
                .mounts
                .get(blob)
                .is_some_and(|places| places.contains_key(place))
    }

    fn mount(&mut self, blob: &Digest, place: &Place, from: &RepositoryName, after: MountAfter) {
        if let MountAfter::Manifest(digest, seed) = &after {
            self.committed.insert((digest.clone(), seed.clone()));
        }
        let mounting = Mounting {
            from: from.clone(),
            origin: None,
            after,
        };
        self.mounts
            .entry(blob.clone())
            .or_default()
            .insert(place.clone(), mounting);
    }
}
