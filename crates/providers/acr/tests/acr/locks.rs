//! Tags that are locked after they were pushed.

use provider::Provider as _;
use registry::ErrorKind;
use serde_json::json;
use testkit::azure::Right;

use crate::support::{MANIFEST, digest, inventory, signed_in};

#[tokio::test]
async fn a_tag_is_locked_where_the_settings_say_so_and_twice_does_no_harm() {
    let (azure, provider) = signed_in(&[Right::Pull, Right::Lock]).await;
    azure.put("team/app", Some("v1"), &digest(1), MANIFEST);
    let (repository, tag) = ("team/app".parse().unwrap(), "v1".parse().unwrap());
    for settings in [None, Some(json!({})), Some(json!({ "lock_after_push": false }))] {
        provider.seal(&repository, &tag, settings.as_ref()).await.unwrap();
    }
    assert!(!azure.is_locked("team/app", "v1"));
    let settings = json!({ "lock_after_push": true });
    provider.seal(&repository, &tag, Some(&settings)).await.unwrap();
    provider.seal(&repository, &tag, Some(&settings)).await.unwrap();
    assert!(azure.is_locked("team/app", "v1"));
    let patches: Vec<_> = azure
        .asked()
        .into_iter()
        .filter(|asked| asked.method == "PATCH")
        .collect();
    assert_eq!(
        patches[0].body, r#"{"writeEnabled":false}"#,
        "it can still be deleted"
    );
    assert!(inventory(&provider, "team/app").await.is_locked(&tag));
}

#[tokio::test]
async fn who_may_push_may_not_lock_and_learns_which_role_may() {
    let (azure, provider) = signed_in(&[Right::Pull, Right::Push]).await;
    azure.put("team/app", Some("v1"), &digest(1), MANIFEST);
    let settings = json!({ "lock_after_push": true });
    let error = provider
        .seal(
            &"team/app".parse().unwrap(),
            &"v1".parse().unwrap(),
            Some(&settings),
        )
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Auth);
    let hint = error.hint().unwrap();
    assert!(
        hint.contains("Microsoft.ContainerRegistry/registries/repositories/metadata/write"),
        "{hint}"
    );
    assert!(
        hint.contains("--role \"Container Registry Repository Writer\""),
        "{hint}"
    );
}
