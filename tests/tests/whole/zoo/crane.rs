//! Images and indexes that crane makes.

use super::exhibit::LONG_TAG;
use super::keeper::Keeper;

/// More than fit into one of anything.
const LAYERS: u64 = 101;

/// Makes an index, to which others attach.
pub(super) async fn app(keeper: &Keeper) {
    let layers = [keeper.noise(12, 3_000), keeper.noise(13, 3_000)];
    let images = ["amd64", "arm64"].map(|architecture| keeper.at(&format!("attached:{architecture}")));
    for (layer, image) in layers.iter().zip(&images) {
        append(keeper, &["--oci-empty-base", "-f", layer], image).await;
    }
    let arm = [
        "mutate",
        &images[1],
        "-t",
        &images[1],
        "--set-platform",
        "linux/arm64/v8",
    ];
    keeper.crane(&arm).await;
    index(
        keeper,
        &[],
        &images.each_ref().map(String::as_str),
        &keeper.at("attached:app"),
    )
    .await;
}

pub(super) async fn fill(keeper: &Keeper) {
    images(keeper).await;
    indexes(keeper).await;
    // Blobs of one repository again in others, which crane mounts there.
    for tag in ["shared/one:v1", "shared/two:v1"] {
        let (from, to) = (keeper.at("images:crane-append"), keeper.at(tag));
        keeper.crane(&["copy", &from, &to]).await;
    }
}

async fn images(keeper: &Keeper) {
    let at = |tag: &str| keeper.at(&format!("images:{tag}"));
    let [a, b] = [keeper.noise(10, 3_000), keeper.noise(11, 3_000)];
    let oci = "--oci-empty-base";
    append(keeper, &["-f", &a], &at("crane-docker")).await;
    append(keeper, &[oci, "-f", &a], &at("crane-oci")).await;
    append(keeper, &[oci, "-f", &b], &at(LONG_TAG)).await;
    append(keeper, &[oci, "-f", &a, "-f", &b, "-f", &a], &at("crane-twice")).await;
    let base = at("umoci-two");
    append(
        keeper,
        &["--set-base-image-annotations", "-b", &base, "-f", &b],
        &at("crane-append"),
    )
    .await;
    let layers: Vec<String> = (0..LAYERS).map(|seed| keeper.noise(1_000 + seed, 64)).collect();
    let layers: Vec<&str> = layers.iter().flat_map(|layer| ["-f", layer]).collect();
    append(keeper, &[&[oci], &layers[..]].concat(), &at("crane-101-layers")).await;
    let (from, to) = (at("crane-oci"), at("crane-arm"));
    let changes = [
        "--set-platform",
        "linux/arm64/v8",
        "--label",
        "a=b",
        "--annotation",
        "c=d",
    ];
    keeper
        .crane(&[&["mutate", &from, "-t", &to], &changes[..]].concat())
        .await;
}

async fn append(keeper: &Keeper, arguments: &[&str], to: &str) {
    keeper.crane(&[&["append", "-t", to], arguments].concat()).await;
}

async fn indexes(keeper: &Keeper) {
    let image = |tag: &str| keeper.at(&format!("images:{tag}"));
    let at = |tag: &str| keeper.at(&format!("indexes:{tag}"));
    let [oci, arm] = ["crane-oci", "crane-arm"].map(image);
    index(keeper, &[], &[&oci, &arm], &at("crane-index")).await;
    let docker = ["crane-docker", "skopeo-docker"].map(image);
    index(
        keeper,
        &["--docker-empty-base"],
        &[&docker[0], &docker[1]],
        &at("crane-list"),
    )
    .await;
    let children = [&at("crane-index"), &image("umoci-two")];
    index(
        keeper,
        &["--flatten=false"],
        &children.map(String::as_str),
        &at("crane-nested"),
    )
    .await;
}

async fn index(keeper: &Keeper, flags: &[&str], children: &[&str], to: &str) {
    let children: Vec<&str> = children.iter().flat_map(|child| ["-m", child]).collect();
    keeper
        .crane(&[&["index", "append", "-t", to], flags, &children].concat())
        .await;
}
