//! Executing plans where time decides, on a clock that only moves when nothing else can.

mod support;

use std::sync::Arc;
use std::time::Duration;

use oci::Digest;
use planner::{OpId, OpKind, ProblemKind};
use registry::ErrorKind;
use tokio::sync::Notify;
use tokio::time::Instant;
use transship_transfer::{Event, Events, ExecuteOptions, Report, RunOutcome, Stop, StopReason, execute};

use support::fake::{Fake, Trouble};
use support::image::Image;
use support::plans::{With, copy, op, plan};
use support::{connect, connect_narrowly, run, run_heard, run_over};

fn source(image: &Image) -> Fake {
    let source = Fake::new("src");
    source.hold("app", "v1", image);
    source
}

fn large() -> Image {
    Image::new(vec![7_u8; 8 << 20])
}

#[tokio::test(start_paused = true)]
async fn a_target_that_takes_no_byte_is_left_behind_and_reads_for_itself() {
    let image = large();
    let (src, x, y) = (source(&image), Fake::new("x"), Fake::new("y"));
    y.trouble(&format!("PUT blob {}", image.layer()), 1, Trouble::Stall);
    let begun = Instant::now();
    let report = run(
        &plan(
            &[&image],
            copy("app", &image, "v1", "src/app", &["x/app", "y/app"]),
        ),
        &[&src, &x, &y],
    )
    .await;
    assert_eq!((report.exit_code, report.retries), (0, 1));
    assert!(x.holds("app", &image) && y.holds("app", &image));
    assert_eq!(src.count(&format!("GET blob {}", image.layer())), 2);
    assert_eq!(x.count(&format!("PUT blob {}", image.layer())), 1);
    let elapsed = begun.elapsed().as_secs();
    assert!((30..40).contains(&elapsed), "{elapsed}");
}

#[tokio::test(start_paused = true)]
async fn an_upload_gets_three_sessions_and_leaves_the_others_alone() {
    let image = large();
    let (src, x, y) = (source(&image), Fake::new("x"), Fake::new("y"));
    y.trouble(&format!("PUT blob {}", image.layer()), 9, Trouble::Cut(1 << 20));
    let report = run(
        &plan(
            &[&image],
            copy("app", &image, "v1", "src/app", &["x/app", "y/app"]),
        ),
        &[&src, &x, &y],
    )
    .await;
    assert!(x.holds("app", &image));
    assert_eq!(x.count(&format!("PUT blob {}", image.layer())), 1);
    assert_eq!(y.count(&format!("PUT blob {}", image.layer())), 3);
    assert_eq!(src.count(&format!("GET blob {}", image.layer())), 3);
    assert_eq!(report.failures.len(), 1);
    assert_eq!(
        (report.failures[0].kind, report.failures[0].affected),
        (ProblemKind::Network, 2)
    );
    assert_eq!(report.retries, 2);
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_passes_at_the_second_session_is_no_failure() {
    let image = large();
    let (src, x) = (source(&image), Fake::new("x"));
    x.trouble("PUT blob", 1, Trouble::Cut(0));
    let report = run(
        &plan(&[&image], copy("app", &image, "v1", "src/app", &["x/app"])),
        &[&src, &x],
    )
    .await;
    assert_eq!((report.exit_code, report.retries, report.ops.done), (0, 1, 3));
    assert!(x.holds("app", &image));
}

#[tokio::test(start_paused = true)]
async fn a_permanent_refusal_is_not_tried_again() {
    let image = large();
    let (src, x) = (source(&image), Fake::new("x"));
    x.trouble(
        &format!("PUT blob {}", image.layer()),
        9,
        Trouble::Error(ErrorKind::Quota),
    );
    let report = run(
        &plan(&[&image], copy("app", &image, "v1", "src/app", &["x/app"])),
        &[&src, &x],
    )
    .await;
    assert_eq!(x.count(&format!("PUT blob {}", image.layer())), 1);
    assert_eq!(report.failures[0].kind, ProblemKind::Quota);
}

/// A repository that is slow to be created holds its own place back for longer than the others wait.
#[tokio::test(start_paused = true)]
async fn a_read_waits_two_seconds_for_the_others_and_late_ones_join_the_next() {
    let image = large();
    let (src, x, y) = (source(&image), Fake::new("x"), Fake::new("y"));
    let gate = Arc::new(Notify::new());
    y.trouble("CREATE", 1, Trouble::Wait(Arc::clone(&gate)));
    let ops = vec![
        op("create", OpKind::CreateRepository, &["y/app"]),
        op("layer", OpKind::UploadBlob, &["x/app", "y/app"])
            .of(&image.layer())
            .from("src/app")
            .after(&["create"]),
    ];
    let late = async {
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(
            x.count("PUT blob"),
            1,
            "the first place did not wait for the second"
        );
        gate.notify_one();
    };
    let plan = plan(&[&image], ops);
    let fakes = [&src, &x, &y];
    let ((report, events), ()) = tokio::join!(run_heard(&plan, &fakes), late);
    assert_eq!((report.exit_code, src.count("GET blob")), (0, 2));
    let elapsed = events.iter().find_map(|event| match event {
        Event::OpEnded {
            place,
            kind: OpKind::UploadBlob,
            elapsed,
            ..
        } if place.registry.as_str() == "x" => Some(*elapsed),
        _ => None,
    });
    assert!(
        elapsed.unwrap() < Duration::from_secs(1),
        "a read that is under way waits for nobody"
    );
}

#[tokio::test(start_paused = true)]
async fn a_target_that_is_slow_to_open_a_session_does_not_hold_the_read_back() {
    let image = large();
    let (src, x, y) = (source(&image), Fake::new("x"), Fake::new("y"));
    let gate = Arc::new(Notify::new());
    y.trouble("POST upload", 1, Trouble::Wait(Arc::clone(&gate)));
    let layer = op("layer", OpKind::UploadBlob, &["x/app", "y/app"])
        .of(&image.layer())
        .from("src/app");
    let late = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(x.count("PUT blob"), 1);
        gate.notify_one();
    };
    let plan = plan(&[&image], vec![layer]);
    let fakes = [&src, &x, &y];
    let (report, ()) = tokio::join!(run(&plan, &fakes), late);
    assert_eq!((report.exit_code, report.ops.done), (0, 2));
    assert_eq!(y.count("POST upload"), 1, "its session is used, only later");
}

