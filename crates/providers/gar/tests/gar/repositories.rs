//! Repositories: found, measured, made and changed.

use std::sync::Arc;

use planner::config::Auth;
use planner::{Change, Immutable, Standing};
use provider::{Ensured, Lister as _, Provider as _};
use registry::ErrorKind;
use serde_json::{Value, json};
use testkit::google::artifact_registry::{ArtifactRegistry, Failure};
use testkit::google::identity::Identities;
use transship_gar::GarProvider;

use crate::support::{BASE, Cloud, HOST, environment, setup};

fn settings() -> Value {
    json!({
        "tag_mutability": "immutable",
        "description": "base images",
        "labels": { "team": "base" },
        "kms_key": "projects/my-project/locations/europe-west1/keyRings/k/cryptoKeys/c",
        "cleanup_policies": {
            "old": { "action": "DELETE", "condition": { "tagState": "UNTAGGED", "olderThan": "30d" } },
            "keep": { "action": "KEEP", "mostRecentVersions": { "keepCount": 10 } },
        },
        "cleanup_dry_run": true,
        "mode": "standard",
        "on_drift": "update",
    })
}

#[tokio::test]
async fn a_repository_is_made_with_its_settings_and_then_stands_as_wanted() {
    let cloud = Cloud::start().await;
    cloud.registry.operations_take(1);
    let (provider, repository) = (cloud.provider(), "my-project/base".parse().unwrap());
    let settings = settings();
    let settings = Some(&settings);
    assert_eq!(
        provider.find_repository(&repository, settings).await.unwrap(),
        None
    );
    assert_eq!(
        provider.ensure_repository(&repository, settings).await.unwrap(),
        Ensured::Created
    );
    let made = cloud.registry.repository(BASE).unwrap();
    assert_eq!(
        (&made["format"], &made["mode"]),
        (&json!("DOCKER"), &json!("STANDARD_REPOSITORY"))
    );
    assert_eq!(
        made["cleanupPolicies"]["old"]["condition"]["olderThan"],
        "2592000s"
    );

    let standing = provider
        .find_repository(&repository, settings)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(standing.drift, []);
    assert_eq!(standing.immutable, Immutable::Except(Vec::new()));
    assert_eq!(standing.refuses, None);
    assert_eq!(
        provider.ensure_repository(&repository, settings).await.unwrap(),
        Ensured::Existed
    );
}

#[tokio::test]
async fn exactly_what_drifts_is_changed() {
    let cloud = Cloud::start().await;
    let (provider, repository) = (cloud.provider(), "my-project/base".parse().unwrap());
    cloud.registry.add_repository(
        BASE,
        json!({ "format": "DOCKER", "mode": "STANDARD_REPOSITORY", "description": "base images",
                "labels": { "owner": "somebody" }, "cleanupPolicyDryRun": true }),
    );
    let settings = settings();
    let settings = Some(&settings);
    let standing = provider
        .find_repository(&repository, settings)
        .await
        .unwrap()
        .unwrap();
    let drift: Vec<_> = standing
        .drift
        .iter()
        .map(|drift| (drift.setting.as_str(), drift.change))
        .collect();
    assert_eq!(
        drift,
        [
            ("tag_mutability", Change::Possible),
            ("labels", Change::Possible),
            ("kms_key", Change::Never),
            ("cleanup_policies", Change::Possible),
        ]
    );
    provider.update_repository(&repository, settings).await.unwrap();
    let patch = cloud.registry.asked().pop().unwrap();
    assert_eq!(patch.method, "PATCH");
    assert_eq!(
        patch.parameter("updateMask").as_deref(),
        Some("dockerConfig,labels,cleanupPolicies")
    );
    let after = cloud.registry.repository(BASE).unwrap();
    assert_eq!(after["labels"], json!({ "owner": "somebody", "team": "base" }));

    cloud.registry.forget();
    provider.update_repository(&repository, settings).await.unwrap();
    assert!(cloud.registry.asked().iter().all(|asked| asked.method == "GET"));
}

#[tokio::test]
async fn whoever_comes_second_finds_the_repository() {
    let cloud = Cloud::start().await;
    cloud.registry.next_creation(Failure::Overtaken);
    let provider = cloud.provider();
    let made = provider
        .ensure_repository(&"my-project/base".parse().unwrap(), None)
        .await;
    assert_eq!(made.unwrap(), Ensured::Existed);
    assert_eq!(
        cloud.registry.asked().len(),
        3,
        "it is looked for, asked for, and seen to stand"
    );

    // The race may be lost as late as in the operation.
    let late = json!({ "code": 6, "message": "the repository already exists" });
    cloud.registry.next_creation(Failure::Ends(late));
    let made = provider
        .ensure_repository(&"other/base".parse().unwrap(), None)
        .await;
    assert_eq!(made.unwrap(), Ensured::Existed);
}

