//! What was found, beside what is built in.

use std::collections::BTreeMap;

use planner::{Capabilities, MountRule};
use provider::Profile;
use registry::probe::{ChunkFacts, LimitFacts, MountFacts, Reads, ReferrersFacts, TagsFacts, Told, Writes};
use registry::{Upload, Wire};
use serde::Serialize;
use serde_json::{Value, json};

use super::words;

/// One probe.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    /// Its name.
    pub(super) probe: &'static str,
    /// What was found, in words; nothing where that was not possible.
    pub(super) found: Option<String>,
    /// What is built in about it, in words; nothing where nothing is.
    pub(super) built_in: Option<String>,
    /// Whether both fit; nothing where that can't be said.
    pub(super) agrees: Option<bool>,
    /// What else is to be said, or why nothing was found.
    pub(super) note: Option<String>,
    /// What was found, for programs.
    pub(super) facts: Value,
}

/// What is said of one fact besides the fact itself.
#[derive(Default)]
struct Verdict {
    built_in: Option<String>,
    agrees: Option<bool>,
    note: Option<String>,
}

const UNASKED: &str = "not tried: give --write";

/// Compares all that was found with a profile.
pub(super) fn rows(
    reads: &Reads,
    writes: Option<&Writes>,
    limits: &BTreeMap<String, String>,
    profile: &Profile,
) -> Vec<Row> {
    let (able, wire) = (&profile.capabilities, &profile.wire);
    let unasked = || UNASKED.to_owned();
    let session = writes.map_or_else(|| Err(unasked()), |writes| writes.session.clone());
    let mount = writes.map_or_else(|| Err(unasked()), |writes| writes.mount.clone());
    let chunks = writes.map_or_else(|| Err(unasked()), |writes| writes.chunks.clone());
    let tags = Ok(reads.tags.clone());
    vec![
        row(
            "sign_in",
            &Ok(reads.sign_in.clone()),
            words::sign_in,
            Verdict::default(),
        ),
        row("tags_page", &tags, words::tags, paged(&reads.tags)),
        row(
            "tags_limit",
            &reads.limit,
            words::limit,
            limited(&reads.limit, wire),
        ),
        row(
            "manifest_head",
            &reads.manifest,
            words::manifest,
            Verdict::default(),
        ),
        row("blob_head", &reads.blob, words::blob, Verdict::default()),
        row(
            "blob_redirect",
            &reads.redirect,
            words::redirect,
            Verdict::default(),
        ),
        row("blob_range", &reads.range, words::range, Verdict::default()),
        row(
            "referrers_api",
            &reads.referrers,
            words::referrers,
            referred(&reads.referrers, able),
        ),
        row("upload_session", &session, words::session, Verdict::default()),
        row("mount", &mount, words::mount, mounted(&mount, able.mount)),
        row("chunks", &chunks, words::chunks, chunked(&chunks, wire.upload)),
        rates(limits, able, wire),
    ]
}

fn row<T: Serialize>(
    probe: &'static str,
    told: &Told<T>,
    words: impl Fn(&T) -> String,
    verdict: Verdict,
) -> Row {
    let facts = told.as_ref().ok();
    Row {
        probe,
        found: facts.map(words),
        built_in: verdict.built_in,
        agrees: verdict.agrees,
        note: told.as_ref().err().cloned().or(verdict.note),
        facts: json!(facts),
    }
}

fn paged(found: &TagsFacts) -> Verdict {
    Verdict {
        note: (found.listed > found.asked).then(|| "n is not honoured".to_owned()),
        ..Verdict::default()
    }
}

fn limited(found: &Told<LimitFacts>, wire: &Wire) -> Verdict {
    let agrees = found.as_ref().ok().and_then(|found| match found.status {
        200 => Some(true),
        400 | 405 | 406 | 416 | 422 | 501 => Some(wire.page < found.asked),
        _ => None,
    });
    Verdict {
        built_in: Some(format!("{} at once", wire.page)),
        agrees,
        note: None,
    }
}

fn referred(found: &Told<ReferrersFacts>, able: &Capabilities) -> Verdict {
    let built_in = match able.referrers_api {
        Some(true) => "yes",
        Some(false) => "no",
        None => "asked each time",
    };
    let found = found.as_ref().ok().and_then(|found| match found.status {
        200 => Some(found.index),
        400 | 404 | 405 | 406 | 501 => Some(false),
        _ => None,
    });
    Verdict {
        built_in: Some(built_in.to_owned()),
        agrees: found.and_then(|found| Some(found == able.referrers_api?)),
        note: None,
    }
}

fn mounted(found: &Told<MountFacts>, rule: MountRule) -> Verdict {
    let (built_in, expected) = match rule {
        MountRule::Any => ("any blob", true),
        MountRule::Committed => ("blobs of committed manifests", true),
        MountRule::Never => ("never", false),
    };
    let found = found.as_ref().ok().and_then(|found| match found.status {
        201 => Some(true),
        202 | 400 | 404 | 405 | 501 => Some(false),
        _ => None,
    });
    Verdict {
        built_in: Some(built_in.to_owned()),
        agrees: found.map(|found| found == expected),
        note: None,
    }
}

