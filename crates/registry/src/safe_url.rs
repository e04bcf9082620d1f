//! An address that can be printed.

use std::fmt;

use url::Url;

/// Query keys whose values say nothing that opens a door. Every other value is hidden: signatures and upload
/// states go by too many names to list.
const PLAIN: &[&str] = &[
    "n",
    "last",
    "from",
    "mount",
    "digest",
    "artifactType",
    "service",
    "scope",
];

/// A URL without its user part, its fragment and the values of its query that may be signatures or states.
#[derive(Clone, PartialEq, Eq)]
pub struct SafeUrl(String);

impl SafeUrl {
    /// Makes a printable form of `url`.
    #[must_use]
    pub fn new(url: &Url) -> Self {
        let mut text = format!("{}://", url.scheme());
        text.push_str(url.host_str().unwrap_or_default());
        if let Some(port) = url.port() {
            text.push_str(&format!(":{port}"));
        }
        text.push_str(url.path());
        let mut separator = '?';
        for part in url.query().into_iter().flat_map(|query| query.split('&')) {
            text.push(separator);
            text.push_str(&hidden(part));
            separator = '&';
        }
        Self(text)
    }
}

fn hidden(part: &str) -> String {
    match part.split_once('=') {
        Some((key, _)) if PLAIN.contains(&key) => part.to_owned(),
        Some((key, _)) => format!("{key}=***"),
        None => "***".to_owned(),
    }
}

impl From<&Url> for SafeUrl {
    fn from(url: &Url) -> Self {
        Self::new(url)
    }
}

impl fmt::Display for SafeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SafeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn safe(text: &str) -> String {
        SafeUrl::new(&text.parse().unwrap()).to_string()
    }

    #[test]
    fn user_fragment_signature_and_state_are_hidden() {
        assert_eq!(
            safe("https://u:CANARY@h.example:8443/v2/x?X-Amz-Signature=CANARY&_state=CANARY&n=10#CANARY"),
            "https://h.example:8443/v2/x?X-Amz-Signature=***&_state=***&n=10"
        );
    }

    #[test]
    fn a_bare_query_is_hidden_whole() {
        assert_eq!(safe("https://h.example/x?CANARY"), "https://h.example/x?***");
    }

    #[test]
    fn what_opens_no_door_stays() {
        let text = "https://h.example/v2/_catalog?n=10&last=a";
        assert_eq!(safe(text), text);
    }
}
