//! Images pushed with Google's identities, into a real registry whose token service takes only what Google's documents.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use oci::{Manifest, ManifestReference};
use planner::config::Auth;
use provider::{AdvisedRegistry, Provider as _};
use registry::{Client, ClientSettings, Error, ErrorKind, Registry};
use serde_json::Value;
use testkit::google::identity::{Identities, MACHINE};
use testkit::google::key::ServiceAccountKey;
use testkit::image::{Content, Family};
use testkit::process::DockerRegistry;
use testkit::software::{Need, need, skopeo};
use testkit::token_service::{Decision, Grant, TokenRequest, TokenService};
use transship_gar::GarProvider;

use crate::support::{MIRROR, environment, setup, transport};

const REPOSITORY: &str = "my-project/base/team/app";

struct World {
    identities: Arc<Identities>,
    tokens: TokenService,
    registry: DockerRegistry,
}

/// <https://docs.cloud.google.com/artifact-registry/docs/docker/authentication>
fn takes(identities: &Identities, request: &TokenRequest) -> bool {
    match &request.basic {
        Some((user, token)) if user == "oauth2accesstoken" => identities.owner(token).is_some(),
        Some((user, key)) if user == "_json_key_base64" => STANDARD
            .decode(key)
            .ok()
            .and_then(|key| serde_json::from_slice::<Value>(&key).ok())
            .is_some_and(|key| key["client_email"] == MIRROR),
        _ => false,
    }
}

impl World {
    async fn start() -> Self {
        Self::refusing(&[]).await
    }

    /// Refuses these of Google's tokens, as if they had been revoked.
    async fn refusing(revoked: &'static [&'static str]) -> Self {
        let identities = Arc::new(Identities::start().await);
        let known = Arc::clone(&identities);
        let tokens = TokenService::start(move |request| {
            let password = request.basic.as_ref().map(|(_, password)| password.as_str());
            if takes(&known, request) && !password.is_some_and(|password| revoked.contains(&password)) {
                Decision::Grant(Grant::lasting(300))
            } else {
                Decision::Refuse
            }
        })
        .await;
        let registry = DockerRegistry::start_with(tokens.access()).await;
        Self {
            identities,
            tokens,
            registry,
        }
    }

    fn provider(&self, auth: Auth) -> Arc<GarProvider> {
        let machine = environment(&[("GCE_METADATA_HOST", &self.identities.host())]);
        Arc::new(GarProvider::new(setup(self.registry.host(), auth, machine)).unwrap())
    }

    fn connect(&self, provider: &Arc<GarProvider>) -> AdvisedRegistry {
        let settings = ClientSettings {
            plain_http: true,
            realm: Some(self.tokens.realm()),
            ..ClientSettings::new(self.registry.host().parse().unwrap())
        };
        let client = Client::new(settings, transport(), provider.credentials());
        AdvisedRegistry::new(
            Arc::new(client),
            Arc::clone(provider) as Arc<dyn provider::Provider>,
        )
    }

    async fn push(&self, provider: &Arc<GarProvider>, tag: &str, seed: u64) -> Result<Manifest, Error> {
        let mut content = Content::new();
        let layer = content.layer(Family::Oci, seed, 3_000);
        let image = content.image(Family::Oci, "linux/amd64", &[layer]);
        let manifest =
            Manifest::parse(content.file(&image.digest).bytes.clone(), Some(&image.media_type)).unwrap();
        let writer = self.connect(provider).writer(&REPOSITORY.parse().unwrap());
        for blob in manifest.blobs() {
            let bytes: Bytes = content.blobs[&blob.digest].clone();
            let session = writer.start_upload().await?;
            writer
                .upload_blob(session, blob, stream::iter([Ok(bytes)]).boxed())
                .await?;
        }
        let tag = ManifestReference::Tag(tag.parse().unwrap());
        writer.put_manifest(&tag, &manifest).await?;
        Ok(manifest)
    }
}

#[tokio::test]
async fn what_a_machine_and_a_key_push_is_read_back_by_another_client() {
    if need("docker-registry") == Need::Skip || need("skopeo") == Need::Skip {
        return;
    }
    let world = World::start().await;
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("key.json");
    let key = ServiceAccountKey::generate(MIRROR).file();
    std::fs::write(&path, key.to_string()).unwrap();
    let by_key = Auth {
        key_file: Some(path.display().to_string()),
        ..Auth::default()
    };
    for (seed, tag, auth) in [(1, "machine", Auth::default()), (2, "key", by_key)] {
        let provider = world.provider(auth);
        let manifest = world.push(&provider, tag, seed).await.unwrap();
        let credentials = format!("_json_key_base64:{}", STANDARD.encode(key.to_string()));
        let place = format!("docker://{}/{REPOSITORY}:{tag}", world.registry.host());
        let read = skopeo(&[
            "inspect",
            "--raw",
            "--tls-verify=false",
            "--creds",
            &credentials,
            &place,
        ])
        .await;
        assert_eq!(read, manifest.bytes().as_ref(), "{tag}");
    }
    let users: Vec<String> = world
        .tokens
        .requests()
        .into_iter()
        .filter_map(|request| Some(request.basic?.0))
        .collect();
    assert!(users.iter().any(|user| user == "oauth2accesstoken"), "{users:?}");
    assert_eq!(world.identities.given(), 1, "one token serves the whole push");
}

#[tokio::test]
async fn a_token_that_the_registry_refuses_is_replaced_and_not_shown_again() {
    if need("docker-registry") == Need::Skip {
        return;
    }
    let world = World::refusing(&["ya29.1-CANARY"]).await;
    world
        .push(&world.provider(Auth::default()), "v1", 1)
        .await
        .unwrap();
    assert_eq!(world.identities.given(), 2);
}

#[tokio::test]
async fn nobody_is_refused_and_told_which_role_it_takes() {
    if need("docker-registry") == Need::Skip {
        return;
    }
    let world = World::start().await;
    let anonymous = Auth {
        anonymous: Some(true),
        ..Auth::default()
    };
    let error = world.push(&world.provider(anonymous), "v1", 1).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Auth);
    let hint = error.hint().unwrap();
    assert!(hint.contains("roles/artifactregistry.writer"), "{hint}");
    assert!(!hint.contains(MACHINE), "{hint}");
}
