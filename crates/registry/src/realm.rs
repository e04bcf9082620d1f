//! Which token service a registry may name.
//!
//! The realm is the registry's word, and a credential follows it. So it is judged before any credential is looked up.

use url::Url;

use crate::address::{self, Place};
use crate::home::Home;
use crate::{Error, ErrorKind, Reach, SafeUrl};

/// Public registries whose token service stands at another host, and that host.
const KNOWN: &[(&str, &str)] = &[
    ("registry-1.docker.io", "auth.docker.io"),
    ("registry.gitlab.com", "gitlab.com"),
];

/// A token service that passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Realm {
    pub(crate) url: Url,
    pub(crate) trust: Trust,
}

/// What a token service may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// The registry's credential.
    Credential(Reach),
    /// Questions without a credential.
    Anonymous(Reach),
}

impl Realm {
    /// Judges what a challenge of `home` names as its realm; `declared` is the configuration's word.
    ///
    /// # Errors
    /// A realm that may not even be asked anonymously.
    pub(crate) fn judge(home: &Home, declared: Option<&str>, realm: &str) -> Result<Self, Error> {
        let refused = |why: &str| Err(refusal(home, realm, why));
        let Ok(url) = home.url().join(realm) else {
            return refused("it is no address");
        };
        if !url.username().is_empty() || url.password().is_some() {
            return refused("it names a user");
        }
        match url.scheme() {
            "https" => {}
            "http" if home.is_plain() => {}
            "http" => return refused("it is not encrypted"),
            _ => return refused("it is no web address"),
        }
        if let Some(reach) = trusted(home, declared, &url) {
            let trust = Trust::Credential(reach);
            return Ok(Self { url, trust });
        }
        if let Some(reach) = harmless(home, &url) {
            let trust = Trust::Anonymous(reach);
            return Ok(Self { url, trust });
        }
        refused("it is neither the registry's address nor declared")
    }
}

/// The error of a realm that a credential may not follow.
pub(crate) fn refusal(home: &Home, realm: &str, why: &str) -> Error {
    let url = home.url().join(realm).ok();
    let shown = url.as_ref().map_or_else(
        || "an address that is none".to_owned(),
        |url| SafeUrl::new(url).to_string(),
    );
    let message = format!("{} names {shown} as its token service: {why}", home.host());
    let error = Error::new(ErrorKind::Policy, message);
    match url.as_ref().and_then(authority) {
        Some(host) => error.with_hint(format!(
            "if it is the right one, declare it: auth: {{ realm: \"{host}\" }}"
        )),
        None => error,
    }
}

/// Returns `host[:port]`, without a user part.
fn authority(url: &Url) -> Option<String> {
    let host = url.host_str()?;
    Some(
        url.port()
            .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")),
    )
}

/// Another port of the registry's host may be another's service: it is trusted no more than another host.
fn trusted(home: &Home, declared: Option<&str>, url: &Url) -> Option<Reach> {
    if home.owns(url) {
        return Some(Reach::Registry);
    }
    let known = KNOWN.iter().any(|(registry, realm)| {
        home.url().host_str() == Some(registry) && home.url().port().is_none() && is_at(url, realm)
    });
    let declared = declared.is_some_and(|declared| is_declared(url, declared));
    (known || declared).then_some(Reach::Declared)
}

/// Returns true where `url` stands at `host` and the usual port.
fn is_at(url: &Url, host: &str) -> bool {
    url.host_str() == Some(host) && url.port().is_none()
}

/// Compares with the declared realm: a whole address without its query, or a host with the port it names.
fn is_declared(url: &Url, declared: &str) -> bool {
    if declared.contains("://") {
        return Url::parse(declared).is_ok_and(|declared| {
            declared.origin() == url.origin()
                && declared.path().trim_end_matches('/') == url.path().trim_end_matches('/')
        });
    }
    Url::parse(&format!("{}://{declared}/", url.scheme())).is_ok_and(|whole| {
        whole.path() == "/" && whole.username().is_empty() && whole.origin() == url.origin()
    })
}

