//! What must hold after a plan was made or applied.

use std::collections::{BTreeMap, BTreeSet};

use oci::{AttachmentTag, Descriptor, Digest, Manifest, ManifestReference, Signatures, Tag};
use planner::spec::{Check, Referrers};
use planner::{Answer, Creation, MountRule, Place, Plan, Question, RegistryName, Spec, Survey};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use testkit::world::{Applied, Depth, ModelRepository, Outcome, ReferrersApi, World};
use transship_planner as planner;

use crate::trial::Verdict;
use crate::wanted::{roots, targets};

/// Everything that is wanted stands: tags, manifests with all they name, attachments.
pub(crate) fn all_is_there(before: &World, after: &World, spec: &Spec) -> Verdict {
    for root in roots(spec, before) {
        let place = &root.target.place;
        let held = after.at(place);
        prop_assert!(held.is_some(), "{place} does not exist");
        let held = held.expect("it was just seen");
        if let Some(tag) = &root.tag {
            let wanted = if root.is_kept() {
                root.stands.as_ref()
            } else {
                Some(&root.digest)
            };
            prop_assert_eq!(held.tags.get(tag), wanted, "{}:{}", place, tag);
        }
        if root.is_kept() {
            continue;
        }
        prop_assert!(
            held.manifests.contains_key(&root.digest),
            "{place} lacks {}",
            root.digest
        );
        if root.mirror.referrers == Referrers::All {
            let unchanged = root.stands.as_ref() == Some(&root.digest);
            let trusted = unchanged && root.mirror.check == Check::Tags;
            let depth = if trusted { Depth::Root } else { Depth::Closure };
            let missing = after.unattached(root.source, place, &root.digest, depth);
            prop_assert!(
                missing.is_empty(),
                "{place} lacks attachments of {}: {missing:?}",
                root.digest
            );
        }
    }
    is_consistent(after)
}

/// Plans, and checks the plan.
pub(crate) fn planned(world: &World, spec: &Spec) -> Result<Plan, TestCaseError> {
    let plan = world.plan(spec);
    match plan.check() {
        Ok(()) => Ok(plan),
        Err(error) => Err(TestCaseError::fail(format!("{error}: {}", plan.to_json()))),
    }
}

/// Nothing that was written lacks what it names; a source may.
pub(crate) fn is_consistent(world: &World) -> Verdict {
    let mut found = world.inconsistencies();
    found.retain(|line| !line.contains("/team/"));
    prop_assert!(found.is_empty(), "inconsistent: {found:?}");
    Ok(())
}

pub(crate) fn nothing_refused(applied: &Applied) -> Verdict {
    prop_assert!(applied.violations.is_empty(), "refused: {:?}", applied.violations);
    Ok(())
}

pub(crate) fn nothing_left(world: &World, spec: &Spec) -> Verdict {
    let plan = planned(world, spec)?;
    prop_assert!(plan.ops.is_empty(), "planned again: {}", plan.to_json());
    Ok(())
}

/// What the survey proved to stand in a registry: by a manifest, or by asking for it.
fn proven(world: &World, survey: &Survey) -> BTreeSet<(RegistryName, Digest)> {
    let mut proven = BTreeSet::new();
    for (question, answer) in survey.iter() {
        let Ok(answer) = answer else { continue };
        let place = question.place();
        let manifest = match answer {
            Answer::Get(Some(manifest)) => Some(manifest.digest()),
            _ => None,
        };
        let held = world.at(place);
        let manifest = manifest.and_then(|digest| held?.find(&ManifestReference::Digest(digest.clone())));
        let blobs = manifest.into_iter().flat_map(Manifest::blobs);
        let blobs = blobs.filter(|blob| held.is_some_and(|held| held.blobs.contains_key(&blob.digest)));
        proven.extend(blobs.map(|blob| (place.registry.clone(), blob.digest.clone())));
        if let (Question::Blob(_, digest, _), Answer::Blob(true)) = (question, answer) {
            proven.insert((place.registry.clone(), digest.clone()));
        }
    }
    proven
}

