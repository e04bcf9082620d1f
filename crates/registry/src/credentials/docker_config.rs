//! What a docker or podman file says.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use oci::{Host, RepositoryName};
use serde_json::Value;

use crate::{Credential, Secret};

/// A parsed docker `config.json` or podman `auth.json`.
pub(super) struct DockerConfig {
    auths: BTreeMap<String, Value>,
    helpers: BTreeMap<String, String>,
    store: Option<String>,
}

/// What an entry has that no reader can use.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Malformed {
    #[error("it is no JSON object")]
    Document,
    #[error("an entry under `auths` can't be read")]
    Entry,
}

impl DockerConfig {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        if bytes.trim_ascii().is_empty() {
            return Self::of(&Value::Object(serde_json::Map::new()));
        }
        Self::of(&oci::read_json(bytes).map_err(|_| Malformed::Document)?)
    }

    fn of(document: &Value) -> Result<Self, Malformed> {
        let document = document.as_object().ok_or(Malformed::Document)?;
        let map = |key: &str| {
            let pairs = document.get(key).and_then(Value::as_object).into_iter().flatten();
            pairs.map(|(key, value)| (key.clone(), value.clone()))
        };
        Ok(Self {
            auths: map("auths").collect(),
            helpers: map("credHelpers")
                .filter_map(|(key, helper)| Some((key, helper.as_str()?.to_owned())))
                .collect(),
            store: document
                .get("credsStore")
                .and_then(Value::as_str)
                .filter(|store| !store.is_empty())
                .map(str::to_owned),
        })
    }

    /// Returns the helpers to ask for `host`, the host's own first.
    pub(super) fn helpers(&self, host: &Host) -> Vec<&str> {
        let own = self.helpers.iter().find(|(key, _)| is_for_host(key, host));
        own.map(|(_, helper)| helper)
            .into_iter()
            .chain(&self.store)
            .map(String::as_str)
            .collect()
    }

    /// Returns the credential of the longest key that matches.
    ///
    /// # Errors
    /// An entry that matches and can't be read.
    pub(super) fn credential(
        &self,
        host: &Host,
        repository: Option<&RepositoryName>,
    ) -> Result<Option<Credential>, Malformed> {
        let best = self
            .auths
            .iter()
            .filter_map(|(key, entry)| Some((matched(key, host, repository)?, entry)))
            .max_by_key(|(length, _)| *length);
        best.map_or(Ok(None), |(_, entry)| credential(entry))
    }
}

/// Returns how much of the repository a key names; `None` where it is about something else.
///
/// docker writes hosts and addresses (`https://index.docker.io/v1/`), podman also `host/namespace/repository`.
fn matched(key: &str, host: &Host, repository: Option<&RepositoryName>) -> Option<usize> {
    if is_for_host(key, host) {
        return Some(0);
    }
    let (authority, path) = key.split_once('/')?;
    let names_host = authority.parse::<Host>().is_ok_and(|named| named == *host);
    let rest = repository?.as_str().strip_prefix(path)?;
    let whole_segments = rest.is_empty() || rest.starts_with('/');
    (names_host && !path.is_empty() && whole_segments).then_some(path.len())
}

/// Returns true where a key names the host as a whole: bare, or as an address with any path.
pub(super) fn is_for_host(key: &str, host: &Host) -> bool {
    let bare = key
        .strip_prefix("https://")
        .or_else(|| key.strip_prefix("http://"));
    let (authority, path) = match bare.unwrap_or(key).split_once('/') {
        Some((authority, path)) => (authority, path.trim_end_matches('/')),
        None => (bare.unwrap_or(key), ""),
    };
    let whole = bare.is_some() || matches!(path, "" | "v1" | "v2");
    whole && authority.parse::<Host>().is_ok_and(|named| named == *host)
}

fn credential(entry: &Value) -> Result<Option<Credential>, Malformed> {
    let text = |key: &str| {
        entry
            .get(key)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
    };
    if let Some(token) = text("identitytoken") {
        return Ok(Some(Credential::IdentityToken(token.into())));
    }
    if let Some(token) = text("registrytoken") {
        return Ok(Some(Credential::Bearer(token.into())));
    }
    if let Some(auth) = text("auth") {
        return pair(auth).ok_or(Malformed::Entry).map(Some);
    }
    // An empty entry says that a helper keeps the rest.
    Ok(text("username")
        .zip(text("password"))
        .map(|(username, password)| Credential::Basic {
            username: username.to_owned(),
            password: password.into(),
        }))
}

