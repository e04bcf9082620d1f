//! When a request is sent again, and how soon.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use http::header::{DATE, HeaderMap, RETRY_AFTER};
use http::{HeaderName, StatusCode};
use jiff::Timestamp;
use jiff::fmt::rfc2822;

use crate::TransportErrorKind;
use crate::call::Repeat;

/// The first delay is drawn from up to this long.
const BASE: Duration = Duration::from_millis(250);
/// The same for a registry that says it has too much to do.
const BUSY_BASE: Duration = Duration::from_secs(1);
/// No delay of our own is longer.
const CAP: Duration = Duration::from_secs(8);
/// A registry that asks for more patience than this is left alone: running again later is cheaper than waiting.
pub(crate) const MAX_WAIT: Duration = Duration::from_secs(300);
/// Where nothing listens, more tries than this only delay the news.
const REFUSED_TRIES: u32 = 3;
/// And so it is told within about two seconds.
const REFUSED_CAP: Duration = Duration::from_secs(1);
/// A try that timed out has cost a minute already.
const TIMEOUT_TRIES: u32 = 2;
/// What is not HTTP the second time is not a registry.
const GARBLED_TRIES: u32 = 2;

/// Draws a delay between zero and its argument.
pub(crate) type Jitter = fn(Duration) -> Duration;

/// What came of a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// A status, and the patience it asked for.
    Status(StatusCode, Option<Duration>),
    /// No response.
    Failed(TransportErrorKind),
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Send it again after this long.
    Again(Duration),
    /// Take what came.
    Stop,
}

/// Decides after the `tries`th try of at most `limit`.
pub(crate) fn decide(outcome: Outcome, repeat: Repeat, tries: u32, limit: u32, jitter: Jitter) -> Decision {
    if tries >= limit.min(most_tries(outcome)) || (repeat == Repeat::Never && !never_sent(outcome)) {
        return Decision::Stop;
    }
    match outcome {
        Outcome::Status(_, Some(wait)) if wait > MAX_WAIT => Decision::Stop,
        Outcome::Status(_, Some(wait)) => Decision::Again(wait),
        Outcome::Status(status, None) if is_busy(status) => Decision::Again(jitter(delay(BUSY_BASE, tries))),
        // A pooled connection that the other side had closed: a new one will do.
        Outcome::Failed(TransportErrorKind::Interrupted) if tries == 1 => Decision::Again(Duration::ZERO),
        Outcome::Failed(TransportErrorKind::Refused) => {
            Decision::Again(jitter(delay(BASE, tries)).min(REFUSED_CAP))
        }
        Outcome::Status(..) | Outcome::Failed(_) => Decision::Again(jitter(delay(BASE, tries))),
    }
}

fn most_tries(outcome: Outcome) -> u32 {
    match outcome {
        Outcome::Status(status, _) if is_transient(status) => u32::MAX,
        Outcome::Status(..) => 1,
        Outcome::Failed(kind) => match kind {
            TransportErrorKind::Refused => REFUSED_TRIES,
            TransportErrorKind::Timeout | TransportErrorKind::Stalled => TIMEOUT_TRIES,
            TransportErrorKind::Decode => GARBLED_TRIES,
            TransportErrorKind::Connect | TransportErrorKind::Interrupted => u32::MAX,
            TransportErrorKind::Tls | TransportErrorKind::Body | TransportErrorKind::Forbidden => 1,
        },
    }
}

/// Returns true where not one byte reached the registry.
fn never_sent(outcome: Outcome) -> bool {
    matches!(
        outcome,
        Outcome::Failed(TransportErrorKind::Refused | TransportErrorKind::Connect)
    )
}

/// Returns true for statuses that say nothing about the next try. 499 and 520 to 524 are those of proxies.
pub(crate) fn is_transient(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 425 | 429 | 499 | 500 | 502..=504 | 520..=524)
}

/// Returns true where the registry asks for less.
pub(crate) fn is_busy(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
    )
}

fn delay(base: Duration, tries: u32) -> Duration {
    let doublings = tries.saturating_sub(1).min(16);
    base.saturating_mul(1 << doublings).min(CAP)
}

/// Reads the patience a response asks for: seconds, or a date against the response's own `Date`.
///
/// <https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3>
pub(crate) fn retry_after(headers: &HeaderMap, now: fn() -> Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let until = http_date(text)?;
    // The registry's own clock tells how far off its date is, whatever ours says.
    let since = date(headers, &DATE).unwrap_or_else(now);
    Some(Duration::try_from(until.duration_since(since)).unwrap_or_default())
}

fn date(headers: &HeaderMap, name: &HeaderName) -> Option<Timestamp> {
    http_date(headers.get(name)?.to_str().ok()?)
}

fn http_date(text: &str) -> Option<Timestamp> {
    // RFC 2822 knows GMT as an obsolete zone, which is what HTTP dates end in.
    rfc2822::DateTimeParser::new().parse_timestamp(text).ok()
}

/// What a registry's trouble may cost: an outage empties it, and then every call gets one try.
#[derive(Debug)]
pub(crate) struct Budget(AtomicU32);

impl Budget {
    const FULL: u32 = 500;
    const RETRY: u32 = 5;

    pub(crate) fn new() -> Self {
        Self(AtomicU32::new(Self::FULL))
    }

