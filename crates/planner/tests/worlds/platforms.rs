//! Some platforms of what stands in every world.

use std::collections::BTreeSet;

use oci::{AttachmentTag, Descriptor, Digest, Manifest, Platform, Tag};
use planner::plan::Plan;
use planner::spec::{OnChange, Platforms};
use proptest::prelude::*;
use testkit::image::{Content, Family};
use testkit::world::random::{Case, at_target};
use testkit::world::{ModelRepository, World};
use transship_planner as planner;

use crate::trial::{in_every_world, never};
use crate::verdict::{is_consistent, nothing_left, nothing_refused, planned};

/// Platforms by chance.
fn some(chance: u64) -> Vec<Platform> {
    let all =
        ["linux/amd64", "linux/arm64", "linux/arm/v7"].map(|text| text.parse().expect("it is a platform"));
    let mask = chance % 7 + 1;
    let all = all.into_iter().enumerate();
    all.filter(|(bit, _)| mask & (1 << bit) != 0)
        .map(|(_, platform)| platform)
        .collect()
}

/// An index of every platform, and one that holds it.
fn many(content: &mut Content) {
    let images = ["linux/amd64", "linux/arm64/v8", "linux/arm/v7"].map(|platform| {
        let layer = content.layer(Family::Oci, platform.len() as u64, 100);
        content.image(Family::Oci, platform, &[layer])
    });
    let index = content.index(Family::Oci, &images);
    content.tag("many", &index);
    let outer = content.index(Family::Docker, &[index]);
    content.tag("nested", &outer);
}

/// The case with platforms chosen for every mirror, at registries that take what comes of it.
fn with(case: &Case, platforms: &Platforms) -> Case {
    let mut case = case.clone();
    for mirror in &mut case.spec.mirrors {
        mirror.platforms = platforms.clone();
        mirror.on_change = OnChange::Update;
    }
    for registry in case.world.registries.values_mut() {
        registry.options.sparse = true;
    }
    let sources = case.spec.mirrors.iter().flat_map(|mirror| &mirror.sources);
    for place in sources.map(|source| source.place.to_string()) {
        case.world = case.world.holds(&place, many);
    }
    case
}

/// Plans and applies; then nothing is left to do, and a saved plan is the same plan.
fn brought(case: &Case, chance: u64) -> Result<(World, Plan), TestCaseError> {
    let plan = planned(&case.world, &case.spec)?;
    let read = Plan::from_json(plan.to_json().as_bytes()).ok();
    prop_assert_eq!(read.as_ref(), Some(&plan));
    let mut world = case.world.clone();
    nothing_refused(&world.apply(&plan, chance, &mut never))?;
    nothing_left(&world, &case.spec)?;
    Ok((world, plan))
}

/// What stands at a selected tag of a source and at its target, and the target's repository.
fn roots<'w>(world: &'w World, case: &Case) -> Vec<(&'w Tag, &'w Digest, &'w Manifest, &'w ModelRepository)> {
    let mut found = Vec::new();
    let sources = case.spec.mirrors.iter().flat_map(|mirror| &mirror.sources);
    for source in sources.filter(|source| source.pinned.is_none()) {
        let held = world.at(&source.place).into_iter().flat_map(|held| &held.tags);
        let tags = held.filter(|(tag, _)| AttachmentTag::scheme(tag).is_none());
        for (tag, digest) in tags {
            for target in &source.targets {
                let Some(there) = world.at(&target.place) else {
                    continue;
                };
                let standing = there.tags.get(&at_target(target, tag));
                let manifest = standing.and_then(|digest| there.manifests.get(digest));
                found.extend(manifest.map(|manifest| (tag, digest, manifest, there)));
            }
        }
    }
    found
}

fn is_unwanted(platforms: &[Platform], child: &Descriptor) -> bool {
    let platform = child.platform.as_ref();
    platform.is_some_and(|found| !platforms.iter().any(|wanted| wanted.accepts(found)))
}

#[test]
fn a_new_index_names_the_chosen_platforms_alone_and_all_it_names_is_there() {
    let name = "a_new_index_names_the_chosen_platforms_alone_and_all_it_names_is_there";
    in_every_world(name, |case, chance| {
        let platforms = some(chance);
        let case = with(case, &Platforms::Rewrite(platforms.clone()));
        let (world, plan) = brought(&case, chance)?;
        is_consistent(&world)?;
        let made = plan.manifests.iter().filter(|(_, entry)| entry.made.is_some());
        for (digest, entry) in made {
            let manifest = entry
                .made(digest)
                .and_then(Result::ok)
                .expect("the plan was checked");
            let unwanted = manifest.children().find(|child| is_unwanted(&platforms, child));
            prop_assert_eq!(unwanted, None, "{} names another platform", digest);
        }
        Ok(())
    });
}

#[test]
fn a_sparse_index_keeps_its_digest_and_brings_the_chosen_platforms() {
    in_every_world(
        "a_sparse_index_keeps_its_digest_and_brings_the_chosen_platforms",
        |case, chance| {
            let platforms = some(chance);
            let case = with(case, &Platforms::Sparse(platforms.clone()));
            let (world, plan) = brought(&case, chance)?;
            prop_assert!(plan.manifests.values().all(|entry| entry.made.is_none()));
            let blocked: BTreeSet<_> = plan
                .blocked
                .iter()
                .filter_map(|problem| problem.tag.as_ref())
                .collect();
            for (tag, digest, there, held) in roots(&world, &case) {
                if blocked
                    .iter()
                    .any(|blocked| tag.as_str().starts_with(blocked.as_str()))
                {
                    continue;
                }
                prop_assert_eq!(digest, there.digest());
                let images = there.children().filter(|child| child.platform.is_some());
                let wanted = images.filter(|child| !is_unwanted(&platforms, child));
                let missing: Vec<_> = wanted
                    .filter(|child| !held.manifests.contains_key(&child.digest))
                    .collect();
                prop_assert!(missing.is_empty(), "{} lacks {:?}", digest, missing);
            }
            Ok(())
        },
    );
}
