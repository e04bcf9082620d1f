//! What vendors add: repositories above images, settings that drift, tags that can't be moved, inventories, imports.

use oci::Descriptor;
use planner::{
    Change, Creation, Drift, Immutable, MountRule, OpKind, Plan, ProblemKind, Question, Spec, Standing,
};
use serde_json::json;
use testkit::image::{Content, Family};
use testkit::world::{Applied, Inventories, Options, ReferrersApi, World, mirror, place, tag};
use transship_planner as planner;

fn image(content: &mut Content, seed: u64) -> Descriptor {
    let layer = content.layer(Family::Oci, seed, 100);
    content.image(Family::Oci, "linux/amd64", &[layer])
}

fn google() -> Options {
    Options {
        creation: Creation::Call,
        depth: Some(2),
        ..Options::default()
    }
}

/// A source with one image in each of two repositories.
fn hub(target: &Options) -> World {
    between(Options::default(), target)
}

fn between(source: Options, target: &Options) -> World {
    World::new()
        .registry("hub", source)
        .registry("gar", target.clone())
        .holds("hub/app", |content| {
            let image = image(content, 1);
            content.tag("v1", &image);
        })
        .holds("hub/api", |content| {
            let image = image(content, 2);
            content.tag("v1", &image);
        })
}

fn spec(world: &World, settings: serde_json::Value) -> Spec {
    let mut spec = world.spec(vec![
        mirror("hub/app", &["gar/project/base/app"]),
        mirror("hub/api", &["gar/project/base/api"]),
    ]);
    let registry = spec
        .registries
        .values_mut()
        .find(|registry| registry.connection.host.as_deref() == Some("gar"));
    registry.expect("it is wanted").connection.create_repositories = Some(settings);
    spec
}

fn apply(world: &mut World, plan: &Plan) -> Applied {
    plan.check().expect("a plan keeps its rules");
    let applied = world.apply(plan, 1, &mut |_, _| false);
    assert_eq!(applied.violations, Vec::<String>::new());
    applied
}

fn kinds(plan: &Plan) -> Vec<OpKind> {
    let mut kinds: Vec<OpKind> = plan.ops.iter().map(|op| op.kind).collect();
    kinds.dedup();
    kinds
}

fn standing(world: &mut World, standing: Standing) {
    let unit = place("gar/project/base");
    let gar = world.registries.get_mut(&unit.registry).expect("it was added");
    gar.units.insert(unit.repository, standing);
}

fn standing_at(world: &mut World, unit: &str) {
    let unit = place(unit);
    let registry = world.registries.get_mut(&unit.registry).expect("it was added");
    registry.units.insert(unit.repository, Standing::default());
}

fn drift(setting: &str, change: Change) -> Drift {
    Drift {
        setting: setting.to_owned(),
        found: "false".to_owned(),
        wanted: "true".to_owned(),
        change,
    }
}

#[test]
fn one_repository_is_made_for_all_images_in_it() {
    let mut world = hub(&google());
    let spec = spec(&world, json!({}));
    let plan = world.plan(&spec);
    assert_eq!(plan.summary.repositories.create, 1);
    assert!(
        plan.text().starts_with("+ gar/project/base (repository)\n"),
        "{}",
        plan.text()
    );
    apply(&mut world, &plan);
    assert_eq!(world.plan(&spec).ops, []);
}

#[test]
fn an_image_that_is_new_in_a_repository_that_stands_needs_no_call() {
    let mut world = hub(&google());
    standing(&mut world, Standing::default());
    let plan = world.plan(&spec(&world, json!({})));
    assert_eq!(plan.summary.repositories.create, 0);
    assert_eq!(plan.summary.tags.create, 2);
    apply(&mut world, &plan);
}

