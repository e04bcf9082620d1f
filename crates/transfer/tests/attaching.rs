//! Tags that attach something, while somebody else attaches to the same manifest.

#![expect(clippy::unwrap_used, reason = "a test that can't be set up has failed")]

mod support;

use oci::{AttachmentTag, CosignKind, Manifest, Signatures};
use planner::plan::{Expect, TagRole};
use planner::{Op, OpKind, ProblemKind};
use registry::ErrorKind;
use serde_json::{Value, json};

use support::fake::{Fake, Trouble};
use support::image::Image;
use support::plans::{With, copy, op, plan};
use support::run;

fn tag(kind: CosignKind) -> String {
    AttachmentTag::Cosign(kind)
        .of(Image::new("subject").digest())
        .to_string()
}

fn signature_tag() -> String {
    tag(CosignKind::Signature)
}

fn fallback_tag() -> String {
    AttachmentTag::Fallback
        .of(Image::new("subject").digest())
        .to_string()
}

/// Adds the signatures of an image to what stands at `x`.
fn union(image: &Image) -> Op {
    op("union", OpKind::MergeSignatures, &["x/app"])
        .of(Image::new("subject").digest())
        .tagged(&signature_tag())
        .from("src/app")
        .adding(image.layers())
}

/// A registry where this image stands under the tag for signatures.
fn signed(image: &Image) -> Fake {
    let x = Fake::new("x");
    x.hold("app", &signature_tag(), image);
    x
}

fn signers(manifest: &Manifest) -> Vec<String> {
    let layers = Signatures::of(manifest).unwrap().layers();
    layers
        .iter()
        .map(|layer| layer.annotations["dev.cosignproject.cosign/signature"].clone())
        .collect()
}

#[tokio::test]
async fn signatures_are_added_behind_those_that_stand_there_and_the_config_names_them() {
    let (here, there) = (
        Image::signed_by(&["alice", "bob"]),
        Image::signed_by(&["carol", "alice"]),
    );
    let x = signed(&there);
    let plan = plan(&[], vec![union(&here)]);
    let report = run(&plan, &[&x]).await;
    assert_eq!((report.exit_code, report.ops.done), (0, 1), "{report:#?}");
    assert!(report.changes.is_empty(), "attachments are not tags");
    let united = x.tagged("app", &signature_tag()).unwrap();
    assert_eq!(signers(&united), ["carol", "alice", "bob"]);
    let config = Signatures::of(&united).unwrap().config();
    let config: Value = serde_json::from_slice(&x.blob("app", &config.digest).unwrap()).unwrap();
    let payload = here.layer();
    assert_eq!(config["rootfs"]["diff_ids"], json!([payload, payload, payload]));
    let writes = x.writes();
    let report = run(&plan, &[&x]).await;
    assert_eq!(
        (report.ops.already_done, x.writes()),
        (1, writes),
        "nothing is left to do"
    );
}

#[tokio::test(start_paused = true)]
async fn signatures_that_somebody_else_overwrote_are_added_again() {
    let (here, there) = (Image::signed_by(&["alice"]), Image::signed_by(&["carol"]));
    let plan = plan(&[], vec![union(&here)]);
    let x = signed(&there);
    let other = Image::signed_by(&["dave"]);
    x.hold_blobs("app", &other);
    x.trouble("PUT manifest", 1, Trouble::Replace(Box::new(other.manifest)));
    assert_eq!(run(&plan, &[&x]).await.ops.done, 1);
    assert_eq!(
        signers(&x.tagged("app", &signature_tag()).unwrap()),
        ["dave", "alice"]
    );
    let x = signed(&there);
    x.trouble("PUT manifest", 99, Trouble::Lose);
    let report = run(&plan, &[&x]).await;
    assert_eq!((report.ops.failed, x.count("PUT manifest")), (1, 5));
    assert!(report.failures[0].error.contains("somebody else"));
    assert_eq!(report.exit_code, 75, "others may be done the next time");
}

#[tokio::test]
async fn a_tag_that_can_not_be_moved_is_told_with_what_helps() {
    let x = signed(&Image::signed_by(&["carol"]));
    x.trouble("PUT manifest", 9, Trouble::Error(ErrorKind::Immutable));
    let plan = plan(&[], vec![union(&Image::signed_by(&["alice"]))]);
    let report = run(&plan, &[&x]).await;
    let failure = &report.failures[0];
    assert_eq!(failure.kind, ProblemKind::Immutable);
    assert!(failure.hint.as_ref().unwrap().contains("`.sig`"), "{failure:?}");
}

#[tokio::test]
async fn a_cosign_tag_that_is_gone_since_the_plan_is_stale() {
    let x = Fake::new("x");
    let plan = plan(&[], vec![union(&Image::signed_by(&["alice"]))]);
    let report = run(&plan, &[&x]).await;
    assert_eq!(report.failures[0].kind, ProblemKind::Stale);
    assert_eq!(x.writes(), 0);
}

/// The op that puts an attaching tag which the plan saw absent.
fn attaching(image: &Image, tag: &str) -> Vec<Op> {
    copy("signature", image, tag, "src/app", &["x/app"])
}

