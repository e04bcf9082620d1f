//! `tags` of dregsy's mappings.

use oci::{Digest, Tag};

use super::draft::Set;
use super::pattern;
use super::quote::{literal, shown};
use super::ranges::{BLANG_VERSIONS, blang};
use super::reading::Reading;
use super::report::Kind;
use crate::config::diagnostic::Span;

/// Tags that dregsy takes for versions.
const VERSIONS: &str = r"v?[0-9]+(\.[0-9]+(\.[0-9]+(-[0-9A-Za-z.-]+)?)?)?";

/// What a mapping selects.
#[derive(Default)]
pub(super) struct Selected {
    /// The whole of what it takes, where it does not take every tag.
    pub(super) sets: Vec<Set>,
    /// `[TAG]@DIGEST`, as references write them behind a repository.
    pub(super) pinned: Vec<String>,
    /// Whether every tag is taken.
    pub(super) every: bool,
    /// What has no counterpart, and why.
    pub(super) without: Vec<(Span, String, String)>,
}

/// The items by their kind.
#[derive(Default)]
struct Items<'n> {
    literals: Vec<String>,
    semver: Vec<&'n str>,
    regex: Vec<String>,
    without: Vec<String>,
    keep: Vec<String>,
    drop: Vec<String>,
    latest: Option<u64>,
}

/// Reads the items.
pub(super) fn read(reading: &mut Reading<'_>, items: &[(&str, Span)]) -> Selected {
    let mut selected = Selected::default();
    let mut sorted = Items::default();
    for (text, span) in items {
        if let Err((what, why)) = item(reading, text, *span, &mut sorted, &mut selected) {
            selected.without.push((*span, what, why));
        }
    }
    let at = items.first().map(|(_, span)| *span).unwrap_or_default();
    // A `keep:` that has no counterpart narrows nothing here, so that nothing it narrows can be taken.
    if selected
        .without
        .iter()
        .any(|(_, what, _)| what.starts_with("`keep:"))
    {
        sorted.semver.clear();
        sorted.regex.clear();
        sorted.without.clear();
    } else {
        sets(reading, at, &sorted, &mut selected);
    }
    if !sorted.literals.is_empty() {
        selected.sets.push(Set::list(sorted.literals));
    }
    selected
}

type Problem = (String, String);

fn item<'n>(
    reading: &mut Reading<'_>,
    text: &'n str,
    span: Span,
    items: &mut Items<'n>,
    selected: &mut Selected,
) -> Result<(), Problem> {
    let what = || format!("`{}`", shown(text));
    if let Some(range) = text.strip_prefix("semver:") {
        blang(&[range]).map_err(|why| (what(), why))?;
        reading.changed(span, BLANG_VERSIONS);
        items.semver.push(range);
    } else if let Some(expression) = text.strip_prefix("regex:") {
        let (ours, inverted) = expression_of(reading, expression, span).map_err(|why| (what(), why))?;
        match inverted {
            true => items.without.push(ours),
            false => items.regex.push(ours),
        }
    } else if let Some(rest) = text.strip_prefix("keep:") {
        if let Some(number) = rest.trim().strip_prefix("latest ") {
            let number = number.trim().parse().ok().filter(|number| *number > 0);
            let number = number.ok_or_else(|| (what(), "it has no number".to_owned()))?;
            items.latest = Some(number);
            return Ok(());
        }
        let (ours, inverted) = expression_of(reading, rest, span).map_err(|why| (what(), why))?;
        match inverted {
            true => items.drop.push(ours),
            false => items.keep.push(ours),
        }
    } else {
        literal_item(text, items, selected).map_err(|why| (what(), why))?;
    }
    Ok(())
}

fn expression_of(reading: &mut Reading<'_>, text: &str, span: Span) -> Result<(String, bool), String> {
    let text = text.trim();
    let (expression, inverted) = text.strip_prefix('!').map_or((text, false), |rest| (rest, true));
    let ours = pattern::with_anchors(expression)?;
    if pattern::has_loose_alternatives(expression) {
        let note = "dregsy puts a missing `^` before and `$` behind an expression, so that `a|b` takes whatever starts with a or ends \
                    with b; that is kept, and `(a|b)` is what is mostly meant";
        reading.tell(Kind::Rewritten, span, note);
    }
    Ok((literal(&ours), inverted))
}