#[test]
fn where_nothing_is_to_be_created_an_absent_repository_is_blocked_and_one_that_stands_is_not() {
    let mut world = hub(&google());
    let plan = world.plan(&spec(&world, json!(false)));
    assert!(plan.ops.is_empty());
    assert!(
        plan.blocked
            .iter()
            .all(|problem| problem.kind == ProblemKind::NotFound)
    );
    assert!(!plan.blocked.is_empty());
    standing(&mut world, Standing::default());
    let plan = world.plan(&spec(&world, json!(false)));
    assert_eq!((plan.blocked.len(), plan.summary.tags.create), (0, 2));
}

#[test]
fn a_path_without_an_image_is_told() {
    let world = hub(&google());
    let spec = world.spec(vec![mirror("hub/app", &["gar/project/base"])]);
    let plan = world.plan(&spec);
    assert_eq!(plan.blocked[0].kind, ProblemKind::Policy);
    assert!(
        plan.blocked[0]
            .hint
            .as_deref()
            .unwrap()
            .contains("gar/project/base/{name}")
    );
}

#[test]
fn settings_that_drift_are_told_and_left() {
    let mut world = hub(&google());
    let drift = vec![
        drift("scan_on_push", Change::Possible),
        drift("kms_key", Change::Never),
    ];
    standing(
        &mut world,
        Standing {
            drift,
            ..Standing::default()
        },
    );
    let plan = world.plan(&spec(&world, json!({ "scan_on_push": true })));
    assert!(!kinds(&plan).contains(&OpKind::UpdateRepository));
    let told: Vec<&str> = plan.notes.iter().map(|note| note.text.as_str()).collect();
    assert_eq!(
        told,
        [
            "kms_key is false, and true in the configuration; only a new repository could have it",
            "scan_on_push is false, and true in the configuration; `on_drift: update` would change it",
        ]
    );
}

#[test]
fn settings_that_drift_are_changed_first_where_that_is_wanted() {
    let mut world = hub(&google());
    let drift = vec![
        drift("scan_on_push", Change::Possible),
        drift("kms_key", Change::Never),
    ];
    standing(
        &mut world,
        Standing {
            drift,
            ..Standing::default()
        },
    );
    let spec = spec(&world, json!({ "scan_on_push": true, "on_drift": "update" }));
    let plan = world.plan(&spec);
    assert_eq!(plan.ops[0].kind, OpKind::UpdateRepository);
    assert!(
        plan.text()
            .contains("~ gar/project/base (repository)  scan_on_push false -> true\n")
    );
    assert!(plan.text().contains("; 0 repositories to create, 1 to update; "));
    let settled = plan
        .ops
        .iter()
        .filter(|op| matches!(op.kind, OpKind::PutManifest | OpKind::PutTag));
    let waiting = settled.clone().all(|op| op.after_end.contains(&plan.ops[0].id));
    assert!(waiting && settled.count() > 0, "{plan:#?}");
    assert_eq!(plan.ops[0].settings, ["scan_on_push"]);
    apply(&mut world, &plan);
    let again = world.plan(&spec);
    assert_eq!(again.ops, []);
    assert_eq!(again.notes.len(), 1);
}

#[test]
fn a_repository_that_takes_nothing_is_told_with_its_reason() {
    let mut world = hub(&google());
    let refuses = Some("it is a remote repository".to_owned());
    standing(
        &mut world,
        Standing {
            refuses,
            ..Standing::default()
        },
    );
    let plan = world.plan(&spec(&world, json!({})));
    assert!(plan.ops.is_empty());
    assert_eq!(plan.blocked[0].error, "it is a remote repository");
}

