//! Bytes, and bytes a second, as people write them.

/// A text is not a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a bandwidth is a number with B/s, KiB/s, MiB/s, GiB/s, kB/s, MB/s or GB/s, such as 20MiB/s")]
pub(crate) struct NoRate;

/// A text is not a size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a size is a number with B, KiB, MiB, GiB, kB, MB or GB, such as 4MiB")]
pub(crate) struct NoSize;

const UNITS: [(&str, u64); 7] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("B", 1),
];

/// Reads a whole number of bytes a second, one at least.
pub(crate) fn parse(text: &str) -> Result<u64, NoRate> {
    let amount = text.strip_suffix("/s").ok_or(NoRate)?;
    size(amount).map_err(|NoSize| NoRate)
}

/// Reads a whole number of bytes, one at least.
pub(crate) fn size(text: &str) -> Result<u64, NoSize> {
    let unit = UNITS
        .iter()
        .find_map(|(unit, size)| Some((text.strip_suffix(unit)?, size)));
    let (number, size) = unit.ok_or(NoSize)?;
    let number = number.trim_end();
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(NoSize);
    }
    let bytes = number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(*size));
    bytes.filter(|bytes| *bytes > 0).ok_or(NoSize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_read_in_both_kinds_of_units() {
        for (text, bytes) in [
            ("20MiB/s", Ok(20 << 20)),
            ("20 MiB/s", Ok(20 << 20)),
            ("1GB/s", Ok(1_000_000_000)),
            ("500kB/s", Ok(500_000)),
            ("1B/s", Ok(1)),
            ("0B/s", Err(NoRate)),
            ("20MiB", Err(NoRate)),
            ("20/s", Err(NoRate)),
            ("MiB/s", Err(NoRate)),
            ("-1MiB/s", Err(NoRate)),
            ("1.5MiB/s", Err(NoRate)),
            ("99999999999GiB/s", Err(NoRate)),
            ("20mib/s", Err(NoRate)),
        ] {
            assert_eq!(parse(text), bytes, "{text}");
        }
    }

    #[test]
    fn sizes_read_like_rates_without_a_second() {
        assert_eq!(size("4MiB"), Ok(4 << 20));
        assert_eq!(size("16 MB"), Ok(16_000_000));
        for text in ["4MiB/s", "4", "0B", "4 mib", ""] {
            assert_eq!(size(text), Err(NoSize), "{text}");
        }
    }
}