/// Executes a plan, asks it to stop at the first event that `hear` picks, and opens `gate` once it says that it stops.
async fn stopped(
    fakes: &[&Fake],
    plan: &planner::Plan,
    reason: StopReason,
    gate: &Notify,
    hear: impl Fn(&Event) -> bool,
) -> Report {
    let (stopper, stop) = Stop::channel();
    let (events, mut heard) = Events::channel();
    let (connections, options) = (connect(fakes), ExecuteOptions::default());
    let watching = async {
        while let Some(event) = heard.recv().await {
            match event {
                Event::Stopping { .. } => gate.notify_one(),
                Event::PlanEnded => return,
                event if hear(&event) => stopper.stop(reason),
                _ => {}
            }
        }
    };
    tokio::join!(execute(plan, &connections, &options, &events, stop), watching).0
}

#[tokio::test(start_paused = true)]
async fn a_stop_lets_running_work_finish_and_starts_nothing_new() {
    let image = large();
    let (src, x) = (source(&image), Fake::new("x"));
    let plan = plan(&[&image], copy("app", &image, "v1", "src/app", &["x/app"]));
    let gate = Arc::new(Notify::new());
    x.trouble(
        &format!("PUT blob {}", image.layer()),
        1,
        Trouble::Wait(Arc::clone(&gate)),
    );
    let begun = |event: &Event| matches!(event, Event::BlobStarted { size, .. } if *size > 2);
    let report = stopped(&[&src, &x], &plan, StopReason::Interrupt, &gate, begun).await;
    assert_eq!((report.exit_code, report.outcome), (130, RunOutcome::Interrupted));
    assert_eq!(x.count(&format!("PUT blob {}", image.layer())), 1);
    assert_eq!(x.tag("app", "v1"), None);
    assert!(report.ops.done >= 1 && report.ops.skipped >= 1);
    assert!(report.failures.is_empty());
    let again = run(&plan, &[&src, &x]).await;
    assert_eq!(again.exit_code, 0);
    assert_eq!(
        x.count(&format!("PUT blob {}", image.layer())),
        1,
        "what was finished is not sent again"
    );
}

