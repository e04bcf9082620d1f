//! Cosign tags that stand on both sides and differ: their layers are united.

use oci::{AttachmentTag, CosignKind, Descriptor, MediaType, Signatures, Tag};
use planner::plan::{Expect, TagRole};
use planner::spec::{Check, Mirror, Pinned, Target};
use planner::{Creation, Immutable, OpKind, Plan, PlanError, Standing};
use serde_json::json;
use testkit::image::{Content, Family};
use testkit::world::{ModelRepository, Options, World, mirror, place};
use transship_planner as planner;

fn image(content: &mut Content) -> Descriptor {
    let layer = content.layer(Family::Oci, 1, 1000);
    let image = content.image(Family::Oci, "linux/amd64", &[layer]);
    content.tag("v1", &image);
    image
}

/// `v1`, signed by these.
fn signed_by(signers: &'static [&'static str]) -> impl Fn(&mut Content) {
    move |content| {
        let image = image(content);
        content.cosign_by(&image, signers);
    }
}

/// `v1` with attestations, each a layer of its own.
fn attested(statements: &'static [&'static str]) -> impl Fn(&mut Content) {
    move |content| {
        let subject = image(content);
        let layer = |text: &&str| {
            let media_type = MediaType::new("application/vnd.dsse.envelope.v1+json");
            content.blob(media_type, format!("{{\"payload\":\"{text}\"}}"))
        };
        let layers: Vec<_> = statements.iter().map(layer).collect();
        let attestations = content.image(Family::Oci, "linux/amd64", &layers);
        content.tag(
            cosign_tag(&subject, CosignKind::Attestation).as_str(),
            &attestations,
        );
    }
}

fn cosign_tag(subject: &Descriptor, kind: CosignKind) -> Tag {
    AttachmentTag::Cosign(kind).of(&subject.digest)
}

fn signature_tag() -> Tag {
    cosign_tag(&image(&mut Content::new()), CosignKind::Signature)
}

fn world() -> World {
    World::new()
        .registry("hub", Options::default())
        .registry("site", Options::default())
}

fn plan(world: &World) -> Plan {
    world.plan(&world.spec(vec![mirror("hub/app", &["site/app"])]))
}

fn apply(world: &mut World, plan: &Plan) {
    plan.check().expect("a plan keeps its rules");
    let applied = world.apply(plan, 1, &mut |_, _| false);
    assert_eq!(applied.violations, Vec::<String>::new());
}

/// Who has signed at the target, in the order of the layers.
fn signers(world: &World) -> Vec<String> {
    let held = world.at(&place("site/app")).expect("it stands");
    let image = held.find(&signature_tag().into()).expect("the tag stands");
    let layers = Signatures::of(image).expect("it holds signatures").layers();
    layers
        .iter()
        .map(|layer| layer.annotations[testkit::image::SIGNED].replace("by ", ""))
        .collect()
}

fn kinds(plan: &Plan) -> Vec<OpKind> {
    plan.ops.iter().map(|op| op.kind).collect()
}

