//! When images were made.

use std::collections::BTreeSet;

use oci::{Content, Descriptor, Digest, Manifest, MediaKind, MediaType, Tag};
use serde::Deserialize;

use crate::ask::{Answered, Ask, Gap, both};
use crate::config::Youth;
use crate::content::Way;
use crate::{Moment, Place, ProblemKind};

/// The largest config that is read, in bytes: real ones have kilobytes.
pub const MAX_CONFIG: u64 = 4 << 20;

/// The deepest nesting of indexes that is looked into.
const MAX_DEPTH: usize = 8;

/// <https://github.com/opencontainers/image-spec/blob/main/annotations.md#pre-defined-annotation-keys>
const ANNOTATION: &str = "org.opencontainers.image.created";

/// What BuildKit attaches stands in an index as an image for no platform.
const NO_PLATFORM: &str = "unknown";

#[derive(Deserialize)]
struct Config {
    created: Option<String>,
}

/// Returns when an image was made, as its config tells; `None` where it does not.
///
/// <https://github.com/opencontainers/image-spec/blob/main/config.md#properties>
#[must_use]
pub fn created(config: &[u8]) -> Option<Moment> {
    let config: Config = serde_json::from_slice(config).ok()?;
    config.created?.parse().ok()
}

/// Says whether what a tag stands at was made at `since` or later.
pub(crate) fn youth(ask: &mut Ask<'_>, place: &Place, tag: &Tag, since: Moment) -> Answered<Youth> {
    let gone = || {
        let error = format!("the tag {tag} was listed and is gone");
        Way::problem_at(place, ProblemKind::NotFound, error)
    };
    let found = ask.head(place, tag.clone())?.ok_or_else(gone)?;
    let manifest = ask.kept(place, &found.digest)?.ok_or_else(gone)?;
    let mut looking = Looking {
        place,
        since,
        seen: BTreeSet::new(),
    };
    Ok(match looking.made(ask, manifest, 0)? {
        Some(made) if made >= since => Youth::Young,
        Some(_) => Youth::Old,
        None => Youth::Untold,
    })
}

/// Looking for what was made at `since` or later.
struct Looking<'s> {
    place: &'s Place,
    since: Moment,
    /// The children that were looked at: indexes may name one many times.
    seen: BTreeSet<Digest>,
}

impl Looking<'_> {
    /// When an image was made, or the newest of an index's as far as it takes to find one that is young.
    fn made(&mut self, ask: &mut Ask<'_>, manifest: &Manifest, depth: usize) -> Answered<Option<Moment>> {
        let noted = manifest
            .annotations()
            .get(ANNOTATION)
            .and_then(|text| text.parse().ok());
        match manifest.content() {
            Content::Image { config, .. } if is_image_config(config) => {
                match self.config(ask, config) {
                    // A child that is known from elsewhere may not stand here, nor its config.
                    Err(Gap::Blocked(problem)) if depth > 0 && problem.kind == ProblemKind::NotFound => {
                        Ok(noted)
                    }
                    made => Ok(made?.or(noted)),
                }
            }
            Content::Index { .. } if noted.is_none() => self.children(ask, manifest, depth),
            Content::Image { .. } | Content::Index { .. } => Ok(noted),
        }
    }

    fn config(&self, ask: &mut Ask<'_>, config: &Descriptor) -> Answered<Option<Moment>> {
        if config.size > MAX_CONFIG {
            let error = format!(
                "the config {} has {} bytes; no more than {MAX_CONFIG} are read",
                config.digest, config.size
            );
            return Err(Way::problem_at(self.place, ProblemKind::Policy, error));
        }
        ask.config(self.place, config)
    }

    /// The newest of an index's images. Those of one build are of one time: a second is only looked at where the first is old.
    fn children(&mut self, ask: &mut Ask<'_>, index: &Manifest, depth: usize) -> Answered<Option<Moment>> {
        if depth >= MAX_DEPTH {
            return Ok(None);
        }
        let mut images = index.children().filter(|child| is_image(child));
        let (mut newest, mut gap) = (None, Ok(()));
        match images.next().map(|first| self.child(ask, first, depth)) {
            Some(Err(Gap::Pending)) => return Err(Gap::Pending),
            Some(Err(other)) => gap = Err(other),
            Some(Ok(made)) => newest = made,
            None => {}
        }
        if newest.is_none_or(|made| made < self.since) {
            for child in images {
                match self.child(ask, child, depth) {
                    Ok(made) => newest = newest.max(made),
                    Err(other) => gap = both(gap, Err(other)),
                }
            }
        }
        match newest {
            Some(made) if made >= self.since => Ok(newest),
            _ => gap.map(|()| newest),
        }
    }

    /// When a child was made; nothing tells of one that an index names and that does not stand beside it.
    fn child(&mut self, ask: &mut Ask<'_>, child: &Descriptor, depth: usize) -> Answered<Option<Moment>> {
        if !self.seen.insert(child.digest.clone()) {
            return Ok(None);
        }
        match ask.kept(self.place, &child.digest)? {
            Some(manifest) => self.made(ask, manifest, depth + 1),
            None => Ok(None),
        }
    }
}

/// Returns true for a child that is an image or an index of them, and no attestation.
fn is_image(child: &Descriptor) -> bool {
    let platform = child.platform.as_ref();
    let is_none =
        platform.is_some_and(|platform| platform.os == NO_PLATFORM && platform.architecture == NO_PLATFORM);
    !is_none && child.media_type.kind() != MediaKind::Blob
}

fn is_image_config(config: &Descriptor) -> bool {
    [MediaType::OCI_CONFIG, MediaType::DOCKER_CONFIG].contains(&config.media_type)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_config_tells_when_its_image_was_made_or_does_not() {
        for (config, seconds) in [
            (r#"{"created":"1970-01-02T00:00:00Z","os":"linux"}"#, Some(86_400)),
            (r#"{"created":"0001-01-01T00:00:00Z"}"#, Some(-62_135_596_800)),
            (r#"{"created":null}"#, None),
            (r#"{"created":""}"#, None),
            (r#"{"created":86400}"#, None),
            (r#"{"Created":"1970-01-02T00:00:00Z"}"#, None),
            ("{}", None),
            ("[]", None),
            ("", None),
        ] {
            assert_eq!(
                created(config.as_bytes()),
                seconds.map(Moment::from_seconds),
                "{config}"
            );
        }
    }
}
