//! Worlds in which a plan was once wrong, each as small as it gets.

use oci::{AttachmentTag, Digest, MediaType};
use planner::spec::{Check, Mirror, Pinned, Target};
use planner::{Creation, MountRule, OpKind, Plan, Spec};
use testkit::image::{Content, Family};
use testkit::world::{Applied, Depth, Options, ReferrersApi, World, mirror, place, tag};
use transship_planner as planner;

fn world(target: &Options) -> World {
    World::new()
        .registry("hub", Options::default())
        .registry("site", target.clone())
}

fn committed() -> Options {
    Options {
        mount: MountRule::Committed,
        ..Options::default()
    }
}

fn image(content: &mut Content, layers: &[u64]) -> oci::Descriptor {
    let layers: Vec<_> = layers
        .iter()
        .map(|&seed| content.layer(Family::Oci, seed, 100))
        .collect();
    content.image(Family::Oci, "linux/amd64", &layers)
}

fn foreign_layer() -> MediaType {
    MediaType::new("application/vnd.oci.image.layer.nondistributable.v1.tar")
}

/// Mirrors a repository into one that others are mirrored into, its tags marked.
fn into_shared(from: &str, template: &str) -> Mirror {
    let mut mirror = mirror(from, &[]);
    mirror.sources[0].targets.push(Target {
        place: place("site/shared"),
        tag: Some(template.to_owned()),
    });
    mirror
}

fn apply(world: &mut World, plan: &Plan) -> Applied {
    plan.check().expect("a plan keeps its rules");
    let applied = world.apply(plan, 1, &mut |_, _| false);
    assert_eq!(applied.violations, Vec::<String>::new());
    applied
}

fn nothing_is_left(world: &World, spec: &Spec) {
    assert_eq!(world.plan(spec).ops, []);
}

/// `a` gets the config first and `b` the layer, which `a` holds without a manifest: `b` mounts, and is mounted from.
#[test]
fn a_repository_that_others_mount_from_may_mount_from_another_itself() {
    let mut world = world(&committed()).holds("hub/app", |content| {
        let image = image(content, &[1]);
        content.tag("v1", &image);
    });
    let held = &world.at(&place("hub/app")).expect("it was added").blobs;
    let (digest, size) = held.iter().next().expect("an image has blobs");
    let (digest, size) = (digest.clone(), *size);
    world.at_mut(&place("site/a")).blobs.insert(digest, size);
    let spec = world.spec(vec![mirror("hub/app", &["site/a", "site/b", "site/c"])]);
    let plan = world.plan(&spec);
    let applied = apply(&mut world, &plan);
    assert_eq!(applied.declined, Vec::<String>::new());
    nothing_is_left(&world, &spec);
}

/// A layer that one image names as foreign is an ordinary one of another, mounted after the first image was put.
#[test]
fn an_image_does_not_wait_for_a_foreign_layer_that_another_image_brings() {
    // Which image is put first hangs on its digest.
    for other in 10..18 {
        let mut world = world(&committed())
            .holds("hub/foreign", |content| {
                let mut layer = content.layer(Family::Oci, 1, 100);
                layer.media_type = foreign_layer();
                let image = content.image(Family::Oci, "windows/amd64", &[layer]);
                content.tag("foreign", &image);
            })
            .holds("hub/app", |content| {
                let image = image(content, &[other, 1]);
                content.tag("v1", &image);
            });
        let digest = world.at(&place("hub/foreign")).expect("it was added").tags[&tag("foreign")].clone();
        let mut by_digest = mirror("hub/foreign", &["site/shared"]);
        by_digest.sources[0].pinned = Some(Pinned {
            tag: None,
            digest: Some(digest),
        });
        let spec = world.spec(vec![mirror("hub/app", &["site/app", "site/shared"]), by_digest]);
        let plan = world.plan(&spec);
        apply(&mut world, &plan);
        nothing_is_left(&world, &spec);
    }
}

#[test]
fn verify_does_not_look_for_foreign_layers_that_are_skipped() {
    let mut world = world(&Options::default()).holds("hub/app", |content| {
        let mut layer = content.layer(Family::Oci, 1, 100);
        layer.media_type = foreign_layer();
        let image = content.image(Family::Oci, "windows/amd64", &[layer]);
        content.tag("v1", &image);
    });
    let spec = world.spec(vec![Mirror {
        check: Check::Blobs,
        ..mirror("hub/app", &["site/app"])
    }]);
    let plan = world.plan(&spec);
    apply(&mut world, &plan);
    let capabilities = world.capabilities();
    let closure = planner::closure(&spec, &capabilities, &world.survey(&spec, &capabilities));
    let blobs: Vec<&Digest> = closure[&place("site/app")].blobs.keys().collect();
    let held: Vec<&Digest> = world
        .at(&place("site/app"))
        .expect("it was written")
        .blobs
        .keys()
        .collect();
    assert_eq!(blobs, held);
}

