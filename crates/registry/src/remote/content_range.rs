//! The `Content-Range` header, which says which part of a blob an answer is.

/// A part of a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ContentRange {
    /// The first byte, where the part is not empty.
    pub(super) first: Option<u64>,
    /// How many bytes the whole blob has, where the server knows.
    pub(super) total: Option<u64>,
}

impl ContentRange {
    /// Reads `bytes 5-9/10`, `bytes 5-9/*` or `bytes */10`.
    ///
    /// <https://www.rfc-editor.org/rfc/rfc9110#section-14.4>
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (unit, rest) = text.trim().split_once([' ', '='])?;
        let (range, total) = rest.trim().split_once('/')?;
        let total = match total.trim() {
            "*" => None,
            total => Some(number(total)?),
        };
        let first = match range.trim() {
            "*" => None,
            range => Some(first(range, total)?),
        };
        (unit.eq_ignore_ascii_case("bytes") && (first.is_some() || total.is_some()))
            .then_some(Self { first, total })
    }
}

fn first(range: &str, total: Option<u64>) -> Option<u64> {
    let (first, last) = range.split_once('-')?;
    let (first, last) = (number(first.trim())?, number(last.trim())?);
    (first <= last && total.is_none_or(|total| last < total)).then_some(first)
}

fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_totals_and_both_are_read() {
        let range = |first, total| Some(ContentRange { first, total });
        assert_eq!(ContentRange::parse("bytes 5-9/10"), range(Some(5), Some(10)));
        assert_eq!(ContentRange::parse(" Bytes 5-9/* "), range(Some(5), None));
        assert_eq!(ContentRange::parse("bytes */0"), range(None, Some(0)));
    }

    #[test]
    fn nonsense_is_nothing() {
        for text in [
            "",
            "bytes",
            "bytes 5-9",
            "bytes */*",
            "bytes 9-5/10",
            "bytes 5-10/10",
            "lines 0-1/2",
            "bytes +5-9/10",
            "bytes -5-9/10",
            "bytes 5-/10",
            "bytes 99999999999999999999-1/2",
        ] {
            assert_eq!(ContentRange::parse(text), None, "{text}");
        }
    }
}
