//! The `Link` header, which says where the next page is.

use http::HeaderMap;
use http::header::LINK;

/// Finds the target of the link whose relation is `next`, in however many headers and however they are written.
///
/// <https://www.rfc-editor.org/rfc/rfc8288#section-3>
pub(crate) fn next(headers: &HeaderMap) -> Option<String> {
    headers
        .get_all(LINK)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .find_map(next_in)
}

fn next_in(mut text: &str) -> Option<String> {
    while let Some((_, rest)) = text.split_once('<') {
        let (target, rest) = rest.split_once('>')?;
        let (parameters, rest) = split_parameters(rest);
        if is_next(parameters) {
            return Some(target.trim().to_owned());
        }
        text = rest;
    }
    None
}

/// Divides a link's parameters from the links after it. A comma in quotes divides nothing.
fn split_parameters(text: &str) -> (&str, &str) {
    let mut quoted = false;
    for (position, byte) in text.bytes().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b',' if !quoted => return text.split_at(position),
            _ => {}
        }
    }
    (text, "")
}

fn is_next(parameters: &str) -> bool {
    parameters
        .split(';')
        .filter_map(|parameter| parameter.split_once('='))
        .filter(|(key, _)| key.trim().eq_ignore_ascii_case("rel"))
        .flat_map(|(_, value)| value.trim().trim_matches('"').split_ascii_whitespace())
        .any(|relation| relation.eq_ignore_ascii_case("next"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(values: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(LINK, value.parse().unwrap());
        }
        next(&headers)
    }

    #[test]
    fn the_next_link_is_found_however_it_is_written() {
        for text in [
            r#"</v2/a/tags/list?n=1&last=b>; rel="next""#,
            "</v2/a/tags/list?n=1&last=b>;rel=next",
            r#"< /v2/a/tags/list?n=1&last=b > ; title="a, b; <c>" ; REL="prev Next""#,
            r#"</first>; rel="first", </v2/a/tags/list?n=1&last=b>; rel="next""#,
        ] {
            assert_eq!(
                found(&[text]).as_deref(),
                Some("/v2/a/tags/list?n=1&last=b"),
                "{text}"
            );
        }
        assert_eq!(
            found(&["</a>; rel=prev", "</b>; rel=next"]).as_deref(),
            Some("/b")
        );
    }

    #[test]
    fn other_links_and_broken_ones_are_none() {
        for text in [
            "",
            "</a>",
            "</a>; rel=prev",
            "</a; rel=next",
            "rel=next",
            ">;rel=next<",
            "<",
        ] {
            assert_eq!(found(&[text]), None, "{text}");
        }
    }
}
