//! Tokens that end while they are needed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use provider::Provider as _;
use testkit::azure::Right;

use crate::support::{MANIFEST, digest, inventory, signed_in};

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_two_seconds_last_for_64_tasks_and_one_is_asked_for_at_a_time() {
    let (azure, provider) = signed_in(&[Right::Pull]).await;
    azure.tokens_live(2, 2);
    azure.put("team/app", Some("v1"), &digest(1), MANIFEST);
    let provider = Arc::new(provider);
    let start = Instant::now();
    let tasks = (0..64).map(|_| {
        let provider = Arc::clone(&provider);
        tokio::spawn(async move {
            while start.elapsed() < Duration::from_secs(5) {
                assert_eq!(inventory(&provider, "team/app").await.tags().len(), 1);
            }
        })
    });
    for task in join_all(tasks).await {
        task.unwrap();
    }
    assert_eq!(azure.most_at_once("/oauth2/exchange"), 1);
    assert_eq!(azure.most_at_once("/oauth2/token"), 1);
    let asked = azure.asked();
    let count = |path: &str| asked.iter().filter(|asked| asked.path == path).count();
    let (exchanges, tokens) = (count("/oauth2/exchange"), count("/oauth2/token"));
    assert!((2..=12).contains(&exchanges), "{exchanges}");
    assert!((2..=20).contains(&tokens), "{tokens}");
}

#[tokio::test]
async fn tokens_that_are_revoked_are_replaced_unseen() {
    let (azure, provider) = signed_in(&[Right::Pull]).await;
    azure.put("team/app", Some("v1"), &digest(1), MANIFEST);
    inventory(&provider, "team/app").await;
    azure.revoke();
    assert_eq!(inventory(&provider, "team/app").await.tags().len(), 1);
}

#[tokio::test]
async fn whoever_signs_in_again_gets_another_token() {
    let (_azure, provider) = signed_in(&[Right::Pull]).await;
    let credentials = provider.credentials();
    let first = credentials.sign_in().await.unwrap();
    let second = credentials.sign_in().await.unwrap();
    assert_ne!(first.credential, second.credential);
    assert_eq!(first.origin, second.origin);
}

#[tokio::test]
async fn whoever_signs_in_after_the_end_of_a_token_gets_another_one() {
    let (azure, provider) = signed_in(&[Right::Pull]).await;
    azure.tokens_live(0, 4_500);
    let credentials = provider.credentials();
    let first = credentials.sign_in().await.unwrap();
    for _ in 0..2 {
        let again = credentials.sign_in().await.unwrap();
        assert_ne!(
            first.credential, again.credential,
            "what has ended is not handed out again"
        );
    }
}
