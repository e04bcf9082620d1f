//! Images that the registry fetches by itself.

use oci::Digest;
use provider::{Importing, Provider as _};
use registry::{Credential, ErrorKind, SignIn};
use testkit::azure::{Azure, Failure, Principal, Right, resource_id};
use transship_acr::AcrProvider;

use crate::support::{CLIENT, SECRET, application, inventory, setup, signed_in};

fn importing(host: &str) -> Importing {
    Importing {
        host: host.parse().unwrap(),
        from: "library/alpine".parse().unwrap(),
        digest: Digest::sha256(b"alpine"),
        to: "base/alpine".parse().unwrap(),
        sign_in: SignIn {
            credential: Credential::Basic {
                username: "ann".to_owned(),
                password: "CANARY".into(),
            },
            ..SignIn::anonymous()
        },
    }
}

#[tokio::test]
async fn an_import_finds_the_registry_and_waits_until_it_is_done() {
    let (azure, provider) = signed_in(&Right::ALL).await;
    provider.import(&importing("docker.io")).await.unwrap();
    let imports = azure.imports();
    assert_eq!((imports.len(), imports[0].polls), (1, 2));
    let digest = Digest::sha256(b"alpine");
    assert_eq!(
        imports[0].body,
        serde_json::json!({
            "source": {
                "registryUri": "docker.io",
                "sourceImage": format!("library/alpine@{digest}"),
                "credentials": { "username": "ann", "password": "CANARY" },
            },
            "untaggedTargetRepositories": ["base/alpine"],
            "mode": "NoForce",
        })
    );
    let found = inventory(&provider, "base/alpine").await;
    assert!(found.manifests().unwrap().contains_key(&digest) && found.tags().is_empty());
}

#[tokio::test]
async fn within_the_registry_no_credential_leaves_it() {
    let (azure, provider) = signed_in(&Right::ALL).await;
    provider.import(&importing(&azure.host())).await.unwrap();
    let source = &azure.imports()[0].body["source"];
    assert_eq!(source["resourceId"], resource_id());
    assert!(source.get("credentials").is_none());
}

#[tokio::test]
async fn a_resource_that_is_named_is_not_searched_for() {
    let azure = Azure::start().await;
    azure.admit(Principal::new(CLIENT, Right::ALL).secret(SECRET));
    let mut setup = setup(&azure, application(), &[]);
    setup.resource_id = Some(resource_id());
    let provider = AcrProvider::new(setup).unwrap();
    provider.import(&importing("docker.io")).await.unwrap();
    assert!(azure.asked().iter().all(|asked| asked.path != "/subscriptions"));
}

#[tokio::test]
async fn without_the_role_the_advice_names_it() {
    let (_azure, provider) = signed_in(&[Right::Describe, Right::Push]).await;
    let error = provider.import(&importing("docker.io")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Permission);
    let hint = error.hint().unwrap();
    assert!(
        hint.contains("Microsoft.ContainerRegistry/registries/importImage/action"),
        "{hint}"
    );
    assert!(
        hint.contains(&format!(
            "az role assignment create --assignee oid-{CLIENT} --role \"Container Registry Data Importer and Data Reader\" --scope {}",
            resource_id()
        )),
        "{hint}"
    );
}

#[tokio::test]
async fn a_source_that_refuses_is_told_in_azures_words_and_no_role_is_named() {
    let (azure, provider) = signed_in(&Right::ALL).await;
    azure.imports_end(Err(Failure {
        code: "InvalidParameters".to_owned(),
        message: "Unauthorized {\"errors\":[{\"code\":\"UNAUTHORIZED\"}]}".to_owned(),
    }));
    let error = provider.import(&importing("docker.io")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Auth);
    assert!(
        error.to_string().contains("InvalidParameters: Unauthorized"),
        "{error}"
    );
    assert!(!format!("{error} {error:?}").contains("CANARY"));
    assert_eq!(error.hint(), None);
}

#[tokio::test]
async fn a_registry_that_is_not_seen_is_an_error_that_says_what_to_do() {
    let (_azure, provider) = signed_in(&[Right::Import]).await;
    let error = provider.import(&importing("docker.io")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.hint().unwrap().contains("resource_id"), "{error:?}");
}
