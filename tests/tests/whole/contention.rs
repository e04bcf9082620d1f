//! Many processes attach to the same manifests at once: what each of them brings is kept.

use std::collections::BTreeSet;

use loopback::{Options, Registry};
use oci::{AttachmentTag, CosignKind, Descriptor, Manifest, MediaType, Signatures, Tag};
use serde_json::{Value, json};
use testkit::binary::{Sandbox, finish};
use testkit::image::{Content, Family};
use testkit::push::Direct;

use crate::site::NO_CHANGES;

/// So many processes attach to each subject.
const PROCESSES: usize = 8;

/// An image for each round. They share their blobs, so that little but manifests moves.
fn subjects(content: &mut Content, rounds: usize) -> Vec<Descriptor> {
    let config = content.blob(MediaType::OCI_CONFIG, "{}");
    let layer = content.layer(Family::Oci, 1, 100);
    let mut subjects = Vec::new();
    for round in 0..rounds {
        let document = json!({
            "schemaVersion": 2,
            "mediaType": MediaType::OCI_MANIFEST,
            "config": config,
            "layers": [layer],
            "annotations": { "round": round.to_string() },
        });
        let subject = content.manifest(MediaType::OCI_MANIFEST, &document);
        content.tag(&format!("v{round}"), &subject);
        subjects.push(subject);
    }
    subjects
}

/// How sources attach what they bring.
#[derive(Clone, Copy)]
enum By {
    /// A referrer each, by the fallback tag.
    Fallback,
    /// A signature each, by cosign's tag.
    Cosign,
}

impl By {
    /// Puts something of a source's own beside a subject.
    fn attach(self, content: &mut Content, subject: &Descriptor, source: usize) {
        match self {
            Self::Fallback => {
                let scan = format!("scan {source}");
                let referrer = content.artifact(subject, "application/vnd.example.scan", scan);
                content.fallback(subject, &[referrer]);
            }
            Self::Cosign => {
                content.cosign_by(subject, &[&format!("source {source}")]);
            }
        }
    }

    fn scheme(self) -> AttachmentTag {
        match self {
            Self::Fallback => AttachmentTag::Fallback,
            Self::Cosign => AttachmentTag::Cosign(CosignKind::Signature),
        }
    }

    /// Counts what different sources brought.
    fn count(self, standing: &Manifest) -> usize {
        let brought: BTreeSet<String> = match self {
            Self::Fallback => standing
                .children()
                .map(|entry| entry.digest.to_string())
                .collect(),
            Self::Cosign => {
                let layers = Signatures::of(standing).expect("it holds signatures").layers();
                let signed = |layer: &Descriptor| layer.annotations[testkit::image::SIGNED].clone();
                layers.iter().map(signed).collect()
            }
        };
        brought.len()
    }
}

/// A registry without the referrers API, with the sources and a repository that holds all subjects.
struct Crowd {
    by: By,
    sandbox: Sandbox,
    server: loopback::Server,
    subjects: Vec<Descriptor>,
}

impl Crowd {
    async fn gather(by: By, rounds: usize) -> Self {
        let options = Options {
            referrers_api: false,
            ..Options::default()
        };
        let registry = Registry::in_memory().with_options(options);
        let server = registry
            .serve(([127, 0, 0, 1], 0).into())
            .await
            .expect("a port is free");
        let mut content = Content::new();
        let subjects = subjects(&mut content, rounds);
        let direct = Direct::new(&server.host());
        direct.push("target", &content).await;
        for source in 0..PROCESSES {
            let mut content = content.clone();
            for subject in &subjects {
                by.attach(&mut content, subject, source);
            }
            direct.push(&format!("source/{source}"), &content).await;
        }
        Self {
            by,
            sandbox: Sandbox::new(),
            server,
            subjects,
        }
    }

    /// The registry itself, as a target.
    fn itself(&self) -> String {
        format!("{{ host: \"{}\", plain_http: true }}", self.server.host())
    }

    fn configuration(&self, source: usize, site: &str) -> String {
        let hub = self.itself();
        format!(
            "version: 1\n\
             registries:\n  hub: {hub}\n  site: {site}\n\
             mirrors:\n  - {{ from: hub/source/{source}, to: [site/target] }}\n"
        )
    }

    /// Runs all processes at once, and waits for all of them.
    async fn at_once(&self, arguments: impl Fn(usize) -> Vec<String>) {
        let start = |source| {
            let arguments = arguments(source);
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            let child = self.sandbox.command(&arguments).spawn();
            child.expect("the binary can be run")
        };
        let children: Vec<_> = (0..PROCESSES).map(start).collect();
        for child in children {
            let _ = finish(child, &["in a crowd"]).await.expect(0);
        }
    }

