//! A double of what Azure's registries are used with: Entra ID, Resource Manager and one registry, all over TLS.
//!
//! Each part follows Microsoft's public documentation, named where it is served, and recorded answers that the SDKs'
//! repositories publish. The protocol itself is left to a real registry, which takes the tokens that are signed here.

mod answer;
mod authority;
mod data;
mod directory;
mod entra;
mod import;
mod machine;
mod management;
mod metadata;
mod oauth;
mod ticket;

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use serde_json::Value;

use self::authority::Authority;
use self::data::Upstream;
use self::directory::Directory;
pub use self::directory::{Principal, Right};
pub use self::import::{Failure, Import};
pub use self::machine::{Machine, az};
pub use self::ticket::Asked;
use crate::listening::{Body, Listening};
use crate::process::{Access, DockerRegistry};

/// The tenant of everyone.
pub const TENANT: &str = "11111111-2222-3333-4444-555555555555";
/// The subscription of the registry.
pub const SUBSCRIPTION: &str = "99999999-8888-7777-6666-555555555555";
/// The audience of tokens for Resource Manager.
pub const MANAGEMENT: &str = "https://management.azure.com";
/// The audience of tokens for registries.
pub const REGISTRY: &str = "https://containerregistry.azure.net";

/// The registry's resource.
#[must_use]
pub fn resource_id() -> String {
    format!(
        "/subscriptions/{SUBSCRIPTION}/resourceGroups/images/providers/Microsoft.ContainerRegistry/registries/contoso"
    )
}

/// A running Azure; it ends when dropped.
pub struct Azure {
    authority: Authority,
    entra: Listening,
    management: Listening,
    registry: Listening,
    /// Where blobs are read from, by redirects of the registry's.
    _storage: Listening,
    shared: Arc<Shared>,
}

struct Shared {
    directory: Directory,
    host: OnceLock<String>,
    upstream: OnceLock<Upstream>,
    storage: OnceLock<String>,
    storage_upstream: OnceLock<Upstream>,
    challenges: AtomicUsize,
    hub: import::Hub,
}

impl Azure {
    /// Starts all of it. The registry has no protocol yet: [`Azure::serve`] brings it.
    ///
    /// # Panics
    /// Where no port can be had.
    pub async fn start() -> Self {
        let authority = Authority::new();
        let shared = Arc::new(Shared {
            directory: Directory::new(),
            host: OnceLock::new(),
            upstream: OnceLock::new(),
            storage: OnceLock::new(),
            storage_upstream: OnceLock::new(),
            challenges: AtomicUsize::new(0),
            hub: import::Hub::default(),
        });
        let (entra, management, registry) = (Arc::clone(&shared), Arc::clone(&shared), Arc::clone(&shared));
        let stored = Arc::clone(&shared);
        let storage = Listening::start_with(Some(authority.acceptor()), move |request| {
            data::read_stored(request, Arc::clone(&stored))
        })
        .await;
        shared
            .storage
            .set(named(&storage))
            .expect("the storage is set once");
        let azure = Self {
            entra: Listening::start_with(Some(authority.acceptor()), move |request| {
                entra::answer(request, Arc::clone(&entra))
            })
            .await,
            management: Listening::start_with(Some(authority.acceptor()), move |request| {
                management::answer(request, Arc::clone(&management))
            })
            .await,
            registry: Listening::start_with(Some(authority.acceptor()), move |request| {
                route(request, Arc::clone(&registry))
            })
            .await,
            authority,
            _storage: storage,
            shared,
        };
        let host = named(&azure.registry);
        azure.shared.host.set(host).expect("the host is set once");
        azure
    }

    /// Starts it with a real registry behind.
    ///
    /// # Panics
    /// As [`Azure::start`], and where docker-registry can't be started.
    pub async fn with_registry() -> (Self, DockerRegistry) {
        let azure = Self::start().await;
        let registry = DockerRegistry::start_with(azure.access()).await;
        azure.serve(registry.host());
        (azure, registry)
    }

    /// Passes the protocol on to what listens at `upstream`, a `host:port` without TLS: a registry, or a front of one.
    ///
    /// # Panics
    /// Where that was said before.
    pub fn serve(&self, upstream: &str) {
        self.put_behind(Upstream::new(upstream, data::Checks::Behind));
    }

    /// Passes the protocol on to what lets everyone in: tokens are checked here.
    ///
    /// # Panics
    /// As [`Azure::serve`].
    pub fn serve_open(&self, upstream: &str) {
        self.put_behind(Upstream::new(upstream, data::Checks::Here));
    }

    /// Returns how many requests of the protocol were answered by a challenge here.
    #[must_use]
    pub fn challenges(&self) -> usize {
        self.shared.challenges.load(Ordering::Relaxed)
    }

    fn put_behind(&self, upstream: Upstream) {
        assert!(
            self.shared.upstream.set(upstream).is_ok(),
            "the upstream is set once"
        );
    }