/// Tells how a token service is asked that gets no credential: it may not lead further inside than the registry.
fn harmless(home: &Home, url: &Url) -> Option<Reach> {
    if url.host() == home.url().host() {
        return Some(Reach::Declared);
    }
    let host = url.host()?;
    let public = matches!(host, url::Host::Domain(_)) && address::place(&host) == Place::Public;
    (public && url.scheme() == "https").then_some(Reach::Elsewhere)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(host: &str, plain_http: bool, declared: Option<&str>, realm: &str) -> Result<Trust, ErrorKind> {
        let home = Home::new(&host.parse().unwrap(), plain_http).unwrap();
        Realm::judge(&home, declared, realm)
            .map(|realm| realm.trust)
            .map_err(|error| error.kind())
    }

    const OWN: Result<Trust, ErrorKind> = Ok(Trust::Credential(Reach::Registry));
    const DECLARED: Result<Trust, ErrorKind> = Ok(Trust::Credential(Reach::Declared));
    const ANONYMOUS: Result<Trust, ErrorKind> = Ok(Trust::Anonymous(Reach::Elsewhere));
    const SAME_HOST: Result<Trust, ErrorKind> = Ok(Trust::Anonymous(Reach::Declared));
    const REFUSED: Result<Trust, ErrorKind> = Err(ErrorKind::Policy);

    #[test]
    fn the_registry_itself_may_be_its_token_service() {
        for realm in ["https://r.example/token", "https://R.EXAMPLE:443/token", "/token"] {
            assert_eq!(judge("r.example", false, None, realm), OWN, "{realm}");
        }
        assert_eq!(
            judge("127.0.0.1:5000", true, None, "http://127.0.0.1:5000/token"),
            OWN
        );
    }

    #[test]
    fn another_port_of_the_same_host_gets_a_credential_only_where_it_is_declared() {
        for (host, plain, realm) in [
            ("r.example:5000", false, "https://R.EXAMPLE:5001/token"),
            ("127.0.0.1:5000", true, "http://127.0.0.1:5001/token"),
            ("127.0.0.1:5000", true, "https://127.0.0.1:5000/token"),
        ] {
            assert_eq!(judge(host, plain, None, realm), SAME_HOST, "{realm}");
        }
        assert_eq!(
            judge(
                "r.example:5000",
                false,
                Some("r.example:5001"),
                "https://r.example:5001/token"
            ),
            DECLARED
        );
    }

    #[test]
    fn known_pairs_are_trusted_in_one_direction_and_at_the_usual_port() {
        assert_eq!(
            judge("docker.io", false, None, "https://auth.docker.io/token"),
            DECLARED
        );
        assert_eq!(
            judge("registry.gitlab.com", false, None, "https://gitlab.com/jwt/auth"),
            DECLARED
        );
        assert_eq!(
            judge("docker.io", false, None, "https://auth.docker.io:8443/token"),
            ANONYMOUS
        );
        assert_eq!(
            judge("docker.io", false, None, "http://auth.docker.io/token"),
            REFUSED
        );
        assert_eq!(
            judge("r.example", false, None, "https://auth.docker.io/token"),
            ANONYMOUS
        );
        assert_eq!(
            judge("docker.io:444", false, None, "https://auth.docker.io/token"),
            ANONYMOUS
        );
    }

    #[test]
    fn a_declared_realm_is_trusted_as_written() {
        let host = Some("auth.corp.example");
        assert_eq!(
            judge("r.example", false, host, "https://auth.corp.example/token"),
            DECLARED
        );
        assert_eq!(
            judge("r.example", false, host, "https://auth.corp.example:8443/token"),
            ANONYMOUS
        );
        assert_eq!(
            judge("r.example", false, host, "http://auth.corp.example/token"),
            REFUSED
        );
        let ported = Some("10.0.0.7:8443");
        assert_eq!(
            judge("r.example", false, ported, "https://10.0.0.7:8443/token"),
            DECLARED
        );
        assert_eq!(
            judge("r.example", false, ported, "https://10.0.0.7/token"),
            REFUSED
        );
        let whole = Some("https://10.0.0.7/token");
        assert_eq!(
            judge("r.example", false, whole, "https://10.0.0.7/token?x=1"),
            DECLARED
        );
        assert_eq!(
            judge("r.example", false, whole, "https://10.0.0.7/other"),
            REFUSED
        );
        assert_eq!(
            judge("r.example", false, Some("u@10.0.0.7"), "https://10.0.0.7/token"),
            REFUSED
        );
    }

    #[test]
    fn another_public_name_is_asked_without_a_credential() {
        for realm in [
            "https://evil.example/token",
            "https://r.example.evil.example/token",
            "https://xr.example/token",
        ] {
            assert_eq!(judge("r.example", false, None, realm), ANONYMOUS, "{realm}");
        }
    }

    #[test]
    fn what_leads_inside_is_refused_in_every_spelling() {
        for host in [
            "127.0.0.1",
            "localhost",
            "localhost.",
            "x.localhost",
            "169.254.169.254",
            "2852039166",
            "0xA9FEA9FE",
            "0251.0376.0251.0376",
            "0xa9.254.0251.254",
            "[::ffff:a9fe:a9fe]",
            "[::ffff:169.254.169.254]",
            "[64:ff9b::a9fe:a9fe]",
            "[64:ff9b:1::a9fe:a9fe]",
            "[fd00:ec2::254]",
            "[::1]",
            "[::]",
            "0.0.0.0",
            "0",
            "100.100.100.200",
            "10.1.2.3",
            "192.168.0.1",
            "172.31.0.1",
            "8.8.8.8",
            "[2606:4700::1]",
            "metadata.google.internal",
            "metadata",
            "token-service",
        ] {
            let realm = format!("https://{host}/token");
            assert_eq!(judge("r.example", false, None, &realm), REFUSED, "{realm}");
        }
    }

    #[test]
    fn odd_addresses_are_refused() {
        for realm in [
            "https://r.example@evil.example/token",
            "https://user:word@r.example/token",
            "http://r.example/token",
            "file:///etc/passwd",
            "ftp://r.example/token",
            "https://",
            "javascript:alert(1)",
        ] {
            assert_eq!(judge("r.example", false, None, realm), REFUSED, "{realm}");
        }
    }

    #[test]
    fn another_host_in_plain_text_is_refused_even_to_a_plain_registry() {
        assert_eq!(
            judge("127.0.0.1:5000", true, None, "http://evil.example/token"),
            REFUSED
        );
        assert_eq!(
            judge("127.0.0.1:5000", true, None, "http://127.0.0.2:5001/token"),
            REFUSED
        );
    }

    #[test]
    fn a_refusal_says_what_to_declare_and_hides_the_query() {
        let home = Home::new(&"r.example".parse().unwrap(), false).unwrap();
        let error = Realm::judge(&home, None, "https://10.0.0.7:8443/token?x=CANARY").unwrap_err();
        assert_eq!(
            error.hint(),
            Some("if it is the right one, declare it: auth: { realm: \"10.0.0.7:8443\" }")
        );
        assert!(!format!("{error} {error:?}").contains("CANARY"));
    }
}