/// Two sources attach to one image by fallback tags of their own; the second's image stands already.
#[test]
fn fallback_tags_of_two_sources_become_one_even_where_an_image_is_unchanged() {
    let with_referrer = |text: &'static str| {
        move |content: &mut Content| {
            let image = image(content, &[1]);
            content.tag("v1", &image);
            let referrer = content.artifact(&image, "application/vnd.example", text);
            content.fallback(&image, &[referrer]);
        }
    };
    let mut world = world(&Options::default())
        .holds("hub/one", with_referrer("one's"))
        .holds("hub/two", with_referrer("two's"))
        .holds("site/shared", |content| {
            let image = image(content, &[1]);
            content.tag("v1-two", &image);
        });
    let spec = world.spec(vec![
        into_shared("hub/one", "{tag}-one"),
        into_shared("hub/two", "{tag}-two"),
    ]);
    let plan = world.plan(&spec);
    assert_eq!(
        plan.ops
            .iter()
            .filter(|op| op.kind == OpKind::MergeReferrers)
            .count(),
        1
    );
    apply(&mut world, &plan);
    nothing_is_left(&world, &spec);
}

/// The same referrers from two sources: the second has nothing to add.
#[test]
fn a_fallback_tag_with_nothing_to_add_is_not_merged() {
    let signed = |more: bool| {
        move |content: &mut Content| {
            let image = image(content, &[1]);
            content.tag("v1", &image);
            let sbom = content.sbom(&image);
            let signature = content.signature(&image);
            let entries = [sbom, signature];
            content.fallback(&image, if more { &entries } else { &entries[..1] });
        }
    };
    let mut world = world(&Options::default())
        .holds("hub/one", signed(true))
        .holds("hub/two", signed(false));
    let spec = world.spec(vec![
        into_shared("hub/one", "{tag}-one"),
        into_shared("hub/two", "{tag}-two"),
    ]);
    let plan = world.plan(&spec);
    apply(&mut world, &plan);
    nothing_is_left(&world, &spec);
}

/// The signature of a child failed to land; the child stands, its index does not.
#[test]
fn what_is_attached_to_a_child_that_stands_follows_on_the_next_run() {
    let mut world = world(&Options::default()).holds("hub/app", |content| {
        let child = image(content, &[1]);
        let inner = content.index(Family::Oci, std::slice::from_ref(&child));
        let outer = content.index(Family::Oci, &[inner]);
        content.tag("v1", &outer);
        content.cosign(&child);
    });
    let spec = world.spec(vec![mirror("hub/app", &["site/app"])]);
    let plan = world.plan(&spec);
    let is_cosign = |tag: &oci::Tag| matches!(AttachmentTag::scheme(tag), Some(AttachmentTag::Cosign(_)));
    world.apply(&plan, 1, &mut |op, _| op.tag.as_ref().is_some_and(is_cosign));
    let held = world.at(&place("site/app")).expect("content was sent");
    assert_eq!(held.tags.get(&tag("v1")), None, "the tag waits for the signature");
    let plan = world.plan(&spec);
    apply(&mut world, &plan);
    let root = world.at(&place("hub/app")).expect("it was added").tags[&tag("v1")].clone();
    let missing = world.unattached(&place("hub/app"), &place("site/app"), &root, Depth::Closure);
    assert_eq!(missing, Vec::<String>::new());
    nothing_is_left(&world, &spec);
}

/// A cosign image that stands at the target, where only its tag is missing.
#[test]
fn a_cosign_tag_is_written_where_only_the_tag_is_missing() {
    let signed = |content: &mut Content| {
        let image = image(content, &[1]);
        content.tag("v1", &image);
        content.cosign(&image);
    };
    let mut world = world(&Options::default())
        .holds("hub/app", signed)
        .holds("site/app", signed);
    world
        .at_mut(&place("site/app"))
        .tags
        .retain(|tag, _| tag.as_str() == "v1");
    let spec = world.spec(vec![mirror("hub/app", &["site/app"])]);
    let plan = world.plan(&spec);
    assert_eq!(plan.ops.len(), 1);
    apply(&mut world, &plan);
    nothing_is_left(&world, &spec);
}

