//! Runs other people's programs against one registry.

use std::path::Path;

use oci::{Descriptor, MediaType};
use tempfile::TempDir;
use testkit::image::{Content, noise};
use testkit::push::Direct;
use testkit::software::{Need, built, need, need_built, need_python, skopeo};

/// The programs that Go builds.
const BUILT: [&str; 4] = ["crane", "oras", "regctl", "umoci"];

/// Asks for every program that fills a zoo or walks it.
pub(super) fn need_keepers() -> Need {
    let debian = ["docker-registry", "skopeo"].map(need);
    let needs = debian
        .into_iter()
        .chain(BUILT.map(need_built))
        .chain([need_python("http.client")]);
    if needs.into_iter().any(|need| need == Need::Skip) {
        return Need::Skip;
    }
    Need::Met
}

/// A registry to fill, and a directory to do it from.
pub(super) struct Keeper {
    host: String,
    home: TempDir,
}

impl Keeper {
    /// Gets ready, with a few files at hand.
    pub(super) fn new(host: &str) -> Self {
        let keeper = Self {
            host: host.to_owned(),
            home: tempfile::tempdir().expect("a temporary directory can be made"),
        };
        keeper.file("config.json", r#"{"name":"parrot","version":"1.0.0"}"#);
        keeper.file("note.txt", "a note\n");
        keeper.file("nothing", "");
        keeper
    }

    pub(super) fn direct(&self) -> Direct {
        Direct::new(&self.host)
    }

    /// Returns `HOST/zoo/PLACE`; a place is `REPOSITORY`, `REPOSITORY:TAG` or `REPOSITORY@DIGEST`.
    pub(super) fn at(&self, place: &str) -> String {
        format!("{}/zoo/{place}", self.host)
    }

    /// Writes a file of so many bytes of noise, and returns its name.
    pub(super) fn noise(&self, seed: u64, size: usize) -> String {
        let name = format!("noise-{seed}");
        self.file(&name, noise(seed, size));
        name
    }

    pub(super) fn file(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.home.path().join(name), bytes).expect("a file can be written");
    }

    pub(super) fn home(&self) -> &Path {
        self.home.path()
    }

    pub(super) async fn crane(&self, arguments: &[&str]) {
        self.run("crane", arguments).await;
    }

    pub(super) async fn umoci(&self, arguments: &[&str]) {
        self.run("umoci", arguments).await;
    }

    /// Runs regctl, which is told that the registry speaks plain HTTP.
    pub(super) async fn regctl(&self, arguments: &[&str]) {
        let host = format!("reg={},tls=disabled", self.host);
        self.run("regctl", &[&["--host", &host], arguments].concat())
            .await;
    }

    /// Runs `oras VERB`, where a verb may be of several words.
    pub(super) async fn oras(&self, verb: &[&str], arguments: &[&str]) -> Vec<u8> {
        let plain: &[&str] = &["--plain-http"];
        self.run("oras", &[verb, plain, arguments].concat()).await
    }

    /// Pushes with skopeo, in a format or as it stands.
    pub(super) async fn skopeo(&self, flags: &[&str], from: &str, to: &str) {
        let to = format!("docker://{}", self.at(to));
        let plain: &[&str] = &["copy", "--src-tls-verify=false", "--dest-tls-verify=false"];
        skopeo(&[plain, flags, &[from, &to]].concat()).await;
    }

    async fn run(&self, program: &str, arguments: &[&str]) -> Vec<u8> {
        built(program, self.home.path(), arguments).await
    }

    /// Describes what stands under a tag.
    pub(super) async fn describe(&self, repository: &str, tag: &str) -> Descriptor {
        let there = self.direct().manifest(&format!("zoo/{repository}"), tag).await;
        let there = there.unwrap_or_else(|| panic!("{repository}:{tag} was pushed"));
        let media_type = MediaType::new(&there.media_type);
        Descriptor::new(media_type, there.digest, there.bytes.len() as u64)
    }

    /// Pushes what was built by hand.
    pub(super) async fn push(&self, repository: &str, content: &Content) {
        self.direct().push(&format!("zoo/{repository}"), content).await;
    }
}
