//! Google's registry on loopback: a real registry behind a strict front, its API, and who signs in there.
//!
//! The registry is reached by its true name: a proxy that the environment names leads there.

use std::sync::Arc;

use serde_json::Value;
use testkit::binary::{Output, Sandbox};
use testkit::front::gar::{Family, GarFront, GarRules, Stand};
use testkit::google::artifact_registry::ArtifactRegistry;
use testkit::google::identity::Identities;
use testkit::google::{key, realm};
use testkit::image::Content;
use testkit::process::DockerRegistry;
use testkit::proxy::Proxy;
use testkit::push::Direct;
use testkit::software::{Need, need, skopeo};
use testkit::token_service::TokenService;

use crate::site::NO_CHANGES;

/// The host of the registry.
pub(crate) const HOST: &str = "europe-west1-docker.pkg.dev";

/// The repository that most tests are about, as the API names it.
pub(crate) const BASE: &str = "projects/my-project/locations/europe-west1/repositories/base";

/// The service account that may sign in by its key.
pub(crate) const MIRROR: &str = "mirror@my-project.iam.gserviceaccount.com";

/// Google's registry, a source, another target, and a place to run the binary in.
pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    pub(crate) origin: DockerRegistry,
    pub(crate) site: DockerRegistry,
    pub(crate) identities: Arc<Identities>,
    pub(crate) api: Arc<ArtifactRegistry>,
    pub(crate) tokens: TokenService,
    pub(crate) registry: DockerRegistry,
    pub(crate) front: GarFront,
    /// What leads to the front.
    pub(crate) door: Proxy,
}

impl World {
    /// Starts everything, with the machine's account signed in; `None` where the software is missing, which has been said.
    pub(crate) async fn start() -> Option<Self> {
        Self::start_with(|rules| rules).await
    }

    /// The same with other rules.
    pub(crate) async fn start_with(change: impl FnOnce(GarRules) -> GarRules) -> Option<Self> {
        let mut world = Self::start_for_nobody(change).await?;
        let machine = world.identities.host();
        world.sandbox.set("GCE_METADATA_HOST", &machine);
        Some(world)
    }

    /// The same with nobody signed in.
    pub(crate) async fn start_for_nobody(change: impl FnOnce(GarRules) -> GarRules) -> Option<Self> {
        if need("docker-registry") == Need::Skip || need("skopeo") == Need::Skip {
            return None;
        }
        let identities = Arc::new(Identities::start().await);
        let known = Arc::clone(&identities);
        let api = ArtifactRegistry::start_for(move |token| {
            token.is_some_and(|token| owner(&known, token).is_some())
        });
        let api = Arc::new(api.await);
        let tokens = realm::start(Arc::clone(&identities), MIRROR).await;
        let registry = DockerRegistry::start_with(tokens.access()).await;
        let family = Family::default();
        family.join(HOST);
        let rules = change(rules(&api, "europe-west1", family));
        let front = GarFront::start(registry.host(), rules).await;
        let door = Proxy::start(&front.host()).await;
        let mut sandbox = Sandbox::new();
        sandbox.set("http_proxy", &format!("http://{}", door.host()));
        sandbox.set("no_proxy", "127.0.0.1");
        Some(Self {
            sandbox,
            origin: DockerRegistry::start().await,
            site: DockerRegistry::start().await,
            identities,
            api,
            tokens,
            registry,
            front,
            door,
        })
    }

    /// Writes a configuration. `auth` goes on in the registry's `auth`, `keys` are more keys of the registry, a line each.
    pub(crate) fn configure(&self, auth: &str, keys: &[&str], mirrors: &[&str]) {
        let keys: String = keys.iter().map(|key| format!("    {key}\n")).collect();
        self.configure_with(auth, &keys, mirrors);
    }

