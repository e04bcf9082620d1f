//! A docker or podman file, to be changed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use oci::Host;
use serde::Serialize as _;
use serde_json::ser::{PrettyFormatter, Serializer};

use super::docker_config::is_for_host;
use super::helper::server;
use super::ordered::{Members, Node};
use crate::Secret;

const AUTHS: &str = "auths";

/// A docker `config.json` or podman `auth.json`, to be changed and written back: what is not changed stays, in its order.
#[derive(Clone)]
pub struct DockerDocument(Members);

/// Why a document can't be changed. Nothing of it is quoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// The text is something else.
    #[error("it is no JSON object")]
    NoObject,
    /// There is something else under `auths`.
    #[error("`auths` in it is no object")]
    NoAuths,
}

impl DockerDocument {
    /// Reads a document. Nothing at all reads as an empty one.
    ///
    /// # Errors
    /// What is no JSON object, and `auths` that are none.
    pub fn read(bytes: &[u8]) -> Result<Self, DocumentError> {
        if bytes.trim_ascii().is_empty() {
            return Ok(Self(Members::default()));
        }
        // The reader of these files is strict about nesting and about keys that stand twice.
        oci::read_json(bytes).map_err(|_| DocumentError::NoObject)?;
        let Ok(Node::Object(members)) = serde_json::from_slice(bytes) else {
            return Err(DocumentError::NoObject);
        };
        match members.get(AUTHS) {
            None | Some(Node::Object(_)) => Ok(Self(members)),
            Some(node) if node.is_null() => Ok(Self(members)),
            Some(_) => Err(DocumentError::NoAuths),
        }
    }

    /// Returns the helper that keeps the credential of `host`: its own, or the one for all; none where the file does.
    #[must_use]
    pub fn helper(&self, host: &Host) -> Option<&str> {
        let own = match self.0.get("credHelpers") {
            Some(Node::Object(helpers)) => helpers.0.iter().find(|(key, _)| is_for_host(key, host)),
            _ => None,
        };
        let store = self.0.get("credsStore");
        let named = own.map(|(_, helper)| helper).or(store).and_then(Node::as_text);
        named.filter(|name| !name.is_empty())
    }

    /// Puts a password into the file, in place of what it has for the host as a whole. The user must not contain a colon.
    ///
    /// It is encoded, as docker does it, and not encrypted.
    pub fn keep(&mut self, host: &Host, username: &str, password: &Secret) {
        let pair = Secret::new(format!("{username}:{}", password.expose()));
        let auth = ("auth".to_owned(), Node::text(STANDARD.encode(pair.expose())));
        self.put(host, Node::Object(Members(vec![auth])));
    }

    /// Notes, as docker does it, that a helper has the credential of a host.
    pub fn note_helper(&mut self, host: &Host) {
        self.put(host, Node::Object(Members::default()));
    }

    /// Takes out what stands for the host as a whole, under any of its names. Returns false where there was nothing.
    ///
    /// podman's entries for single repositories stay.
    pub fn forget(&mut self, host: &Host) -> bool {
        let auths = self.auths();
        let before = auths.len();
        auths.retain(|(key, _)| !is_for_host(key, host));
        auths.len() < before
    }

