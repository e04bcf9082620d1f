//! One exchange with a registry, as the repository operations ask for it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use http::{HeaderMap, Method, StatusCode};
use oci::RepositoryName;
use tokio::time::timeout;
use url::Url;

use crate::{ByteStream, Error, ErrorKind, Operation, SafeUrl};

/// How much of an unread body is read to keep its connection in use, and for how long: a new one costs no more.
const DRAIN: usize = 64 << 10;
const DRAIN_TIME: Duration = Duration::from_secs(1);

/// A request before addresses, credentials and retries.
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) target: Target,
    pub(crate) headers: HeaderMap,
    pub(crate) body: CallBody,
    pub(crate) scope: Scope,
    /// What it is, as registries count it; nothing where none counts it.
    pub(crate) operation: Option<Operation>,
    pub(crate) repeat: Repeat,
    pub(crate) redirects: Redirects,
}

/// Where a call goes.
#[derive(Clone)]
pub(crate) enum Target {
    /// A path under the registry, with its query: `/v2/...`.
    Path(String),
    /// What a registry's `Location` or `Link` said, resolved and checked by `Client::resolve`.
    Url(Url),
}

/// The body of a call.
pub(crate) enum CallBody {
    Empty,
    Bytes(Bytes),
    /// A part of a blob: sent piece by piece as a stream is, and yet as often as needed.
    Chunk(Bytes),
    Stream {
        length: u64,
        body: ByteStream,
    },
    /// Nothing, where the registry then stores this many bytes that came before: it may take its time.
    Closing {
        stored: u64,
    },
}

/// Whether a call may be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// Sending it twice does what sending it once does.
    Safe,
    /// Sent once, whatever comes back.
    Never,
}

/// What a redirect means for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Redirects {
    /// It is followed, by the rules.
    Follow,
    /// It is an error.
    Refuse,
    /// It is the reply.
    Show,
}

/// What a token must allow, in the words of the token specification.
///
/// <https://distribution.github.io/distribution/spec/auth/scope/>
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Scope {
    repositories: BTreeMap<RepositoryName, BTreeSet<&'static str>>,
    catalog: bool,
}

impl Scope {
    /// Nothing in particular: the registry's front page.
    pub(crate) fn none() -> Self {
        Self::default()
    }

    /// Lists the repositories of the registry.
    pub(crate) fn catalog() -> Self {
        Self {
            catalog: true,
            ..Self::default()
        }
    }

    /// Reads `repository`.
    pub(crate) fn pull(repository: &RepositoryName) -> Self {
        Self::of(repository, ["pull"].into())
    }

    /// Reads and writes `repository`.
    pub(crate) fn push(repository: &RepositoryName) -> Self {
        Self::of(repository, ["pull", "push"].into())
    }

    /// Deletes from `repository`. Registries that know no such action of its own take it for a push.
    pub(crate) fn delete(repository: &RepositoryName) -> Self {
        Self::of(repository, ["delete", "pull", "push"].into())
    }

    fn of(repository: &RepositoryName, actions: BTreeSet<&'static str>) -> Self {
        Self {
            repositories: BTreeMap::from([(repository.clone(), actions)]),
            catalog: false,
        }
    }

    /// Mounts into `to` from `from`.
    pub(crate) fn mount(to: &RepositoryName, from: &RepositoryName) -> Self {
        let mut scope = Self::push(to);
        scope.repositories.entry(from.clone()).or_default().insert("pull");
        scope
    }

    /// Returns true where a token for this scope also serves `other`.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        let granted = |(repository, actions): (&RepositoryName, &BTreeSet<_>)| {
            let granted = self.repositories.get(repository);
            granted.is_some_and(|granted| actions.is_subset(granted))
        };
        (self.catalog || !other.catalog) && other.repositories.iter().all(granted)
    }

    /// Renders the `scope` parameters of a token request.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = String> {
        let repositories = self.repositories.iter().map(|(repository, actions)| {
            let actions: Vec<&str> = actions.iter().copied().collect();
            format!("repository:{repository}:{}", actions.join(","))
        });
        let catalog = self.catalog.then(|| "registry:catalog:*".to_owned());
        repositories.chain(catalog)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parameters: Vec<String> = self.parameters().collect();
        f.write_str(&parameters.join(" "))
    }
}

