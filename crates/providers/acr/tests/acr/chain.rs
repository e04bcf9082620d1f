//! Whom Azure knows us as.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::StreamExt as _;
use http::{HeaderMap, StatusCode};
use planner::config::{Auth, SecretReference};
use provider::{Lister as _, Provider as _};
use registry::{Credential, ErrorKind, HttpTransport, Request, Response, SignIn, Transport, TransportError};
use serde_json::{Value, json};
use testkit::azure::{Azure, Principal, REGISTRY, Right, TENANT};
use transship_acr::AcrProvider;

use crate::support::{CLIENT, Instead, SECRET, application, setup, signed_in, transport};

async fn sign_in(azure: &Azure, auth: Auth, variables: &[(&str, &str)]) -> Result<SignIn, registry::Error> {
    let provider = AcrProvider::new(setup(azure, auth, variables))?;
    provider.credentials().sign_in().await
}

#[tokio::test]
async fn at_a_host_that_is_not_azures_only_who_is_named_signs_in() {
    let (azure, _) = signed_in(&[Right::Pull]).await;
    let variables = [
        ("AZURE_TENANT_ID", TENANT),
        ("AZURE_CLIENT_ID", CLIENT),
        ("AZURE_CLIENT_SECRET", SECRET),
    ];
    let at = |host: &str, auth: Auth| {
        let mut setup = setup(&azure, auth, &variables);
        setup.host = host.parse().unwrap();
        setup.transport = Arc::new(Instead {
            outside: setup.transport,
            path: "/oauth2/exchange",
            status: StatusCode::OK,
            body: json!({ "refresh_token": "refresh" }),
        });
        let provider = AcrProvider::new(setup).unwrap();
        async move { provider.credentials().sign_in().await.unwrap() }
    };
    let withheld = at("registry.corp.example", Auth::default()).await;
    assert_eq!(withheld.credential, Credential::Anonymous);
    assert!(
        withheld.origin.contains(
            "registry.corp.example is no host of Azure's, where only an identity that `auth` names"
        ),
        "{}",
        withheld.origin
    );
    assert!(azure.asked().is_empty(), "no token is asked for");
    let named = Auth {
        tenant_id: Some(TENANT.to_owned()),
        ..Auth::default()
    };
    for (host, auth) in [
        ("registry.corp.example", named),
        ("contoso.azurecr.io", Auth::default()),
        ("127.0.0.1:5000", Auth::default()),
    ] {
        let sign_in = at(host, auth).await;
        assert!(
            matches!(sign_in.credential, Credential::IdentityToken(_)),
            "{host}"
        );
    }
}

#[tokio::test]
async fn an_application_signs_in_with_its_secret() {
    let (azure, provider) = signed_in(&[Right::Pull]).await;
    assert!(azure.asked().is_empty(), "making a provider sends nothing");
    let signed = provider.credentials().sign_in().await.unwrap();
    assert_eq!(
        signed.origin,
        format!("client secret of `auth` (application {CLIENT})")
    );
    assert!(matches!(signed.credential, Credential::IdentityToken(_)));
    let life = signed
        .expires
        .unwrap()
        .duration_since(jiff::Timestamp::now())
        .as_secs();
    assert!(
        (10_400..=10_500).contains(&life),
        "three hours less the margin: {life}"
    );
    let asked = azure.asked();
    assert_eq!(
        asked[0].parameter("scope"),
        Some("https://containerregistry.azure.net/.default")
    );
    let exchange = &asked[1];
    assert_eq!(exchange.path, "/oauth2/exchange");
    assert_eq!(exchange.parameter("service"), Some(azure.host().as_str()));
    assert_eq!(exchange.parameter("tenant"), Some(TENANT));
    assert!(exchange.parameter("access_token").is_some());
}

#[tokio::test]
async fn the_environment_has_an_application_too() {
    let (azure, _) = signed_in(&[Right::Pull]).await;
    let variables = [
        ("AZURE_TENANT_ID", TENANT),
        ("AZURE_CLIENT_ID", CLIENT),
        ("AZURE_CLIENT_SECRET", SECRET),
    ];
    let signed = sign_in(&azure, Auth::default(), &variables).await.unwrap();
    assert_eq!(
        signed.origin,
        format!("client secret of the environment (application {CLIENT})")
    );
}

