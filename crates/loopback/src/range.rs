//! Ranges of bytes, in requests for blobs and in uploads.

use std::ops::Range;

/// How much of a blob a request wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// All of it: no range, or one that is not understood and so ignored.
    Whole,
    /// These bytes.
    Part(Range<u64>),
    /// None that the blob has.
    Unsatisfiable,
}

/// Reads a `Range` header for a blob of `size` bytes. Several ranges at once are ignored, as RFC 9110 allows.
///
/// <https://www.rfc-editor.org/rfc/rfc9110#section-14.2>
pub(crate) fn wanted(header: Option<&str>, size: u64) -> Wanted {
    let Some((first, last)) = header
        .and_then(|text| text.strip_prefix("bytes="))
        .and_then(|text| text.split_once('-'))
    else {
        return Wanted::Whole;
    };
    match (number(first), number(last)) {
        (Some(first), Some(last)) if first <= last => part(first, last.saturating_add(1), size),
        (Some(_), Some(_)) => Wanted::Unsatisfiable,
        (Some(first), None) if last.is_empty() => part(first, size, size),
        (None, Some(0)) if first.is_empty() => Wanted::Unsatisfiable,
        (None, Some(length)) if first.is_empty() => part(size.saturating_sub(length), size, size),
        _ => Wanted::Whole,
    }
}

fn part(start: u64, end: u64, size: u64) -> Wanted {
    if start < size {
        Wanted::Part(start..end.min(size))
    } else {
        Wanted::Unsatisfiable
    }
}

/// Reads a chunk's `Content-Range`, both ends inclusive.
///
/// <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pushing-a-blob-in-chunks>
pub(crate) fn chunk(header: &str) -> Option<Range<u64>> {
    let text = header.strip_prefix("bytes ").unwrap_or(header);
    let text = text.split('/').next().unwrap_or(text);
    let (first, last) = text.split_once('-')?;
    let (first, end) = (number(first)?, number(last)?.checked_add(1)?);
    (first < end).then_some(first..end)
}

fn number(text: &str) -> Option<u64> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_to_the_blob() {
        let cases = [
            ("bytes=0-0", Wanted::Part(0..1)),
            ("bytes=2-5", Wanted::Part(2..6)),
            ("bytes=2-99", Wanted::Part(2..10)),
            ("bytes=2-18446744073709551615", Wanted::Part(2..10)),
            ("bytes=9-", Wanted::Part(9..10)),
            ("bytes=-3", Wanted::Part(7..10)),
            ("bytes=-30", Wanted::Part(0..10)),
            ("bytes=10-", Wanted::Unsatisfiable),
            ("bytes=-0", Wanted::Unsatisfiable),
            ("bytes=5-4", Wanted::Unsatisfiable),
            ("bytes=0-1,3-4", Wanted::Whole),
            ("bytes=-", Wanted::Whole),
            ("bytes=+1-2", Wanted::Whole),
            ("lines=1-2", Wanted::Whole),
        ];
        for (header, expected) in cases {
            assert_eq!(wanted(Some(header), 10), expected, "{header}");
        }
    }

    #[test]
    fn an_empty_blob_satisfies_no_range() {
        for header in ["bytes=0-0", "bytes=0-", "bytes=-1"] {
            assert_eq!(wanted(Some(header), 0), Wanted::Unsatisfiable, "{header}");
        }
        assert_eq!(wanted(None, 0), Wanted::Whole);
    }

    #[test]
    fn a_chunk_has_two_ends() {
        assert_eq!(chunk("0-9"), Some(0..10));
        assert_eq!(chunk("bytes 10-19/*"), Some(10..20));
        for text in ["", "5", "5-", "-5", "9-8", "a-b", "0-18446744073709551615"] {
            assert_eq!(chunk(text), None, "{text}");
        }
    }
}
