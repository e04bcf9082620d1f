//! How long things take, on a clock that nobody waits for.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use planner::config::{Auth, SecretReference};
use provider::{Ensured, Provider as _};
use registry::{Credential, ErrorKind, Request, Response, Transport, TransportError, TransportErrorKind};
use serde_json::{Value, json};
use tokio::time::Instant;
use transship_gar::GarProvider;

use crate::support::{HOST, environment, setup_over};

/// What comes of a request: an answer, a failure, or nothing at all.
enum Play {
    Answer(u16, Value),
    Fail(TransportErrorKind),
    Silence,
}

type Script = dyn Fn(&Request, usize) -> Play + Send + Sync;

struct Scripted {
    script: Box<Script>,
    at: Mutex<Vec<(Method, String, Instant)>>,
}

impl fmt::Debug for Scripted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scripted")
    }
}

impl Scripted {
    /// `script` is told how many requests of the method came before.
    fn new(script: impl Fn(&Request, usize) -> Play + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self {
            script: Box::new(script),
            at: Mutex::default(),
        })
    }

    fn times(&self, method: &Method) -> Vec<Instant> {
        let at = self.at.lock().unwrap();
        at.iter()
            .filter(|(of, ..)| of == method)
            .map(|(.., at)| *at)
            .collect()
    }
}

#[async_trait]
impl Transport for Scripted {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        let before = self.times(&request.method).len();
        let seen = (request.method.clone(), request.url.to_string(), Instant::now());
        self.at.lock().unwrap().push(seen);
        match (self.script)(&request, before) {
            Play::Silence => std::future::pending().await,
            Play::Fail(kind) => Err(TransportError::new(kind, "it fails")),
            Play::Answer(status, body) => {
                let mut headers = HeaderMap::new();
                headers.insert("metadata-flavor", HeaderValue::from_static("Google"));
                Ok(Response {
                    status: StatusCode::from_u16(status).unwrap(),
                    headers,
                    body: stream::iter([Ok(Bytes::from(body.to_string()))]).boxed(),
                })
            }
        }
    }
}

fn provider(transport: &Arc<Scripted>) -> GarProvider {
    let auth = Auth {
        token: Some(SecretReference::Env("token".to_owned())),
        ..Auth::default()
    };
    let transport = Arc::clone(transport) as Arc<dyn Transport>;
    GarProvider::new(setup_over(transport, HOST, auth, environment(&[]))).unwrap()
}

fn absent() -> Play {
    Play::Answer(
        404,
        json!({ "error": { "code": 404, "status": "NOT_FOUND", "message": "not found" } }),
    )
}

fn done() -> Play {
    Play::Answer(
        200,
        json!({ "name": "projects/p/locations/l/operations/1", "done": true }),
    )
}

