//! What can go wrong between us and a registry.

use std::fmt;

use http::StatusCode;

use crate::call::{Effort, Reply};
use crate::refusal::Refusal;

/// What sort of error it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// Nobody signed in, or the credential was refused.
    Auth,
    /// Signed in, and not allowed.
    Permission,
    /// Not there.
    NotFound,
    /// Throttled out after retries.
    RateLimit,
    /// The tag can't be moved.
    Immutable,
    /// No answer, or a broken one, after retries.
    Network,
    /// Bytes that do not match their digest or size, or a malformed document.
    Integrity,
    /// No room left.
    Quota,
    /// Our own rules forbid it (a redirect to a forbidden address, say).
    Policy,
    /// Anything else.
    Other,
}

/// What went wrong, with what a person needs to know.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    hint: Option<String>,
    status: Option<StatusCode>,
    code: Option<String>,
    effort: Effort,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// Makes an error.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            hint: None,
            status: None,
            code: None,
            effort: Effort::default(),
            source: None,
        }
    }

    /// Tells the same once more, to another who waited for it. What caused it is told once.
    pub(crate) fn again(&self) -> Self {
        Self {
            kind: self.kind,
            message: self.message.clone(),
            hint: self.hint.clone(),
            status: self.status,
            code: self.code.clone(),
            effort: self.effort,
            source: None,
        }
    }

    /// Adds how often it was tried, and for how long.
    #[must_use]
    pub fn after(mut self, effort: Effort) -> Self {
        self.effort = effort;
        self
    }

    /// Adds what to do next, unless something is said already.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint.get_or_insert_with(|| hint.into());
        self
    }

    /// Says better than before what to do next.
    #[must_use]
    pub fn with_better_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds what caused it. The message must not repeat it.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Puts what was tried in front of the message: `put manifest sha256:... in host/repository`.
    #[must_use]
    pub fn during(mut self, action: &str) -> Self {
        self.message.insert_str(0, ": ");
        self.message.insert_str(0, action);
        self
    }

    /// Gives the error another kind, where the caller knows better what it means.
    #[must_use]
    pub fn of_kind(mut self, kind: ErrorKind) -> Self {
        self.kind = kind;
        self
    }

    /// Adds the status of the registry's answer.
    #[must_use]
    pub(crate) fn answered(mut self, status: StatusCode) -> Self {
        self.status = Some(status);
        self
    }

    /// Reads what a registry says about a call it did not do. `action` says what was tried.
    ///
    /// The body is read up to a bound; what it says is cleaned before it becomes part of the message.
    ///
    /// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes>
    pub(crate) async fn from_reply(action: &str, reply: Reply) -> Self {
        let effort = reply.effort;
        let refusal = Refusal::read(reply).await;
        Self {
            kind: refusal.kind(),
            message: format!("{action}: {refusal}"),
            hint: refusal.hint().map(str::to_owned),
            status: Some(refusal.status),
            code: refusal.code,
            effort,
            source: None,
        }
    }

    /// Reads what a vendor's API says about a request it did not do.
    pub(crate) fn of_answer(action: &str, status: StatusCode, body: &[u8]) -> Self {
        let refusal = Refusal::parse(status, body);
        Self {
            kind: refusal.kind(),
            message: format!("{action}: {refusal}"),
            hint: refusal.hint().map(str::to_owned),
            status: Some(refusal.status),
            code: refusal.code,
            effort: Effort::default(),
            source: None,
        }
    }

    /// Returns what went wrong, without how often it was tried and how long that took: the same each time.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns what sort of error it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Returns what to do next, where that is known.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// Returns the status of the registry's answer, where it gave one.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        self.status
    }

    /// Returns the registry's own code, such as `NAME_UNKNOWN`, where it gave one.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// Returns true where running it again later may help.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        matches!(self.kind, ErrorKind::RateLimit | ErrorKind::Network)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if self.effort.tries > 1 {
            write!(f, " (after {})", self.effort)?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source
            .as_deref()
            .map(|source| source as &(dyn std::error::Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    #[test]
    fn an_action_stands_in_front_and_a_first_hint_stays() {
        let error = Error::new(ErrorKind::Network, "the connection broke")
            .with_hint("first")
            .with_hint("second")
            .during("read blob x in h/r");
        assert_eq!(error.to_string(), "read blob x in h/r: the connection broke");
        assert_eq!(error.hint(), Some("first"));
        assert!(error.is_temporary());
    }

    #[test]
    fn a_cause_is_the_source_and_not_part_of_the_message() {
        let error = Error::new(ErrorKind::Other, "outer").caused_by("inner");
        assert_eq!(error.to_string(), "outer");
        assert_eq!(error.source().map(ToString::to_string).as_deref(), Some("inner"));
        assert!(!error.is_temporary());
    }
}
