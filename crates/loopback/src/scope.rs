//! What a token allows.

use std::collections::BTreeSet;
use std::fmt;

use http::Method;

use crate::route::{Resource, Route};
use crate::service::Call;

/// A resource and actions on it: `repository:library/alpine:pull,push`.
///
/// <https://distribution.github.io/distribution/spec/auth/scope/>
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scope {
    /// `repository:library/alpine` or `registry:catalog`.
    resource: String,
    actions: BTreeSet<String>,
}

impl Scope {
    fn new(resource: String, actions: &[&str]) -> Self {
        Self {
            resource,
            actions: actions.iter().map(|&action| action.to_owned()).collect(),
        }
    }

    fn repository(name: impl fmt::Display, actions: &[&str]) -> Self {
        Self::new(format!("repository:{name}"), actions)
    }

    /// Reads the text of one scope. One that is malformed allows nothing.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (resource, actions) = text.rsplit_once(':')?;
        let actions = actions
            .split(',')
            .filter(|action| !action.is_empty())
            .map(str::to_owned)
            .collect();
        Some(Self {
            resource: resource.to_owned(),
            actions,
        })
    }

    /// Returns the scope without anything but `pull`.
    pub(crate) fn to_pull(&self) -> Self {
        let actions = self
            .actions
            .iter()
            .filter(|action| *action == "pull")
            .cloned()
            .collect();
        Self {
            resource: self.resource.clone(),
            actions,
        }
    }

    /// Tells whether these grants together allow everything in the scope.
    pub(crate) fn is_within(&self, grants: &[Self]) -> bool {
        let grants = || grants.iter().filter(|grant| grant.resource == self.resource);
        let allows = |action: &String| {
            grants().any(|grant| grant.actions.contains(action) || grant.actions.contains("*"))
        };
        self.actions.iter().all(allows)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let actions: Vec<&str> = self.actions.iter().map(String::as_str).collect();
        write!(f, "{}:{}", self.resource, actions.join(","))
    }
}

/// Returns what a request needs. A mount reads the repository it names, too.
pub(crate) fn needed(call: &Call, route: &Route) -> Vec<Scope> {
    let (name, resource) = match route {
        Route::Base | Route::Token => return Vec::new(),
        Route::Catalog => return vec![Scope::new("registry:catalog".to_owned(), &["*"])],
        Route::In(name, resource) => (name, resource),
    };
    let deletes = call.method == Method::DELETE && !matches!(resource, Resource::Session(_));
    let actions: &[&str] = match resource {
        _ if deletes => &["delete"],
        Resource::Session(_) | Resource::Uploads => &["pull", "push"],
        _ if call.reads() => &["pull"],
        _ => &["pull", "push"],
    };
    let mounted = call
        .parameter("from")
        .filter(|_| call.parameter("mount").is_some());
    let from = mounted.map(|from| Scope::repository(from, &["pull"]));
    std::iter::once(Scope::repository(name, actions))
        .chain(from)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(text: &str) -> Scope {
        Scope::parse(text).unwrap()
    }

    #[test]
    fn grants_add_up() {
        let grants = [
            scope("repository:a:pull"),
            scope("repository:a:push"),
            scope("repository:b:*"),
        ];
        assert!(scope("repository:a:pull,push").is_within(&grants));
        assert!(scope("repository:b:delete").is_within(&grants));
        assert!(!scope("repository:a:delete").is_within(&grants));
        assert!(!scope("repository:c:pull").is_within(&grants));
    }

    #[test]
    fn a_scope_reads_as_it_is_written() {
        assert_eq!(
            scope("repository:localhost:5000/a:push,pull").to_string(),
            "repository:localhost:5000/a:pull,push"
        );
        assert_eq!(
            scope("repository:a:push,pull").to_pull().to_string(),
            "repository:a:pull"
        );
        assert_eq!(Scope::parse("nothing"), None);
    }
}
