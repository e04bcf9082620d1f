//! Who holds a blob already: the repositories of a registry from which it can be mounted.

use std::collections::{BTreeMap, BTreeSet};

use oci::{Digest, Manifest};

use crate::ask::Ask;
use crate::spec::Endpoint;
use crate::survey::Known;
use crate::want::Wanted;
use crate::{Answer, Inventory, MountRule, Place, Question, RegistryName, Spec, Survey};

/// One HEAD more is worth asking for every so many bytes that a mount may save.
const BYTES_PER_PROBE: u64 = 4 << 10;

/// So many repositories are asked for a blob at once; the first that holds it ends the search.
const PROBES_AT_ONCE: usize = 16;

/// The repositories known to hold each wanted blob, by registry.
#[derive(Debug, Default)]
pub(crate) struct Holders<'a> {
    held: BTreeMap<(&'a Endpoint, &'a Digest), BTreeMap<&'a Place, Proof>>,
}

/// How it is known that a repository holds a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Proof {
    /// A manifest that stands there names it.
    Manifest,
    /// The registry said so.
    Head,
}

impl<'a> Holders<'a> {
    /// Reads from the survey which repositories hold what.
    pub(crate) fn of(spec: &'a Spec, survey: &'a Survey, ask: &Ask<'a>) -> Self {
        let mut holders = Self::default();
        for (question, answer) in survey.iter() {
            let Some(registry) = spec.registries.get(&question.place().registry) else {
                continue;
            };
            if let Ok(Answer::Inventory(Some(inventory))) = answer {
                holders.listed(&registry.endpoint, question.place(), inventory, survey, ask);
            }
        }
        for (question, answer) in survey.iter() {
            let place = question.place();
            let Some(registry) = spec.registries.get(&place.registry) else {
                continue;
            };
            let manifest = match answer {
                Ok(Answer::Get(Some(manifest))) => Some(manifest),
                Ok(Answer::Head(Some(descriptor))) => ask.known(&descriptor.digest),
                Ok(Answer::Blob(true)) => {
                    if let Question::Blob(_, digest, _) = question {
                        holders.hold(&registry.endpoint, digest, place, Proof::Head);
                    }
                    None
                }
                _ => None,
            };
            for blob in manifest.into_iter().flat_map(Manifest::blobs) {
                // A manifest proves its blobs, unless the registry said otherwise: a damaged repository holds less.
                let question = Question::Blob(place.clone(), blob.digest.clone(), blob.size);
                if survey.answer(&question) != Known::Yes(&Answer::Blob(false)) {
                    holders.hold(&registry.endpoint, &blob.digest, place, Proof::Manifest);
                }
            }
        }
        holders
    }

    /// Takes what an inventory lists, as far as it was read anywhere: a manifest proves its blobs wherever it stands.
    fn listed(
        &mut self,
        endpoint: &'a Endpoint,
        place: &'a Place,
        inventory: &'a Inventory,
        survey: &Survey,
        ask: &Ask<'a>,
    ) {
        let whole = inventory
            .manifests()
            .into_iter()
            .flat_map(|manifests| manifests.keys());
        let digests = whole.chain(inventory.tags().values());
        for blob in digests
            .filter_map(|digest| ask.known(digest))
            .flat_map(Manifest::blobs)
        {
            let question = Question::Blob(place.clone(), blob.digest.clone(), blob.size);
            if survey.answer(&question) != Known::Yes(&Answer::Blob(false)) {
                self.hold(endpoint, &blob.digest, place, Proof::Manifest);
            }
        }
    }

    fn hold(&mut self, endpoint: &'a Endpoint, digest: &'a Digest, place: &'a Place, proof: Proof) {
        let proofs = self.held.entry((endpoint, digest)).or_default();
        let best = proofs.entry(place).or_insert(proof);
        *best = proof.min(*best);
    }

    /// Returns a repository of the registry at `endpoint` from which `digest` can be mounted.
    pub(crate) fn of_blob(&self, endpoint: &Endpoint, digest: &Digest, rule: MountRule) -> Option<&'a Place> {
        let holders = self.held.get(&(endpoint, digest))?;
        let fits = |proof: Proof| match rule {
            MountRule::Any => true,
            MountRule::Committed => proof == Proof::Manifest,
            MountRule::Never => false,
        };
        holders
            .iter()
            .filter(|(_, proof)| fits(**proof))
            .map(|(place, _)| *place)
            .next()
    }
}

/// Looks for missing blobs in other surveyed repositories of the same registry, where that is worth the requests.
pub(crate) fn probe(spec: &Spec, survey: &Survey, ask: &mut Ask<'_>, wanted: &Wanted<'_>) {
    let holders = Holders::of(spec, survey, ask);
    let repositories = surveyed(survey);
    let mut missing: BTreeMap<(&Digest, &RegistryName), BTreeSet<&Place>> = BTreeMap::new();
    for ((_, place), want) in &wanted.manifests {
        for blob in &want.blobs {
            missing.entry((blob, &place.registry)).or_default().insert(place);
        }
    }
    for ((blob, name), places) in missing {
        let Some(registry) = spec.registries.get(name) else {
            continue;
        };
        let rule = ask.capabilities(name).mount;
        if rule != MountRule::Any || holders.of_blob(&registry.endpoint, blob, rule).is_some() {
            continue;
        }
        let others = repositories
            .get(name)
            .into_iter()
            .flatten()
            .filter(|place| !places.contains(*place));
        let others: Vec<&Place> = others.copied().collect();
        let size = wanted.sizes.get(blob).copied().unwrap_or_default();
        if size < BYTES_PER_PROBE * others.len() as u64 {
            continue;
        }
        let unasked = others.into_iter().filter(|place| {
            let question = Question::Blob((*place).clone(), blob.clone(), size);
            matches!(survey.answer(&question), Known::Unasked)
        });
        for place in unasked.take(PROBES_AT_ONCE) {
            // Only the question matters here: its answer is read when holders are gathered again.
            let _ = ask.blob(place, blob, size);
        }
    }
}

/// The repositories that exist, by registry.
fn surveyed(survey: &Survey) -> BTreeMap<&RegistryName, BTreeSet<&Place>> {
    let mut repositories: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for (question, answer) in survey.iter() {
        if let Ok(Answer::Tags(Some(_)) | Answer::Inventory(Some(_))) = answer {
            let place = question.place();
            repositories.entry(&place.registry).or_default().insert(place);
        }
    }
    repositories
}
