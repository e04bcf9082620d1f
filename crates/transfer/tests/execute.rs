//! Executing plans: what is asked of whom, and what fails with what.

#![expect(clippy::unwrap_used, reason = "a test that can't be set up has failed")]

mod support;

use oci::{Digest, Manifest};
use planner::plan::Expect;
use planner::{OpKind, Plan, Problem, ProblemKind, Side};
use registry::{ErrorKind, Registry};
use transship_transfer::RunOutcome;

use support::fake::{Fake, Mounts, Trouble};
use support::image::Image;
use support::plans::{With, copy, op, plan};
use support::run;

fn source(image: &Image) -> Fake {
    let source = Fake::new("src");
    source.hold("app", "v1", image);
    source
}

fn large() -> Image {
    Image::new(vec![7_u8; 5 << 20])
}

fn copied(image: &Image, to: &[&str]) -> Plan {
    plan(&[image], copy("app", image, "v1", "src/app", to))
}

#[tokio::test]
async fn one_read_feeds_every_target() {
    let image = large();
    let (src, x, y, z) = (source(&image), Fake::new("x"), Fake::new("y"), Fake::new("z"));
    let report = run(&copied(&image, &["x/app", "y/app", "z/app"]), &[&src, &x, &y, &z]).await;
    assert_eq!((report.outcome, report.exit_code), (RunOutcome::Succeeded, 0));
    assert_eq!(src.count(&format!("GET blob {}", image.layer())), 1);
    assert_eq!(src.count("GET manifest"), 1, "manifests are read once too");
    for target in [&x, &y, &z] {
        assert!(target.holds("app", &image));
        assert_eq!(target.tag("app", "v1").as_ref(), Some(image.digest()));
        assert_eq!(target.count("PUT blob"), 2);
    }
    let size = (5 << 20) + 2;
    assert_eq!(report.bytes.read[&"src".parse().unwrap()], size);
    assert_eq!(
        report.bytes.written.values().copied().collect::<Vec<_>>(),
        [size; 3]
    );
    assert_eq!(
        (report.ops.done, report.tags.written, report.changes.len()),
        (9, 3, 3)
    );
    assert_eq!(report.changes[0].before, None);
    assert_eq!(report.requests[&"x".parse().unwrap()], x.traffic().requests);
}

#[tokio::test]
async fn executing_again_writes_nothing() {
    let image = large();
    let (src, x, y) = (source(&image), Fake::new("x"), Fake::new("y"));
    let plan = copied(&image, &["x/app", "y/app"]);
    run(&plan, &[&src, &x, &y]).await;
    [&src, &x, &y].into_iter().for_each(Fake::forget_log);
    let report = run(&plan, &[&src, &x, &y]).await;
    assert_eq!((report.ops.already_done, report.exit_code), (6, 0));
    assert_eq!((report.tags.written, report.tags.unchanged), (0, 2));
    assert_eq!((x.writes(), y.writes()), (0, 0));
    assert!(src.log().is_empty(), "nothing was read");
}

#[tokio::test]
async fn nothing_is_written_before_a_head_said_that_it_is_missing() {
    let image = large();
    let (src, x) = (source(&image), Fake::new("x"));
    run(&copied(&image, &["x/app"]), &[&src, &x]).await;
    let log = x.log();
    let first = |pattern: &str| log.iter().position(|line| line.contains(pattern)).unwrap();
    assert!(first("HEAD blob") < first("POST upload"));
    assert!(first("HEAD manifest v1") < first("PUT manifest v1"));
}

#[tokio::test]
async fn refused_mounts_share_one_read() {
    let image = large();
    let layer = image.layer();
    let src = source(&image);
    let x = Fake::new("x");
    let (y, z) = (
        Fake::new("y").mounts(Mounts::Declined),
        Fake::new("z").mounts(Mounts::Refused),
    );
    x.hold_blobs("base", &image);
    let places = ["x/app<base", "y/app<base", "z/app<base"];
    let mount = op("mount", OpKind::MountBlob, &places).of(&layer).from("src/app");
    let report = run(&plan(&[&image], vec![mount]), &[&src, &x, &y, &z]).await;
    assert_eq!((report.ops.mounted, report.ops.done), (1, 2));
    assert_eq!(src.count("GET blob"), 1);
    assert_eq!(y.count("POST"), 1, "the declined mount's session is used");
    assert_eq!((x.count("PUT"), y.count("PUT"), z.count("PUT")), (0, 1, 1));
    assert_eq!(report.bytes.mounted[&"x".parse().unwrap()], 5 << 20);
}