#[tokio::test(start_paused = true)]
async fn a_laptop_waits_two_seconds_for_a_metadata_server_once() {
    let transport = Scripted::new(|_, _| Play::Silence);
    let shared = Arc::clone(&transport) as Arc<dyn Transport>;
    let provider = GarProvider::new(setup_over(shared, HOST, Auth::default(), environment(&[]))).unwrap();
    let start = Instant::now();
    let sign_in = provider.credentials().sign_in().await.unwrap();
    assert_eq!(sign_in.credential, Credential::Anonymous);
    assert!(
        sign_in.origin.contains("no answer within 2 s"),
        "{}",
        sign_in.origin
    );
    assert_eq!(start.elapsed().as_secs(), 2);
    provider.credentials().sign_in().await.unwrap();
    assert_eq!(start.elapsed().as_secs(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_name_that_does_not_resolve_costs_nothing_and_a_server_that_starts_is_waited_for() {
    let transport = Scripted::new(|_, _| Play::Fail(TransportErrorKind::Connect));
    let shared = Arc::clone(&transport) as Arc<dyn Transport>;
    let provider = GarProvider::new(setup_over(shared, HOST, Auth::default(), environment(&[]))).unwrap();
    let start = Instant::now();
    provider.credentials().sign_in().await.unwrap();
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert_eq!(transport.times(&Method::GET).len(), 1);

    let transport = Scripted::new(|_, before| match before {
        0..3 => Play::Fail(TransportErrorKind::Refused),
        _ => Play::Answer(404, Value::Null),
    });
    let shared = Arc::clone(&transport) as Arc<dyn Transport>;
    let provider = GarProvider::new(setup_over(shared, HOST, Auth::default(), environment(&[]))).unwrap();
    let sign_in = provider.credentials().sign_in().await.unwrap();
    assert!(
        sign_in.origin.contains("the machine has no service account"),
        "{}",
        sign_in.origin
    );
    assert_eq!(transport.times(&Method::GET).len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_project_makes_one_repository_in_two_seconds_and_projects_do_not_wait_for_each_other() {
    let transport = Scripted::new(|request, _| match request.method {
        Method::POST => done(),
        _ => absent(),
    });
    let provider = Arc::new(provider(&transport));
    let start = Instant::now();
    let mut making = tokio::task::JoinSet::new();
    for name in ["one/a", "one/b", "one/c", "two/a"] {
        let provider = Arc::clone(&provider);
        making.spawn(async move {
            provider
                .ensure_repository(&name.parse().unwrap(), None)
                .await
                .unwrap()
        });
    }
    assert_eq!(making.join_all().await, [Ensured::Created; 4]);
    let mut times: Vec<u64> = transport
        .times(&Method::POST)
        .iter()
        .map(|at| (*at - start).as_secs())
        .collect();
    times.sort_unstable();
    assert_eq!(times, [0, 0, 2, 4]);
}

fn conflict() -> Play {
    Play::Answer(
        409,
        json!({ "error": { "code": 409, "status": "ALREADY_EXISTS", "message": "exists" } }),
    )
}

fn standing() -> Play {
    Play::Answer(200, json!({ "format": "DOCKER", "mode": "STANDARD_REPOSITORY" }))
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_lost_is_asked_for_again_and_what_was_made_is_ours() {
    let transport = Scripted::new(|request, before| match (&request.method, before) {
        (&Method::POST, 0) => Play::Fail(TransportErrorKind::Interrupted),
        (&Method::POST, _) => conflict(),
        (_, 0..3) => absent(),
        _ => standing(),
    });
    let made = provider(&transport)
        .ensure_repository(&"p/r".parse().unwrap(), None)
        .await;
    assert_eq!(made.unwrap(), Ensured::Created);
    assert_eq!(transport.times(&Method::POST).len(), 2);
    assert_eq!(transport.times(&Method::GET).len(), 4);
}

#[tokio::test(start_paused = true)]
async fn what_somebody_else_makes_is_waited_for_until_it_stands() {
    let overtaken = json!({
        "name": "projects/p/locations/l/operations/1", "done": true, "error": { "code": 6, "message": "exists" },
    });
    for overtaken in [None, Some(overtaken)] {
        let transport = Scripted::new(move |request, before| match (&request.method, before) {
            (&Method::POST, _) => overtaken
                .clone()
                .map_or_else(conflict, |operation| Play::Answer(200, operation)),
            (_, 0..3) => absent(),
            _ => standing(),
        });
        let start = Instant::now();
        let made = provider(&transport)
            .ensure_repository(&"p/r".parse().unwrap(), None)
            .await;
        assert_eq!(made.unwrap(), Ensured::Existed);
        let looks = transport.times(&Method::GET);
        assert_eq!(looks.len(), 4, "once before, and until it is there");
        assert!(looks[3] > start);
    }
}

#[tokio::test(start_paused = true)]
async fn what_exists_and_never_stands_is_not_waited_for_without_end() {
    let transport = Scripted::new(|request, _| match request.method {
        Method::POST => conflict(),
        _ => absent(),
    });
    let start = Instant::now();
    let error = provider(&transport)
        .ensure_repository(&"p/r".parse().unwrap(), None)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Network);
    assert!(
        (180..190).contains(&start.elapsed().as_secs()),
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn throttling_ends_as_what_it_is_and_an_operation_is_not_waited_for_without_end() {
    let throttled = Scripted::new(|request, _| match request.method {
        Method::POST => Play::Answer(
            429,
            json!({ "error": { "code": 429, "status": "RESOURCE_EXHAUSTED", "message": "slow" } }),
        ),
        _ => absent(),
    });
    let error = provider(&throttled)
        .ensure_repository(&"p/r".parse().unwrap(), None)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RateLimit);
    assert!(throttled.times(&Method::POST).len() > 1);

    let endless = Scripted::new(|request, _| match request.url.path().contains("/operations/") {
        true => Play::Answer(200, json!({ "name": "projects/p/locations/l/operations/1" })),
        false if request.method == Method::POST => {
            Play::Answer(200, json!({ "name": "projects/p/locations/l/operations/1" }))
        }
        false => absent(),
    });
    let start = Instant::now();
    let error = provider(&endless)
        .ensure_repository(&"p/r".parse().unwrap(), None)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Network);
    assert!(
        (180..190).contains(&start.elapsed().as_secs()),
        "{:?}",
        start.elapsed()
    );
    assert!(endless.times(&Method::GET).len() < 60);
}
