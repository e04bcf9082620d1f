//! Reading `auth`. No message here repeats a value.

use super::connection::{Auth, SecretReference};
use super::decode::{Decoder, Fields, placeholder};
use super::diagnostic::Diagnostic;
use super::node::{Entry, Node};

/// The ways to sign in of which an `auth` takes one, with the key that each starts from.
const WAYS: [&str; 5] = ["anonymous", "username", "token", "helper", "docker_config"];

/// The kinds of places that a secret is read from.
pub(crate) const SECRET_KINDS: [&str; 2] = ["env", "file"];

/// The keys that only one provider understands.
const CLOUD_KEYS: [(&str, &[&str]); 3] = [
    ("ecr", &["profile", "role_arn", "external_id", "region"]),
    ("gar", &["impersonate", "key_file"]),
    (
        "acr",
        &["tenant_id", "client_id", "client_secret", "audience", "authority"],
    ),
];

/// What the address of a service account looks like.
const ACCOUNT: &str = "NAME@PROJECT.iam.gserviceaccount.com";

/// Every key of `auth`.
pub(crate) const AUTH_KEYS: [&str; 19] = [
    "anonymous",
    "username",
    "password",
    "token",
    "helper",
    "docker_config",
    "realm",
    "endpoint",
    "profile",
    "role_arn",
    "external_id",
    "region",
    "impersonate",
    "key_file",
    "tenant_id",
    "client_id",
    "client_secret",
    "audience",
    "authority",
];

impl Decoder<'_> {
    /// Reads `auth` of a registry whose provider is known, unless it can't be.
    pub(crate) fn auth(&mut self, node: &Node, provider: Option<&str>) -> Option<Auth> {
        if node.text().is_some_and(|(text, _)| text == "anonymous") {
            return Some(Auth {
                anonymous: Some(true),
                ..Auth::default()
            });
        }
        let fields = self.fields(node, "`auth`", &AUTH_KEYS)?;
        self.one_way(fields);
        self.one_cloud(fields, provider);
        self.needs(fields, "external_id", "role_arn");
        self.needs(fields, "client_secret", "client_id");
        let auth = Auth {
            anonymous: fields
                .get("anonymous")
                .and_then(|node| self.boolean(node, "anonymous")),
            username: self.auth_text(fields, "username"),
            password: self.secret(fields, "password"),
            token: self.secret(fields, "token"),
            helper: self.auth_text(fields, "helper"),
            docker_config: self.auth_text(fields, "docker_config"),
            realm: self.auth_text(fields, "realm"),
            endpoint: self.auth_text(fields, "endpoint"),
            profile: self.auth_text(fields, "profile"),
            role_arn: self.auth_text(fields, "role_arn"),
            external_id: self.auth_text(fields, "external_id"),
            region: self.auth_text(fields, "region"),
            impersonate: self.impersonate(fields),
            key_file: self.auth_text(fields, "key_file"),
            tenant_id: self.auth_text(fields, "tenant_id"),
            client_id: self.auth_text(fields, "client_id"),
            client_secret: self.secret(fields, "client_secret"),
            audience: self.auth_text(fields, "audience"),
            authority: self.auth_text(fields, "authority"),
        };
        Some(auth)
    }

    fn auth_text(&mut self, fields: Fields<'_>, key: &str) -> Option<String> {
        let node = fields.get(key)?;
        Some(
            self.text(node, &format!("`{key}`, text"), &format!("{key}: \"...\""))?
                .written,
        )
    }

    /// Reads a secret by where it stands. A secret that stands here itself is refused and not repeated.
    fn secret(&mut self, fields: Fields<'_>, key: &str) -> Option<SecretReference> {
        let node = fields.get(key)?;
        let help = format!("name where it stands: {key}: {{ env: NAME }} or {key}: {{ file: PATH }}");
        if node.text().is_some() || placeholder(node).is_some() {
            let message = format!("`{key}` stands in the configuration itself");
            let help = format!("{help}, and change the secret");
            self.tell(Diagnostic::new(node.span, message, help));
            return None;
        }
        if node.map().is_none() {
            self.wrong_type(node, &format!("`{key}`, a map"), &help);
            return None;
        }
        let reference = self.fields(node, &format!("`{key}`"), &SECRET_KINDS)?;
        let known: Vec<&Entry> = SECRET_KINDS
            .iter()
            .filter_map(|kind| reference.entry(kind))
            .collect();
        match known.as_slice() {
            [entry] if let Some((text, _)) = entry.value.text() => Some(match entry.key.as_str() {
                "env" => SecretReference::Env(text.to_owned()),
                _ => SecretReference::File(text.to_owned()),
            }),
            [] if !reference.entries().is_empty() => None,
            _ => {
                let message = format!("`{key}` takes either `env` or `file`, with text");
                self.tell(Diagnostic::new(reference.span, message, help));
                None
            }
        }
    }

    fn one_way(&mut self, fields: Fields<'_>) {
        let ways: Vec<_> = WAYS.iter().filter_map(|way| fields.entry(way)).collect();
        if let [first, .., last] = ways.as_slice() {
            let message = format!("`{}` and `{}` are two ways to sign in", first.key, last.key);
            let problem = Diagnostic::new(last.key_span, message, "keep the one that is meant");
            self.tell(problem.also(first.key_span));
        }
        self.both(fields, "username", "password");
    }

    /// Tells the one of two keys that stands without the other.
    pub(crate) fn both(&mut self, fields: Fields<'_>, left: &str, right: &str) {
        self.needs(fields, left, right);
        self.needs(fields, right, left);
    }

    /// Tells a key that stands without another that it is nothing without.
    pub(crate) fn needs(&mut self, fields: Fields<'_>, key: &str, other: &str) {
        if let (Some(entry), None) = (fields.entry(key), fields.entry(other)) {
            let message = format!("`{key}` without `{other}`");
            self.tell(Diagnostic::new(
                entry.key_span,
                message,
                format!("add `{other}` beside it"),
            ));
        }
    }

    /// Reads the service account to act as, which is named by its address.
    fn impersonate(&mut self, fields: Fields<'_>) -> Option<String> {
        let node = fields.get("impersonate")?;
        let text = self.text(node, "`impersonate`, text", &format!("impersonate: {ACCOUNT}"))?;
        let is_address = |value: &str| {
            let parts: Vec<&str> = value.split('@').collect();
            matches!(parts.as_slice(), [name, domain] if !name.is_empty() && domain.contains('.'))
        };
        if text.value.as_deref().is_some_and(|value| !is_address(value)) {
            let message = "`impersonate` is no service account's address";
            let help = format!("it looks like {ACCOUNT}");
            self.tell(Diagnostic::new(node.span, message, help));
        }
        Some(text.written)
    }

    fn one_cloud(&mut self, fields: Fields<'_>, provider: Option<&str>) {
        let Some(provider) = provider else { return };
        for (cloud, keys) in CLOUD_KEYS.iter().filter(|(cloud, _)| *cloud != provider) {
            for entry in keys.iter().filter_map(|key| fields.entry(key)) {
                let message = format!(
                    "`{}` is for provider `{cloud}`, this registry's is `{provider}`",
                    entry.key
                );
                let help = format!("where the host does not tell it, say `provider: {cloud}` beside `host`");
                self.tell(Diagnostic::new(entry.key_span, message, help));
            }
        }
    }
}
