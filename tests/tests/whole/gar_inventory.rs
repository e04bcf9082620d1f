//! Thousands of tags that are up to date, planned by listings alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use loopback::{Options, RequestRecord, Server};
use serde_json::Value;
use testkit::binary::Sandbox;
use testkit::google::artifact_registry::{ArtifactRegistry, Image};
use testkit::google::identity::Identities;
use testkit::image::{Content, Family};
use testkit::push::Direct;
use tokio::task::JoinSet;

use crate::site::NO_CHANGES;

const REPOSITORIES: usize = 20;
const TAGS: usize = 250;

/// One tag in so many has something attached to it that no tag names.
const ATTACHED: usize = 10;

/// What the API lists at once.
const PAGE: usize = 100;

const PAGES: usize = (TAGS + TAGS / ATTACHED).div_ceil(PAGE) * REPOSITORIES * 2;

/// Two of Google's registries with the same content, and their APIs.
struct Twins {
    sandbox: Sandbox,
    api: ArtifactRegistry,
    identities: Arc<Identities>,
    store: loopback::Registry,
    servers: [Server; 2],
    contents: Vec<Content>,
}

/// The content of one repository; its blobs are never looked at.
fn content(repository: usize) -> Content {
    let mut content = Content::new();
    for number in 0..TAGS {
        let seed = (repository * TAGS + number) as u64;
        let layer = content.layer(Family::Oci, seed, 8);
        let image = content.image(Family::Oci, "linux/amd64", &[layer]);
        content.tag(&format!("1.0.{number}"), &image);
        if number % ATTACHED == 0 {
            content.sbom(&image);
        }
    }
    content
}

fn name(location: &str, repository: usize) -> String {
    format!("projects/my-project/locations/{location}/repositories/team-{repository:02}")
}

fn listed(content: &Content) -> Vec<Image> {
    let image = |file: &testkit::image::File| Image {
        digest: file.digest.to_string(),
        media_type: file.media_type.to_string(),
        tags: content
            .tags
            .iter()
            .filter(|(_, digest)| **digest == file.digest)
            .map(|(tag, _)| tag.to_string())
            .collect(),
    };
    content.manifests.iter().map(image).collect()
}

impl Twins {
    async fn start() -> Self {
        let identities = Arc::new(Identities::start().await);
        let known = Arc::clone(&identities);
        let api =
            ArtifactRegistry::start_for(move |token| token.is_some_and(|token| known.owner(token).is_some()))
                .await;
        api.page_at_most(PAGE);
        let store = loopback::Registry::in_memory().with_options(Options {
            sparse: true,
            record: true,
            ..Options::default()
        });
        let any = ([127, 0, 0, 1], 0).into();
        let servers = [
            store.serve(any).await.expect("a port is free"),
            store.serve(any).await.expect("a port is free"),
        ];
        let mut sandbox = Sandbox::new();
        sandbox.set("GCE_METADATA_HOST", &identities.host());
        let twins = Self {
            sandbox,
            api,
            identities,
            store,
            servers,
            contents: (0..REPOSITORIES).map(content).collect(),
        };
        twins.fill().await;
        twins.configure();
        twins
    }

    async fn fill(&self) {
        let mut pushes = JoinSet::new();
        for (number, content) in self.contents.iter().enumerate() {
            for location in ["europe-west1", "us"] {
                let repository = name(location, number);
                self.api
                    .add_repository(&repository, serde_json::json!({ "format": "DOCKER" }));
                self.api.add_images(&repository, "app", listed(content));
            }
            let (direct, content) = (Direct::new(&self.servers[0].host()), content.clone());
            pushes.spawn(async move {
                let repository = format!("my-project/team-{number:02}/app");
                for file in &content.manifests {
                    direct
                        .put_manifest(&repository, &file.digest.to_string(), file)
                        .await;
                }
                for (tag, digest) in &content.tags {
                    direct
                        .put_manifest(&repository, tag.as_str(), content.file(digest))
                        .await;
                }
            });
        }
        let _: Vec<()> = pushes.join_all().await;
        self.forget();
    }

