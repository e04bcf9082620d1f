//! Three dialects of version ranges, in the words of ours.
//!
//! Ours and that of Masterminds (skopeo) read the same. regclient's (regsync) and blang's (dregsy) know no open parts without a
//! wildcard, and take prereleases for versions like others.

use crate::config::tags::range;

/// A range of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) semver: String,
    pub(super) prerelease: bool,
}

/// What is a version to skopeo and not here, and the other way round.
pub(super) const MASTERMINDS_VERSIONS: &str = "a tag that is a single number (`7`, `20240101`) is a version to skopeo and none here; \
     one with a build part (`1.2.3_b1`) is one here and none to skopeo";

/// As [`MASTERMINDS_VERSIONS`], for regsync.
pub(super) const REGCLIENT_VERSIONS: &str = "a tag that is a single number (`7`, `20240101`) or has four parts is a version to regsync and \
     none here; one with a build part (`1.2.3_b1`) is one here and none to regsync; a prerelease of a bound itself counts as its \
     release here, so that `>=3.18`, `=3.18` and `~3.18` take `3.18-alpine`, `<4` and `^3` leave `4.0.0-rc.1` out, and regsync does \
     the opposite";

/// As [`MASTERMINDS_VERSIONS`], for dregsy.
pub(super) const BLANG_VERSIONS: &str = "a tag that is a single number (`7`, `20240101`) is a version to dregsy and none here; one of two \
     parts with a suffix (`3.18-alpine`), or with a build part (`1.2.3_b1`), is one here and none to dregsy; a prerelease of a bound \
     itself counts as its release here, so that `>=1.2.0` takes `1.2.0-rc.1` and `<2.0.0` leaves `2.0.0-rc.1` out, and dregsy does \
     the opposite";

/// An operator and a version.
type Comparison<'a> = (&'a str, &'a str);

/// Reads a constraint of Masterminds' semver.
///
/// There, a prerelease passes an alternative only if all of its comparisons name one. Alternatives that all name one and those that do
/// not are two ranges here.
///
/// # Errors
/// Why it is none.
pub(super) fn masterminds(text: &str) -> Result<Vec<Taken>, String> {
    let (mut releases, mut prereleases) = (Vec::new(), Vec::new());
    for alternative in text.split("||") {
        let comparisons = comparisons(alternative, &[','])?;
        if comparisons.iter().all(|(_, version)| names_prerelease(version)) {
            prereleases.push(join(&comparisons));
        } else if let Some(range) = releases_of(&comparisons) {
            releases.push(range);
        }
    }
    let mut all = Vec::new();
    for (ranges, prerelease) in [(releases, false), (prereleases, true)] {
        if !ranges.is_empty() {
            all.push(checked(ranges.join(" || "), prerelease)?);
        }
    }
    match all.is_empty() {
        true => Err("no version can be in it".to_owned()),
        false => Ok(all),
    }
}

/// Reads constraints of regclient's, of which one must hold.
///
/// # Errors
/// Why one of them is none, or has no counterpart.
pub(super) fn regclient(items: &[&str]) -> Result<Taken, String> {
    let mut ranges = Vec::new();
    for item in items {
        let mut parts = Vec::new();
        for (operator, version) in comparisons(item, &[])? {
            parts.push(format!("{operator}{}", whole(version)?));
        }
        // Without an operator it is one version, and here a whole version is one too.
        ranges.push(parts.join(" "));
    }
    checked(ranges.join(" || "), true)
}

/// Reads ranges of blang's semver, of which one must hold.
///
/// # Errors
/// Why one of them is none.
pub(super) fn blang(items: &[&str]) -> Result<Taken, String> {
    let mut ranges = Vec::new();
    for alternative in items.iter().flat_map(|item| item.split("||")) {
        let mut parts = Vec::new();
        for (operator, version) in comparisons(alternative, &[])? {
            let operator = match operator {
                "!" => "!=",
                "==" => "=",
                known @ ("" | "<" | "<=" | ">" | ">=" | "=" | "!=") => known,
                other => return Err(format!("dregsy knows no `{other}`")),
            };
            let wild = version.contains(['x', 'X', '*']);
            if !wild && core(version).split('.').count() != 3 {
                return Err(format!("dregsy refuses `{version}`: its ranges need three parts"));
            }
            parts.push(format!("{operator}{version}"));
        }
        ranges.push(parts.join(" "));
    }
    checked(ranges.join(" || "), true)
}