#[tokio::test(start_paused = true)]
async fn work_that_does_not_finish_in_time_is_abandoned() {
    let image = large();
    let (src, x) = (source(&image), Fake::new("x"));
    x.trouble("PUT blob", 2, Trouble::Stall);
    let plan = plan(&[&image], copy("app", &image, "v1", "src/app", &["x/app"]));
    let begun = Instant::now();
    let started = |event: &Event| matches!(event, Event::BlobStarted { .. });
    let report = stopped(&[&src, &x], &plan, StopReason::Terminate, &Notify::new(), started).await;
    assert_eq!(begun.elapsed().as_secs(), 10);
    assert_eq!((report.exit_code, report.ops.skipped), (75, 3));
}

#[tokio::test(start_paused = true)]
async fn a_stop_after_the_last_op_changes_nothing() {
    let image = large();
    let (src, x) = (source(&image), Fake::new("x"));
    let plan = plan(&[&image], copy("app", &image, "v1", "src/app", &["x/app"]));
    let tagged = |event: &Event| {
        matches!(
            event,
            Event::OpEnded {
                kind: OpKind::PutTag,
                ..
            }
        )
    };
    let report = stopped(&[&src, &x], &plan, StopReason::Interrupt, &Notify::new(), tagged).await;
    assert_eq!((report.exit_code, report.outcome), (0, RunOutcome::Succeeded));
}

/// Two hundred images of two blobs, each with a place at three targets.
#[tokio::test(start_paused = true)]
async fn many_small_blobs_wait_for_nobody() {
    let images: Vec<Image> = (0..200)
        .map(|index| Image::new(format!("layer {index}")))
        .collect();
    let (src, x, y, z) = (Fake::new("src"), Fake::new("x"), Fake::new("y"), Fake::new("z"));
    let to = ["x/app", "y/app", "z/app"];
    let mut ops = vec![
        op("config", OpKind::UploadBlob, &to)
            .of(&Digest::sha256(&images[0].blobs[0]))
            .from("src/app"),
    ];
    for (index, image) in images.iter().enumerate() {
        src.hold("app", &format!("v{index}"), image);
        let name = format!("image{index}");
        let mut copied = copy(&name, image, &format!("v{index}"), "src/app", &to).split_off(1);
        copied[1].after[0] = OpId("config".to_owned());
        ops.extend(copied);
    }
    let plan = plan(&images.iter().collect::<Vec<_>>(), ops);
    let begun = Instant::now();
    let connections = connect_narrowly(&[&src, &x, &y, &z], &[("src", 1), ("y", 2)]);
    let (report, _) = run_over(&plan, &connections).await;
    assert_eq!((report.exit_code, report.tags.written), (0, 600));
    assert_eq!(src.count("GET blob"), 201);
    let places: usize = plan.ops.iter().map(|op| op.at.len()).sum();
    assert_eq!(report.ops.done, places as u64, "every place is counted once");
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

/// One lane more would wait for the others to end, and they for the bytes that it does not take.
#[tokio::test(start_paused = true)]
async fn a_read_feeds_no_more_places_of_a_registry_than_may_upload_there_at_once() {
    let image = large();
    let (src, x, y) = (source(&image), Fake::new("x"), Fake::new("y"));
    let to = ["x/a", "x/b", "x/c", "x/d", "x/e", "y/a", "y/b"];
    let layer = op("layer", OpKind::UploadBlob, &to)
        .of(&image.layer())
        .from("src/app");
    let connections = connect_narrowly(&[&src, &x, &y], &[("x", 2)]);
    let (report, events) = run_over(&plan(&[&image], vec![layer]), &connections).await;
    assert_eq!((report.exit_code, report.ops.done), (0, 7));
    let mut reads: Vec<(usize, usize)> = Vec::new();
    for event in &events {
        if let Event::BlobStarted { to, .. } = event {
            let at_x = to.iter().filter(|place| place.registry.as_str() == "x").count();
            reads.push((at_x, to.len() - at_x));
        }
    }
    reads.sort_unstable();
    assert_eq!(reads, [(1, 0), (2, 0), (2, 2)]);
}

#[tokio::test(start_paused = true)]
async fn source_and_target_may_be_one_registry_that_is_asked_one_thing_at_once() {
    let image = large();
    let src = source(&image);
    let to = ["src/copy", "src/other"];
    let connections = connect_narrowly(&[&src], &[("src", 1)]);
    let plan = plan(&[&image], copy("app", &image, "v1", "src/app", &to));
    let (report, _) = run_over(&plan, &connections).await;
    assert_eq!((report.exit_code, report.ops.done), (0, 6));
    assert!(src.holds("copy", &image) && src.holds("other", &image));
}

#[tokio::test(start_paused = true)]
async fn much_that_waits_for_a_stuck_registry_hides_nothing_from_another() {
    let images: Vec<Image> = (0..100_u8).map(|index| Image::new(vec![index; 4096])).collect();
    let (small, src, x, y) = (
        Image::new("small"),
        Fake::new("src"),
        Fake::new("x"),
        Fake::new("y"),
    );
    src.hold("app", "small", &small);
    let upload = |image: &Image, name: &str, to: &str| {
        op(name, OpKind::UploadBlob, &[to])
            .of(&image.layer())
            .from("src/app")
    };
    let mut ops = vec![upload(&small, "small", "y/app")];
    for (index, image) in images.iter().enumerate() {
        src.hold("app", &format!("v{index}"), image);
        ops.push(upload(image, &format!("large{index}"), "x/app"));
    }
    let gate = Arc::new(Notify::new());
    x.trouble("POST upload", usize::MAX, Trouble::Wait(Arc::clone(&gate)));
    let all: Vec<&Image> = images.iter().chain([&small]).collect();
    let plan = plan(&all, ops);
    let connections = connect_narrowly(&[&src, &x, &y], &[("x", 2)]);
    let releasing = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!((x.count("PUT blob"), y.count("PUT blob")), (0, 1));
        x.heal();
        gate.notify_waiters();
    };
    let ((report, _), ()) = tokio::join!(run_over(&plan, &connections), releasing);
    assert_eq!((report.exit_code, report.ops.done), (0, 101));
}

