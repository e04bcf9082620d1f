//! The registries of a draft, each under a name of its own.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use oci::{Host, Reference};

/// A registry, and how it is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Settings {
    /// The host, in our syntax.
    pub(super) host: String,
    pub(super) plain_http: bool,
    pub(super) insecure_skip_verify: bool,
    /// `ca`, `client_cert` and `client_key`.
    pub(super) tls: BTreeMap<&'static str, String>,
    pub(super) auth: Option<Auth>,
    /// `concurrency` and `requests_per_second`.
    pub(super) limits: BTreeMap<&'static str, u64>,
    /// What the user is told beside it.
    pub(super) comments: Vec<String>,
}

/// Who signs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Auth {
    Anonymous,
    Helper(String),
    Token(Secret),
    Basic { username: String, password: Secret },
}

/// Where a secret will stand. The secret itself is never kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Secret {
    Env(String),
    File(String),
    /// In a variable named after the registry. The number tells one secret from another and gives nothing of it away.
    Own(u64),
}

/// Returns where a secret will stand that stood in the file itself.
pub(super) fn own(secret: &str) -> Secret {
    let mut hasher = DefaultHasher::new();
    secret.hash(&mut hasher);
    Secret::Own(hasher.finish())
}

/// A registry of a [`Book`], by its position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Id(usize);

/// The registries.
#[derive(Debug, Default)]
pub(super) struct Book {
    entries: Vec<(String, Settings)>,
    /// Other hosts that the files call a registry by.
    aliases: BTreeMap<Host, Id>,
    /// Who signs in below a path, `HOST[/PATH]`.
    claims: BTreeMap<String, Id>,
}

impl Book {
    /// Declares a registry, unless the very same is declared.
    pub(super) fn declare(&mut self, settings: Settings) -> Id {
        let same = |(_, entry): &(String, Settings)| *entry == settings;
        if let Some(at) = self.entries.iter().position(same) {
            return Id(at);
        }
        let name = self.free_name(&settings.host);
        self.entries.push((name, settings));
        Id(self.entries.len() - 1)
    }

    /// Returns the first registry that is declared for a host, and declares it where there is none.
    pub(super) fn host(&mut self, host: &Host) -> Id {
        if let Some(id) = self.aliases.get(host) {
            return *id;
        }
        let found = self
            .entries
            .iter()
            .position(|(_, entry)| entry.host == host.as_str());
        found.map_or_else(
            || {
                self.declare(Settings {
                    host: host.to_string(),
                    ..Settings::default()
                })
            },
            Id,
        )
    }

    /// Lets a host mean a registry that answers elsewhere.
    pub(super) fn alias(&mut self, host: &Host, id: Id) {
        self.aliases.insert(host.clone(), id);
    }

    /// Lets a registry stand for everything below `HOST[/PATH]`.
    pub(super) fn claim(&mut self, prefix: &str, id: Id) {
        self.claims.insert(prefix.to_owned(), id);
    }

    /// Returns the registry for a repository by the longest claim, and how many claims there are.
    pub(super) fn below(&mut self, reference: &Reference) -> (Id, usize) {
        let whole = format!("{}/{}", reference.host, reference.repository);
        let holds = |prefix: &&String| {
            let rest = whole.strip_prefix(prefix.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let claims: Vec<&String> = self.claims.keys().filter(holds).collect();
        match claims.iter().max_by_key(|prefix| prefix.len()) {
            Some(longest) => (self.claims[*longest], claims.len()),
            None => (self.host(&reference.host), 0),
        }
    }

    pub(super) fn name(&self, id: Id) -> &str {
        &self.entries[id.0].0
    }

    /// Returns the variable for the secret of a registry.
    pub(super) fn variable(&self, id: Id) -> String {
        variable(self.name(id))
    }

    /// Returns a reference that starts with the name of a registry.
    pub(super) fn reference(&self, id: Id, path: &str) -> String {
        format!("{}/{path}", self.name(id))
    }

    /// Takes a registry out, and returns its name.
    pub(super) fn drop_at(&mut self, position: usize) -> Option<String> {
        (position < self.entries.len()).then(|| self.entries.remove(position).0)
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = (&str, &Settings)> {
        self.entries
            .iter()
            .map(|(name, settings)| (name.as_str(), settings))
    }

    fn free_name(&self, host: &str) -> String {
        let base = name_of(host);
        let taken = |name: &str| {
            self.entries
                .iter()
                .any(|(other, _)| variable(other) == variable(name))
        };
        std::iter::once(base.clone())
            .chain((2..=self.entries.len() + 2).map(|number| format!("{base}-{number}")))
            .find(|name| !taken(name))
            .unwrap_or(base)
    }
}

/// Makes a name of a host that no one takes for a host.
fn name_of(host: &str) -> String {
    if host == "docker.io" {
        return "hub".to_owned();
    }
    let words: Vec<&str> = host
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    match words.join("-").to_ascii_lowercase() {
        name if name.is_empty() => "registry".to_owned(),
        name if name == "localhost" => "local".to_owned(),
        name => name,
    }
}

/// Returns the variable for the secret of the registry of that name.
pub(super) fn variable(name: &str) -> String {
    let upper = name.to_ascii_uppercase().replace('-', "_");
    let start = match upper.starts_with(|c: char| c.is_ascii_digit()) {
        true => "REGISTRY_",
        false => "",
    };
    format!("{start}{upper}_PASSWORD")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(host: &str, plain_http: bool) -> Settings {
        Settings {
            host: host.to_owned(),
            plain_http,
            ..Settings::default()
        }
    }

    #[test]
    fn each_registry_has_a_name_and_a_variable_of_its_own() {
        let mut book = Book::default();
        let ids = [
            book.declare(settings("a.b:5000", false)),
            book.declare(settings("a-b.5000", false)),
            book.declare(settings("a.b:5000", true)),
            book.declare(settings("localhost", false)),
            book.declare(settings("127.0.0.1:5000", false)),
            book.declare(settings("${DESTINATION}", false)),
        ];
        let names = ids.map(|id| book.name(id).to_owned());
        assert_eq!(
            names,
            [
                "a-b-5000",
                "a-b-5000-2",
                "a-b-5000-3",
                "local",
                "127-0-0-1-5000",
                "destination"
            ]
        );
        assert_eq!(book.variable(ids[4]), "REGISTRY_127_0_0_1_5000_PASSWORD");
        assert_eq!(book.declare(settings("localhost", false)), ids[3]);
        assert_eq!(book.host(&"localhost".parse().unwrap()), ids[3]);
    }
}