#[tokio::test]
async fn a_refused_mount_without_a_source_reads_where_it_was_to_be_mounted_from() {
    let image = large();
    let x = Fake::new("x").mounts(Mounts::Refused);
    x.hold_blobs("base", &image);
    let mount = op("mount", OpKind::MountBlob, &["x/app<base"]).of(&image.layer());
    let report = run(&plan(&[&image], vec![mount]), &[&x]).await;
    assert_eq!(report.exit_code, 0);
    assert_eq!(x.count(&format!("GET blob {} base", image.layer())), 1);
}

#[tokio::test]
async fn a_seed_that_failed_does_not_sink_the_mounts() {
    let image = large();
    let (src, x) = (source(&image), Fake::new("x"));
    x.trouble("POST upload base", 9, Trouble::Error(ErrorKind::Permission));
    let layer = image.layer();
    let ops = vec![
        op("seed", OpKind::UploadBlob, &["x/base"])
            .of(&layer)
            .from("src/app"),
        op("mount", OpKind::MountBlob, &["x/app<base"])
            .of(&layer)
            .from("src/app")
            .after_end(&["seed"]),
    ];
    let report = run(&plan(&[&image], ops), &[&src, &x]).await;
    assert_eq!((report.ops.failed, report.ops.done), (1, 1));
    assert_eq!(x.count("PUT blob"), 1);
    assert_eq!((report.exit_code, report.outcome), (77, RunOutcome::Partial));
}

#[tokio::test]
async fn what_waits_for_a_failure_is_skipped_at_that_place_alone() {
    let image = large();
    let (src, x, y) = (source(&image), Fake::new("x"), Fake::new("y"));
    x.trouble("POST upload", 9, Trouble::Error(ErrorKind::Quota));
    let report = run(&copied(&image, &["x/app", "y/app"]), &[&src, &x, &y]).await;
    assert!(y.holds("app", &image) && y.tag("app", "v1").is_some());
    assert_eq!(x.tag("app", "v1"), None);
    assert_eq!(
        (report.ops.failed, report.ops.skipped, report.tags.failed),
        (2, 1, 1)
    );
    assert!(
        report
            .failures
            .iter()
            .all(|failure| failure.kind == ProblemKind::Quota)
    );
    assert_eq!(src.count(&format!("GET blob {}", image.layer())), 1);
}

#[tokio::test]
async fn a_stale_tag_stays_and_everything_else_lands() {
    let (image, other) = (large(), Image::new("other"));
    let (src, x) = (source(&image), Fake::new("x"));
    x.hold("app", "v1", &other);
    let mut ops = copy("app", &image, "v1", "src/app", &["x/app"]);
    ops.push(
        op("next", OpKind::PutManifest, &["x/app"])
            .of(image.digest())
            .from("src/app")
            .after(&["app-tag"]),
    );
    let report = run(&plan(&[&image], ops), &[&src, &x]).await;
    assert_eq!(x.tag("app", "v1").as_ref(), Some(other.digest()));
    assert!(x.holds("app", &image), "blobs and the manifest are there");
    assert_eq!(
        report.ops.already_done, 2,
        "the config stood there, and what waits for the tag goes on"
    );
    let failure = &report.failures[0];
    assert_eq!((failure.kind, failure.side), (ProblemKind::Stale, Side::Target));
    assert!(
        failure.error.contains(&other.digest().to_string()),
        "{}",
        failure.error
    );
    assert_eq!(failure.tag.as_ref().unwrap().as_str(), "v1");
    assert_eq!(
        (report.exit_code, report.tags.failed, report.changes.len()),
        (1, 1, 0)
    );
}

#[tokio::test]
async fn a_tag_that_stands_where_it_was_seen_is_moved() {
    let (image, old) = (large(), Image::new("old"));
    let (src, x) = (source(&image), Fake::new("x"));
    x.hold("app", "v1", &old);
    let mut ops = copy("app", &image, "v1", "src/app", &["x/app"]);
    ops[2] = ops[2].clone().expecting(Expect::Digest(old.digest().clone()));
    let report = run(&plan(&[&image], ops), &[&src, &x]).await;
    assert_eq!(x.tag("app", "v1").as_ref(), Some(image.digest()));
    assert_eq!(report.changes[0].before.as_ref(), Some(old.digest()));
    assert_eq!(&report.changes[0].after, image.digest());
}