    fn configure(&self) {
        let mut text = "version: 1\nregistries:\n".to_owned();
        for (server, (name, location)) in self
            .servers
            .iter()
            .zip([("europe", "europe-west1"), ("us", "us")])
        {
            let (host, api) = (server.host(), self.api.url());
            text += &format!(
                "  {name}:\n    provider: gar\n    host: \"{host}\"\n    plain_http: true\n    auth: {{ endpoint: \"{api}\" }}\n    \
                 create_repositories: {{ location: {location} }}\n"
            );
        }
        text += "mirrors:\n";
        for number in 0..REPOSITORIES {
            let path = format!("my-project/team-{number:02}/app");
            text += &format!("  - {{ from: europe/{path}, to: [us/{path}] }}\n");
        }
        self.sandbox.write("transship.yaml", &text);
    }

    fn forget(&self) {
        self.api.forget();
        self.store.clear_requests();
    }

    async fn assert_no_changes(&self) {
        let output = self.sandbox.run(&["plan", "--detailed-exitcode"]).await.expect(0);
        assert_eq!(output.stdout.trim_end(), NO_CHANGES);
    }

    /// Asserts what the API was asked, and returns what the registries were asked.
    fn asked(&self) -> Vec<RequestRecord> {
        let asked = self.api.asked();
        let pages = asked
            .iter()
            .filter(|asked| asked.path.ends_with("/versions"))
            .count();
        assert_eq!(pages, PAGES, "each page is read once");
        assert!(
            asked.len() <= 2 * PAGES,
            "{} requests for {PAGES} pages",
            asked.len()
        );
        let asked = self.store.requests();
        self.forget();
        asked
    }

    async fn plan(&self) -> (String, Value) {
        let output = self.sandbox.run(&["plan", "-o", "plan.json"]).await.expect(0);
        let plan = serde_json::from_str(&self.sandbox.read("plan.json")).expect("a plan is JSON");
        (output.stdout, plan)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gar_five_thousand_tags_are_planned_by_pages_and_what_is_untagged_is_read_once_for_ever() {
    let twins = Twins::start().await;
    twins.assert_no_changes().await;
    let mut read: BTreeMap<String, usize> = BTreeMap::new();
    for record in twins.asked() {
        assert_eq!(record.method, "GET", "{record:?}");
        let digest = record
            .path
            .rsplit_once("/manifests/")
            .expect("only manifests are read")
            .1
            .to_owned();
        *read.entry(digest).or_default() += 1;
    }
    let untagged = twins.contents.iter().flat_map(|content| {
        let files = content.manifests.iter().map(|file| &file.digest);
        files.filter(|digest| !content.tags.values().any(|tagged| tagged == *digest))
    });
    let untagged: BTreeMap<String, usize> = untagged.map(|digest| (digest.to_string(), 1)).collect();
    assert_eq!(untagged.len(), REPOSITORIES * TAGS / ATTACHED);
    assert_eq!(read, untagged, "each untagged manifest once, and nothing else");
    assert!(twins.identities.given() <= 2, "each registry signs in once");

    twins.assert_no_changes().await;
    assert_eq!(twins.asked(), Vec::new(), "the second run reads no manifest");
    assert_differences_are_seen(&twins).await;
}

/// A tag that moved at the source, and an attachment that is missing at the target, are found in the same listings.
async fn assert_differences_are_seen(twins: &Twins) {
    let content = &twins.contents[3];
    let moved = &content.tags[&"1.0.7".parse().expect("it is a tag")];
    let media_type = content.file(moved).media_type.to_string();
    let source = name("europe-west1", 3);
    twins
        .api
        .put_image(&source, "app", &moved.to_string(), &media_type, Some("1.0.8"));
    let (text, plan) = twins.plan().await;
    assert!(text.contains("~ us/my-project/team-03/app:1.0.8"), "{text}");
    assert_eq!(plan["summary"]["tags"]["update"], 1);
    assert_eq!(plan["summary"]["tags"]["unchanged"], REPOSITORIES * TAGS - 1);

    let content = &twins.contents[4];
    let tagged = |digest| content.tags.values().any(|tagged| tagged == digest);
    let attached = content.manifests.iter().find(|file| !tagged(&file.digest));
    let attached = attached.expect("something is attached").digest.to_string();
    twins.api.remove_image(&name("us", 4), "app", &attached);
    let (text, plan) = twins.plan().await;
    assert!(
        text.contains("+ us/my-project/team-04/app  1 attachment"),
        "{text}"
    );
    assert_eq!(plan["summary"]["attachments"], 1);
}
