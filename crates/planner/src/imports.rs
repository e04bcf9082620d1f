//! Images that a registry fetches itself instead of being sent.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use oci::Digest;

use crate::ask::Ask;
use crate::plan::TagRole;
use crate::spec::Endpoint;
use crate::want::Wanted;
use crate::{Import, Place, Spec};

/// Turns what is to be put into imports, wherever a registry imports and an image is missing there.
pub(crate) fn take(spec: &Spec, ask: &Ask<'_>, wanted: &mut Wanted<'_>) {
    let roots: Vec<(Digest, Place, Place)> = wanted
        .tags
        .iter()
        .filter(|(_, want)| want.role == TagRole::Selected)
        .filter(|((place, _), want)| importable(spec, ask, wanted, &want.digest, place, &want.source))
        .map(|((place, _), want)| (want.digest.clone(), place.clone(), want.source.clone()))
        .collect();
    for (digest, place, source) in roots {
        wanted.imports.insert((digest, place), source);
    }
    bring(wanted);
}

fn importable(
    spec: &Spec,
    ask: &Ask<'_>,
    wanted: &Wanted<'_>,
    digest: &Digest,
    place: &Place,
    source: &Place,
) -> bool {
    let Some(Import { manifests }) = ask.capabilities(&place.registry).import else {
        return false;
    };
    let endpoint = |place: &Place| {
        spec.registries
            .get(&place.registry)
            .map(|registry| &registry.endpoint)
    };
    let remote = matches!(endpoint(source), Some(Endpoint::Host(_))) && endpoint(source) != endpoint(place);
    let missing = wanted
        .manifests
        .get(&(digest.clone(), place.clone()))
        .is_some_and(|want| want.put && !want.foreign);
    let whole = !wanted.partial.contains(&(digest.clone(), place.clone()));
    remote && missing && whole && below(wanted, digest).len() <= manifests
}

/// A manifest and all manifests below it, as far as they are known.
fn below(wanted: &Wanted<'_>, root: &Digest) -> BTreeSet<Digest> {
    let mut found = BTreeSet::new();
    let mut open = vec![root.clone()];
    while let Some(digest) = open.pop() {
        if let Some(manifest) = wanted.known.get(&digest).filter(|_| !found.contains(&digest)) {
            open.extend(manifest.children().map(|child| child.digest.clone()));
        }
        found.insert(digest);
    }
    found
}

/// Notes what comes with imports: manifests are not put and blobs not sent again, nor images that another one names.
/// Whoever needs them waits for the import.
fn bring(wanted: &mut Wanted<'_>) {
    let roots: Vec<(Digest, Place)> = wanted.imports.keys().cloned().collect();
    let strictly_below = |(root, place): &(Digest, Place)| {
        let below = below(wanted, root).into_iter().filter(|digest| digest != root);
        below.map(|digest| (digest, place.clone())).collect::<Vec<_>>()
    };
    let nested: HashSet<(Digest, Place)> = roots.iter().flat_map(strictly_below).collect();
    wanted.imports.retain(|key, _| !nested.contains(key));
    let mut brought: BTreeMap<(Digest, Place), Digest> = BTreeMap::new();
    for (root, place) in wanted.imports.keys() {
        for digest in below(wanted, root) {
            let manifest = wanted.known.get(&digest);
            let blobs = manifest.into_iter().flat_map(|manifest| manifest.blobs());
            let copied = blobs.filter(|blob| !blob.media_type.is_nondistributable());
            brought.extend(copied.map(|blob| ((blob.digest.clone(), place.clone()), root.clone())));
            brought.insert((digest, place.clone()), root.clone());
        }
    }
    wanted.manifests.retain(|key, _| !brought.contains_key(key));
    for ((_, place), want) in &mut wanted.manifests {
        want.blobs
            .retain(|blob| !brought.contains_key(&(blob.clone(), place.clone())));
    }
    wanted.brought = brought;
}
