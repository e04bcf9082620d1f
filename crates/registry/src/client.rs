//! The client of one registry.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::header::HeaderValue;
use http::{HeaderMap, Method, StatusCode};
use jiff::Timestamp;
use oci::{Host, RepositoryName};
use tokio::sync::OnceCell;
use url::Url;

use crate::auth::Auth;
use crate::call::{Call, CallBody, Redirects, Repeat, Reply, Scope, Target};
use crate::exchange::Exchange;
use crate::gate::Gate;
use crate::home::Home;
use crate::remote::{self, RemoteRepository};
use crate::retry::{Budget, Jitter};
use crate::token::TokenClient;
use crate::traffic::Counters;
use crate::{
    ClientSettings, CredentialSource, DeleteRepository, Error, ErrorKind, ReadRepository, Registry, Traffic,
    Transport, Wire, WriteRepository,
};

/// Talks to one registry: signs in, follows redirects by the rules, repeats what may be repeated, and waits its turn.
///
/// A clone shares everything with the client that it was cloned from.
#[derive(Clone)]
pub struct Client(Arc<Shared>);

struct Shared {
    host: Host,
    wire: Wire,
    exchange: Option<Exchange>,
    counters: Arc<Counters>,
}

/// Where the randomness and the date of a client come from.
#[derive(Clone, Copy)]
pub(crate) struct Chance {
    pub(crate) jitter: Jitter,
    pub(crate) now: fn() -> Timestamp,
}

/// Delays are drawn evenly between zero and their bound, so that clients which failed together do not return together.
fn full_jitter(bound: Duration) -> Duration {
    bound.mul_f64(fastrand::f64())
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client({})", self.0.host)
    }
}

impl Client {
    /// Makes the client of the registry that `settings` names. Nothing is sent yet.
    #[must_use]
    pub fn new(
        settings: ClientSettings,
        transport: Arc<dyn Transport>,
        credentials: Arc<dyn CredentialSource>,
    ) -> Self {
        let chance = Chance {
            jitter: full_jitter,
            now: Timestamp::now,
        };
        Self::with(settings, transport, credentials, chance)
    }

    pub(crate) fn with(
        settings: ClientSettings,
        transport: Arc<dyn Transport>,
        credentials: Arc<dyn CredentialSource>,
        chance: Chance,
    ) -> Self {
        let counters = Arc::new(Counters::default());
        let (host, wire) = (settings.host.clone(), settings.wire.clone());
        let exchange = Home::new(&settings.host, settings.plain_http).map(|home| {
            let user_agent = HeaderValue::from_str(&settings.user_agent)
                .unwrap_or_else(|_| HeaderValue::from_static("transship"));
            let tries = settings.retries.saturating_add(1);
            let tokens = TokenClient {
                transport: Arc::clone(&transport),
                user_agent: user_agent.clone(),
                tries,
                jitter: chance.jitter,
                now: chance.now,
            };
            Exchange {
                gate: Gate::new(&settings),
                auth: Auth::new(home.clone(), settings.realm, credentials, tokens),
                home,
                transport,
                user_agent,
                budget: Budget::new(),
                tries,
                chance,
                counters: Arc::clone(&counters),
                introduced: OnceCell::new(),
            }
        });
        Self(Arc::new(Shared {
            host,
            wire,
            exchange,
            counters,
        }))
    }

    /// Asks whether a registry answers, and lets us in.
    ///
    /// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#determining-support>
    ///
    /// # Errors
    /// No answer, a refused credential, and an answer that is no registry's.
    pub async fn ping(&self) -> Result<(), Error> {
        let reply = self.send(Call::ping()).await?;
        if reply.status == StatusCode::OK {
            reply.drain().await;
            return Ok(());
        }
        Err(Error::from_reply(&format!("ask {} for its front page", self.0.host), reply).await)
    }

    /// Opens a repository for reading and deleting. Nothing is sent yet.
    #[must_use]
    pub fn deleter(&self, repository: &RepositoryName) -> Arc<dyn DeleteRepository> {
        Arc::new(RemoteRepository::deleter(self.clone(), repository.clone()))
    }

    /// Returns the registry's host.
    pub(crate) fn host(&self) -> &Host {
        &self.0.host
    }

    /// Returns how the registry wants to be talked to.
    pub(crate) fn wire(&self) -> &Wire {
        &self.0.wire
    }

    /// Sends a call and returns the final reply, whatever its status.
    ///
    /// # Errors
    /// No reply after all tries, a refused credential, and what the rules forbid. A 401 without a challenge is a reply, and so is
    /// one to a body that can't be sent again.
    pub(crate) async fn send(&self, call: Call) -> Result<Reply, Error> {
        self.exchange()?.send(call).await
    }

    /// Resolves what a `Location` or a `Link` said, against the address that said it.
    ///
    /// # Errors
    /// An address that is not the registry's.
    pub(crate) fn resolve(&self, base: &Url, location: &str) -> Result<Url, Error> {
        self.exchange()?.home.resolve(base, location)
    }

    /// Counts bytes of blobs received.
    pub(crate) fn count_read(&self, bytes: u64) {
        self.0.counters.read(bytes);
    }

    /// Counts bytes of blobs sent.
    pub(crate) fn count_written(&self, bytes: u64) {
        self.0.counters.written(bytes);
    }

    pub(crate) fn exchange(&self) -> Result<&Exchange, Error> {
        let none = || Error::new(ErrorKind::Other, format!("{} is no address", self.0.host));
        self.0.exchange.as_ref().ok_or_else(none)
    }
}

#[async_trait]
impl Registry for Client {
    fn reader(&self, repository: &RepositoryName) -> Arc<dyn ReadRepository> {
        Arc::new(RemoteRepository::reader(self.clone(), repository.clone()))
    }

    fn writer(&self, repository: &RepositoryName) -> Arc<dyn WriteRepository> {
        Arc::new(RemoteRepository::writer(self.clone(), repository.clone()))
    }

    async fn catalog(&self) -> Result<Option<Vec<RepositoryName>>, Error> {
        remote::catalog(self).await
    }

    fn traffic(&self) -> Traffic {
        self.0.counters.snapshot()
    }

    async fn finish(&self) -> Result<(), Error> {
        Ok(())
    }
}

impl Call {
    /// Asks for the registry's front page.
    pub(crate) fn ping() -> Self {
        Self::get(Target::Path("/v2/".to_owned()), Scope::none())
    }

    /// Makes a call that reads, may be repeated, and follows redirects.
    pub(crate) fn get(target: Target, scope: Scope) -> Self {
        Self {
            method: Method::GET,
            target,
            headers: HeaderMap::new(),
            body: CallBody::Empty,
            scope,
            operation: None,
            repeat: Repeat::Safe,
            redirects: Redirects::Follow,
        }
    }
}
