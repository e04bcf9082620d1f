//! What holds in every world, tried in thousands of random ones.
//!
//! `TRANSSHIP_WORLDS` says how many, `TRANSSHIP_SEED` which; a failure prints both and the smallest world that fails.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use oci::{AttachmentTag, Digest, ManifestReference, Tag};
use planner::plan::{Expect, Op, OpPlace};
use planner::spec::{Check, Mirror, OnChange, Referrers, Source, Target};
use planner::{Answer, Creation, MountRule, OpKind, Place, Plan, Question, RegistryName, Spec, Survey};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use testkit::world::random::{Case, at_target, recipe};
use testkit::world::{Applied, Depth, Outcome, ReferrersApi, State, World};
use transship_planner as planner;

/// How many properties share the worlds.
const PROPERTIES: u32 = 5;

type Verdict = Result<(), TestCaseError>;

/// Tries a property in its share of the worlds.
fn in_every_world(name: &str, property: impl Fn(&Case, u64) -> Verdict) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let usual = if std::env::var_os("CI").is_some() {
        10_000
    } else {
        2_000
    };
    let worlds = number("TRANSSHIP_WORLDS").unwrap_or(usual);
    let seed = number("TRANSSHIP_SEED").unwrap_or(1);
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes[8..16].copy_from_slice(&hash(name).to_le_bytes());
    let config = Config {
        cases: u32::try_from(worlds)
            .expect("a number of worlds")
            .div_ceil(PROPERTIES),
        failure_persistence: None,
        max_shrink_iters: 4_000,
        ..Config::default()
    };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let outcome = runner.run(&(recipe(), any::<u64>()), |(recipe, chance)| {
        property(&recipe.cook(), chance)
    });
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(reason, (recipe, chance))) => panic!(
            "{name}, TRANSSHIP_SEED={seed} TRANSSHIP_WORLDS={worlds}: {reason}\nchance {chance}\n{recipe:#?}\n{}",
            described(&recipe.cook())
        ),
        Err(TestError::Abort(reason)) => panic!("{name}: {reason}"),
    }
}

/// The world in words.
fn described(case: &Case) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    for (name, registry) in &case.world.registries {
        let _ = writeln!(text, "{name}: {:?}", registry.options);
        for (repository, held) in &registry.repositories {
            let _ = writeln!(text, "  {repository}");
            for (digest, manifest) in &held.manifests {
                let named: Vec<String> = manifest
                    .children()
                    .chain(manifest.blobs())
                    .map(|named| named.digest.short())
                    .collect();
                let subject = manifest.subject().map(|subject| subject.digest.short());
                let _ = writeln!(
                    text,
                    "    {} names {named:?}, subject {subject:?}",
                    digest.short()
                );
            }
            for (tag, digest) in &held.tags {
                let _ = writeln!(text, "    {tag} -> {}", digest.short());
            }
        }
    }
    for mirror in &case.spec.mirrors {
        let _ = writeln!(text, "{mirror:#?}");
    }
    let _ = writeln!(text, "{}", case.world.plan(&case.spec).to_json());
    text
}

fn hash(what: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}

/// Some ops fail at some places, by chance alone.
fn by_chance(chance: u64) -> impl FnMut(&Op, &OpPlace) -> bool {
    let one_in = [2, 4, 16][usize::try_from(chance % 3).expect("it is small")];
    move |op, at| hash((chance, &op.id, at.place())).is_multiple_of(one_in)
}

fn never(_: &Op, _: &OpPlace) -> bool {
    false
}

/// One root at one place.
#[derive(Debug)]
struct Root<'a> {
    mirror: &'a Mirror,
    source: &'a Place,
    target: &'a Target,
    tag: Option<Tag>,
    digest: Digest,
    /// What stands at the tag.
    stands: Option<Digest>,
}

impl Root<'_> {
    fn is_kept(&self) -> bool {
        let differs = self.stands.as_ref().is_some_and(|stands| *stands != self.digest);
        differs && self.mirror.on_change == OnChange::Keep
    }
}

/// What the mirrors select; of several that want the same tag at one place, the first decides.
fn roots<'a>(spec: &'a Spec, world: &World) -> Vec<Root<'a>> {
    let mut roots: Vec<Root<'a>> = Vec::new();
    for mirror in &spec.mirrors {
        for source in &mirror.sources {
            for (tag, digest) in selected(source, world) {
                for target in &source.targets {
                    let tag = tag.as_ref().map(|tag| at_target(target, tag));
                    let taken = |other: &Root<'_>| other.target.place == target.place && other.tag == tag;
                    if tag.is_some() && roots.iter().any(taken) {
                        continue;
                    }
                    let held = world.at(&target.place);
                    let stands = held.and_then(|held| held.tags.get(tag.as_ref()?)).cloned();
                    let (source, digest) = (&source.place, digest.clone());
                    roots.push(Root {
                        mirror,
                        source,
                        target,
                        tag,
                        digest,
                        stands,
                    });
                }
            }
        }
    }
    roots
}

