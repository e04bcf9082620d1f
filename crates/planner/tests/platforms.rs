//! Some platforms of an index: what goes, what is left out, and what is said of it.

use insta::assert_snapshot;
use oci::{Descriptor, MediaType, Platform};
use planner::Plan;
use planner::spec::{Mirror, Pinned, Platforms, Referrers};
use serde_json::json;
use testkit::image::{Content, Family};
use testkit::world::{Options, World, mirror, place};
use transship_planner as planner;

fn platforms(names: &[&str]) -> Vec<Platform> {
    names
        .iter()
        .map(|name| name.parse().expect("it is a platform"))
        .collect()
}

fn sparse(names: &[&str]) -> Vec<Mirror> {
    taking(Platforms::Sparse(platforms(names)))
}

fn rewrite(names: &[&str]) -> Vec<Mirror> {
    taking(Platforms::Rewrite(platforms(names)))
}

fn taking(platforms: Platforms) -> Vec<Mirror> {
    vec![Mirror {
        platforms,
        ..mirror("hub/team/app", &["site/app"])
    }]
}

fn image(content: &mut Content, platform: &str) -> Descriptor {
    let layer = content.layer(Family::Oci, platform.len() as u64, 10 * 1024);
    content.image(Family::Oci, platform, &[layer])
}

const ALL: [&str; 3] = ["linux/amd64", "linux/arm64/v8", "linux/s390x"];

/// `v1` for three platforms.
fn multi(content: &mut Content) {
    let images = ALL.map(|platform| image(content, platform));
    let index = content.index(Family::Oci, &images);
    content.tag("v1", &index);
}

fn world(target: Options, build: impl FnOnce(&mut Content)) -> World {
    World::new()
        .registry("hub", Options::default())
        .registry("site", target)
        .holds("hub/team/app", build)
}

fn takes_sparse() -> Options {
    Options {
        sparse: true,
        ..Options::default()
    }
}

fn planned(world: &World, mirrors: Vec<Mirror>) -> Plan {
    let plan = world.plan(&world.spec(mirrors));
    plan.check().expect("the plan keeps its rules");
    plan
}

fn applied(world: &World, mirrors: Vec<Mirror>) -> World {
    let mut world = world.clone();
    let plan = planned(&world, mirrors.clone());
    let applied = world.apply(&plan, 1, &mut |_, _| false);
    assert_eq!(applied.violations, Vec::<String>::new());
    assert_eq!(planned(&world, mirrors).ops, []);
    world
}

/// The platforms of the images that `site/app:v1` names and that stand there.
fn brought(world: &World) -> Vec<String> {
    let held = world.at(&place("site/app")).expect("it was written");
    let root = &held.manifests[&held.tags[&"v1".parse().expect("it is a tag")]];
    let there = root
        .children()
        .filter(|child| held.manifests.contains_key(&child.digest));
    let name = |child: &Descriptor| {
        child
            .platform
            .as_ref()
            .map_or_else(|| "none".to_owned(), ToString::to_string)
    };
    there.map(name).collect()
}