fn checked(semver: String, prerelease: bool) -> Result<Taken, String> {
    range(&semver).map_err(|error| error.to_string())?;
    Ok(Taken { semver, prerelease })
}

/// Splits an alternative into comparisons; `1.2 - 1.4` becomes two.
fn comparisons<'a>(text: &'a str, separators: &[char]) -> Result<Vec<Comparison<'a>>, String> {
    let between = |c: char| c.is_whitespace() || separators.contains(&c);
    let mut all = Vec::new();
    let mut rest = text.trim_start_matches(between);
    while !rest.is_empty() {
        let (operator, after) = rest.split_at(rest.find(|c| !"=<>!~^".contains(c)).unwrap_or(rest.len()));
        let (version, after) = word(after.trim_start(), between);
        if version.is_empty() {
            return Err(format!("`{operator}` has no version behind it"));
        }
        if version.contains(',') {
            return Err("no comma stands between comparisons there".to_owned());
        }
        rest = after;
        if let (true, Some(behind)) = (operator.is_empty(), after.trim_start().strip_prefix("- ")) {
            let (end, after) = word(behind.trim_start(), between);
            all.extend([(">=", version), ("<=", end)]);
            rest = after;
        } else {
            all.push((operator, version));
        }
        rest = rest.trim_start_matches(between);
    }
    match all.is_empty() {
        true => Err("nothing is compared".to_owned()),
        false => Ok(all),
    }
}

fn word(text: &str, between: impl Fn(char) -> bool) -> (&str, &str) {
    let end = text.find(|c: char| between(c) || "=<>!~^".contains(c));
    text.split_at(end.unwrap_or(text.len()))
}

