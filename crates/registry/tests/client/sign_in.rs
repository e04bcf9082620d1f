//! Who signs in, and what a refusal leads to.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use http::StatusCode;
use jiff::Timestamp;
use tokio::time::{Instant, advance};
use transship_registry::credentials::Chain;
use transship_registry::{
    Client, Credential, CredentialSource, Error, ErrorKind, Operation, Registry, SignIn,
};

use crate::scripted::{Scripted, Source, anonymous, answer, challenge, client, password, settings, token};

const REALM: &str = "https://r.example/token";
const BASIC: &str = "Basic realm=\"r\"";

/// A registry that takes the password `good`, by `Basic`.
fn basic() -> Arc<Scripted> {
    Scripted::new(|request| match request.authorization() {
        Some("Basic dXNlcjpnb29k") => answer(200),
        _ => answer(401).header("www-authenticate", BASIC),
    })
}

/// A registry whose token service takes the password `good`.
fn bearer() -> Arc<Scripted> {
    Scripted::new(|request| match (request.url.path(), request.authorization()) {
        ("/token", Some("Basic dXNlcjpnb29k")) => token("t", 300),
        ("/token", _) => answer(401),
        (_, Some("Bearer t")) => answer(200),
        _ => challenge(REALM),
    })
}

fn shown(registry: &Scripted) -> usize {
    let seen = registry.seen();
    seen.iter()
        .filter(|request| request.authorization().is_some())
        .count()
}

async fn look(client: &Client) -> Result<(), Error> {
    client.reader(&"a".parse().unwrap()).tags().await.map(drop)
}

#[tokio::test]
async fn a_password_is_sent_only_when_it_is_asked_for() {
    let registry = basic();
    let client = client(&registry, &Source::new([password("good")]));
    client.ping().await.unwrap();
    client.ping().await.unwrap();
    let sent: Vec<bool> = registry
        .seen()
        .iter()
        .map(|request| request.authorization().is_some())
        .collect();
    assert_eq!(sent, [false, true, true]);
}

#[tokio::test]
async fn an_open_registry_is_shown_nothing() {
    let registry = Scripted::new(|_| answer(200));
    let source = Source::new([password("good")]);
    client(&registry, &source).ping().await.unwrap();
    assert_eq!((shown(&registry), source.asked()), (0, 0));
}

#[tokio::test]
async fn a_refused_password_is_told_with_its_origin_and_the_next_source_is_not_tried() {
    for registry in [basic(), bearer()] {
        let (first, second) = (Source::new([password("bad")]), Source::new([password("good")]));
        let chain = Chain::new(vec![first.clone(), second.clone()]);
        let client = Client::new(settings(), registry.clone(), Arc::new(chain));
        let error = client.ping().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Auth);
        assert_eq!(
            error.to_string(),
            "r.example refused the credential from the test's file"
        );
        // Unlike a source that has none, this is the registry's answer.
        assert_eq!(error.status(), Some(StatusCode::UNAUTHORIZED));
        assert_eq!(second.asked(), 0);
    }
}

#[tokio::test]
async fn a_rotated_password_is_read_again_after_a_refusal() {
    let source = Source::new([password("old"), password("good")]);
    client(&bearer(), &source).ping().await.unwrap();
    assert_eq!(source.asked(), 2);
}

#[tokio::test]
async fn a_refused_password_is_not_sent_for_ever() {
    for registry in [basic(), bearer()] {
        let client = client(&registry, &Source::new([password("bad")]));
        for _ in 0..20 {
            assert_eq!(look(&client).await.unwrap_err().kind(), ErrorKind::Auth);
        }
        assert!(shown(&registry) <= 3, "{}", shown(&registry));
    }
}

#[tokio::test]
async fn a_registry_that_asks_nobody_is_told_with_what_to_do() {
    let registry = basic();
    let error = anonymous(&registry).ping().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Auth);
    assert!(error.hint().unwrap().contains("docker login r.example"));
    assert_eq!(registry.seen().len(), 1);
}

#[tokio::test]
async fn a_token_that_allows_too_little_is_a_matter_of_permission() {
    let insufficient = format!(r#"Bearer realm="{REALM}",service="r.example",error="insufficient_scope""#);
    let registry = Scripted::new(move |request| match request.url.path() {
        "/token" => token("t", 300),
        _ => answer(401).header("www-authenticate", &insufficient),
    });
    let error = look(&client(&registry, &Source::new([password("good")])))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Permission);
    assert!(error.to_string().contains("the test's file"));
}

#[tokio::test]
async fn a_401_without_a_challenge_is_the_registrys_answer() {
    let registry = Scripted::new(|_| answer(401));
    let error = client(&registry, &Source::new([password("good")]))
        .ping()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Auth);
    assert_eq!(registry.seen().len(), 1);
}

