//! Whatever goes wrong: a run ends, says why, and the next one completes what is left.

mod support;

use std::time::Duration;

use fastrand::Rng;
use planner::{Op, OpKind, Plan};
use registry::ErrorKind;

use support::fake::{Fake, Mounts, Trouble};
use support::image::Image;
use support::plans::{With, op, plan};
use support::run;

const TARGETS: [&str; 3] = ["x", "y", "z"];

/// For each image: created repositories, a seed that uploads, a mount from it, a manifest and a tag.
fn ops(images: &[Image]) -> Vec<Op> {
    let places = |repository: &str| TARGETS.map(|target| format!("{target}/{repository}"));
    let (seeds, apps) = (places("seed"), places("app"));
    let seeds: Vec<&str> = seeds.iter().map(String::as_str).collect();
    let apps: Vec<&str> = apps.iter().map(String::as_str).collect();
    let mounted: Vec<String> = apps.iter().map(|place| format!("{place}<seed")).collect();
    let mounted: Vec<&str> = mounted.iter().map(String::as_str).collect();
    let mut ops = vec![
        op("create-seed", OpKind::CreateRepository, &seeds),
        op("create-app", OpKind::CreateRepository, &apps[..1]),
        op("config", OpKind::UploadBlob, &apps)
            .of(&oci::Digest::sha256(b"{}"))
            .from("src/app")
            .after(&["create-app"]),
    ];
    for (index, image) in images.iter().enumerate() {
        let [seed, mount, manifest] = ["seed", "mount", "manifest"].map(|kind| format!("{kind}-{index}"));
        let layer = image.layer();
        ops.push(
            op(&seed, OpKind::UploadBlob, &seeds)
                .of(&layer)
                .from("src/app")
                .after(&["create-seed"]),
        );
        let mounting = op(&mount, OpKind::MountBlob, &mounted).of(&layer).from("src/app");
        ops.push(mounting.after(&["create-app"]).after_end(&[&seed]));
        let put = op(&manifest, OpKind::PutManifest, &apps)
            .of(image.digest())
            .from("src/app");
        ops.push(put.after(&["config", &mount]));
        let tag = op(&format!("tag-{index}"), OpKind::PutTag, &apps)
            .of(image.digest())
            .from("src/app");
        ops.push(tag.tagged(&format!("v{index}")).after(&[&manifest]));
    }
    ops
}

fn trouble(random: &mut Rng) -> Trouble {
    let kinds = [
        ErrorKind::Network,
        ErrorKind::Permission,
        ErrorKind::RateLimit,
        ErrorKind::Quota,
    ];
    match random.u8(..6) {
        0 => Trouble::Unreachable,
        1 => Trouble::Stall,
        2 => Trouble::Cut(random.usize(..200_000)),
        _ => Trouble::Error(kinds[random.usize(..kinds.len())]),
    }
}

fn disturb(fakes: &[Fake], random: &mut Rng) {
    let requests = [
        "",
        "HEAD blob",
        "POST",
        "PUT blob",
        "PUT manifest",
        "HEAD manifest",
        "GET blob",
        "CREATE",
    ];
    for _ in 0..random.usize(1..8) {
        let fake = &fakes[random.usize(..fakes.len())];
        fake.trouble(
            requests[random.usize(..requests.len())],
            random.usize(1..6),
            trouble(random),
        );
    }
}

async fn survive(plan: &Plan, images: &[Image], seed: u64) {
    let mut random = Rng::with_seed(seed);
    let mounts = [Mounts::Granted, Mounts::Declined, Mounts::Refused][random.usize(..3)];
    let fakes: Vec<Fake> = ["src"]
        .iter()
        .chain(&TARGETS)
        .map(|name| Fake::new(name).mounts(mounts))
        .collect();
    for (index, image) in images.iter().enumerate() {
        fakes[0].hold("app", &format!("v{index}"), image);
    }
    disturb(&fakes, &mut random);
    let all: Vec<&Fake> = fakes.iter().collect();
    let placements: usize = plan.ops.iter().map(|op| op.at.len()).sum();
    let report = tokio::time::timeout(Duration::from_secs(3600), run(plan, &all))
        .await
        .expect("a run ends");
    let ops = report.ops;
    assert_eq!(
        ops.done + ops.already_done + ops.mounted + ops.failed + ops.skipped,
        placements as u64,
        "seed {seed}"
    );
    assert_eq!(ops.failed > 0, !report.failures.is_empty(), "seed {seed}");
    let affected: u64 = report.failures.iter().map(|failure| failure.affected).sum();
    assert_eq!(
        affected,
        ops.failed + ops.skipped,
        "seed {seed}: {:?}",
        report.failures
    );
    fakes.iter().for_each(Fake::heal);
    let report = run(plan, &all).await;
    assert_eq!(
        (report.exit_code, report.ops.skipped),
        (0, 0),
        "seed {seed}: {:?}",
        report.failures
    );
    for target in &fakes[1..] {
        assert!(
            images.iter().all(|image| target.holds("app", image)),
            "seed {seed}"
        );
        target.forget_log();
    }
    run(plan, &all).await;
    assert!(
        fakes[1..].iter().all(|target| target.writes() == 0),
        "seed {seed}: a third run writes nothing"
    );
}

#[tokio::test(start_paused = true)]
async fn whatever_goes_wrong_the_next_run_completes_what_is_left() {
    let images: Vec<Image> = (1..4)
        .map(|index| Image::new(vec![index; 100_000 * usize::from(index)]))
        .collect();
    let plan = plan(&images.iter().collect::<Vec<_>>(), ops(&images));
    for seed in 0..100 {
        survive(&plan, &images, seed).await;
    }
}
