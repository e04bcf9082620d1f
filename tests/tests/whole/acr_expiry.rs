//! Tokens that end while many work with them.

use std::fmt::Write as _;
use std::time::Duration;

use oci::MediaType;
use serde_json::json;
use testkit::image::{Content, Family};

use crate::acr_site::AcrSite;

const REPOSITORIES: u64 = 4;
const IMAGES: u64 = 120;

/// How long a request of the protocol takes: a run then outlives several tokens, and so does the upload of a layer.
const DELAY: Duration = Duration::from_millis(250);

/// Many images on one layer, which is large in the first repository and goes in parts: blobs are few, so that it is the
/// small requests that are many at once.
fn content(repository: u64) -> Content {
    let mut content = Content::new();
    let size = if repository == 0 { 25_000_000 } else { 5_000 };
    let layer = content.layer(Family::Oci, repository, size);
    let config = content.blob(MediaType::OCI_CONFIG, "{}");
    for image in 0..IMAGES {
        let document = json!({
            "schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST, "config": config, "layers": [layer],
            "annotations": { "number": image.to_string() },
        });
        let manifest = content.manifest(MediaType::OCI_MANIFEST, &document);
        content.tag(&format!("v{image}"), &manifest);
    }
    content
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_that_live_two_seconds_serve_64_tasks_with_one_refresh_at_a_time() {
    let Some(site) = AcrSite::start_slow(DELAY).await else {
        return;
    };
    site.azure.tokens_live(2, 2);
    site.azure.tokens_take(Duration::from_millis(30));
    let contents: Vec<Content> = (0..REPOSITORIES).map(content).collect();
    let mut mirrors = String::new();
    for (number, content) in contents.iter().enumerate() {
        site.source
            .direct()
            .push(&format!("team/r{number}"), content)
            .await;
        writeln!(
            mirrors,
            "  - {{ from: origin/team/r{number}, to: [acr/mirror/r{number}], tags: {{ at_least: 0 }} }}"
        )
        .expect("a string takes all");
    }
    site.configure(&["limits: { concurrency: 64 }"], &mirrors);
    let text = site.sandbox.read("transship.yaml");
    let wide = text.replace(
        "plain_http: true }",
        "plain_http: true, limits: { concurrency: 64 } }",
    );
    site.sandbox.write("transship.yaml", &wide);
    let _ = site.plan(0).await;
    site.azure.forget();
    let report = site.apply(0).await;
    assert_eq!(report["outcome"], "succeeded");
    assert_eq!(report["tags"]["written"], REPOSITORIES * IMAGES);

    let busiest = site.front.tally().busiest();
    // A quarter of the permits is left to blobs.
    assert!((48..=64).contains(&busiest), "{busiest} requests at once");
    let count = |path: &str| {
        site.azure
            .asked()
            .iter()
            .filter(|asked| asked.path == path)
            .count()
    };
    let (exchanges, tokens) = (count("/oauth2/exchange"), count("/oauth2/token"));
    assert!(exchanges >= 3, "refresh tokens ended too: {exchanges}");
    assert!(tokens >= 3 * 4, "each repository's tokens ended: {tokens}");
    assert_eq!(site.azure.most_at_once("/oauth2/exchange"), 1);
    assert_eq!(site.azure.most_at_once_of_a_scope(), 1);
    for (number, content) in contents.iter().enumerate() {
        let (tag, digest) = content.tags.iter().next_back().expect("there are tags");
        let raw = site.raw(&format!("mirror/r{number}"), tag.as_str()).await;
        assert_eq!(oci::Digest::sha256(&raw), *digest);
    }
    site.assert_settled().await;
}
