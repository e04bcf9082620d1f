//! Tokens: asked for once, used while they last, replaced when refused.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::future::join_all;
use tokio::time::Instant;
use transship_registry::{
    Client, Credential, Error, ErrorKind, Operation, Registry, Request, Response, Transport, TransportError,
};
use url::Url;

use crate::scripted::{Answer, Scripted, Seen, Source, answer, challenge, client, password, settings, token};

const REALM: &str = "https://r.example/token";

/// A registry whose token service grants t0, t1, ..., of which it takes those from `taken` on.
fn registry(taken: u32, life: u32) -> Arc<Scripted> {
    let granted = AtomicU32::new(0);
    Scripted::new(move |request| match request.url.path() {
        "/token" => token(&format!("t{}", granted.fetch_add(1, Ordering::Relaxed)), life),
        _ => guarded(request, taken),
    })
}

fn guarded(request: &Seen, taken: u32) -> Answer {
    let shown = request
        .authorization()
        .and_then(|value| value.strip_prefix("Bearer t"));
    match shown.and_then(|number| number.parse::<u32>().ok()) {
        Some(number) if number >= taken => answer(200).body(r#"{"tags":[]}"#),
        _ => challenge(REALM),
    }
}

async fn look(client: &Client, repository: &str) -> Result<(), Error> {
    client.reader(&repository.parse().unwrap()).tags().await.map(drop)
}

fn user() -> Arc<Source> {
    Source::new([password("p")])
}

#[tokio::test]
async fn sixty_four_tasks_share_one_token_and_one_sign_in() {
    let (registry, source) = (registry(0, 300), user());
    let client = client(&registry, &source);
    let looks = join_all((0..64).map(|_| look(&client, "a"))).await;
    assert!(looks.iter().all(Result::is_ok), "{looks:?}");
    assert_eq!(registry.to("/token").len(), 1);
    assert_eq!(source.asked(), 1);
}

#[tokio::test]
async fn sixty_four_refused_tasks_share_one_new_token() {
    let (registry, source) = (registry(1, 300), user());
    let client = client(&registry, &source);
    // The first look gets t0, is refused, and the error tells it: a fresh token does not get better.
    assert_eq!(look(&client, "a").await.unwrap_err().kind(), ErrorKind::Auth);
    let looks = join_all((0..64).map(|_| look(&client, "a"))).await;
    assert!(looks.iter().all(Result::is_ok), "{looks:?}");
    assert_eq!(registry.to("/token").len(), 2);
}

#[tokio::test]
async fn a_token_that_stays_refused_ends_in_an_error() {
    let (registry, source) = (registry(u32::MAX, 300), user());
    let client = client(&registry, &source);
    for _ in 0..2 {
        let error = look(&client, "a").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Auth);
        assert!(
            error
                .to_string()
                .contains("r.example refused the credential from the test's file"),
            "{error}"
        );
    }
    assert_eq!(registry.to("/token").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_token_is_replaced_at_four_fifths_of_its_life() {
    let (registry, source) = (registry(0, 100), user());
    let client = client(&registry, &source);
    look(&client, "a").await.unwrap();
    tokio::time::advance(Duration::from_secs(79)).await;
    look(&client, "a").await.unwrap();
    assert_eq!(registry.to("/token").len(), 1);
    tokio::time::advance(Duration::from_secs(2)).await;
    look(&client, "a").await.unwrap();
    assert_eq!(registry.to("/token").len(), 2);
    assert_eq!(registry.to("/v2/").len(), 4, "one challenge, and no further 401");
}

#[tokio::test]
async fn a_token_to_push_serves_who_pulls() {
    let (registry, source) = (registry(0, 300), user());
    let client = client(&registry, &source);
    let name = "a".parse().unwrap();
    client.writer(&name).tags().await.unwrap();
    client.reader(&name).tags().await.unwrap();
    assert_eq!(registry.to("/token").len(), 1);
    look(&client, "b").await.unwrap();
    assert_eq!(registry.to("/token").len(), 2);
}

#[tokio::test]
async fn the_service_and_the_scope_are_asked_for_with_the_password() {
    let (registry, source) = (registry(0, 300), user());
    look(&client(&registry, &source), "a/b").await.unwrap();
    let asked = &registry.to("/token")[0];
    assert_eq!(asked.method, "GET");
    assert_eq!(
        asked.url.query(),
        Some("service=r.example&scope=repository%3Aa%2Fb%3Apull")
    );
    assert_eq!(asked.authorization(), Some("Basic dXNlcjpw"));
}

#[tokio::test]
async fn an_identity_token_is_posted_and_never_in_the_address() {
    let registry = registry(0, 300);
    let source = Source::new([Credential::IdentityToken("refresh&me".into())]);
    look(&client(&registry, &source), "a").await.unwrap();
    let asked = &registry.to("/token")[0];
    assert_eq!((asked.method.as_str(), asked.url.query()), ("POST", None));
    assert_eq!(
        asked.body,
        "grant_type=refresh_token&client_id=transship&service=r.example&scope=repository%3Aa%3Apull\
         &refresh_token=refresh%26me"
    );
    assert_eq!(asked.authorization(), None);
}

#[tokio::test]
async fn a_token_of_the_users_is_sent_as_it_is() {
    let registry = registry(0, 300);
    let source = Source::new([Credential::Bearer("t7".into())]);
    let client = client(&registry, &source);
    look(&client, "a").await.unwrap();
    look(&client, "b").await.unwrap();
    assert!(registry.to("/token").is_empty());
}

#[tokio::test]
async fn a_refused_token_of_the_users_is_read_again_and_sent_again_only_if_it_changed() {
    let registry = registry(5, 300);
    let stale = Source::new([Credential::Bearer("t1".into())]);
    let refused = client(&registry, &stale);
    assert_eq!(look(&refused, "a").await.unwrap_err().kind(), ErrorKind::Auth);
    assert_eq!(look(&refused, "a").await.unwrap_err().kind(), ErrorKind::Auth);
    let rotated = Source::new([Credential::Bearer("t1".into()), Credential::Bearer("t6".into())]);
    let client = client(&registry, &rotated);
    assert!(look(&client, "a").await.is_err());
    look(&client, "a").await.unwrap();
    assert_eq!(rotated.asked(), 2);
}

async fn with_service(play: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> (Error, Arc<Scripted>) {
    let registry = Scripted::new(move |request| match request.url.path() {
        "/token" => play(request),
        _ => challenge(REALM),
    });
    let error = look(&client(&registry, &user()), "a").await.unwrap_err();
    (error, registry)
}

#[tokio::test]
async fn a_token_service_that_redirects_is_not_followed() {
    let redirect = |_: &Seen| answer(302).header("location", "http://169.254.169.254/latest/");
    let (error, registry) = with_service(redirect).await;
    assert_eq!(error.kind(), ErrorKind::Policy);
    assert!(
        registry
            .seen()
            .iter()
            .all(|request| request.host() == "r.example")
    );
}

#[tokio::test]
async fn a_token_service_that_answers_something_else_is_told() {
    for body in ["", "{}", "<html>", r#"{"token":null}"#, r#"{"token":"a\nb"}"#] {
        let (error, _) = with_service(move |_| answer(200).body(body)).await;
        assert_eq!(error.kind(), ErrorKind::Auth, "{body}");
    }
    let long = format!(r#"{{"token":"{}"}}"#, "x".repeat(2 << 20));
    let (error, _) = with_service(move |_| answer(200).body(long.clone())).await;
    assert!(error.to_string().contains("without a token"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_token_service_in_trouble_is_asked_five_times() {
    let (error, registry) = with_service(|_| answer(500)).await;
    assert_eq!(error.kind(), ErrorKind::Network);
    assert!(error.to_string().contains("5 tries"), "{error}");
    assert_eq!(registry.to("/token").len(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_token_service_that_recovers_is_forgiven() {
    let asked = AtomicU32::new(0);
    let registry = Scripted::new(move |request| match request.url.path() {
        "/token" if asked.fetch_add(1, Ordering::Relaxed) < 2 => answer(503),
        "/token" => token("t0", 300),
        _ => guarded(request, 0),
    });
    look(&client(&registry, &user()), "a").await.unwrap();
    assert_eq!(registry.to("/token").len(), 3);
}

const SHORT: Duration = Duration::from_secs(2);

/// A registry that takes its time, by a clock that is paused, and counts how many ask it for one thing at once.
#[derive(Debug)]
struct Slow {
    registry: Arc<Scripted>,
    /// How many requests to each address are on their way, and how many were at most.
    running: Mutex<BTreeMap<Url, (usize, usize)>>,
}

#[async_trait]
impl Transport for Slow {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        let url = request.url.clone();
        let delay = Duration::from_millis(50 + url.as_str().len() as u64 % 7 * 10);
        {
            let mut running = self.running.lock().unwrap();
            let (now, peak) = running.entry(url.clone()).or_default();
            *now += 1;
            *peak = (*peak).max(*now);
        }
        let response = self.registry.send(request).await;
        tokio::time::sleep(if url.path() == "/token" { delay * 3 } else { delay }).await;
        self.running.lock().unwrap().get_mut(&url).unwrap().0 -= 1;
        response
    }
}

impl Slow {
    /// Returns how many asked at once for a token with one scope, at most.
    fn refreshes_at_once(&self) -> usize {
        let running = self.running.lock().unwrap();
        let tokens = running.iter().filter(|(url, _)| url.path() == "/token");
        tokens.map(|(_, (_, peak))| *peak).max().unwrap()
    }
}

/// A registry whose tokens end two seconds after they were granted.
fn short_lived() -> Arc<Slow> {
    let granted: Mutex<BTreeMap<String, Instant>> = Mutex::default();
    let registry = Scripted::new(move |request| {
        let mut granted = granted.lock().unwrap();
        if request.url.path() == "/token" {
            let name = format!("t{}", granted.len());
            granted.insert(name.clone(), request.at + SHORT);
            return token(&name, 2);
        }
        let shown = request
            .authorization()
            .and_then(|value| value.strip_prefix("Bearer "));
        let good = shown
            .and_then(|token| granted.get(token))
            .is_some_and(|end| request.at < *end);
        match request.method.as_str() {
            _ if !good => challenge(REALM),
            "PUT" => answer(201),
            _ => answer(200).body(r#"{"tags":[]}"#),
        }
    });
    Arc::new(Slow {
        registry,
        running: Mutex::default(),
    })
}

/// Returns how many requests to the registry showed nothing.
fn bare(registry: &Scripted) -> usize {
    let seen = registry.to("/v2/");
    seen.iter()
        .filter(|request| request.authorization().is_none())
        .count()
}

#[tokio::test(start_paused = true)]
async fn sixty_four_tasks_live_on_tokens_of_two_seconds_with_one_refresh_on_its_way() {
    let (slow, source) = (short_lived(), user());
    let client = Client::new(settings(), slow.clone(), source.clone());
    let start = Instant::now();
    let tasks = (0..64).map(|task| {
        let client = &client;
        async move {
            let repository = format!("team/app{}", task % 4);
            let mut looks = 0;
            while start.elapsed() < Duration::from_secs(60) {
                look(client, &repository).await?;
                looks += 1;
            }
            Ok::<_, Error>(looks)
        }
    });
    let looks: Vec<u32> = join_all(tasks)
        .await
        .into_iter()
        .collect::<Result<_, _>>()
        .unwrap();
    assert!(looks.iter().all(|looks| *looks > 100), "{looks:?}");
    assert_eq!(slow.refreshes_at_once(), 1, "per scope");
    assert_eq!(source.asked(), 1);
    let refreshes = slow.registry.to("/token").len();
    // Each scope is asked for anew after 1.6 of its 2 seconds.
    assert!((4 * 27..=4 * 39).contains(&refreshes), "{refreshes}");
    assert!(
        bare(&slow.registry) <= 64,
        "each task asks once without a token at most"
    );
}

#[tokio::test(start_paused = true)]
async fn a_token_that_ends_while_its_request_waits_for_its_turn_is_replaced_first() {
    let slow = short_lived();
    let mut settings = settings();
    settings.wire.rates = BTreeMap::from([(Operation::PutManifest, 2)]);
    let client = Client::new(settings, slow.clone(), user());
    let manifest =
        r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;
    let manifest = oci::Manifest::parse(manifest.into(), None).unwrap();
    let repository = client.writer(&"a".parse().unwrap());
    let start = Instant::now();
    let puts = (0..64).map(|number| {
        let reference = format!("v{number}").parse::<oci::Tag>().unwrap().into();
        let (repository, manifest) = (&repository, &manifest);
        async move { repository.put_manifest(&reference, manifest).await }
    });
    for put in join_all(puts).await {
        put.unwrap();
    }
    // The first put learns how to sign in, and goes again.
    assert_eq!(start.elapsed().as_secs(), 64 / 2);
    assert_eq!(slow.registry.to("/v2/").len(), 65);
    assert_eq!(slow.refreshes_at_once(), 1);
}

/// A way to a registry on which the first requests with a token take longer than any token lives.
#[derive(Debug)]
struct Far {
    registry: Arc<Slow>,
    late: AtomicU32,
}

#[async_trait]
impl Transport for Far {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        let shows = request.headers.contains_key("authorization") && request.url.path() != "/token";
        let late = |left: u32| left.checked_sub(1).filter(|_| shows);
        if self
            .late
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, late)
            .is_ok()
        {
            tokio::time::sleep(SHORT).await;
        }
        self.registry.send(request).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_that_ends_on_its_way_is_replaced_until_the_registry_is_taken_at_its_word() {
    for (late, lands) in [(1, true), (3, true), (10, false)] {
        let far = Arc::new(Far {
            registry: short_lived(),
            late: AtomicU32::new(late),
        });
        let client = Client::new(settings(), far.clone(), user());
        let looked = look(&client, "a").await;
        assert_eq!(looked.is_ok(), lands, "{late}: {looked:?}");
        if let Err(error) = looked {
            assert_eq!(error.kind(), ErrorKind::Auth);
            assert!(
                far.registry.registry.to("/v2/").len() < 10,
                "it is not tried for ever"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_that_only_itself_says_how_long_it_lives_is_kept_as_long() {
    // The answer of ACR's `/oauth2/token`.
    let claims = URL_SAFE_NO_PAD.encode(r#"{"iat":1563788574,"nbf":1563788574,"exp":1563793074}"#);
    let body = format!(r#"{{"access_token":"e30.{claims}.c2ln"}}"#);
    let registry = Scripted::new(
        move |request| match (request.url.path(), request.authorization()) {
            ("/token", _) => answer(200).body(body.clone()),
            (_, Some(_)) => answer(200).body(r#"{"tags":[]}"#),
            _ => challenge(REALM),
        },
    );
    let source = Source::new([Credential::IdentityToken("refresh".into())]);
    let client = client(&registry, &source);
    for (advance, asked) in [(0, 1), (3_500, 1), (200, 2)] {
        tokio::time::advance(Duration::from_secs(advance)).await;
        look(&client, "a").await.unwrap();
        assert_eq!(registry.to("/token").len(), asked);
    }
    assert!(registry.to("/token").iter().all(|asked| asked.method == "POST"));
}

#[tokio::test]
async fn the_scopes_of_a_mount_are_one_parameter_of_the_form() {
    let registry = registry(0, 300);
    let source = Source::new([Credential::IdentityToken("refresh".into())]);
    let client = client(&registry, &source);
    let repository = client.writer(&"b".parse().unwrap());
    let from = transship_registry::MountFrom::from("a".parse::<oci::RepositoryName>().unwrap());
    let digest = oci::Digest::sha256(b"x");
    repository.mount_blob(&digest, &from).await.unwrap();
    assert_eq!(
        registry.to("/token")[0].body,
        "grant_type=refresh_token&client_id=transship&service=r.example\
         &scope=repository%3Aa%3Apull+repository%3Ab%3Apull%2Cpush&refresh_token=refresh"
    );
}