    /// Pays for a retry; false where nothing is left.
    pub(crate) fn spend(&self) -> bool {
        let less = |left: u32| left.checked_sub(Self::RETRY);
        self.0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less)
            .is_ok()
    }

    /// Counts a success.
    pub(crate) fn earn(&self) {
        let more = |left: u32| (left < Self::FULL).then_some(left + 1);
        let _full = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: u32 = 5;

    fn longest(delay: Duration) -> Duration {
        delay
    }

    fn status(code: u16) -> Outcome {
        Outcome::Status(StatusCode::from_u16(code).unwrap(), None)
    }

    fn after(outcome: Outcome, tries: u32) -> Option<u64> {
        match decide(outcome, Repeat::Safe, tries, LIMIT, longest) {
            Decision::Again(after) => Some(u64::try_from(after.as_millis()).unwrap()),
            Decision::Stop => None,
        }
    }

    #[test]
    fn delays_double_until_the_tries_are_used_up() {
        let delays: Vec<_> = (1..=5).map(|tries| after(status(500), tries)).collect();
        assert_eq!(delays, [Some(250), Some(500), Some(1000), Some(2000), None]);
        let busy: Vec<_> = (1..=5).map(|tries| after(status(429), tries)).collect();
        assert_eq!(busy, [Some(1000), Some(2000), Some(4000), Some(8000), None]);
    }

    #[test]
    fn no_delay_exceeds_the_cap() {
        for tries in [6, 20, 200, u32::MAX - 1] {
            let decision = decide(status(500), Repeat::Safe, tries, u32::MAX, longest);
            assert_eq!(decision, Decision::Again(CAP), "{tries}");
        }
    }

    #[test]
    fn exactly_the_transient_statuses_are_sent_again() {
        let again: Vec<u16> = (100..600)
            .filter(|code| after(status(*code), 1).is_some())
            .collect();
        assert_eq!(
            again,
            [408, 425, 429, 499, 500, 502, 503, 504, 520, 521, 522, 523, 524]
        );
    }

    #[test]
    fn patience_is_given_as_asked_for_up_to_a_limit() {
        let busy =
            |seconds| Outcome::Status(StatusCode::TOO_MANY_REQUESTS, Some(Duration::from_secs(seconds)));
        assert_eq!(after(busy(0), 1), Some(0));
        assert_eq!(after(busy(90), 1), Some(90_000));
        assert_eq!(after(busy(3600), 1), None);
    }

    #[test]
    fn where_nothing_listens_three_tries_take_under_two_seconds() {
        let refused = Outcome::Failed(TransportErrorKind::Refused);
        let delays: Vec<_> = (1..=3).map(|tries| after(refused, tries)).collect();
        assert_eq!(delays, [Some(250), Some(500), None]);
    }

    #[test]
    fn a_broken_connection_is_replaced_at_once_the_first_time() {
        let broken = Outcome::Failed(TransportErrorKind::Interrupted);
        assert_eq!(after(broken, 1), Some(0));
        assert_eq!(after(broken, 2), Some(500));
    }

    #[test]
    fn a_refused_certificate_a_broken_body_and_a_forbidden_address_stop() {
        for kind in [
            TransportErrorKind::Tls,
            TransportErrorKind::Body,
            TransportErrorKind::Forbidden,
        ] {
            assert_eq!(after(Outcome::Failed(kind), 1), None, "{kind:?}");
        }
    }

    #[test]
    fn what_must_not_be_repeated_is_only_when_nothing_was_sent() {
        let decide = |outcome| decide(outcome, Repeat::Never, 1, LIMIT, longest);
        for code in [408, 429, 500, 503, 524] {
            assert_eq!(decide(status(code)), Decision::Stop, "{code}");
        }
        assert_eq!(
            decide(Outcome::Failed(TransportErrorKind::Interrupted)),
            Decision::Stop
        );
        assert_eq!(
            decide(Outcome::Failed(TransportErrorKind::Timeout)),
            Decision::Stop
        );
        assert_ne!(
            decide(Outcome::Failed(TransportErrorKind::Refused)),
            Decision::Stop
        );
    }

    fn asked(retry_after_text: &str, date: Option<&str>) -> Option<u64> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, retry_after_text.parse().unwrap());
        if let Some(date) = date {
            headers.insert(DATE, date.parse().unwrap());
        }
        retry_after(&headers, || Timestamp::UNIX_EPOCH).map(|wait| wait.as_secs())
    }

    #[test]
    fn retry_after_is_read_in_both_forms() {
        let date = Some("Wed, 21 Oct 2015 07:28:00 GMT");
        assert_eq!(asked("120", None), Some(120));
        assert_eq!(asked(" 7 ", None), Some(7));
        assert_eq!(asked("Wed, 21 Oct 2015 07:28:30 GMT", date), Some(30));
        assert_eq!(asked("Wed, 21 Oct 2015 07:27:30 GMT", date), Some(0));
        assert_eq!(asked("Thu, 01 Jan 1970 00:01:00 GMT", None), Some(60));
        for text in [
            "",
            "soon",
            "-1",
            "1.5",
            "99999999999999999999",
            "Wed, 99 Oct 2015",
        ] {
            assert_eq!(asked(text, date), None, "{text}");
        }
    }

    #[test]
    fn an_outage_empties_the_budget_and_successes_refill_it() {
        let budget = Budget::new();
        let paid = (0..1000).filter(|_| budget.spend()).count();
        assert_eq!(paid, 100);
        (0..Budget::RETRY).for_each(|_| budget.earn());
        assert!(budget.spend());
        assert!(!budget.spend());
    }
}