/// The final answer to a call, whatever its status.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// The address that answered, after redirects.
    pub(crate) url: Url,
    pub(crate) body: ByteStream,
    /// What it took to get it.
    pub(crate) effort: Effort,
}

/// How often a call was sent, and for how long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effort {
    /// How often.
    pub tries: u32,
    /// For how long in all.
    pub elapsed: Duration,
}

impl fmt::Display for Effort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tries = if self.tries == 1 { "try" } else { "tries" };
        write!(f, "{} {tries} in {:.1} s", self.tries, self.elapsed.as_secs_f64())
    }
}

impl Reply {
    /// Reads the whole body.
    ///
    /// # Errors
    /// A body longer than `limit` bytes, and one that breaks off.
    pub(crate) async fn bytes(mut self, limit: usize) -> Result<Bytes, Error> {
        let mut bytes = BytesMut::new();
        while let Some(chunk) = self.body.next().await {
            let chunk = chunk?;
            if bytes.len() + chunk.len() > limit {
                let url = SafeUrl::new(&self.url);
                let message = format!("the answer of {url} is longer than {limit} bytes");
                return Err(Error::new(ErrorKind::Integrity, message));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes.freeze())
    }

    /// Reads a small rest of the body, so that its connection can be used again; a long one is dropped.
    pub(crate) async fn drain(mut self) {
        let drained = async {
            let mut left = DRAIN;
            while let Some(Ok(chunk)) = self.body.next().await {
                match left.checked_sub(chunk.len()) {
                    Some(rest) => left = rest,
                    None => return,
                }
            }
        };
        let _given_up = timeout(DRAIN_TIME, drained).await;
    }

    /// Returns a header, where it is there and is plain text.
    pub(crate) fn header(&self, name: impl http::header::AsHeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> RepositoryName {
        text.parse().unwrap()
    }

    #[test]
    fn a_mount_asks_for_both_repositories() {
        let scope = Scope::mount(&name("b/to"), &name("a/from"));
        let parameters: Vec<String> = scope.parameters().collect();
        assert_eq!(
            parameters,
            ["repository:a/from:pull", "repository:b/to:pull,push"]
        );
    }

    #[test]
    fn a_push_covers_a_pull_and_not_the_other_way_round() {
        let (pull, push) = (Scope::pull(&name("a")), Scope::push(&name("a")));
        assert!(push.covers(&pull));
        assert!(!pull.covers(&push));
        assert!(!push.covers(&Scope::pull(&name("b"))));
        assert!(pull.covers(&Scope::none()));
    }

    #[test]
    fn the_catalog_is_a_scope_of_its_own() {
        let (pull, catalog) = (Scope::pull(&name("a")), Scope::catalog());
        assert_eq!(catalog.to_string(), "registry:catalog:*");
        assert!(catalog.covers(&catalog) && catalog.covers(&Scope::none()));
        assert!(!catalog.covers(&pull) && !pull.covers(&catalog));
    }

    #[test]
    fn a_mount_within_one_repository_keeps_its_push() {
        assert_eq!(Scope::mount(&name("a"), &name("a")), Scope::push(&name("a")));
    }

    #[tokio::test]
    async fn a_body_past_its_limit_is_an_error() {
        let reply = Reply {
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            url: "https://r.example/v2/".parse().unwrap(),
            body: futures_util::stream::iter([Ok(Bytes::from_static(b"12345"))]).boxed(),
            effort: Effort::default(),
        };
        let error = reply.bytes(4).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Integrity);
    }
}
