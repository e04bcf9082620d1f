//! Ranges of versions, in the words that npm and Masterminds share.

use std::str::FromStr;

use super::version::{Prerelease, Version, number, suffix};

/// Alternatives (`||`) of comparisons that must all hold (a space or a comma between them).
///
/// A comparison is `=`, `!=`, `>`, `>=`, `<`, `<=`, `~`, `^` or nothing before a version, or `1.2 - 1.4`. A version may
/// leave out its last parts or write `x`, `X` or `*` for them: `1.2` is every 1.2.N, `<=3` every 3.N.N, `>3.18` starts at 3.19.
/// `~1.2.3` stays within 1.2, `^1.2.3` within 1, `^0.2.3` within 0.2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Range(Vec<Vec<Comparison>>);

/// Why a text is not a range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RangeError {
    #[error("nothing is compared; `*` is any version")]
    Empty,
    #[error("`{0}` is not a version, such as 1.2.3, 1.2, 1.x or 1.2.3-rc.1")]
    Version(String),
    #[error("`{0}` is not a comparison; there are = != > >= < <= ~ ^")]
    Operator(String),
    #[error("`{0}` has no version behind it")]
    NoVersion(String),
    #[error("`{0}` compares with any version")]
    Any(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Comparison {
    Below(Version),
    AtMost(Version),
    AtLeast(Version),
    Above(Version),
    /// From the first up to, without, the second.
    Within(Version, Version),
    Outside(Version, Version),
    Equal(Version),
    Unequal(Version),
}

impl Range {
    /// Returns true where `version` is in the range. A prerelease counts as its release, except against a bound that
    /// is a prerelease of that same release.
    pub(crate) fn contains(&self, version: &Version) -> bool {
        self.0
            .iter()
            .any(|all| all.iter().all(|comparison| comparison.holds(version)))
    }

    /// Returns true where a bound is a prerelease.
    pub(crate) fn names_prerelease(&self) -> bool {
        self.0.iter().flatten().any(|comparison| match comparison {
            Comparison::Below(bound)
            | Comparison::AtMost(bound)
            | Comparison::AtLeast(bound)
            | Comparison::Above(bound)
            | Comparison::Equal(bound)
            | Comparison::Unequal(bound) => bound.is_prerelease(),
            Comparison::Within(low, high) | Comparison::Outside(low, high) => {
                low.is_prerelease() || high.is_prerelease()
            }
        })
    }
}

impl Comparison {
    fn holds(&self, version: &Version) -> bool {
        let compare = |bound: &Version| {
            version
                .release
                .cmp(&bound.release)
                .then_with(|| match bound.is_prerelease() {
                    true => version.prerelease.cmp(&bound.prerelease),
                    false => std::cmp::Ordering::Equal,
                })
        };
        match self {
            Self::Below(bound) => compare(bound).is_lt(),
            Self::AtMost(bound) => compare(bound).is_le(),
            Self::AtLeast(bound) => compare(bound).is_ge(),
            Self::Above(bound) => compare(bound).is_gt(),
            Self::Within(low, high) => compare(low).is_ge() && compare(high).is_lt(),
            Self::Outside(low, high) => compare(low).is_lt() || compare(high).is_ge(),
            Self::Equal(bound) => compare(bound).is_eq(),
            Self::Unequal(bound) => compare(bound).is_ne(),
        }
    }
}

/// A version whose last parts may be open.
#[derive(Clone, Debug)]
struct Partial {
    major: u64,
    minor: Option<u64>,
    patch: Option<u64>,
    prerelease: Prerelease,
}

fn release(major: u64, minor: u64, patch: u64) -> Version {
    Version {
        release: (major, minor, patch),
        prerelease: Prerelease::default(),
    }
}

impl Partial {
    fn floor(&self) -> Version {
        let release = (self.major, self.minor.unwrap_or(0), self.patch.unwrap_or(0));
        Version {
            release,
            prerelease: self.prerelease.clone(),
        }
    }

    /// The first version behind all that the open parts stand for; none where no part is open.
    fn next(&self) -> Option<Version> {
        match (self.minor, self.patch) {
            (None, _) => Some(release(self.major.saturating_add(1), 0, 0)),
            (Some(minor), None) => Some(release(self.major, minor.saturating_add(1), 0)),
            (Some(_), Some(_)) => None,
        }
    }

    fn tilde_end(&self) -> Version {
        match self.minor {
            None => release(self.major.saturating_add(1), 0, 0),
            Some(minor) => release(self.major, minor.saturating_add(1), 0),
        }
    }

    fn caret_end(&self) -> Version {
        match (self.major, self.minor, self.patch) {
            (0, Some(0), Some(patch)) => release(0, 0, patch.saturating_add(1)),
            (0, Some(minor), _) => release(0, minor.saturating_add(1), 0),
            (major, ..) => release(major.saturating_add(1), 0, 0),
        }
    }
}

impl FromStr for Range {
    type Err = RangeError;

    fn from_str(text: &str) -> Result<Self, RangeError> {
        text.split("||")
            .map(alternative)
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

fn alternative(text: &str) -> Result<Vec<Comparison>, RangeError> {
    let mut all = Vec::new();
    for part in text.split(',') {
        if part.trim().is_empty() {
            return Err(RangeError::Empty);
        }
        comparisons(part, &mut all)?;
    }
    Ok(all)
}

/// Reads comparisons with spaces between them, and perhaps within them: `>= 1.2 <2`.
fn comparisons(text: &str, all: &mut Vec<Comparison>) -> Result<(), RangeError> {
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (operator, after) = rest.split_at(rest.find(|c| !"=<>!~^".contains(c)).unwrap_or(rest.len()));
        let (version, after) = word(after);
        if version.is_empty() {
            return Err(RangeError::NoVersion(operator.to_owned()));
        }
        rest = after;
        if let (true, Some(behind)) = (operator.is_empty(), after.strip_prefix("- ")) {
            let (end, after) = word(behind);
            all.extend(hyphen(version, end)?);
            rest = after;
        } else {
            all.extend(comparison(operator, version)?);
        }
    }
    Ok(())
}

/// Splits the first word off; ends before the next operator too.
fn word(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    let end = text
        .find(|c: char| c.is_whitespace() || "=<>!~^".contains(c))
        .unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}

fn hyphen(low: &str, high: &str) -> Result<Vec<Comparison>, RangeError> {
    let mut all = comparison(">=", low)?;
    all.extend(comparison("<=", high)?);
    Ok(all)
}

fn comparison(operator: &str, text: &str) -> Result<Vec<Comparison>, RangeError> {
    if ![
        "", "=", "==", "!=", ">", ">=", "=>", "<", "<=", "=<", "~", "~>", "^",
    ]
    .contains(&operator)
    {
        return Err(RangeError::Operator(operator.to_owned()));
    }
    let Some(version) = partial(text)? else {
        return match operator {
            ">" | "<" | "!=" => Err(RangeError::Any(format!("{operator}{text}"))),
            _ => Ok(Vec::new()),
        };
    };
    let floor = version.floor();
    Ok(vec![match (operator, version.next()) {
        (">=" | "=>", _) => Comparison::AtLeast(floor),
        ("<", _) => Comparison::Below(floor),
        (">", Some(next)) => Comparison::AtLeast(next),
        (">", None) => Comparison::Above(floor),
        ("<=" | "=<", Some(next)) => Comparison::Below(next),
        ("<=" | "=<", None) => Comparison::AtMost(floor),
        ("!=", Some(next)) => Comparison::Outside(floor, next),
        ("!=", None) => Comparison::Unequal(floor),
        ("~" | "~>", _) => Comparison::Within(floor, version.tilde_end()),
        ("^", _) => Comparison::Within(floor, version.caret_end()),
        (_, Some(next)) => Comparison::Within(floor, next),
        (_, None) => Comparison::Equal(floor),
    }])
}

/// Reads a version with open parts; none where all of it is open.
fn partial(text: &str) -> Result<Option<Partial>, RangeError> {
    let wrong = || RangeError::Version(text.to_owned());
    let bare = text.strip_prefix('v').unwrap_or(text);
    let (numbers, rest) = bare.split_at(bare.find(['-', '+', '_']).unwrap_or(bare.len()));
    let parts: Vec<&str> = numbers.split('.').collect();
    if parts.len() > 3 || (parts.len() < 3 && !rest.is_empty()) {
        return Err(wrong());
    }
    let open = |part: &str| matches!(part, "x" | "X" | "*");
    let known = parts.iter().position(|part| open(part)).unwrap_or(parts.len());
    if !parts[known..].iter().all(|part| open(part)) || (known < parts.len() && !rest.is_empty()) {
        return Err(wrong());
    }
    let numbers = parts[..known]
        .iter()
        .map(|part| number(part))
        .collect::<Result<Vec<_>, _>>();
    let numbers = numbers.map_err(|_| wrong())?;
    let build = if rest.contains('+') { '+' } else { '_' };
    let prerelease = suffix(rest, build).map_err(|_| wrong())?;
    let part = |at: usize| numbers.get(at).copied();
    Ok(part(0).map(|major| Partial {
        major,
        minor: part(1),
        patch: part(2),
        prerelease,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(range: &str, version: &str) -> bool {
        let range: Range = range.parse().unwrap_or_else(|error| panic!("{range}: {error}"));
        range.contains(
            &version
                .parse()
                .unwrap_or_else(|_| panic!("{version} is a version")),
        )
    }

    #[test]
    fn ranges_take_what_their_words_say() {
        for (range, inside, outside) in [
            (
                ">=3.19, <4",
                &["3.19", "3.19.0", "3.20.9", "v3.99"][..],
                &["3.18.9", "4.0", "4.0.1"][..],
            ),
            (">=3.19 <4", &["3.19", "3.20.9"], &["3.18.9", "4.0"]),
            (">= 3.19 , < 4", &["3.19"], &["4.0"]),
            (">=1.2<1.4", &["1.2", "1.3.9"], &["1.1", "1.4"]),
            ("<2 || >=3", &["1.9", "3.0"], &["2.0", "2.9.9"]),
            ("^1.2.3", &["1.2.3", "1.9.0"], &["1.2.2", "2.0"]),
            ("^0.2.3", &["0.2.3", "0.2.9"], &["0.2.2", "0.3"]),
            ("^0.0.3", &["0.0.3"], &["0.0.2", "0.0.4"]),
            ("^0.0", &["0.0.0", "0.0.9"], &["0.1"]),
            ("^0", &["0.0", "0.9.9"], &["1.0"]),
            ("^1", &["1.0", "1.9"], &["0.9", "2.0"]),
            ("~1.2.3", &["1.2.3", "1.2.9"], &["1.2.2", "1.3"]),
            ("~1.2", &["1.2.0", "1.2.9"], &["1.1", "1.3"]),
            ("~> 1", &["1.0", "1.9"], &["0.9", "2.0"]),
            ("1.2", &["1.2", "1.2.7"], &["1.1.9", "1.3"]),
            ("=1.2.3", &["1.2.3", "v1.2.3_b"], &["1.2.4"]),
            ("1", &["1.0", "1.99"], &["0.9", "2.0"]),
            ("1.x", &["1.0", "1.9.9"], &["2.0"]),
            ("1.2.*", &["1.2", "1.2.9"], &["1.3"]),
            ("*", &["0.0", "99.9"], &[]),
            (">=*", &["0.0"], &[]),
            (">3.18", &["3.19"], &["3.18.0", "3.18.9"]),
            (">3.18.1", &["3.18.2"], &["3.18.1"]),
            (">3", &["4.0"], &["3.9"]),
            ("<=3.18", &["3.18.9", "3.0"], &["3.19"]),
            ("<=3.18.1", &["3.18.1"], &["3.18.2"]),
            ("!=1.2.3", &["1.2.2", "1.2.4"], &["1.2.3"]),
            ("!=1.2", &["1.1.9", "1.3"], &["1.2.0", "1.2.9"]),
            ("1.2 - 1.4", &["1.2", "1.4.9"], &["1.1", "1.5"]),
            ("1.2.3 - 2.0.0", &["1.2.3", "2.0"], &["1.2.2", "2.0.1"]),
            ("v1.2 - v2, !=1.5.0", &["1.2", "2.9.9"], &["1.5", "3.0"]),
            (
                ">=1.0.0-rc.2",
                &["1.0.0-rc.2", "1.0.0", "1.0.1-rc.1"],
                &["1.0.0-rc.1", "0.9.9"],
            ),
            ("<4", &["3.9-rc1"], &["4.0.0-rc1"]),
        ] {
            for version in inside {
                assert!(contains(range, version), "{version} is in {range}");
            }
            for version in outside {
                assert!(!contains(range, version), "{version} is not in {range}");
            }
        }
    }

    #[test]
    fn other_texts_are_refused() {
        use RangeError::{Any, Empty, NoVersion, Operator, Version};
        let own = str::to_owned;
        for (text, error) in [
            ("", Empty),
            ("  ", Empty),
            (">=1,", Empty),
            ("1 ||", Empty),
            ("|| 1", Empty),
            (">=1,,<2", Empty),
            ("latest", Version(own("latest"))),
            (">=x.1", Version(own("x.1"))),
            ("1.2.3.4", Version(own("1.2.3.4"))),
            ("1.x.3", Version(own("1.x.3"))),
            ("1.2-rc", Version(own("1.2-rc"))),
            ("1.2.x-rc", Version(own("1.2.x-rc"))),
            (">=", NoVersion(own(">="))),
            (">=1 <", NoVersion(own("<"))),
            ("><1", Operator(own("><"))),
            ("=!1", Operator(own("=!"))),
            ("~=1.2", Operator(own("~="))),
            (">*", Any(own(">*"))),
            ("!=x", Any(own("!=x"))),
            ("1 | 2", Version(own("|"))),
        ] {
            assert_eq!(text.parse::<Range>(), Err(error), "{text:?}");
        }
    }
}