/// One byte proves that parts are taken; that it is refused proves nothing about larger ones.
fn chunked(found: &Told<ChunkFacts>, upload: Upload) -> Verdict {
    let Upload::Chunked { above, chunk } = upload else {
        return Verdict {
            built_in: Some("one PUT".to_owned()),
            ..Verdict::default()
        };
    };
    let built_in = Some(format!("parts of {chunk} bytes above {above}"));
    let Ok(found) = found else {
        return Verdict {
            built_in,
            ..Verdict::default()
        };
    };
    let taken = found
        .second
        .as_ref()
        .is_some_and(registry::probe::PatchFacts::is_taken);
    let too_small = found.least.is_some_and(|least| least > chunk);
    let (agrees, note) = match (too_small, taken) {
        (true, _) => (Some(false), None),
        (false, true) => (Some(true), None),
        (false, false) => (None, Some(format!("parts of {chunk} bytes were not tried"))),
    };
    Verdict {
        built_in,
        agrees,
        note,
    }
}

fn rates(limits: &BTreeMap<String, String>, able: &Capabilities, wire: &Wire) -> Row {
    let quotas = [
        ("manifests put", able.quotas.put_manifest),
        ("uploads started", able.quotas.start_upload),
        ("uploads finished", able.quotas.finish_upload),
    ];
    let mut known: Vec<String> = quotas
        .iter()
        .filter_map(|(what, limit)| Some(format!("{what} {}/s", (*limit)?)))
        .collect();
    known.extend(
        wire.rates
            .iter()
            .map(|(what, limit)| format!("{what:?} {limit}/s")),
    );
    Row {
        probe: "rate_limits",
        found: Some(words::limits(limits)),
        built_in: (!known.is_empty()).then(|| known.join(", ")),
        agrees: None,
        note: None,
        facts: json!(limits),
    }
}

#[cfg(test)]
mod tests {
    use registry::probe::PatchFacts;

    use super::*;

    fn able(referrers_api: Option<bool>) -> Capabilities {
        Capabilities {
            referrers_api,
            ..Capabilities::default()
        }
    }

    #[test]
    fn referrers_agree_only_with_a_word_about_them() {
        let found = |status, index| Ok(ReferrersFacts { status, index });
        for (found, built_in, agrees) in [
            (found(200, true), Some(true), Some(true)),
            (found(200, true), Some(false), Some(false)),
            (found(200, false), Some(false), Some(true)),
            (found(404, false), Some(false), Some(true)),
            (found(404, false), Some(true), Some(false)),
            (found(404, false), None, None),
            (found(403, false), Some(true), None),
            (Err("why".to_owned()), Some(true), None),
        ] {
            assert_eq!(
                referred(&found, &able(built_in)).agrees,
                agrees,
                "{found:?} {built_in:?}"
            );
        }
    }

    #[test]
    fn a_mount_agrees_with_its_rule() {
        let found = |status| {
            Ok(MountFacts {
                status,
                cancelled: None,
            })
        };
        for (found, rule, agrees) in [
            (found(201), MountRule::Any, Some(true)),
            (found(201), MountRule::Committed, Some(true)),
            (found(201), MountRule::Never, Some(false)),
            (found(202), MountRule::Any, Some(false)),
            (found(202), MountRule::Never, Some(true)),
            (found(405), MountRule::Never, Some(true)),
            (found(403), MountRule::Any, None),
            (found(500), MountRule::Any, None),
        ] {
            assert_eq!(mounted(&found, rule).agrees, agrees, "{found:?} {rule:?}");
        }
    }

    #[test]
    fn a_page_that_is_refused_must_be_larger_than_ours() {
        let found = |status| Ok(LimitFacts { asked: 1_001, status });
        let wire = |page| Wire {
            page,
            ..Wire::default()
        };
        assert_eq!(limited(&found(405), &wire(1_000)).agrees, Some(true));
        assert_eq!(limited(&found(405), &wire(10_000)).agrees, Some(false));
        assert_eq!(limited(&found(200), &wire(100)).agrees, Some(true));
        assert_eq!(limited(&found(503), &wire(100)).agrees, None);
    }

    #[test]
    fn a_part_that_is_refused_says_nothing_of_larger_ones() {
        let patch = |status| PatchFacts { status, range: None };
        let found = |least, second: Option<u16>| {
            Ok(ChunkFacts {
                least,
                first: patch(second.map_or(416, |_| 202)),
                second: second.map(patch),
                cancelled: Some(204),
            })
        };
        let parts = Upload::Chunked {
            above: 100,
            chunk: 10,
        };
        assert_eq!(chunked(&found(None, Some(202)), parts).agrees, Some(true));
        assert_eq!(chunked(&found(Some(11), Some(202)), parts).agrees, Some(false));
        let refused = chunked(&found(None, None), parts);
        assert_eq!((refused.agrees, refused.note.is_some()), (None, true));
        assert_eq!(chunked(&found(None, Some(416)), parts).agrees, None);
        assert_eq!(chunked(&found(None, Some(202)), Upload::Whole).agrees, None);
    }
}