fn selected(source: &Source, world: &World) -> Vec<(Option<Tag>, Digest)> {
    let held = world.at(&source.place).expect("the sources exist");
    match &source.pinned {
        Some(pinned) => {
            let by_tag = || held.tags[pinned.tag.as_ref().expect("a pin has a tag or a digest")].clone();
            vec![(pinned.tag.clone(), pinned.digest.clone().unwrap_or_else(by_tag))]
        }
        None => held
            .tags
            .iter()
            .filter(|(tag, _)| AttachmentTag::scheme(tag).is_none())
            .map(|(tag, digest)| (Some(tag.clone()), digest.clone()))
            .collect(),
    }
}

/// Everything that is wanted stands: tags, manifests with all they name, attachments.
fn all_is_there(before: &World, after: &World, spec: &Spec) -> Verdict {
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
fn planned(world: &World, spec: &Spec) -> Result<Plan, TestCaseError> {
    let plan = world.plan(spec);
    match plan.check() {
        Ok(()) => Ok(plan),
        Err(error) => Err(TestCaseError::fail(format!("{error}: {}", plan.to_json()))),
    }
}

fn is_consistent(world: &World) -> Verdict {
    let found = world.inconsistencies();
    prop_assert!(found.is_empty(), "inconsistent: {found:?}");
    Ok(())
}

fn nothing_refused(applied: &Applied) -> Verdict {
    prop_assert!(applied.violations.is_empty(), "refused: {:?}", applied.violations);
    Ok(())
}

fn nothing_left(world: &World, spec: &Spec) -> Verdict {
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
        let blobs = manifest.into_iter().flat_map(|manifest| manifest.blobs());
        let blobs = blobs.filter(|blob| held.is_some_and(|held| held.blobs.contains_key(&blob.digest)));
        proven.extend(blobs.map(|blob| (place.registry.clone(), blob.digest.clone())));
        if let (Question::Blob(_, digest), Answer::Blob(true)) = (question, answer) {
            proven.insert((place.registry.clone(), digest.clone()));
        }
    }
    proven
}

/// No blob is read twice, sent twice to a registry that mounts, or sent where it is known to stand.
fn nothing_moves_twice(world: &World, survey: &Survey, applied: &Applied) -> Verdict {
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

#[test]
fn every_plan_keeps_its_rules_and_its_bytes() {
    in_every_world("every_plan_keeps_its_rules_and_its_bytes", |case, _| {
        let plan = planned(&case.world, &case.spec)?;
        prop_assert!(plan.check().is_ok(), "{:?}\n{}", plan.check(), plan.to_json());
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
        let quiet = plan.text() == "No changes. Every target matches.\n";
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

/// All tags stand at the same digests; fallback tags name the same, in any order.
///
/// Where a registry turns out to have the referrers API only once a repository exists, a fallback tag may be made or not.
fn same_tags(one: &World, other: &World, spec: &Spec) -> Verdict {
    let places: BTreeSet<&Place> = targets(spec).map(|target| &target.place).collect();
    for place in places {
        let told = |world: &World| -> BTreeMap<Tag, BTreeSet<Digest>> {
            let held = world.at(place).cloned().unwrap_or_default();
            let named = |tag: &Tag, digest: &Digest| match AttachmentTag::scheme(tag) {
                Some(AttachmentTag::Fallback) => held.manifests[digest]
                    .children()
                    .map(|child| child.digest.clone())
                    .collect(),
                _ => BTreeSet::from([digest.clone()]),
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

fn has_referrers_api(world: &World, place: &Place) -> bool {
    let referrers = world.registries[&place.registry].options.referrers;
    matches!(referrers, ReferrersApi::Announced | ReferrersApi::Present)
}

/// Fallback tags are copied, and made only where they are needed.
fn no_fallback_is_made_in_vain(before: &World, after: &World, spec: &Spec) -> Verdict {
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

fn targets(spec: &Spec) -> impl Iterator<Item = &Target> {
    spec.mirrors
        .iter()
        .flat_map(|mirror| &mirror.sources)
        .flat_map(|source| &source.targets)
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
    let made = testkit::world::ModelRepository::from(&content);
    let held = world.at_mut(place);
    held.blobs.extend(made.blobs);
    held.manifests.extend(made.manifests);
    held.tags.insert(tag.clone(), artifact.digest.clone());
    artifact.digest
}
