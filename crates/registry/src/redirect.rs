//! Where a redirect may lead.

use http::StatusCode;
use http::header::{ACCEPT, HeaderMap, IF_RANGE, LOCATION, RANGE};
use url::Url;

use crate::address::{self, Place};
use crate::home::Home;
use crate::{Error, ErrorKind, Reach, SafeUrl};

/// The longest chain of redirects that is followed.
pub(crate) const MAX_HOPS: u32 = 5;

/// Returns true for the statuses that point elsewhere.
pub(crate) fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// A position in a chain of redirects.
#[derive(Clone, Debug)]
pub(crate) struct Hop {
    pub(crate) url: Url,
    pub(crate) reach: Reach,
    /// False once the chain has left the registry: a stranger's redirect back must not spend our credential.
    pub(crate) at_home: bool,
    count: u32,
}

impl Hop {
    /// Starts at an address of the registry.
    pub(crate) fn first(url: Url) -> Self {
        Self {
            url,
            reach: Reach::Registry,
            at_home: true,
            count: 0,
        }
    }

    /// Follows a redirect that this position answered with.
    ///
    /// # Errors
    /// Too long a chain, and an address that is none, names a user, gives up encryption, or leads inside from outside.
    pub(crate) fn follow(&self, home: &Home, headers: &HeaderMap) -> Result<Self, Error> {
        let refused = |why: String| {
            let from = SafeUrl::new(&self.url);
            Err(Error::new(ErrorKind::Policy, format!("{from} redirects {why}")))
        };
        if self.count >= MAX_HOPS {
            return refused(format!("more than {MAX_HOPS} times"));
        }
        let location = headers.get(LOCATION).and_then(|value| value.to_str().ok());
        let Some(url) = location.and_then(|location| self.url.join(location).ok()) else {
            return refused("to an address that is none".to_owned());
        };
        let safe = SafeUrl::new(&url);
        if !url.username().is_empty() || url.password().is_some() {
            return refused(format!("to {safe} and names a user"));
        }
        match (self.url.scheme(), url.scheme()) {
            (_, "https") | ("http", "http") => {}
            ("https", "http") => return refused(format!("to {safe}, which is not encrypted")),
            _ => return refused(format!("to {safe}, which is no web address")),
        }
        let owned = home.owns(&url);
        if !owned && leads_inside(home.place(), &url) {
            return refused(format!("to {safe}, which leads inside"));
        }
        Ok(Self {
            reach: reach(home, owned),
            at_home: self.at_home && owned,
            count: self.count + 1,
            url,
        })
    }

    /// Returns the headers that may be sent to this position.
    pub(crate) fn headers(&self, headers: &HeaderMap) -> HeaderMap {
        if self.at_home {
            return headers.clone();
        }
        let kept = [RANGE, IF_RANGE, ACCEPT];
        let pairs = kept
            .into_iter()
            .filter_map(|name| Some((headers.get(&name)?.clone(), name)));
        pairs.map(|(value, name)| (name, value)).collect()
    }
}

fn reach(home: &Home, owned: bool) -> Reach {
    match (owned, home.place()) {
        (true, _) => Reach::Registry,
        (false, Place::Public) => Reach::Elsewhere,
        (false, Place::Machine | Place::Link | Place::Private) => Reach::Declared,
    }
}

