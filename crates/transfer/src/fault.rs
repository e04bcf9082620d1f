//! What failed, where and on which side.

use std::error::Error as _;
use std::fmt::Write as _;

use oci::Tag;
use planner::{Place, ProblemKind, Side};
use registry::{Error, ErrorKind, TransportError, TransportErrorKind};

/// A failure at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) side: Side,
    pub(crate) place: Place,
    pub(crate) tag: Option<Tag>,
    pub(crate) kind: ProblemKind,
    /// The whole story.
    pub(crate) error: Box<str>,
    /// The story without what differs from one time to the next: how often it was tried, and how long that took.
    pub(crate) plain: Box<str>,
    /// Its last word: what two failures with one cause have in common.
    pub(crate) fact: Box<str>,
    pub(crate) hint: Option<Box<str>>,
    pub(crate) contact: Contact,
}

/// Whether a registry could be talked to at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Contact {
    /// It was there.
    Made,
    /// It was not.
    Failed,
}

impl Fault {
    pub(crate) fn new(side: Side, place: &Place, kind: ProblemKind, error: impl Into<Box<str>>) -> Self {
        let error = error.into();
        Self {
            side,
            place: place.clone(),
            tag: None,
            kind,
            fact: error.clone(),
            plain: error.clone(),
            error,
            hint: None,
            contact: Contact::Made,
        }
    }

    /// Takes over an error that came up while something was read from a source.
    pub(crate) fn source(place: &Place, error: &Error) -> Self {
        Self::of(Side::Source, place, error)
    }

    /// Takes over an error that came up at a target.
    pub(crate) fn target(place: &Place, error: &Error) -> Self {
        Self::of(Side::Target, place, error)
    }

    pub(crate) fn of(side: Side, place: &Place, error: &Error) -> Self {
        Self {
            hint: error.hint().map(Into::into),
            fact: last_word(error).into(),
            plain: story(error, error.message().to_owned()).into(),
            contact: contact(error),
            ..Self::new(side, place, kind(error.kind()), story(error, error.to_string()))
        }
    }

    /// Tells the kind and the story of an error that concerns a registry as a whole.
    pub(crate) fn of_registry(error: &Error) -> (ProblemKind, String) {
        (kind(error.kind()), story(error, error.message().to_owned()))
    }

    pub(crate) fn about(self, tag: &Tag) -> Self {
        Self {
            tag: Some(tag.clone()),
            ..self
        }
    }

    pub(crate) fn hinted(self, hint: &str) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }

    /// Returns true where a fresh upload session may fare better.
    pub(crate) fn may_pass(&self) -> bool {
        // A session that is gone answers 404; bytes that arrived damaged are refused by their digest.
        let kinds = [
            ProblemKind::Network,
            ProblemKind::RateLimit,
            ProblemKind::NotFound,
            ProblemKind::Integrity,
        ];
        self.side == Side::Target && kinds.contains(&self.kind)
    }
}

fn kind(kind: ErrorKind) -> ProblemKind {
    match kind {
        ErrorKind::Auth => ProblemKind::Auth,
        ErrorKind::Permission => ProblemKind::Permission,
        ErrorKind::NotFound => ProblemKind::NotFound,
        ErrorKind::RateLimit => ProblemKind::RateLimit,
        ErrorKind::Immutable => ProblemKind::Immutable,
        ErrorKind::Network => ProblemKind::Network,
        ErrorKind::Integrity => ProblemKind::Integrity,
        ErrorKind::Quota => ProblemKind::Quota,
        ErrorKind::Policy => ProblemKind::Policy,
        ErrorKind::Other => ProblemKind::Other,
    }
}

fn chain(error: &Error) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
    let first: &(dyn std::error::Error + 'static) = error;
    std::iter::successors(Some(first), |error| (*error).source())
}

/// Puts what caused an error behind what is said of it.
fn story(error: &Error, mut text: String) -> String {
    for source in chain(error).skip(1) {
        // Writing to a String never fails.
        let _ = write!(text, ": {source}");
    }
    text
}

/// What goes wrong inside a registry goes wrong for one reason, whatever it was asked: the status is the fact.
fn last_word(error: &Error) -> String {
    if let (ErrorKind::Network, Some(status)) = (error.kind(), error.status()) {
        return status.to_string();
    }
    let last = chain(error)
        .last()
        .filter(|_| error.source().is_some())
        .map_or_else(|| error.message().to_owned(), ToString::to_string);
    match error.kind() {
        // What was asked stands before the colon; the network fails for one reason, whatever that was.
        ErrorKind::Network => last.rsplit(": ").next().unwrap_or(&last).to_owned(),
        _ => last,
    }
}

/// A registry that refuses connections, is not found or is not whom it should be does so for every request.
fn contact(error: &Error) -> Contact {
    let lost = |error: &TransportError| {
        use TransportErrorKind::{Connect, Refused, Tls};
        matches!(error.kind(), Refused | Connect | Tls)
    };
    match chain(error).filter_map(|error| error.downcast_ref()).any(lost) {
        true => Contact::Failed,
        false => Contact::Made,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use registry::Effort;

    use super::*;

    fn place() -> Place {
        Place {
            registry: "site".parse().unwrap(),
            repository: "base/alpine".parse().unwrap(),
        }
    }

    fn refused() -> Error {
        let cause = TransportError::new(TransportErrorKind::Refused, "connection refused");
        Error::new(ErrorKind::Network, "list tags of site/base/alpine").caused_by(cause)
    }

    #[test]
    fn the_whole_chain_is_told_once() {
        let fault = Fault::target(&place(), &refused());
        assert_eq!(&*fault.error, "list tags of site/base/alpine: connection refused");
        assert_eq!(&*fault.fact, "connection refused");
    }

    #[test]
    fn how_often_and_how_long_is_no_part_of_what_went_wrong() {
        let throttled = |tries, seconds| {
            let elapsed = Duration::from_secs(seconds);
            let error = Error::new(ErrorKind::RateLimit, "429").after(Effort { tries, elapsed });
            Fault::target(&place(), &error)
        };
        let (one, two) = (throttled(5, 3), throttled(6, 9));
        assert_eq!((&*one.fact, &*one.plain), ("429", "429"));
        assert_eq!((&*two.fact, &*two.plain), ("429", "429"));
        assert_ne!(one.error, two.error, "the report tells the whole story");
    }

    #[test]
    fn a_refused_connection_means_that_the_registry_is_gone() {
        assert_eq!(Fault::target(&place(), &refused()).contact, Contact::Failed);
        let answered = Error::new(ErrorKind::Network, "503 Service Unavailable");
        assert_eq!(Fault::target(&place(), &answered).contact, Contact::Made);
    }

    #[test]
    fn the_network_fails_for_one_reason_whatever_was_asked() {
        let hung = |blob: &str| {
            let text = format!("upload blob {blob} in site/app: PUT http://site/v2/: no answer for 60 s");
            Fault::target(&place(), &Error::new(ErrorKind::Network, text))
        };
        assert_eq!(hung("one").fact, hung("two").fact);
        assert_ne!(hung("one").error, hung("two").error);
    }

    #[test]
    fn a_fresh_session_helps_a_target_but_no_source() {
        let error = Error::new(ErrorKind::Network, "reset");
        assert!(Fault::target(&place(), &error).may_pass());
        assert!(!Fault::source(&place(), &error).may_pass());
        assert!(!Fault::target(&place(), &Error::new(ErrorKind::Quota, "full")).may_pass());
    }
}
