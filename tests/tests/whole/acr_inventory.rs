//! What a plan costs where everything is up to date: listings, and nothing tag by tag.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use oci::{Digest, MediaType};
use serde_json::json;
use testkit::azure::{Azure, Principal, Right};
use testkit::binary::Sandbox;
use testkit::image::{Content, Family};
use testkit::proxy::Proxy;
use testkit::push::Direct;
use tokio::task::JoinSet;

use crate::acr_site::{CLIENT, SECRET, application, declaration};
use crate::site::NO_CHANGES;

const REPOSITORIES: usize = 20;
const TAGS: usize = 250;
const REFERRERS: usize = 5;

fn name(number: usize) -> String {
    format!("team/r{number:02}")
}

/// A repository of many tags, of which some have an untagged bill of materials.
fn content(repository: usize) -> Content {
    let mut content = Content::new();
    let layer = content.layer(Family::Oci, 1, 1_000);
    let config = content.blob(MediaType::OCI_CONFIG, "{}");
    for tag in 0..TAGS {
        let document = json!({
            "schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST, "config": config, "layers": [layer],
            "annotations": { "number": format!("{repository}/{tag}") },
        });
        let image = content.manifest(MediaType::OCI_MANIFEST, &document);
        content.tag(&format!("v{tag}"), &image);
        if tag < REFERRERS {
            content.sbom(&image);
        }
    }
    content
}

fn untagged(content: &Content) -> BTreeSet<Digest> {
    let tagged: BTreeSet<&Digest> = content.tags.values().collect();
    let manifests = content.manifests.iter().map(|file| &file.digest);
    manifests
        .filter(|digest| !tagged.contains(digest))
        .cloned()
        .collect()
}

/// Pushes each manifest once: by its tag, where it has one.
async fn push(direct: Direct, repository: String, content: Content) {
    for (digest, bytes) in &content.blobs {
        direct.put_blob(&repository, digest, bytes.clone()).await;
    }
    for (tag, digest) in &content.tags {
        direct
            .put_manifest(&repository, tag.as_str(), content.file(digest))
            .await;
    }
    for digest in untagged(&content) {
        direct
            .put_manifest(&repository, &digest.to_string(), content.file(&digest))
            .await;
    }
}

/// One registry of Azure's, and the proxy that counts what is asked by the protocol.
struct Side {
    azure: Azure,
    proxy: Proxy,
}

impl Side {
    async fn start(upstream: &str, contents: &[Content]) -> Self {
        let azure = Azure::start().await;
        let proxy = Proxy::start(upstream).await;
        azure.serve_open(&proxy.host());
        azure.admit(Principal::new(CLIENT, Right::ALL).secret(SECRET));
        for (number, content) in contents.iter().enumerate() {
            let tags: BTreeMap<&Digest, &oci::Tag> =
                content.tags.iter().map(|(tag, digest)| (digest, tag)).collect();
            for file in &content.manifests {
                let tag = tags.get(&file.digest).map(|tag| tag.as_str());
                let media_type = file.media_type.to_string();
                azure.put(&name(number), tag, &file.digest.to_string(), &media_type);
            }
        }
        Self { azure, proxy }
    }

    fn count(&self, prefix: &str) -> usize {
        let asked = self.azure.asked();
        asked
            .iter()
            .filter(|asked| asked.path.starts_with(prefix))
            .count()
    }

    /// Asserts that a plan listed each repository by a page of tags and one of manifests, for few tokens.
    fn assert_listed(&self, scopes: usize) {
        assert_eq!(self.count("/acr/v1/"), 2 * REPOSITORIES);
        assert_eq!(self.count("/oauth2/exchange"), 1);
        assert_eq!(self.count("/oauth2/token"), scopes);
    }

    /// Asserts that the protocol was asked for the manifests that no listing explains, each once, and for nothing else.
    fn assert_read(&self, contents: &[Content]) {
        let wanted: BTreeSet<String> = contents
            .iter()
            .enumerate()
            .flat_map(|(number, content)| {
                let path = move |digest| format!("/v2/{}/manifests/{digest}", name(number));
                untagged(content).into_iter().map(path)
            })
            .collect();
        let exchanges = self.proxy.exchanges().0;
        let asked: BTreeSet<String> = exchanges.iter().map(|exchange| exchange.path.clone()).collect();
        assert_eq!(exchanges.len(), asked.len(), "nothing is asked twice");
        assert!(exchanges.iter().all(|exchange| exchange.method.as_str() == "GET"));
        assert_eq!(asked, wanted);
    }

    fn forget(&self) {
        self.azure.forget();
        self.proxy.forget();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_thousand_tags_that_are_up_to_date_cost_two_requests_for_each_repository() {
    let registry = loopback::Registry::in_memory();
    let server = registry
        .serve(([127, 0, 0, 1], 0).into())
        .await
        .expect("a port is free");
    let contents: Vec<Content> = (0..REPOSITORIES).map(content).collect();
    let direct = Direct::new(&server.host());
    let pushes: JoinSet<()> = contents
        .iter()
        .enumerate()
        .map(|(number, content)| push(direct.clone(), name(number), content.clone()))
        .collect();
    pushes.join_all().await;
    let first = Side::start(&server.host(), &contents).await;
    let second = Side::start(&server.host(), &contents).await;

    let mut sandbox = Sandbox::new();
    sandbox.set("ACR_SECRET", SECRET);
    let mut text = "version: 1\nregistries:\n".to_owned();
    for (registry, side) in [("first", &first), ("second", &second)] {
        let certificate = format!("{registry}.pem");
        sandbox.write(&certificate, &side.azure.certificate());
        let auth = format!("auth: {}", application(&side.azure));
        text += &declaration(registry, &side.azure, &certificate, &[&auth]);
    }
    text += "mirrors:\n";
    for number in 0..REPOSITORIES {
        let name = name(number);
        writeln!(
            text,
            "  - {{ from: first/{name}, to: [second/{name}], tags: {{ at_least: {TAGS} }} }}"
        )
        .expect("a string takes all");
    }
    sandbox.write("transship.yaml", &text);

    let plan = sandbox.run(&["plan", "--detailed-exitcode"]).await.expect(0);
    assert!(plan.stdout.trim_end().ends_with(NO_CHANGES), "{}", plan.stdout);
    // Tokens to list, and where something is read, to read.
    first.assert_listed(2 * REPOSITORIES);
    first.assert_read(&contents);
    second.assert_listed(REPOSITORIES);
    let second_read = second.proxy.exchanges().0;
    assert_eq!(
        second_read,
        Vec::new(),
        "what the source has told is known by its digest"
    );
    for side in [&first, &second] {
        assert!(side.azure.challenges() <= 8, "{}", side.azure.challenges());
        side.forget();
    }
    let again = sandbox.run(&["plan", "--detailed-exitcode"]).await.expect(0);
    assert!(again.stdout.trim_end().ends_with(NO_CHANGES), "{}", again.stdout);
    for side in [&first, &second] {
        side.assert_listed(REPOSITORIES);
        assert_eq!(side.proxy.exchanges().0, Vec::new(), "what was read is kept");
    }
}