#[test]
fn a_new_index_is_shown_with_both_digests() {
    let world = world(Options::default(), multi);
    let plan = planned(&world, rewrite(&["linux/amd64", "linux/arm64"]));
    assert_snapshot!(plan.text(), @r"
    + site/app:v1  sha256:17272b00da09, rewritten from sha256:02516ad8a24d

    Plan: 1 tags to create, 0 to update, 0 to delete; 0 repositories to create; read 20.3 KiB, upload 20.3 KiB, mount 0 B.
    ");
    let after = applied(&world, rewrite(&["linux/amd64", "linux/arm64"]));
    assert_eq!(brought(&after), ["linux/amd64", "linux/arm64/v8"]);
    let moved = planned(&after, rewrite(&["linux/amd64"]));
    assert_snapshot!(moved.text(), @r"
    ~ site/app:v1  sha256:17272b00da09 -> sha256:3aa0a2e54995, rewritten from sha256:02516ad8a24d

    Plan: 0 tags to create, 1 to update, 0 to delete; 0 repositories to create; read 0 B, upload 0 B, mount 0 B.
    ");
}

#[test]
fn a_new_index_has_one_form() {
    let world = world(Options::default(), |content| {
        let amd64 = image(content, "linux/amd64");
        let mut other = image(content, "linux/s390x");
        other.annotations.insert("b".into(), "ü".into());
        let document = json!({
            "schemaVersion": 2,
            "org.example.unknown": { "z": 1.50, "a": [null, true] },
            "mediaType": MediaType::OCI_INDEX,
            "annotations": { "made.by": "hand" },
            "manifests": [other, amd64],
        });
        let index = content.manifest(MediaType::OCI_INDEX, &document);
        content.tag("v1", &index);
    });
    let plan = planned(&world, rewrite(&["linux/amd64"]));
    let made: Vec<&str> = plan
        .manifests
        .values()
        .filter_map(|entry| Some(entry.made.as_ref()?.content.as_str()))
        .collect();
    assert_snapshot!(made.join("\n"), @r#"{"annotations":{"made.by":"hand"},"manifests":[{"digest":"sha256:687f01bc62c82b831ed697b2d98a6422f5f765631c0384a55d3faf70d080fdf7","mediaType":"application/vnd.oci.image.manifest.v1+json","platform":{"architecture":"amd64","os":"linux"},"size":403}],"mediaType":"application/vnd.oci.image.index.v1+json","org.example.unknown":{"a":[null,true],"z":1.5},"schemaVersion":2}"#);
}

#[test]
fn a_choice_that_leaves_nothing_out_changes_nothing() {
    let world = world(Options::default(), multi);
    let whole = planned(&world, taking(Platforms::All));
    for mirrors in [rewrite(&ALL), sparse(&ALL)] {
        let plan = planned(&world, mirrors);
        assert_eq!((plan.ops, plan.notes), (whole.ops.clone(), vec![]));
    }
}

#[test]
fn a_sparse_index_is_refused_where_the_registry_is_known_to_refuse_it() {
    let world = world(Options::default(), multi);
    let plan = planned(&world, sparse(&["linux/amd64"]));
    assert_snapshot!(plan.text(), @r"
    ! site/app:v1: site refuses an index of which some children are missing
      hint: write index: rewrite for a new index, or copy every platform; where the registry takes such indexes, say profile: { sparse_index: accepted }

    Plan: 0 tags to create, 0 to update, 0 to delete; 0 repositories to create; read 0 B, upload 0 B, mount 0 B; 1 blocked.
    ");
}

#[test]
fn a_sparse_index_keeps_its_digest() {
    let world = world(takes_sparse(), multi);
    let after = applied(&world, sparse(&["linux/arm64"]));
    assert_eq!(brought(&after), ["linux/arm64/v8"]);
    let root = |world: &World, at: &str| world.at(&place(at)).expect("it stands").tags.clone();
    assert_eq!(root(&after, "site/app"), root(&world, "hub/team/app"));
}

#[test]
fn what_no_image_fits_is_blocked_and_what_some_fit_is_noted() {
    let world = world(Options::default(), |content| {
        multi(content);
        let other = image(content, "windows/amd64");
        let index = content.index(Family::Oci, &[other]);
        content.tag("v2", &index);
    });
    let plan = planned(&world, rewrite(&["linux/amd64", "linux/riscv64"]));
    assert_snapshot!(plan.text(), @r"
    + site/app:v1  sha256:3aa0a2e54995, rewritten from sha256:02516ad8a24d
    ! hub/team/app:v2: the index has no image for linux/amd64, linux/riscv64; it has windows/amd64
    note: hub/team/app: no image for linux/riscv64 in v1

    Plan: 1 tags to create, 0 to update, 0 to delete; 0 repositories to create; read 10.1 KiB, upload 10.1 KiB, mount 0 B; 1 blocked.
    ");
}

#[test]
fn an_image_by_itself_and_an_index_without_platforms_are_taken_whole() {
    let world = world(Options::default(), |content| {
        let one = image(content, "linux/s390x");
        content.tag("one", &one);
        let layer = content.layer(Family::Oci, 9, 100);
        let config = content.blob(MediaType::new("application/vnd.cncf.helm.config.v1+json"), "{}");
        let chart = content.image_of(Family::Oci, &config, &[layer]);
        let index = content.index(Family::Oci, &[chart]);
        content.tag("charts", &index);
    });
    let plan = planned(&world, rewrite(&["linux/amd64"]));
    assert_eq!(plan.summary.tags.create, 2);
    assert!(plan.manifests.values().all(|entry| entry.made.is_none()));
    assert_eq!((plan.blocked, plan.notes), (vec![], vec![]));
}

#[test]
fn attestations_follow_the_image_they_are_about() {
    let attestation = |content: &mut Content, about: &Descriptor| {
        let layer = content.blob(
            MediaType::new("application/vnd.in-toto+json"),
            about.digest.to_string(),
        );
        let config = content.blob(MediaType::OCI_CONFIG, about.digest.to_string());
        let mut attestation = content.image_of(Family::Oci, &config, &[layer]);
        attestation.platform = Some("unknown/unknown".parse().expect("it is a platform"));
        let annotations = [
            ("vnd.docker.reference.digest".to_owned(), about.digest.to_string()),
            (
                "vnd.docker.reference.type".to_owned(),
                "attestation-manifest".to_owned(),
            ),
        ];
        attestation.annotations.extend(annotations);
        attestation
    };
    let world = world(takes_sparse(), |content| {
        let images = ["linux/amd64", "linux/arm64"].map(|platform| image(content, platform));
        let about = [&images[0], &images[1]].map(|image| attestation(content, image));
        let index = content.index(Family::Oci, &[images.as_slice(), &about].concat());
        content.tag("v1", &index);
    });
    for mirrors in [rewrite(&["linux/amd64"]), sparse(&["linux/amd64"])] {
        let after = applied(&world, mirrors);
        assert_eq!(brought(&after), ["linux/amd64", "unknown/unknown"]);
    }
}

#[test]
fn an_index_in_an_index_is_made_anew_too() {
    let world = world(Options::default(), |content| {
        let images = ALL.map(|platform| image(content, platform));
        let [amd64, rest @ ..] = &images;
        let inner = content.index(Family::Docker, &images);
        let others = content.index(Family::Oci, rest);
        let outer = content.index(Family::Oci, &[inner, others, amd64.clone()]);
        content.tag("v1", &outer);
    });
    let plan = planned(&world, rewrite(&["linux/amd64"]));
    let made = plan.manifests.values().filter_map(|entry| entry.made.as_ref());
    assert_eq!(made.count(), 2);
    let after = applied(&world, rewrite(&["linux/amd64"]));
    assert_eq!(brought(&after), ["none", "linux/amd64"]);
    assert_eq!(after.inconsistencies(), Vec::<String>::new());
}

#[test]
fn attachments_of_a_replaced_index_stay_behind_and_those_of_its_images_follow() {
    let world = world(Options::default(), |content| {
        let images = ALL.map(|platform| image(content, platform));
        let index = content.index(Family::Oci, &images);
        content.tag("v1", &index);
        content.cosign(&index);
        let sbom = content.sbom(&index);
        content.fallback(&index, &[sbom]);
        content.cosign(&images[0]);
        content.cosign(&images[2]);
    });
    let plan = planned(&world, rewrite(&["linux/amd64"]));
    assert_snapshot!(plan.text(), @r"
    + site/app:v1  sha256:3aa0a2e54995, rewritten from sha256:02516ad8a24d
    + site/app  1 attachment
    note: site/app: v1 has a new index, so 2 attachments are left out with the old one, sha256:02516ad8a24db5d74ac54efaa2602c32b5d196fde349fb9639981791b412f026: no signature covers the new one

    Plan: 1 tags to create, 0 to update, 0 to delete; 0 repositories to create; read 10.4 KiB, upload 10.4 KiB, mount 0 B.
    ");
    let after = applied(&world, rewrite(&["linux/amd64"]));
    let held = after.at(&place("site/app")).expect("it was written");
    assert_eq!(held.tags.len(), 2);
}

#[test]
fn a_signed_index_keeps_its_signatures_where_it_is_sparse() {
    let world = world(takes_sparse(), |content| {
        let images = ALL.map(|platform| image(content, platform));
        let index = content.index(Family::Oci, &images);
        content.tag("v1", &index);
        content.cosign(&index);
        content.cosign(&images[2]);
    });
    let after = applied(&world, sparse(&["linux/amd64"]));
    let held = after.at(&place("site/app")).expect("it was written");
    assert_eq!(held.tags.len(), 2);
}

#[test]
fn a_plan_whose_new_index_was_changed_is_refused() {
    let world = world(Options::default(), multi);
    let mut plan = planned(&world, rewrite(&["linux/amd64"]));
    let made = plan.manifests.values_mut().find_map(|entry| entry.made.as_mut());
    let made = made.expect("an index is made");
    made.content = made.content.replace("amd64", "arm64");
    let broken = plan.check().expect_err("the digest is another").to_string();
    assert!(broken.contains("is not the digest of what it holds"), "{broken}");
}

/// Two mirrors of one repository into one place.
fn both(first: Mirror, second: Mirror) -> Vec<Mirror> {
    let named = |name: &str, mirror: Mirror| Mirror {
        name: name.to_owned(),
        ..mirror
    };
    vec![named("first", first), named("second", second)]
}

#[test]
fn another_choice_of_a_sparse_index_is_brought_though_its_digest_is_the_same() {
    let world = world(takes_sparse(), multi);
    let one = applied(&world, sparse(&["linux/amd64"]));
    let two = applied(&one, sparse(&["linux/amd64", "linux/arm64"]));
    assert_eq!(brought(&two), ["linux/amd64", "linux/arm64/v8"]);
}

#[test]
fn two_mirrors_of_one_index_bring_what_either_takes() {
    let world = world(takes_sparse(), multi);
    let mirrors = both(
        sparse(&["linux/amd64"]).remove(0),
        sparse(&["linux/s390x"]).remove(0),
    );
    let plan = planned(&world, mirrors.clone());
    assert_eq!(plan.summary.tags.create, 1);
    assert_eq!(brought(&applied(&world, mirrors)), ["linux/amd64", "linux/s390x"]);
}

#[test]
fn what_one_mirror_may_not_bring_another_does() {
    let world = world(Options::default(), multi);
    let mirrors = both(
        sparse(&["linux/amd64"]).remove(0),
        taking(Platforms::All).remove(0),
    );
    let plan = planned(&world, mirrors.clone());
    assert_eq!((plan.blocked.len(), plan.summary.tags.create), (1, 1));
    assert_eq!(brought(&applied(&world, mirrors)), ALL);
}

/// An index that names one image for two platforms.
fn twice(content: &mut Content) {
    let v6 = image(content, "linux/arm/v6");
    let v7 = Descriptor {
        platform: Some("linux/arm/v7".parse().expect("it is a platform")),
        ..v6.clone()
    };
    let index = content.index(Family::Oci, &[v6, v7]);
    content.tag("v1", &index);
}

#[test]
fn one_image_for_two_platforms_is_there_for_both() {
    let wanted = ["linux/arm/v7"];
    let world = world(Options::default(), twice);
    let plan = planned(&world, sparse(&wanted));
    assert_eq!((plan.blocked, plan.summary.tags.create), (vec![], 1));
    assert_eq!(brought(&applied(&world, rewrite(&wanted))), wanted);
}

#[test]
fn an_index_that_is_named_ten_thousand_times_is_looked_into_once() {
    let world = world(Options::default(), |content| {
        let images = ALL.map(|platform| image(content, platform));
        let mut index = content.index(Family::Oci, &images);
        for _ in 0..4 {
            index = content.index(Family::Oci, &vec![index; 10_000]);
        }
        content.tag("v1", &index);
    });
    let plan = planned(&world, rewrite(&["linux/amd64"]));
    let made = plan.manifests.values().filter(|entry| entry.made.is_some());
    assert_eq!(made.count(), 5);
}

#[test]
fn what_a_source_calls_its_platforms_is_shown_short_and_in_one_line() {
    let world = world(Options::default(), |content| {
        let images: Vec<Descriptor> = (0..20)
            .map(|number| {
                let mut image = image(content, "linux/amd64");
                let platform = image.platform.as_mut().expect("it has one");
                platform.os = format!("os{number:02}\n+ site/app:v9 {}", "x".repeat(90));
                image
            })
            .collect();
        let index = content.index(Family::Oci, &images);
        content.tag("v1", &index);
    });
    let plan = planned(&world, rewrite(&["linux/amd64"]));
    assert_snapshot!(plan.text(), @r"
    ! hub/team/app:v1: the index has no image for linux/amd64; it has os00+site/app:v9xxxxxxxxxxxxxxxxxxxxxxxx, os01+site/app:v9xxxxxxxxxxxxxxxxxxxxxxxx, os02+site/app:v9xxxxxxxxxxxxxxxxxxxxxxxx, os03+site/app:v9xxxxxxxxxxxxxxxxxxxxxxxx, os04+site/app:v9xxxxxxxxxxxxxxxxxxxxxxxx, os05+site/app:v9xxxxxxxxxxxxxxxxxxxxxxxx, os06+site/app:v9xxxxxxxxxxxxxxxxxxxxxxxx, os07+site/app:v9xxxxxxxxxxxxxxxxxxxxxxxx and 12 more

    Plan: 0 tags to create, 0 to update, 0 to delete; 0 repositories to create; read 0 B, upload 0 B, mount 0 B; 1 blocked.
    ");
}

#[test]
fn attestations_of_what_is_elsewhere_follow() {
    let world = world(Options::default(), |content| {
        let image = image(content, "linux/amd64");
        let mut orphan = content.sbom(&image);
        orphan.platform = Some("unknown/unknown".parse().expect("it is a platform"));
        let elsewhere = format!("sha256:{}", "0".repeat(64));
        orphan
            .annotations
            .insert("vnd.docker.reference.digest".to_owned(), elsewhere);
        let index = content.index(Family::Oci, &[image, orphan.clone()]);
        content.tag("v1", &index);
        let alone = content.index(Family::Oci, &[orphan]);
        content.tag("v2", &alone);
    });
    let plan = planned(&world, rewrite(&["linux/amd64"]));
    assert_eq!(plan.summary.tags.create, 2);
    assert!(plan.manifests.values().all(|entry| entry.made.is_none()));
}

#[test]
fn a_pinned_index_is_shown_with_both_digests_and_refused_only_while_it_is_missing() {
    let mut world = world(Options::default(), multi);
    let digest = world
        .at(&place("hub/team/app"))
        .expect("it stands")
        .tags
        .values()
        .next()
        .cloned();
    let pinned = |platforms: Platforms| {
        let mut mirrors = taking(platforms);
        mirrors[0].sources[0].pinned = Some(Pinned {
            tag: None,
            digest: digest.clone(),
        });
        mirrors
    };
    let wanted = platforms(&["linux/amd64"]);
    let plan = planned(&world, pinned(Platforms::Rewrite(wanted.clone())));
    assert_snapshot!(plan.text(), @r"
    + site/app@sha256:3aa0a2e54995, rewritten from sha256:02516ad8a24d  manifest

    Plan: 0 tags to create, 0 to update, 0 to delete; 0 repositories to create; read 10.1 KiB, upload 10.1 KiB, mount 0 B.
    ");
    let refused = planned(&world, pinned(Platforms::Sparse(wanted.clone())));
    assert_eq!(refused.blocked.len(), 1);
    world = applied(&world, taking(Platforms::All));
    let stands = planned(&world, pinned(Platforms::Sparse(wanted)));
    assert_eq!(
        (stands.blocked, stands.notes, stands.ops),
        (vec![], vec![], vec![])
    );
}

#[test]
fn a_tag_waits_for_all_that_is_below_a_sparse_index() {
    let world = world(takes_sparse(), |content| {
        let images = ALL.map(|platform| image(content, platform));
        let inner = content.index(Family::Oci, &images);
        let outer = content.index(Family::Oci, &[inner]);
        content.tag("v1", &outer);
    });
    let world = applied(&world, sparse(&["linux/amd64"])).holds("hub/team/app", |content| {
        let images = ALL.map(|platform| image(content, platform));
        let inner = content.index(Family::Oci, &images);
        let outer = content.index(Family::Oci, &[inner]);
        content.tag("v2", &outer);
    });
    let plan = planned(&world, sparse(&["linux/amd64", "linux/arm64"]));
    let put = |op: &&planner::Op| op.kind == planner::OpKind::PutManifest;
    let manifest = plan.ops.iter().find(put).expect("an image is put");
    let tag = plan.ops.iter().find(|op| op.kind == planner::OpKind::PutTag);
    assert!(tag.expect("a tag is put").after.contains(&manifest.id));
}

#[test]
fn what_was_chosen_before_can_be_chosen_from_again() {
    let nested = |content: &mut Content| {
        let [amd64, arm64, _] = ALL.map(|platform| image(content, platform));
        let one = content.index(Family::Oci, &[amd64]);
        let other = content.index(Family::Oci, &[arm64]);
        let outer = content.index(Family::Oci, &[one, other]);
        content.tag("v1", &outer);
    };
    let first = applied(&world(takes_sparse(), nested), sparse(&["linux/amd64"]));
    let second = first.registry("last", takes_sparse());
    let mirrors = vec![Mirror {
        platforms: Platforms::Sparse(platforms(&["linux/amd64"])),
        ..mirror("site/app", &["last/app"])
    }];
    let plan = planned(&second, mirrors);
    assert_eq!((plan.blocked, plan.summary.tags.create), (vec![], 1));
    assert_eq!(plan.notes.len(), 1, "{:?}", plan.notes);
}

#[test]
fn what_can_not_be_counted_blocks_nothing() {
    let world = world(Options::default(), |content| {
        multi(content);
        let digest = content.tags[&"v1".parse().expect("it is a tag")].clone();
        // A fallback tag that is an image.
        let layer = content.layer(Family::Oci, 1, 1);
        let odd = content.image(Family::Oci, "linux/amd64", &[layer]);
        let tag = oci::AttachmentTag::Fallback.of(&digest);
        content.tag(tag.as_str(), &odd);
    });
    let mut mirrors = rewrite(&["linux/amd64"]);
    mirrors[0].referrers = Referrers::None;
    let plan = planned(&world, mirrors);
    assert_eq!((plan.blocked, plan.summary.tags.create), (vec![], 1));
}
