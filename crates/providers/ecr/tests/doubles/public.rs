//! ECR Public, of which there is no double: a front that answers as Amazon's model says.

use planner::config::Auth;
use provider::{Ensured, Lister, Listing, Provider};
use registry::{Credential, ErrorKind};
use serde_json::{Value, json};
use transship_ecr::EcrProvider;

use crate::front::{self, Asked, Front};
use crate::inside::{World, inside, setup};

fn provider() -> EcrProvider {
    EcrProvider::new(setup("public.ecr.aws", Auth::default())).unwrap()
}

fn digest() -> String {
    oci::Digest::sha256(b"x").to_string()
}

/// One account with the alias `acme`, and a repository `team/app` in it once it was created.
fn answer(asked: &Asked) -> axum::response::Response {
    let name = asked.body["repositoryName"].as_str().unwrap_or_default();
    assert!(!name.starts_with("acme/"), "the API knows no aliases: {name}");
    assert!(
        asked.header("authorization").contains("/us-east-1/ecr-public/"),
        "signed for another region"
    );
    match asked.operation.as_str() {
        "GetAuthorizationToken" => front::done(&json!({ "authorizationData": {
            "authorizationToken": "QVdTOnBhc3N3b3Jk", "expiresAt": 4_102_444_800_u64,
        }})),
        "DescribeRegistries" => front::done(&json!({ "registries": [{
            "registryId": "123456789012", "registryArn": "arn:aws:ecr-public::123456789012:registry/123456789012",
            "registryUri": "public.ecr.aws/acme", "verified": false, "aliases": [{
                "name": "acme", "status": "ACTIVE", "primaryRegistryAlias": true, "defaultRegistryAlias": false,
            }],
        }]})),
        "DescribeRepositories" if asked.before == 0 => {
            front::error("RepositoryNotFoundException", "The repository does not exist")
        }
        "DescribeRepositories" => front::done(&json!({ "repositories": [{
            "repositoryName": "team/app", "repositoryArn": "arn:aws:ecr-public::123456789012:repository/team/app",
        }]})),
        "CreateRepository" => create(&asked.body),
        "GetRepositoryCatalogData" => {
            front::done(&json!({ "catalogData": { "description": "old", "aboutText": "kept" } }))
        }
        "ListTagsForResource" => front::done(&json!({ "tags": [{ "Key": "team", "Value": "base" }] })),
        "PutRepositoryCatalogData" => {
            assert_eq!(
                asked.body["catalogData"],
                json!({ "description": "new", "aboutText": "kept" })
            );
            front::done(&json!({ "catalogData": {} }))
        }
        "DescribeImageTags" => front::done(&json!({ "imageTagDetails": [{
            "imageTag": "v1", "imageDetail": { "imageDigest": digest() },
        }]})),
        other => panic!("{other} is not asked for"),
    }
}

fn create(body: &Value) -> axum::response::Response {
    assert_eq!(body["catalogData"], json!({ "description": "new" }));
    assert_eq!(body["tags"], json!([{ "Key": "team", "Value": "base" }]));
    front::done(&json!({ "repository": { "repositoryName": "team/app" } }))
}

#[tokio::test]
async fn repositories_under_our_alias_are_made_measured_and_listed() {
    let test = "public::repositories_under_our_alias_are_made_measured_and_listed";
    if inside(test) {
        return body().await;
    }
    let front = Front::start(answer).await;
    World::of([
        ("AWS_ENDPOINT_URL_ECR_PUBLIC", front.url.as_str()),
        ("AWS_ACCESS_KEY_ID", "k"),
        ("AWS_SECRET_ACCESS_KEY", "s"),
        ("AWS_REGION", "eu-west-1"),
    ])
    .run(test)
    .await;
}

async fn body() {
    let provider = provider();
    let told = provider.credentials().sign_in().await.unwrap();
    assert!(matches!(told.credential, Credential::Basic { .. }) && told.expires.is_some());

    let app = "acme/team/app".parse().unwrap();
    let settings = json!({ "catalog": { "description": "new" }, "tags": { "team": "base" } });
    assert_eq!(
        provider.find_repository(&app, Some(&settings)).await.unwrap(),
        None
    );
    let ensured = provider.ensure_repository(&app, Some(&settings)).await.unwrap();
    assert_eq!(ensured, Ensured::Created);
    let standing = provider
        .find_repository(&app, Some(&settings))
        .await
        .unwrap()
        .unwrap();
    let drift: Vec<_> = standing
        .drift
        .iter()
        .map(|drift| (drift.setting.as_str(), drift.found.as_str()))
        .collect();
    assert_eq!(drift, [("catalog", "another description")]);
    provider.update_repository(&app, Some(&settings)).await.unwrap();

    let Listing::Inventory(inventory) = provider.inventory(&app).await.unwrap() else {
        panic!("it is listed");
    };
    assert_eq!(inventory.tags()[&"v1".parse().unwrap()].to_string(), digest());
    assert_eq!(inventory.manifests(), None);
    assert_eq!(provider.repositories().await.unwrap().unwrap(), [app]);

    let theirs = "docker/library/alpine".parse().unwrap();
    assert_eq!(
        provider.inventory(&theirs).await.unwrap(),
        Listing::Unavailable(None)
    );
    let error = provider.ensure_repository(&theirs, None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Permission);
    assert!(
        error.to_string().contains("which has the aliases: acme"),
        "{error}"
    );
    let private = json!({ "scan_on_push": true });
    let error = provider
        .ensure_repository(&"acme/team/app".parse().unwrap(), Some(&private))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("have no `scan_on_push`"), "{error}");
}

#[tokio::test]
async fn whoever_signs_in_nowhere_reads_as_everybody_does() {
    let test = "public::whoever_signs_in_nowhere_reads_as_everybody_does";
    if !inside(test) {
        return World::of_nobody().run(test).await;
    }
    let provider = provider();
    let told = provider.credentials().sign_in().await.unwrap();
    assert_eq!(told.credential, Credential::Anonymous);
    let listing = provider
        .inventory(&"docker/library/alpine".parse().unwrap())
        .await
        .unwrap();
    assert!(matches!(listing, Listing::Unavailable(Some(_))), "{listing:?}");
}