/// The source's `v1` moved on; the target's repository does not let tags move, but for those that are excluded.
#[test]
fn a_tag_that_can_not_be_moved_is_blocked_before_anything_is_sent() {
    for (immutable, blocked) in [
        (Immutable::Except(Vec::new()), 2),
        (Immutable::Except(vec!["v*".to_owned()]), 0),
        (Immutable::Matching(vec!["v*".to_owned()]), 2),
        (Immutable::None, 0),
    ] {
        let mut world = hub(&google());
        standing(&mut world, Standing::default());
        let spec = spec(&world, json!({}));
        let plan = world.plan(&spec);
        apply(&mut world, &plan);
        for repository in ["app", "api"] {
            let mut content = Content::new();
            let image = image(&mut content, 7);
            content.tag("v1", &image);
            *world.at_mut(&place(&format!("hub/{repository}"))) = (&content).into();
        }
        standing(
            &mut world,
            Standing {
                immutable: immutable.clone(),
                ..Standing::default()
            },
        );
        let plan = world.plan(&spec);
        let kinds: Vec<ProblemKind> = plan.blocked.iter().map(|problem| problem.kind).collect();
        assert_eq!(kinds, vec![ProblemKind::Immutable; blocked], "{immutable:?}");
        assert_eq!(plan.summary.tags.update, 2 - blocked as u64);
        assert!(plan.blocked.iter().all(|problem| problem.tag == Some(tag("v1"))));
    }
}

fn listing(inventory: Inventories) -> Options {
    Options {
        inventory,
        referrers: ReferrersApi::Announced,
        ..Options::default()
    }
}

/// A hundred images, ten of them signed; all of them stand at the target.
fn mirrored(inventory: Inventories) -> (World, Spec) {
    let mut world = World::new()
        .registry("hub", listing(inventory))
        .registry("site", listing(inventory))
        .holds("hub/app", |content| {
            for seed in 0..100 {
                let image = image(content, seed);
                content.tag(&format!("v{seed}"), &image);
                if seed < 10 {
                    content.signature(&image);
                }
            }
        });
    let spec = world.spec(vec![mirror("hub/app", &["site/app"])]);
    let plan = world.plan(&spec);
    apply(&mut world, &plan);
    (world, spec)
}

fn questions(world: &World, spec: &Spec) -> Vec<Question> {
    let survey = world.survey(spec, &world.capabilities());
    survey.iter().map(|(question, _)| question.clone()).collect()
}

#[test]
fn an_inventory_that_tells_attachments_answers_everything() {
    let (world, spec) = mirrored(Inventories::Told);
    let asked = questions(&world, &spec);
    assert!(
        asked
            .iter()
            .all(|question| matches!(question, Question::Inventory(_))),
        "{asked:?}"
    );
    assert_eq!(asked.len(), 2);
    assert_eq!(world.plan(&spec).ops, []);
}

#[test]
fn an_inventory_that_does_not_is_completed_by_reading_what_no_tag_names() {
    let (world, spec) = mirrored(Inventories::Untold);
    let (listings, read): (Vec<Question>, Vec<Question>) = questions(&world, &spec)
        .into_iter()
        .partition(|question| matches!(question, Question::Inventory(_)));
    assert_eq!(listings.len(), 2);
    let signatures = 10;
    assert!(
        read.iter().all(|question| matches!(question, Question::Read(..))),
        "{read:?}"
    );
    // Both ends list the same signatures: their bytes are the same.
    assert!(
        (signatures..=2 * signatures).contains(&read.len()),
        "{}",
        read.len()
    );
    assert_eq!(world.plan(&spec).ops, []);
}

#[test]
fn where_reading_would_be_dearer_referrers_are_asked_for() {
    let (mut world, mut spec) = mirrored(Inventories::Untold);
    let pinned = planner::spec::Pinned {
        tag: Some(tag("v3")),
        digest: None,
    };
    spec.mirrors[0].sources[0].pinned = Some(pinned);
    let asked = questions(&world, &spec);
    let about: Vec<&Question> = asked
        .iter()
        .filter(|question| matches!(question, Question::Referrers(..)))
        .collect();
    // The image and, as something is attached to it, its signature. Whether that stands at the target its listing tells.
    assert_eq!(about.len(), 2, "{asked:?}");
    // And what they list is found: a late signature is copied.
    let subject = world.at(&place("hub/app")).unwrap().tags[&tag("v3")].clone();
    let signature = world.at(&place("hub/app")).unwrap().referrers(&subject)[0]
        .digest
        .clone();
    world.at_mut(&place("site/app")).manifests.remove(&signature);
    assert_eq!(world.plan(&spec).summary.attachments, 1);
}

