//! How blobs and what is attached to images get to Google's registry.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use oci::Digest;
use serde_json::{Value, json};
use testkit::binary::Sandbox;
use testkit::exchange::Exchange;
use testkit::fault::Fault;
use testkit::front::gar::{Family, GarFront};
use testkit::google::artifact_registry::ArtifactRegistry;
use testkit::google::identity::Identities;
use testkit::image::{Content, Family as Media};
use testkit::push::Direct;

use crate::gar::{BASE, World, rules};
use crate::site::{NO_CHANGES, single};

const ALPINE: &str = "from: origin/alpine, to: [gar/my-project/base/alpine]";

/// More than other clouds take in one request.
const LARGE: usize = 24 << 20;

/// Returns what was sent to the addresses of uploads; to give one up sends nothing.
fn sent(world: &World) -> Vec<Exchange> {
    let exchanges = world.door.exchanges().0.into_iter();
    exchanges
        .filter(|exchange| {
            exchange.path.starts_with("/artifacts-uploads/") && exchange.method.as_str() != "DELETE"
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gar_a_large_layer_goes_in_one_request() {
    let Some(world) = World::start().await else { return };
    let content = single("v1", 1, LARGE);
    world.seed("alpine", &content).await;
    world.configure("", &[], &[ALPINE]);
    let _ = world.run(&["apply", "--auto-approve"]).await.expect(0);
    let sent = sent(&world);
    let largest = sent.iter().map(|exchange| exchange.request_bytes).max();
    assert_eq!(largest, Some(LARGE as u64));
    assert!(
        sent.iter()
            .all(|exchange| exchange.method.as_str() == "PUT" && exchange.status == 201),
        "{sent:?}"
    );
    world.assert_holds("my-project/base/alpine", &content).await;
    let _ = world.run(&["verify", "--deep"]).await.expect(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gar_an_upload_that_breaks_begins_anew_at_another_address() {
    let Some(world) = World::start().await else { return };
    let content = single("v1", 1, LARGE);
    world.seed("alpine", &content).await;
    world.api.add_repository(BASE, json!({ "format": "DOCKER" }));
    world.configure("", &[], &[ALPINE]);
    let broken = AtomicBool::new(false);
    world.door.set_faults(move |head| {
        let uploads = head.method.as_str() == "PUT" && head.path.starts_with("/artifacts-uploads/");
        match uploads && !broken.swap(true, Ordering::SeqCst) {
            true => Fault::Cut { after: 100 },
            false => Fault::None,
        }
    });
    let _ = world.run(&["apply", "--auto-approve"]).await.expect(0);
    let sent = sent(&world);
    let addresses: std::collections::BTreeSet<&str> =
        sent.iter().map(|exchange| exchange.path.as_str()).collect();
    assert_eq!(addresses.len(), sent.len(), "no address is used twice: {sent:?}");
    assert!(
        sent.iter().any(|exchange| exchange.status == 0),
        "one was broken: {sent:?}"
    );
    assert_eq!(sent.iter().filter(|exchange| exchange.status == 201).count(), 2);
    world.assert_holds("my-project/base/alpine", &content).await;
    world.assert_settled().await;
}

/// An image with a bill of materials that is signed; nothing of that has a tag.
fn signed() -> (Content, [Digest; 3]) {
    let mut content = Content::new();
    let layer = content.layer(Media::Oci, 1, 3_000);
    let image = content.image(Media::Oci, "linux/amd64", &[layer]);
    content.tag("v1", &image);
    let sbom = content.sbom(&image);
    let signature = content.signature(&sbom);
    (content, [image.digest, sbom.digest, signature.digest])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gar_what_is_attached_arrives_without_tags_and_is_found_again() {
    let any = ([127, 0, 0, 1], 0).into();
    let source = loopback::Registry::in_memory()
        .serve(any)
        .await
        .expect("a port is free");
    let target = loopback::Registry::in_memory()
        .serve(any)
        .await
        .expect("a port is free");
    let (content, [image, sbom, signature]) = signed();
    Direct::new(&source.host()).push("alpine", &content).await;
    let identities = Identities::start().await;
    let api = Arc::new(ArtifactRegistry::start().await);
    let front = GarFront::start(&target.host(), rules(&api, "europe-west1", Family::default())).await;
    let mut sandbox = Sandbox::new();
    sandbox.set("GCE_METADATA_HOST", &identities.host());
    let (origin, host, api_url) = (source.host(), front.host(), api.url());
    sandbox.write(
        "transship.yaml",
        &format!(
            "version: 1
registries:
  origin: {{ host: \"{origin}\", plain_http: true }}
  gar: {{ provider: gar, host: \"{host}\", plain_http: true, auth: {{ endpoint: \"{api_url}\" }}, create_repositories: {{ location: europe-west1 }} }}
mirrors:
  - {{ {ALPINE} }}
"
        ),
    );
    let _ = sandbox.run(&["apply", "--auto-approve"]).await.expect(0);
    let direct = Direct::new(&target.host());
    let repository = "my-project/base/alpine";
    let tags = direct.tags(repository).await;
    assert_eq!(
        tags.into_iter().collect::<Vec<_>>(),
        ["v1"],
        "no fallback tag is made"
    );
    for (subject, attached) in [(image, &sbom), (sbom.clone(), &signature)] {
        let document = referrers(&target.host(), repository, &subject).await;
        let digests: Vec<&str> = document["manifests"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|entry| entry["digest"].as_str())
            .collect();
        assert_eq!(digests, [attached.to_string()]);
    }
    let output = sandbox.run(&["plan", "--detailed-exitcode"]).await.expect(0);
    assert_eq!(output.stdout.trim_end(), NO_CHANGES);

    api.remove_image(BASE, "alpine", &signature.to_string());
    let output = sandbox.run(&["plan", "--detailed-exitcode"]).await.expect(2);
    let line = "+ gar/my-project/base/alpine  1 attachment";
    assert!(output.stdout.contains(line), "{}", output.stdout);
}

/// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-referrers>
async fn referrers(host: &str, repository: &str, subject: &Digest) -> Value {
    let address = format!("http://{host}/v2/{repository}/referrers/{subject}");
    let answer = reqwest::get(address).await.expect("the registry answers");
    let bytes = answer.bytes().await.expect("the list arrives whole");
    serde_json::from_slice(&bytes).expect("a list of referrers is JSON")
}
