//! What to grant, for everything that may be refused.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use provider::{Lister as _, Provider as _};
use registry::{Error, ErrorKind, Operation, RestReply};
use serde_json::json;
use testkit::azure::{Azure, Principal, Right, resource_id};
use transship_acr::AcrProvider;

use crate::support::{CLIENT, answered, application, setup, signed_in};

const PULL: &[Operation] = &[
    Operation::ListTags,
    Operation::HeadManifest,
    Operation::GetManifest,
    Operation::ListReferrers,
    Operation::HeadBlob,
    Operation::GetBlob,
];
const PUSH: &[Operation] = &[
    Operation::PutManifest,
    Operation::StartUpload,
    Operation::SendChunk,
    Operation::FinishUpload,
];

/// What the registry's answer makes of a request.
fn refusal(status: StatusCode) -> Error {
    let reply = RestReply {
        status,
        headers: HeaderMap::new(),
        body: Bytes::new(),
        url: "https://contoso.azurecr.io/v2/".parse().unwrap(),
    };
    reply.refusal("put")
}

async fn knowing(mode: &str) -> (Azure, AcrProvider) {
    let (azure, _) = signed_in(&Right::ALL).await;
    azure.set_properties(json!({ "roleAssignmentMode": mode }));
    let mut setup = setup(&azure, application(), &[]);
    setup.resource_id = Some(resource_id());
    let provider = AcrProvider::new(setup).unwrap();
    provider
        .find_repository(&"team/app".parse().unwrap(), None)
        .await
        .unwrap();
    (azure, provider)
}

#[tokio::test]
async fn every_operation_names_the_identity_the_action_and_the_role_of_the_registrys_mode() {
    for (mode, operations, action, role) in [
        (
            "LegacyRegistryPermissions",
            PULL,
            "registries/pull/read",
            "AcrPull",
        ),
        (
            "LegacyRegistryPermissions",
            PUSH,
            "registries/push/write",
            "AcrPush",
        ),
        (
            "AbacRepositoryPermissions",
            PULL,
            "registries/repositories/content/read",
            "Container Registry Repository Reader",
        ),
        (
            "AbacRepositoryPermissions",
            PUSH,
            "registries/repositories/content/write",
            "Container Registry Repository Writer",
        ),
    ] {
        let (_azure, provider) = knowing(mode).await;
        for operation in operations {
            for status in [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN] {
                let error = refusal(status);
                let advice = provider
                    .advise(*operation, &"team/app".parse().unwrap(), &error)
                    .unwrap();
                assert_eq!(
                    advice.identity,
                    format!("client secret of `auth` (application {CLIENT})")
                );
                assert_eq!(
                    advice.action,
                    format!("Microsoft.ContainerRegistry/{action}"),
                    "{operation:?}"
                );
                assert_eq!(
                    advice.grant,
                    format!(
                        "az role assignment create --assignee oid-{CLIENT} --role \"{role}\" --scope {}",
                        resource_id()
                    )
                );
            }
        }
    }
}

#[tokio::test]
async fn without_knowing_the_mode_both_roles_are_named() {
    let (_azure, provider) = signed_in(&[]).await;
    provider.credentials().sign_in().await.unwrap();
    let error = Error::new(ErrorKind::Permission, "refused");
    let advice = provider
        .advise(Operation::PutManifest, &"team/app".parse().unwrap(), &error)
        .unwrap();
    assert!(
        advice
            .grant
            .contains("--role \"AcrPush\" --scope $(az acr show --name localhost:"),
        "{advice}"
    );
    assert!(
        advice
            .grant
            .contains("\"Container Registry Repository Writer\" instead"),
        "{advice}"
    );
}

#[tokio::test]
async fn what_no_permission_would_help_gets_no_advice() {
    let (_azure, provider) = signed_in(&[]).await;
    let repository = "team/app".parse().unwrap();
    for kind in [
        ErrorKind::NotFound,
        ErrorKind::RateLimit,
        ErrorKind::Immutable,
        ErrorKind::Network,
        ErrorKind::Integrity,
        ErrorKind::Quota,
        ErrorKind::Policy,
        ErrorKind::Other,
    ] {
        let error = Error::new(kind, "refused");
        assert_eq!(
            provider.advise(Operation::PutManifest, &repository, &error),
            None,
            "{kind:?}"
        );
    }
    let nobody = Error::new(ErrorKind::Auth, "nobody signed in");
    assert_eq!(
        provider.advise(Operation::PutManifest, &repository, &nobody),
        None
    );
}

