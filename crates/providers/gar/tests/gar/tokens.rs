//! Tokens that are kept, renewed and refused.

use std::sync::Arc;
use std::time::Duration;

use planner::config::Auth;
use provider::{Lister as _, Provider as _};
use registry::Credential;
use serde_json::json;
use tempfile::TempDir;
use testkit::google::artifact_registry::ArtifactRegistry;
use testkit::google::identity::{Identities, REFRESH_TOKEN};
use testkit::google::key::ServiceAccountKey;
use transship_gar::GarProvider;

use crate::support::{BASE, HOST, MIRROR, environment, setup};

fn user_provider(identities: &Identities, home: &TempDir) -> GarProvider {
    user_provider_at(identities, home, None)
}

fn user_provider_at(identities: &Identities, home: &TempDir, endpoint: Option<String>) -> GarProvider {
    let path = home.path().join("user.json");
    std::fs::write(&path, identities.user_file().to_string()).unwrap();
    let auth = Auth {
        key_file: Some(path.display().to_string()),
        endpoint,
        ..Auth::default()
    };
    GarProvider::new(setup(HOST, auth, environment(&[]))).unwrap()
}

#[tokio::test]
async fn a_key_goes_to_google_and_elsewhere_only_where_auth_names_it() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("key.json").display().to_string();
    std::fs::write(&path, ServiceAccountKey::generate(MIRROR).file().to_string()).unwrap();
    let named = Auth {
        key_file: Some(path.clone()),
        ..Auth::default()
    };
    for (host, auth, user) in [
        (HOST, Auth::default(), "_json_key_base64"),
        ("gcr.io", Auth::default(), "_json_key_base64"),
        ("127.0.0.1:5000", Auth::default(), "_json_key_base64"),
        ("registry.example", Auth::default(), "oauth2accesstoken"),
        ("registry.example", named, "_json_key_base64"),
    ] {
        let found = environment(&[("GOOGLE_APPLICATION_CREDENTIALS", &path)]);
        let provider = GarProvider::new(setup(host, auth, found)).unwrap();
        let sign_in = provider.credentials().sign_in().await.unwrap();
        let Credential::Basic { username, .. } = sign_in.credential else {
            panic!("{host}: {:?}", sign_in.credential);
        };
        assert_eq!(username, user, "{host}");
    }
}

#[tokio::test]
async fn a_session_that_ended_says_how_to_sign_in_again_and_recovers() {
    let (identities, home) = (Identities::start().await, tempfile::tempdir().unwrap());
    let provider = user_provider(&identities, &home);
    let refused =
        json!({ "error": "invalid_grant", "error_description": format!("expired {REFRESH_TOKEN}") });
    identities.refuse_next(400, refused);
    let error = provider.credentials().sign_in().await.unwrap_err();
    assert_eq!(
        error.hint(),
        Some("sign in again: gcloud auth application-default login")
    );
    assert!(!format!("{error} {error:?}").contains("CANARY"), "{error:?}");
    provider.credentials().sign_in().await.unwrap();
}

#[tokio::test]
async fn a_service_that_fails_for_a_moment_is_asked_again() {
    let (identities, home) = (Identities::start().await, tempfile::tempdir().unwrap());
    let provider = user_provider(&identities, &home);
    identities.refuse_next(503, json!({}));
    provider.credentials().sign_in().await.unwrap();
    assert_eq!(identities.asked().len(), 2);
}

#[tokio::test]
async fn many_who_ask_at_once_share_one_request() {
    let (identities, home) = (Identities::start().await, tempfile::tempdir().unwrap());
    identities.answer_after(Duration::from_millis(50));
    let provider = Arc::new(user_provider(&identities, &home));
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let provider = Arc::clone(&provider);
        asking.spawn(async move { provider.credentials().sign_in().await.unwrap().credential });
    }
    let signed = asking.join_all().await;
    assert!(signed.windows(2).all(|pair| pair[0] == pair[1]));
    assert_eq!((identities.given(), identities.most_at_once()), (1, 1));
}

#[tokio::test]
async fn who_asks_again_at_once_was_refused_and_many_share_one_new_token() {
    let (identities, home) = (Identities::start().await, tempfile::tempdir().unwrap());
    identities.answer_after(Duration::from_millis(50));
    let provider = Arc::new(user_provider(&identities, &home));
    let first = provider.credentials().sign_in().await.unwrap().credential;
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let provider = Arc::clone(&provider);
        asking.spawn(async move { provider.credentials().sign_in().await.unwrap().credential });
    }
    let again = asking.join_all().await;
    assert!(again.iter().all(|one| *one == again[0] && *one != first));
    assert_eq!((identities.given(), identities.most_at_once()), (2, 1));
}

#[tokio::test]
async fn who_asks_again_in_time_gets_what_the_library_keeps() {
    let (identities, home) = (Identities::start().await, tempfile::tempdir().unwrap());
    let provider = user_provider(&identities, &home);
    let first = provider.credentials().sign_in().await.unwrap();
    for _ in 0..2 {
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(54)).await;
        tokio::time::resume();
        let again = provider.credentials().sign_in().await.unwrap();
        assert_eq!(again.credential, first.credential);
    }
    assert_eq!(identities.given(), 1);
}

/// Refuses the first token that is given, as if it had been revoked.
async fn api_that_refuses_the_first_token() -> ArtifactRegistry {
    let registry =
        ArtifactRegistry::start_for(|token| token.is_some_and(|token| !token.starts_with("ya29.1-"))).await;
    registry.add_repository(BASE, json!({ "format": "DOCKER" }));
    registry
}

#[tokio::test]
async fn many_whom_the_api_refuses_at_once_share_one_new_token() {
    let (identities, home) = (Identities::start().await, tempfile::tempdir().unwrap());
    let api = api_that_refuses_the_first_token().await;
    let provider = Arc::new(user_provider_at(&identities, &home, Some(api.url())));
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let provider = Arc::clone(&provider);
        asking.spawn(async move {
            provider
                .find_repository(&"my-project/base".parse().unwrap(), None)
                .await
                .unwrap()
                .is_some()
        });
    }
    assert!(asking.join_all().await.into_iter().all(|found| found));
    assert_eq!(identities.given(), 2);
}

#[tokio::test]
async fn a_file_that_was_changed_is_taken_without_a_new_start() {
    let (identities, home) = (Identities::start().await, tempfile::tempdir().unwrap());
    let provider = user_provider(&identities, &home);
    provider.credentials().sign_in().await.unwrap();
    let key = ServiceAccountKey::generate(MIRROR);
    std::fs::write(home.path().join("user.json"), key.file().to_string()).unwrap();
    let sign_in = provider.credentials().sign_in().await.unwrap();
    assert!(sign_in.origin.contains(MIRROR), "{}", sign_in.origin);
}