fn literal_item(text: &str, items: &mut Items<'_>, selected: &mut Selected) -> Result<(), String> {
    let (tag, digest) = match text.split_once('@') {
        Some((tag, digest)) => (Some(tag), Some(digest)),
        None if text.starts_with("sha256:") || text.starts_with("sha512:") => (None, Some(text)),
        None => (Some(text), None),
    };
    let tag = tag.filter(|tag| !tag.is_empty() || digest.is_none());
    let tag = tag
        .map(str::parse::<Tag>)
        .transpose()
        .map_err(|error| error.to_string())?;
    let Some(digest) = digest else {
        let tag = tag.map(|tag| tag.to_string()).unwrap_or_default();
        if !items.literals.contains(&tag) {
            items.literals.push(tag);
        }
        return Ok(());
    };
    let digest: Digest = digest
        .parse()
        .map_err(|error: oci::ParseDigestError| error.to_string())?;
    let tag = tag.map(|tag| format!(":{tag}")).unwrap_or_default();
    selected.pinned.push(format!("{tag}@{digest}"));
    Ok(())
}

/// Makes sets of what is selected by rule.
fn sets(reading: &mut Reading<'_>, at: Span, items: &Items<'_>, selected: &mut Selected) {
    let mut bases = Vec::new();
    if !items.semver.is_empty()
        && let Ok(range) = blang(&items.semver)
    {
        bases.push(Set {
            semver: Some(range.semver),
            prerelease: range.prerelease,
            ..Set::default()
        });
    }
    if !items.regex.is_empty() {
        bases.push(Set {
            regex: items.regex.clone(),
            ..Set::default()
        });
    }
    bases.extend(items.without.iter().map(|expression| Set {
        exclude_regex: vec![expression.clone()],
        ..Set::default()
    }));
    let by_rule = !bases.is_empty();
    let literal = !items.literals.is_empty() || !selected.pinned.is_empty();
    if !by_rule {
        if literal || !selected.without.is_empty() {
            return;
        }
        bases.push(Set::default());
    }
    if items.latest.is_some() && bases.len() > 1 {
        let text = "`keep: latest` counts over all that the items select there, and in each set here";
        reading.changed(at, text);
    }
    for base in bases {
        match kept(base, items) {
            Ok(base) => selected.sets.extend(latest(reading, at, base, items.latest)),
            Err(why) => selected
                .without
                .push((at, "the expressions together".to_owned(), why)),
        }
    }
    if let [only] = selected.sets.as_slice()
        && *only == Set::default()
    {
        selected.sets.clear();
        selected.every = true;
    }
}

/// Narrows a set by what is kept.
fn kept(mut base: Set, items: &Items<'_>) -> Result<Set, String> {
    base.exclude_regex.extend(items.drop.iter().cloned());
    match items.keep.as_slice() {
        [] => Ok(base),
        [one] if base.regex.is_empty() => {
            base.regex.push(one.clone());
            Ok(base)
        }
        _ => Err(
            "two expressions that must both match have no counterpart: of several in `regex` one must match"
                .to_owned(),
        ),
    }
}

/// Narrows a set to the newest; dregsy keeps whatever is no version beside them.
fn latest(reading: &mut Reading<'_>, at: Span, base: Set, latest: Option<u64>) -> Vec<Set> {
    if latest.is_none() {
        return vec![base];
    }
    let text = "of tags that spell one version (`1.2.0` and `v1.2.0`) all are taken and counted once here, and each is counted there; where \
                no tag is a version dregsy takes the last in the order of text, and here all are taken";
    reading.changed(at, text);
    let mut others = base.clone();
    let newest = Set {
        latest,
        prerelease: true,
        ..base
    };
    if newest.semver.is_some() {
        return vec![newest];
    }
    others.exclude_regex.push(VERSIONS.to_owned());
    others.at_least = Some(0);
    vec![newest, others]
}
