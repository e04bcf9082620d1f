//! A source and some targets, each a real registry behind a proxy of its own, and a place to run the binary in.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use oci::{Digest, Manifest, MediaType};
use serde_json::Value;
use testkit::binary::{Output, Sandbox};
use testkit::image::{Content, Family};
use testkit::process::DockerRegistry;
use testkit::proxy::Proxy;
use testkit::push::Direct;
use testkit::software::{Need, need};

/// What the text form says where there is nothing to do.
pub(crate) const NO_CHANGES: &str = "No changes. Every target matches.";

/// The names of the targets, in the order in which a site has them.
const TARGETS: [&str; 3] = ["alpha", "beta", "gamma"];

/// A registry and the proxy in front of it.
pub(crate) struct End {
    pub(crate) name: &'static str,
    pub(crate) registry: DockerRegistry,
    pub(crate) proxy: Proxy,
}

impl End {
    /// Starts a registry and its proxy.
    pub(crate) async fn start(name: &'static str) -> Self {
        let registry = DockerRegistry::start().await;
        let proxy = Proxy::start(registry.host()).await;
        Self {
            name,
            registry,
            proxy,
        }
    }

    /// Speaks to the registry past the proxy, so that nothing of it is counted.
    pub(crate) fn direct(&self) -> Direct {
        Direct::new(self.registry.host())
    }
}

/// A source, its targets, and a sandbox.
pub(crate) struct Site {
    pub(crate) sandbox: Sandbox,
    pub(crate) source: End,
    pub(crate) targets: Vec<End>,
}

impl Site {
    /// Starts a source and so many targets; `None` where the software is missing, which has been said then.
    pub(crate) async fn start(targets: usize) -> Option<Self> {
        if need("docker-registry") == Need::Skip || need("skopeo") == Need::Skip {
            return None;
        }
        let source = End::start("origin").await;
        let mut started = Vec::new();
        for name in &TARGETS[..targets] {
            started.push(End::start(name).await);
        }
        Some(Self {
            sandbox: Sandbox::new(),
            source,
            targets: started,
        })
    }

    /// Starts a site whose source holds `repositories`, each mirrored to every target under `mirror/`.
    pub(crate) async fn mirroring(targets: usize, repositories: &[(&str, &Content)]) -> Option<Self> {
        let site = Self::start(targets).await?;
        for (repository, content) in repositories {
            site.source.direct().push(repository, content).await;
        }
        let names: Vec<&str> = repositories.iter().map(|(name, _)| *name).collect();
        site.configure(&mirrors(&names));
        Some(site)
    }

    /// Writes a `transship.yaml` with the registries and the group `everywhere`, then `mirrors` as given.
    pub(crate) fn configure(&self, mirrors: &str) {
        self.sandbox
            .write("transship.yaml", &format!("{}{mirrors}", self.declarations()));
    }

    /// Returns the declarations of the registries and of the group `everywhere`.
    pub(crate) fn declarations(&self) -> String {
        let mut text = "version: 1\nregistries:\n".to_owned();
        for end in std::iter::once(&self.source).chain(&self.targets) {
            let (name, host) = (end.name, end.proxy.host());
            writeln!(text, "  {name}: {{ host: \"{host}\", plain_http: true }}").expect("a string takes all");
        }
        let names: Vec<&str> = self.targets.iter().map(|end| end.name).collect();
        write!(text, "groups:\n  everywhere: [{}]\n", names.join(", ")).expect("a string takes all");
        text
    }

    pub(crate) async fn run(&self, arguments: &[&str]) -> Output {
        self.sandbox.run(arguments).await
    }

    /// Plans into `plan.json`, and reads it.
    pub(crate) async fn plan(&self, code: i32) -> Value {
        let _ = self.run(&["plan", "-o", "plan.json"]).await.expect(code);
        self.json("plan.json")
    }

    /// Applies `plan.json`, and reads the report.
    pub(crate) async fn apply(&self, code: i32) -> Value {
        let _ = self
            .run(&["apply", "plan.json", "--report", "report.json"])
            .await
            .expect(code);
        self.json("report.json")
    }

    pub(crate) fn json(&self, name: &str) -> Value {
        serde_json::from_str(&self.sandbox.read(name)).expect("the file is JSON")
    }

    pub(crate) fn target(&self, name: &str) -> &End {
        self.targets
            .iter()
            .find(|end| end.name == name)
            .expect("the target was started")
    }

    /// Asserts that a second plan is empty.
    pub(crate) async fn assert_settled(&self) {
        let output = self.run(&["plan", "--detailed-exitcode"]).await.expect(0);
        assert!(
            output.stdout.trim_end().ends_with(NO_CHANGES),
            "{}",
            output.stdout
        );
    }

    /// Counts all requests that reached any proxy.
    pub(crate) fn requests(&self) -> usize {
        let ends = std::iter::once(&self.source).chain(&self.targets);
        ends.map(|end| end.proxy.exchanges().0.len()).sum()
    }

    /// Forgets what has passed the proxies.
    pub(crate) fn forget(&self) {
        for end in std::iter::once(&self.source).chain(&self.targets) {
            end.proxy.forget();
        }
    }
}

