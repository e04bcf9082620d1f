//! What was found, in words.

use std::collections::BTreeMap;

use registry::probe::{
    BlobFacts, ChallengeFacts, ChunkFacts, LimitFacts, LocationFacts, ManifestFacts, MountFacts, PatchFacts,
    RangeFacts, RedirectFacts, ReferrersFacts, SessionFacts, SignInFacts, TagsFacts,
};

pub(super) fn sign_in(found: &SignInFacts) -> String {
    let asks: Vec<String> = found.challenges.iter().map(challenge).collect();
    let asks = match (found.status, asks.is_empty()) {
        (200, true) => "asks for nothing".to_owned(),
        (status, true) => format!("{status} without a challenge"),
        (_, false) => asks.join(" or "),
    };
    match &found.credential {
        Some(origin) => format!("{asks}; credential: {origin}"),
        None => asks,
    }
}

fn challenge(found: &ChallengeFacts) -> String {
    match (&found.token_service, &found.service) {
        (Some(at), Some(service)) => format!("{}, tokens from {at} for {service}", found.scheme),
        (Some(at), None) => format!("{}, tokens from {at}", found.scheme),
        (None, _) => found.scheme.clone(),
    }
}

pub(super) fn tags(found: &TagsFacts) -> String {
    let came = format!("{} of {} asked for", found.listed, found.asked);
    match &found.next {
        Some(next) => format!("{came}, next page at {}", location(next)),
        None => format!("{came}, no next page"),
    }
}

pub(super) fn limit(found: &LimitFacts) -> String {
    match found.status {
        200 => format!("n={} is taken", found.asked),
        status => format!("n={} is refused ({status})", found.asked),
    }
}

pub(super) fn manifest(found: &ManifestFacts) -> String {
    let named = match (found.digest, found.size) {
        (true, true) => "digest and size",
        (true, false) => "digest, no size",
        (false, true) => "no digest, size",
        (false, false) => "neither digest nor size",
    };
    format!("{}, {named}", found.status)
}

pub(super) fn blob(found: &BlobFacts) -> String {
    let size = if found.size { "size" } else { "no size" };
    format!("{}, {size}", found.status)
}

pub(super) fn redirect(found: &RedirectFacts) -> String {
    match &found.to {
        Some(to) => format!("{} to {to}", found.status),
        None => format!("none ({})", found.status),
    }
}

pub(super) fn range(found: &RangeFacts) -> String {
    match found.status {
        206 => "honoured".to_owned(),
        status => format!("not honoured ({status})"),
    }
}

pub(super) fn referrers(found: &ReferrersFacts) -> String {
    match (found.status, found.index) {
        (200, true) => "yes".to_owned(),
        (200, false) => "no (200, which is no index)".to_owned(),
        (status, _) => format!("no ({status})"),
    }
}

pub(super) fn session(found: &SessionFacts) -> String {
    let at = found
        .location
        .as_ref()
        .map_or_else(|| "no address".to_owned(), |at| format!("at {}", location(at)));
    format!("{}, {at}, {}", found.status, cancelled(found.cancelled))
}

pub(super) fn mount(found: &MountFacts) -> String {
    match found.status {
        201 => "mounted (201)".to_owned(),
        202 => format!("declined (202), {}", cancelled(found.cancelled)),
        status => format!("refused ({status})"),
    }
}

pub(super) fn chunks(found: &ChunkFacts) -> String {
    let second = found
        .second
        .as_ref()
        .map(|second| format!(", second {}", patch(second)));
    let least = found.least.map(|least| format!(", at least {least} bytes"));
    format!(
        "first byte {}{}{}, {}",
        patch(&found.first),
        second.unwrap_or_default(),
        least.unwrap_or_default(),
        cancelled(found.cancelled)
    )
}

fn patch(found: &PatchFacts) -> String {
    match &found.range {
        Some(range) => format!("{} (Range {range})", found.status),
        None => found.status.to_string(),
    }
}

fn cancelled(found: Option<u16>) -> String {
    match found {
        Some(status) => format!("cancelled with {status}"),
        None => "not cancelled".to_owned(),
    }
}

pub(super) fn limits(found: &BTreeMap<String, String>) -> String {
    if found.is_empty() {
        return "no header says anything".to_owned();
    }
    let headers: Vec<String> = found
        .iter()
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    headers.join(", ")
}

fn location(found: &LocationFacts) -> String {
    let form = if found.absolute {
        "an absolute address"
    } else {
        "a relative address"
    };
    match (&found.elsewhere, found.under_v2) {
        (Some(host), _) => format!("{form} of {host}"),
        (None, true) => form.to_owned(),
        (None, false) => format!("{form} outside /v2"),
    }
}