#[tokio::test]
async fn who_could_not_sign_in_is_told_to_sign_in_and_not_what_to_grant() {
    let (_azure, provider) = knowing("LegacyRegistryPermissions").await;
    let error = Error::new(ErrorKind::Auth, "Azure CLI: AADSTS700082: it has expired").with_hint("az login");
    for operation in PULL.iter().chain(PUSH) {
        let advice = provider.advise(*operation, &"team/app".parse().unwrap(), &error);
        assert_eq!(advice, None, "{operation:?}");
    }
}

#[tokio::test]
async fn a_login_that_ends_before_the_resource_is_described_is_told_as_that() {
    let (azure, _) = signed_in(&Right::ALL).await;
    let mut setup = setup(&azure, application(), &[]);
    setup.resource_id = Some(resource_id());
    let provider = AcrProvider::new(setup).unwrap();
    provider.credentials().sign_in().await.unwrap();
    azure.admit(Principal::new(CLIENT, Right::ALL).secret("changed"));
    let error = provider
        .find_repository(&"team/app".parse().unwrap(), None)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Auth);
    let hint = error.hint().unwrap();
    assert!(hint.contains("az ad app credential reset"), "{error} {hint}");
}

#[tokio::test]
async fn a_network_that_is_kept_out_is_let_in_by_a_rule_and_not_by_a_role() {
    let (_azure, provider) = knowing("LegacyRegistryPermissions").await;
    let error = Error::new(
        ErrorKind::Permission,
        "put: 403 Forbidden: denied: client with IP '203.0.113.7' is not allowed access. Refer https://aka.ms/acr/firewall to grant access.",
    );
    let advice = provider
        .advise(Operation::PutManifest, &"team/app".parse().unwrap(), &error)
        .unwrap();
    assert!(
        advice
            .grant
            .starts_with("az acr network-rule add --name contoso --ip-address 203.0.113.7"),
        "{advice}"
    );
}

#[tokio::test]
async fn a_network_that_is_kept_out_at_sign_in_is_not_told_to_look_at_its_tenant() {
    let (azure, _) = signed_in(&Right::ALL).await;
    let text = "client with IP '203.0.113.7' is not allowed access. Refer https://aka.ms/acr/firewall to grant access.";
    let refused = json!({ "errors": [{ "code": "DENIED", "message": text }] });
    let provider = answered(&azure, "/oauth2/exchange", 403, refused);
    let error = provider.credentials().sign_in().await.unwrap_err();
    assert_eq!((error.kind(), error.hint()), (ErrorKind::Auth, None), "{error}");
    let repository = "team/app".parse().unwrap();
    let rule = "az acr network-rule add --name";
    let advice = provider
        .advise(Operation::GetManifest, &repository, &error)
        .unwrap();
    assert!(advice.grant.starts_with(rule), "{advice}");
    for error in [
        provider.inventory(&repository).await.unwrap_err(),
        provider.find_repository(&repository, None).await.unwrap_err(),
        provider.repositories().await.unwrap_err(),
    ] {
        let hint = error.hint().unwrap();
        assert!(
            hint.contains(rule) && hint.contains("--ip-address 203.0.113.7"),
            "{hint}"
        );
    }
}

#[tokio::test]
async fn a_token_that_the_registry_does_not_take_is_told_with_its_audience() {
    let (azure, _) = signed_in(&Right::ALL).await;
    let refused = json!({ "errors": [{ "code": "UNAUTHORIZED", "message": "AAD access token is invalid" }] });
    let provider = answered(&azure, "/oauth2/exchange", 401, refused);
    let error = provider
        .inventory(&"team/app".parse().unwrap())
        .await
        .unwrap_err();
    let hint = error.hint().unwrap();
    assert!(
        hint.contains("takes no token for https://containerregistry.azure.net: check"),
        "{hint}"
    );
}

#[tokio::test]
async fn a_registry_without_a_public_address_is_told_with_the_role() {
    let (azure, _) = signed_in(&Right::ALL).await;
    azure.set_properties(json!({ "publicNetworkAccess": "Disabled" }));
    let mut setup = setup(&azure, application(), &[]);
    setup.resource_id = Some(resource_id());
    let provider = AcrProvider::new(setup).unwrap();
    provider
        .find_repository(&"team/app".parse().unwrap(), None)
        .await
        .unwrap();
    let error = Error::new(ErrorKind::Permission, "refused");
    let advice = provider
        .advise(Operation::GetBlob, &"team/app".parse().unwrap(), &error)
        .unwrap();
    assert!(
        advice.grant.contains("public network access is disabled"),
        "{advice}"
    );
}