fn pair(auth: &str) -> Option<Credential> {
    const CONFIG: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    const LENIENT: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::STANDARD, CONFIG);
    let decoded = Secret::new(String::from_utf8(LENIENT.decode(auth.trim()).ok()?).ok()?);
    let (username, password) = decoded.expose().split_once(':')?;
    let password = password.trim_end_matches('\0');
    (!username.is_empty() && !password.is_empty()).then(|| Credential::Basic {
        username: username.to_owned(),
        password: password.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(text: &str, host: &str, repository: Option<&str>) -> Option<String> {
        let config = DockerConfig::read(text.as_bytes()).unwrap();
        let repository = repository.map(|name| name.parse().unwrap());
        match config
            .credential(&host.parse().unwrap(), repository.as_ref())
            .unwrap()?
        {
            Credential::Basic { username, .. } => Some(username),
            other => panic!("{other:?}"),
        }
    }

    fn auths(keys: &[&str]) -> String {
        let entries: Vec<String> = keys
            .iter()
            .map(|key| format!(r#""{key}":{{"username":"{key}","password":"p"}}"#))
            .collect();
        format!(r#"{{"auths":{{{}}}}}"#, entries.join(","))
    }

    #[test]
    fn docker_hub_has_many_names() {
        for key in [
            "https://index.docker.io/v1/",
            "index.docker.io",
            "docker.io",
            "registry-1.docker.io",
            "https://registry-1.docker.io/v2/",
        ] {
            assert_eq!(
                user(&auths(&[key]), "docker.io", None).as_deref(),
                Some(key),
                "{key}"
            );
        }
    }

    #[test]
    fn a_host_matches_itself_alone() {
        let config = auths(&["r.example", "r.example:5000", "https://s.example/any/path"]);
        assert_eq!(
            user(&config, "r.example:5000", None).as_deref(),
            Some("r.example:5000")
        );
        assert_eq!(
            user(&config, "s.example", None).as_deref(),
            Some("https://s.example/any/path")
        );
        assert_eq!(user(&config, "x.r.example", None), None);
        assert_eq!(user(&config, "r.example.evil.example", None), None);
    }

    #[test]
    fn the_longest_prefix_of_whole_segments_wins() {
        let config = auths(&["r.example", "r.example/a", "r.example/a/b"]);
        for (repository, expected) in [
            (Some("a/b/c"), "r.example/a/b"),
            (Some("a/b"), "r.example/a/b"),
            (Some("a/bc"), "r.example/a"),
            (Some("ab"), "r.example"),
            (None, "r.example"),
        ] {
            assert_eq!(
                user(&config, "r.example", repository).as_deref(),
                Some(expected),
                "{repository:?}"
            );
        }
        assert_eq!(user(&auths(&["r.example/a"]), "r.example", None), None);
    }

    fn entry(json: &str) -> Result<Option<Credential>, Malformed> {
        credential(&serde_json::from_str(json).unwrap())
    }

    #[test]
    fn entries_are_read_in_every_form() {
        let basic = |username: &str, password: &str| {
            Ok(Some(Credential::Basic {
                username: username.to_owned(),
                password: password.into(),
            }))
        };
        assert_eq!(entry(r#"{"auth":"dTpwOnc="}"#), basic("u", "p:w"));
        assert_eq!(entry(r#"{"auth":"dTpwOnc"}"#), basic("u", "p:w"));
        assert_eq!(entry(r#"{"username":"u","password":"p"}"#), basic("u", "p"));
        let identity = Ok(Some(Credential::IdentityToken("t".into())));
        assert_eq!(entry(r#"{"auth":"PHRva2VuPjo=","identitytoken":"t"}"#), identity);
        assert_eq!(
            entry(r#"{"registrytoken":"t"}"#),
            Ok(Some(Credential::Bearer("t".into())))
        );
        assert_eq!(entry("{}"), Ok(None));
        for broken in [
            r#"{"auth":"***"}"#,
            r#"{"auth":"dQ=="}"#,
            r#"{"auth":"Og=="}"#,
            r#"{"auth":"/w=="}"#,
        ] {
            assert_eq!(entry(broken), Err(Malformed::Entry), "{broken}");
        }
    }

    #[test]
    fn a_host_has_its_own_helper_before_the_store() {
        let config = br#"{"credHelpers":{"r.example":"own"},"credsStore":"store"}"#;
        let config = DockerConfig::read(config).unwrap();
        assert_eq!(config.helpers(&"r.example".parse().unwrap()), ["own", "store"]);
        assert_eq!(config.helpers(&"s.example".parse().unwrap()), ["store"]);
    }

    #[test]
    fn an_empty_file_says_nothing_and_nonsense_is_told() {
        assert!(DockerConfig::read(b" \n").is_ok());
        assert!(DockerConfig::read(b"{}").is_ok());
        assert_eq!(DockerConfig::read(b"[]").err(), Some(Malformed::Document));
        assert_eq!(DockerConfig::read(b"{").err(), Some(Malformed::Document));
    }
}
