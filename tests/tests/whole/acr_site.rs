//! An Azure to copy to: its double over the strict front over a real registry, and a source beside it.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use oci::{Digest, Manifest};
use serde_json::Value;
use testkit::azure::{Azure, Principal, Right, TENANT, resource_id};
use testkit::binary::{Output, Sandbox};
use testkit::fault::Fault;
use testkit::front::acr::{AcrFront, AcrRules};
use testkit::image::Content;
use testkit::process::DockerRegistry;
use testkit::proxy::Proxy;
use testkit::software::{Need, need, skopeo};

use crate::site::{End, NO_CHANGES, named_blobs};

/// The application that signs in.
pub(crate) const CLIENT: &str = "aaaaaaaa-0000-0000-0000-000000000001";
/// Its secret.
pub(crate) const SECRET: &str = "swordfish";
/// Another application, by which the tests themselves read.
const READER: &str = "aaaaaaaa-0000-0000-0000-000000000009";

/// What `auth` says of an application with a secret; the variable is set.
pub(crate) fn application(azure: &Azure) -> String {
    format!(
        "{{ tenant_id: \"{TENANT}\", client_id: \"{CLIENT}\", client_secret: {{ env: ACR_SECRET }}, authority: \"{}\", \
         endpoint: \"{}\", audience: \"https://containerregistry.azure.net\" }}",
        azure.authority(),
        azure.management(),
    )
}

/// A source named `origin`, a registry of Azure's named `acr`, and a sandbox.
pub(crate) struct AcrSite {
    pub(crate) sandbox: Sandbox,
    pub(crate) source: End,
    pub(crate) azure: Azure,
    pub(crate) front: AcrFront,
    // What the front stands before; it ends when dropped.
    _registry: DockerRegistry,
    // What slows it down.
    _slow: Option<Proxy>,
}

impl AcrSite {
    /// Starts all of it, with an application that may do everything; `None` where the software is missing.
    pub(crate) async fn start() -> Option<Self> {
        Self::start_as(Principal::new(CLIENT, Right::ALL).secret(SECRET)).await
    }

    /// Starts all of it with this principal.
    pub(crate) async fn start_as(principal: Principal) -> Option<Self> {
        Self::start_with(principal, None).await
    }

    /// Starts all of it with an application that may do everything; each request of the protocol takes so long.
    pub(crate) async fn start_slow(delay: Duration) -> Option<Self> {
        Self::start_with(Principal::new(CLIENT, Right::ALL).secret(SECRET), Some(delay)).await
    }

    async fn start_with(principal: Principal, delay: Option<Duration>) -> Option<Self> {
        if need("docker-registry") == Need::Skip || need("skopeo") == Need::Skip {
            return None;
        }
        let azure = Azure::start().await;
        let registry = DockerRegistry::start_with(azure.access()).await;
        let slow = match delay {
            Some(delay) => Some(slowed(registry.host(), delay).await),
            None => None,
        };
        let behind = slow.as_ref().map_or(registry.host().to_owned(), Proxy::host);
        let front = AcrFront::start(&behind, AcrRules::default()).await;
        azure.serve(&front.host());
        azure.admit(principal);
        azure.admit(Principal::new(READER, Right::ALL).secret(SECRET));
        let mut sandbox = Sandbox::new();
        sandbox.set("ACR_SECRET", SECRET);
        trust(&sandbox, &azure);
        Some(Self {
            sandbox,
            source: End::start("origin").await,
            azure,
            front,
            _registry: registry,
            _slow: slow,
        })
    }

    /// Writes a configuration in which the application signs in; `keys` are further keys of the registry, a line each.
    pub(crate) fn configure(&self, keys: &[&str], mirrors: &str) {
        let auth = format!("auth: {}", application(&self.azure));
        let keys: Vec<&str> = std::iter::once(auth.as_str())
            .chain(keys.iter().copied())
            .collect();
        self.configure_with(&keys, "", mirrors);
    }

    /// Writes a configuration with just these keys, and with `others` among the registries.
    pub(crate) fn configure_with(&self, keys: &[&str], others: &str, mirrors: &str) {
        let origin = format!(
            "  origin: {{ host: \"{}\", plain_http: true }}\n",
            self.source.proxy.host()
        );
        let acr = declaration("acr", &self.azure, "ca.pem", keys);
        let text = format!("version: 1\nregistries:\n{origin}{acr}{others}mirrors:\n{mirrors}");
        self.sandbox.write("transship.yaml", &text);
    }

    pub(crate) async fn run(&self, arguments: &[&str]) -> Output {
        self.sandbox.run(arguments).await
    }

