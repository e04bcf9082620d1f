//! Artifacts made by many programs go everywhere and come back as they were, by the word of a walker that is not ours.

mod comparison;
mod crane;
mod exhibit;
mod hand;
mod keeper;
mod oras;
mod regctl;
mod umoci;
mod yard;

use loopback::{Options, Registry, Server};
use testkit::binary::Sandbox;
use testkit::process::DockerRegistry;
use testkit::software::Need;
use testkit::walker::{Ground, Walked, walk};

use crate::serving::Serving;
use comparison::{assert_fallback_tags_are_whole, assert_same, assert_told_alike};
use keeper::{Keeper, need_keepers};
use yard::{Yard, mirrors};

async fn fill(host: &str) {
    let keeper = Keeper::new(host);
    umoci::fill(&keeper).await;
    crane::fill(&keeper).await;
    oras::fill(&keeper).await;
    regctl::fill(&keeper).await;
    hand::fill(&keeper).await;
    attach(&keeper).await;
}

/// Fills one repository with an index and all that there is to attach to it.
async fn attach(keeper: &Keeper) {
    crane::app(keeper).await;
    oras::attach_all(keeper).await;
    regctl::attach_all(keeper).await;
    hand::attach_all(keeper).await;
}

async fn modern() -> Server {
    let registry = Registry::in_memory().with_options(Options::default());
    registry
        .serve(([127, 0, 0, 1], 0).into())
        .await
        .expect("a loopback port is free")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_zoo_goes_to_every_kind_of_place_and_back_as_it_was() {
    if need_keepers() == Need::Skip {
        return;
    }
    let (origin, older, back) = (
        DockerRegistry::start_in_memory().await,
        DockerRegistry::start().await,
        DockerRegistry::start_in_memory().await,
    );
    let modern = modern().await;
    fill(origin.host()).await;
    let yard = Yard::new(&[
        ("origin", origin.host()),
        ("older", older.host()),
        ("modern", &modern.host()),
        ("back", back.host()),
    ]);
    yard.mirror(&mirrors("origin", &["older", "modern", "usb"])).await;
    yard.mirror(&(mirrors("modern", &["back/first"]) + &mirrors("usb", &["back/second"])))
        .await;

    let origin = Ground::registry(origin.host(), "zoo/");
    let places = [
        ("older", Ground::registry(older.host(), "zoo/")),
        ("modern", Ground::registry(&modern.host(), "zoo/")),
        ("the layout", Ground::layout(&yard.usb(), "zoo/")),
        ("back from modern", Ground::registry(back.host(), "first/zoo/")),
        (
            "back from the layout",
            Ground::registry(back.host(), "second/zoo/"),
        ),
    ];
    let grounds: Vec<&Ground> = [&origin]
        .into_iter()
        .chain(places.iter().map(|(_, ground)| ground))
        .collect();
    let walks = walk(&grounds).await;
    let (wanted, walks) = walks.split_first().expect("the origin was walked");
    exhibit::assert_stand(wanted);
    for ((name, _), walked) in places.iter().zip(walks) {
        assert_same(name, walked, wanted);
        assert_fallback_tags_are_whole(name, walked, wanted);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_referrers_api_tells_becomes_fallback_tags_that_are_whole() {
    if need_keepers() == Need::Skip {
        return;
    }
    let (origin, back, older) = (
        modern().await,
        modern().await,
        DockerRegistry::start_in_memory().await,
    );
    attach(&Keeper::new(&origin.host())).await;
    let yard = Yard::new(&[
        ("origin", &origin.host()),
        ("older", older.host()),
        ("back", &back.host()),
    ]);
    let mirror =
        |from: &str, to: &str| format!("  - {{ from: {from}/zoo/attached, to: [{to}/zoo/attached] }}\n");
    yard.mirror(&(mirror("origin", "older") + &mirror("origin", "usb")))
        .await;
    yard.mirror(&(mirror("usb", "back"))).await;
    yard.mirror(&mirror("older", "back")).await;

    let grounds =
        [origin.host(), older.host().to_owned(), back.host()].map(|host| Ground::registry(&host, "zoo/"));
    let layout = Ground::layout(&yard.usb(), "zoo/");
    let walks = walk(&[&grounds[0], &grounds[1], &grounds[2], &layout]).await;
    let [origin, older, back, layout] = &walks[..] else {
        panic!("four places were walked");
    };
    for (name, walked) in [("older", older), ("back", back), ("the layout", layout)] {
        assert_same(name, walked, origin);
    }
    let attached = |walked: &Walked| walked["attached"].clone();
    assert_told_alike(&attached(older), &attached(origin));
    assert_eq!(attached(back).api, attached(origin).api);
    assert!(attached(origin).fallback.is_empty(), "the programs asked the API");
}

/// Returns the tags but for those that stand below `app`, which nobody asked for.
fn with_app_alone(walked: &Walked) -> Walked {
    let mut walked = walked.clone();
    for repository in walked.values_mut() {
        repository.tags.retain(|tag, _| tag != "amd64" && tag != "arm64");
    }
    walked
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_line_copies_an_index_with_all_that_is_attached_to_it_to_three_kinds_of_places() {
    if need_keepers() == Need::Skip {
        return;
    }
    let (origin, older) = (
        DockerRegistry::start_in_memory().await,
        DockerRegistry::start_in_memory().await,
    );
    attach(&Keeper::new(origin.host())).await;
    let sandbox = Sandbox::new();
    let serving = Serving::start(&sandbox, "served").await;
    let source = format!("{}/zoo/attached:app", origin.host());
    let registries = [older.host(), &serving.host].map(|host| format!("{host}/kept/app"));
    let [older_app, served_app] = &registries;
    let _ = sandbox
        .run(&["copy", &source, older_app, served_app, "oci:kept"])
        .await
        .expect(0);

    let [wanted, older, served] = [
        Ground::registry(origin.host(), "zoo/attached"),
        Ground::registry(older.host(), "kept/app"),
        Ground::registry(&serving.host, "kept/app"),
    ];
    let layout = Ground::layout(&sandbox.path("kept"), "");
    let walks = walk(&[&wanted, &older, &served, &layout]).await;
    let (wanted, walks) = walks.split_first().expect("the origin was walked");
    let wanted = with_app_alone(wanted);
    for (name, walked) in ["older", "served", "the layout"].iter().zip(walks) {
        assert_same(name, walked, &wanted);
        assert_fallback_tags_are_whole(name, walked, &wanted);
    }
    let told = &walks[1][""].api;
    assert!(
        told.len() >= 4,
        "the API of the served layout tells of all: {told:?}"
    );
    serving.end().await;
}

// docker-registry keeps manifests under SHA-256 alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn manifests_under_sha512_keep_their_digests_and_their_tags() {
    if need_keepers() == Need::Skip {
        return;
    }
    let (origin, target, back) = (modern().await, modern().await, modern().await);
    let keeper = Keeper::new(&origin.host());
    crane::app(&keeper).await;
    regctl::long(&keeper).await;
    let yard = Yard::new(&[
        ("origin", &origin.host()),
        ("target", &target.host()),
        ("back", &back.host()),
    ]);
    yard.mirror("  - { from: origin/zoo/attached, to: [target/zoo/attached, usb/zoo/attached] }\n")
        .await;
    yard.mirror("  - { from: usb/zoo/attached, to: [back/zoo/attached] }\n")
        .await;

    let registries = [&origin, &target, &back].map(|server| Ground::registry(&server.host(), "zoo/"));
    let layout = Ground::layout(&yard.usb(), "zoo/");
    let walks = walk(&[&registries[0], &registries[1], &registries[2], &layout]).await;
    let (wanted, walks) = walks.split_first().expect("the origin was walked");
    let long = &wanted["attached"].tags["long"];
    assert!(long.starts_with("sha512:"), "{long}");
    assert_eq!(wanted["attached"].attached.keys().collect::<Vec<_>>(), [long]);
    for (name, walked) in ["target", "back", "the layout"].iter().zip(walks) {
        assert_same(name, walked, wanted);
    }
}