#[test]
fn an_inventory_that_is_refused_costs_time_and_nothing_else() {
    let (world, spec) = mirrored(Inventories::Refused);
    let plan = world.plan(&spec);
    assert_eq!(plan.ops, []);
    let told = plan
        .notes
        .iter()
        .filter(|note| note.text == "asked tag by tag, which is slow: it is not listed");
    assert_eq!(told.count(), 2);
}

#[test]
fn relatives_mount_from_each_other() {
    let relative = Options {
        family: Some("relatives".to_owned()),
        ..Options::default()
    };
    let mut world = between(relative.clone(), &relative);
    let spec = world.spec(vec![mirror("hub/app", &["gar/app"])]);
    let plan = world.plan(&spec);
    assert_eq!((plan.summary.blobs.upload, plan.summary.blobs.mount), (0, 2));
    let origins = plan
        .ops
        .iter()
        .filter(|op| op.kind == OpKind::MountBlob)
        .flat_map(|op| &op.at);
    assert!(
        origins
            .map(|at| at.origin.as_ref())
            .all(|origin| origin.is_some_and(|name| name.as_str() == "hub"))
    );
    let applied = apply(&mut world, &plan);
    assert!(applied.sent.is_empty() && applied.declined.is_empty());
}

#[test]
fn one_repository_mounts_from_a_relative_and_the_others_from_it() {
    let relative = Options {
        family: Some("relatives".to_owned()),
        ..Options::default()
    };
    let mut world = between(relative.clone(), &relative);
    let spec = world.spec(vec![mirror("hub/app", &["gar/one", "gar/two", "gar/three"])]);
    let plan = world.plan(&spec);
    let mounts: Vec<_> = plan
        .ops
        .iter()
        .filter(|op| op.kind == OpKind::MountBlob)
        .collect();
    let across = mounts
        .iter()
        .flat_map(|op| &op.at)
        .filter(|at| at.origin.is_some());
    assert_eq!(across.count(), 2);
    assert_eq!(plan.summary.blobs.mount, 6);
    let within = mounts
        .iter()
        .filter(|op| op.at.iter().all(|at| at.origin.is_none()));
    assert!(within.clone().count() > 0 && within.clone().all(|op| !op.after_end.is_empty()));
    assert!(apply(&mut world, &plan).declined.is_empty());
}

#[test]
fn relatives_that_do_not_mount_are_sent_blobs() {
    let relative = Options {
        family: Some("relatives".to_owned()),
        mount: MountRule::Never,
        ..Options::default()
    };
    let world = between(relative.clone(), &relative);
    let plan = world.plan(&world.spec(vec![mirror("hub/app", &["gar/app"])]));
    assert_eq!((plan.summary.blobs.upload, plan.summary.blobs.mount), (2, 0));
}

#[test]
fn an_image_is_imported_whole_and_its_tag_follows() {
    let imports = Options {
        imports: Some(50),
        ..Options::default()
    };
    let mut world = hub(&imports);
    let spec = world.spec(vec![mirror("hub/app", &["gar/app"])]);
    let plan = world.plan(&spec);
    assert_eq!(kinds(&plan), [OpKind::ImportImage, OpKind::PutTag]);
    assert_eq!(plan.ops[1].after, [plan.ops[0].id.clone()]);
    assert!(
        plan.text()
            .contains("; 1 images to import; read 0 B, upload 0 B, mount 0 B"),
        "{}",
        plan.text()
    );
    apply(&mut world, &plan);
    assert_eq!(world.plan(&spec).ops, []);
}

#[test]
fn an_index_of_too_many_manifests_is_sent() {
    let imports = Options {
        imports: Some(2),
        ..Options::default()
    };
    let world = World::new()
        .registry("hub", Options::default())
        .registry("gar", imports)
        .holds("hub/app", |content| {
            let (one, other) = (image(content, 1), image(content, 2));
            let index = content.index(Family::Oci, &[one, other]);
            content.tag("v1", &index);
        });
    let plan = world.plan(&world.spec(vec![mirror("hub/app", &["gar/app"])]));
    assert!(!kinds(&plan).contains(&OpKind::ImportImage));
    assert!(plan.summary.bytes.upload > 0);
}