#[tokio::test]
async fn a_tag_that_vanished_is_stale_too() {
    let image = large();
    let (src, x) = (source(&image), Fake::new("x"));
    let mut ops = copy("app", &image, "v1", "src/app", &["x/app"]);
    ops[2] = ops[2].clone().expecting(Expect::Digest(Digest::sha256(b"gone")));
    let report = run(&plan(&[&image], ops), &[&src, &x]).await;
    assert_eq!(x.tag("app", "v1"), None);
    assert!(x.holds("app", &image));
    assert!(report.failures[0].error.contains("is gone"));
}

#[tokio::test]
async fn an_immutable_tag_stays_and_its_manifest_lands() {
    let image = large();
    let (src, x) = (source(&image), Fake::new("x"));
    x.trouble("PUT manifest v1", 1, Trouble::Error(ErrorKind::Immutable));
    let report = run(&copied(&image, &["x/app"]), &[&src, &x]).await;
    assert!(x.holds("app", &image));
    assert_eq!(report.failures[0].kind, ProblemKind::Immutable);
}

#[tokio::test]
async fn a_registry_that_can_not_be_reached_is_named_once_and_costs_nobody_else() {
    let images: Vec<Image> = (0..20).map(|index| Image::new(vec![index; 1000])).collect();
    let (src, x, y) = (Fake::new("src"), Fake::new("x"), Fake::new("y"));
    y.trouble("", usize::MAX, Trouble::Unreachable);
    let mut ops = Vec::new();
    for (index, image) in images.iter().enumerate() {
        src.hold("app", &format!("v{index}"), image);
        ops.extend(copy(
            &format!("app{index}"),
            image,
            &format!("v{index}"),
            "src/app",
            &["x/app", "y/app"],
        ));
    }
    ops.retain({
        let mut first = true;
        move |op| !op.id.0.ends_with("-config") || std::mem::take(&mut first)
    });
    for op in &mut ops {
        op.after
            .iter_mut()
            .filter(|id| id.0.ends_with("-config"))
            .for_each(|id| id.0 = "app0-config".to_owned());
    }
    let report = run(&plan(&images.iter().collect::<Vec<_>>(), ops), &[&src, &x, &y]).await;
    assert!(images.iter().all(|image| x.holds("app", image)));
    assert_eq!(report.failures.len(), 1);
    let failure = &report.failures[0];
    assert_eq!(
        (failure.registry.as_str(), failure.kind),
        ("y", ProblemKind::Network)
    );
    assert_eq!(failure.error, "registry y can't be reached: connection refused");
    assert_eq!(failure.affected, 41);
    assert!(
        y.log().len() <= 16,
        "it is not asked for each op: {}",
        y.log().len()
    );
    assert_eq!((report.exit_code, report.outcome), (1, RunOutcome::Partial));
}

#[tokio::test]
async fn three_failures_in_a_row_are_enough() {
    let (src, x) = (Fake::new("src"), Fake::new("x"));
    x.trouble("", usize::MAX, Trouble::Error(ErrorKind::Network));
    let image = Image::new("layer");
    src.hold("app", "v1", &image);
    let ops = (0..100)
        .map(|index| {
            let id = format!("put-{index}");
            op(&id, OpKind::PutManifest, &[&format!("x/app{index}")])
                .of(image.digest())
                .from("src/app")
        })
        .collect();
    let report = run(&plan(&[&image], ops), &[&src, &x]).await;
    assert_eq!(report.failures.len(), 1);
    assert_eq!(report.failures[0].affected, 100);
    assert!(x.log().len() <= 16);
    assert_eq!(report.outcome, RunOutcome::Failed);
}

#[tokio::test]
async fn what_does_not_last_at_the_end_was_not_written() {
    let image = Image::new("layer");
    let (src, x, y) = (source(&image), Fake::new("x"), Fake::new("y"));
    x.never_finishes(ErrorKind::Quota);
    src.never_finishes(ErrorKind::Other);
    let report = run(&copied(&image, &["x/app", "y/app"]), &[&src, &x, &y]).await;
    assert_eq!((report.outcome, report.exit_code), (RunOutcome::Partial, 1));
    assert_eq!((report.tags.written, report.tags.failed), (1, 1));
    assert_eq!(report.changes.len(), 1);
    assert_eq!(report.changes[0].registry.as_str(), "y");
    assert_eq!(report.failures.len(), 1, "a source has nothing to finish");
    let failure = &report.failures[0];
    assert_eq!(
        (failure.registry.as_str(), failure.kind),
        ("x", ProblemKind::Quota)
    );
    assert_eq!((failure.error.as_str(), failure.affected), ("finish x", 3));
    assert_eq!((report.ops.done, report.ops.failed), (3, 3));
}