/// Returns true for addresses that lead further inside than `home` stands. A private *name* may be the storage of a
/// registry in the same network; a private literal from a public registry is not.
fn leads_inside(home: Place, url: &Url) -> bool {
    let Some(host) = url.host() else { return true };
    match address::place(&host) {
        Place::Public => false,
        Place::Private => home == Place::Public && !matches!(host, url::Host::Domain(_)),
        Place::Machine => home != Place::Machine,
        Place::Link => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home(host: &str, plain_http: bool) -> Home {
        Home::new(&host.parse().unwrap(), plain_http).unwrap()
    }

    fn follow(home: &Home, hop: &Hop, location: &str) -> Result<Hop, ErrorKind> {
        let mut headers = HeaderMap::new();
        headers.insert(LOCATION, location.parse().unwrap());
        hop.follow(home, &headers).map_err(|error| error.kind())
    }

    fn start(home: &Home) -> Hop {
        Hop::first(home.url().join("/v2/a/blobs/x").unwrap())
    }

    #[test]
    fn storage_elsewhere_is_followed_without_what_is_ours() {
        let home = home("r.example", false);
        let hop = follow(&home, &start(&home), "https://s3.example/x?sig=1").unwrap();
        assert!(!hop.at_home);
        assert_eq!(hop.reach, Reach::Elsewhere);
        let mut headers = HeaderMap::new();
        for name in ["authorization", "cookie", "range", "accept", "x-meta"] {
            headers.insert(name, "v".parse().unwrap());
        }
        let sent = hop.headers(&headers);
        let mut names: Vec<&str> = sent.keys().map(http::HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["accept", "range"]);
    }

    #[test]
    fn only_the_same_scheme_host_and_port_is_home() {
        let home = home("r.example", false);
        for (location, at_home) in [
            ("/v2/b", true),
            ("https://r.example:443/v2/b", true),
            ("https://r.example:8443/v2/b", false),
            ("https://x.r.example/v2/b", false),
        ] {
            let hop = follow(&home, &start(&home), location).unwrap();
            assert_eq!(hop.at_home, at_home, "{location}");
        }
    }

    #[test]
    fn the_way_back_stays_without_credentials() {
        let home = home("r.example", false);
        let away = follow(&home, &start(&home), "https://s3.example/").unwrap();
        let back = follow(&home, &away, "https://r.example/v2/b").unwrap();
        assert!(!back.at_home);
    }

    #[test]
    fn what_must_not_be_followed_is_refused() {
        let home = home("r.example", false);
        for location in [
            "http://r.example/v2/b",
            "http://s3.example/",
            "https://127.0.0.1/",
            "https://localhost/",
            "https://169.254.169.254/latest/meta-data/",
            "https://2852039166/",
            "https://[::ffff:a9fe:a9fe]/",
            "https://[64:ff9b::a9fe:a9fe]/",
            "https://10.0.0.1/",
            "https://[fd00:ec2::254]/",
            "https://metadata.google.internal/",
            "https://u:p@s3.example/",
            "file:///etc/passwd",
            "https://",
        ] {
            assert_eq!(
                follow(&home, &start(&home), location).unwrap_err(),
                ErrorKind::Policy,
                "{location}"
            );
        }
    }

    #[test]
    fn a_registry_inside_may_redirect_inside() {
        let home = home("127.0.0.1:5000", true);
        let hop = follow(&home, &start(&home), "http://127.0.0.1:9000/bucket").unwrap();
        assert!(!hop.at_home);
        assert_eq!(hop.reach, Reach::Declared);
    }

    #[test]
    fn no_registry_redirects_to_a_metadata_service() {
        for host in ["127.0.0.1:5000", "10.0.0.1:5000", "registry"] {
            let home = home(host, true);
            assert!(
                follow(&home, &start(&home), "http://169.254.169.254/").is_err(),
                "{host}"
            );
        }
        let private = home("10.0.0.1:5000", true);
        assert!(follow(&private, &start(&private), "http://10.0.0.2/").is_ok());
        assert!(follow(&private, &start(&private), "http://127.0.0.1/").is_err());
    }

    #[test]
    fn the_sixth_redirect_is_one_too_many() {
        let home = home("r.example", false);
        let mut hop = start(&home);
        for _ in 0..MAX_HOPS {
            hop = follow(&home, &hop, "/again").unwrap();
        }
        assert_eq!(follow(&home, &hop, "/again").unwrap_err(), ErrorKind::Policy);
    }
}
