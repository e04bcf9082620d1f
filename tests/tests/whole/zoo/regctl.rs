//! Artifacts, indexes and variants of images that regctl makes.

use super::keeper::Keeper;

pub(super) async fn fill(keeper: &Keeper) {
    artifacts(keeper).await;
    indexes(keeper).await;
    images(keeper).await;
}

async fn artifacts(keeper: &Keeper) {
    let weights = keeper.noise(30, 20_000);
    let config = [
        "--config-type",
        "application/vnd.cncf.model.config.v1+json",
        "--config-file",
        "config.json",
    ];
    let [weights_type, note_type] = [
        "application/vnd.cncf.model.weight.v1.raw",
        "application/vnd.cncf.model.doc.v1.raw",
    ];
    let files = [
        "-f",
        &weights,
        "-m",
        weights_type,
        "-f",
        "note.txt",
        "-m",
        note_type,
    ];
    let kind = [
        "--artifact-type",
        "application/vnd.cncf.model.manifest.v1+json",
        "--file-title",
    ];
    put(
        keeper,
        &[
            &kind[..],
            &config,
            &files,
            &[&keeper.at("artifacts:regctl-model")],
        ]
        .concat(),
    )
    .await;
    let bundle = ["--index", "--artifact-type", "application/vnd.example.bundle"];
    for file in ["note.txt", "config.json"] {
        let what = ["-f", file, "-m", "text/plain"];
        put(
            keeper,
            &[&bundle[..], &what, &[&keeper.at("artifacts:regctl-bundle")]].concat(),
        )
        .await;
    }
}

async fn put(keeper: &Keeper, arguments: &[&str]) {
    keeper.regctl(&[&["artifact", "put"], arguments].concat()).await;
}

async fn indexes(keeper: &Keeper) {
    let image = keeper.at("images:crane-oci");
    let kind = ["--artifact-type", "application/vnd.example.index"];
    let of = ["--ref", &image, "--desc-platform", "linux/amd64"];
    let place = keeper.at("indexes:regctl-index");
    create(
        keeper,
        &[&kind[..], &of, &["--annotation", "a=b", &place]].concat(),
    )
    .await;
    let image = keeper.at("images:crane-docker");
    let list = "application/vnd.docker.distribution.manifest.list.v2+json";
    let place = keeper.at("indexes:regctl-list");
    create(keeper, &["--media-type", list, "--ref", &image, &place]).await;
}

async fn create(keeper: &Keeper, arguments: &[&str]) {
    keeper.regctl(&[&["index", "create"], arguments].concat()).await;
}

async fn images(keeper: &Keeper) {
    let changes: [(&str, &[&str]); 3] = [
        ("regctl-data", &["--data-max", "5000"]),
        ("regctl-zstd", &["--layer-compress", "zstd"]),
        ("regctl-docker", &["--to-docker"]),
    ];
    let from = keeper.at("images:umoci-two");
    for (tag, change) in changes {
        keeper
            .regctl(&[&["image", "mod", "--create", tag], change, &[&from]].concat())
            .await;
    }
}

/// Attaches to the index.
pub(super) async fn attach_all(keeper: &Keeper) {
    let app = keeper.at("attached:app");
    let vex = [
        "--artifact-type",
        "application/vnd.openvex+json",
        "--subject",
        &app,
    ];
    put(
        keeper,
        &[&vex[..], &["-f", "config.json", "-m", "application/json"]].concat(),
    )
    .await;
    // An index without entries that refers to an index.
    let kind = ["--artifact-type", "application/vnd.example.related"];
    let place = keeper.at("attached");
    create(
        keeper,
        &[&kind[..], &["--subject", "app", "--by-digest", &place]].concat(),
    )
    .await;
}

/// Makes the index and its images anew under SHA-512, and attaches to it.
pub(super) async fn long(keeper: &Keeper) {
    let app = keeper.at("attached:app");
    let change = [
        "image",
        "mod",
        "--digest-algo",
        "sha512",
        "--create",
        "long",
        &app,
    ];
    keeper.regctl(&change).await;
    let long = keeper.at("attached:long");
    let kind = [
        "--artifact-type",
        "application/vnd.example.long",
        "--subject",
        &long,
    ];
    let what = ["-f", "note.txt", "-m", "text/plain"];
    put(keeper, &[&kind[..], &what].concat()).await;
}
