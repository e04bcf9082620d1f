//! Some platforms of an index: what goes, what is left out, and what is said of it.

use insta::assert_snapshot;
use oci::{Descriptor, MediaType, Platform};
use planner::Plan;
use planner::spec::{Mirror, Platforms};
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
    note: site/app: v1 is a new index, so 2 attachments of sha256:02516ad8a24db5d74ac54efaa2602c32b5d196fde349fb9639981791b412f026 are left out: no signature covers the new one

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
