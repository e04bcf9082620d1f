//! Versions as tags write them.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// `[v]N.N[.N][-pre][_build]`; a missing third part is 0. The build part has no say in equality and order.
#[derive(Clone, Debug)]
pub(crate) struct Version {
    pub(crate) release: (u64, u64, u64),
    pub(crate) prerelease: Prerelease,
}

/// What follows the `-`, in parts; empty for a release.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Prerelease(Vec<String>);

/// A text is not a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoVersion;

impl Version {
    pub(crate) fn is_prerelease(&self) -> bool {
        !self.prerelease.is_empty()
    }
}

impl FromStr for Version {
    type Err = NoVersion;

    fn from_str(text: &str) -> Result<Self, NoVersion> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let (numbers, rest) = text.split_at(text.find(['-', '_']).unwrap_or(text.len()));
        let numbers = numbers.split('.').map(number).collect::<Result<Vec<_>, _>>()?;
        let release = match numbers.as_slice() {
            [major, minor] => (*major, *minor, 0),
            [major, minor, patch] => (*major, *minor, *patch),
            _ => return Err(NoVersion),
        };
        Ok(Self {
            release,
            prerelease: suffix(rest, '_')?,
        })
    }
}

pub(crate) fn number(text: &str) -> Result<u64, NoVersion> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits {
        text.parse().map_err(|_| NoVersion)
    } else {
        Err(NoVersion)
    }
}

/// Reads `[-pre][_build]` with the given sign before the build.
pub(crate) fn suffix(text: &str, build: char) -> Result<Prerelease, NoVersion> {
    let (pre, build) = match text.split_once(build) {
        Some((pre, build)) => (pre, Some(build)),
        None => (text, None),
    };
    if build.is_some_and(str::is_empty) {
        return Err(NoVersion);
    }
    match pre.strip_prefix('-') {
        None if pre.is_empty() => Ok(Prerelease::default()),
        None => Err(NoVersion),
        Some(pre) => pre.parse(),
    }
}

impl Prerelease {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromStr for Prerelease {
    type Err = NoVersion;

    fn from_str(text: &str) -> Result<Self, NoVersion> {
        let fits = |part: &str| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        if !text.split('.').all(fits) {
            return Err(NoVersion);
        }
        Ok(Self(text.split('.').map(str::to_owned).collect()))
    }
}

impl fmt::Display for Prerelease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("."))
    }
}

// The order of <https://semver.org/#spec-item-11>: a release stands above its prereleases.
impl Ord for Prerelease {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.is_empty(), other.is_empty()) {
            (true, true) => return Ordering::Equal,
            (true, false) => return Ordering::Greater,
            (false, true) => return Ordering::Less,
            (false, false) => {}
        }
        let parts = self
            .0
            .iter()
            .zip(&other.0)
            .map(|(left, right)| compare_parts(left, right));
        parts
            .fold(Ordering::Equal, Ordering::then)
            .then(self.0.len().cmp(&other.0.len()))
    }
}

impl PartialOrd for Prerelease {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

fn compare_parts(left: &str, right: &str) -> Ordering {
    let numeric = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let digits = |text: &str| text.trim_start_matches('0').to_owned();
    match (numeric(left), numeric(right)) {
        (true, true) => {
            let (left, right) = (digits(left), digits(right));
            left.len().cmp(&right.len()).then(left.cmp(&right))
        }
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (false, false) => left.cmp(right),
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.release
            .cmp(&other.release)
            .then_with(|| self.prerelease.cmp(&other.prerelease))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Version {}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        text.parse().unwrap_or_else(|_| panic!("{text} is a version"))
    }

    #[test]
    fn tags_that_are_versions_read_with_a_missing_third_part_as_zero() {
        for (text, release, prerelease) in [
            ("1.2.3", (1, 2, 3), ""),
            ("v1.2.3", (1, 2, 3), ""),
            ("1.2", (1, 2, 0), ""),
            ("v1.2", (1, 2, 0), ""),
            ("22.04", (22, 4, 0), ""),
            ("2024.01.05", (2024, 1, 5), ""),
            ("1.2-alpine", (1, 2, 0), "alpine"),
            ("1.2.3-rc.1", (1, 2, 3), "rc.1"),
            ("1.2.3-rc-1.x", (1, 2, 3), "rc-1.x"),
            ("1.2.3_build.5", (1, 2, 3), ""),
            ("1.2.3-rc.1_build-5", (1, 2, 3), "rc.1"),
            ("1.2_b", (1, 2, 0), ""),
            ("0.0", (0, 0, 0), ""),
            ("v0.0.0-0", (0, 0, 0), "0"),
            ("18446744073709551615.0", (u64::MAX, 0, 0), ""),
            ("1.2.3_b_c", (1, 2, 3), ""),
        ] {
            let read = version(text);
            assert_eq!(
                (read.release, read.prerelease.to_string()),
                (release, prerelease.to_owned()),
                "{text}"
            );
        }
    }

    #[test]
    fn other_tags_are_none() {
        for text in [
            "1",
            "v1",
            "latest",
            "",
            "v",
            "1.",
            "1.2.",
            "1.2.3.4",
            "1.x",
            "V1.2",
            "vv1.2",
            "1.2-",
            "1.2_",
            "1.2-a..b",
            "1.2-a.",
            "1.2 ",
            "a1.2",
            "1.2.3+b",
            "20240105",
            "18446744073709551616.0",
            "-1.2",
            "1.-2",
            "1.2.3rc1",
        ] {
            assert_eq!(text.parse::<Version>(), Err(NoVersion), "{text}");
        }
    }

    #[test]
    fn versions_stand_in_the_order_of_semver() {
        let rising = [
            "0.9",
            "1.0.0-0",
            "1.0.0-9",
            "1.0.0-010",
            "1.0.0-11",
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0-rc.1",
            "1.0.0",
            "1.0.1",
            "1.2",
            "1.10",
            "2.0",
        ];
        for pair in rising.windows(2) {
            assert!(version(pair[0]) < version(pair[1]), "{} < {}", pair[0], pair[1]);
        }
    }

    #[test]
    fn spellings_of_one_version_are_equal() {
        for text in ["v1.2.0", "1.2.0", "1.2", "v1.2", "1.2_b1", "1.02.0"] {
            assert_eq!(version(text), version("1.2.0"), "{text}");
        }
    }
}