#[tokio::test]
async fn a_password_with_a_realm_for_tokens_is_not_sent_to_the_registry_itself() {
    let registry = bearer();
    client(&registry, &Source::new([password("good")]))
        .ping()
        .await
        .unwrap();
    let basic = registry.to("/v2/").into_iter().filter(|request| {
        request
            .authorization()
            .is_some_and(|value| value.starts_with("Basic"))
    });
    assert_eq!(basic.count(), 0);
}

#[tokio::test]
async fn an_identity_token_is_no_password() {
    let registry = basic();
    let source = Source::new([Credential::IdentityToken("t".into())]);
    let error = client(&registry, &source).ping().await.unwrap_err();
    assert!(error.to_string().contains("wants a password"), "{error}");
    assert_eq!(shown(&registry), 0);
}

#[tokio::test]
async fn a_wrong_password_is_not_shown_by_everyone_at_once() {
    for registry in [basic(), bearer()] {
        let client = client(&registry, &Source::new([password("bad")]));
        let repositories: Vec<String> = (0..32).map(|number| format!("team/app{number}")).collect();
        let looks = repositories.iter().map(|name| {
            let reader = client.reader(&name.parse().unwrap());
            async move { reader.tags().await }
        });
        let looks = join_all(looks).await;
        assert!(looks.iter().all(Result::is_err));
        assert!(shown(&registry) <= 3, "{}", shown(&registry));
    }
}