#[test]
fn what_the_target_lacks_is_added_behind_what_stands_there() {
    let mut world = world()
        .holds("hub/app", signed_by(&["bob", "alice"]))
        .holds("site/app", signed_by(&["carol", "alice"]));
    let plan = plan(&world);
    insta::assert_snapshot!(plan.text(), @r"
    ~ site/app  1 attachment extended by 1 layer

    Plan: 0 tags to create, 0 to update, 0 to delete; 0 repositories to create; read 0 B, upload 0 B, mount 0 B.
    ");
    // The payload is the same for every signer, so its blob stands there.
    assert_eq!(kinds(&plan), [OpKind::MergeSignatures]);
    assert_eq!(plan.summary.attachments, 1);
    assert_eq!(
        (plan.ops[0].entries.len(), &plan.ops[0].from),
        (1, &Some(place("hub/app")))
    );
    apply(&mut world, &plan);
    assert_eq!(signers(&world), ["carol", "alice", "bob"]);
    assert_eq!(self::plan(&world).text(), "No changes. Every target matches.\n");
}

#[test]
fn a_layer_lands_before_the_image_that_names_it() {
    let mut world = world()
        .holds("hub/app", attested(&["provenance", "scan"]))
        .holds("site/app", attested(&["scan"]));
    let plan = plan(&world);
    assert_eq!(kinds(&plan), [OpKind::UploadBlob, OpKind::MergeSignatures]);
    assert_eq!(plan.ops[1].after, [plan.ops[0].id.clone()]);
    let mut hasty = plan.clone();
    hasty.ops[1].after.clear();
    assert!(
        matches!(hasty.check(), Err(PlanError::Rule(rule)) if rule.contains("signatures-1 does not wait"))
    );
    apply(&mut world, &plan);
    assert!(self::plan(&world).ops.is_empty());
}

#[test]
fn a_target_that_holds_more_is_unchanged() {
    let world = world()
        .holds("hub/app", signed_by(&["alice"]))
        .holds("site/app", signed_by(&["carol", "alice"]));
    assert_eq!(plan(&world).text(), "No changes. Every target matches.\n");
}

fn into(from: &str, template: &str) -> Mirror {
    let mut mirror = mirror(from, &[]);
    mirror.sources[0].targets.push(Target {
        place: place("site/app"),
        tag: Some(template.to_owned()),
    });
    mirror
}

#[test]
fn what_a_second_source_has_signed_is_added_once_the_tag_of_the_first_stands() {
    let mut world = world()
        .holds("hub/one", signed_by(&["alice", "bob"]))
        .holds("hub/two", signed_by(&["bob", "carol"]));
    let mirrors = vec![into("hub/one", "{tag}-one"), into("hub/two", "{tag}-two")];
    let spec = world.spec(mirrors);
    let plan = world.plan(&spec);
    let at = |what: OpKind, tag: &Tag| {
        let found = plan
            .ops
            .iter()
            .find(|op| op.kind == what && op.tag.as_ref() == Some(tag));
        found.expect("it is planned")
    };
    let (put, union) = (
        at(OpKind::PutTag, &signature_tag()),
        at(OpKind::MergeSignatures, &signature_tag()),
    );
    assert!(union.after.contains(&put.id));
    let two = at(OpKind::PutTag, &"v1-two".parse().expect("it is a tag"));
    assert!(two.after.contains(&union.id), "the tag waits for its signature");
    assert_eq!(
        plan.summary.manifests.put,
        1,
        "the second image is not put: {}",
        plan.to_json()
    );
    apply(&mut world, &plan);
    assert_eq!(signers(&world), ["alice", "bob", "carol"]);
    assert!(world.plan(&spec).ops.is_empty());
}

/// `v1`, signed by so many, of which each has a certificate of so many bytes.
fn signed_at_length(first: usize, count: usize, bytes: usize) -> impl Fn(&mut Content) {
    move |content| {
        let image = image(content);
        let signers: Vec<String> = (first..first + count)
            .map(|number| format!("{number}{}", "x".repeat(bytes)))
            .collect();
        content.cosign_by(&image, &signers.iter().map(String::as_str).collect::<Vec<_>>());
    }
}

#[test]
fn no_more_is_united_than_a_manifest_may_hold() {
    let world = world()
        .holds("hub/app", signed_at_length(0, 300, 7000))
        .holds("site/app", signed_at_length(300, 400, 7000));
    assert!(left(&world).ends_with("registries take no manifest of more than 4194304 bytes"));
}

#[test]
fn what_several_sources_add_is_bounded_together() {
    let mut world = world()
        .holds("hub/one", signed_at_length(0, 250, 7000))
        .holds("hub/two", signed_at_length(250, 250, 7000))
        .holds("site/app", signed_at_length(500, 250, 7000));
    let spec = world.spec(vec![into("hub/one", "{tag}-one"), into("hub/two", "{tag}-two")]);
    let plan = world.plan(&spec);
    let unions = plan.ops.iter().filter(|op| op.kind == OpKind::MergeSignatures);
    let added: Vec<usize> = unions.map(|op| op.entries.len()).collect();
    assert_eq!(added, [250]);
    let note = "gets nothing from hub/two: registries take no manifest of more than 4194304 bytes";
    assert!(plan.notes[0].text.ends_with(note), "{:?}", plan.notes);
    apply(&mut world, &plan);
    assert_eq!(signers(&world).len(), 500);
    assert!(world.plan(&spec).ops.is_empty());
}

#[test]
fn what_can_not_be_united_is_not_sent() {
    let with = |text: &'static str| {
        move |content: &mut Content| {
            let subject = image(content);
            let layer = content.blob(MediaType::new("text/spdx+json"), text);
            let sbom = content.image(Family::Oci, "linux/amd64", &[layer]);
            content.tag(cosign_tag(&subject, CosignKind::Sbom).as_str(), &sbom);
        }
    };
    let mut world = world().holds("hub/one", with("1")).holds("hub/two", with("2"));
    let two = world.at(&place("hub/two")).expect("it was added");
    let tag = cosign_tag(&image(&mut Content::new()), CosignKind::Sbom);
    let second = two.tags[&tag].clone();
    let spec = world.spec(vec![into("hub/one", "{tag}-one"), into("hub/two", "{tag}-two")]);
    let plan = world.plan(&spec);
    assert_eq!(plan.notes.len(), 1, "{:?}", plan.notes);
    assert_eq!(plan.summary.attachments, 1);
    assert!(!plan.manifests.contains_key(&second));
    apply(&mut world, &plan);
    let later = world.plan(&spec);
    assert!(later.ops.is_empty(), "{}", later.text());
}

