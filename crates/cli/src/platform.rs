//! One platform of an index.

use futures_util::TryStreamExt;
use oci::{Content, Descriptor, Manifest, ManifestReference, MediaKind, MediaType, Platform};
use registry::ReadRepository;

use crate::connect;
use crate::failure::Failure;

/// How deep indexes within indexes are searched.
const DEPTH: usize = 4;

/// The largest configuration that is read, in bytes.
const MAX_CONFIG: u64 = 64 << 20;

/// Finds the image of a platform: the index's own, or the one image there is, where it is for that platform.
///
/// # Errors
/// None that fits (1), several of which one must be chosen (64), and whatever the registry answers.
pub(crate) async fn choose(
    repository: &dyn ReadRepository,
    text: &str,
    root: Manifest,
    platform: &Platform,
) -> Result<Manifest, Failure> {
    if let Content::Image { .. } = root.content() {
        return match of_image(repository, &root).await? {
            Some(found) if platform.accepts(&found) => Ok(root),
            Some(found) => Err(Failure::failed(format!(
                "`{text}` is one image, for {found} and not for {platform}"
            ))),
            None => Err(Failure::failed(format!(
                "`{text}` is no image that has a platform"
            ))),
        };
    }
    let choice = pick(text, &images(repository, root).await?, platform)?;
    let reference = ManifestReference::Digest(choice.digest.clone());
    let found = repository.get_manifest(&reference).await;
    found.map_err(|error| connect::answered(&error))?.ok_or_else(|| {
        Failure::failed(format!(
            "`{text}` names {} for {platform}, which is missing",
            choice.digest
        ))
    })
}

/// Returns the platform that an image's configuration names; `None` for what is no image.
///
/// # Errors
/// A configuration that is missing, too large or malformed, and whatever the registry answers.
pub(crate) async fn of_image(
    repository: &dyn ReadRepository,
    manifest: &Manifest,
) -> Result<Option<Platform>, Failure> {
    let Content::Image { config, .. } = manifest.content() else {
        return Ok(None);
    };
    if ![MediaType::OCI_CONFIG, MediaType::DOCKER_CONFIG].contains(&config.media_type) {
        return Ok(None);
    }
    let bytes = config_bytes(repository, config).await?;
    let platform: Platform = serde_json::from_slice(&bytes).map_err(|error| {
        Failure::failed(format!("the configuration {} is malformed", config.digest)).because(&error)
    })?;
    Ok(Some(platform).filter(|platform| !platform.os.is_empty()))
}

/// Reads an image's configuration.
///
/// # Errors
/// One of more than 64 MiB, and whatever the registry answers.
pub(crate) async fn config_bytes(
    repository: &dyn ReadRepository,
    config: &Descriptor,
) -> Result<Vec<u8>, Failure> {
    if config.size > MAX_CONFIG {
        return Err(Failure::failed(format!(
            "the configuration {} has {} bytes, more than {MAX_CONFIG}",
            config.digest, config.size
        )));
    }
    let read = async {
        let pieces = repository.read_blob(config).await?;
        pieces
            .try_fold(Vec::new(), |mut bytes, piece| async move {
                bytes.extend_from_slice(&piece);
                Ok(bytes)
            })
            .await
    };
    read.await.map_err(|error| connect::answered(&error))
}

/// Gathers what an index and the indexes in it name for some platform, in order.
async fn images(repository: &dyn ReadRepository, root: Manifest) -> Result<Vec<Descriptor>, Failure> {
    let mut found = Vec::new();
    let mut open = vec![(root, 0)];
    while let Some((index, depth)) = open.pop() {
        for child in index.children() {
            match (&child.platform, child.media_type.kind()) {
                (Some(_), _) => found.push(child.clone()),
                (None, MediaKind::Index) if depth < DEPTH => {
                    let reference = ManifestReference::Digest(child.digest.clone());
                    let nested = repository.get_manifest(&reference).await;
                    let nested = nested.map_err(|error| connect::answered(&error))?;
                    open.extend(nested.map(|nested| (nested, depth + 1)));
                }
                (None, _) => {}
            }
        }
    }
    Ok(found)
}