#[tokio::test(start_paused = true)]
async fn a_password_that_ends_with_a_403_is_replaced_after_a_while() {
    // ECR says 403, and to a HEAD nothing else.
    let registry = Scripted::new(|request| match request.authorization() {
        Some("Basic dXNlcjpuZXc=") => answer(200).body(r#"{"tags":[]}"#),
        Some("Basic dXNlcjpvbGQ=") if request.url.path() != "/v2/a/tags/list" => answer(200),
        Some(_) => answer(403),
        None => answer(401).header("www-authenticate", BASIC),
    });
    let source = Source::new([password("old"), password("new")]);
    let client = client(&registry, &source);
    client.ping().await.unwrap();
    assert_eq!(look(&client).await.unwrap_err().kind(), ErrorKind::Permission);
    assert_eq!(source.asked(), 1, "a password that was good just now still is");
    advance(Duration::from_secs(12 * 60 * 60)).await;
    look(&client).await.unwrap();
    assert_eq!(source.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_403_that_no_other_password_helps_stays_the_answer() {
    let registry = Scripted::new(|request| match request.authorization() {
        Some(_) if request.url.path() == "/v2/" => answer(200),
        Some(_) => answer(403),
        None => answer(401).header("www-authenticate", BASIC),
    });
    let source = Source::new([password("good")]);
    let client = client(&registry, &source);
    client.ping().await.unwrap();
    advance(Duration::from_secs(12 * 60 * 60)).await;
    for _ in 0..3 {
        assert_eq!(look(&client).await.unwrap_err().kind(), ErrorKind::Permission);
    }
    assert_eq!(source.asked(), 2, "its source is not asked for every refusal");
}

const HOUR: Duration = Duration::from_secs(60 * 60);

/// Gives out `p0`, `p1`, ... for an hour each, and nothing more than `count` of them.
#[derive(Debug)]
struct Leased {
    count: usize,
    asked: AtomicUsize,
    bearer: bool,
}

impl Leased {
    fn new(count: usize) -> Arc<Self> {
        Arc::new(Self {
            count,
            asked: AtomicUsize::new(0),
            bearer: false,
        })
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl CredentialSource for Leased {
    async fn sign_in(&self) -> Result<SignIn, Error> {
        tokio::task::yield_now().await;
        let turn = self.asked.fetch_add(1, Ordering::Relaxed);
        if turn >= self.count {
            return Err(Error::new(ErrorKind::Network, "the cloud does not answer"));
        }
        Ok(SignIn {
            credential: match self.bearer {
                true => Credential::Bearer(format!("p{turn}").into()),
                false => password(&format!("p{turn}")),
            },
            origin: "the cloud".to_owned(),
            expires: Some(Timestamp::now() + HOUR),
        })
    }
}

/// A registry that takes any password, or any token.
fn taker() -> Arc<Scripted> {
    Scripted::new(|request| match request.authorization() {
        Some(_) => answer(200).body(r#"{"tags":[]}"#),
        None => answer(401)
            .header("www-authenticate", BASIC)
            .header("www-authenticate", &format!("Bearer realm=\"{REALM}\"")),
    })
}

fn last_shown(registry: &Scripted) -> String {
    let seen = registry.seen();
    seen.last().unwrap().authorization().unwrap().to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_password_is_replaced_once_shortly_before_it_ends() {
    let registry = Scripted::new(|request| match request.authorization() {
        Some(_) => answer(200).body(r#"{"tags":[]}"#),
        None => answer(401).header("www-authenticate", BASIC),
    });
    let source = Leased::new(3);
    let client = Client::new(settings(), registry.clone(), source.clone());
    look(&client).await.unwrap();
    advance(Duration::from_secs(54 * 60)).await;
    look(&client).await.unwrap();
    assert_eq!(
        (source.asked(), last_shown(&registry)),
        (1, "Basic dXNlcjpwMA==".to_owned())
    );
    advance(Duration::from_secs(2 * 60)).await;
    let looks = join_all((0..64).map(|_| look(&client))).await;
    assert!(looks.iter().all(Result::is_ok), "{looks:?}");
    assert_eq!(
        (source.asked(), last_shown(&registry)),
        (2, "Basic dXNlcjpwMQ==".to_owned())
    );
}

#[tokio::test(start_paused = true)]
async fn a_password_that_ends_while_its_request_waits_for_its_turn_is_replaced_first() {
    let start = Instant::now();
    let registry = Scripted::new(move |request| {
        let hour = request.at.duration_since(start).as_secs() / HOUR.as_secs();
        let good = format!(
            "Basic {}",
            ["dXNlcjpwMA==", "dXNlcjpwMQ=="][usize::from(hour > 0)]
        );
        match request.authorization() {
            Some(shown) if shown == good || hour == 0 => answer(200).body(r#"{"tags":[]}"#),
            Some(_) => {
                answer(403).body(r#"{"errors":[{"code":"DENIED","message":"the token has expired"}]}"#)
            }
            None => answer(401).header("www-authenticate", BASIC),
        }
    });
    let source = Leased::new(2);
    let mut settings = settings();
    settings.wire.rates = BTreeMap::from([(Operation::ListTags, 1)]);
    let client = Client::new(settings, registry.clone(), source.clone());
    look(&client).await.unwrap();
    advance(HOUR - Duration::from_secs(7 * 60)).await;
    let looks = join_all((0..600).map(|_| look(&client))).await;
    assert!(looks.iter().all(Result::is_ok), "{looks:?}");
    assert_eq!(
        registry.seen().len(),
        602,
        "nobody is refused but who had nothing yet"
    );
    assert_eq!(source.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_token_of_the_clouds_is_replaced_before_it_ends() {
    let registry = taker();
    let source = Arc::new(Leased {
        count: 9,
        asked: AtomicUsize::new(0),
        bearer: true,
    });
    let client = Client::new(settings(), registry.clone(), source.clone());
    for (hours, expected) in [
        (0, "Bearer p0"),
        (0, "Bearer p0"),
        (1, "Bearer p1"),
        (1, "Bearer p2"),
    ] {
        advance(HOUR * hours).await;
        look(&client).await.unwrap();
        assert_eq!(last_shown(&registry), expected);
    }
    assert!(registry.to("/token").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_source_that_fails_does_not_break_a_password_that_is_still_good() {
    let registry = Scripted::new(|request| match request.authorization() {
        Some(_) => answer(200).body(r#"{"tags":[]}"#),
        None => answer(401).header("www-authenticate", BASIC),
    });
    let source = Leased::new(1);
    let client = Client::new(settings(), registry, source.clone());
    look(&client).await.unwrap();
    advance(Duration::from_secs(56 * 60)).await;
    for _ in 0..10 {
        look(&client).await.unwrap();
    }
    assert_eq!(source.asked(), 2, "it is left alone for a while");
    advance(Duration::from_secs(60)).await;
    look(&client).await.unwrap();
    assert_eq!(source.asked(), 3);
    advance(Duration::from_secs(3 * 60)).await;
    let error = look(&client).await.unwrap_err();
    assert!(error.to_string().contains("the cloud does not answer"), "{error}");
}

#[tokio::test]
async fn a_password_that_ended_by_the_registrys_word_is_replaced_at_once() {
    let expired = r#"{"errors":[{"code":"DENIED","message":"Your authorization token has expired. Reauthenticate and try again."}]}"#;
    let registry = Scripted::new(move |request| match request.authorization() {
        Some("Basic dXNlcjpuZXc=") => answer(200).body(r#"{"tags":[]}"#),
        Some(_) => answer(403).body(expired),
        None => answer(401).header("www-authenticate", BASIC),
    });
    let source = Source::new([password("old"), password("new")]);
    look(&client(&registry, &source)).await.unwrap();
    assert_eq!(source.asked(), 2);
    let stale = Source::new([password("old")]);
    let error = look(&client(&registry, &stale)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Auth);
    assert!(
        error.to_string().contains("has expired"),
        "what was looked into is told: {error}"
    );
}