#[test]
fn a_layer_that_was_lost_behind_a_united_tag_is_sent_again() {
    let mut world = world()
        .holds("hub/app", attested(&["scan"]))
        .holds("site/app", attested(&["provenance", "scan"]));
    let scan = world.at(&place("hub/app")).expect("it was added");
    let subject = image(&mut Content::new());
    let held = scan.find(&cosign_tag(&subject, CosignKind::Attestation).into());
    let lost = Signatures::of(held.expect("it was added"))
        .expect("it holds attestations")
        .layers()[0]
        .digest
        .clone();
    world.at_mut(&place("site/app")).blobs.remove(&lost);
    assert!(plan(&world).ops.is_empty());
    let spec = world.spec(vec![Mirror {
        check: Check::Blobs,
        ..mirror("hub/app", &["site/app"])
    }]);
    let plan = world.plan(&spec);
    assert_eq!(kinds(&plan), [OpKind::UploadBlob]);
    assert_eq!(plan.ops[0].digest.as_ref(), Some(&lost));
    let capabilities = world.capabilities();
    let survey = world.survey(&spec, &capabilities);
    let closure = planner::closure(&spec, &capabilities, &survey);
    let held = &closure[&place("site/app")];
    assert!(held.blobs.contains_key(&lost));
    assert!(held.manifests.iter().all(|digest| {
        world
            .at(&place("site/app"))
            .is_some_and(|held| held.manifests.contains_key(digest))
    }));
}

/// Returns the notes of a plan that leaves everything as it is.
fn left(world: &World) -> String {
    let plan = plan(world);
    assert!(plan.ops.is_empty() && plan.blocked.is_empty(), "{}", plan.text());
    let notes: Vec<String> = plan.notes.into_iter().map(|note| note.text).collect();
    notes.join("\n")
}

#[test]
fn bills_of_materials_are_not_united_as_cosign_reads_one() {
    let with = |text: &'static str| {
        move |content: &mut Content| {
            let subject = image(content);
            let layer = content.blob(MediaType::new("text/spdx+json"), text);
            let sbom = content.image(Family::Oci, "linux/amd64", &[layer]);
            content.tag(cosign_tag(&subject, CosignKind::Sbom).as_str(), &sbom);
        }
    };
    let world = world().holds("hub/app", with("1")).holds("site/app", with("2"));
    assert!(left(&world).ends_with("left as it is: cosign reads one bill of materials alone"));
}

#[test]
fn what_is_no_image_of_signatures_is_left() {
    let index = |content: &mut Content| {
        let subject = image(content);
        let index = content.index(Family::Oci, std::slice::from_ref(&subject));
        content.tag(signature_tag().as_str(), &index);
    };
    let world = world()
        .holds("hub/app", signed_by(&["alice"]))
        .holds("site/app", index);
    assert!(left(&world).ends_with("left as it is: what is not a list of signatures can't be united"));
}

#[test]
fn what_is_of_another_kind_is_left() {
    let artifact = |content: &mut Content| {
        let subject = image(content);
        let config = content.blob(MediaType::OCI_EMPTY, "{}");
        let layer = content.blob(MediaType::new("application/x"), "x");
        let image = content.image_of(Family::Oci, &config, &[layer]);
        content.tag(cosign_tag(&subject, CosignKind::Signature).as_str(), &image);
    };
    let world = world()
        .holds("hub/app", signed_by(&["alice"]))
        .holds("site/app", artifact);
    assert!(left(&world).ends_with("left as it is: the two are of different kinds"));
}

