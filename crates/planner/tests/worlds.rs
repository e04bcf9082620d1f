//! What holds in every world, tried in thousands of random ones.
//!
//! `TRANSSHIP_WORLDS` says how many, `TRANSSHIP_SEED` which; a failure prints both and the smallest world that fails.

#[path = "worlds/platforms.rs"]
mod platforms;
#[path = "worlds/trial.rs"]
mod trial;
#[path = "worlds/verdict.rs"]
mod verdict;
#[path = "worlds/wanted.rs"]
mod wanted;

use std::collections::BTreeSet;

use oci::{AttachmentTag, Digest, Tag};
use planner::plan::{Expect, Op, OpPlace};
use planner::spec::Referrers;
use planner::{MountRule, OpKind, Place, Plan, RegistryName};
use proptest::prelude::*;
use testkit::world::{Depth, ModelRepository, Outcome, State, World};
use transship_planner as planner;

use trial::{by_chance, hash, in_every_world, never};
use verdict::{
    all_is_there, is_consistent, lacks, no_fallback_is_made_in_vain, nothing_left, nothing_moves_twice,
    nothing_refused, planned, same_tags,
};
use wanted::{checked, roots, targets};

#[test]
fn every_plan_keeps_its_rules_and_its_bytes() {
    in_every_world("every_plan_keeps_its_rules_and_its_bytes", |case, _| {
        let plan = planned(&case.world, &case.spec)?;
        let text = plan.to_json();
        let read = Plan::from_json(text.as_bytes());
        prop_assert!(read.is_ok(), "{:?}", read.err());
        let read = read.expect("it was just seen");
        prop_assert_eq!(&read, &plan);
        prop_assert_eq!(read.to_json(), text);
        prop_assert_eq!(read.text(), plan.text());
        let mut turned = case.spec.clone();
        for source in turned.mirrors.iter_mut().flat_map(|mirror| &mut mirror.sources) {
            source.targets.reverse();
        }
        prop_assert_eq!(planned(&case.world, &turned)?.to_json(), plan.to_json());
        let quiet = plan.text().ends_with("No changes. Every target matches.\n");
        let kept = plan.summary.tags.keep > 0;
        prop_assert_eq!(quiet, plan.ops.is_empty() && plan.blocked.is_empty() && !kept);
        Ok(())
    });
}

#[test]
fn applied_plans_bring_all_that_is_wanted_and_move_nothing_twice() {
    in_every_world(
        "applied_plans_bring_all_that_is_wanted_and_move_nothing_twice",
        |case, chance| {
            let survey = case.world.survey(&case.spec, &case.world.capabilities());
            let plan = planner::plan(&case.spec, &case.world.capabilities(), &survey);
            let mut world = case.world.clone();
            let applied = world.apply(&plan, chance, &mut never);
            nothing_refused(&applied)?;
            prop_assert!(applied.declined.is_empty(), "declined: {:?}", applied.declined);
            prop_assert!(applied.with(Outcome::Stale).is_empty());
            all_is_there(&case.world, &world, &case.spec)?;
            no_fallback_is_made_in_vain(&case.world, &world, &case.spec)?;
            nothing_moves_twice(&case.world, &survey, &applied)?;
            let uploads: u64 = applied.sent.values().sum();
            prop_assert_eq!(uploads, plan.summary.blobs.upload);
            nothing_left(&world, &case.spec)
        },
    );
}

#[test]
fn whatever_fails_registries_stay_consistent_and_the_next_plans_converge() {
    in_every_world(
        "whatever_fails_registries_stay_consistent_and_the_next_plans_converge",
        |case, chance| {
            let mut world = case.world.clone();
            for round in 0..2 {
                let plan = planned(&world, &case.spec)?;
                let applied = world.apply(&plan, chance, &mut by_chance(chance.wrapping_add(round)));
                nothing_refused(&applied)?;
                is_consistent(&world)?;
            }
            let plan = planned(&world, &case.spec)?;
            nothing_refused(&world.apply(&plan, chance, &mut never))?;
            all_is_there(&case.world, &world, &case.spec)?;
            nothing_left(&world, &case.spec)?;
            let mut unharmed = case.world.clone();
            unharmed.apply(&planned(&case.world, &case.spec)?, chance, &mut never);
            same_tags(&unharmed, &world, &case.spec)
        },
    );
}

