//! From one of Google's registries to another: blobs are mounted, no byte of them moves through us.

use std::collections::{BTreeMap, BTreeSet};

use oci::{Digest, RepositoryName};
use serde_json::{Value, json};
use testkit::exchange::Exchanges;
use testkit::front::Operation;
use testkit::front::gar::{Family, GarFront};
use testkit::image::Content;
use testkit::proxy::Proxy;

use crate::gar::{HOST, World, rules};
use crate::site::{family, named_blobs, once};

const MIRRORED: &str = "projects/my-project/locations/us/repositories/mirror";

/// Google's registry in Europe with images in it, and the one in America, to be written.
struct Pair {
    world: World,
    america: GarFront,
    /// What leads to America.
    door: Proxy,
    images: Vec<(&'static str, Content)>,
}

impl Pair {
    /// Starts both. `related` says whether the one mounts from the other.
    async fn start(related: bool) -> Option<Self> {
        let world = World::start().await?;
        let images = family();
        for (image, content) in &images {
            world.seed(image, content).await;
        }
        let mirrors: Vec<String> = images
            .iter()
            .map(|(image, _)| format!("from: origin/{image}, to: [gar/my-project/base/{image}]"))
            .collect();
        world.configure("", &[], &mirrors.iter().map(String::as_str).collect::<Vec<_>>());
        let _ = world.run(&["apply", "--auto-approve"]).await.expect(0);
        let kin = Family::default();
        if related {
            kin.join(HOST);
        }
        let america = GarFront::start(world.registry.host(), rules(&world.api, "us", kin)).await;
        world.api.add_repository(MIRRORED, json!({ "format": "DOCKER" }));
        Some(Self {
            world,
            door: Proxy::start(&america.host()).await,
            america,
            images,
        })
    }

    /// Mirrors from Europe to America, checks what arrived, and returns the report.
    async fn mirror(&self, keys: &str) -> Value {
        self.configure(keys);
        let _ = self.world.plan(0).await;
        let written = self.world.front.tally().requests(Operation::FinishUpload);
        self.world.door.forget();
        let report = self.world.apply(0).await;
        for (image, content) in &self.images {
            let repository = format!("my-project/mirror/{image}");
            self.world
                .assert_holds_at(&self.america, &repository, content)
                .await;
        }
        self.world.assert_settled().await;
        assert_eq!(
            self.world.front.tally().requests(Operation::FinishUpload),
            written,
            "the source is not written"
        );
        report
    }

    /// Declares both registries. `keys` are more keys of the one in America.
    fn configure(&self, keys: &str) {
        let declared = format!(
            "  us:
    provider: gar
    host: \"{host}\"
    plain_http: true
    auth: {{ endpoint: \"{api}\", realm: \"{realm}\" }}
    create_repositories: {{ location: us }}
{keys}",
            host = self.door.host(),
            api = self.world.api.url(),
            realm = self.world.tokens.realm(),
        );
        let mirrors: Vec<String> = self
            .images
            .iter()
            .map(|(image, _)| {
                format!("from: gar/my-project/base/{image}, to: [us/my-project/mirror/{image}]")
            })
            .collect();
        let mirrors: Vec<&str> = mirrors.iter().map(String::as_str).collect();
        self.world.configure_with("", &declared, &mirrors);
    }

    /// Counts how often each blob was read in Europe.
    fn reads(&self) -> BTreeMap<Digest, usize> {
        self.world.door.exchanges().blob_reads()
    }

    /// Counts the blobs that were sent to America.
    fn uploads(&self) -> usize {
        self.america.tally().requests(Operation::FinishUpload)
    }

    /// Returns the answers to mounts in America that name the blob's host in Europe.
    fn mounts(&self) -> BTreeSet<(RepositoryName, Digest, u16)> {
        let exchanges = self.door.exchanges();
        let across = exchanges
            .0
            .into_iter()
            .filter(|exchange| exchange.parameter("origin").as_deref() == Some(HOST));
        let mounts = Exchanges(across.collect()).mounts().into_iter();
        mounts
            .filter(|mount| mount.status != 401)
            .map(|mount| (mount.repository, mount.digest, mount.status))
            .collect()
    }

    /// Counts how often each blob was to be mounted across with this answer.
    fn crossings(&self, status: u16) -> BTreeMap<Digest, usize> {
        let mut crossings = BTreeMap::new();
        for (_, digest, _) in self
            .mounts()
            .into_iter()
            .filter(|(_, _, answer)| *answer == status)
        {
            *crossings.entry(digest).or_default() += 1;
        }
        crossings
    }

    /// Counts the blobs of every repository.
    fn named(&self) -> usize {
        self.images
            .iter()
            .map(|(_, content)| named_blobs(content).len())
            .sum()
    }

    /// Returns all blobs.
    fn blobs(&self) -> BTreeSet<Digest> {
        self.images
            .iter()
            .flat_map(|(_, content)| named_blobs(content))
            .collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gar_blobs_are_mounted_across_googles_hosts_and_none_is_read_or_sent() {
    let Some(pair) = Pair::start(true).await else {
        return;
    };
    let report = pair.mirror("").await;
    // Each blob crosses once; the other images mount it from where it is then.
    assert_eq!(pair.crossings(201), once(pair.blobs()));
    assert_eq!(pair.uploads(), 0);
    assert_eq!(pair.reads(), BTreeMap::new());
    assert_eq!(report["ops"]["mounted"], pair.named());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gar_blobs_are_sent_where_the_registry_is_not_to_copy_itself() {
    let Some(pair) = Pair::start(true).await else {
        return;
    };
    let _ = pair.mirror("    server_side_copy: false\n").await;
    assert_eq!(pair.mounts(), BTreeSet::new());
    assert_eq!(pair.uploads(), pair.blobs().len());
    assert_eq!(pair.reads(), once(pair.blobs()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gar_blobs_are_sent_where_a_mount_is_declined() {
    let Some(pair) = Pair::start(false).await else {
        return;
    };
    let _ = pair.mirror("").await;
    assert_eq!(pair.crossings(202), once(pair.blobs()));
    // The first image is sent what its mounts were declined; the front declines those within America too.
    assert!(pair.uploads() >= pair.blobs().len());
    assert_eq!(pair.reads().into_keys().collect::<BTreeSet<_>>(), pair.blobs());
}
