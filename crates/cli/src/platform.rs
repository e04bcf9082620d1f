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

/// The image of a platform.
#[derive(Debug)]
pub(crate) struct Chosen {
    /// The image.
    pub(crate) image: Manifest,
    /// Which others fit as well, in words.
    pub(crate) note: Option<String>,
}

/// Finds the image of a platform: the index's own, or the one image there is, where it is for that platform.
///
/// # Errors
/// None that fits (1), several of which one must be chosen (64), and whatever the registry answers.
pub(crate) async fn choose(
    repository: &dyn ReadRepository,
    text: &str,
    root: Manifest,
    platform: &Platform,
) -> Result<Chosen, Failure> {
    if let Content::Image { .. } = root.content() {
        return match of_image(repository, &root).await? {
            Some(found) if platform.accepts(&found) => Ok(Chosen {
                image: root,
                note: None,
            }),
            Some(found) => Err(Failure::failed(format!(
                "`{text}` is one image, for {found} and not for {platform}"
            ))),
            None => Err(Failure::failed(format!(
                "`{text}` is no image that has a platform"
            ))),
        };
    }
    let images = images(repository, root).await?;
    let choice = pick(text, &images, platform)?;
    let reference = ManifestReference::Digest(choice.digest.clone());
    let found = repository.get_manifest(&reference).await;
    let image = found.map_err(|error| connect::answered(&error))?.ok_or_else(|| {
        Failure::failed(format!(
            "`{text}` names {} for {platform}, which is missing",
            choice.digest
        ))
    })?;
    let note = passed_over(&images, choice, platform);
    Ok(Chosen { image, note })
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
fn pick<'a>(text: &str, images: &'a [Descriptor], asked: &Platform) -> Result<&'a Descriptor, Failure> {
    let named = || {
        images
            .iter()
            .filter_map(|image| Some((image.platform.as_ref()?, image)))
    };
    let fitting: Vec<(&Platform, &Descriptor)> = named().filter(|(found, _)| asked.accepts(found)).collect();
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
                Some((_, image)) => Ok(image),
                // Versions of one operating system: the first is the one that the publisher prefers.
                None if rest.iter().all(|(found, _)| same(found, first)) => Ok(image),
                None => Err(Failure::usage(format!("`{text}` has several images for {asked}"))
                    .hint(format!("name one of {}", list(&fitting)))),
            }
        }
    }
}

/// Names the images that differ from the chosen one in the version of the operating system alone.
fn passed_over(images: &[Descriptor], chosen: &Descriptor, asked: &Platform) -> Option<String> {
    let taken = chosen.platform.as_ref()?;
    let others = images.iter().filter(|image| image.digest != chosen.digest);
    let others = others.filter_map(|image| Some((image.platform.as_ref()?, image)));
    let others: Vec<String> = others
        .filter(|(found, _)| asked.accepts(found) && same(found, taken))
        .map(|(found, image)| version(found, image))
        .collect();
    (!others.is_empty()).then(|| {
        format!(
            "warning: several images fit {asked}; taken is the first, {}, before {}",
            version(taken, chosen),
            others.join(", ")
        )
    })
}

fn version(platform: &Platform, image: &Descriptor) -> String {
    let version = platform.os_version.clone();
    version.unwrap_or_else(|| image.digest.to_string())
}

/// Says whether two platforms differ in nothing but the version of the operating system.
fn same(one: &Platform, other: &Platform) -> bool {
    (&one.os, &one.architecture, &one.variant) == (&other.os, &other.architecture, &other.variant)
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
        let images = images(platforms);
        let picked = pick("a.b/c", &images, &asked.parse().unwrap());
        picked
            .map(|image| image.platform.as_ref().unwrap().to_string())
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
    fn of_several_versions_the_first_is_taken_and_the_others_are_named() {
        let mut images = images(&["windows/amd64", "linux/amd64", "windows/amd64"]);
        for (image, version) in [(0, "10.0.20348.1"), (2, "10.0.17763.2")] {
            images[image].digest = Digest::sha256(version.as_bytes());
            images[image].platform.as_mut().unwrap().os_version = Some(version.to_owned());
        }
        let asked = "windows/amd64".parse().unwrap();
        let picked = pick("a.b/c", &images, &asked).unwrap();
        assert_eq!(picked, &images[0]);
        assert_eq!(
            passed_over(&images, picked, &asked).unwrap(),
            "warning: several images fit windows/amd64; taken is the first, 10.0.20348.1, before 10.0.17763.2"
        );
        let linux = "linux/amd64".parse().unwrap();
        assert_eq!(passed_over(&images, &images[1], &linux), None);
    }

    #[test]
    fn what_there_is_is_told_where_nothing_fits() {
        let (exit, told) = picked(&["linux/amd64"], "linux/s390x").unwrap_err();
        assert_eq!(exit, Exit::Failed);
        assert!(told.contains("hint: it has linux/amd64"), "{told}");
        assert!(!picked(&[], "linux/s390x").unwrap_err().1.contains("hint"));
    }
}