/// Picks the one image that is meant. A platform that is named as it was asked for comes before others that fit.
fn pick(text: &str, images: &[Descriptor], asked: &Platform) -> Result<Descriptor, Failure> {
    let named = || {
        images
            .iter()
            .filter_map(|image| Some((image.platform.as_ref()?, image)))
    };
    let fitting: Vec<(&Platform, &Descriptor)> = named().filter(|(found, _)| asked.accepts(found)).collect();
    let same = |one: &Platform, other: &Platform| {
        (&one.os, &one.architecture, &one.variant) == (&other.os, &other.architecture, &other.variant)
    };
    let list = |platforms: &[(&Platform, &Descriptor)]| {
        let mut names: Vec<String> = platforms.iter().map(|(found, _)| found.to_string()).collect();
        names.dedup();
        names.join(", ")
    };
    match fitting.as_slice() {
        [] => {
            let all: Vec<_> = named().collect();
            let failure = Failure::failed(format!("`{text}` has no image for {asked}"));
            Err(match all.is_empty() {
                true => failure,
                false => failure.hint(format!("it has {}", list(&all))),
            })
        }
        [(first, image), rest @ ..] => {
            let exact = fitting.iter().find(|(found, _)| same(found, asked));
            match exact {
                Some((_, image)) => Ok((*image).clone()),
                // Versions of one operating system: the first is the one that the publisher prefers.
                None if rest.iter().all(|(found, _)| same(found, first)) => Ok((*image).clone()),
                None => Err(Failure::usage(format!("`{text}` has several images for {asked}"))
                    .hint(format!("name one of {}", list(&fitting)))),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use oci::Digest;

    use super::*;
    use crate::exit::Exit;

    fn images(platforms: &[&str]) -> Vec<Descriptor> {
        let image = |platform: &&str| Descriptor {
            platform: Some(platform.parse().unwrap()),
            ..Descriptor::new(MediaType::OCI_MANIFEST, Digest::sha256(platform.as_bytes()), 1)
        };
        platforms.iter().map(image).collect()
    }

    fn picked(platforms: &[&str], asked: &str) -> Result<String, (Exit, String)> {
        let picked = pick("a.b/c", &images(platforms), &asked.parse().unwrap());
        picked
            .map(|image| image.platform.unwrap().to_string())
            .map_err(|failure| (failure.exit(), failure.render()))
    }

    #[test]
    fn the_platform_that_is_named_so_comes_first() {
        let all = ["linux/amd64", "linux/arm/v6", "linux/arm/v7", "linux/arm64/v8"];
        assert_eq!(picked(&all, "linux/arm/v7").unwrap(), "linux/arm/v7");
        assert_eq!(picked(&all, "linux/arm64").unwrap(), "linux/arm64/v8");
        assert_eq!(
            picked(&["linux/arm/v6", "linux/arm"], "linux/arm").unwrap(),
            "linux/arm"
        );
        assert_eq!(picked(&["linux/arm64"], "linux/arm64/v8").unwrap(), "linux/arm64");
    }

    #[test]
    fn among_several_one_is_named() {
        let (exit, told) = picked(&["linux/arm/v6", "linux/arm/v7"], "linux/arm").unwrap_err();
        assert_eq!(exit, Exit::Usage);
        assert!(told.contains("name one of linux/arm/v6, linux/arm/v7"), "{told}");
    }

    #[test]
    fn what_there_is_is_told_where_nothing_fits() {
        let (exit, told) = picked(&["linux/amd64"], "linux/s390x").unwrap_err();
        assert_eq!(exit, Exit::Failed);
        assert!(told.contains("hint: it has linux/amd64"), "{told}");
        assert!(!picked(&[], "linux/s390x").unwrap_err().1.contains("hint"));
    }
}
