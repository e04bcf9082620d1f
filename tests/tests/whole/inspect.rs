//! `inspect`: bytes as they stand, and the tree with everything that is attached.

use loopback::{Options, Registry, Server};
use oci::Descriptor;
use serde_json::Value;
use testkit::binary::Sandbox;
use testkit::image::{Content, Family, SBOM, SIGNATURE};
use testkit::process::DockerRegistry;
use testkit::push::Direct;
use testkit::software::{Need, need, skopeo, skopeo_raw};

const PLATFORMS: [&str; 2] = ["linux/amd64", "linux/arm64/v8"];

/// What is inspected here: an index of two images, one with a signed SBOM, all with a signature of cosign's.
struct App {
    content: Content,
    index: Descriptor,
    images: Vec<Descriptor>,
    sbom: Descriptor,
    signature: Descriptor,
    cosign: Descriptor,
}

/// Makes it; with `fallback` tags list the referrers.
fn app(fallback: bool) -> App {
    let mut content = Content::new();
    let images: Vec<Descriptor> = PLATFORMS
        .iter()
        .zip(1..)
        .map(|(platform, seed)| {
            let layer = content.layer(Family::Oci, seed, 3_000);
            content.image(Family::Oci, platform, &[layer])
        })
        .collect();
    let index = content.index(Family::Oci, &images);
    content.tag("v1", &index);
    let cosign = content.cosign(&index);
    let sbom = content.sbom(&images[1]);
    let signature = content.signature(&sbom);
    if fallback {
        content.fallback(&images[1], std::slice::from_ref(&sbom));
        content.fallback(&sbom, std::slice::from_ref(&signature));
    }
    App {
        content,
        index,
        images,
        sbom,
        signature,
        cosign,
    }
}

async fn serve(app: &App) -> Server {
    let registry = Registry::in_memory().with_options(Options::default());
    let server = registry.serve(([127, 0, 0, 1], 0).into()).await;
    let server = server.expect("a loopback port is free");
    Direct::new(&server.host()).push("team/app", &app.content).await;
    server
}

async fn debian(app: &App) -> Option<DockerRegistry> {
    if need("docker-registry") == Need::Skip || need("skopeo") == Need::Skip {
        return None;
    }
    let registry = DockerRegistry::start().await;
    Direct::new(registry.host()).push("team/app", &app.content).await;
    Some(registry)
}

async fn tree(sandbox: &Sandbox, reference: &str) -> Value {
    let output = sandbox
        .run(&["inspect", "--format", "json", reference])
        .await
        .expect(0);
    let document: Value = serde_json::from_str(&output.stdout).expect("the tree is JSON");
    assert_eq!(document["schema"], 1);
    document["root"].clone()
}

fn digest(descriptor: &Descriptor) -> Value {
    descriptor.digest.to_string().into()
}

/// Asserts that the tree is that of the app, with its referrers found in these ways.
fn assert_whole(app: &App, root: &Value, ways: &[&str]) {
    assert_eq!(root["digest"], digest(&app.index));
    assert_eq!(root["size"], app.index.size);
    let cosign = &root["referrers"][0];
    assert_eq!(
        (&cosign["digest"], &cosign["via"][0]),
        (&digest(&app.cosign), &"cosign_tag".into())
    );
    let children = root["manifests"].as_array().expect("an array");
    assert_eq!(children.len(), 2);
    for ((child, image), architecture) in children.iter().zip(&app.images).zip(["amd64", "arm64"]) {
        assert_eq!(child["digest"], digest(image));
        assert_eq!(child["platform"]["architecture"], architecture);
        assert_eq!(
            (&child["layers"][0]["size"], &child["state"]),
            (&3_000.into(), &"read".into())
        );
    }
    assert_eq!(children[0]["referrers"], Value::Array(Vec::new()));
    let sbom = &children[1]["referrers"][0];
    assert_eq!(
        (&sbom["digest"], &sbom["artifactType"]),
        (&digest(&app.sbom), &SBOM.into())
    );
    assert_eq!(sbom["via"], ways.iter().copied().collect::<Value>());
    assert_eq!(sbom["subject"], digest(&app.images[1]));
    let signature = &sbom["referrers"][0];
    assert_eq!(signature["digest"], digest(&app.signature));
    assert_eq!(signature["artifactType"], SIGNATURE);
}