#[tokio::test]
async fn a_run_of_which_nothing_lasts_has_failed() {
    let image = Image::new("layer");
    let (src, x, y) = (source(&image), Fake::new("x"), Fake::new("y"));
    x.never_finishes(ErrorKind::Other);
    y.never_finishes(ErrorKind::Other);
    let report = run(&copied(&image, &["x/app", "y/app"]), &[&src, &x, &y]).await;
    assert_eq!(report.outcome, RunOutcome::Failed);
    assert_eq!((report.tags.written, report.tags.failed), (0, 2));
    assert_eq!((report.ops.done, report.ops.failed), (0, 6));
    let at: Vec<&str> = report.failures.iter().map(|one| one.registry.as_str()).collect();
    assert_eq!(at, ["x", "y"]);
    assert!(report.changes.is_empty());
}

#[tokio::test]
async fn a_source_that_breaks_is_named_once_for_all_its_targets() {
    let image = large();
    let (src, x, y) = (source(&image), Fake::new("x"), Fake::new("y"));
    src.trouble(&format!("GET blob {}", image.layer()), 9, Trouble::Cut(1 << 20));
    let report = run(&copied(&image, &["x/app", "y/app"]), &[&src, &x, &y]).await;
    assert_eq!(report.failures.len(), 1);
    let failure = &report.failures[0];
    assert_eq!((failure.registry.as_str(), failure.side), ("src", Side::Source));
    assert_eq!(
        (failure.error.as_str(), failure.affected),
        ("the source broke", 4)
    );
    assert_eq!(src.count(&format!("GET blob {}", image.layer())), 1);
}

#[tokio::test]
async fn a_manifest_that_is_gone_is_the_sources_fault() {
    let image = large();
    let (src, x) = (Fake::new("src"), Fake::new("x"));
    src.hold_blobs("app", &image);
    let report = run(&copied(&image, &["x/app"]), &[&src, &x]).await;
    assert_eq!(report.failures.len(), 1);
    let failure = &report.failures[0];
    assert_eq!(
        (failure.kind, failure.side),
        (ProblemKind::NotFound, Side::Source)
    );
    assert_eq!(failure.repository.as_str(), "app");
}

#[tokio::test]
async fn a_repository_is_created_before_anything_goes_there() {
    let image = large();
    let (src, x) = (source(&image), Fake::new("x"));
    let mut ops = copy("app", &image, "v1", "src/app", &["x/app"]);
    ops[0] = ops[0].clone().after(&["create"]);
    ops[1] = ops[1].clone().after(&["create"]);
    ops.insert(0, op("create", OpKind::CreateRepository, &["x/app"]));
    let report = run(&plan(&[&image], ops), &[&src, &x]).await;
    assert_eq!(report.exit_code, 0);
    assert_eq!(x.log()[0], "CREATE app");
}

#[tokio::test]
async fn a_registry_that_is_not_connected_is_a_failure_of_its_own() {
    let image = large();
    let (src, x) = (source(&image), Fake::new("x"));
    let report = run(&copied(&image, &["x/app", "y/app"]), &[&src, &x]).await;
    assert!(x.holds("app", &image));
    assert_eq!(report.failures.len(), 1);
    assert_eq!(
        report.failures[0].error,
        "no connection to registry y is configured"
    );
}

#[tokio::test]
async fn ops_that_wait_for_each_other_are_no_success() {
    let image = large();
    let (src, x) = (source(&image), Fake::new("x"));
    let mut plan = copied(&image, &["x/app"]);
    let tag = plan.ops[2].id.clone();
    plan.ops[1].after.push(tag);
    let report = run(&plan, &[&src, &x]).await;
    assert_eq!((report.exit_code, report.outcome), (1, RunOutcome::Partial));
    assert_eq!(
        (report.ops.done, report.ops.skipped, report.tags.failed),
        (1, 2, 1)
    );
    let failure = &report.failures[0];
    assert_eq!((report.failures.len(), failure.affected), (1, 2));
    assert_eq!(failure.error, "op app-layer waits for what never ends");
}

#[tokio::test]
async fn a_plan_without_ops_is_done() {
    let src = Fake::new("src");
    let report = run(&plan(&[], Vec::new()), &[&src]).await;
    assert_eq!((report.exit_code, report.outcome), (0, RunOutcome::Succeeded));
    assert_eq!(src.log(), Vec::<String>::new());
}