/// No blob is read twice, sent twice to a registry that mounts, or sent where it is known to stand.
pub(crate) fn nothing_moves_twice(world: &World, survey: &Survey, applied: &Applied) -> Verdict {
    let mut reads: BTreeMap<&Digest, u64> = BTreeMap::new();
    for ((_, digest), times) in &applied.reads {
        *reads.entry(digest).or_default() += times;
    }
    // Where nothing mounts and repositories are created by a call, those that exist do not wait for those that do not.
    let twice = world.registries.values().any(|registry| {
        registry.options.mount == MountRule::Never
            && registry.options.creation == Creation::Call
            && !registry.repositories.is_empty()
    });
    for (digest, times) in reads {
        prop_assert!(times <= 1 + u64::from(twice), "{digest} was read {times} times");
    }
    let mut sent: BTreeMap<(&RegistryName, &Digest), u64> = BTreeMap::new();
    for ((place, digest), times) in &applied.sent {
        prop_assert!(*times <= 1, "{digest} was sent {times} times to {place}");
        *sent.entry((&place.registry, digest)).or_default() += times;
    }
    let proven = proven(world, survey);
    for ((registry, digest), times) in sent {
        let mount = world.registries[registry].options.mount;
        if mount != MountRule::Never {
            prop_assert!(times <= 1, "{digest} was sent {times} times to {registry}");
        }
        if mount == MountRule::Any {
            let known = proven.contains(&(registry.clone(), digest.clone()));
            prop_assert!(!known, "{digest} was sent to {registry}, which holds it");
        }
    }
    let idle: Vec<_> = applied
        .with(Outcome::Already)
        .into_iter()
        .filter(|(id, _)| !id.0.starts_with("tag") && !id.0.starts_with("referrers"))
        .collect();
    prop_assert!(idle.is_empty(), "planned in vain: {idle:?}");
    Ok(())
}

/// All tags stand at the same digests; attaching tags name the same, in any order.
///
/// Where a registry turns out to have the referrers API only once a repository exists, a fallback tag may be made or not.
pub(crate) fn same_tags(one: &World, other: &World, spec: &Spec) -> Verdict {
    let places: BTreeSet<&Place> = targets(spec).map(|target| &target.place).collect();
    for place in places {
        let told = |world: &World| -> BTreeMap<Tag, BTreeSet<String>> {
            let held = world.at(place).cloned().unwrap_or_default();
            let named = |tag: &Tag, digest: &Digest| match AttachmentTag::scheme(tag) {
                Some(AttachmentTag::Fallback) => held.manifests[digest]
                    .children()
                    .map(|child| child.digest.to_string())
                    .collect(),
                Some(AttachmentTag::Cosign(_)) => signatures(&held.manifests[digest]),
                None => BTreeSet::from([digest.to_string()]),
            };
            let has_api = has_referrers_api(world, place);
            let matters = |tag: &Tag| !has_api || AttachmentTag::scheme(tag) != Some(AttachmentTag::Fallback);
            held.tags
                .iter()
                .filter(|(tag, _)| matters(tag))
                .map(|(tag, digest)| (tag.clone(), named(tag, digest)))
                .collect()
        };
        prop_assert_eq!(told(one), told(other), "{} differs", place);
    }
    Ok(())
}

/// The layers of an image of signatures, with what is signed.
fn signatures(image: &Manifest) -> BTreeSet<String> {
    let Some(held) = Signatures::of(image) else {
        return BTreeSet::from([image.digest().to_string()]);
    };
    let told = |layer: &Descriptor| format!("{} {:?}", layer.digest, layer.annotations);
    held.layers().iter().map(told).collect()
}

fn has_referrers_api(world: &World, place: &Place) -> bool {
    let referrers = world.registries[&place.registry].options.referrers;
    matches!(referrers, ReferrersApi::Announced | ReferrersApi::Present)
}

/// Fallback tags are copied, and made only where they are needed.
pub(crate) fn no_fallback_is_made_in_vain(before: &World, after: &World, spec: &Spec) -> Verdict {
    let is_fallback = |tag: &&Tag| AttachmentTag::scheme(tag) == Some(AttachmentTag::Fallback);
    let sources = spec.mirrors.iter().flat_map(|mirror| &mirror.sources);
    let copied: BTreeSet<&Tag> = sources
        .filter_map(|source| before.at(&source.place))
        .flat_map(|held| held.tags.keys())
        .collect();
    for target in targets(spec) {
        let options = &before.registries[&target.place.registry].options;
        if options.referrers != ReferrersApi::Announced {
            continue;
        }
        let stood = |tag: &Tag| {
            before
                .at(&target.place)
                .is_some_and(|held| held.tags.contains_key(tag))
        };
        let stands = after
            .at(&target.place)
            .into_iter()
            .flat_map(|held| held.tags.keys());
        let made: Vec<&Tag> = stands
            .filter(is_fallback)
            .filter(|tag| !copied.contains(tag) && !stood(tag))
            .collect();
        prop_assert!(made.is_empty(), "{} has the API and got {made:?}", target.place);
    }
    Ok(())
}

/// What a manifest needs, down to its blobs, and is not there.
pub(crate) fn lacks(held: &ModelRepository, digest: &Digest) -> Vec<Digest> {
    let Some(manifest) = held.manifests.get(digest) else {
        return vec![digest.clone()];
    };
    let mut missing = held.missing(manifest);
    missing.extend(manifest.children().flat_map(|child| lacks(held, &child.digest)));
    missing
}