    /// Plans into `plan.json`, and reads it.
    pub(crate) async fn plan(&self, code: i32) -> (Output, Value) {
        let output = self.run(&["plan", "-o", "plan.json"]).await.expect(code);
        (output, self.json("plan.json"))
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

    /// Asserts that a second plan is empty.
    pub(crate) async fn assert_settled(&self) {
        let output = self.run(&["plan", "--detailed-exitcode"]).await.expect(0);
        assert!(
            output.stdout.trim_end().ends_with(NO_CHANGES),
            "{}",
            output.stdout
        );
    }

    /// Asserts that skopeo, signed in as somebody else, reads every tag, manifest and blob as `content` has them.
    pub(crate) async fn assert_holds(&self, repository: &str, content: &Content) {
        for (tag, digest) in &content.tags {
            let raw = self.raw(repository, tag.as_str()).await;
            assert_eq!(Digest::sha256(&raw), *digest, "{repository}:{tag}");
        }
        for file in &content.manifests {
            let raw = self.raw(repository, &file.digest.to_string()).await;
            assert_eq!(raw, file.bytes, "{repository}@{}", file.digest);
        }
        let mut read = BTreeSet::new();
        for file in &content.manifests {
            let manifest =
                Manifest::parse(file.bytes.clone(), Some(&file.media_type)).expect("it is a manifest");
            if manifest.blobs().next().is_some() {
                read.extend(self.read_image(repository, &file.digest).await);
            }
        }
        assert!(read.is_superset(&named_blobs(content)), "{repository}");
    }

    /// Reads an image with skopeo, which checks its bytes, and returns the digests of what it wrote.
    pub(crate) async fn read_image(&self, repository: &str, digest: &Digest) -> BTreeSet<Digest> {
        let (certificates, who) = self.reader();
        let directory = self
            .sandbox
            .path(&format!("read-back/{repository}/{}", digest.hex()));
        fs::create_dir_all(&directory).expect("a directory can be made");
        let from = format!("docker://{}/{repository}@{digest}", self.azure.host());
        let to = format!("dir:{}", directory.display());
        let arguments = [
            "copy",
            "--src-cert-dir",
            &certificates,
            "--src-creds",
            &who,
            &from,
            &to,
        ];
        skopeo(&arguments).await;
        let files = fs::read_dir(&directory).expect("the directory is there");
        files
            .map(|file| fs::read(file.expect("it is a file").path()).expect("it can be read"))
            .map(|bytes| Digest::sha256(&bytes))
            .collect()
    }

    /// Reads a manifest's bytes with skopeo.
    pub(crate) async fn raw(&self, repository: &str, reference: &str) -> Vec<u8> {
        let (certificates, who) = self.reader();
        let separator = if reference.contains(':') { '@' } else { ':' };
        let place = format!(
            "docker://{}/{repository}{separator}{reference}",
            self.azure.host()
        );
        let arguments = [
            "inspect",
            "--raw",
            "--cert-dir",
            &certificates,
            "--creds",
            &who,
            &place,
        ];
        skopeo(&arguments).await
    }

    /// Returns where skopeo finds the authority, and how it signs in.
    pub(crate) fn reader(&self) -> (String, String) {
        let certificates = self.sandbox.path("certificates").display().to_string();
        (certificates, format!("{READER}:{SECRET}"))
    }
}

async fn slowed(upstream: &str, delay: Duration) -> Proxy {
    let proxy = Proxy::start(upstream).await;
    proxy.set_faults(move |_| Fault::Delay(delay));
    proxy
}

/// Writes the certificate of the authority to where configurations and skopeo look for it.
pub(crate) fn trust(sandbox: &Sandbox, azure: &Azure) {
    sandbox.write("ca.pem", &azure.certificate());
    sandbox.write("certificates/ca.crt", &azure.certificate());
}

/// Declares a registry of Azure's, with its resource so that Resource Manager need not be searched.
pub(crate) fn declaration(name: &str, azure: &Azure, certificate: &str, keys: &[&str]) -> String {
    let mut text = format!(
        "  {name}:\n    host: \"{}\"\n    provider: acr\n    tls: {{ ca: {certificate} }}\n",
        azure.host()
    );
    for key in keys {
        text.push_str(&format!("    {key}\n"));
    }
    text
}

/// The key that names the registry's resource.
pub(crate) fn resource() -> String {
    format!("resource_id: {}", resource_id())
}

/// A mirror of a whole repository of the source.
pub(crate) fn mirror(from: &str) -> String {
    format!("  - {{ from: origin/{from}, to: [\"acr/mirror/{{name}}\"], tags: {{ at_least: 0 }} }}\n")
}