    /// Returns what makes a registry take the tokens of this one.
    #[must_use]
    pub fn access(&self) -> Access {
        Access::Token {
            realm: format!("https://{}/oauth2/token", self.host()),
            service: self.host(),
            issuer: directory::ISSUER.to_owned(),
            rootcertbundle: self.shared.directory.certificate(),
        }
    }

    /// Returns the registry's host, `localhost:PORT`.
    #[must_use]
    pub fn host(&self) -> String {
        named(&self.registry)
    }

    /// Returns the address of Entra ID.
    #[must_use]
    pub fn authority(&self) -> String {
        format!("https://{}", named(&self.entra))
    }

    /// Returns the address of Resource Manager.
    #[must_use]
    pub fn management(&self) -> String {
        format!("https://{}", named(&self.management))
    }

    /// Returns the certificate of the authority that vouches for all of them, in PEM.
    #[must_use]
    pub fn certificate(&self) -> String {
        self.authority.certificate()
    }

    /// Lets somebody in.
    pub fn admit(&self, principal: Principal) {
        self.shared.directory.admit(principal);
    }

    /// Signs a token of Entra ID's, as a command-line tool has got one.
    ///
    /// # Panics
    /// Where nobody has that client id.
    #[must_use]
    pub fn token(&self, client: &str, audience: &str) -> String {
        self.shared.directory.entra_token(client, audience)
    }

    /// Changes how long the registry's refresh and access tokens live, in seconds.
    pub fn tokens_live(&self, refresh: u64, access: u64) {
        self.shared.directory.set_lives(refresh, access);
    }

    /// Makes the registry take its time before it grants a token, so that requests at once meet.
    pub fn tokens_take(&self, time: Duration) {
        self.shared.directory.set_pause(time);
    }

    /// Ends every token that the registry has granted.
    pub fn revoke(&self) {
        self.shared.directory.revoke();
    }

    /// Puts a manifest into the listings.
    pub fn put(&self, repository: &str, tag: Option<&str>, digest: &str, media_type: &str) {
        self.shared.directory.put(repository, tag, digest, media_type);
    }

    /// Changes whether a whole repository can be written to.
    ///
    /// # Panics
    /// Where it does not exist.
    pub fn set_writable(&self, repository: &str, writable: bool) {
        self.shared
            .directory
            .change(repository, |repository| repository.writable = writable);
    }

    /// Locks a tag, or unlocks it, as somebody else would.
    ///
    /// # Panics
    /// Where there is no such repository.
    pub fn set_locked(&self, repository: &str, tag: &str, locked: bool) {
        self.shared
            .directory
            .change(repository, |repository| match locked {
                true => drop(repository.locked.insert(tag.to_owned())),
                false => drop(repository.locked.remove(tag)),
            });
    }

    /// Returns true where a tag is locked.
    ///
    /// # Panics
    /// Where there is no such repository.
    #[must_use]
    pub fn is_locked(&self, repository: &str, tag: &str) -> bool {
        self.shared
            .directory
            .change(repository, |repository| repository.locked.contains(tag))
    }

    /// Changes the properties of the registry's resource.
    pub fn set_properties(&self, properties: Value) {
        self.shared.hub.set_properties(properties);
    }

    /// Makes imports end so from now on.
    pub fn imports_end(&self, end: Result<(), Failure>) {
        self.shared.hub.set_end(end);
    }

    /// Makes imports be done by `copy`, which is given the body of each request, from now on.
    pub fn imports_by<F>(&self, copy: impl Fn(Value) -> F + Send + Sync + 'static)
    where
        F: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        self.shared
            .hub
            .set_copier(Arc::new(move |body| Box::pin(copy(body))));
    }

    /// Returns what was imported, or tried to.
    #[must_use]
    pub fn imports(&self) -> Vec<Import> {
        self.shared.hub.imports()
    }

    /// Returns all that was asked of the three, in the order of arrival.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        self.shared.directory.asked()
    }

    /// Forgets what was asked.
    pub fn forget(&self) {
        self.shared.directory.forget();
    }

    /// Returns how many requests of `path` there were at one time at most.
    #[must_use]
    pub fn most_at_once(&self, path: &str) -> usize {
        self.shared.directory.most_at_once(path)
    }

    /// Returns how many requests for tokens of one scope, whichever, there were at one time at most.
    #[must_use]
    pub fn most_at_once_of_a_scope(&self) -> usize {
        self.shared.directory.most_at_once_of_a_scope()
    }
}

impl fmt::Debug for Azure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.host())
    }
}

impl Shared {
    fn host(&self) -> &str {
        self.host.get().map_or("localhost", String::as_str)
    }
}

/// Certificates are for a name.
fn named(listening: &Listening) -> String {
    let host = listening.host();
    let (_, port) = host.rsplit_once(':').expect("an address has a port");
    format!("localhost:{port}")
}

async fn route(request: Request<Incoming>, shared: Arc<Shared>) -> io::Result<Response<Body>> {
    match request.uri().path() {
        path if path.starts_with("/oauth2/") => oauth::answer(request, &shared).await,
        path if path.starts_with("/acr/v1/") => metadata::answer(request, &shared).await,
        _ => data::answer(request, &shared).await,
    }
}
