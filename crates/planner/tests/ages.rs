//! When images were made, and what is asked to learn that.

use std::collections::BTreeSet;

use oci::{Descriptor, MediaType};
use planner::config::{Conditions, Latest, TagSet};
use planner::spec::Mirror;
use planner::{Answer, Moment, Plan, Problem, Question, Spec, Survey};
use serde_json::json;
use testkit::image::{Content, Family};
use testkit::world::{Inventories, Options, World, mirror, place};
use transship_planner as planner;

const NEW: &str = "2024-03-01T00:00:00Z";
const OLD: &str = "2020-03-01T00:00:00Z";

fn now() -> Moment {
    "2024-03-31T00:00:00Z".parse().expect("it is a moment")
}

/// A source that lists as `options` say, and a target.
fn world(options: Options) -> World {
    World {
        now: now(),
        ..World::new()
    }
    .registry("hub", options)
    .registry("site", Options::default())
}

fn within(age: &str) -> Conditions {
    Conditions {
        created_within: Some(age.parse().expect("an age")),
        ..Conditions::default()
    }
}

fn spec(world: &World, conditions: Conditions) -> Spec {
    world.spec(vec![Mirror {
        tags: vec![TagSet::new(conditions).expect("they compile")],
        ..mirror("hub/app", &["site/app"])
    }])
}

fn created_tags(plan: &Plan) -> Vec<String> {
    let tags = plan.ops.iter().filter_map(|op| op.tag.as_ref());
    tags.map(ToString::to_string).collect()
}

/// Asks until nothing is left to ask, and returns the rounds too.
fn rounds(world: &World, spec: &Spec) -> (Survey, Vec<Vec<Question>>) {
    let capabilities = world.capabilities();
    let mut survey = Survey::at(world.now);
    let mut rounds = Vec::new();
    loop {
        let questions = planner::questions(spec, &capabilities, &survey);
        if questions.is_empty() {
            return (survey, rounds);
        }
        for question in &questions {
            survey.record(question.clone(), world.answer(question));
        }
        rounds.push(questions);
    }
}

/// The questions of a kind that were put to the source.
fn asked(world: &World, spec: &Spec, kind: fn(&Question) -> bool) -> usize {
    let (_, rounds) = rounds(world, spec);
    let hub = |question: &&Question| question.place().registry.as_str() == "hub" && kind(question);
    rounds.iter().flatten().filter(hub).count()
}

fn is_config(question: &Question) -> bool {
    matches!(question, Question::Config(..))
}

fn is_manifest(question: &Question) -> bool {
    matches!(question, Question::Get(..) | Question::Read(..))
}

fn image(content: &mut Content, seed: u64, platform: &str, created: &str) -> Descriptor {
    let layer = content.layer(Family::Oci, seed, 100);
    content.image_created(Family::Oci, platform, created, &[layer])
}

fn annotated(content: &mut Content, created: &str, mut document: serde_json::Value) -> Descriptor {
    document["schemaVersion"] = 2.into();
    document["annotations"] = json!({ "org.opencontainers.image.created": created });
    let media_type = match document.get("manifests") {
        Some(_) => MediaType::OCI_INDEX,
        None => MediaType::OCI_MANIFEST,
    };
    content.manifest(media_type, &document)
}

/// A manifest without a time of its own whose config tells none either.
fn silent(content: &mut Content, seed: u64) -> Descriptor {
    let layer = content.layer(Family::Oci, seed, 100);
    content.image(Family::Oci, "linux/amd64", &[layer])
}