/// A layer is to go to two repositories that must be created first, where nothing mounts.
#[test]
fn what_goes_to_several_new_repositories_is_read_once() {
    let target = Options {
        mount: MountRule::Never,
        creation: Creation::Call,
        ..Options::default()
    };
    let mut world = world(&target).holds("hub/app", |content| {
        let image = image(content, &[1]);
        content.tag("v1", &image);
    });
    let spec = world.spec(vec![mirror("hub/app", &["site/a", "site/b"])]);
    let plan = world.plan(&spec);
    let applied = apply(&mut world, &plan);
    assert!(
        applied.reads.values().all(|times| *times == 1),
        "{:?}",
        applied.reads
    );
    assert_eq!(applied.sent.len(), 4);
}

/// What is attached to one selected tag and selected by another is put by digest, and both tags wait for it.
#[test]
fn a_tag_waits_for_its_attachment_though_another_tag_names_that() {
    let api = Options {
        referrers: ReferrersApi::Present,
        ..Options::default()
    };
    let world = World::new().registry("hub", api.clone()).registry("site", api);
    let mut world = world.holds("hub/app", |content| {
        let app = image(content, &[1]);
        let sbom = content.sbom(&app);
        content.tag("v1", &app);
        content.tag("sbom", &sbom);
    });
    let spec = world.spec(vec![mirror("hub/app", &["site/app"])]);
    let plan = world.plan(&spec);
    let sbom = world.at(&place("hub/app")).expect("it was added").tags[&tag("sbom")].clone();
    let puts = |op: &&planner::Op| op.kind == OpKind::PutManifest && op.digest.as_ref() == Some(&sbom);
    let put = plan
        .ops
        .iter()
        .find(puts)
        .expect("the attachment is put by digest");
    let v1 = plan
        .ops
        .iter()
        .find(|op| op.tag == Some(tag("v1")))
        .expect("v1 is put");
    assert!(v1.after.contains(&put.id), "{v1:?}");
    apply(&mut world, &plan);
    nothing_is_left(&world, &spec);
}

/// `create_repositories: false` holds wherever the first push would create.
#[test]
fn nothing_goes_to_a_repository_that_may_not_come_to_be() {
    let world = world(&Options::default()).holds("hub/app", |content| {
        let app = image(content, &[1]);
        content.tag("v1", &app);
    });
    let mut spec = world.spec(vec![mirror("hub/app", &["site/app"])]);
    let site = spec
        .registries
        .get_mut(&place("site/app").registry)
        .expect("it is used");
    site.connection.create_repositories = Some(false.into());
    let plan = world.plan(&spec);
    assert_eq!(plan.ops, []);
    assert_eq!(plan.blocked.len(), 1);
    assert_eq!(plan.blocked[0].repository, Some(place("site/app").repository));
}

/// A registry that fails to answer for referrers is not asked for one subject a round.
#[test]
fn referrers_that_nobody_may_list_are_asked_for_at_once() {
    let world = world(&Options::default()).holds("hub/app", |content| {
        for version in 1..=9 {
            let app = image(content, &[version]);
            content.tag(&format!("v{version}"), &app);
        }
    });
    let spec = world.spec(vec![mirror("hub/app", &["site/app"])]);
    let capabilities = world
        .capabilities()
        .into_keys()
        .map(|name| (name, planner::Capabilities::default()))
        .collect();
    let mut survey = planner::Survey::at(world.now);
    let mut rounds = 0;
    loop {
        let questions = planner::questions(&spec, &capabilities, &survey);
        if questions.is_empty() {
            break;
        }
        rounds += 1;
        for question in questions {
            let answer = match &question {
                planner::Question::Referrers(place, _) => Err(denied(place)),
                _ => world.answer(&question),
            };
            survey.record(question, answer);
        }
    }
    assert!(rounds < 8, "{rounds} rounds");
    assert_eq!(
        planner::plan(&spec, &capabilities, &survey).summary.tags.blocked,
        9
    );
}

fn denied(place: &planner::Place) -> planner::Problem {
    planner::Problem {
        registry: place.registry.clone(),
        repository: Some(place.repository.clone()),
        tag: None,
        side: planner::Side::Source,
        kind: planner::ProblemKind::Permission,
        error: "403 Forbidden".to_owned(),
        hint: None,
        tags: 0,
    }
}