#[tokio::test]
async fn what_the_plan_could_not_plan_decides_the_exit_code() {
    let mut plan = plan(&[], Vec::new());
    plan.summary.tags.unchanged = 2;
    assert_eq!(run(&plan, &[]).await.exit_code, 0);
    plan.blocked.push(Problem {
        registry: "x".parse().unwrap(),
        repository: None,
        tag: None,
        side: Side::Target,
        kind: ProblemKind::Auth,
        error: "who are you".to_owned(),
        hint: None,
        tags: 1,
    });
    let report = run(&plan, &[]).await;
    assert_eq!((report.exit_code, report.outcome), (77, RunOutcome::Partial));
    assert_eq!((report.tags.unchanged, report.blocked.len()), (2, 1));
}

#[tokio::test]
async fn missing_entries_are_added_behind_those_that_stand_there() {
    let (subject, first, second) = (Image::new("subject"), Image::new("one"), Image::new("two"));
    let x = Fake::new("x");
    let tag = oci::AttachmentTag::Fallback.of(subject.digest());
    let merge = |entries| {
        op("merge", OpKind::MergeReferrers, &["x/app"])
            .of(subject.digest())
            .tagged(tag.as_str())
            .adding(entries)
    };
    let one = plan(&[], vec![merge(vec![first.manifest.descriptor()])]);
    let both = plan(
        &[],
        vec![merge(vec![
            second.manifest.descriptor(),
            first.manifest.descriptor(),
        ])],
    );
    assert_eq!(run(&one, &[&x]).await.ops.done, 1);
    assert_eq!(run(&both, &[&x]).await.ops.done, 1);
    let index = x.manifest("app", &x.tag("app", tag.as_str()).unwrap()).unwrap();
    let listed: Vec<_> = index.children().map(|child| child.digest.clone()).collect();
    assert_eq!(listed, [first.digest().clone(), second.digest().clone()]);
    let report = run(&both, &[&x]).await;
    assert_eq!((report.ops.already_done, x.count("PUT")), (1, 2));
    assert!(report.changes.is_empty(), "attachments are not tags");
}

#[tokio::test]
async fn no_fallback_tag_is_made_where_the_registry_lists_referrers_itself() {
    let (subject, first, second) = (Image::new("subject"), Image::new("one"), Image::new("two"));
    let x = Fake::new("x");
    x.lists_referrers(vec![first.manifest.descriptor(), second.manifest.descriptor()]);
    let tag = oci::AttachmentTag::Fallback.of(subject.digest());
    let merge = op("merge", OpKind::MergeReferrers, &["x/app"])
        .of(subject.digest())
        .tagged(tag.as_str());
    let plan = plan(&[], vec![merge.adding(vec![first.manifest.descriptor()])]);
    assert_eq!(run(&plan, &[&x]).await.ops.already_done, 1);
    assert_eq!(x.writes(), 0);
    x.hold_manifest("app", tag.as_str(), &index_of(&second));
    let report = run(&plan, &[&x]).await;
    assert_eq!((report.failures.as_slice(), report.ops.done), ([].as_slice(), 1));
    let index = x.manifest("app", &x.tag("app", tag.as_str()).unwrap()).unwrap();
    assert_eq!(index.children().count(), 2, "one that stands there is completed");
}

#[tokio::test(start_paused = true)]
async fn an_index_that_somebody_else_overwrote_is_written_again() {
    let (subject, signature) = (Image::new("subject"), Image::new("signature"));
    let tag = oci::AttachmentTag::Fallback.of(subject.digest());
    let merge = op("merge", OpKind::MergeReferrers, &["x/app"])
        .of(subject.digest())
        .tagged(tag.as_str());
    let plan = plan(&[], vec![merge.adding(vec![signature.manifest.descriptor()])]);
    let x = Fake::new("x");
    x.trouble("PUT manifest", 2, Trouble::Lose);
    assert_eq!(run(&plan, &[&x]).await.ops.done, 1);
    assert_eq!(x.count("PUT manifest"), 3);
    let x = Fake::new("x");
    x.trouble("PUT manifest", 99, Trouble::Lose);
    let report = run(&plan, &[&x]).await;
    assert_eq!((report.ops.failed, x.count("PUT manifest")), (1, 5));
    assert!(report.failures[0].error.contains("somebody else"));
    assert_eq!(report.exit_code, 75);
}

fn index_of(image: &Image) -> Manifest {
    let document = serde_json::json!({ "schemaVersion": 2, "manifests": [image.manifest.descriptor()] });
    Manifest::parse(document.to_string().into(), None).unwrap()
}
