//! What passed a proxy, and what it amounts to.

use std::collections::BTreeMap;

use http::Method;
use oci::{Digest, RepositoryName};
use url::form_urlencoded;

/// One request and its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// The method.
    pub method: Method,
    /// The path.
    pub path: String,
    /// The query, without the question mark.
    pub query: String,
    /// The answer's status; 0 where none was given.
    pub status: u16,
    /// How many bytes of the request's body passed.
    pub request_bytes: u64,
    /// How many bytes of the answer's body passed.
    pub response_bytes: u64,
}

impl Exchange {
    /// Returns true for methods that change something.
    #[must_use]
    pub fn is_mutating(&self) -> bool {
        !matches!(self.method, Method::GET | Method::HEAD)
    }

    /// Returns true where the status says that it was done.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Returns the first value of a parameter of the query.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<String> {
        form_urlencoded::parse(self.query.as_bytes())
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    }

    /// Returns the repository that the path names.
    #[must_use]
    pub fn repository(&self) -> Option<RepositoryName> {
        let rest = self.path.strip_prefix("/v2/")?;
        let end = ["/blobs/", "/manifests/", "/tags/", "/referrers/"]
            .iter()
            .find_map(|part| rest.rfind(part))?;
        rest[..end].parse().ok()
    }

    fn digest_parameter(&self) -> Option<Digest> {
        self.parameter("digest")?.parse().ok()
    }

    fn blob(&self) -> Option<Digest> {
        self.path.rsplit_once("/blobs/")?.1.parse().ok()
    }

    fn is_upload(&self) -> bool {
        self.path.contains("/blobs/uploads/") && self.is_mutating()
    }
}

/// A mount that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mount {
    /// The repository mounted into.
    pub repository: RepositoryName,
    /// The repository mounted from, where one was named.
    pub from: Option<RepositoryName>,
    /// The blob.
    pub digest: Digest,
    /// The status: 201 where it was mounted.
    pub status: u16,
}

/// All that passed a proxy, in the order in which it arrived.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exchanges(pub Vec<Exchange>);

impl Exchanges {
    /// Counts the reads of each blob: the GETs that were answered with a body, or with an empty one in full.
    #[must_use]
    pub fn blob_reads(&self) -> BTreeMap<Digest, usize> {
        let reads = self
            .0
            .iter()
            .filter(|exchange| exchange.method == Method::GET && exchange.succeeded());
        count(reads.filter_map(Exchange::blob))
    }

    /// Counts how often each blob's body was sent into each repository: the uploads that were brought to their end.
    #[must_use]
    pub fn blob_sends(&self) -> BTreeMap<(RepositoryName, Digest), usize> {
        let sends = self.0.iter().filter(|exchange| exchange.is_upload());
        count(sends.filter_map(|exchange| Some((exchange.repository()?, exchange.digest_parameter()?))))
    }

    /// Counts how often each blob's body was sent to the registry, whatever the repository.
    #[must_use]
    pub fn blob_sends_to_registry(&self) -> BTreeMap<Digest, usize> {
        let mut sums = BTreeMap::new();
        for ((_, digest), sends) in self.blob_sends() {
            *sums.entry(digest).or_default() += sends;
        }
        sums
    }

    /// Adds up the bytes of blobs that were sent towards the registry.
    #[must_use]
    pub fn blob_bytes_sent(&self) -> u64 {
        let uploads = self.0.iter().filter(|exchange| exchange.is_upload());
        uploads.map(|exchange| exchange.request_bytes).sum()
    }

    /// Lists the mounts that were asked for.
    #[must_use]
    pub fn mounts(&self) -> Vec<Mount> {
        self.0.iter().filter_map(mount).collect()
    }

    /// Lists the requests that could have changed something.
    #[must_use]
    pub fn mutating(&self) -> Vec<&Exchange> {
        self.0.iter().filter(|exchange| exchange.is_mutating()).collect()
    }
}

fn mount(exchange: &Exchange) -> Option<Mount> {
    Some(Mount {
        repository: exchange.repository()?,
        from: exchange.parameter("from").and_then(|from| from.parse().ok()),
        digest: exchange.parameter("mount")?.parse().ok()?,
        status: exchange.status,
    })
}

fn count<K: Ord>(keys: impl Iterator<Item = K>) -> BTreeMap<K, usize> {
    let mut counts = BTreeMap::new();
    for key in keys {
        *counts.entry(key).or_default() += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(method: Method, path: &str, query: &str, status: u16) -> Exchange {
        Exchange {
            method,
            path: path.to_owned(),
            query: query.to_owned(),
            status,
            request_bytes: 0,
            response_bytes: 0,
        }
    }

    #[test]
    fn reads_sends_and_mounts_are_told_apart() {
        let digest = Digest::sha256(b"x");
        let escaped = digest.to_string().replace(':', "%3A");
        let exchanges = Exchanges(vec![
            exchange(Method::HEAD, &format!("/v2/a/b/blobs/{digest}"), "", 200),
            exchange(Method::GET, &format!("/v2/a/b/blobs/{digest}"), "", 200),
            exchange(Method::GET, &format!("/v2/a/b/blobs/{digest}"), "", 404),
            exchange(
                Method::POST,
                "/v2/a/b/blobs/uploads/",
                &format!("mount={escaped}&from=c"),
                201,
            ),
            exchange(Method::POST, "/v2/a/b/blobs/uploads/", "", 202),
            exchange(
                Method::PUT,
                "/v2/a/b/blobs/uploads/1-2",
                &format!("digest={escaped}"),
                201,
            ),
        ]);
        let repository: RepositoryName = "a/b".parse().unwrap();
        assert_eq!(exchanges.blob_reads(), BTreeMap::from([(digest.clone(), 1)]));
        assert_eq!(
            exchanges.blob_sends(),
            BTreeMap::from([((repository.clone(), digest.clone()), 1)])
        );
        let mount = Mount {
            repository,
            from: "c".parse().ok(),
            digest,
            status: 201,
        };
        assert_eq!(exchanges.mounts(), [mount]);
        assert_eq!(exchanges.mutating().len(), 3);
    }
}