#[tokio::test]
async fn a_token_of_kubernetes_stands_for_an_application() {
    let azure = Azure::start().await;
    azure.admit(Principal::new(CLIENT, [Right::Pull]).assertion("projected"));
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("token");
    std::fs::write(&file, "projected").unwrap();
    let variables = [
        ("AZURE_TENANT_ID", TENANT),
        ("AZURE_CLIENT_ID", "somebody else"),
        ("AZURE_FEDERATED_TOKEN_FILE", file.to_str().unwrap()),
    ];
    let auth = Auth {
        client_id: Some(CLIENT.to_owned()),
        ..Auth::default()
    };
    let signed = sign_in(&azure, auth.clone(), &variables).await.unwrap();
    assert_eq!(signed.origin, format!("workload identity (application {CLIENT})"));
    std::fs::write(&file, "of another").unwrap();
    let error = sign_in(&azure, auth, &variables).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Auth);
    assert!(
        error.to_string().starts_with("workload identity: AADSTS70021:"),
        "{error}"
    );
    assert!(
        error.hint().unwrap().contains("federated-credential"),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_wrong_secret_is_an_error_and_nothing_else_is_tried() {
    let (azure, _) = signed_in(&[Right::Pull]).await;
    let auth = Auth {
        client_secret: Some(SecretReference::Env("WRONG".to_owned())),
        ..application()
    };
    let error = sign_in(&azure, auth, &[]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Auth);
    assert!(
        error
            .to_string()
            .starts_with("client secret of `auth`: AADSTS7000215: Invalid client secret provided."),
        "{error}"
    );
    assert!(
        error.hint().unwrap().contains("az ad app credential reset"),
        "{error:?}"
    );
    assert!(!error.to_string().contains("Trace ID"), "{error}");
    assert!(!format!("{error} {error:?}").contains("CANARY"));
    assert_eq!(azure.asked().len(), 1);
}

#[tokio::test]
async fn where_azure_knows_nobody_the_origin_says_why_link_by_link() {
    let azure = Azure::start().await;
    let signed = sign_in(&azure, Auth::default(), &[("AZURE_CLIENT_ID", CLIENT)])
        .await
        .unwrap();
    assert_eq!(signed.credential, Credential::Anonymous);
    for reason in [
        "client secret of the environment: AZURE_CLIENT_SECRET is not set",
        "workload identity: AZURE_FEDERATED_TOKEN_FILE is not set",
        "managed identity: no metadata service answers here",
        "Azure CLI: not installed",
        "Azure Developer CLI: not installed",
    ] {
        assert!(signed.origin.contains(reason), "{} lacks {reason}", signed.origin);
    }
}

#[tokio::test]
async fn an_identity_that_the_configuration_asks_for_has_to_be_there() {
    let azure = Azure::start().await;
    let auth = Auth {
        client_id: Some(CLIENT.to_owned()),
        ..Auth::default()
    };
    let error = sign_in(&azure, auth, &[]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Auth);
    assert!(
        error
            .to_string()
            .contains("managed identity: no metadata service answers here"),
        "{error}"
    );
}

#[test]
fn a_secret_without_its_application_is_refused_before_anything_is_asked() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let azure = runtime.block_on(Azure::start());
    for (without, auth) in [
        (
            "client_id",
            Auth {
                client_id: None,
                ..application()
            },
        ),
        (
            "tenant_id",
            Auth {
                tenant_id: None,
                ..application()
            },
        ),
    ] {
        let error = AcrProvider::new(setup(&azure, auth, &[])).unwrap_err();
        assert_eq!(error.to_string(), format!("`client_secret` without `{without}`"));
    }
}

#[tokio::test]
async fn an_authority_that_is_not_there_has_refused_nobody() {
    let (azure, _) = signed_in(&[Right::Pull]).await;
    let mut setup = setup(&azure, application(), &[]);
    setup.auth.authority = Some("https://localhost:1".to_owned());
    let error = AcrProvider::new(setup)
        .unwrap()
        .credentials()
        .sign_in()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Network, "{error}");
}

#[tokio::test]
async fn an_authority_that_nobody_vouches_for_is_told_at_once() {
    let (azure, _) = signed_in(&[Right::Pull]).await;
    let mut setup = setup(&azure, application(), &[]);
    setup.transport = Arc::new(HttpTransport::new(&registry::TlsSettings::default(), "test").unwrap());
    let before = std::time::Instant::now();
    let error = AcrProvider::new(setup)
        .unwrap()
        .credentials()
        .sign_in()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Policy, "{error}");
    assert!(
        before.elapsed().as_secs() < 10,
        "TLS is not tried again: {:?}",
        before.elapsed()
    );
}