/// An SBOM with a tag of its own, which another mirror takes elsewhere, is still an attachment of its image.
#[test]
fn an_attachment_that_is_selected_for_another_place_follows_its_image_all_the_same() {
    for inventory in [
        Inventories::None,
        Inventories::Tags,
        Inventories::Untold,
        Inventories::Told,
    ] {
        let mut world = World::new()
            .registry("hub", listing(inventory))
            .registry("one", listing(inventory))
            .registry("two", listing(inventory))
            .holds("hub/app", |content| {
                let image = image(content, 1);
                content.tag("v1", &image);
                let sbom = content.sbom(&image);
                content.tag("v1-sbom", &sbom);
            });
        let pinned = |name: &str| planner::spec::Pinned {
            tag: Some(tag(name)),
            digest: None,
        };
        let (mut images, mut sboms) = (mirror("hub/app", &["one/app"]), mirror("hub/app", &["two/app"]));
        images.sources[0].pinned = Some(pinned("v1"));
        sboms.sources[0].pinned = Some(pinned("v1-sbom"));
        let first = world.spec(vec![sboms.clone()]);
        let plan = world.plan(&first);
        apply(&mut world, &plan);
        let plan = world.plan(&world.spec(vec![images, sboms]));
        assert_eq!(plan.summary.attachments, 1, "{inventory:?}");
    }
}

/// A tag that is kept at the target does not take its manifest there.
#[test]
fn an_attachment_whose_own_tag_is_kept_follows_its_image_all_the_same() {
    for inventory in [Inventories::None, Inventories::Untold, Inventories::Told] {
        let build = |sbom_of_its_own: bool| {
            move |content: &mut Content| {
                let image = image(content, 1);
                content.tag("v1", &image);
                let other = match sbom_of_its_own {
                    true => content.sbom(&image),
                    false => self::image(content, 2),
                };
                content.tag("v1-sbom", &other);
            }
        };
        let world = World::new()
            .registry("hub", listing(inventory))
            .registry("site", listing(inventory))
            .holds("hub/app", build(true))
            .holds("site/app", build(false));
        let mut mirror = mirror("hub/app", &["site/app"]);
        mirror.on_change = planner::spec::OnChange::Keep;
        let plan = world.plan(&world.spec(vec![mirror]));
        assert_eq!(
            (plan.summary.attachments, plan.summary.tags.keep),
            (1, 1),
            "{inventory:?}"
        );
    }
}

#[test]
fn a_listing_finds_blobs_to_mount_as_asking_for_each_tag_does() {
    let sums: Vec<_> = [
        Inventories::None,
        Inventories::Tags,
        Inventories::Untold,
        Inventories::Told,
    ]
    .into_iter()
    .map(|inventory| {
        let base = |content: &mut Content, tagged: &str, more: u64| {
            let shared = content.layer(Family::Oci, 1, 100_000);
            let own = content.layer(Family::Oci, more, 10);
            let image = content.image(Family::Oci, "linux/amd64", &[shared, own]);
            content.tag(tagged, &image);
        };
        let world = World::new()
            .registry("hub", listing(inventory))
            .registry("site", listing(inventory))
            .holds("hub/base", |content| base(content, "v1", 2))
            .holds("hub/app", |content| base(content, "v1", 3))
            .holds("site/base", |content| base(content, "v1", 2));
        let mirrors = vec![
            mirror("hub/base", &["site/base"]),
            mirror("hub/app", &["site/app"]),
        ];
        world.plan(&world.spec(mirrors)).summary.bytes
    })
    .collect();
    assert!(sums[0].mount >= 100_000, "{sums:?}");
    assert!(sums.iter().all(|bytes| *bytes == sums[0]), "{sums:?}");
}