#[tokio::test]
async fn a_cosign_tag_that_somebody_else_has_put_since_the_plan_is_extended() {
    let ours = Image::signed_by(&["alice"]);
    let src = Fake::new("src");
    src.hold("app", &signature_tag(), &ours);
    let x = signed(&Image::signed_by(&["carol"]));
    let plan = plan(&[&ours], attaching(&ours, &signature_tag()));
    let report = run(&plan, &[&src, &x]).await;
    assert_eq!(report.exit_code, 0, "{report:#?}");
    let standing = x.tagged("app", &signature_tag()).unwrap();
    assert_eq!(signers(&standing), ["carol", "alice"]);
    assert!(
        x.manifest("app", ours.digest()).is_none(),
        "ours is not put beside"
    );
    let report = run(&plan, &[&src, &x]).await;
    assert_eq!((report.exit_code, report.ops.done), (0, 0));
}

#[tokio::test]
async fn a_cosign_tag_that_somebody_else_puts_over_ours_is_extended() {
    let (ours, theirs) = (Image::signed_by(&["alice"]), Image::signed_by(&["carol", "dave"]));
    let (src, x) = (Fake::new("src"), Fake::new("x"));
    src.hold("app", &signature_tag(), &ours);
    x.hold_blobs("app", &theirs);
    x.trouble("PUT manifest", 1, Trouble::Replace(Box::new(theirs.manifest)));
    let report = run(&plan(&[&ours], attaching(&ours, &signature_tag())), &[&src, &x]).await;
    assert_eq!(report.exit_code, 0, "{report:#?}");
    let standing = x.tagged("app", &signature_tag()).unwrap();
    assert_eq!(signers(&standing), ["carol", "dave", "alice"]);
}

#[tokio::test]
async fn a_bill_of_materials_that_somebody_else_has_put_since_the_plan_stays_and_is_named() {
    let (ours, theirs) = (Image::signed_by(&["ours"]), Image::signed_by(&["theirs"]));
    let tag = tag(CosignKind::Sbom);
    let (src, x) = (Fake::new("src"), Fake::new("x"));
    src.hold("app", &tag, &ours);
    x.hold("app", &tag, &theirs);
    let report = run(&plan(&[&ours], attaching(&ours, &tag)), &[&src, &x]).await;
    assert_eq!(report.failures[0].kind, ProblemKind::Stale);
    assert_eq!(x.tag("app", &tag).as_ref(), Some(theirs.digest()));
}

#[tokio::test]
async fn a_fallback_tag_that_somebody_else_has_put_since_the_plan_is_completed() {
    let (first, second) = (Image::new("one"), Image::new("two"));
    let index = |image: &Image| {
        let document = json!({ "schemaVersion": 2, "manifests": [image.manifest.descriptor()] });
        let manifest = Manifest::parse(document.to_string().into(), None).unwrap();
        let blobs = Vec::new();
        Image { manifest, blobs }
    };
    let (ours, theirs) = (index(&second), index(&first));
    let (src, x) = (Fake::new("src"), Fake::new("x"));
    src.hold("app", &fallback_tag(), &ours);
    x.hold("app", &fallback_tag(), &theirs);
    let put = op("put", OpKind::PutTag, &["x/app"]).of(ours.digest());
    let put = put.tagged(&fallback_tag()).from("src/app");
    let report = run(&plan(&[&ours], vec![put]), &[&src, &x]).await;
    assert_eq!(report.exit_code, 0, "{report:#?}");
    let standing = x.tagged("app", &fallback_tag()).unwrap();
    let listed: Vec<_> = standing.children().map(|child| &child.digest).collect();
    assert_eq!(listed, [first.digest(), second.digest()]);
}

#[tokio::test]
async fn a_selected_tag_moves_whatever_its_spelling_and_is_counted() {
    let (ours, theirs) = (Image::signed_by(&["alice"]), Image::signed_by(&["carol"]));
    let src = Fake::new("src");
    src.hold("app", &signature_tag(), &ours);
    let x = signed(&theirs);
    let select = |seen: &Image| {
        let mut ops = attaching(&ours, &signature_tag());
        for op in ops.iter_mut().filter(|op| op.kind == OpKind::PutTag) {
            op.role = Some(TagRole::Selected);
            op.at[0].expect = Some(Expect::Digest(seen.digest().clone()));
        }
        plan(&[&ours], ops)
    };
    let report = run(&select(&Image::signed_by(&["dave"])), &[&src, &x]).await;
    assert_eq!(
        report.failures[0].kind,
        ProblemKind::Stale,
        "it moved since the plan"
    );
    assert_eq!(x.tag("app", &signature_tag()).as_ref(), Some(theirs.digest()));
    let report = run(&select(&theirs), &[&src, &x]).await;
    assert_eq!((report.exit_code, report.tags.written), (0, 1), "{report:#?}");
    assert_eq!(report.changes.len(), 1);
    assert_eq!(x.tag("app", &signature_tag()).as_ref(), Some(ours.digest()));
}
