//! Layouts in tar files stand wherever a registry can, and what docker saves is read.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use oci::{Digest, MediaType};
use testkit::binary::finish;
use testkit::fault::{Fault, RequestHead};
use testkit::image::{Content, Family};
use testkit::software::{skopeo, skopeo_raw};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::big_blob::{MOST_MEMORY, plant, watched};
use crate::site::{self, Site, assert_holds, single, standing};

/// Writes a configuration with the archive `usb.tar` beside the registries.
fn configure(site: &Site, mirrors: &str) {
    let usb = "registries:\n  usb: { layout: usb.tar }\n";
    let text = site.declarations().replacen("registries:\n", usb, 1);
    let text = format!("{text}mirrors:\n{mirrors}");
    site.sandbox.write("transship.yaml", &text);
}

/// Starts a source that holds `repositories`, and a configuration that mirrors them into the archive.
async fn to_archive(repositories: &[(&'static str, Content)]) -> Option<Site> {
    let pushed: Vec<_> = repositories
        .iter()
        .map(|(name, content)| (*name, content))
        .collect();
    let site = Site::mirroring(1, &pushed).await?;
    let mirror =
        |(name, _): &(&str, Content)| format!("  - {{ from: origin/{name}, to: \"usb/kept/{{name}}\" }}\n");
    configure(&site, &repositories.iter().map(mirror).collect::<String>());
    Some(site)
}

fn run(program: &str, arguments: &[&str], directory: &Path) {
    let status = Command::new(program)
        .args(arguments)
        .current_dir(directory)
        .status();
    assert!(
        status.expect("the program can be run").success(),
        "{program} {arguments:?}"
    );
}

/// Names what stands in the working directory.
fn files(site: &Site) -> Vec<String> {
    let entries = fs::read_dir(site.sandbox.path("")).expect("the working directory can be read");
    let name = |entry: std::io::Result<fs::DirEntry>| {
        let entry = entry.expect("an entry can be read");
        entry.file_name().to_string_lossy().into_owned()
    };
    let mut names: Vec<String> = entries.map(name).collect();
    names.sort();
    names
}

/// Lets one blob of the source pass, and slows down or stops those that follow. Tells of each of them that is asked for.
fn hold_back(site: &Site, fault: Fault) -> UnboundedReceiver<()> {
    let (sending, asked) = unbounded_channel();
    let passed = AtomicBool::new(false);
    site.source.proxy.set_faults(move |head: &RequestHead| {
        if !head.reads_blob() || !passed.swap(true, Ordering::Relaxed) {
            return Fault::None;
        }
        // Nobody listens once the first has been heard.
        let _ = sending.send(());
        fault
    });
    asked
}

/// Waits until an archive is being written.
async fn is_begun(site: &Site) {
    let blobs = site.sandbox.path(".usb.tar.transship/blobs/sha256");
    let mut ticks = tokio::time::interval(Duration::from_millis(5));
    while !fs::read_dir(&blobs).is_ok_and(|mut entries| entries.next().is_some()) {
        ticks.tick().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_repositories_travel_through_an_archive_to_another_registry() {
    let family = site::family();
    let Some(site) = to_archive(&family).await else {
        return;
    };
    site.plan(0).await;
    let report = site.apply(0).await;
    assert_eq!(report["tags"]["written"], 5, "{report:#}");
    let _ = site.run(&["verify", "--deep"]).await.expect(0);
    site.assert_settled().await;
    assert_eq!(
        files(&site),
        ["plan.json", "report.json", "transship.yaml", "usb.tar"]
    );

    let back = |(name, _): &(&str, Content)| {
        let name = name.replace("team/", "");
        format!("  - {{ from: usb/kept/{name}, to: \"alpha/mirror/{{name}}\" }}\n")
    };
    configure(&site, &family.iter().map(back).collect::<String>());
    let _ = site.run(&["apply", "--auto-approve"]).await.expect(0);
    for (repository, content) in &family {
        assert_holds(&site.targets[0], &repository.replace("team/", "mirror/"), content).await;
    }
    site.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_to_an_archive_and_back_keeps_everything_that_is_attached() {
    let family = site::family();
    let Some(site) = to_archive(&family).await else {
        return;
    };
    let (_, tool) = &family[2];
    let source = format!("{}/team/tool:v2", site.source.registry.host());
    let target = format!("{}/mirror/tool", site.targets[0].registry.host());
    for (from, to) in [
        (source.as_str(), "oci-archive:one"),
        ("oci-archive:one", "oci-archive:two:a/b:v2"),
        ("oci-archive:two", "oci:three"),
        ("oci:three:v2", "oci-archive:two:other:v3"),
        ("oci-archive:two:a/b:v2", target.as_str()),
    ] {
        let _ = site.run(&["copy", from, to]).await.expect(0);
    }
    assert_holds(&site.targets[0], "mirror/tool", tool).await;
    let tags = site.run(&["tags", "oci-archive:two"]).await.expect(0);
    assert!(
        tags.stdout.contains("a/b:v2\n") && tags.stdout.contains("other:v3\n"),
        "{}",
        tags.stdout
    );
    let digest = site.run(&["digest", "oci-archive:two:other:v3"]).await.expect(0);
    assert_eq!(
        Some(digest.stdout.trim().parse().expect("a digest")),
        standing(&site.source, "team/tool", "v2").await
    );
    let told = site.run(&["inspect", "oci-archive:two:a/b:v2"]).await.expect(0);
    let _ = told.says(&["application/spdx+json"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_names_of_one_archive_write_one_file() {
    let Some(site) = to_archive(&[("team/app", single("v1", 1, 5_000))]).await else {
        return;
    };
    let source = format!("{}/team/app:v1", site.source.registry.host());
    let targets = [
        "oci-archive:x.tar",
        "oci-archive:x.tar:a/b:v1",
        "oci-archive:x.tar:c:v2",
    ];
    let _ = site
        .run(&[&["copy", &source], &targets[..]].concat())
        .await
        .expect(0);
    let tags = site.run(&["tags", "oci-archive:x.tar"]).await.expect(0);
    assert_eq!(tags.stdout, "a/b:v1\nc:v2\nv1\n");
    let _ = site
        .run(&["delete", "oci-archive:x.tar:c:v2", "--yes"])
        .await
        .expect(0);
    let tags = site.run(&["tags", "oci-archive:x.tar"]).await.expect(0);
    assert_eq!(tags.stdout, "a/b:v1\nv1\n");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_archive_that_was_written_is_one_to_skopeo() {
    // An image of OCI media types: skopeo finds no others in a layout.
    let Some(site) = to_archive(&[("team/tool", single("v2", 1, 5_000))]).await else {
        return;
    };
    let _ = site.run(&["apply", "--auto-approve"]).await.expect(0);
    let reference = format!(
        "oci-archive:{}:kept/tool:v2",
        site.sandbox.path("usb.tar").display()
    );
    let there = skopeo(&["inspect", "--raw", &reference]).await;
    assert_eq!(
        there,
        skopeo_raw(site.source.registry.host(), "team/tool", "v2").await
    );
    let target = format!("docker://{}/by/skopeo:v2", site.targets[0].registry.host());
    skopeo(&[
        "copy",
        "--dest-tls-verify=false",
        "--preserve-digests",
        &reference,
        &target,
    ])
    .await;
    assert_eq!(
        standing(&site.targets[0], "by/skopeo", "v2").await,
        standing(&site.source, "team/tool", "v2").await
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_archive_of_skopeos_is_read_and_extended() {
    let mut content = Content::new();
    let images = ["linux/amd64", "linux/arm64"].map(|platform| {
        let layer = content.layer(Family::Oci, 7, 20_000);
        content.image(Family::Oci, platform, &[layer])
    });
    let index = content.index(Family::Oci, &images);
    content.tag("v1", &index);
    let Some(site) = to_archive(&[("team/app", content.clone())]).await else {
        return;
    };
    let source = format!("docker://{}/team/app:v1", site.source.registry.host());
    let file = site.sandbox.path("usb.tar");
    let archive = format!("oci-archive:{}:team/app:v1", file.display());
    skopeo(&[
        "copy",
        "--src-tls-verify=false",
        "--preserve-digests",
        "--all",
        &source,
        &archive,
    ])
    .await;
    let target = format!("{}/mirror/app", site.targets[0].registry.host());
    let _ = site
        .run(&["copy", "oci-archive:usb.tar", &target])
        .await
        .expect(0);
    assert_holds(&site.targets[0], "mirror/app", &content).await;
    let _ = site.run(&["apply", "--auto-approve"]).await.expect(0);
    let tags = site.run(&["tags", "oci-archive:usb.tar"]).await.expect(0);
    assert_eq!(tags.stdout, "kept/app:v1\nteam/app:v1\n");
    let raw = skopeo(&["inspect", "--raw", &archive]).await;
    assert_eq!(Digest::sha256(&raw), index.digest);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_docker_saves_is_the_image_that_skopeo_sees_in_it() {
    let mut content = Content::new();
    let layers = [
        content.layer(Family::Docker, 1, 200_000),
        content.layer(Family::Docker, 2, 30_000),
    ];
    let image = content.image(Family::Docker, "linux/amd64", &layers);
    content.tag("v1", &image);
    let Some(site) = to_archive(&[("team/app", content)]).await else {
        return;
    };
    let source = format!("docker://{}/team/app:v1", site.source.registry.host());
    let archive = format!("docker-archive:{}", site.sandbox.path("saved.tar").display());
    skopeo(&[
        "copy",
        "--src-tls-verify=false",
        &source,
        &format!("{archive}:base/app:1.0"),
    ])
    .await;
    let raw = skopeo(&["inspect", "--raw", &archive]).await;
    let directory = site.sandbox.path("dir");
    skopeo(&["copy", &archive, &format!("dir:{}", directory.display())]).await;
    assert_eq!(
        fs::read(directory.join("manifest.json")).expect("skopeo wrote it"),
        raw
    );

    let tags = site.run(&["tags", "docker-archive:saved.tar"]).await.expect(0);
    assert_eq!(tags.stdout, "base/app:1.0\n");
    for name in ["", ":base/app:1.0", ":docker.io/base/app:1.0", ":1.0", ":@0"] {
        let reference = format!("docker-archive:saved.tar{name}");
        let found = site.run(&["inspect", "--raw", &reference]).await.expect(0);
        assert_eq!(found.stdout.as_bytes(), raw, "{reference}");
    }
    let target = format!("{}/mirror/app", site.targets[0].registry.host());
    let _ = site
        .run(&["copy", "docker-archive:saved.tar", &target])
        .await
        .expect(0);
    assert_eq!(
        skopeo_raw(site.targets[0].registry.host(), "mirror/app", "1.0").await,
        raw
    );
    let layer = site.targets[0]
        .direct()
        .blob("mirror/app", &layers[0].digest)
        .await;
    assert_eq!(
        layer.map(|bytes| bytes.len()),
        Some(200_000),
        "a layer is what it was before it was saved"
    );
    let refused = site
        .run(&["copy", &target, "docker-archive:saved.tar"])
        .await
        .expect(64);
    let _ = refused.warns(&["are only read", "oci-archive:FILE"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_run_leaves_the_archive_as_it_was_and_the_next_one_finishes() {
    let Some(site) = to_archive(&[
        ("team/app", single("v1", 1, 5_000)),
        ("team/tool", single("v2", 2, 5_000)),
    ])
    .await
    else {
        return;
    };
    let _ = site
        .run(&["apply", "--auto-approve", "--only", "usb/kept/app"])
        .await
        .expect(0);
    let before = fs::read(site.sandbox.path("usb.tar")).expect("the archive was written");
    let mut asked = hold_back(&site, Fault::Stall);
    let arguments = ["apply", "--auto-approve"];
    let mut child = site
        .sandbox
        .command(&arguments)
        .spawn()
        .expect("the binary can be run");
    asked.recv().await.expect("a blob is asked for");
    is_begun(&site).await;
    child.kill().await.expect("the run can be killed");
    assert!(fs::read(site.sandbox.path("usb.tar")).expect("it is there") == before);

    site.source.proxy.heal();
    let _ = site.run(&arguments).await.expect(0);
    site.assert_settled().await;
    assert_eq!(files(&site), ["transship.yaml", "usb.tar"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_run_keeps_in_the_archive_what_has_arrived() {
    let mut content = Content::new();
    let layers: Vec<_> = (1..=20)
        .map(|seed| content.layer(Family::Oci, seed, 60_000))
        .collect();
    let image = content.image(Family::Oci, "linux/amd64", &layers);
    content.tag("v1", &image);
    let Some(site) = to_archive(&[("team/app", content)]).await else {
        return;
    };
    let mut asked = hold_back(
        &site,
        Fault::Throttle {
            bytes_per_second: 200_000,
        },
    );
    let arguments = ["apply", "--auto-approve"];
    let child = site
        .sandbox
        .command(&arguments)
        .spawn()
        .expect("the binary can be run");
    let process = child.id().expect("a running child has an id").to_string();
    asked.recv().await.expect("a blob is asked for");
    run("kill", &["-INT", &process], Path::new("."));
    let _ = finish(child, &arguments).await.expect(130);
    assert_eq!(files(&site), ["transship.yaml", "usb.tar"]);
    let tags = site.run(&["tags", "oci-archive:usb.tar"]).await.expect(0);
    assert_eq!(tags.stdout, "");

    site.source.proxy.heal();
    let _ = site
        .run(&["apply", "--auto-approve", "--report", "report.json"])
        .await
        .expect(0);
    let read = site.json("report.json")["bytes"]["read"]["origin"]
        .as_u64()
        .expect("a number");
    assert!(
        0 < read && read < 20 * 60_000,
        "what has arrived is not read again: {read}"
    );
    site.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_writer_of_an_archive_is_refused() {
    let Some(site) = to_archive(&[("team/app", single("v1", 1, 5_000))]).await else {
        return;
    };
    let source = format!("{}/team/app:v1", site.source.registry.host());
    let _ = site
        .run(&["copy", &source, "oci-archive:other.tar"])
        .await
        .expect(0);
    let mut asked = hold_back(&site, Fault::Stall);
    let mut child = site
        .sandbox
        .command(&["apply", "--auto-approve"])
        .spawn()
        .expect("the binary can be run");
    asked.recv().await.expect("a blob is asked for");
    is_begun(&site).await;
    let refused = site
        .run(&["copy", "oci-archive:other.tar", "oci-archive:usb.tar"])
        .await
        .expect(1);
    let _ = refused.warns(&[
        "usb.tar is being written by another process",
        "wait until that is done",
    ]);
    child.kill().await.expect("the run can be killed");
    let _ = site
        .run(&["copy", "oci-archive:other.tar", "oci-archive:usb.tar"])
        .await
        .expect(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_archive_that_another_program_changes_during_a_run_is_left_to_it() {
    let Some(site) = to_archive(&[("team/app", single("v1", 1, 5_000))]).await else {
        return;
    };
    let slow = Fault::Throttle {
        bytes_per_second: 5_000,
    };
    let mut asked = hold_back(&site, slow);
    let arguments = ["apply", "--auto-approve", "--report", "report.json"];
    let child = site
        .sandbox
        .command(&arguments)
        .spawn()
        .expect("the binary can be run");
    asked.recv().await.expect("a blob is asked for");
    is_begun(&site).await;
    site.sandbox.write("usb.tar", "somebody else's");
    let failed = finish(child, &arguments).await.expect(1);
    let _ = failed.warns(&["usb.tar was changed by another program", "run it again"]);
    assert_eq!(site.sandbox.read("usb.tar"), "somebody else's");
    let report = site.json("report.json");
    assert_eq!(
        (&report["tags"]["written"], &report["tags"]["failed"]),
        (&0.into(), &1.into())
    );
    assert_eq!(report["changes"], serde_json::json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_name_of_an_archive_that_could_not_be_made_counts_as_written() {
    let Some(site) = to_archive(&[("team/app", single("v1", 1, 2_000))]).await else {
        return;
    };
    let slow = Fault::Throttle {
        bytes_per_second: 500,
    };
    let mut asked = hold_back(&site, slow);
    let source = format!("{}/team/app:v1", site.source.proxy.host());
    let targets = [
        "oci-archive:usb.tar",
        "oci-archive:usb.tar:a/b:v1",
        "oci-archive:usb.tar:c:v2",
    ];
    let arguments = [&["copy", "--report", "report.json", &source], &targets[..]].concat();
    let child = site
        .sandbox
        .command(&arguments)
        .spawn()
        .expect("the binary can be run");
    asked.recv().await.expect("a blob is asked for");
    is_begun(&site).await;
    site.sandbox.write("usb.tar", "somebody else's");
    let failed = finish(child, &arguments).await.expect(1);
    assert_eq!(failed.stdout, "");
    let report = site.json("report.json");
    assert_eq!(
        (&report["tags"]["written"], &report["tags"]["failed"]),
        (&0.into(), &3.into())
    );
    assert_eq!(
        (&report["ops"]["done"], &report["outcome"]),
        (&0.into(), &"failed".into())
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_layer_of_an_archive_is_not_copied() {
    let Some(site) = to_archive(&[("team/app", single("v1", 1, 5_000))]).await else {
        return;
    };
    let source = format!("{}/team/app:v1", site.source.registry.host());
    let _ = site.run(&["copy", &source, "oci:whole:v1"]).await.expect(0);
    let blobs = fs::read_dir(site.sandbox.path("whole/blobs/sha256")).expect("the layout has blobs");
    let paths = blobs.map(|entry| entry.expect("an entry can be read").path());
    let layer = paths.max_by_key(|path| path.metadata().expect("a blob is there").len());
    fs::write(layer.expect("there is a layer"), vec![0; 5_000]).expect("the layer can be damaged");
    run(
        "tar",
        &["-cf", "bad.tar", "-C", "whole", "."],
        &site.sandbox.path(""),
    );
    let target = format!("{}/mirror/app:v1", site.targets[0].registry.host());
    let failed = site
        .run(&[
            "copy",
            "oci-archive:bad.tar:v1",
            &target,
            "--report",
            "report.json",
        ])
        .await
        .expect(1);
    let _ = failed.warns(&["bad.tar", "its bytes are sha256:"]);
    let failures = &site.json("report.json")["failures"];
    assert_eq!(
        (&failures[0]["kind"], &failures[0]["side"]),
        (&"integrity".into(), &"source".into())
    );
    assert_eq!(standing(&site.targets[0], "mirror/app", "v1").await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_archive_that_tar_made_without_holes_is_read_with_them() {
    let mut content = Content::new();
    // Of more pieces than the first header of GNU's format has room for.
    let bytes: Vec<u8> = (0..60_u8)
        .flat_map(|piece| vec![piece % 2 * piece; 8_192])
        .collect();
    let layer = content.blob(MediaType::OCI_LAYER, bytes);
    let image = content.image(Family::Oci, "linux/amd64", &[layer]);
    content.tag("v1", &image);
    let Some(site) = to_archive(&[("team/app", content.clone())]).await else {
        return;
    };
    let source = format!("{}/team/app:v1", site.source.registry.host());
    let _ = site.run(&["copy", &source, "oci:whole:v1"]).await.expect(0);
    run(
        "cp",
        &["-r", "--sparse=always", "whole", "holes"],
        &site.sandbox.path(""),
    );
    for format in ["gnu", "posix"] {
        let file = format!("{format}.tar");
        let arguments = [
            "--sparse",
            "--hole-detection=raw",
            &format!("--format={format}"),
            "-cf",
            &file,
            "-C",
            "holes",
            ".",
        ];
        run("tar", &arguments, &site.sandbox.path(""));
        let length = fs::metadata(site.sandbox.path(&file))
            .expect("tar wrote it")
            .len();
        assert!(length < 400_000, "{format}: holes are left out: {length}");
        let target = format!("{}/mirror/{format}", site.targets[0].registry.host());
        let archive = format!("oci-archive:{file}:v1");
        let _ = site.run(&["copy", &archive, &target]).await.expect(0);
        assert_holds(&site.targets[0], &format!("mirror/{format}"), &content).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_archive_is_refused_with_what_to_do() {
    let Some(site) = to_archive(&[("team/app", single("v1", 1, 5_000))]).await else {
        return;
    };
    let source = format!("{}/team/app:v1", site.source.registry.host());
    let _ = site.run(&["copy", &source, "oci-archive:x.tar"]).await.expect(0);
    let whole = fs::read(site.sandbox.path("x.tar")).expect("the archive was written");
    fs::write(site.sandbox.path("cut.tar"), &whole[..whole.len() - 4_000]).expect("it can be written");
    site.sandbox.write("text.tar", "no archive at all");
    run("gzip", &["-k", "x.tar"], &site.sandbox.path(""));
    for (reference, told) in [
        (
            "oci-archive:cut.tar:v1",
            ["cut.tar is cut off", "make the archive again"],
        ),
        (
            "oci-archive:text.tar:v1",
            ["text.tar is not a tar archive", "make the archive again"],
        ),
        (
            "oci-archive:x.tar.gz",
            ["compressed with gzip", "decompress it with gzip first"],
        ),
        (
            "docker-archive:x.tar",
            ["has no `manifest.json`", "oci-archive:x.tar"],
        ),
        (
            "oci-archive:/dev/null",
            ["/dev/null is a stream", "write it to a file first"],
        ),
        (
            "oci-archive:none.tar",
            ["can't read oci-archive:none.tar", "No such file"],
        ),
    ] {
        let _ = site.run(&["digest", reference]).await.expect(1).warns(&told);
    }
    fs::rename(site.sandbox.path("cut.tar"), site.sandbox.path("usb.tar")).expect("it can be renamed");
    let planned = site.run(&["apply", "--auto-approve"]).await.expect(1);
    let _ = planned.warns(&["usb.tar is cut off"]);
    let left = fs::read(site.sandbox.path("usb.tar")).expect("it is there");
    assert_eq!(left.len(), whole.len() - 4_000, "a damaged archive is left alone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_layer_goes_into_an_archive_and_out_of_it_in_bounded_memory() {
    const SIZE: u64 = 200 << 20;
    let Some(site) = Site::start(1).await else { return };
    let layer = plant(site.source.registry.root(), "team/big", SIZE);
    let mut content = Content::new();
    let image = content.image(Family::Oci, "linux/amd64", std::slice::from_ref(&layer));
    content.tag("v1", &image);
    site.source.direct().push("team/big", &content).await;
    let source = format!("{}/team/big:v1", site.source.registry.host());
    let target = format!("{}/mirror/big", site.targets[0].registry.host());
    for arguments in [
        ["copy", &source, "oci-archive:x.tar"],
        ["copy", "oci-archive:x.tar", &target],
    ] {
        let (output, usage) = watched(&site.sandbox, &arguments).await;
        let _ = output.expect(0);
        let mebibytes = usage.memory >> 20;
        assert!(mebibytes > 1, "the process was seen");
        assert!(usage.memory <= MOST_MEMORY, "{mebibytes} MiB");
    }
    assert_eq!(
        site.targets[0]
            .direct()
            .blob_size("mirror/big", &layer.digest)
            .await,
        Some(SIZE)
    );
}