/// A registry in front of another lists what it has fetched so far.
#[test]
fn a_child_that_is_not_listed_is_asked_for_before_it_is_called_missing() {
    let mut world = World::new()
        .registry("hub", listing(Inventories::Untold))
        .registry("site", Options::default())
        .holds("hub/app", |content| {
            let child = image(content, 1);
            let index = content.index(Family::Oci, &[child]);
            content.tag("v1", &index);
        });
    let spec = world.spec(vec![mirror("hub/app", &["site/app"])]);
    let child = {
        let hub = world.at(&place("hub/app")).unwrap();
        hub.manifests[&hub.tags[&tag("v1")]]
            .children()
            .next()
            .unwrap()
            .digest
            .clone()
    };
    world.at_mut(&place("hub/app")).manifests.remove(&child);
    let get = Question::Get(place("hub/app"), child.into());
    assert!(questions(&world, &spec).contains(&get));
    assert_eq!(world.plan(&spec).blocked.len(), 1);
}

#[test]
fn a_project_with_a_dot_is_one_where_pushes_make_repositories() {
    let harbor = Options {
        depth: Some(1),
        ..Options::default()
    };
    let mut world = hub(&harbor);
    standing_at(&mut world, "gar/docker.io");
    let spec = world.spec(vec![mirror("hub/app", &["gar/docker.io/app"])]);
    let plan = world.plan(&spec);
    assert_eq!(
        (plan.blocked.len(), plan.summary.tags.create),
        (0, 1),
        "{}",
        plan.text()
    );
    let google = Options {
        depth: Some(2),
        creation: Creation::Call,
        ..Options::default()
    };
    let world = hub(&google);
    let spec = world.spec(vec![mirror("hub/app", &["gar/example.com/project/base/app"])]);
    assert!(
        world
            .plan(&spec)
            .text()
            .starts_with("+ gar/example.com/project/base (repository)")
    );
}

#[test]
fn a_loaded_plan_mounts_across_registries_that_it_knows_and_does_nothing_else_from_there() {
    let relative = Options {
        family: Some("relatives".to_owned()),
        ..Options::default()
    };
    let world = between(relative.clone(), &relative);
    let plan = world.plan(&world.spec(vec![mirror("hub/app", &["gar/app"])]));
    plan.check().unwrap();
    let mut unknown = plan.clone();
    let mount = unknown
        .ops
        .iter_mut()
        .find(|op| op.kind == OpKind::MountBlob)
        .unwrap();
    mount.at[0].origin = Some("elsewhere".parse().unwrap());
    assert!(unknown.check().is_err());
    let mut odd = plan;
    let put = odd.ops.iter_mut().find(|op| op.kind == OpKind::PutTag).unwrap();
    put.at[0].origin = Some("hub".parse().unwrap());
    assert!(odd.check().is_err());
}

#[test]
fn blobs_that_go_to_repositories_with_several_drifts_are_read_once() {
    let mut world = hub(&Options {
        mount: MountRule::Never,
        ..google()
    });
    for (repository, setting) in [("project/one", "scan_on_push"), ("project/two", "tag_mutability")] {
        let gar = world.registries.get_mut(&"gar".parse().unwrap()).unwrap();
        let drift = vec![drift(setting, Change::Possible)];
        gar.units.insert(
            repository.parse().unwrap(),
            Standing {
                drift,
                ..Standing::default()
            },
        );
    }
    let mut spec = world.spec(vec![mirror(
        "hub/app",
        &["gar/project/one/app", "gar/project/two/app"],
    )]);
    let registry = spec.registries.get_mut(&"gar".parse().unwrap()).unwrap();
    registry.connection.create_repositories = Some(json!({ "scan_on_push": true, "on_drift": "update" }));
    let plan = world.plan(&spec);
    assert_eq!(plan.summary.repositories.update, 2);
    let applied = apply(&mut world, &plan);
    assert!(
        applied.reads.values().all(|times| *times == 1),
        "{:?}",
        applied.reads
    );
}
