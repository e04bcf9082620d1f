//! What the tests share.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::StreamExt as _;
use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderValue, StatusCode};
use planner::Inventory;
use planner::config::{Auth, SecretReference};
use provider::{Class, Lister, Listing, Profile, Setup};
use registry::{
    HttpTransport, Request, Response, Secret, TlsSettings, Transport, TransportError, TransportErrorKind,
};
use serde_json::Value;
use testkit::azure::{Azure, Principal, Right, TENANT};
use transship_acr::AcrProvider;

pub(crate) const CLIENT: &str = "aaaaaaaa-0000-0000-0000-000000000001";
pub(crate) const SECRET: &str = "swordfish";
pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// A network in which no machine has a metadata service, whatever this one has.
#[derive(Debug)]
pub(crate) struct NoMetadata(pub(crate) HttpTransport);

#[async_trait]
impl Transport for NoMetadata {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        if request.url.host_str() == Some("169.254.169.254") {
            return Err(TransportError::new(
                TransportErrorKind::Connect,
                "no such network",
            ));
        }
        self.0.send(request).await
    }
}

/// A network in which one path of the registry's is answered by something else: a firewall, or a registry in trouble.
#[derive(Debug)]
pub(crate) struct Instead {
    pub(crate) outside: Arc<dyn Transport>,
    pub(crate) path: &'static str,
    pub(crate) status: StatusCode,
    pub(crate) body: Value,
}

#[async_trait]
impl Transport for Instead {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        if request.url.path() != self.path {
            return self.outside.send(request).await;
        }
        let mut headers = HeaderMap::new();
        // More patience than anybody has: it is asked once.
        headers.insert(RETRY_AFTER, HeaderValue::from_static("3600"));
        let bytes = Ok(self.body.to_string().into());
        Ok(Response {
            status: self.status,
            headers,
            body: futures_util::stream::iter([bytes]).boxed(),
        })
    }
}

/// A provider that signs in as the application, and is answered `status` and `body` at `path`.
pub(crate) fn answered(azure: &Azure, path: &'static str, status: u16, body: Value) -> AcrProvider {
    let mut setup = setup(azure, application(), &[]);
    setup.transport = Arc::new(Instead {
        outside: setup.transport,
        path,
        status: StatusCode::from_u16(status).unwrap(),
        body,
    });
    AcrProvider::new(setup).unwrap()
}

pub(crate) fn transport(azure: &Azure) -> HttpTransport {
    let tls = TlsSettings {
        ca: Some(azure.certificate().into_bytes()),
        ..TlsSettings::default()
    };
    HttpTransport::new(&tls, "test").unwrap()
}

/// The keys of an application with its secret.
pub(crate) fn application() -> Auth {
    Auth {
        tenant_id: Some(TENANT.to_owned()),
        client_id: Some(CLIENT.to_owned()),
        client_secret: Some(SecretReference::Env("SECRET".to_owned())),
        ..Auth::default()
    }
}

/// What `auth` and these variables make, where only the double is asked.
pub(crate) fn setup(azure: &Azure, auth: Auth, variables: &[(&str, &str)]) -> Setup {
    let variables: BTreeMap<String, String> = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    Setup {
        name: "acr".to_owned(),
        host: azure.host().parse().unwrap(),
        plain_http: false,
        auth: Auth {
            authority: Some(azure.authority()),
            endpoint: Some(azure.management()),
            ..auth
        },
        profile: Profile::of(Class::Azure),
        resource_id: None,
        secrets: Arc::new(|reference| match reference {
            SecretReference::Env(name) if name == "SECRET" => Ok(Secret::new(SECRET)),
            SecretReference::Env(name) if name == "WRONG" => Ok(Secret::new("CANARY")),
            SecretReference::Env(name) | SecretReference::File(name) => Err(format!("{name} is not there")),
        }),
        environment: Arc::new(move |name| variables.get(name).cloned()),
        transport: Arc::new(NoMetadata(transport(azure))),
    }
}

/// An Azure in which the application may do this, and a provider that signs in as it.
pub(crate) async fn signed_in(rights: &[Right]) -> (Azure, AcrProvider) {
    let azure = Azure::start().await;
    azure.admit(Principal::new(CLIENT, rights.iter().copied()).secret(SECRET));
    let provider = AcrProvider::new(setup(&azure, application(), &[])).unwrap();
    (azure, provider)
}

pub(crate) fn digest(number: usize) -> String {
    format!("sha256:{number:064x}")
}

pub(crate) async fn inventory(provider: &AcrProvider, repository: &str) -> Inventory {
    match provider.inventory(&repository.parse().unwrap()).await.unwrap() {
        Listing::Inventory(inventory) => inventory,
        other => panic!("{other:?}"),
    }
}
