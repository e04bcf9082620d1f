//! Layers that are larger than what Azure's front takes in one request.

use std::fs;

use oci::Digest;
use serde_json::Value;
use testkit::image::{Content, Family};

use crate::acr_site::AcrSite;
use crate::big_blob::{MOST_MEMORY, MOST_WRITTEN, Usage, plant, watched};
use crate::site::{End, once};

/// A megabyte as Azure's limit counts it.
const MEGABYTE: u64 = 1_000_000;

/// Plants a layer of so many bytes at the source, with an image `v1` of it in `team/big`.
async fn source(site: &AcrSite, size: u64) -> (Digest, Content) {
    let layer = plant(site.source.registry.root(), "team/big", size);
    let mut content = Content::new();
    let image = content.image(Family::Oci, "linux/amd64", std::slice::from_ref(&layer));
    content.tag("v1", &image);
    site.source.direct().push("team/big", &content).await;
    (layer.digest, content)
}

/// Applies `plan.json` while the memory and the writes of the process are watched.
async fn apply_watched(site: &AcrSite) -> (Value, Usage) {
    let arguments = ["apply", "plan.json", "--report", "report.json"];
    let (output, usage) = watched(&site.sandbox, &arguments).await;
    let _ = output.expect(0);
    (site.json("report.json"), usage)
}

fn assert_bounded(site: &AcrSite, usage: &Usage) {
    let mebibytes = usage.memory >> 20;
    assert!(mebibytes > 1, "the process was seen");
    assert!(usage.memory <= MOST_MEMORY, "{mebibytes} MiB");
    assert!(
        usage.written <= MOST_WRITTEN,
        "{} bytes were written to disk",
        usage.written
    );
    let left = fs::read_dir(site.sandbox.temporary())
        .expect("the directory is there")
        .count();
    assert_eq!(left, 0, "files were left in TMPDIR");
}

/// Asserts that skopeo reads the image back, whose layer it hashes.
async fn assert_landed(site: &AcrSite, layer: &Digest, content: &Content) {
    for digest in content.tags.values() {
        let read = site.read_image("mirror/big", digest).await;
        assert!(read.contains(layer), "{read:?}");
    }
}

const MIRROR: &str = "  - { from: origin/team/big, to: [acr/mirror/big] }\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_layer_of_25_mb_goes_in_parts_of_the_built_in_size() {
    let Some(site) = AcrSite::start().await else {
        return;
    };
    let (layer, content) = source(&site, 25 * MEGABYTE).await;
    site.configure(&[], MIRROR);
    let _ = site.plan(0).await;
    let (report, usage) = apply_watched(&site).await;
    assert_bounded(&site, &usage);
    // 25 MB in parts of 4 MiB; the configuration is small and goes whole.
    assert_eq!(site.front.tally().parts(), 6);
    assert_eq!(site.front.tally().finished_uploads(), 2);
    assert!(
        report["bytes"]["written"]["acr"].as_u64() > Some(25 * MEGABYTE),
        "{report}"
    );
    assert_landed(&site, &layer, &content).await;
    site.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_layer_of_300_mb_is_read_once_for_azure_and_another_registry_in_bounded_memory_without_a_file() {
    let Some(site) = AcrSite::start().await else {
        return;
    };
    let (layer, content) = source(&site, 300 * MEGABYTE).await;
    let beside = End::start("beside").await;
    let others = format!(
        "  beside: {{ host: \"{}\", plain_http: true }}\n",
        beside.proxy.host()
    );
    let auth = format!("auth: {}", crate::acr_site::application(&site.azure));
    let mirrors = "  - { from: origin/team/big, to: [acr/mirror/big, beside/mirror/big] }\n";
    site.configure_with(&[&auth], &others, mirrors);
    let _ = site.plan(0).await;
    site.source.proxy.forget();
    let (report, usage) = apply_watched(&site).await;
    assert_eq!(report["outcome"], "succeeded");
    assert_bounded(&site, &usage);

    let config = content.blobs.keys().cloned();
    let digests: Vec<Digest> = config.chain([layer.clone()]).collect();
    assert_eq!(site.source.proxy.exchanges().blob_reads(), once(digests.clone()));
    assert_eq!(beside.proxy.exchanges().blob_sends_to_registry(), once(digests));
    assert_eq!(site.front.tally().parts(), 72);
    let size = beside.direct().blob_size("mirror/big", &layer).await;
    assert_eq!(size, Some(300 * MEGABYTE));
    assert_landed(&site, &layer, &content).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_layer_that_the_configuration_sends_whole_is_refused_and_the_key_is_named() {
    let Some(site) = AcrSite::start().await else {
        return;
    };
    let (layer, _) = source(&site, 25 * MEGABYTE).await;
    site.configure(&["profile: { upload: whole }"], MIRROR);
    let _ = site.plan(0).await;
    let report = site.apply(1).await;
    assert_eq!(site.front.tally().parts(), 0);
    let failures = report["failures"].as_array().expect("failures are a list");
    assert_eq!(failures.len(), 1, "{failures:#?}");
    let failure = &failures[0];
    assert_eq!(
        (&failure["registry"], &failure["side"]),
        (&"acr".into(), &"target".into())
    );
    assert_eq!(failure["kind"], "other", "{failure}");
    assert!(
        failure["error"]
            .as_str()
            .is_some_and(|error| error.contains("413")),
        "{failure}"
    );
    let hint = failure["hint"].as_str().expect("there is a hint");
    assert!(
        hint.contains("`profile: { upload: chunked, chunk: 4MiB }`"),
        "{hint}"
    );
    assert!(failure.to_string().contains(&layer.hex()[..12]), "{failure}");
}