    /// Plans for every source, and only then applies all plans: each was made where nothing was attached yet.
    async fn attach_to(&self, site: &str) {
        for source in 0..PROCESSES {
            let configuration = self.configuration(source, site);
            self.sandbox.write(&format!("{source}.yaml"), &configuration);
        }
        let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
        let names = |source| (format!("{source}.yaml"), format!("{source}.plan"));
        self.at_once(|source| {
            let (configuration, plan) = names(source);
            words(&["plan", "-f", &configuration, "-o", &plan])
        })
        .await;
        self.at_once(|source| words(&["apply", &names(source).1])).await;
    }

    /// The tags by which something is attached.
    fn tags(&self) -> impl Iterator<Item = Tag> {
        self.subjects
            .iter()
            .map(|subject| self.by.scheme().of(&subject.digest))
    }

    /// What stands under the tags at the registry itself.
    async fn standing(&self) -> Vec<Manifest> {
        let target = Direct::new(&self.server.host());
        let mut standing = Vec::new();
        for tag in self.tags() {
            let fetched = target.manifest("target", tag.as_str()).await;
            let bytes = fetched.expect("the tag stands").bytes;
            standing.push(Manifest::parse(bytes, None).expect("it is a manifest"));
        }
        standing
    }

    /// Asserts that what stands under the tags holds what all sources have brought.
    fn assert_nothing_lost(&self, standing: impl IntoIterator<Item = Manifest>) {
        let wanted = PROCESSES * self.subjects.len();
        let found: usize = standing
            .into_iter()
            .map(|standing| self.by.count(&standing))
            .sum();
        assert_eq!(found, wanted, "{} were lost", wanted - found);
    }
}

async fn none_is_lost_at_a_registry(by: By, rounds: usize) {
    let crowd = Crowd::gather(by, rounds).await;
    crowd.attach_to(&crowd.itself()).await;
    crowd.assert_nothing_lost(crowd.standing().await);
}

async fn none_is_lost_in_a_layout(by: By, rounds: usize) {
    let crowd = Crowd::gather(by, rounds).await;
    crowd.attach_to("{ layout: usb }").await;
    let index: Value = serde_json::from_str(&crowd.sandbox.read("usb/index.json")).expect("it is JSON");
    let entries = index["manifests"].as_array().expect("an index has entries");
    let standing = crowd.tags().map(|tag| {
        let name = format!("target:{tag}");
        let is_tagged = |entry: &&Value| entry["annotations"]["org.opencontainers.image.ref.name"] == *name;
        let entry = entries.iter().find(is_tagged).expect("the tag stands");
        let digest = entry["digest"].as_str().expect("an entry has a digest");
        let path = format!("usb/blobs/{}", digest.replace(':', "/"));
        Manifest::parse(crowd.sandbox.read(&path).into(), None).expect("it is a manifest")
    });
    crowd.assert_nothing_lost(standing);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn referrers_that_many_processes_attach_at_once_are_all_kept() {
    none_is_lost_at_a_registry(By::Fallback, 200).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signatures_that_many_processes_attach_at_once_are_all_kept() {
    none_is_lost_at_a_registry(By::Cosign, 50).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_layout_keeps_what_many_processes_attach_at_once() {
    none_is_lost_in_a_layout(By::Fallback, 8).await;
    none_is_lost_in_a_layout(By::Cosign, 8).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copies_of_one_image_from_many_sources_keep_what_each_has_attached() {
    for by in [By::Fallback, By::Cosign] {
        let crowd = Crowd::gather(by, 2).await;
        let host = crowd.server.host();
        for round in 0..crowd.subjects.len() {
            let copy = |source| {
                let from = format!("{host}/source/{source}:v{round}");
                vec!["copy".to_owned(), from, format!("{host}/target:v{round}")]
            };
            crowd.at_once(copy).await;
        }
        crowd.assert_nothing_lost(crowd.standing().await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_no_lock_can_be_written_work_goes_on_and_that_is_said() {
    let mut crowd = Crowd::gather(By::Cosign, 1).await;
    let configuration = crowd.configuration(0, &crowd.itself());
    crowd.sandbox.write("transship.yaml", &configuration);
    let file = crowd.sandbox.write("file", "");
    let nowhere = file.join("below").to_string_lossy().into_owned();
    for name in ["XDG_RUNTIME_DIR", "XDG_CACHE_HOME", "TMPDIR"] {
        crowd.sandbox.set(name, &nowhere);
    }
    let applied = crowd.sandbox.run(&["apply", "--auto-approve"]).await.expect(0);
    let _ = applied.warns(&["No directory for locks can be written"]);
    let again = crowd.sandbox.run(&["plan"]).await.expect(0);
    let again = again.says(&[NO_CHANGES]);
    assert!(!again.stderr.contains("locks"), "only what attaches needs locks");
}
