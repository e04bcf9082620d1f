//! Artifacts that oras pushes, and attaches to each other.

use serde_json::Value;

use super::keeper::Keeper;

pub(super) async fn fill(keeper: &Keeper) {
    artifacts(keeper).await;
    let children = ["oras-helm", "oras-wasm"];
    let index = keeper.at("artifacts:oras-index");
    let kind = [
        "--artifact-type",
        "application/vnd.example.set",
        "--annotation",
        "of=two",
    ];
    let arguments = [&kind[..], &[&index], &children].concat();
    keeper.oras(&["manifest", "index", "create"], &arguments).await;
}

async fn artifacts(keeper: &Keeper) {
    let blob = keeper.noise(20, 4_000);
    let of = |media_type: &str| format!("{blob}:{media_type}");
    let config = |media_type: &str| format!("config.json:{media_type}");
    let chart = of("application/vnd.cncf.helm.chart.content.v1.tar+gzip");
    let helm = config("application/vnd.cncf.helm.config.v1+json");
    push(keeper, "oras-helm", &["--config", &helm], &[&chart]).await;
    let wasm = config("application/vnd.wasm.config.v0+json");
    push(
        keeper,
        "oras-wasm",
        &["--config", &wasm],
        &[&of("application/wasm")],
    )
    .await;
    push(keeper, "oras-1.0", &["--image-spec", "v1.0"], &["note.txt"]).await;
    let thing = ["--artifact-type", "application/vnd.example.thing"];
    push(
        keeper,
        "oras-empty-config",
        &thing,
        &["note.txt:text/plain", &of("a/b")],
    )
    .await;
    let words = ["--annotation", "words=Grüße 世界 🦓 \"q\" \\ <&>"];
    push(keeper, "oras-unicode", &[thing, words].concat(), &[]).await;
    push(keeper, "oras-zero-bytes", &thing, &["nothing"]).await;
}

async fn push(keeper: &Keeper, tag: &str, flags: &[&str], files: &[&str]) {
    let place = keeper.at(&format!("artifacts:{tag}"));
    keeper.oras(&["push"], &[flags, &[&place], files].concat()).await;
}

/// Attaches to the index, to a child of it, and to what is attached.
pub(super) async fn attach_all(keeper: &Keeper) {
    let app = keeper.at("attached:app");
    let sbom = attach(keeper, &app, "application/spdx+json", &["config.json"]).await;
    attach(
        keeper,
        &app,
        "application/vnd.in-toto+json",
        &["note.txt:application/json"],
    )
    .await;
    attach(
        keeper,
        &app,
        "application/vnd.example.approval",
        &["--annotation", "by=Zoë"],
    )
    .await;
    let signature = "application/vnd.cncf.notary.signature";
    let signed = attach(keeper, &sbom, signature, &["note.txt:application/jose+json"]).await;
    attach(
        keeper,
        &signed,
        "application/vnd.example.countersignature",
        &["note.txt"],
    )
    .await;
    let child = ["--platform", "linux/arm64/v8", "nothing"];
    attach(keeper, &app, "application/vnd.example.scan", &child).await;
}

/// Attaches an artifact, and returns where it stands.
async fn attach(keeper: &Keeper, subject: &str, kind: &str, what: &[&str]) -> String {
    let how = ["--artifact-type", kind, "--format", "json", subject];
    let printed = keeper.oras(&["attach"], &[&how, what].concat()).await;
    let attached: Value = serde_json::from_slice(&printed).expect("oras prints JSON");
    let place = attached["reference"]
        .as_str()
        .expect("oras names what it attached");
    place.to_owned()
}
