//! What stands in repositories, as versions and tags of packages.

use http::StatusCode;
use serde_json::{Value, json};

use super::State;
use crate::google::Asked;
use crate::google::answer::{Answer, refusal};

/// The most that is listed at once, and what is listed where nobody says.
const MOST: usize = 1_000;
const USUAL: usize = 100;

/// A version is told with at most this many of its tags.
const MOST_RELATED: usize = 100;

/// A manifest that stands under an image's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Its digest.
    pub digest: String,
    /// Its media type.
    pub media_type: String,
    /// Its tags.
    pub tags: Vec<String>,
}

impl State {
    /// <https://docs.cloud.google.com/artifact-registry/docs/reference/rest/v1/projects.locations.repositories.packages.versions/list>
    pub(super) fn versions(&self, package: &str, asked: &Asked) -> Answer {
        let Some(images) = self.packages.get(package) else {
            return refusal(
                StatusCode::NOT_FOUND,
                "NOT_FOUND",
                "Requested entity was not found.",
            );
        };
        // FULL is 2 where a client sends enumerations as numbers.
        let full = matches!(asked.parameter("view").as_deref(), Some("FULL" | "2"));
        let versions: Vec<Value> = images.iter().map(|image| version(package, image, full)).collect();
        self.page("versions", &versions, asked)
    }

    /// <https://docs.cloud.google.com/artifact-registry/docs/reference/rest/v1/projects.locations.repositories.packages.tags/list>
    pub(super) fn tags(&self, package: &str, asked: &Asked) -> Answer {
        let Some(images) = self.packages.get(package) else {
            return refusal(
                StatusCode::NOT_FOUND,
                "NOT_FOUND",
                "Requested entity was not found.",
            );
        };
        let tags: Vec<Value> = images
            .iter()
            .flat_map(|image| image.tags.iter().map(|name| tag(package, image, name)))
            .collect();
        self.page("tags", &tags, asked)
    }

    fn page(&self, kind: &str, all: &[Value], asked: &Asked) -> Answer {
        let number = |name: &str| asked.parameter(name).and_then(|text| text.parse::<usize>().ok());
        let size = number("pageSize").filter(|size| *size > 0).unwrap_or(USUAL);
        let size = size.min(MOST).min(self.page.unwrap_or(MOST));
        let start = number("pageToken").unwrap_or(0).min(all.len());
        let end = (start + size).min(all.len());
        let mut body = json!({ kind: &all[start..end] });
        if end < all.len() {
            body["nextPageToken"] = json!(end.to_string());
        }
        (StatusCode::OK, body)
    }
}

fn version(package: &str, image: &Image, full: bool) -> Value {
    let mut version = json!({
        "name": format!("{package}/versions/{}", image.digest),
        "createTime": "2026-11-23T10:00:00.000000Z",
        "updateTime": "2026-11-23T10:00:00.000000Z",
        "metadata": {
            "name": format!("{}@{}", package.replace("/packages/", "/dockerImages/"), image.digest),
            "mediaType": image.media_type,
            "imageSizeBytes": "1024",
        },
    });
    if full {
        let related = image.tags.iter().take(MOST_RELATED);
        version["relatedTags"] = related.map(|name| tag(package, image, name)).collect();
    }
    version
}

fn tag(package: &str, image: &Image, name: &str) -> Value {
    json!({
        "name": format!("{package}/tags/{name}"),
        "version": format!("{package}/versions/{}", image.digest),
    })
}
