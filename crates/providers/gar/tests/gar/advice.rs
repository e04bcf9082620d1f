//! What is said where Google refuses.

use planner::config::Auth;
use provider::{Lister as _, Listing, Provider as _};
use registry::{Error, ErrorKind, Operation};
use serde_json::json;
use testkit::google::artifact_registry::Image;
use testkit::google::identity::MACHINE;
use transship_gar::{Call, GarProvider, Right};

use crate::support::{BASE, Cloud, HOST, environment, setup};

const OPERATIONS: [Operation; 10] = [
    Operation::ListTags,
    Operation::HeadManifest,
    Operation::GetManifest,
    Operation::PutManifest,
    Operation::ListReferrers,
    Operation::HeadBlob,
    Operation::GetBlob,
    Operation::StartUpload,
    Operation::SendChunk,
    Operation::FinishUpload,
];

fn command(role: &str) -> String {
    format!(
        "gcloud artifacts repositories add-iam-policy-binding base --project=my-project --location=europe-west1 \
         --member=serviceAccount:{MACHINE} --role={role} (a grant takes up to 7 minutes to be seen)"
    )
}

#[tokio::test]
async fn every_refused_request_is_answered_with_identity_permission_and_role() {
    let cloud = Cloud::start().await;
    let provider = cloud.provider();
    provider.credentials().sign_in().await.unwrap();
    let repository = "my-project/base/team/app".parse().unwrap();
    for operation in OPERATIONS {
        let writes = matches!(
            operation,
            Operation::PutManifest | Operation::StartUpload | Operation::SendChunk | Operation::FinishUpload
        );
        let (permission, role) = if writes {
            (
                "artifactregistry.repositories.uploadArtifacts",
                "roles/artifactregistry.writer",
            )
        } else {
            (
                "artifactregistry.repositories.downloadArtifacts",
                "roles/artifactregistry.reader",
            )
        };
        let error = Error::new(ErrorKind::Permission, "403 Forbidden: denied");
        let advice = provider.advise(operation, &repository, &error).unwrap();
        assert_eq!(
            advice.identity,
            format!("{MACHINE} (metadata server)"),
            "{operation:?}"
        );
        assert_eq!(advice.action, permission, "{operation:?}");
        assert_eq!(advice.grant, command(role), "{operation:?}");
        let missing = Error::new(ErrorKind::NotFound, "404 Not Found: name unknown");
        assert_eq!(provider.advise(operation, &repository, &missing), None);
    }
}

#[tokio::test]
async fn the_permission_that_the_answer_names_is_the_one_to_grant() {
    let cloud = Cloud::start().await;
    let provider = cloud.provider();
    provider.credentials().sign_in().await.unwrap();
    let repository = "my-project/base/team/app".parse().unwrap();
    for (permission, role) in [
        ("artifactregistry.tags.update", "roles/artifactregistry.writer"),
        (
            "artifactregistry.repositories.deleteArtifacts",
            "roles/artifactregistry.repoAdmin",
        ),
        (
            "artifactregistry.repositories.downloadArtifacts",
            "roles/artifactregistry.reader",
        ),
    ] {
        let text = format!(
            "denied: Permission \"{permission}\" denied on resource \"{BASE}\" (or it may not exist)"
        );
        let error = Error::new(ErrorKind::Permission, text);
        let advice = provider
            .advise(Operation::PutManifest, &repository, &error)
            .unwrap();
        assert_eq!(
            (advice.action.as_str(), advice.grant),
            (permission, command(role))
        );
    }
}

#[tokio::test]
async fn nobody_is_told_to_sign_in() {
    let auth = Auth {
        anonymous: Some(true),
        ..Auth::default()
    };
    let provider = GarProvider::new(setup(HOST, auth, environment(&[]))).unwrap();
    provider.credentials().sign_in().await.unwrap();
    let error = Error::new(
        ErrorKind::Auth,
        "Unauthenticated request. Unauthenticated requests do not have permission \
         \"artifactregistry.repositories.uploadArtifacts\" on resource",
    );
    let repository = "my-project/base/app".parse().unwrap();
    let advice = provider
        .advise(Operation::StartUpload, &repository, &error)
        .unwrap();
    assert_eq!(advice.identity, "nobody (anonymous)");
    assert!(
        advice.grant.contains("gcloud auth application-default login"),
        "{advice}"
    );
    assert!(advice.grant.contains("roles/artifactregistry.writer"), "{advice}");
}

