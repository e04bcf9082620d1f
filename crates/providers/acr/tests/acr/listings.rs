//! Repositories and what stands in them.

use provider::{Lister as _, Listing};
use registry::ErrorKind;
use testkit::azure::{Azure, Right, resource_id};
use transship_acr::AcrProvider;

use crate::support::{MANIFEST, answered, application, digest, inventory, setup, signed_in};

#[tokio::test]
async fn an_inventory_has_every_tag_and_every_manifest_and_tells_what_is_locked() {
    let (azure, provider) = signed_in(&[Right::Pull]).await;
    azure.put("team/app", Some("v1"), &digest(1), MANIFEST);
    azure.put("team/app", Some("latest"), &digest(1), MANIFEST);
    azure.put("team/app", None, &digest(2), MANIFEST);
    let found = inventory(&provider, "team/app").await;
    let tags: Vec<_> = found
        .tags()
        .iter()
        .map(|(tag, at)| format!("{tag} {at}"))
        .collect();
    assert_eq!(
        tags,
        [format!("latest {}", digest(1)), format!("v1 {}", digest(1))]
    );
    let manifests = found.manifests().unwrap();
    assert_eq!(manifests.len(), 2);
    assert_eq!(
        manifests[&digest(2).parse().unwrap()]
            .media_type
            .as_ref()
            .unwrap()
            .as_str(),
        MANIFEST
    );
    assert!(!found.is_locked(&"v1".parse().unwrap()));
}

#[tokio::test]
async fn a_large_repository_costs_two_requests_for_each_thousand() {
    let (azure, provider) = signed_in(&[Right::Pull]).await;
    for number in 0..2_500 {
        azure.put("team/app", Some(&format!("v{number}")), &digest(number), MANIFEST);
    }
    let found = inventory(&provider, "team/app").await;
    assert_eq!(
        (found.tags().len(), found.manifests().unwrap().len()),
        (2_500, 2_500)
    );
    let asked = azure.asked();
    let pages = asked
        .iter()
        .filter(|asked| asked.path.starts_with("/acr/v1/"))
        .count();
    assert_eq!(pages, 6, "three pages of each");
    let tokens = asked
        .iter()
        .filter(|asked| asked.path.starts_with("/oauth2/"))
        .count();
    assert_eq!(tokens, 2, "one exchange and one access token");
    azure.forget();
    inventory(&provider, "team/app").await;
    assert_eq!(azure.asked().len(), 6, "the tokens are kept");
}

#[tokio::test]
async fn an_absent_repository_is_absent() {
    let (_azure, provider) = signed_in(&[Right::Pull]).await;
    let repository = "team/none".parse().unwrap();
    assert_eq!(provider.inventory(&repository).await.unwrap(), Listing::Absent);
    assert_eq!(provider.find_repository(&repository, None).await.unwrap(), None);
}

#[tokio::test]
async fn who_may_not_list_learns_what_to_grant_and_may_still_push() {
    let (azure, provider) = signed_in(&[Right::Push]).await;
    azure.put("team/app", Some("v1"), &digest(1), MANIFEST);
    let repository = "team/app".parse().unwrap();
    let Listing::Unavailable(Some(reason)) = provider.inventory(&repository).await.unwrap() else {
        panic!("the listing is refused")
    };
    assert!(reason.contains("repository:team/app:metadata_read"), "{reason}");
    assert!(reason.contains("--role \"AcrPull\""), "{reason}");
    assert_eq!(provider.find_repository(&repository, None).await.unwrap(), None);
}

#[tokio::test]
async fn a_registry_in_trouble_does_not_say_that_a_repository_is_absent() {
    let (azure, _) = signed_in(&[Right::Pull]).await;
    for (status, kind) in [(429, ErrorKind::RateLimit), (503, ErrorKind::Network)] {
        let provider = answered(&azure, "/acr/v1/team/app", status, serde_json::json!({}));
        let repository = "team/app".parse().unwrap();
        let error = provider.find_repository(&repository, None).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
    }
}