fn join(comparisons: &[Comparison<'_>]) -> String {
    let parts: Vec<String> = comparisons
        .iter()
        .map(|(operator, version)| format!("{operator}{version}"))
        .collect();
    parts.join(" ")
}

/// Returns the numbers of a version.
fn core(version: &str) -> &str {
    let bare = version.strip_prefix('v').unwrap_or(version);
    &bare[..bare.find(['-', '+']).unwrap_or(bare.len())]
}

fn names_prerelease(version: &str) -> bool {
    version
        .split('+')
        .next()
        .is_some_and(|version| version.contains('-'))
}

/// Returns what of an alternative holds for releases; nothing where none can be in it.
fn releases_of(comparisons: &[Comparison<'_>]) -> Option<String> {
    let mut parts = Vec::new();
    for (operator, version) in comparisons {
        if !names_prerelease(version) {
            parts.push(format!("{operator}{version}"));
            continue;
        }
        // No release stands between a release and its prereleases.
        let release = core(version);
        match *operator {
            ">=" | "=>" | ">" => parts.push(format!(">={release}")),
            "<=" | "=<" | "<" => parts.push(format!("<{release}")),
            "!=" => {}
            "" | "=" => return None,
            other => parts.push(format!("{other}{release}")),
        }
    }
    Some(parts.join(" "))
}

/// Writes a version with three parts: regclient takes a missing one for 0, ours for any.
fn whole(version: &str) -> Result<String, String> {
    let numbers = core(version);
    let suffix = &version[version.len() - (version.trim_start_matches('v').len() - numbers.len())..];
    let mut parts: Vec<&str> = numbers.split('.').collect();
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !parts.iter().all(|part| is_number(part)) {
        return Err(format!("`{version}` is no version to regsync"));
    }
    while parts.len() > 3 && parts.last().is_some_and(|part| part.trim_matches('0').is_empty()) {
        parts.pop();
    }
    if parts.len() > 3 {
        return Err(format!(
            "`{version}` has more than three parts, and no version here has"
        ));
    }
    parts.resize(3, "0");
    Ok(format!("{}{suffix}", parts.join(".")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(semver: &str, prerelease: bool) -> Taken {
        Taken {
            semver: semver.to_owned(),
            prerelease,
        }
    }

    #[test]
    fn masterminds_reads_as_ours_but_for_prereleases() {
        for (text, ranges) in [
            (">= 2.10.0, < 3.0.0", vec![taken(">=2.10.0 <3.0.0", false)]),
            (">= 3.12.0", vec![taken(">=3.12.0", false)]),
            (">=v2.40.0", vec![taken(">=v2.40.0", false)]),
            (">= 2", vec![taken(">=2", false)]),
            ("1.2", vec![taken("1.2", false)]),
            ("~1.2 || ^2", vec![taken("~1.2 || ^2", false)]),
            ("1.2 - 1.4.5", vec![taken(">=1.2 <=1.4.5", false)]),
            ("*", vec![taken("*", false)]),
            ("1.x", vec![taken("1.x", false)]),
            (">=1.2.3-0", vec![taken(">=1.2.3-0", true)]),
            (">=1.2.3-0 <2.0.0-0", vec![taken(">=1.2.3-0 <2.0.0-0", true)]),
            // The second comparison names none, so that no prerelease passes.
            (">=1.2.3-0, <2", vec![taken(">=1.2.3 <2", false)]),
            (">1.2.3-rc.1 <2", vec![taken(">=1.2.3 <2", false)]),
            (">=1 <2.0.0-rc.1", vec![taken(">=1 <2.0.0", false)]),
            ("!=1.2.3-rc.1 >1", vec![taken(">1", false)]),
            (
                "^1 || >=3.0.0-0",
                vec![taken("^1", false), taken(">=3.0.0-0", true)],
            ),
        ] {
            assert_eq!(masterminds(text), Ok(ranges), "{text}");
        }
        for text in ["", "latest", ">=", "=1.2.3-rc.1 <2", "1.2 ||", "<>1"] {
            assert!(masterminds(text).is_err(), "{text}");
        }
    }

    #[test]
    fn regclient_fills_missing_parts_with_zero() {
        for (items, range) in [
            (&[">=3.18.0 <4.0.0"][..], ">=3.18.0 <4.0.0"),
            (&[">=3.17 <4"], ">=3.17.0 <4.0.0"),
            (&["1.2"], "1.2.0"),
            (&["=1"], "=1.0.0"),
            (&[">1.2"], ">1.2.0"),
            (&["<=v1.2"], "<=1.2.0"),
            (&["^0.0"], "^0.0.0"),
            (&["~1"], "~1.0.0"),
            (&["~1.2.3-rc.1"], "~1.2.3-rc.1"),
            (&[">=1.0.0 <2.0.0", ">=4.0.0"], ">=1.0.0 <2.0.0 || >=4.0.0"),
            (&[">=10.0.17763.0"], ">=10.0.17763"),
            (&["20240101"], "20240101.0.0"),
        ] {
            assert_eq!(regclient(items), Ok(taken(range, true)), "{items:?}");
        }
        for item in ["", ">=1.0, <2", "1 || 2", "1.x", ">=10.0.17763.2114", "latest"] {
            assert!(regclient(&[item]).is_err(), "{item}");
        }
    }

    #[test]
    fn blang_needs_three_parts_or_a_wildcard() {
        for (items, range) in [
            (&[" >=1.31.0 <1.31.9"][..], ">=1.31.0 <1.31.9"),
            (&[">=1.0.0 <2.0.0 || >=3.0.0"], ">=1.0.0 <2.0.0 || >=3.0.0"),
            (&["1.x"], "1.x"),
            (&["!1.2.3 >1.0.0"], "!=1.2.3 >1.0.0"),
            (&["==1.2.3"], "=1.2.3"),
            (&[">= 1.36.0"], ">=1.36.0"),
            (&["1.2.3", "2.0.x"], "1.2.3 || 2.0.x"),
            (&[">=1.0.0-rc.1"], ">=1.0.0-rc.1"),
        ] {
            assert_eq!(blang(items), Ok(taken(range, true)), "{items:?}");
        }
        for item in ["", ">=1.2", "^1.2.3", "~1.2.3", "1.0.0, 2.0.0", "latest"] {
            assert!(blang(&[item]).is_err(), "{item}");
        }
    }
}