/// An upload that runs on while its registry is given up is not tried again there.
#[tokio::test(start_paused = true)]
async fn a_registry_that_was_given_up_gets_no_second_session() {
    let image = large();
    let (src, x) = (source(&image), Fake::new("x"));
    x.trouble(&format!("PUT blob {}", image.layer()), 1, Trouble::Stall);
    x.trouble("HEAD manifest", 9, Trouble::Unreachable);
    let gate = Arc::new(Notify::new());
    x.trouble("CREATE", 1, Trouble::Wait(Arc::clone(&gate)));
    let ops = vec![
        op("wait", OpKind::CreateRepository, &["x/other"]),
        op("layer", OpKind::UploadBlob, &["x/app"])
            .of(&image.layer())
            .from("src/app"),
        op("gone", OpKind::PutManifest, &["x/other"])
            .of(image.digest())
            .from("src/app")
            .after(&["config"]),
        op("config", OpKind::UploadBlob, &["x/other"])
            .of(&Digest::sha256(&image.blobs[0]))
            .from("src/app")
            .after(&["wait"]),
    ];
    let plan = plan(&[&image], ops);
    let late = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(x.count("PUT blob"), 1, "the upload is under way");
        gate.notify_one();
    };
    let fakes = [&src, &x];
    let (report, ()) = tokio::join!(run(&plan, &fakes), late);
    assert_eq!((report.exit_code, report.failures.len()), (1, 1));
    assert_eq!(x.count(&format!("HEAD blob {}", image.layer())), 1);
    assert_eq!(report.retries, 0);
}

/// A registry that takes blobs and never says so is left out of the reads that others wait for.
#[tokio::test(start_paused = true)]
async fn a_registry_that_lags_behind_holds_up_nobody() {
    let images: Vec<Image> = (0..40_u8).map(|index| Image::new(vec![index; 4096])).collect();
    let (src, x, y) = (Fake::new("src"), Fake::new("x"), Fake::new("y"));
    let mut ops = Vec::new();
    for (index, image) in images.iter().enumerate() {
        src.hold("app", &format!("v{index}"), image);
        let layer = op(&format!("layer{index}"), OpKind::UploadBlob, &["x/app", "y/app"]);
        ops.push(layer.of(&image.layer()).from("src/app"));
    }
    let gate = Arc::new(Notify::new());
    y.trouble("PUT blob", usize::MAX, Trouble::Wait(Arc::clone(&gate)));
    let plan = plan(&images.iter().collect::<Vec<_>>(), ops);
    let connections = connect_narrowly(&[&src, &x, &y], &[("x", 4), ("y", 4)]);
    let releasing = async {
        tokio::time::sleep(Duration::from_secs(20)).await;
        assert_eq!(x.count("PUT blob"), 40);
        y.heal();
        gate.notify_waiters();
    };
    let ((report, _), ()) = tokio::join!(run_over(&plan, &connections), releasing);
    assert_eq!((report.exit_code, report.ops.done), (0, 80));
}
