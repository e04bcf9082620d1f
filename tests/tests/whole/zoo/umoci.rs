//! Images that umoci makes in a layout, and skopeo pushes, as they stand and converted.

use super::keeper::Keeper;

/// What umoci does to one image to make the next: the tag it starts from, the tag it makes, the arguments.
const STEPS: [(&str, &str, &[&str]); 6] = [
    ("umoci-empty", "umoci-one", &["hello", "/hello"]),
    ("umoci-one", "umoci-two", &["part", "/opt/part"]),
    ("umoci-two", "umoci-whiteout", &["--whiteout", "/hello"]),
    (
        "umoci-two",
        "umoci-opaque",
        &["--opaque", "--no-history", "hello", "/opt"],
    ),
    (
        "umoci-two",
        "umoci-zstd",
        &["--compress", "zstd", "part", "/zstd"],
    ),
    (
        "umoci-two",
        "umoci-plain",
        &["--compress", "none", "part", "/plain"],
    ),
];

pub(super) async fn fill(keeper: &Keeper) {
    keeper.file("hello", "hello\n");
    keeper.file("part", testkit::image::noise(1, 5_000));
    keeper.umoci(&["init", "--layout", "made"]).await;
    keeper.umoci(&["new", "--image", "made:umoci-empty"]).await;
    for (from, to, arguments) in STEPS {
        let image = format!("made:{from}");
        let insert = ["insert", "--rootless", "--image", &image, "--tag", to];
        keeper.umoci(&[&insert, arguments].concat()).await;
    }
    label(keeper).await;
    let made = STEPS.map(|(_, tag, _)| tag);
    for tag in made.into_iter().chain(["umoci-empty", "umoci-labels"]) {
        push(keeper, &["--preserve-digests"], tag, tag).await;
    }
    push(keeper, &["--format", "v2s2"], "umoci-two", "skopeo-docker").await;
    let docker = format!("docker://{}", keeper.at("images:skopeo-docker"));
    keeper
        .skopeo(&["--format", "oci"], &docker, "images:skopeo-oci")
        .await;
}

async fn label(keeper: &Keeper) {
    let from = ["config", "--image", "made:umoci-two", "--tag", "umoci-labels"];
    let what = [
        "--config.label",
        "motto=Grüße, 世界",
        "--author",
        "Zoë",
        "--os",
        "plan9",
    ];
    keeper.umoci(&[&from[..], &what].concat()).await;
}

async fn push(keeper: &Keeper, flags: &[&str], from: &str, to: &str) {
    let from = format!("oci:{}:{from}", keeper.home().join("made").display());
    keeper.skopeo(flags, &from, &format!("images:{to}")).await;
}
