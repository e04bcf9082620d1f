//! Where credentials may be sent.

use url::{Host, Url};

/// Says whether a credential may be sent to an address of an API: over HTTPS, within this machine, or in the clear where the
/// registry itself is asked over plain HTTP.
#[must_use]
pub fn takes_credentials(address: &Url, plain_http: bool) -> bool {
    match address.scheme() {
        "https" => true,
        "http" => plain_http || is_loopback(address),
        _ => false,
    }
}

fn is_loopback(address: &Url) -> bool {
    match address.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_leave_the_machine_over_https_alone_unless_plain_http_is_asked_for() {
        for (address, over_https, over_plain_http) in [
            ("https://api.example/", true, true),
            ("http://api.example/", false, true),
            ("http://localhost:5000/", true, true),
            ("http://localhost.example/", false, true),
            ("http://127.0.0.1:5000/", true, true),
            ("http://[::1]:5000/", true, true),
            ("http://10.0.0.1/", false, true),
            ("ftp://127.0.0.1/", false, false),
        ] {
            let address: Url = address.parse().unwrap();
            assert_eq!(takes_credentials(&address, false), over_https, "{address}");
            assert_eq!(takes_credentials(&address, true), over_plain_http, "{address}");
        }
    }
}
