//! Plans as people read them: a world, what is wanted in it, what would be done.

use oci::CosignKind;
use planner::config::{Conditions, TagSet};
use planner::spec::{Mirror, OnChange};
use planner::{Creation, MountRule, Op, Plan, Spec};
use testkit::image::{Content, Family};
use testkit::world::{Options, ReferrersApi, State, World, mirror, place, tag};
use transship_planner as planner;

const KIB: usize = 1024;

/// `v1` of an application on a base.
fn v1(content: &mut Content) {
    let layers = [
        content.layer(Family::Oci, 1, 300 * KIB),
        content.layer(Family::Oci, 2, 20 * KIB),
    ];
    let image = content.image(Family::Oci, "linux/amd64", &layers);
    content.tag("v1", &image);
}

/// `v2` of the same: its base is that of `v1`.
fn v2(content: &mut Content) {
    let layers = [
        content.layer(Family::Oci, 1, 300 * KIB),
        content.layer(Family::Oci, 3, 30 * KIB),
    ];
    let image = content.image(Family::Oci, "linux/amd64", &layers);
    content.tag("v2", &image);
}

/// `v2` for two platforms, under the tag `v1`.
fn moved_v1(content: &mut Content) {
    let images = ["linux/amd64", "linux/arm64"].map(|platform| {
        let layer = content.layer(Family::Docker, platform.len() as u64, 10 * KIB);
        content.image(Family::Docker, platform, &[layer])
    });
    let index = content.index(Family::Docker, &images);
    content.tag("v1", &index);
}

/// `v1` with a bill of materials and a signature of that, by fallback tags.
fn signed_v1(content: &mut Content) {
    let layers = [
        content.layer(Family::Oci, 1, 300 * KIB),
        content.layer(Family::Oci, 2, 20 * KIB),
    ];
    let image = content.image(Family::Oci, "linux/amd64", &layers);
    content.tag("v1", &image);
    let sbom = content.sbom(&image);
    let signature = content.signature(&sbom);
    content.fallback(&image, std::slice::from_ref(&sbom));
    content.fallback(&sbom, &[signature]);
}

/// A source, and targets of which each is as `options` say.
fn world(targets: &[&str], options: &Options) -> World {
    let world = World::new().registry("hub", Options::default());
    targets
        .iter()
        .fold(world, |world, name| world.registry(name, options.clone()))
}

fn committed() -> Options {
    Options {
        mount: MountRule::Committed,
        creation: Creation::Call,
        ..Options::default()
    }
}

fn app(to: &[&str]) -> Vec<Mirror> {
    vec![mirror("hub/team/app", to)]
}

fn app_and_api(registry: &str) -> Vec<Mirror> {
    vec![
        mirror("hub/team/app", &[&format!("{registry}/app")]),
        mirror("hub/team/api", &[&format!("{registry}/api")]),
    ]
}

/// Applies everything.
fn apply(world: &mut World, spec: &Spec) {
    let plan = world.plan(spec);
    let applied = world.apply(&plan, 1, &mut |_, _| false);
    assert!(applied.violations.is_empty(), "{:?}", applied.violations);
}

/// The graph, a line per op.
fn graph(plan: &Plan) -> String {
    let line = |op: &Op| {
        let at: Vec<String> = op
            .at
            .iter()
            .map(|at| match &at.from {
                Some(from) => format!("{} <- {from}", at.place()),
                None => at.place().to_string(),
            })
            .collect();
        let digest = op.digest.as_ref().map(oci::Digest::short).unwrap_or_default();
        let mut line = format!("{} {digest} {}", op.id, at.join(", "));
        for (word, ids) in [("after", &op.after), ("after the end of", &op.after_end)] {
            if !ids.is_empty() {
                line += &format!("; {word} {ids:?}");
            }
        }
        line + "\n"
    };
    plan.ops.iter().map(line).collect()
}

