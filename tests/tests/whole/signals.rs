//! An interrupted run says so, and leaves nothing half done that a next run could not finish.

use std::process::Command;

use testkit::binary::finish;
use testkit::fault::{Fault, RequestHead};
use testkit::image::{Content, Family};
use tokio::sync::mpsc::unbounded_channel;

use crate::site::{Site, assert_holds, standing};

fn layered() -> Content {
    let mut content = Content::new();
    let layers: Vec<_> = (1..=8)
        .map(|seed| content.layer(Family::Oci, seed, 60_000))
        .collect();
    let image = content.image(Family::Oci, "linux/amd64", &layers);
    content.tag("v1", &image);
    content
}

fn signal(process: u32, name: &str) {
    let status = Command::new("kill")
        .args([&format!("-{name}"), &process.to_string()])
        .status();
    assert!(status.expect("kill can be run").success());
}

/// Applies over a slow wire, sends `name` as soon as bytes flow, and asserts what must hold then.
async fn interrupt(name: &str, code: i32) {
    let content = layered();
    let Some(site) = Site::mirroring(1, &[("team/app", &content)]).await else {
        return;
    };
    site.plan(0).await;
    let (sending, mut flows) = unbounded_channel();
    site.targets[0].proxy.set_faults(move |head: &RequestHead| {
        if head.sends_blob() {
            // Nobody listens once the first has been heard.
            let _ = sending.send(());
            return Fault::Throttle {
                bytes_per_second: 100_000,
            };
        }
        Fault::None
    });
    let arguments = ["apply", "plan.json", "--report", "report.json"];
    let child = site
        .sandbox
        .command(&arguments)
        .spawn()
        .expect("the binary can be run");
    let process = child.id().expect("a running child has an id");
    flows.recv().await.expect("bytes flow");
    signal(process, name);
    let _ = finish(child, &arguments).await.expect(code);
    let report = site.json("report.json");
    assert_eq!(report["outcome"], "interrupted", "{report:#}");
    assert_eq!(report["exit_code"], code);
    assert_eq!(standing(&site.targets[0], "mirror/app", "v1").await, None);

    site.targets[0].proxy.heal();
    site.plan(0).await;
    site.apply(0).await;
    assert_holds(&site.targets[0], "mirror/app", &content).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ctrl_c_ends_a_run_with_130_and_a_report() {
    interrupt("INT", 130).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_ends_a_run_with_75_and_a_report() {
    interrupt("TERM", 75).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_signal_does_not_wait_for_what_runs() {
    let content = layered();
    let Some(site) = Site::mirroring(1, &[("team/app", &content)]).await else {
        return;
    };
    site.plan(0).await;
    let (sending, mut flows) = unbounded_channel();
    site.targets[0].proxy.set_faults(move |head: &RequestHead| {
        if head.sends_blob() {
            let _ = sending.send(());
            return Fault::Stall;
        }
        Fault::None
    });
    let arguments = ["apply", "plan.json"];
    let mut child = site
        .sandbox
        .command(&arguments)
        .spawn()
        .expect("the binary can be run");
    let process = child.id().expect("a running child has an id");
    flows.recv().await.expect("bytes flow");
    signal(process, "INT");
    heard(&mut child).await;
    signal(process, "INT");
    let output = finish(child, &arguments).await;
    assert_eq!(output.code, 130, "{output:?}");
    assert_eq!(standing(&site.targets[0], "mirror/app", "v1").await, None);
}

/// Waits until the program says that it has heard the first signal.
async fn heard(child: &mut tokio::process::Child) {
    use tokio::io::{AsyncBufReadExt as _, BufReader};
    let stderr = child.stderr.take().expect("standard error is piped");
    let mut lines = BufReader::new(stderr).lines();
    while let Some(line) = lines.next_line().await.expect("standard error can be read") {
        if line.to_lowercase().contains("interrupt") || line.to_lowercase().contains("stop") {
            // The rest is read too: a full pipe would hold the program back.
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return;
        }
    }
    panic!("the program says nothing about the signal");
}