#[test]
fn a_target_that_is_down_changes_nothing_elsewhere() {
    in_every_world(
        "a_target_that_is_down_changes_nothing_elsewhere",
        |case, chance| {
            let names: BTreeSet<&RegistryName> = targets(&case.spec)
                .map(|target| &target.place.registry)
                .filter(|name| name.as_str().starts_with("target"))
                .collect();
            let Some(&down) = names
                .iter()
                .nth(usize::try_from(chance % 7).expect("it is small") % names.len().max(1))
            else {
                return Ok(());
            };
            let mut world = case.world.clone();
            world
                .registries
                .get_mut(down)
                .expect("it is a registry")
                .options
                .state = State::Down;
            let mut without = case.spec.clone();
            for source in without.mirrors.iter_mut().flat_map(|mirror| &mut mirror.sources) {
                source.targets.retain(|target| target.place.registry != *down);
            }
            let plan = planned(&world, &case.spec)?;
            prop_assert!(plan.check().is_ok(), "{:?}", plan.check());
            prop_assert!(plan.blocked.iter().any(|problem| problem.registry == *down));
            let other = planned(&world, &without)?;
            prop_assert_eq!(&plan.ops, &other.ops);
            prop_assert_eq!(&plan.summary.bytes, &other.summary.bytes);
            nothing_refused(&world.apply(&plan, chance, &mut never))?;
            all_is_there(&case.world, &world, &without)
        },
    );
}

#[test]
fn a_tag_that_moved_since_the_plan_stays_and_all_else_lands() {
    in_every_world(
        "a_tag_that_moved_since_the_plan_stays_and_all_else_lands",
        |case, chance| {
            let plan = planned(&case.world, &case.spec)?;
            let writes: Vec<(&Op, &OpPlace)> = plan
                .ops
                .iter()
                .filter(|op| op.kind == OpKind::PutTag)
                .filter(|op| {
                    op.tag
                        .as_ref()
                        .is_some_and(|tag| AttachmentTag::scheme(tag).is_none())
                })
                .flat_map(|op| op.at.iter().map(move |at| (op, at)))
                .collect();
            let index = usize::try_from(chance % 97).expect("it is small") % writes.len().max(1);
            let Some((op, at)) = writes.get(index) else {
                return Ok(());
            };
            let (place, tag) = (at.place(), op.tag.clone().expect("a tag is written"));
            let mut world = case.world.clone();
            let moved = somebody_moves(&mut world, &place, &tag);
            let applied = world.apply(&plan, chance, &mut never);
            prop_assert!(at.expect != Some(Expect::Digest(moved.clone())));
            prop_assert_eq!(applied.with(Outcome::Stale), vec![(&op.id, &place)]);
            nothing_refused(&applied)?;
            let held = world.at(&place).expect("it was written");
            prop_assert_eq!(held.tags.get(&tag), Some(&moved));
            prop_assert!(
                held.manifests
                    .contains_key(op.digest.as_ref().expect("a tag carries a manifest"))
            );
            is_consistent(&world)?;
            let mut expected = case.world.clone();
            expected.apply(&plan, chance, &mut never);
            expected.at_mut(&place).tags.insert(tag, moved.clone());
            let manifest = held.manifests[&moved].clone();
            expected.at_mut(&place).manifests.insert(moved, manifest);
            same_tags(&expected, &world, &case.spec)
        },
    );
}

fn somebody_moves(world: &mut World, place: &Place, tag: &Tag) -> Digest {
    let mut content = testkit::image::Content::new();
    let empty = content.index(testkit::image::Family::Oci, &[]);
    let artifact = content.artifact(&empty, "application/x", "somebody else's");
    let made = ModelRepository::from(&content);
    let held = world.at_mut(place);
    held.blobs.extend(made.blobs);
    held.manifests.extend(made.manifests);
    held.tags.insert(tag.clone(), artifact.digest.clone());
    artifact.digest
}

#[test]
fn a_registry_that_declines_every_mount_still_gets_everything() {
    in_every_world(
        "a_registry_that_declines_every_mount_still_gets_everything",
        |case, chance| {
            let mut world = case.world.clone();
            for registry in world.registries.values_mut() {
                registry.options.said_to_mount = Some(registry.options.mount);
                registry.options.mount = MountRule::Never;
            }
            let plan = planned(&world, &case.spec)?;
            let applied = world.apply(&plan, chance, &mut never);
            nothing_refused(&applied)?;
            all_is_there(&case.world, &world, &case.spec)?;
            nothing_left(&world, &case.spec)
        },
    );
}