    /// Lays the document out as docker does.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut serializer = Serializer::with_formatter(&mut bytes, PrettyFormatter::with_indent(b"\t"));
        self.0
            .serialize(&mut serializer)
            .expect("JSON that was read can be written");
        bytes.push(b'\n');
        bytes
    }

    /// Puts the one entry of a host where its first one stood. Two would make it a matter of chance which is read.
    fn put(&mut self, host: &Host, entry: Node) {
        let auths = self.auths();
        let first = auths.iter().position(|(key, _)| is_for_host(key, host));
        auths.retain(|(key, _)| !is_for_host(key, host));
        auths.insert(first.unwrap_or(auths.len()), (server(host), entry));
    }

    fn auths(&mut self) -> &mut Vec<(String, Node)> {
        let auths = self.0.entry(AUTHS, Node::Object(Members::default()));
        if !matches!(auths, Node::Object(_)) {
            *auths = Node::Object(Members::default());
        }
        match auths {
            Node::Object(members) => &mut members.0,
            Node::List(_) | Node::Leaf(_) => unreachable!("it was made an object"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::docker_config::DockerConfig;
    use super::*;
    use crate::Credential;

    fn host(text: &str) -> Host {
        text.parse().unwrap()
    }

    fn read(text: &str) -> DockerDocument {
        DockerDocument::read(text.as_bytes()).ok().unwrap()
    }

    fn text(document: DockerDocument) -> String {
        String::from_utf8(document.into_bytes()).unwrap()
    }

    fn kept(before: &str, name: &str) -> String {
        let mut document = read(before);
        document.keep(&host(name), "u", &Secret::new("p:w"));
        text(document)
    }

    #[test]
    fn what_is_kept_is_read_back() {
        for name in ["r.example:5000", "docker.io", "localhost", "[::1]:5000"] {
            let written = kept("", name);
            let config = DockerConfig::read(written.as_bytes()).unwrap();
            let expected = Credential::Basic {
                username: "u".to_owned(),
                password: "p:w".into(),
            };
            assert_eq!(
                config.credential(&host(name), None),
                Ok(Some(expected)),
                "{written}"
            );
        }
    }

    #[test]
    fn what_is_not_changed_stays_in_its_order() {
        let before = r#"{"psFormat":"t","auths":{"z.example":{"auth":"eDp5"},"a.example":{"email":"e"}},"HttpHeaders":{"X":"1"}}"#;
        assert_eq!(
            kept(before, "r.example"),
            "{\n\t\"psFormat\": \"t\",\n\t\"auths\": {\n\t\t\"z.example\": {\n\t\t\t\"auth\": \"eDp5\"\n\t\t},\n\t\t\
             \"a.example\": {\n\t\t\t\"email\": \"e\"\n\t\t},\n\t\t\"r.example\": {\n\t\t\t\"auth\": \"dTpwOnc=\"\n\t\t}\n\t},\n\t\
             \"HttpHeaders\": {\n\t\t\"X\": \"1\"\n\t}\n}\n"
        );
    }

    #[test]
    fn docker_hub_has_one_entry_whatever_it_was_called() {
        let before =
            r#"{"auths":{"docker.io":{"auth":"eDp5"},"r.example":{},"https://registry-1.docker.io/v2/":{}}}"#;
        let after: serde_json::Value = serde_json::from_str(&kept(before, "index.docker.io")).unwrap();
        assert_eq!(
            after,
            serde_json::json!({ "auths": { "https://index.docker.io/v1/": { "auth": "dTpwOnc=" }, "r.example": {} } })
        );
    }

    #[test]
    fn a_host_is_forgotten_under_all_its_names_and_its_repositories_stay() {
        let mut document = read(
            r#"{"auths":{"r.example":{},"https://r.example/v1/":{},"r.example/team":{"auth":"eDp5"},"s.example":{}}}"#,
        );
        assert!(document.forget(&host("r.example")));
        assert!(!document.forget(&host("r.example")));
        let after: serde_json::Value = serde_json::from_str(&text(document)).unwrap();
        let expected =
            serde_json::json!({ "auths": { "r.example/team": { "auth": "eDp5" }, "s.example": {} } });
        assert_eq!(after, expected);
    }

    #[test]
    fn a_hosts_own_helper_comes_before_the_store() {
        let document = read(r#"{"credHelpers":{"r.example":"own"},"credsStore":"store"}"#);
        assert_eq!(document.helper(&host("r.example")), Some("own"));
        assert_eq!(document.helper(&host("s.example")), Some("store"));
        assert_eq!(read(r#"{"credsStore":""}"#).helper(&host("s.example")), None);
    }

    #[test]
    fn a_helpers_host_gets_an_empty_entry() {
        let mut document = read(r#"{"auths":null}"#);
        document.note_helper(&host("r.example"));
        let after: serde_json::Value = serde_json::from_str(&text(document)).unwrap();
        assert_eq!(after, serde_json::json!({ "auths": { "r.example": {} } }));
    }

    #[test]
    fn what_is_no_document_is_left_alone() {
        let error = |text: &str| DockerDocument::read(text.as_bytes()).err();
        assert_eq!(error("[]"), Some(DocumentError::NoObject));
        assert_eq!(error("{"), Some(DocumentError::NoObject));
        assert_eq!(error(r#"{"auths":[]}"#), Some(DocumentError::NoAuths));
        assert!(error(" ").is_none());
    }
}