#[tokio::test]
async fn gcr_io_is_a_repository_of_the_project_called_as_the_host() {
    let cloud = Cloud::start().await;
    for (host, path, name) in [
        (
            "gcr.io",
            "my-project",
            "projects/my-project/locations/us/repositories/gcr.io",
        ),
        (
            "eu.gcr.io",
            "example.com/my-project",
            "projects/example.com:my-project/locations/europe/repositories/eu.gcr.io",
        ),
    ] {
        let provider = cloud.provider_at(host);
        assert_eq!(provider.profile().capabilities.depth, Some(1));
        let made = provider.ensure_repository(&path.parse().unwrap(), None).await;
        assert_eq!(made.unwrap(), Ensured::Created);
        assert!(cloud.registry.repository(name).is_some(), "{name}");
    }
    assert_eq!(cloud.provider().profile().capabilities.depth, Some(2));
}

#[tokio::test]
async fn a_repository_of_a_domains_project_is_left_to_the_push() {
    let cloud = Cloud::start().await;
    let (provider, cut) = (cloud.provider(), "example.com/my-project".parse().unwrap());
    let found = provider.find_repository(&cut, Some(&settings())).await.unwrap();
    assert_eq!(found, Some(Standing::default()));
    let error = provider.ensure_repository(&cut, None).await.unwrap_err();
    assert!(
        error
            .hint()
            .unwrap()
            .contains("a project of a domain takes two segments"),
        "{error:?}"
    );
    assert!(cloud.registry.asked().is_empty());
}

#[tokio::test]
async fn any_other_host_takes_its_location_from_the_settings() {
    let cloud = Cloud::start().await;
    cloud.registry.add_repository(BASE, json!({ "format": "DOCKER" }));
    let provider = cloud.provider_at("registry.example:5000");
    let repository = "my-project/base".parse().unwrap();
    let settings = json!({ "location": "europe-west1" });
    assert!(
        provider
            .find_repository(&repository, Some(&settings))
            .await
            .unwrap()
            .is_some()
    );
    let error = provider.find_repository(&repository, None).await.unwrap_err();
    assert!(
        error.hint().unwrap().contains("create_repositories: { location:"),
        "{error:?}"
    );
    let elsewhere = json!({ "location": "us" });
    let error = cloud
        .provider()
        .find_repository(&repository, Some(&elsewhere))
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "gar: repositories of this host are in europe-west1, not in us"
    );
}

#[tokio::test]
async fn a_creation_that_ends_badly_says_what_google_said() {
    let cloud = Cloud::start().await;
    let (provider, repository) = (cloud.provider(), "my-project/base".parse().unwrap());
    let why = "Permission 'cloudkms.cryptoKeyVersions.useToEncrypt' denied on the key";
    cloud
        .registry
        .next_creation(Failure::Ends(json!({ "code": 7, "message": why })));
    let error = provider.ensure_repository(&repository, None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Permission);
    assert!(error.message().ends_with(why), "{error}");
    assert!(
        error
            .hint()
            .unwrap()
            .contains("roles/cloudkms.cryptoKeyEncrypterDecrypter")
    );

    cloud.registry.next_creation(Failure::Refused(
        400,
        json!({ "error": { "code": 400, "status": "INVALID_ARGUMENT", "message": "bad label" } }),
    ));
    // Another project: this one has to wait for its next turn.
    let error = provider
        .ensure_repository(&"other/base".parse().unwrap(), None)
        .await
        .unwrap_err();
    assert!(
        error.message().ends_with("invalid argument: bad label"),
        "{error}"
    );
}

#[tokio::test]
async fn a_token_that_the_api_refuses_is_replaced_once() {
    let identities = Arc::new(Identities::start().await);
    let known = Arc::clone(&identities);
    let second = move |token: Option<&str>| {
        token.is_some_and(|token| token.contains(".2-") && known.owner(token).is_some())
    };
    let registry = ArtifactRegistry::start_for(second).await;
    registry.add_repository(BASE, json!({ "format": "DOCKER" }));
    let auth = Auth {
        endpoint: Some(registry.url()),
        ..Auth::default()
    };
    let machine = environment(&[("GCE_METADATA_HOST", &identities.host())]);
    let provider = GarProvider::new(setup(HOST, auth, machine)).unwrap();
    let found = provider
        .find_repository(&"my-project/base".parse().unwrap(), None)
        .await;
    assert!(found.unwrap().is_some());
    assert_eq!((registry.asked().len(), identities.given()), (2, 2));
}

#[tokio::test]
async fn settings_that_google_has_no_place_for_are_told_before_anything_is_sent() {
    let cloud = Cloud::start().await;
    let repository = "my-project/base".parse().unwrap();
    let settings = json!({ "cleanup_policies": { "old": { "action": "ERASE", "condition": {} } } });
    let error = cloud
        .provider()
        .ensure_repository(&repository, Some(&settings))
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "create_repositories: cleanup_policies: old: `action` is DELETE or KEEP"
    );
    assert!(cloud.registry.asked().is_empty());
}

#[test]
fn an_endpoint_that_would_send_credentials_in_the_clear_is_refused() {
    for (endpoint, what) in [
        (
            "http://artifactregistry.example",
            "credentials go over HTTPS only",
        ),
        ("ftp://artifactregistry.example", "it is no address of HTTPS"),
        ("artifactregistry", "it is no address"),
    ] {
        let auth = Auth {
            endpoint: Some(endpoint.to_owned()),
            ..Auth::default()
        };
        let error = GarProvider::new(setup(HOST, auth, environment(&[]))).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("auth.endpoint of registry gar: {what}")
        );
    }
}
