//! A token service on loopback: what a registry's challenge sends clients to.
//!
//! It speaks both ways of asking, [by GET](https://distribution.github.io/distribution/spec/auth/token/) and
//! [by OAuth 2](https://distribution.github.io/distribution/spec/auth/oauth/), and signs what a real registry checks.

mod answer;
mod key;
mod request;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;

pub use self::key::TokenKey;
pub use self::request::TokenRequest;
use crate::listening::{Body, Listening};
use crate::process::Access;

/// The name of the registry in [`TokenService::access`].
pub const SERVICE: &str = "testkit";

/// The name of the service in its tokens.
pub const ISSUER: &str = "testkit-tokens";

/// What the service does with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Answers with a token.
    Grant(Grant),
    /// Answers with 401.
    Refuse,
}

/// A token to be signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The lifetime that the answer names, in seconds.
    pub expires_in: u64,
    /// How long a registry takes the token, in seconds: none at all where it is zero.
    pub valid_for: u64,
    /// The scopes that the token is good for, where those are not the ones that were asked for.
    pub scopes: Option<Vec<String>>,
    /// The refresh token to answer with.
    pub refresh_token: Option<String>,
}

impl Grant {
    /// A token for all that was asked, good for as long as its answer says.
    #[must_use]
    pub fn lasting(seconds: u64) -> Self {
        Self {
            expires_in: seconds,
            valid_for: seconds,
            scopes: None,
            refresh_token: None,
        }
    }
}

type Policy = dyn Fn(&TokenRequest) -> Decision + Send + Sync;

/// A running token service; it ends when dropped.
pub struct TokenService {
    listening: Listening,
    shared: Arc<Shared>,
}

struct Shared {
    key: TokenKey,
    policy: RwLock<Arc<Policy>>,
    pause: RwLock<Duration>,
    ledger: Mutex<Ledger>,
}

#[derive(Default)]
struct Ledger {
    requests: Vec<TokenRequest>,
    running: BTreeMap<String, usize>,
    most: BTreeMap<String, usize>,
}

impl TokenService {
    /// Listens on a free loopback port with a key of its own, and answers as `policy` decides.
    ///
    /// # Panics
    /// Where no port can be had.
    pub async fn start(policy: impl Fn(&TokenRequest) -> Decision + Send + Sync + 'static) -> Self {
        let shared = Arc::new(Shared {
            key: TokenKey::generate(),
            policy: RwLock::new(Arc::new(policy)),
            pause: RwLock::default(),
            ledger: Mutex::default(),
        });
        let answerer = Arc::clone(&shared);
        let listening = Listening::start(move |request| serve(request, Arc::clone(&answerer))).await;
        Self { listening, shared }
    }

    /// Returns its URL, the realm of challenges.
    #[must_use]
    pub fn realm(&self) -> String {
        format!("http://{}/token", self.listening.host())
    }

    /// Returns what makes a registry trust it.
    #[must_use]
    pub fn access(&self) -> Access {
        Access::Token {
            realm: self.realm(),
            service: SERVICE.to_owned(),
            issuer: ISSUER.to_owned(),
            rootcertbundle: self.shared.key.certificate(),
        }
    }

    /// Returns the key that it signs with.
    #[must_use]
    pub fn key(&self) -> &TokenKey {
        &self.shared.key
    }

    /// Decides differently from now on.
    ///
    /// # Panics
    /// Never: nothing panics while it holds the policy.
    pub fn set_policy(&self, policy: impl Fn(&TokenRequest) -> Decision + Send + Sync + 'static) {
        *self
            .shared
            .policy
            .write()
            .expect("no holder of the policy panics") = Arc::new(policy);
    }

    /// Takes this long over every answer from now on, so that requests at once can meet.
    ///
    /// # Panics
    /// Never: nothing panics while it holds the pause.
    pub fn answer_after(&self, pause: Duration) {
        *self.shared.pause.write().expect("no holder of the pause panics") = pause;
    }

    /// Returns all that it has been asked, in the order of arrival.
    ///
    /// # Panics
    /// Never: nothing panics while it holds the ledger.
    #[must_use]
    pub fn requests(&self) -> Vec<TokenRequest> {
        self.shared.ledger().requests.clone()
    }

    /// Returns how many requests for a scope there have been at one time at most; the empty scope stands for none.
    ///
    /// # Panics
    /// Never: nothing panics while it holds the ledger.
    #[must_use]
    pub fn most_at_once(&self, scope: &str) -> usize {
        self.shared.ledger().most.get(scope).copied().unwrap_or(0)
    }
}

impl fmt::Debug for TokenService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.realm())
    }
}

impl Shared {
    fn ledger(&self) -> std::sync::MutexGuard<'_, Ledger> {
        self.ledger.lock().expect("no holder of the ledger panics")
    }

    fn decide(&self, request: &TokenRequest) -> Decision {
        let policy = Arc::clone(&self.policy.read().expect("no holder of the policy panics"));
        policy(request)
    }

    fn pause(&self) -> Duration {
        *self.pause.read().expect("no holder of the pause panics")
    }
}

/// A request under way; dropped when it is answered, or its client is gone.
struct Running<'a> {
    shared: &'a Shared,
    scopes: Vec<String>,
}

impl<'a> Running<'a> {
    fn enter(shared: &'a Shared, request: &TokenRequest) -> Self {
        let mut scopes = request.scopes.clone();
        if scopes.is_empty() {
            scopes.push(String::new());
        }
        let mut ledger = shared.ledger();
        ledger.requests.push(request.clone());
        for scope in &scopes {
            let running = ledger.running.entry(scope.clone()).or_default();
            *running += 1;
            let running = *running;
            let most = ledger.most.entry(scope.clone()).or_default();
            *most = running.max(*most);
        }
        Self { shared, scopes }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let mut ledger = self.shared.ledger();
        for scope in &self.scopes {
            if let Some(running) = ledger.running.get_mut(scope) {
                *running -= 1;
            }
        }
    }
}

async fn serve(request: Request<Incoming>, shared: Arc<Shared>) -> io::Result<Response<Body>> {
    let request = match TokenRequest::read(request).await? {
        Ok(request) => request,
        Err(status) => return answer::status(status),
    };
    let _running = Running::enter(&shared, &request);
    tokio::time::sleep(shared.pause()).await;
    match shared.decide(&request) {
        Decision::Grant(grant) => answer::token(&shared.key, &request, &grant),
        Decision::Refuse => answer::refusal(),
    }
}
