//! Attachments of some artifact types.

use std::collections::BTreeSet;

use oci::Tag;
use planner::Plan;
use planner::spec::{Check, Mirror, Referrers};
use testkit::image::{Content, Family, SBOM, SIGNATURE};
use testkit::world::{Options, ReferrersApi, World, mirror, place};
use transship_planner as planner;

const COSIGN: &str = "application/vnd.dev.cosign.simplesigning.v1+json";

fn some(types: &[&str]) -> Vec<Mirror> {
    let types = types.iter().map(|&artifact_type| artifact_type.to_owned());
    vec![Mirror {
        referrers: Referrers::ArtifactTypes(types.collect()),
        ..mirror("hub/team/app", &["site/app"])
    }]
}

/// An image with a bill of materials, a signature of each, and a signature as cosign's tags have it.
fn signed(content: &mut Content) {
    let layer = content.layer(Family::Oci, 1, 100);
    let image = content.image(Family::Oci, "linux/amd64", &[layer]);
    content.tag("v1", &image);
    content.cosign(&image);
    let mut sbom = content.sbom(&image);
    let mut signature = content.signature(&image);
    let of_sbom = content.signature(&sbom);
    content.fallback(&sbom, &[of_sbom]);
    // Entries need not tell the type: then the manifest does.
    sbom.artifact_type = None;
    signature.artifact_type = None;
    content.fallback(&image, &[sbom, signature]);
}

fn world(api: ReferrersApi, build: impl FnOnce(&mut Content)) -> World {
    let options = || Options {
        referrers: api,
        ..Options::default()
    };
    World::new()
        .registry("hub", options())
        .registry("site", options())
        .holds("hub/team/app", build)
}

fn applied(world: &World, mirrors: &[Mirror]) -> (World, Plan) {
    let mut world = world.clone();
    let spec = world.spec(mirrors.to_vec());
    let plan = world.plan(&spec);
    plan.check().expect("the plan keeps its rules");
    let applied = world.apply(&plan, 1, &mut |_, _| false);
    assert_eq!(applied.violations, Vec::<String>::new());
    assert_eq!(world.plan(&spec).ops, []);
    (world, plan)
}

/// The artifact types of all that refers to something at the target, and the schemes of its attaching tags.
fn attached(world: &World) -> (BTreeSet<String>, BTreeSet<String>) {
    let held = world.at(&place("site/app")).expect("it was written");
    let referring = held
        .manifests
        .values()
        .filter(|manifest| manifest.subject().is_some());
    let types = referring.filter_map(|manifest| manifest.artifact_type().map(str::to_owned));
    let suffix = |tag: &Tag| match oci::AttachmentTag::scheme(tag)? {
        oci::AttachmentTag::Fallback => Some("fallback".to_owned()),
        oci::AttachmentTag::Cosign(_) => Some("cosign".to_owned()),
    };
    (types.collect(), held.tags.keys().filter_map(suffix).collect())
}

fn set(texts: &[&str]) -> BTreeSet<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

#[test]
fn those_of_the_types_follow_and_no_others() {
    for api in [ReferrersApi::Absent, ReferrersApi::Denied] {
        let world = world(api, signed);
        for (types, referrers, tags) in [
            (&[SBOM][..], &[SBOM][..], &["fallback"][..]),
            (&[SIGNATURE], &[SIGNATURE], &["fallback"]),
            (&[SBOM, SIGNATURE], &[SBOM, SIGNATURE], &["fallback"]),
            (&[COSIGN], &[], &["cosign"]),
            (&["application/other"], &[], &[]),
        ] {
            let (world, _) = applied(&world, &some(types));
            assert_eq!(attached(&world), (set(referrers), set(tags)), "{types:?}");
        }
    }
}

#[test]
fn what_a_target_lists_by_itself_needs_no_tag_for_a_part_of_it() {
    let hub = Options::default();
    for api in [ReferrersApi::Announced, ReferrersApi::Present] {
        let site = Options {
            referrers: api,
            ..Options::default()
        };
        let world = World::new()
            .registry("hub", hub.clone())
            .registry("site", site)
            .holds("hub/team/app", signed);
        let mut mirrors = some(&[SBOM]);
        let (after, _) = applied(&world, &mirrors);
        mirrors[0].check = Check::Blobs;
        assert_eq!(after.plan(&after.spec(mirrors)).ops, [], "{api:?}");
    }
}

#[test]
fn what_the_api_lists_is_chosen_by_type_too() {
    let world = world(ReferrersApi::Announced, |content| {
        let layer = content.layer(Family::Oci, 1, 100);
        let image = content.image(Family::Oci, "linux/amd64", &[layer]);
        content.tag("v1", &image);
        let sbom = content.sbom(&image);
        content.signature(&image);
        content.signature(&sbom);
    });
    let (after, plan) = applied(&world, &some(&[SBOM]));
    assert_eq!(attached(&after), (set(&[SBOM]), set(&[])));
    assert_eq!(plan.summary.attachments, 1);
    let (after, _) = applied(&world, &some(&[SBOM, SIGNATURE]));
    assert_eq!(attached(&after), (set(&[SBOM, SIGNATURE]), set(&[])));
}

#[test]
fn a_fallback_tag_that_stands_at_the_target_keeps_what_it_has() {
    let world = world(ReferrersApi::Absent, signed);
    let (signatures, _) = applied(&world, &some(&[SIGNATURE]));
    let (both, _) = applied(&signatures, &some(&[SBOM]));
    assert_eq!(attached(&both).0, set(&[SBOM, SIGNATURE]));
}