#[tokio::test]
async fn all_repositories_are_listed_page_by_page() {
    let (azure, provider) = signed_in(&[Right::Catalogue]).await;
    for number in 0..1_001 {
        azure.put(&format!("team/app{number:04}"), None, &digest(1), MANIFEST);
    }
    let names = provider.repositories().await.unwrap().unwrap();
    assert_eq!(names.len(), 1_001);
    assert_eq!(names[1_000].as_str(), "team/app1000");
}

#[tokio::test]
async fn a_catalogue_that_is_refused_names_its_own_role() {
    let (azure, _) = signed_in(&[Right::Pull, Right::Describe]).await;
    azure.set_properties(serde_json::json!({ "roleAssignmentMode": "AbacRepositoryPermissions" }));
    let mut setup = setup(&azure, application(), &[]);
    setup.resource_id = Some(resource_id());
    let provider = AcrProvider::new(setup).unwrap();
    provider
        .find_repository(&"team/app".parse().unwrap(), None)
        .await
        .unwrap();
    let error = provider.repositories().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Auth);
    let hint = error.hint().unwrap();
    assert!(
        hint.contains("Container Registry Repository Catalog Lister"),
        "{hint}"
    );
    assert!(hint.ends_with(&format!("--scope {}", resource_id())), "{hint}");
}

#[tokio::test]
async fn a_locked_repository_refuses_and_says_how_to_unlock_it() {
    let (azure, provider) = signed_in(&[Right::Pull]).await;
    azure.put("team/app", Some("v1"), &digest(1), MANIFEST);
    let repository = "team/app".parse().unwrap();
    let open = provider
        .find_repository(&repository, None)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(open.refuses, None);
    azure.set_writable("team/app", false);
    let locked = provider
        .find_repository(&repository, None)
        .await
        .unwrap()
        .unwrap();
    let refuses = locked.refuses.unwrap();
    assert!(
        refuses.contains("--repository team/app --write-enabled true"),
        "{refuses}"
    );
}

#[tokio::test]
async fn a_registry_that_is_being_deleted_refuses_everything() {
    let (azure, _) = signed_in(&Right::ALL).await;
    azure.set_properties(serde_json::json!({ "provisioningState": "Deleting" }));
    let mut setup = setup(&azure, application(), &[]);
    setup.resource_id = Some(resource_id());
    let provider = AcrProvider::new(setup).unwrap();
    let standing = provider
        .find_repository(&"new".parse().unwrap(), None)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        standing.refuses.as_deref(),
        Some("the registry contoso is in provisioning state Deleting")
    );
}

#[tokio::test]
async fn a_resource_that_does_not_exist_is_an_error() {
    let (azure, _) = signed_in(&Right::ALL).await;
    let mut setup = setup(&azure, application(), &[]);
    setup.resource_id = Some(resource_id().replace("contoso", "fabrikam"));
    let provider = AcrProvider::new(setup).unwrap();
    let error = provider
        .find_repository(&"new".parse().unwrap(), None)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(
        error.hint().unwrap().starts_with("correct `resource_id`"),
        "{error:?}"
    );
}

#[tokio::test]
async fn where_nobody_signs_in_nothing_is_listed_and_nothing_fails() {
    let azure = Azure::start().await;
    let provider = AcrProvider::new(setup(&azure, planner::config::Auth::default(), &[])).unwrap();
    let repository = "team/app".parse().unwrap();
    assert_eq!(
        provider.inventory(&repository).await.unwrap(),
        Listing::Unavailable(None)
    );
    assert_eq!(provider.repositories().await.unwrap(), None);
    assert_eq!(provider.find_repository(&repository, None).await.unwrap(), None);
    assert!(azure.asked().is_empty(), "nothing is asked for nobody");
}