#[test]
fn what_was_lost_at_a_target_is_repaired_where_blobs_are_checked() {
    in_every_world(
        "what_was_lost_at_a_target_is_repaired_where_blobs_are_checked",
        |case, chance| {
            let spec = checked(&case.spec);
            let mut world = case.world.clone();
            let plan = planned(&world, &spec)?;
            world.apply(&plan, chance, &mut never);
            let places: BTreeSet<&Place> = targets(&spec).map(|target| &target.place).collect();
            for place in places {
                lose(&mut world, place, chance);
            }
            let plan = planned(&world, &spec)?;
            nothing_refused(&world.apply(&plan, chance, &mut never))?;
            nothing_left(&world, &spec)?;
            for root in roots(&spec, &case.world) {
                let place = &root.target.place;
                let held = world.at(place).expect("it was written");
                let missing = lacks(held, &root.digest);
                prop_assert!(missing.is_empty(), "{place} lacks {missing:?}");
                if let Some(tag) = &root.tag {
                    prop_assert_eq!(held.tags.get(tag), Some(&root.digest));
                }
                if root.mirror.referrers == Referrers::All {
                    let missing = world.unattached(root.source, place, &root.digest, Depth::Closure);
                    prop_assert!(
                        missing.is_empty(),
                        "{place} lacks attachments of {}: {missing:?}",
                        root.digest
                    );
                }
            }
            Ok(())
        },
    );
}

/// Takes some manifests with their tags, and some blobs, out of a repository.
fn lose(world: &mut World, place: &Place, chance: u64) {
    let held = world.at_mut(place);
    let stays = |digest: &Digest| !hash((chance, place, digest)).is_multiple_of(4);
    held.manifests.retain(|digest, _| stays(digest));
    held.blobs.retain(|digest, _| stays(digest));
    let manifests = held.manifests.clone();
    held.tags.retain(|_, digest| manifests.contains_key(digest));
}

#[test]
fn what_verify_looks_for_stands_after_a_plan_was_applied() {
    in_every_world(
        "what_verify_looks_for_stands_after_a_plan_was_applied",
        |case, chance| {
            let spec = checked(&case.spec);
            let mut world = case.world.clone();
            let plan = planned(&world, &spec)?;
            world.apply(&plan, chance, &mut never);
            let capabilities = world.capabilities();
            let closure = planner::closure(&spec, &capabilities, &world.survey(&spec, &capabilities));
            for root in roots(&spec, &case.world) {
                let place = &root.target.place;
                let contents = closure.get(place);
                prop_assert!(contents.is_some(), "{place} is not looked at");
                let contents = contents.expect("it was just seen");
                prop_assert!(
                    contents.manifests.contains(&root.digest),
                    "{} is not looked for",
                    root.digest
                );
                if let Some(tag) = &root.tag {
                    prop_assert_eq!(contents.tags.get(tag), Some(&root.digest));
                }
            }
            for (place, contents) in closure {
                let held = world
                    .at(&place)
                    .expect("a place that something belongs to exists");
                for digest in &contents.manifests {
                    prop_assert!(
                        held.manifests.contains_key(digest),
                        "{place} lacks the manifest {digest}"
                    );
                }
                for (digest, size) in &contents.blobs {
                    prop_assert_eq!(held.blobs.get(digest), Some(size), "{} lacks {}", place, digest);
                }
            }
            Ok(())
        },
    );
}

#[test]
fn a_source_that_may_not_be_read_keeps_nothing_else_from_landing() {
    in_every_world(
        "a_source_that_may_not_be_read_keeps_nothing_else_from_landing",
        |case, chance| {
            let sources = case.spec.mirrors.iter().flat_map(|mirror| &mirror.sources);
            let closed = sources
                .map(|source| source.place.clone())
                .max()
                .expect("every mirror has a source");
            let mut world = case.world.clone();
            let registry = world
                .registries
                .get_mut(&closed.registry)
                .expect("the sources exist");
            registry.unreadable.insert(closed.repository.clone());
            let mut without = case.spec.clone();
            for mirror in &mut without.mirrors {
                mirror.sources.retain(|source| source.place != closed);
            }
            let plan = planned(&world, &case.spec)?;
            prop_assert!(
                plan.blocked
                    .iter()
                    .any(|problem| problem.registry == closed.registry)
            );
            nothing_refused(&world.apply(&plan, chance, &mut never))?;
            all_is_there(&case.world, &world, &without)?;
            nothing_left(&world, &without)
        },
    );
}
