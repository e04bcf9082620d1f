//! Long lists, page by page.

use http::header::{HeaderValue, LINK};
use url::form_urlencoded;

use crate::failure::{Code, Failure};
use crate::service::Call;

/// Which part of a sorted list a request wants.
///
/// <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-tags>
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    /// The most entries; none asks for all.
    size: Option<usize>,
    /// The entry after which the page starts, whether it is there or not.
    last: Option<String>,
}

/// A page's entries, and the last one's name if more follow.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Cut<T> {
    pub(crate) entries: Vec<T>,
    more_after: Option<String>,
}

impl Page {
    /// Reads `n` and `last`. No page is longer than `limit`.
    pub(crate) fn of(call: &Call, limit: Option<usize>) -> Result<Self, Failure> {
        let malformed =
            |_| Failure::new(Code::Unsupported, "n is a number").with_status(http::StatusCode::BAD_REQUEST);
        let asked = call
            .parameter("n")
            .map(|n| n.parse::<usize>().map_err(malformed))
            .transpose()?;
        let limit = limit.map(|limit| limit.max(1));
        let size = asked.into_iter().chain(limit).min();
        Ok(Self {
            size,
            last: call.parameter("last").map(str::to_owned),
        })
    }

    /// Cuts the page out of a list that is sorted by `name`.
    pub(crate) fn cut<T>(&self, entries: Vec<T>, name: impl Fn(&T) -> String) -> Cut<T> {
        let after = |entry: &T| self.last.as_ref().is_none_or(|last| name(entry) > *last);
        let mut entries: Vec<T> = entries.into_iter().filter(after).collect();
        let size = self.size.unwrap_or(usize::MAX);
        let more = entries.len() > size;
        entries.truncate(size);
        // An empty page has no last entry, and so no page after it.
        Cut {
            more_after: entries.last().filter(|_| more).map(name),
            entries,
        }
    }

    /// Returns the link to the next page, which keeps the request's other parameter.
    pub(crate) fn link<T>(&self, cut: &Cut<T>, call: &Call, keep: Option<&str>) -> Option<HeaderValue> {
        let last = cut.more_after.as_deref()?;
        let mut query = form_urlencoded::Serializer::new(String::new());
        if let Some((name, value)) = keep.and_then(|name| Some((name, call.parameter(name)?))) {
            query.append_pair(name, value);
        }
        query
            .extend_pairs(self.size.map(|size| ("n", size.to_string())))
            .append_pair("last", last);
        HeaderValue::from_str(&format!("<{}?{}>; rel=\"next\"", call.path, query.finish())).ok()
    }
}

/// Adds a link to a response.
pub(crate) fn linked(
    mut response: axum::response::Response,
    link: Option<HeaderValue>,
) -> axum::response::Response {
    response.headers_mut().extend(link.map(|link| (LINK, link)));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(size: Option<usize>, last: Option<&str>) -> (String, Option<String>) {
        let page = Page {
            size,
            last: last.map(str::to_owned),
        };
        let cut = page.cut(vec!["a", "b", "c"], |entry| (*entry).to_owned());
        (cut.entries.concat(), cut.more_after)
    }

    #[test]
    fn a_page_ends_with_what_the_next_starts_after() {
        assert_eq!(cut(None, None), ("abc".into(), None));
        assert_eq!(cut(Some(2), None), ("ab".into(), Some("b".into())));
        assert_eq!(cut(Some(3), None), ("abc".into(), None));
        assert_eq!(cut(Some(2), Some("b")), ("c".into(), None));
        assert_eq!(cut(Some(1), Some("aa")), ("b".into(), Some("b".into())));
        assert_eq!(cut(Some(0), None), (String::new(), None));
        assert_eq!(cut(None, Some("z")), (String::new(), None));
    }
}