#[test]
fn an_image_is_as_old_as_its_config_says_then_as_its_annotation_says() {
    let world = world(Options::default()).holds("hub/app", |content| {
        for (seed, (tag, created)) in (1..).zip([
            ("new", NEW),
            ("old", OLD),
            ("zero", "0001-01-01T00:00:00Z"),
            ("epoch", "1970-01-01T00:00:00Z"),
            ("edge", "2024-01-01T00:00:00Z"),
            ("over", "2023-12-31T23:59:59Z"),
            ("future", "2030-01-01T00:00:00Z"),
            ("ahead", "2024-01-01T01:30:00+01:30"),
            ("broken", "yesterday"),
        ]) {
            let image = image(content, seed, "linux/amd64", created);
            content.tag(tag, &image);
        }
        let layer = content.layer(Family::Oci, 50, 10);
        let bare = content.blob(MediaType::OCI_CONFIG, "{}");
        let told = content.blob(MediaType::OCI_CONFIG, format!(r#"{{"created":"{OLD}"}}"#));
        let chart = content.blob(
            MediaType::new("application/vnd.cncf.helm.config.v1+json"),
            format!(r#"{{"created":"{OLD}"}}"#),
        );
        for (tag, config) in [("noted", &bare), ("config-first", &told), ("chart", &chart)] {
            let image = annotated(content, NEW, json!({ "config": config, "layers": [layer] }));
            content.tag(tag, &image);
        }
        let image = silent(content, 60);
        content.tag("silent", &image);
    });
    let spec = spec(&world, within("90d"));
    let plan = world.plan(&spec);
    let tags: BTreeSet<String> = created_tags(&plan).into_iter().collect();
    assert_eq!(
        tags.into_iter().collect::<Vec<_>>(),
        ["ahead", "chart", "edge", "future", "new", "noted"]
    );
    insta::assert_snapshot!(plan.notes[0].text, @"nothing tells when 2 tags were made, broken among them; `created_within` leaves them out");
    assert_eq!(plan.blocked, []);
    // What is no image has no config that tells.
    assert_eq!(asked(&world, &spec, is_config), 12);
}

/// An index, one of whose images is made by each of `created`, with an attestation and a child that is gone.
fn index(content: &mut Content, seed: u64, created: &[&str]) -> Descriptor {
    let mut children: Vec<Descriptor> = (seed..)
        .zip(created)
        .map(|(seed, created)| image(content, seed, "linux/amd64", created))
        .collect();
    let mut attestation = image(content, seed + 8, "linux/amd64", NEW);
    attestation.platform = Some("unknown/unknown".parse().expect("a platform"));
    children.insert(0, attestation);
    let gone = Descriptor::new(MediaType::OCI_MANIFEST, oci::Digest::sha256(b"gone"), 10);
    children.push(gone);
    content.index(Family::Oci, &children)
}

#[test]
fn an_index_is_as_old_as_it_says_then_as_the_newest_of_its_images() {
    let world = world(Options::default()).holds("hub/app", |content| {
        for (seed, (tag, created)) in (1..).zip([
            ("first", &[NEW, OLD][..]),
            ("second", &[OLD, NEW]),
            ("none", &[OLD, OLD]),
            ("only-attested", &[]),
        ]) {
            let index = index(content, seed * 10, created);
            content.tag(tag, &index);
        }
        let old = image(content, 100, "linux/amd64", OLD);
        let new = annotated(content, NEW, json!({ "manifests": [old] }));
        content.tag("noted", &new);
        let new = image(content, 101, "linux/amd64", NEW);
        let inner = content.index(Family::Oci, &[new.clone(), new]);
        let outer = content.index(Family::Oci, &[inner]);
        content.tag("nested", &outer);
        let old = annotated(content, OLD, json!({ "manifests": [outer] }));
        content.tag("noted-old", &old);
    });
    let conditions = Conditions {
        at_least: Some(0),
        ..within("90d")
    };
    let (survey, _) = rounds(&world, &spec(&world, conditions.clone()));
    let plan = planner::plan(&spec(&world, conditions), &world.capabilities(), &survey);
    let mut tags: Vec<_> = created_tags(&plan);
    // An index that names what is gone is young, and can't be copied.
    tags.extend(
        plan.blocked
            .iter()
            .filter_map(|problem| problem.tag.as_ref().map(ToString::to_string)),
    );
    tags.sort();
    assert_eq!(tags, ["first", "nested", "noted", "second"]);
    let notes: Vec<&str> = plan.notes.iter().map(|note| note.text.as_str()).collect();
    assert_eq!(
        notes,
        ["nothing tells when only-attested was made; `created_within` leaves it out"]
    );
}

#[test]
fn one_young_image_of_an_index_is_enough() {
    let world = world(Options::default()).holds("hub/app", |content| {
        let images: Vec<_> = (0..8)
            .map(|seed| image(content, seed, "linux/amd64", NEW))
            .collect();
        let index = content.index(Family::Oci, &images);
        content.tag("v1", &index);
    });
    assert_eq!(asked(&world, &spec(&world, within("90d")), is_config), 1);
    let old = world.now;
    let later = World {
        now: Moment::from_seconds(253_402_300_799),
        ..world
    };
    assert!(later.now > old);
    assert_eq!(asked(&later, &spec(&later, within("90d")), is_config), 8);
}

/// So many versions; those below `old` are old.
fn versions(count: u64, old: u64) -> impl FnOnce(&mut Content) {
    move |content| {
        for version in 0..count {
            let created = if version < old { OLD } else { NEW };
            let image = image(content, version, "linux/amd64", created);
            content.tag(&format!("1.{version}"), &image);
        }
    }
}

#[test]
fn the_newest_versions_alone_are_looked_at_and_nothing_is_read_twice() {
    let latest = Conditions {
        latest: Some(Latest::Versions(3)),
        ..within("90d")
    };
    let world = world(Options::default()).holds("hub/app", versions(500, 490));
    let spec = spec(&world, latest);
    let tags = created_tags(&world.plan(&spec));
    assert_eq!(tags, ["1.497", "1.498", "1.499"]);
    assert_eq!(asked(&world, &spec, is_config), 3);
    assert_eq!(
        asked(&world, &spec, is_manifest),
        3,
        "to learn its age and to copy it"
    );
}

#[test]
fn an_inventory_saves_the_question_what_a_tag_stands_at() {
    let listed = Options {
        inventory: Inventories::Told,
        ..Options::default()
    };
    let world = world(listed).holds("hub/app", versions(20, 10));
    let spec = spec(&world, within("90d"));
    assert_eq!(created_tags(&world.plan(&spec)).len(), 10);
    let is_head = |question: &Question| matches!(question, Question::Head(..) | Question::Tags(_));
    assert_eq!(asked(&world, &spec, is_head), 0);
    assert_eq!(asked(&world, &spec, is_config), 20);
}

#[test]
fn many_old_versions_are_looked_at_in_few_rounds() {
    let world = world(Options::default()).holds("hub/app", versions(300, 300));
    let conditions = Conditions {
        latest: Some(Latest::Versions(1)),
        ..within("90d")
    };
    let spec = spec(&world, conditions);
    let (survey, rounds) = rounds(&world, &spec);
    assert!(rounds.len() <= 3 * 10, "{} rounds", rounds.len());
    let plan = planner::plan(&spec, &world.capabilities(), &survey);
    insta::assert_snapshot!(plan.blocked[0].error, @"0 of 300 tags match, at least 1 must");
}

#[test]
fn a_plan_depends_on_the_moment_and_on_nothing_else_of_time() {
    let world = world(Options::default()).holds("hub/app", versions(6, 3));
    let spec = spec(&world, within("90d"));
    assert_eq!(world.plan(&spec).to_json(), world.plan(&spec).to_json());
    let later = World {
        now: "2030-01-01T00:00:00Z".parse().expect("it is a moment"),
        ..world.clone()
    };
    assert_eq!(created_tags(&later.plan(&spec)), Vec::<String>::new());
    assert_eq!(world.plan(&spec).config, later.plan(&spec).config);
}

#[test]
fn a_config_beyond_bounds_and_one_that_can_not_be_read_block_their_tag_alone() {
    let mut world = world(Options::default()).holds("hub/app", versions(2, 0));
    let (mut huge, mut lost) = (None, None);
    world = world.holds("hub/app", |content| {
        let layer = content.layer(Family::Oci, 70, 10);
        let config = content.blob(MediaType::OCI_CONFIG, vec![b' '; (4 << 20) + 1]);
        let image = content.image_of(Family::Oci, &config, &[layer]);
        content.tag("1.8", &image);
        huge = Some(config.digest);
        let image = self::image(content, 71, "linux/amd64", NEW);
        content.tag("1.9", &image);
        lost = Some(image.digest);
    });
    let spec = spec(
        &world,
        Conditions {
            latest: Some(Latest::Versions(3)),
            ..within("90d")
        },
    );
    let capabilities = world.capabilities();
    let mut survey = Survey::at(world.now);
    loop {
        let questions = planner::questions(&spec, &capabilities, &survey);
        if questions.is_empty() {
            break;
        }
        for question in questions {
            let answer: Result<Answer, Problem> = match (&question, world.answer(&question)) {
                (Question::Config(place, digest, size), _) if *size > 4 << 20 => {
                    panic!("{digest} at {place} is too large to ask for")
                }
                (Question::Read(place, digest), _) if Some(digest) == lost.as_ref() => Err(Problem {
                    registry: place.registry.clone(),
                    repository: Some(place.repository.clone()),
                    tag: None,
                    side: planner::Side::Source,
                    kind: planner::ProblemKind::Permission,
                    error: "pull is denied".to_owned(),
                    hint: None,
                    tags: 0,
                }),
                (_, answer) => answer,
            };
            survey.record(question, answer);
        }
    }
    let plan = planner::plan(&spec, &capabilities, &survey);
    let blocked: Vec<String> = plan
        .blocked
        .iter()
        .map(|problem| {
            let tag = problem.tag.as_ref().expect("a tag is concerned");
            format!("{tag}: {} ({})", problem.error, problem.tags)
        })
        .collect();
    let huge = huge.expect("it was made");
    assert_eq!(
        blocked,
        [
            format!("1.8: the config {huge} has 4194305 bytes; no more than 4194304 are read (1)"),
            "1.9: pull is denied (1)".to_owned(),
        ]
    );
    // Both keep their places among the newest three.
    assert_eq!(created_tags(&plan), ["1.1"]);
}

#[test]
fn a_tag_that_another_set_takes_is_copied_whatever_its_age() {
    let world = world(Options::default()).holds("hub/app", versions(4, 3));
    let listed = Conditions {
        list: Some(["1.0".parse().expect("a tag")].into()),
        ..Conditions::default()
    };
    let sets = [within("90d"), listed].map(|set| TagSet::new(set).expect("it compiles"));
    let spec = world.spec(vec![Mirror {
        tags: sets.into(),
        ..mirror("hub/app", &["site/app"])
    }]);
    assert_eq!(created_tags(&world.plan(&spec)), ["1.0", "1.3"]);
}

#[test]
fn what_stands_already_is_unchanged_and_a_tag_that_grew_old_stays_where_it_is() {
    let mut world = world(Options::default()).holds("hub/app", versions(4, 2));
    let spec = spec(&world, within("90d"));
    let plan = world.plan(&spec);
    let applied = world.apply(&plan, 1, &mut |_, _| false);
    assert!(applied.violations.is_empty(), "{:?}", applied.violations);
    let plan = world.plan(&spec);
    assert_eq!((plan.ops.len(), plan.summary.tags.unchanged), (0, 2));
    world.now = "2030-01-01T00:00:00Z".parse().expect("it is a moment");
    let plan = world.plan(&spec);
    assert_eq!((plan.ops.len(), plan.summary.tags.unchanged), (0, 0));
    assert_eq!(world.at(&place("site/app")).expect("it stands").tags.len(), 2);
}
