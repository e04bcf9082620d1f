//! A page of tags as Docker Hub's API writes it.

use oci::{Digest, Tag};
use serde::Deserialize;
use serde_json::Value;

/// A page of tags.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Page {
    /// How many tags there are on all pages.
    pub(super) count: usize,
    pub(super) tags: Vec<(Tag, Tagged)>,
    pub(super) is_last: bool,
}

/// What a tag stands at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tagged {
    /// The digest of the index where there is one, else of the manifest.
    pub(super) digest: Digest,
    /// For how many platforms there are images.
    pub(super) images: usize,
}

#[derive(Deserialize)]
struct Document {
    count: usize,
    next: Option<String>,
    results: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    /// Not in the documentation. Tags that nobody has pushed for years have none.
    digest: Option<String>,
    #[serde(default)]
    images: Option<Vec<Value>>,
}

impl Page {
    /// Reads a page. The error says why it can't be relied on.
    pub(super) fn parse(body: &[u8]) -> Result<Self, String> {
        let document: Document = serde_json::from_slice(body)
            .map_err(|_| "Docker Hub's API answers with something else than tags".to_owned())?;
        let is_last = document.next.is_none_or(|next| next.is_empty());
        let tags: Result<_, String> = document.results.into_iter().map(Entry::read).collect();
        Ok(Self {
            count: document.count,
            tags: tags?,
            is_last,
        })
    }
}

impl Entry {
    fn read(self) -> Result<(Tag, Tagged), String> {
        let tag: Tag = self
            .name
            .parse()
            .map_err(|_| "Docker Hub's API lists a tag that is none".to_owned())?;
        let digest = self
            .digest
            .and_then(|digest| digest.parse().ok())
            .ok_or_else(|| format!("Docker Hub's API does not tell where {tag} stands"))?;
        let images = self.images.map_or(0, |images| images.len());
        Ok((tag, Tagged { digest, images }))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn parse(document: &Value) -> Result<Page, String> {
        Page::parse(document.to_string().as_bytes())
    }

    #[test]
    fn a_tag_stands_at_its_own_digest_and_not_at_that_of_an_image() {
        let other = format!("sha256:{}", "0".repeat(64));
        let page = parse(&json!({
            "count": 1, "next": null, "previous": null,
            "results": [{ "name": "v1", "digest": DIGEST, "media_type": "application/vnd.oci.image.index.v1+json",
                          "images": [{ "digest": other, "architecture": "amd64" }, { "digest": null }] }],
        }));
        let tagged = Tagged {
            digest: DIGEST.parse().unwrap(),
            images: 2,
        };
        let expected = Page {
            count: 1,
            tags: vec![("v1".parse().unwrap(), tagged)],
            is_last: true,
        };
        assert_eq!(page, Ok(expected));
    }

    #[test]
    fn a_page_with_another_after_it_is_not_the_last() {
        let with = |next: Value| parse(&json!({ "count": 0, "next": next, "results": [] })).unwrap();
        assert!(!with(json!("https://hub.docker.com/v2/x?page=2")).is_last);
        assert!(with(json!("")).is_last && with(Value::Null).is_last);
    }

    #[test]
    fn what_is_incomplete_or_broken_is_not_relied_on() {
        let entry = |entry: Value| json!({ "count": 1, "next": null, "results": [entry] });
        for (document, says) in [
            (json!({}), "something else"),
            (json!([]), "something else"),
            (json!({ "count": 1, "next": null }), "something else"),
            (
                json!({ "count": -1, "next": null, "results": [] }),
                "something else",
            ),
            (json!({ "count": 1, "next": 7, "results": [] }), "something else"),
            (entry(json!({ "digest": DIGEST })), "something else"),
            (entry(json!({ "name": "v1" })), "where v1 stands"),
            (entry(json!({ "name": "v1", "digest": null })), "where v1 stands"),
            (entry(json!({ "name": "v1", "digest": "" })), "where v1 stands"),
            (
                entry(json!({ "name": "v1", "digest": "sha256:12" })),
                "where v1 stands",
            ),
            (
                entry(json!({ "name": "\u{1b}[2J", "digest": DIGEST })),
                "a tag that is none",
            ),
        ] {
            let why = parse(&document).unwrap_err();
            assert!(why.contains(says), "{document}: {why}");
        }
        assert!(Page::parse(b"<html>").is_err());
    }
}