#[tokio::test]
async fn attachments_under_tags_are_found_without_the_referrers_api() {
    let app = app(true);
    let Some(registry) = debian(&app).await else {
        return;
    };
    let reference = format!("{}/team/app:v1", registry.host());
    let root = tree(&Sandbox::new(), &reference).await;
    assert_whole(&app, &root, &["fallback_tag"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_referrers_api_and_the_fallback_tag_find_a_thing_once() {
    let plain = app(false);
    let server = serve(&plain).await;
    let reference = format!("{}/team/app:v1", server.host());
    let sandbox = Sandbox::new();
    assert_whole(&plain, &tree(&sandbox, &reference).await, &["referrers_api"]);
    let both = app(true);
    Direct::new(&server.host()).push("team/app", &both.content).await;
    let root = tree(&sandbox, &reference).await;
    assert_whole(&both, &root, &["referrers_api", "fallback_tag"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_layout_shows_the_tree_that_was_copied_into_it() {
    let app = app(false);
    let server = serve(&app).await;
    let sandbox = Sandbox::new();
    let from = format!("{}/team/app:v1", server.host());
    let _ = sandbox.run(&["copy", &from, "oci:kept:v1"]).await.expect(0);
    assert_whole(&app, &tree(&sandbox, "oci:kept").await, &["referrers_api"]);
    let raw = sandbox.run(&["inspect", "--raw", "oci:kept:v1"]).await.expect(0);
    assert_eq!(raw.stdout.as_bytes(), app.content.file(&app.index.digest).bytes);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_see_a_tree() {
    let app = app(false);
    let server = serve(&app).await;
    let reference = format!("{}/team/app:v1", server.host());
    let output = Sandbox::new().run(&["inspect", &reference]).await.expect(0);
    assert_eq!(output.stderr, "");
    let lines: Vec<&str> = output.stdout.lines().collect();
    let starts = [
        reference.clone(),
        format!("index  {}  ", app.index.digest),
        format!("├── linux/amd64  {}  ", app.images[0].digest),
        format!("├── linux/arm64/v8  {}  ", app.images[1].digest),
        format!("│   └── attached: {SBOM}  {}  ", app.sbom.digest),
        format!("│       └── attached: {SIGNATURE}  {}  ", app.signature.digest),
        format!("└── attached: image  {}  ", app.cosign.digest),
    ];
    for (line, start) in lines.iter().zip(&starts) {
        assert!(line.starts_with(start.as_str()), "{line}\n{start}");
    }
    assert_eq!(lines[starts.len()], "");
    assert!(
        lines[starts.len() + 1].starts_with("6 manifests and "),
        "{}",
        output.stdout
    );
}

#[tokio::test]
async fn bytes_are_those_that_skopeo_prints() {
    let app = app(true);
    let Some(registry) = debian(&app).await else {
        return;
    };
    let (sandbox, host) = (Sandbox::new(), registry.host());
    let reference = format!("{host}/team/app:v1");
    let raw = sandbox.run(&["inspect", "--raw", &reference]).await.expect(0);
    assert_eq!(raw.stdout.as_bytes(), skopeo_raw(host, "team/app", "v1").await);
    let arm = ["inspect", "--platform", "linux/arm64", &reference];
    let raw = sandbox.run(&[&arm[..], &["--raw"]].concat()).await.expect(0);
    let digest = app.images[1].digest.to_string();
    assert_eq!(raw.stdout.as_bytes(), skopeo_raw(host, "team/app", &digest).await);
    let config = sandbox.run(&[&arm[..], &["--config"]].concat()).await.expect(0);
    let place = format!("docker://{host}/team/app@{digest}");
    let wanted = skopeo(&["inspect", "--config", "--raw", "--tls-verify=false", &place]).await;
    assert_eq!(config.stdout.as_bytes(), wanted);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_platform_is_chosen_or_the_choice_is_told() {
    let app = app(false);
    let server = serve(&app).await;
    let sandbox = Sandbox::new();
    let reference = format!("{}/team/app:v1", server.host());
    let one = format!("{}/team/app@{}", server.host(), app.images[0].digest);
    let output = sandbox.run(&["inspect", "--config", &reference]).await.expect(64);
    let _ = output.warns(&["linux/amd64, linux/arm64/v8"]);
    let output = sandbox
        .run(&["inspect", "--platform", "linux/s390x", &reference])
        .await
        .expect(1);
    let _ = output.warns(&["linux/amd64, linux/arm64/v8"]);
    let output = sandbox
        .run(&["inspect", "--platform", "linux/arm64", &one])
        .await
        .expect(1);
    let _ = output.warns(&["for linux/amd64 and not for linux/arm64"]);
    let output = sandbox
        .run(&["inspect", "--platform", "linux", &reference])
        .await
        .expect(64);
    assert!(output.stderr.contains("os/architecture"), "{}", output.stderr);
    let output = sandbox
        .run(&["inspect", "--platform", "linux/amd64", &reference])
        .await
        .expect(0);
    let _ = output.says(&[&format!("linux/amd64  {}", app.images[0].digest)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_that_is_missing_is_shown_as_that() {
    let options = Options {
        sparse: true,
        ..Options::default()
    };
    let registry = Registry::in_memory().with_options(options);
    let server = registry
        .serve(([127, 0, 0, 1], 0).into())
        .await
        .expect("a port is free");
    let app = app(false);
    let direct = Direct::new(&server.host());
    let index = app.content.file(&app.index.digest);
    direct.put_manifest("team/app", "v1", index).await;
    let output = Sandbox::new()
        .run(&["inspect", &format!("{}/team/app:v1", server.host())])
        .await
        .expect(0);
    let output = output.says(&[&format!("linux/amd64  {}  missing", app.images[0].digest)]);
    let _ = output.warns(&["warning: 2 manifests named here and missing"]);
    let output = Sandbox::new()
        .run(&["inspect", &format!("{}/team/app:v2", server.host())])
        .await
        .expect(1);
    let _ = output.warns(&["there is no"]);
}