#[test]
fn no_more_signatures_are_united_than_cosign_reads() {
    let many = |content: &mut Content| {
        let image = image(content);
        let signers: Vec<String> = (0..oci::MAX_SIGNATURES)
            .map(|number| number.to_string())
            .collect();
        content.cosign_by(&image, &signers.iter().map(String::as_str).collect::<Vec<_>>());
    };
    let world = world()
        .holds("hub/app", signed_by(&["alice"]))
        .holds("site/app", many);
    assert!(left(&world).ends_with("left as it is: cosign reads no more than 1000 signatures"));
}

#[test]
fn a_tag_that_its_registry_does_not_let_move_is_left() {
    let mut world = by_call()
        .holds("hub/app", signed_by(&["alice"]))
        .holds("site/app", signed_by(&["carol"]));
    immutable(&mut world);
    assert!(left(&world).ends_with("left as it is: the registry does not let it move"));
    let free = world
        .registries
        .get_mut(&place("site/app").registry)
        .expect("it was added");
    free.units.clear();
    assert_eq!(kinds(&plan(&world)), [OpKind::MergeSignatures]);
}

#[test]
fn a_plan_with_unions_is_read_back_as_it_was_written() {
    let world = world()
        .holds("hub/app", signed_by(&["alice"]))
        .holds("site/app", signed_by(&["carol"]));
    let plan = plan(&world);
    let json = plan.to_json();
    assert_eq!(Plan::from_json(json.as_bytes()).expect("it is a plan"), plan);
    let op = &serde_json::from_str::<serde_json::Value>(&json).expect("it is JSON")["ops"][0];
    assert_eq!(op["kind"], "merge_signatures");
    assert_eq!(
        op["entries"][0]["annotations"],
        json!({ testkit::image::SIGNED: "by alice" })
    );
}

#[test]
fn an_image_of_signatures_that_is_tagged_for_itself_is_copied_whole() {
    let tagged = |content: &mut Content| {
        let image = image(content);
        let signatures = content.cosign_by(&image, &["alice"]);
        content.tag("signatures", &signatures);
    };
    let mut world = world()
        .holds("hub/app", tagged)
        .holds("site/app", signed_by(&["carol"]));
    let plan = plan(&world);
    apply(&mut world, &plan);
    assert_eq!(signers(&world), ["carol", "alice"]);
    let held: &ModelRepository = world.at(&place("site/app")).expect("it stands");
    let tag: Tag = "signatures".parse().expect("it is a tag");
    assert_eq!(
        held.tags[&tag],
        world.at(&place("hub/app")).expect("it was added").tags[&tag]
    );
    assert!(self::plan(&world).ops.is_empty());
}

#[test]
fn a_cosign_tag_that_is_selected_moves_as_any_other() {
    let mut world = world()
        .holds("hub/app", signed_by(&["alice"]))
        .holds("site/app", signed_by(&["carol"]));
    let mut pin = mirror("hub/app", &["site/app"]);
    pin.sources[0].pinned = Some(Pinned {
        tag: Some(signature_tag()),
        digest: None,
    });
    let spec = world.spec(vec![pin]);
    let stood = world.at(&place("site/app")).expect("it was added").tags[&signature_tag()].clone();
    let plan = world.plan(&spec);
    let text = plan
        .text()
        .replace(signature_tag().as_str(), "sha256-SUBJECT.sig");
    assert!(
        text.starts_with("~ site/app:sha256-SUBJECT.sig  sha256:"),
        "{text}"
    );
    assert!(!text.contains("attachment"), "{text}");
    let put = plan
        .ops
        .iter()
        .find(|op| op.kind == OpKind::PutTag)
        .expect("it is planned");
    assert_eq!(put.tag_role(), Some(TagRole::Selected));
    assert_eq!(put.at[0].expect, Some(Expect::Digest(stood)));
    assert_eq!(
        Plan::from_json(plan.to_json().as_bytes()).expect("it is a plan"),
        plan
    );
    apply(&mut world, &plan);
    assert_eq!(signers(&world), ["alice"]);
    assert_eq!(world.plan(&spec).text(), "No changes. Every target matches.\n");
}

#[test]
fn without_a_role_the_spelling_of_a_tag_tells_what_it_is_for() {
    let world = world().holds("hub/app", signed_by(&["alice"]));
    let plan = plan(&world);
    assert!(!plan.to_json().contains("\"role\""));
    let roles = plan
        .ops
        .iter()
        .filter_map(|op| Some((op.tag.clone()?, op.tag_role()?)));
    let v1: Tag = "v1".parse().expect("it is a tag");
    let expected = [(signature_tag(), TagRole::Attachment), (v1, TagRole::Selected)];
    assert_eq!(roles.collect::<Vec<_>>(), expected);
}