#[test]
fn a_first_sync_brings_every_tag() {
    let world = world(&["site"], &Options::default())
        .holds("hub/team/app", v1)
        .holds("hub/team/app", v2);
    let plan = world.plan(&world.spec(app(&["site/app"])));
    insta::assert_snapshot!(plan.text(), @r"
    + site/app:v1
    + site/app:v2

    Plan: 2 tags to create, 0 to update, 0 to delete; 0 repositories to create; read 350.4 KiB, upload 350.4 KiB, mount 0 B.
    ");
}

#[test]
fn a_base_that_repositories_share_is_sent_once_and_mounted() {
    let world = world(&["site"], &Options::default())
        .holds("hub/team/app", v1)
        .holds("hub/team/api", v2);
    let plan = world.plan(&world.spec(app_and_api("site")));
    insta::assert_snapshot!(plan.text() + &graph(&plan), @r"
    + site/api:v2
    + site/app:v1

    Plan: 2 tags to create, 0 to update, 0 to delete; 0 repositories to create; read 350.4 KiB, upload 350.4 KiB, mount 300.0 KiB.
    upload-1 sha256:24d8ee951a8e site/app
    upload-2 sha256:3bda83a5d840 site/api
    upload-3 sha256:b74a68870646 site/api
    upload-4 sha256:e722cfe09e24 site/app
    upload-5 sha256:efb5803ce86b site/api
    mount-1 sha256:efb5803ce86b site/app <- api; after the end of [upload-5]
    tag-1 sha256:ea7ec7967451 site/app; after [upload-1, upload-4, mount-1]
    tag-2 sha256:dc37a9ae2cf7 site/api; after [upload-2, upload-3, upload-5]
    ");
}

#[test]
fn a_registry_that_mounts_only_committed_blobs_gets_the_first_manifest_before_the_mount() {
    let world = world(&["ecr"], &committed())
        .holds("hub/team/app", v1)
        .holds("hub/team/api", v2);
    let plan = world.plan(&world.spec(app_and_api("ecr")));
    insta::assert_snapshot!(plan.text() + &graph(&plan), @r"
    + ecr/api (repository)
    + ecr/app (repository)
    + ecr/api:v2
    + ecr/app:v1

    Plan: 2 tags to create, 0 to update, 0 to delete; 2 repositories to create; read 350.4 KiB, upload 350.4 KiB, mount 300.0 KiB.
    create-1  ecr/api, ecr/app
    upload-1 sha256:24d8ee951a8e ecr/app; after [create-1]
    upload-2 sha256:3bda83a5d840 ecr/api; after [create-1]
    upload-3 sha256:b74a68870646 ecr/api; after [create-1]
    upload-4 sha256:e722cfe09e24 ecr/app; after [create-1]
    upload-5 sha256:efb5803ce86b ecr/api; after [create-1]
    manifest-1 sha256:dc37a9ae2cf7 ecr/api; after [create-1, upload-2, upload-3, upload-5]
    mount-1 sha256:efb5803ce86b ecr/app <- api; after [create-1]; after the end of [manifest-1]
    tag-1 sha256:ea7ec7967451 ecr/app; after [create-1, upload-1, upload-4, mount-1]
    tag-2 sha256:dc37a9ae2cf7 ecr/api; after [manifest-1]
    ");
}

#[test]
fn a_registry_that_mounts_nothing_gets_each_blob_by_one_read() {
    let options = Options {
        mount: MountRule::Never,
        creation: Creation::Call,
        ..Options::default()
    };
    let world = world(&["ecr"], &options).holds("hub/team/app", v1);
    let plan = world.plan(&world.spec(app(&["ecr/app", "ecr/backup/app"])));
    insta::assert_snapshot!(plan.text() + &graph(&plan), @r"
    + ecr/app (repository)
    + ecr/backup/app (repository)
    + ecr/app:v1
    + ecr/backup/app:v1

    Plan: 2 tags to create, 0 to update, 0 to delete; 2 repositories to create; read 320.2 KiB, upload 640.4 KiB, mount 0 B.
    create-1  ecr/app, ecr/backup/app
    upload-1 sha256:24d8ee951a8e ecr/app, ecr/backup/app; after [create-1]
    upload-2 sha256:e722cfe09e24 ecr/app, ecr/backup/app; after [create-1]
    upload-3 sha256:efb5803ce86b ecr/app, ecr/backup/app; after [create-1]
    tag-1 sha256:ea7ec7967451 ecr/app, ecr/backup/app; after [create-1, upload-1, upload-2, upload-3]
    ");
}

#[test]
fn a_fan_out_to_three_registries_reads_each_blob_once() {
    let world = world(&["acr", "ecr", "gar"], &Options::default()).holds("hub/team/app", v1);
    let plan = world.plan(&world.spec(app(&["gar/base/app", "ecr/base/app", "acr/base/app"])));
    insta::assert_snapshot!(plan.text() + &graph(&plan), @r"
    + base/app:v1 -> 3 places (acr, ecr, gar)

    Plan: 3 tags to create, 0 to update, 0 to delete; 0 repositories to create; read 320.2 KiB, upload 960.6 KiB, mount 0 B.
    upload-1 sha256:24d8ee951a8e acr/base/app, ecr/base/app, gar/base/app
    upload-2 sha256:e722cfe09e24 acr/base/app, ecr/base/app, gar/base/app
    upload-3 sha256:efb5803ce86b acr/base/app, ecr/base/app, gar/base/app
    tag-1 sha256:ea7ec7967451 acr/base/app, ecr/base/app, gar/base/app; after [upload-1, upload-2, upload-3]
    ");
}

#[test]
fn only_the_layer_that_is_missing_is_sent() {
    let world = world(&["site"], &Options::default())
        .holds("hub/team/app", v1)
        .holds("hub/team/app", v2)
        .holds("site/app", v1);
    let plan = world.plan(&world.spec(app(&["site/app"])));
    insta::assert_snapshot!(plan.text() + &graph(&plan), @r"
    + site/app:v2

    Plan: 1 tags to create, 0 to update, 0 to delete; 0 repositories to create; read 30.2 KiB, upload 30.2 KiB, mount 0 B.
    upload-1 sha256:3bda83a5d840 site/app
    upload-2 sha256:b74a68870646 site/app
    tag-1 sha256:dc37a9ae2cf7 site/app; after [upload-1, upload-2]
    ");
}

#[test]
fn a_tag_that_moved_at_the_source_is_updated() {
    let world = world(&["site"], &Options::default())
        .holds("hub/team/app", moved_v1)
        .holds("site/app", v1);
    let plan = world.plan(&world.spec(app(&["site/app"])));
    insta::assert_snapshot!(plan.text(), @r"
    ~ site/app:v1  sha256:ea7ec7967451 -> sha256:465a82c2febb

    Plan: 0 tags to create, 1 to update, 0 to delete; 0 repositories to create; read 10.3 KiB, upload 10.3 KiB, mount 0 B.
    ");
}

#[test]
fn what_is_unchanged_needs_nothing() {
    let world = world(&["site"], &Options::default())
        .holds("hub/team/app", v1)
        .holds("site/app", v1);
    let plan = world.plan(&world.spec(app(&["site/app"])));
    insta::assert_snapshot!(plan.text(), @"No changes. Every target matches.");
}

#[test]
fn a_signature_that_comes_late_follows_its_unchanged_image() {
    let world = world(&["site"], &Options::default())
        .holds("hub/team/app", signed_v1)
        .holds("site/app", v1);
    let plan = world.plan(&world.spec(app(&["site/app"])));
    insta::assert_snapshot!(plan.text(), @r"
    + site/app  2 attachments

    Plan: 0 tags to create, 0 to update, 0 to delete; 0 repositories to create; read 168 B, upload 168 B, mount 0 B.
    ");
}

#[test]
fn entries_that_a_fallback_tag_lacks_are_merged_into_it() {
    let world = world(&["site"], &Options::default())
        .holds("hub/team/app", signed_v1)
        .holds("site/app", |content| {
            v1(content);
            let image = content.manifests[0].clone();
            let image = oci::Descriptor::new(image.media_type, image.digest, image.bytes.len() as u64);
            let scan = content.artifact(&image, "application/x.scan", "found nothing");
            content.fallback(&image, &[scan]);
        });
    let plan = world.plan(&world.spec(app(&["site/app"])));
    insta::assert_snapshot!(plan.text() + &graph(&plan), @r"
    + site/app  2 attachments

    Plan: 0 tags to create, 0 to update, 0 to delete; 0 repositories to create; read 166 B, upload 166 B, mount 0 B.
    upload-1 sha256:5b6c7805b965 site/app
    upload-2 sha256:cf30ef66694b site/app
    manifest-1 sha256:f5921197997a site/app; after [upload-2]
    manifest-2 sha256:32bdc922fd25 site/app; after [upload-1, manifest-1]
    tag-1 sha256:672d57fb945a site/app; after [manifest-2]
    referrers-1 sha256:ea7ec7967451 site/app; after [manifest-1]
    ");
}

#[test]
fn a_fallback_tag_is_made_only_where_the_referrers_api_is_missing() {
    let api = Options {
        referrers: ReferrersApi::Announced,
        ..Options::default()
    };
    let world = World::new()
        .registry("hub", api.clone())
        .registry("new", api)
        .registry(
            "old",
            Options {
                referrers: ReferrersApi::Denied,
                ..Options::default()
            },
        )
        .holds("hub/team/app", |content| {
            v1(content);
            let image = content.manifests[0].clone();
            let image = oci::Descriptor::new(image.media_type, image.digest, image.bytes.len() as u64);
            content.sbom(&image);
        });
    let plan = world.plan(&world.spec(app(&["new/app", "old/app"])));
    insta::assert_snapshot!(plan.text() + &graph(&plan), @r"
    + app:v1 -> 2 places (new, old)
    + app -> 2 places (new, old)  1 attachment

    Plan: 2 tags to create, 0 to update, 0 to delete; 0 repositories to create; read 320.3 KiB, upload 640.6 KiB, mount 0 B.
    upload-1 sha256:24d8ee951a8e new/app, old/app
    upload-2 sha256:44136fa355b3 new/app, old/app
    upload-3 sha256:cf30ef66694b new/app, old/app
    upload-4 sha256:e722cfe09e24 new/app, old/app
    upload-5 sha256:efb5803ce86b new/app, old/app
    manifest-1 sha256:ea7ec7967451 new/app, old/app; after [upload-1, upload-4, upload-5]
    manifest-2 sha256:f5921197997a new/app, old/app; after [upload-2, upload-3, manifest-1]
    referrers-1 sha256:ea7ec7967451 old/app; after [manifest-2]
    tag-1 sha256:ea7ec7967451 new/app, old/app; after [manifest-1, manifest-2, referrers-1]
    ");
}

#[test]
fn a_cosign_tag_that_differs_at_the_target_is_left_and_named() {
    let sign = |seed: u64| {
        move |content: &mut Content| {
            v1(content);
            let subject = content.manifests[0].digest.clone();
            let layer = content.layer(Family::Oci, seed, KIB);
            let image = content.image(Family::Oci, "linux/amd64", &[layer]);
            let tag = oci::AttachmentTag::Cosign(CosignKind::Signature).of(&subject);
            content.tag(tag.as_str(), &image);
        }
    };
    let world = world(&["site"], &Options::default())
        .holds("hub/team/app", sign(8))
        .holds("site/app", sign(9));
    let plan = world.plan(&world.spec(app(&["site/app"])));
    insta::assert_snapshot!(plan.text(), @r"
    note: site/app: sha256-ea7ec7967451e23b8801cea54e9575ba0b406d3aac0af5084af01ed515fd7afb.sig differs from the source's and is left as it is: what is not a list of signatures can't be united

    No changes. Every target matches.
    ");
}

#[test]
fn a_source_repository_that_does_not_exist_blocks_itself_alone() {
    let world = world(&["site"], &Options::default()).holds("hub/team/app", v1);
    let plan = world.plan(&world.spec(app_and_api("site")));
    insta::assert_snapshot!(plan.text(), @r"
    + site/app:v1
    ! hub/team/api: the repository does not exist
      hint: check the name, and that the credential may read it

    Plan: 1 tags to create, 0 to update, 0 to delete; 0 repositories to create; read 320.2 KiB, upload 320.2 KiB, mount 0 B; 1 blocked.
    ");
}

#[test]
fn a_listed_tag_that_is_missing_is_blocked_and_the_others_go_on() {
    let world = world(&["site"], &Options::default()).holds("hub/team/app", v1);
    let list = Conditions {
        list: Some([tag("v1"), tag("v3")].into()),
        ..Conditions::default()
    };
    let tags = vec![TagSet::new(list).expect("it is a list")];
    let plan = world.plan(&world.spec(vec![Mirror {
        tags,
        ..mirror("hub/team/app", &["site/app"])
    }]));
    insta::assert_snapshot!(plan.text(), @r"
    + site/app:v1
    ! hub/team/app:v3: the tag v3 does not exist
      hint: `transship tags` lists what is there

    Plan: 1 tags to create, 0 to update, 0 to delete; 0 repositories to create; read 320.2 KiB, upload 320.2 KiB, mount 0 B; 1 blocked.
    ");
}

#[test]
fn a_child_that_is_missing_is_told_at_the_tag_of_the_source() {
    let mut world = world(&["site"], &Options::default()).holds("hub/team/app", |content| {
        let layer = content.layer(Family::Oci, 1, 300 * KIB);
        let image = content.image(Family::Oci, "linux/amd64", &[layer]);
        let index = content.index(Family::Oci, &[image]);
        content.tag("v1", &index);
    });
    let source = world.at_mut(&place("hub/team/app"));
    let index = source.tags[&tag("v1")].clone();
    source.manifests.retain(|digest, _| *digest == index);
    let mut renamed = mirror("hub/team/app", &["site/app"]);
    renamed.sources[0].targets[0].tag = Some("x".to_owned());
    let plan = world.plan(&world.spec(vec![renamed]));
    assert_eq!(plan.blocked.len(), 1);
    assert_eq!(plan.blocked[0].tag, Some(tag("v1")), "{}", plan.text());
}

#[test]
fn on_change_keep_leaves_a_tag_and_says_so() {
    let world = world(&["site"], &Options::default())
        .holds("hub/team/app", moved_v1)
        .holds("site/app", v1);
    let keep = Mirror {
        on_change: OnChange::Keep,
        ..mirror("hub/team/app", &["site/app"])
    };
    let plan = world.plan(&world.spec(vec![keep]));
    insta::assert_snapshot!(plan.text(), @r"
    note: site/app: v1 differs from the source's and is kept

    Plan: 0 tags to create, 0 to update, 0 to delete; 0 repositories to create; read 0 B, upload 0 B, mount 0 B; 1 kept.
    ");
}

#[test]
fn on_change_refuse_blocks_a_tag_that_differs() {
    let world = world(&["site"], &Options::default())
        .holds("hub/team/app", moved_v1)
        .holds("hub/team/app", v2)
        .holds("site/app", v1);
    let refuse = Mirror {
        on_change: OnChange::Refuse,
        ..mirror("hub/team/app", &["site/app"])
    };
    let plan = world.plan(&world.spec(vec![refuse]));
    insta::assert_snapshot!(plan.text(), @r"
    + site/app:v2
    ! site/app:v1: the tag differs from the source's, and on_change is refuse

    Plan: 1 tags to create, 0 to update, 0 to delete; 0 repositories to create; read 30.2 KiB, upload 30.2 KiB, mount 0 B; 1 blocked.
    ");
}

#[test]
fn two_mirrors_that_want_one_tag_differently_block_the_second() {
    let world = world(&["site"], &Options::default())
        .holds("hub/team/app", v1)
        .holds("hub/team/api", moved_v1);
    let mirrors = vec![
        mirror("hub/team/app", &["site/app"]),
        mirror("hub/team/api", &["site/app"]),
    ];
    let plan = world.plan(&world.spec(mirrors));
    insta::assert_snapshot!(plan.text(), @r"
    + site/app:v1
    ! site/app:v1: the tag is to be sha256:ea7ec7967451e23b8801cea54e9575ba0b406d3aac0af5084af01ed515fd7afb by hub/team/app and sha256:465a82c2febb1ce294f045e55bf19ebaf580afc6ec81e91b09d604e9c075a0c0 by hub/team/api
      hint: let one mirror leave the tag out, or give it another tag

    Plan: 1 tags to create, 0 to update, 0 to delete; 0 repositories to create; read 320.2 KiB, upload 320.2 KiB, mount 0 B; 1 blocked.
    ");
}

#[test]
fn a_repository_is_created_where_an_api_call_creates_it() {
    let world = world(&["ecr", "site"], &Options::default())
        .registry("ecr", committed())
        .holds("hub/team/app", v1);
    let plan = world.plan(&world.spec(app(&["ecr/app", "site/app"])));
    insta::assert_snapshot!(plan.text() + &graph(&plan), @r"
    + ecr/app (repository)
    + app:v1 -> 2 places (ecr, site)

    Plan: 2 tags to create, 0 to update, 0 to delete; 1 repositories to create; read 320.2 KiB, upload 640.4 KiB, mount 0 B.
    create-1  ecr/app
    upload-1 sha256:24d8ee951a8e ecr/app, site/app; after [create-1]
    upload-2 sha256:e722cfe09e24 ecr/app, site/app; after [create-1]
    upload-3 sha256:efb5803ce86b ecr/app, site/app; after [create-1]
    tag-1 sha256:ea7ec7967451 ecr/app, site/app; after [create-1, upload-1, upload-2, upload-3]
    ");
}

#[test]
fn a_repository_that_nobody_may_create_blocks_what_goes_there() {
    let world = world(
        &["site"],
        &Options {
            creation: Creation::Never,
            ..Options::default()
        },
    )
    .holds("hub/team/app", v1)
    .holds("site/backup/app", |_| {});
    let plan = world.plan(&world.spec(app(&["site/app", "site/backup/app"])));
    insta::assert_snapshot!(plan.text(), @r"
    + site/backup/app:v1
    ! site/app: the repository does not exist, and who signs in can't create it
      hint: create it, or let the cloud's own identity sign in instead of a password, a token or docker's file

    Plan: 1 tags to create, 0 to update, 0 to delete; 0 repositories to create; read 320.2 KiB, upload 320.2 KiB, mount 0 B; 1 blocked.
    ");
}

#[test]
fn a_target_that_is_down_is_blocked_and_the_others_go_on() {
    let world = world(&["acr", "gar"], &Options::default())
        .registry(
            "acr",
            Options {
                state: State::Down,
                ..Options::default()
            },
        )
        .holds("hub/team/app", v1)
        .holds("hub/team/app", v2);
    let plan = world.plan(&world.spec(app(&["acr/app", "acr/backup/app", "gar/app"])));
    insta::assert_snapshot!(plan.text(), @r"
    + gar/app:v1
    + gar/app:v2
    ! acr: no answer (4 tags blocked)

    Plan: 2 tags to create, 0 to update, 0 to delete; 0 repositories to create; read 350.4 KiB, upload 350.4 KiB, mount 0 B; 1 blocked.
    ");
}

#[test]
fn a_repository_that_may_not_be_read_blocks_itself_alone() {
    let mut world = world(&["site"], &Options::default())
        .holds("hub/team/app", v1)
        .holds("hub/team/api", v2);
    let api = place("hub/team/api");
    world
        .registries
        .get_mut(&api.registry)
        .expect("it was added")
        .unreadable
        .insert(api.repository);
    let plan = world.plan(&world.spec(app_and_api("site")));
    insta::assert_snapshot!(plan.text(), @r"
    + site/app:v1
    ! hub/team/api: pull is denied

    Plan: 1 tags to create, 0 to update, 0 to delete; 0 repositories to create; read 320.2 KiB, upload 320.2 KiB, mount 0 B; 1 blocked.
    ");
}

#[test]
fn a_blob_that_another_surveyed_repository_holds_is_mounted_from_it() {
    let world = world(&["site"], &Options::default())
        .holds("hub/team/app", v1)
        .holds("hub/team/api", v2)
        .holds("site/api", v2);
    let plan = world.plan(&world.spec(app_and_api("site")));
    insta::assert_snapshot!(plan.text() + &graph(&plan), @r"
    + site/app:v1

    Plan: 1 tags to create, 0 to update, 0 to delete; 0 repositories to create; read 20.2 KiB, upload 20.2 KiB, mount 300.0 KiB.
    upload-1 sha256:24d8ee951a8e site/app
    upload-2 sha256:e722cfe09e24 site/app
    mount-1 sha256:efb5803ce86b site/app <- api
    tag-1 sha256:ea7ec7967451 site/app; after [upload-1, upload-2, mount-1]
    ");
}

#[test]
fn a_manifest_that_several_tags_name_is_put_once_by_digest() {
    let world = world(&["site"], &Options::default()).holds("hub/team/app", |content| {
        v1(content);
        let image = content.manifests[0].clone();
        content.tags.insert(tag("latest"), image.digest);
    });
    let plan = world.plan(&world.spec(app(&["site/app"])));
    insta::assert_snapshot!(plan.text() + &graph(&plan), @r"
    + site/app:latest
    + site/app:v1

    Plan: 2 tags to create, 0 to update, 0 to delete; 0 repositories to create; read 320.2 KiB, upload 320.2 KiB, mount 0 B.
    upload-1 sha256:24d8ee951a8e site/app
    upload-2 sha256:e722cfe09e24 site/app
    upload-3 sha256:efb5803ce86b site/app
    manifest-1 sha256:ea7ec7967451 site/app; after [upload-1, upload-2, upload-3]
    tag-1 sha256:ea7ec7967451 site/app; after [manifest-1]
    tag-2 sha256:ea7ec7967451 site/app; after [manifest-1]
    ");
}

#[test]
fn after_a_first_sync_nothing_is_left() {
    let mut world = world(&["ecr"], &committed()).holds("hub/team/app", signed_v1);
    let spec = world.spec(app(&["ecr/app", "ecr/backup/app"]));
    apply(&mut world, &spec);
    insta::assert_snapshot!(world.plan(&spec).text(), @"No changes. Every target matches.");
}

#[test]
fn a_registry_that_is_named_as_a_resource_is_asked_whether_it_takes_anything_before_the_first_push() {
    let mut world = world(&["acr"], &Options::default()).holds("hub/team/app", v1);
    let acr = world.registries.get_mut(&"acr".parse().unwrap()).unwrap();
    let deleting = planner::Standing {
        refuses: Some("the registry contoso is in provisioning state Deleting".to_owned()),
        ..planner::Standing::default()
    };
    acr.units.insert(place("acr/app").repository, deleting);
    let mut spec = world.spec(app(&["acr/app"]));
    let unnamed = world.plan(&spec);
    assert!(unnamed.blocked.is_empty(), "{:?}", unnamed.blocked);
    let registry = spec.registries.get_mut(&"acr".parse().unwrap()).unwrap();
    registry.connection.resource_id = Some("/subscriptions/s/registries/contoso".to_owned());
    insta::assert_snapshot!(world.plan(&spec).text(), @r"
    ! acr/app: the registry contoso is in provisioning state Deleting

    Plan: 0 tags to create, 0 to update, 0 to delete; 0 repositories to create; read 0 B, upload 0 B, mount 0 B; 1 blocked.
    ");
}
