//! Points in time, as documents write them.

use std::str::FromStr;

use crate::config::Age;

/// A second, counted from 1970-01-01T00:00:00Z; before that it is negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(i64);

/// A text is no point in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a point in time reads as 2024-01-31T12:30:00Z or 2024-01-31T12:30:00.5+02:00")]
pub struct ParseMomentError;

const DAY: i64 = 86_400;

impl Moment {
    /// Returns the moment that is so many seconds after 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds)
    }

    /// Returns the moment that lies `age` earlier.
    #[must_use]
    pub fn before(self, age: Age) -> Self {
        Self(self.0.saturating_sub_unsigned(age.seconds()))
    }
}

/// Reads RFC 3339. What is less than a second is left out.
///
/// <https://www.rfc-editor.org/rfc/rfc3339#section-5.6>
impl FromStr for Moment {
    type Err = ParseMomentError;

    fn from_str(text: &str) -> Result<Self, ParseMomentError> {
        let (date, rest) = text.split_at_checked(10).ok_or(ParseMomentError)?;
        let rest = rest.strip_prefix(['T', 't', ' ']).ok_or(ParseMomentError)?;
        let (time, rest) = rest.split_at_checked(8).ok_or(ParseMomentError)?;
        let (day, second) = (day(date)?, second(time)?);
        let offset = offset(without_fraction(rest)?)?;
        Ok(Self(day * DAY + second - offset))
    }
}

/// Reads digits that are parted by `sign`.
fn parts<const N: usize>(text: &str, widths: [usize; N], sign: char) -> Result<[i64; N], ParseMomentError> {
    let mut numbers = [0; N];
    let mut pieces = text.split(sign);
    for (number, width) in numbers.iter_mut().zip(widths) {
        let piece = pieces.next().filter(|piece| piece.len() == width);
        let piece = piece.filter(|piece| piece.bytes().all(|byte| byte.is_ascii_digit()));
        let piece = piece.ok_or(ParseMomentError)?;
        *number = piece.parse().map_err(|_| ParseMomentError)?;
    }
    match pieces.next() {
        None => Ok(numbers),
        Some(_) => Err(ParseMomentError),
    }
}

/// Reads a date as days since 1970-01-01.
fn day(text: &str) -> Result<i64, ParseMomentError> {
    let [year, month, day] = parts(text, [4, 2, 2], '-')?;
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return Err(ParseMomentError),
    };
    if !(1..=length).contains(&day) {
        return Err(ParseMomentError);
    }
    // Years that begin in March have their leap day at the end: the days before a month are then a line.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let leaps = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let days_to_march_1970 = 719_468;
    Ok(year * 365 + leaps + (153 * month + 2) / 5 + day - 1 - days_to_march_1970)
}

/// Reads a time of the day in seconds; a leap second is one.
fn second(text: &str) -> Result<i64, ParseMomentError> {
    let [hour, minute, second] = parts(text, [2, 2, 2], ':')?;
    match hour < 24 && minute < 60 && second <= 60 {
        true => Ok(hour * 3_600 + minute * 60 + second),
        false => Err(ParseMomentError),
    }
}

fn without_fraction(text: &str) -> Result<&str, ParseMomentError> {
    let Some(fraction) = text.strip_prefix('.') else {
        return Ok(text);
    };
    let rest = fraction.trim_start_matches(|sign: char| sign.is_ascii_digit());
    match rest.len() < fraction.len() {
        true => Ok(rest),
        false => Err(ParseMomentError),
    }
}

/// Reads how far a clock is ahead of UTC, in seconds.
fn offset(text: &str) -> Result<i64, ParseMomentError> {
    let (sign, clock) = match text.split_at_checked(1) {
        Some(("Z" | "z", "")) => return Ok(0),
        Some(("+", clock)) => (1, clock),
        Some(("-", clock)) => (-1, clock),
        _ => return Err(ParseMomentError),
    };
    let [hours, minutes] = parts(clock, [2, 2], ':')?;
    match hours < 24 && minutes < 60 {
        true => Ok(sign * (hours * 3_600 + minutes * 60)),
        false => Err(ParseMomentError),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_in_time_are_seconds_since_1970() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1970-01-01t00:00:01z", 1),
            ("1969-12-31T23:59:59Z", -1),
            ("0001-01-01T00:00:00Z", -62_135_596_800),
            ("0000-03-01T00:00:00Z", -62_162_035_200),
            ("1980-01-01T00:00:00Z", 315_532_800),
            ("2000-02-29T00:00:00Z", 951_782_400),
            ("2024-02-29T12:30:45Z", 1_709_209_845),
            ("2024-02-29T12:30:45.123456789Z", 1_709_209_845),
            ("2024-02-29T14:30:45+02:00", 1_709_209_845),
            ("2024-02-29T07:00:45.5-05:30", 1_709_209_845),
            ("2024-12-31T23:59:60Z", 1_735_689_600),
            ("2025-01-01 00:00:00Z", 1_735_689_600),
            ("2100-03-01T00:00:00Z", 4_107_542_400),
            ("9999-12-31T23:59:59Z", 253_402_300_799),
        ] {
            assert_eq!(text.parse(), Ok(Moment(seconds)), "{text}");
        }
    }

    #[test]
    fn other_texts_are_none() {
        for text in [
            "",
            "2024",
            "2024-01-31",
            "2024-01-31T12:30:00",
            "2024-01-31T12:30Z",
            "2024-1-31T12:30:00Z",
            "2024-13-01T00:00:00Z",
            "2024-00-01T00:00:00Z",
            "2023-02-29T00:00:00Z",
            "1900-02-29T00:00:00Z",
            "2024-04-31T00:00:00Z",
            "2024-01-00T00:00:00Z",
            "2024-01-31T24:00:00Z",
            "2024-01-31T12:60:00Z",
            "2024-01-31T12:30:61Z",
            "2024-01-31T12:30:00.Z",
            "2024-01-31T12:30:00+0200",
            "2024-01-31T12:30:00+24:00",
            "2024-01-31T12:30:00Zx",
            "+024-01-31T12:30:00Z",
            "2024-01-31X12:30:00Z",
            "2024-01-3\u{e9}T12:30:00Z",
            "1706704200",
        ] {
            assert_eq!(text.parse::<Moment>(), Err(ParseMomentError), "{text}");
        }
    }

    #[test]
    fn an_age_leads_back_and_never_over_the_edge() {
        let (week, now) = ("1w".parse().unwrap(), Moment(1_000_000));
        assert_eq!(now.before(week), Moment(1_000_000 - 7 * DAY));
        assert_eq!(Moment(i64::MIN + 1).before(week), Moment(i64::MIN));
    }
}