#[tokio::test]
async fn a_token_that_the_registry_does_not_take_is_an_error_that_says_whom_it_was_for() {
    let (azure, _) = signed_in(&[Right::Pull]).await;
    let auth = Auth {
        audience: Some("https://other.example".to_owned()),
        ..application()
    };
    let error = sign_in(&azure, auth.clone(), &[]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Auth);
    assert!(
        error.to_string().contains("AAD access token is invalid"),
        "{error}"
    );
    assert!(
        error
            .hint()
            .unwrap()
            .contains("takes no token for https://other.example"),
        "{error:?}"
    );
    let provider = AcrProvider::new(setup(&azure, auth, &[])).unwrap();
    let listing = provider.inventory(&"team/app".parse().unwrap()).await;
    assert_eq!(
        listing.unwrap_err().kind(),
        ErrorKind::Auth,
        "who can't sign in has no listing to be without"
    );
}

/// A machine of Azure's, with the metadata service as it is documented.
///
/// <https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token>
#[derive(Debug)]
struct VirtualMachine {
    outside: HttpTransport,
    /// Client ids with their tokens; the first is the machine's own.
    identities: Vec<(String, String)>,
}

#[async_trait]
impl Transport for VirtualMachine {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        if request.url.host_str() != Some("169.254.169.254") {
            return self.outside.send(request).await;
        }
        let (status, body) = self.answer(&request);
        let bytes = futures_util::stream::once(async move { Ok(body.to_string().into()) });
        Ok(Response {
            status,
            headers: HeaderMap::new(),
            body: bytes.boxed(),
        })
    }
}

impl VirtualMachine {
    fn answer(&self, request: &Request) -> (StatusCode, Value) {
        let refuse = |text: &str| {
            let body = json!({ "error": "invalid_request", "error_description": text });
            (StatusCode::BAD_REQUEST, body)
        };
        if request
            .headers
            .get("metadata")
            .is_none_or(|value| value != "true")
        {
            return refuse("Required metadata header not specified");
        }
        let parameter = |name: &str| {
            let mut pairs = request.url.query_pairs();
            pairs
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.into_owned())
        };
        if parameter("resource").as_deref() != Some(REGISTRY) {
            return refuse("Invalid resource");
        }
        let found = match parameter("client_id") {
            Some(client) => self.identities.iter().find(|(id, _)| *id == client),
            None => self.identities.first(),
        };
        let Some((_, token)) = found else {
            return refuse("Identity not found");
        };
        let body = json!({
            "access_token": token, "expires_on": "4102444800", "expires_in": "86399", "not_before": "1",
            "resource": REGISTRY, "token_type": "Bearer",
        });
        (StatusCode::OK, body)
    }
}

async fn on_a_machine(azure: &Azure, identities: &[&str], auth: Auth) -> Result<SignIn, registry::Error> {
    let mut setup = setup(azure, auth, &[]);
    let identities = identities
        .iter()
        .map(|client| ((*client).to_owned(), azure.token(client, REGISTRY)))
        .collect();
    setup.transport = Arc::new(VirtualMachine {
        outside: transport(azure),
        identities,
    });
    AcrProvider::new(setup)?.credentials().sign_in().await
}

#[tokio::test]
async fn a_machine_of_azures_signs_in_as_itself_or_as_one_of_its_identities() {
    let azure = Azure::start().await;
    azure.admit(Principal::new("own", [Right::Pull]));
    azure.admit(Principal::new("second", [Right::Pull]));
    let own = on_a_machine(&azure, &["own", "second"], Auth::default())
        .await
        .unwrap();
    assert_eq!(own.origin, "managed identity (application own)");
    let auth = Auth {
        client_id: Some("second".to_owned()),
        ..Auth::default()
    };
    let second = on_a_machine(&azure, &["own", "second"], auth.clone())
        .await
        .unwrap();
    assert_eq!(second.origin, "managed identity (application second)");
    let error = on_a_machine(&azure, &["own"], auth).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Auth);
    assert!(error.hint().unwrap().contains("client id second"), "{error:?}");
}

#[tokio::test]
async fn a_machine_without_an_identity_is_passed_over() {
    let azure = Azure::start().await;
    let signed = on_a_machine(&azure, &[], Auth::default()).await.unwrap();
    assert_eq!(signed.credential, Credential::Anonymous);
    assert!(
        signed.origin.contains("managed identity: this machine has none"),
        "{}",
        signed.origin
    );
}
