//! What the tests share.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use planner::config::{Auth, SecretReference};
use provider::{Class, Profile, Setup};
use registry::{HttpTransport, Secret, TlsSettings, Transport};
use testkit::google::artifact_registry::ArtifactRegistry;
use testkit::google::identity::Identities;
use transship_gar::GarProvider;

/// A place whose host tells its location.
pub(crate) const HOST: &str = "europe-west1-docker.pkg.dev";

/// The repository that most tests are about.
pub(crate) const BASE: &str = "projects/my-project/locations/europe-west1/repositories/base";

/// An account to act as.
pub(crate) const MIRROR: &str = "mirror@my-project.iam.gserviceaccount.com";

pub(crate) fn transport() -> Arc<dyn Transport> {
    Arc::new(HttpTransport::new(&TlsSettings::default(), "test").unwrap())
}

pub(crate) fn setup(host: &str, auth: Auth, environment: BTreeMap<String, String>) -> Setup {
    setup_over(transport(), host, auth, environment)
}

pub(crate) fn setup_over(
    transport: Arc<dyn Transport>,
    host: &str,
    auth: Auth,
    environment: BTreeMap<String, String>,
) -> Setup {
    Setup {
        name: "gar".to_owned(),
        host: host.parse().unwrap(),
        plain_http: false,
        auth,
        profile: Profile::of(Class::Google),
        resource_id: None,
        secrets: Arc::new(secret),
        environment: Arc::new(move |name| environment.get(name).cloned()),
        transport,
    }
}

fn secret(reference: &SecretReference) -> Result<Secret, String> {
    match reference {
        SecretReference::File(path) => std::fs::read_to_string(Path::new(path))
            .map(Secret::new)
            .map_err(|error| format!("{path} can't be read: {error}")),
        SecretReference::Env(text) => Ok(Secret::new(text)),
    }
}

pub(crate) fn environment(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

/// Google's services with a provider that signs in as the machine.
pub(crate) struct Cloud {
    pub(crate) identities: Arc<Identities>,
    pub(crate) registry: ArtifactRegistry,
}

impl Cloud {
    pub(crate) async fn start() -> Self {
        let identities = Arc::new(Identities::start().await);
        let known = Arc::clone(&identities);
        let registry =
            ArtifactRegistry::start_for(move |token| token.is_some_and(|token| known.owner(token).is_some()))
                .await;
        Self { identities, registry }
    }

    pub(crate) fn provider(&self) -> GarProvider {
        self.provider_at(HOST)
    }

    pub(crate) fn provider_at(&self, host: &str) -> GarProvider {
        let auth = Auth {
            endpoint: Some(self.registry.url()),
            ..Auth::default()
        };
        let machine = environment(&[("GCE_METADATA_HOST", &self.identities.host())]);
        GarProvider::new(setup(host, auth, machine)).unwrap()
    }
}
