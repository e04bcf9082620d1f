//! Manifests that are selected by their digests, beside tags and alone.

use std::collections::BTreeSet;

use oci::{Descriptor, Digest};
use planner::config::{Conditions, TagSet};
use planner::spec::{Mirror, Target};
use planner::{OpKind, Plan, Spec};
use testkit::image::{Content, Family};
use testkit::world::{Options, Untagged, World, mirror, place, tag};
use transship_planner as planner;

fn image(content: &mut Content, seed: u64) -> Descriptor {
    let layer = content.layer(Family::Oci, seed, 100);
    content.image(Family::Oci, "linux/amd64", &[layer])
}

/// Images of which some have tags and one has a signature, and their digests.
fn world() -> (World, Vec<Digest>) {
    let mut digests = Vec::new();
    let world = World::new()
        .registry("hub", Options::default())
        .registry("site", Options::default())
        .holds("hub/app", |content| {
            for seed in 1..=3 {
                let image = image(content, seed);
                digests.push(image.digest.clone());
                if seed == 1 {
                    content.tag("v1", &image);
                    content.cosign(&image);
                }
            }
        });
    (world, digests)
}

fn of_digests<'d>(digests: impl IntoIterator<Item = &'d Digest>) -> Conditions {
    Conditions {
        digests: Some(digests.into_iter().cloned().collect()),
        ..Conditions::default()
    }
}

fn spec(world: &World, sets: impl IntoIterator<Item = Conditions>, to: Option<&str>) -> Spec {
    let sets = sets.into_iter().map(|set| TagSet::new(set).expect("it compiles"));
    let mut mirror = Mirror {
        tags: sets.collect(),
        ..mirror("hub/app", &[])
    };
    mirror.sources[0].targets = vec![Target {
        place: place("site/app"),
        tag: to.map(str::to_owned),
    }];
    world.spec(vec![mirror])
}

fn apply(world: &mut World, plan: &Plan) {
    plan.check().expect("the plan keeps its rules");
    let applied = world.apply(plan, 1, &mut |_, _| false);
    assert!(applied.violations.is_empty(), "{:?}", applied.violations);
}

#[test]
fn digests_land_untagged_with_what_is_attached_to_them() {
    let (mut world, digests) = world();
    let spec = spec(&world, [of_digests(&digests[..2])], None);
    let plan = world.plan(&spec);
    assert_eq!(plan.blocked, []);
    // Tags are counted, and these have none; cosign's tag is an attachment.
    let tags = &plan.summary.tags;
    assert_eq!((tags.create, tags.update, tags.unchanged), (0, 0, 0));
    apply(&mut world, &plan);
    let there = world.at(&place("site/app")).expect("it stands").clone();
    assert!(
        digests[..2]
            .iter()
            .all(|digest| there.manifests.contains_key(digest))
    );
    assert!(!there.manifests.contains_key(&digests[2]));
    let tags: Vec<String> = there.tags.keys().map(ToString::to_string).collect();
    assert_eq!(tags, [format!("sha256-{}.sig", digests[0].hex())]);
    assert!(world.plan(&spec).ops.is_empty(), "a second plan is empty");
}

/// As docker-registry has it: the tags of a repository without any are a 404.
#[test]
fn a_repository_without_a_tag_is_found_though_it_is_not_listed() {
    let (world, digests) = world();
    let hidden = Options {
        untagged: Untagged::Absent,
        ..Options::default()
    };
    let mut world = world.registry("site", hidden);
    let spec = spec(&world, [of_digests(&digests[1..])], None);
    let plan = world.plan(&spec);
    assert!(!plan.ops.is_empty());
    apply(&mut world, &plan);
    assert!(world.plan(&spec).ops.is_empty(), "a second plan is empty");
}

#[test]
fn what_a_set_of_digests_does_is_what_pins_do() {
    let (world, digests) = world();
    let by_set = world.plan(&spec(&world, [of_digests(&digests)], None));
    let mut pins = mirror("hub/app", &["site/app"]);
    let source = pins.sources.remove(0);
    pins.sources = digests
        .iter()
        .map(|digest| planner::spec::Source {
            pinned: Some(planner::spec::Pinned {
                tag: None,
                digest: Some(digest.clone()),
            }),
            ..source.clone()
        })
        .collect();
    let by_pins = world.plan(&world.spec(vec![pins]));
    assert_eq!(by_set.to_json(), by_pins.to_json());
}