/// Lets no tag of the target move.
fn immutable(world: &mut World) {
    let immutable = Standing {
        immutable: Immutable::Except(Vec::new()),
        ..Standing::default()
    };
    let site = world.registries.get_mut(&place("site/app").registry);
    let site = site.expect("it was added");
    site.units.insert(place("site/app").repository, immutable);
}

fn by_call() -> World {
    let target = Options {
        creation: Creation::Call,
        ..Options::default()
    };
    World::new()
        .registry("hub", Options::default())
        .registry("site", target)
}

#[test]
fn what_a_second_source_has_signed_is_left_where_the_tag_of_the_first_will_not_move() {
    let mut world = by_call()
        .holds("hub/one", signed_by(&["alice"]))
        .holds("hub/two", signed_by(&["bob"]))
        .holds("site/app", |content: &mut Content| {
            let other = content.layer(Family::Oci, 9, 10);
            let other = content.image(Family::Oci, "linux/amd64", &[other]);
            content.tag("other", &other);
        });
    immutable(&mut world);
    let spec = world.spec(vec![into("hub/one", "{tag}-one"), into("hub/two", "{tag}-two")]);
    let plan = world.plan(&spec);
    assert!(
        !kinds(&plan).contains(&OpKind::MergeSignatures),
        "{}",
        plan.text()
    );
    assert_eq!(plan.notes.len(), 1);
    assert!(plan.notes[0].text.ends_with("the registry does not let it move"));
    apply(&mut world, &plan);
    assert_eq!(signers(&world), ["alice"]);
    assert!(world.plan(&spec).ops.is_empty());
}

#[test]
fn entries_are_left_out_of_a_fallback_tag_that_will_not_move() {
    let one = |content: &mut Content| {
        let subject = image(content);
        let sbom = content.sbom(&subject);
        content.fallback(&subject, &[sbom]);
    };
    let two = |content: &mut Content| {
        let subject = image(content);
        let referrers = [content.sbom(&subject), content.signature(&subject)];
        content.fallback(&subject, &referrers);
    };
    let mut world = by_call().holds("hub/app", two).holds("site/app", one);
    let merges = |plan: &Plan| kinds(plan).contains(&OpKind::MergeReferrers);
    assert!(merges(&plan(&world)));
    immutable(&mut world);
    let plan = plan(&world);
    assert!(!merges(&plan), "{}", plan.text());
    assert!(
        plan.notes[0]
            .text
            .ends_with("left as it is: the registry does not let it move")
    );
    apply(&mut world, &plan);
    assert!(self::plan(&world).ops.is_empty());
}

/// What should stand at the target.
fn closure(world: &World) -> planner::Contents {
    let spec = world.spec(vec![Mirror {
        check: Check::Blobs,
        ..mirror("hub/app", &["site/app"])
    }]);
    let capabilities = world.capabilities();
    let survey = world.survey(&spec, &capabilities);
    planner::closure(&spec, &capabilities, &survey)[&place("site/app")].clone()
}

#[test]
fn what_is_looked_at_holds_the_united_image_of_the_target_and_its_config() {
    let world = world()
        .holds("hub/app", signed_by(&["alice"]))
        .holds("site/app", signed_by(&["carol", "alice"]));
    let held = closure(&world);
    let there = world.at(&place("site/app")).expect("it was added");
    let united = there.find(&signature_tag().into()).expect("the tag stands");
    assert!(held.manifests.contains(united.digest()));
    let config = Signatures::of(united).expect("it holds signatures").config();
    assert!(held.blobs.contains_key(&config.digest));
    assert!(held.apart.is_empty());
}

#[test]
fn signatures_that_can_not_be_united_are_told_apart() {
    let index = |content: &mut Content| {
        let subject = image(content);
        let index = content.index(Family::Oci, std::slice::from_ref(&subject));
        content.tag(signature_tag().as_str(), &index);
    };
    let world = world()
        .holds("hub/app", signed_by(&["alice"]))
        .holds("site/app", index);
    let reason = &closure(&world).apart[&signature_tag()];
    assert_eq!(reason, "what is not a list of signatures can't be united");
}
