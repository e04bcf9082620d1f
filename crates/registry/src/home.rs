//! Where a registry is reached.

use oci::Host;
use url::Url;

use crate::address::{self, Place};
use crate::{Error, ErrorKind, SafeUrl};

/// A registry's own address. Credentials go to this scheme, host and port and nowhere else.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    host: Host,
    url: Url,
}

impl Home {
    /// Makes the address of a registry; `None` for a host that makes none, such as `1.2.3.4.5`.
    ///
    /// `docker.io` is a website; the registry behind that name answers as `registry-1.docker.io`.
    pub(crate) fn new(host: &Host, plain_http: bool) -> Option<Self> {
        let scheme = if plain_http { "http" } else { "https" };
        let authority = match host.as_str() {
            "docker.io" => "registry-1.docker.io",
            other => other,
        };
        Some(Self {
            host: host.clone(),
            url: Url::parse(&format!("{scheme}://{authority}/")).ok()?,
        })
    }

    /// Returns the registry's name as people write it.
    pub(crate) fn host(&self) -> &Host {
        &self.host
    }

    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    pub(crate) fn is_plain(&self) -> bool {
        self.url.scheme() == "http"
    }

    /// Returns true where `url` has the registry's scheme, host and port.
    pub(crate) fn owns(&self, url: &Url) -> bool {
        url.scheme() == self.url.scheme()
            && url.host() == self.url.host()
            && url.port_or_known_default() == self.url.port_or_known_default()
    }

    /// Tells how far inside the registry itself stands: its answers may point as far.
    pub(crate) fn place(&self) -> Place {
        self.url
            .host()
            .map_or(Place::Public, |host| address::place(&host))
    }

    /// Resolves what a `Location` or a `Link` said, against the address that said it.
    ///
    /// # Errors
    /// Text that is no URL, and an address that is not the registry's: neither credentials nor blobs go there.
    pub(crate) fn resolve(&self, base: &Url, location: &str) -> Result<Url, Error> {
        let url = base.join(location).map_err(|error| {
            Error::new(
                ErrorKind::Policy,
                format!("{} answered with an address that is none", self.host),
            )
            .caused_by(error)
        })?;
        if !url.username().is_empty() || url.password().is_some() {
            let message = format!("{} answered with an address that names a user", self.host);
            return Err(Error::new(ErrorKind::Policy, message));
        }
        if self.owns(&url) {
            return Ok(url);
        }
        let message = format!(
            "{} points to {}, which is not its address",
            self.host,
            SafeUrl::new(&url)
        );
        Err(Error::new(ErrorKind::Policy, message).with_hint(self.hint(&url)))
    }

    fn hint(&self, url: &Url) -> String {
        if url.host() == self.url.host() && url.scheme() == "http" && !self.is_plain() {
            return "the proxy in front of the registry should send it X-Forwarded-Proto: https".to_owned();
        }
        if url.host() == self.url.host() {
            return "the registry should be told the address and port by which it is reached".to_owned();
        }
        format!(
            "if that is the registry's address, declare it as `host: {}`",
            url.authority()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home(host: &str, plain_http: bool) -> Home {
        Home::new(&host.parse().unwrap(), plain_http).unwrap()
    }

    fn resolved(location: &str) -> Result<String, ErrorKind> {
        let home = home("r.example", false);
        let base = home.url().join("/v2/a/blobs/uploads/").unwrap();
        home.resolve(&base, location)
            .map(String::from)
            .map_err(|error| error.kind())
    }

    #[test]
    fn docker_hub_answers_by_another_name() {
        let home = home("docker.io", false);
        assert_eq!(home.url().as_str(), "https://registry-1.docker.io/");
        assert_eq!(home.host().as_str(), "docker.io");
    }

    #[test]
    fn a_location_may_be_relative_or_name_the_usual_port() {
        assert_eq!(
            resolved("x?_state=1"),
            Ok("https://r.example/v2/a/blobs/uploads/x?_state=1".into())
        );
        assert_eq!(resolved("/v2/b"), Ok("https://r.example/v2/b".into()));
        assert_eq!(
            resolved("https://R.example:443/v2/b"),
            Ok("https://r.example/v2/b".into())
        );
    }

    #[test]
    fn a_location_elsewhere_is_refused() {
        for location in [
            "https://evil.example/v2/",
            "//evil.example/v2/",
            "https://r.example:8443/v2/",
            "http://r.example/v2/",
            "http://r.example:443/v2/",
            "https://user:word@r.example/v2/",
            "https://r.example.evil.example/",
            "https://r.example@evil.example/",
            "ftp://r.example/",
            "file:///etc/passwd",
            "http://[",
        ] {
            assert_eq!(resolved(location), Err(ErrorKind::Policy), "{location}");
        }
    }

    #[test]
    fn a_lost_scheme_is_explained() {
        let home = home("r.example", false);
        let error = home.resolve(home.url(), "http://r.example/v2/").unwrap_err();
        assert!(error.hint().unwrap().contains("X-Forwarded-Proto"));
    }

    #[test]
    fn a_refused_location_does_not_print_its_state() {
        let home = home("r.example", false);
        let error = home
            .resolve(home.url(), "https://e.example/?_state=CANARY")
            .unwrap_err();
        assert!(!format!("{error:?} {error}").contains("CANARY"));
    }
}