/// Mirrors of whole repositories to `everywhere/mirror/{name}`.
pub(crate) fn mirrors(repositories: &[&str]) -> String {
    let mut text = "mirrors:\n".to_owned();
    for repository in repositories {
        writeln!(
            text,
            "  - {{ from: origin/{repository}, to: [\"everywhere/mirror/{{name}}\"], tags: {{ at_least: 0 }} }}"
        )
        .expect("a string takes all");
    }
    text
}

/// An image of one layer.
pub(crate) fn single(tag: &str, seed: u64, size: usize) -> Content {
    let mut content = Content::new();
    let layer = content.layer(Family::Oci, seed, size);
    let image = content.image(Family::Oci, "linux/amd64", &[layer]);
    content.tag(tag, &image);
    content
}

/// Repositories that share their base layers: `team/base`, `team/app` and `team/tool`.
pub(crate) fn family() -> Vec<(&'static str, Content)> {
    vec![("team/base", base()), ("team/app", app()), ("team/tool", tool())]
}

fn base() -> Content {
    let mut content = Content::new();
    let layers = [
        content.layer(Family::Docker, 1, 200_000),
        content.layer(Family::Docker, 2, 100_000),
    ];
    let image = content.image(Family::Docker, "linux/amd64", &layers);
    content.tag("v1", &image);
    content
}

fn app() -> Content {
    let mut content = Content::new();
    let shared = [
        content.layer(Family::Docker, 1, 200_000),
        content.layer(Family::Docker, 2, 100_000),
    ];
    for (tag, seed) in [("1.0.0", 10), ("1.1.0", 20)] {
        let images: Vec<_> = ["linux/amd64", "linux/arm64/v8"]
            .iter()
            .zip(seed..)
            .map(|(platform, seed)| {
                let own = content.layer(Family::Docker, seed, 30_000);
                content.image(
                    Family::Docker,
                    platform,
                    &[shared[0].clone(), shared[1].clone(), own],
                )
            })
            .collect();
        let index = content.index(Family::Docker, &images);
        content.tag(tag, &index);
        if tag == "1.1.0" {
            content.tag("latest", &index);
            content.cosign(&index);
        }
    }
    content
}

fn tool() -> Content {
    let mut content = Content::new();
    let shared = content.layer(Family::Oci, 1, 200_000);
    let empty = content.layer_empty(Family::Oci);
    let image = content.image(Family::Oci, "linux/amd64", &[shared, empty]);
    let inner = content.index(Family::Oci, &[image]);
    let index = content.index(Family::Oci, &[inner]);
    content.tag("v2", &index);
    let sbom = content.sbom(&index);
    let signature = content.signature(&sbom);
    content.fallback(&index, std::slice::from_ref(&sbom));
    content.fallback(&sbom, &[signature]);
    content
}

/// Returns the blobs that the manifests of `content` name: what a mirror of it needs.
pub(crate) fn named_blobs(content: &Content) -> BTreeSet<Digest> {
    let manifests = content.manifests.iter().map(|file| {
        Manifest::parse(file.bytes.clone(), Some(&file.media_type)).expect("a test's manifest is one")
    });
    manifests
        .flat_map(|manifest| {
            manifest
                .blobs()
                .map(|blob| blob.digest.clone())
                .collect::<Vec<_>>()
        })
        .collect()
}

/// Returns how many blobs stand in each repository, counting each digest once.
pub(crate) fn once(digests: impl IntoIterator<Item = Digest>) -> BTreeMap<Digest, usize> {
    digests.into_iter().map(|digest| (digest, 1)).collect()
}

/// Asserts that every tag, manifest and blob of `content` stands in `repository` of `end`, byte for byte.
pub(crate) async fn assert_holds(end: &End, repository: &str, content: &Content) {
    let direct = end.direct();
    for (tag, digest) in &content.tags {
        let fetched = direct.manifest(repository, tag.as_str()).await;
        let fetched = fetched.unwrap_or_else(|| panic!("{} has no {repository}:{tag}", end.name));
        let file = content.file(digest);
        assert_eq!(fetched.bytes, file.bytes, "{} {repository}:{tag}", end.name);
        assert_eq!(
            MediaType::new(&fetched.media_type),
            file.media_type,
            "{} {repository}:{tag}",
            end.name
        );
    }
    for file in &content.manifests {
        let fetched = direct.manifest(repository, &file.digest.to_string()).await;
        assert_eq!(
            fetched.map(|fetched| fetched.bytes).as_ref(),
            Some(&file.bytes),
            "{}",
            file.digest
        );
    }
    for digest in named_blobs(content) {
        let bytes = direct.blob(repository, &digest).await;
        assert_eq!(
            bytes.as_ref(),
            content.blobs.get(&digest),
            "{} {repository} {digest}",
            end.name
        );
    }
}

/// Returns the digest at which a tag stands.
pub(crate) async fn standing(end: &End, repository: &str, tag: &str) -> Option<Digest> {
    end.direct()
        .manifest(repository, tag)
        .await
        .map(|fetched| fetched.digest)
}