    /// Writes a configuration in which `keys` may end in other registries.
    pub(crate) fn configure_with(&self, auth: &str, keys: &str, mirrors: &[&str]) {
        let mirrors: String = mirrors
            .iter()
            .map(|mirror| format!("  - {{ {mirror} }}\n"))
            .collect();
        let text = format!(
            "version: 1
registries:
  origin: {{ host: \"{origin}\", plain_http: true }}
  site: {{ host: \"{site}\", plain_http: true }}
  gar:
    host: {HOST}
    plain_http: true
    auth: {{ endpoint: \"{api}\", realm: \"{realm}\"{auth} }}
{keys}mirrors:
{mirrors}",
            origin = self.origin.host(),
            site = self.site.host(),
            api = self.api.url(),
            realm = self.tokens.realm(),
        );
        self.sandbox.write("transship.yaml", &text);
    }

    /// Pushes content to the source.
    pub(crate) async fn seed(&self, repository: &str, content: &Content) {
        Direct::new(self.origin.host()).push(repository, content).await;
    }

    pub(crate) async fn run(&self, arguments: &[&str]) -> Output {
        self.sandbox.run(arguments).await
    }

    /// Plans into `plan.json`.
    pub(crate) async fn plan(&self, code: i32) -> (Output, Value) {
        let output = self.run(&["plan", "-o", "plan.json"]).await.expect(code);
        (output, self.json("plan.json"))
    }

    /// Applies `plan.json`, and reads the report.
    pub(crate) async fn apply(&self, code: i32) -> Value {
        let arguments = ["apply", "plan.json", "--report", "report.json"];
        let _ = self.run(&arguments).await.expect(code);
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

    /// Says whose a token of Google's is.
    pub(crate) fn owner(&self, token: &str) -> Option<String> {
        owner(&self.identities, token)
    }

    /// Returns user and password as they last signed in at the registry.
    pub(crate) fn credential(&self) -> (String, String) {
        let mut asked = self.tokens.requests().into_iter();
        asked
            .rfind(|request| request.basic.is_some())
            .and_then(|request| request.basic)
            .expect("somebody signed in")
    }

    /// Asserts that skopeo reads every tag of `content` with the bytes that were pushed to the source.
    pub(crate) async fn assert_holds(&self, repository: &str, content: &Content) {
        self.assert_holds_at(&self.front, repository, content).await;
    }

    /// The same at another front of the registry.
    pub(crate) async fn assert_holds_at(&self, front: &GarFront, repository: &str, content: &Content) {
        let (user, password) = self.credential();
        for (tag, digest) in &content.tags {
            let place = format!("docker://{}/{repository}:{tag}", front.host());
            let creds = format!("{user}:{password}");
            let read = skopeo(&[
                "inspect",
                "--raw",
                "--tls-verify=false",
                "--creds",
                &creds,
                &place,
            ])
            .await;
            assert_eq!(read, content.file(digest).bytes, "{repository}:{tag}");
        }
    }

    /// Returns the methods and paths that the API was asked with, other than to read.
    pub(crate) fn changes(&self) -> Vec<String> {
        let asked = self.api.asked().into_iter();
        let changing = asked.filter(|asked| asked.method.as_str() != "GET");
        changing
            .map(|asked| format!("{} {}", asked.method, asked.path))
            .collect()
    }
}

/// The rules of a front in a location, whose repositories and images are those of the API.
pub(crate) fn rules(api: &Arc<ArtifactRegistry>, location: &'static str, family: Family) -> GarRules {
    let (asked, told) = (Arc::clone(api), Arc::clone(api));
    let name = move |project: &str, repository: &str| {
        format!("projects/{project}/locations/{location}/repositories/{repository}")
    };
    GarRules {
        existing: Some(Arc::new(move |project, repository| {
            asked.repository(&name(project, repository)).is_some()
        })),
        stored: Some(Arc::new(move |stand: &Stand| {
            let path = stand.repository.to_string();
            let segments: Vec<&str> = path.splitn(3, '/').collect();
            let [project, repository, image] = segments.as_slice() else {
                return;
            };
            let tag = (!stand.reference.contains(':')).then_some(stand.reference.as_str());
            let digest = stand.digest.to_string();
            told.put_image(&name(project, repository), image, &digest, &stand.media_type, tag);
        })),
        family,
        ..GarRules::default()
    }
}

/// A token is one that was given, or one that the account's key signed.
fn owner(identities: &Identities, token: &str) -> Option<String> {
    let signed = || {
        let issuer = key::claims(token)?["iss"].as_str()?.to_owned();
        (issuer == MIRROR).then_some(issuer)
    };
    identities.owner(token).or_else(signed)
}