#[tokio::test]
async fn whom_a_helper_names_is_not_taken_for_the_identity_of_the_api() {
    let cloud = Cloud::start().await;
    let auth = Auth {
        helper: Some("pass".to_owned()),
        endpoint: Some(cloud.registry.url()),
        ..Auth::default()
    };
    let machine = environment(&[("GCE_METADATA_HOST", &cloud.identities.host())]);
    let provider = GarProvider::new(setup(HOST, auth, machine)).unwrap();
    let repository = "my-project/base/app".parse().unwrap();
    provider.find_repository(&repository, None).await.unwrap();
    let error = Error::new(ErrorKind::Permission, "403 Forbidden: denied");
    let advice = provider.advise(Operation::GetBlob, &repository, &error).unwrap();
    assert_eq!(advice.identity, "whoever `auth` of registry gar names");
    assert!(!advice.grant.contains(MACHINE), "{advice}");
}

#[tokio::test]
async fn every_refused_call_of_the_api_is_answered_with_what_to_grant() {
    for call in Call::ALL {
        let cloud = Cloud::start().await;
        let provider = cloud.provider();
        let right = Right::of_call(call);
        cloud.registry.deny(right.permissions[0]);
        if call != Call::CreateRepository {
            cloud.registry.add_repository(BASE, json!({ "format": "DOCKER" }));
        }
        let repository = "my-project/base".parse().unwrap();
        let settings = json!({ "description": "other" });
        let refused = match call {
            Call::GetRepository => provider.find_repository(&repository, None).await.unwrap_err(),
            Call::CreateRepository => provider.ensure_repository(&repository, None).await.unwrap_err(),
            Call::UpdateRepository => provider
                .update_repository(&repository, Some(&settings))
                .await
                .unwrap_err(),
            // Left to the protocol, with the reason.
            Call::ListVersions | Call::ListTags => {
                let tags = (0..100).map(|number| format!("v{number}")).collect();
                let digest = format!("sha256:{}", "a".repeat(64));
                let media_type = "application/vnd.oci.image.manifest.v1+json".to_owned();
                cloud.registry.add_images(
                    BASE,
                    "app",
                    vec![Image {
                        digest,
                        media_type,
                        tags,
                    }],
                );
                let listing = provider.inventory(&"my-project/base/app".parse().unwrap()).await;
                let Listing::Unavailable(Some(reason)) = listing.unwrap() else {
                    panic!("{call:?}");
                };
                let hint = format!("lacks {}: {}", right.permissions[0], command(right.role));
                assert!(reason.ends_with(&hint), "{reason}");
                continue;
            }
        };
        assert_eq!(refused.kind(), ErrorKind::Permission, "{call:?}");
        let grant = if call == Call::CreateRepository {
            format!(
                "gcloud projects add-iam-policy-binding my-project --member=serviceAccount:{MACHINE} \
                 --role=roles/artifactregistry.admin (a grant takes up to 7 minutes to be seen)"
            )
        } else {
            command(right.role)
        };
        let hint = format!(
            "{MACHINE} (metadata server) lacks {}: {grant}",
            right.permissions[0]
        );
        assert_eq!(refused.hint(), Some(hint.as_str()), "{call:?}");
    }
}

#[tokio::test]
async fn an_api_that_is_not_enabled_says_how_to_enable_it() {
    let cloud = Cloud::start().await;
    cloud.registry.disable();
    let error = cloud
        .provider()
        .find_repository(&"my-project/base".parse().unwrap(), None)
        .await
        .unwrap_err();
    assert_eq!(
        error.hint(),
        Some(
            "enable the API: gcloud services enable artifactregistry.googleapis.com --project my-project \
             (it takes some minutes)"
        )
    );
}