#[test]
fn every_digest_must_exist_and_one_that_does_not_stops_nothing_else() {
    let (world, digests) = world();
    let missing = Digest::sha256(b"missing");
    let plan = world.plan(&spec(&world, [of_digests([&digests[0], &missing])], None));
    assert_eq!(plan.blocked.len(), 1);
    let problem = &plan.blocked[0];
    assert_eq!(problem.error, format!("the manifest {missing} does not exist"));
    assert_eq!((problem.kind, problem.tags), (planner::ProblemKind::NotFound, 1));
    let put: BTreeSet<&Digest> = plan
        .ops
        .iter()
        .filter(|op| op.kind == OpKind::PutManifest)
        .filter_map(|op| op.digest.as_ref())
        .collect();
    assert!(put.contains(&digests[0]));
}

#[test]
fn beside_a_set_of_tags_only_tags_are_renamed() {
    let (mut world, digests) = world();
    let listed = Conditions {
        list: Some([tag("v1")].into()),
        ..Conditions::default()
    };
    let spec = spec(&world, [of_digests(&digests[1..2]), listed], Some("{tag}-mirror"));
    let plan = world.plan(&spec);
    assert_eq!(plan.blocked, []);
    assert_eq!(plan.summary.tags.create, 1);
    apply(&mut world, &plan);
    let there = world.at(&place("site/app")).expect("it stands");
    assert_eq!(there.tags[&tag("v1-mirror")], digests[0]);
    assert!(there.manifests.contains_key(&digests[1]));
}

#[test]
fn a_digest_that_a_tag_brings_too_lands_once() {
    let (mut world, digests) = world();
    let listed = Conditions {
        list: Some([tag("v1")].into()),
        ..Conditions::default()
    };
    let spec = spec(&world, [of_digests(&digests[..1]), listed], None);
    let plan = world.plan(&spec);
    apply(&mut world, &plan);
    let there = world.at(&place("site/app")).expect("it stands");
    assert_eq!(there.tags[&tag("v1")], digests[0]);
    assert!(world.plan(&spec).ops.is_empty());
}

#[test]
fn a_digest_that_stands_at_another_source_alone_is_missing_at_this_one() {
    let (world, digests) = world();
    let world = world.holds("hub/other", |content| {
        let image = image(content, 9);
        content.tag("v9", &image);
    });
    let mut spec = spec(&world, [of_digests(&digests[1..2])], None);
    let mut other = spec.mirrors[0].clone();
    other.name = "other".to_owned();
    other.sources[0].place = place("hub/other");
    other.sources[0].targets[0].place = place("site/other");
    spec.mirrors.insert(0, other);
    let plan = world.plan(&spec);
    assert_eq!(plan.blocked.len(), 1, "{:?}", plan.blocked);
    assert_eq!(plan.blocked[0].repository, Some(place("hub/other").repository));
    let places: Vec<_> = plan
        .ops
        .iter()
        .flat_map(|op| &op.at)
        .map(planner::OpPlace::place)
        .collect();
    assert!(places.iter().all(|at| *at == place("site/app")), "{places:?}");
    for mirror in &mut spec.mirrors {
        mirror.tags.clear();
        mirror.sources[0].pinned = Some(planner::spec::Pinned {
            tag: None,
            digest: Some(digests[1].clone()),
        });
    }
    let pinned = world.plan(&spec);
    assert_eq!((pinned.ops, pinned.blocked.len()), (plan.ops, 1));
}

#[test]
fn a_source_that_has_no_tags_gives_what_is_named_by_digest() {
    let untagged = Options {
        untagged: Untagged::Absent,
        ..Options::default()
    };
    let mut digests = Vec::new();
    let world = World::new()
        .registry("hub", untagged)
        .registry("site", Options::default())
        .holds("hub/app", |content| digests.push(image(content, 1).digest));
    let spec = spec(&world, [of_digests(&digests)], None);
    let plan = world.plan(&spec);
    assert_eq!(plan.blocked, []);
    assert_eq!(plan.summary.blobs.upload, 2);
}
