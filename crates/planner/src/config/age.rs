//! Lengths of time, as people write them.

use std::str::FromStr;

use serde::Serialize;

/// A length of time in seconds, one at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Age(u64);

/// A text is not a length of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a time is a whole number with s, m, h, d or w, such as 90d")]
pub struct ParseAgeError;

/// The most of a unit: nine digits, of weeks far more than the age of anything.
const MOST: u64 = 999_999_999;

const UNITS: [(char, u64); 5] = [
    ('s', 1),
    ('m', 60),
    ('h', 60 * 60),
    ('d', 24 * 60 * 60),
    ('w', 7 * 24 * 60 * 60),
];

impl Age {
    /// Returns the seconds.
    #[must_use]
    pub fn seconds(self) -> u64 {
        self.0
    }
}

impl FromStr for Age {
    type Err = ParseAgeError;

    fn from_str(text: &str) -> Result<Self, ParseAgeError> {
        let unit = UNITS
            .iter()
            .find_map(|(unit, seconds)| Some((text.strip_suffix(*unit)?, seconds)));
        let (number, seconds) = unit.ok_or(ParseAgeError)?;
        if !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(ParseAgeError);
        }
        let number: u64 = number.parse().map_err(|_| ParseAgeError)?;
        match (1..=MOST).contains(&number) {
            true => Ok(Self(number * seconds)),
            false => Err(ParseAgeError),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_read_in_five_units() {
        for (text, seconds) in [
            ("1s", 1),
            ("90m", 5_400),
            ("36h", 129_600),
            ("90d", 7_776_000),
            ("090d", 7_776_000),
            ("2w", 1_209_600),
            ("999999999w", 604_799_999_395_200),
        ] {
            assert_eq!(text.parse(), Ok(Age(seconds)), "{text}");
        }
    }

    #[test]
    fn other_texts_are_none() {
        for text in [
            "",
            "d",
            "90",
            "0d",
            "-1d",
            "+1d",
            "1.5d",
            "90D",
            "90 d",
            "90days",
            "1d12h",
            "3y",
            "1M",
            "1000000000s",
            "99999999999999999999s",
            "\u{661}d",
        ] {
            assert_eq!(text.parse::<Age>(), Err(ParseAgeError), "{text}");
        }
    }
}
