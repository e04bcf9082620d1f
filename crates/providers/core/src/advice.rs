//! What to grant, and to whom.

use std::fmt;

use registry::Error;

/// What to grant where a registry refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    /// Who was refused: an ARN, a service account, an application.
    pub identity: String,
    /// What is missing: `ecr:PutImage`, `artifactregistry.repositories.create`.
    pub action: String,
    /// What to add, and where: a role or a statement of a policy.
    pub grant: String,
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} lacks {}: {}", self.identity, self.action, self.grant)
    }
}

impl Advice {
    /// Adds the advice to the error it is about, as its hint: it knows more than the answer alone told.
    #[must_use]
    pub fn on(&self, error: Error) -> Error {
        error.with_better_hint(self.to_string())
    }
}
