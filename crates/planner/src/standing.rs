//! A repository that stands already, as its vendor describes it.

/// A repository that stands already.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The settings that are not as wanted.
    pub drift: Vec<Drift>,
    /// Why nothing can be pushed there, where that is so.
    pub refuses: Option<String>,
    /// Which tags can't be moved once they stand.
    pub immutable: Immutable,
}

/// A setting that is not as wanted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Drift {
    /// The key of `create_repositories`.
    pub setting: String,
    /// What it is.
    pub found: String,
    /// What it should be.
    pub wanted: String,
    /// Whether it can be changed at all.
    pub change: Change,
}

/// Whether a setting of a standing repository can be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// It can.
    Possible,
    /// Only a new repository could have it.
    Never,
}

/// Which tags of a repository can't be moved once they stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Immutable {
    /// None of them.
    #[default]
    None,
    /// All but those that match one of these patterns, in which `*` stands for any characters.
    Except(Vec<String>),
    /// Those that match one of these patterns.
    Matching(Vec<String>),
}

impl Immutable {
    /// Returns true where `tag` can't be moved.
    #[must_use]
    pub fn holds(&self, tag: &str) -> bool {
        let any = |patterns: &[String]| patterns.iter().any(|pattern| matches(pattern, tag));
        match self {
            Self::None => false,
            Self::Except(patterns) => !any(patterns),
            Self::Matching(patterns) => any(patterns),
        }
    }
}

/// Matches a pattern in which `*` stands for any characters.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(left) = text.strip_prefix(head) else {
        return false;
    };
    (0..=left.len())
        .filter(|at| left.is_char_boundary(*at))
        .any(|at| matches(rest, &left[at..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, text, expected) in [
            ("latest*", "latest", true),
            ("latest*", "latest-1", true),
            ("latest*", "nolatest", false),
            ("*-rc*", "1.2-rc3", true),
            ("v1", "v1", true),
            ("v1", "v11", false),
            ("*", "", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn exclusions_turn_the_rule_around() {
        let but_latest = Immutable::Except(vec!["latest*".to_owned()]);
        assert!(but_latest.holds("1.0") && !but_latest.holds("latest"));
        let only_releases = Immutable::Matching(vec!["v*".to_owned()]);
        assert!(only_releases.holds("v1") && !only_releases.holds("dev"));
        assert!(!Immutable::None.holds("v1"));
    }
}
