//! What stands in a repository, and which repositories there are.

use std::collections::BTreeMap;

use aws_sdk_ecr::types::{DescribeImagesFilter, ImageDetail, ImageStatusFilter};
use oci::{Digest, MediaType, RepositoryName, Tag};
use planner::{Inventory, Listed, Subject};
use provider::Listing;
use registry::{Error, ErrorKind};

use super::Private;
use crate::action::Action;
use crate::failure;

/// The most that the API lists at once.
const PAGE: i32 = 1_000;

impl Private {
    /// Lists every image with its tags, those without a tag and those that are archived among them.
    ///
    /// Without a filter, archived images and those that are being restored would be left out. A repository that holds
    /// them holds them: they can't be pulled until they are restored, and are not pushed again meanwhile.
    ///
    /// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImages.html>
    pub(crate) async fn inventory(&self, repository: &RepositoryName) -> Result<Listing, Error> {
        let every = DescribeImagesFilter::builder()
            .image_status(ImageStatusFilter::Any)
            .build();
        let mut pages = self
            .client()
            .await
            .describe_images()
            .set_registry_id(self.registry_id())
            .repository_name(repository.as_str())
            .filter(every)
            .into_paginator()
            .page_size(PAGE)
            .send();
        let mut contents = Contents::default();
        while let Some(page) = pages.next().await {
            match page {
                Ok(page) => page
                    .image_details()
                    .iter()
                    .try_for_each(|image| contents.add(image))
                    .map_err(|error| {
                        error.during(&failure::doing(
                            &self.session,
                            Action::DescribeImages,
                            Some(repository),
                        ))
                    })?,
                Err(error) => {
                    if let Some(tried) = failure::nobody(&self.session, &error) {
                        return Ok(Listing::Unavailable(Some(tried)));
                    }
                    return not_listed(self.failure(Action::DescribeImages, Some(repository), &error));
                }
            }
        }
        let Contents { tags, manifests } = contents;
        Ok(Listing::Inventory(Inventory::whole(tags, manifests)))
    }

    /// Lists the names of all repositories.
    ///
    /// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeRepositories.html>
    pub(crate) async fn repositories(&self) -> Result<Option<Vec<RepositoryName>>, Error> {
        let mut pages = self
            .client()
            .await
            .describe_repositories()
            .set_registry_id(self.registry_id())
            .into_paginator()
            .page_size(PAGE)
            .send();
        let mut names = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| self.failure(Action::DescribeRepositories, None, &error))?;
            let found = page
                .repositories()
                .iter()
                .filter_map(|found| found.repository_name());
            // A name that is none of the specification's can't be asked for on the wire either.
            names.extend(found.filter_map(|name| name.parse().ok()));
        }
        Ok(Some(names))
    }
}

/// Tells a repository that is not there and a listing that is not for us from other errors.
pub(crate) fn not_listed(error: Error) -> Result<Listing, Error> {
    match (error.kind(), error.hint()) {
        (ErrorKind::NotFound, _) => Ok(Listing::Absent),
        (ErrorKind::Permission, Some(hint)) => Ok(Listing::Unavailable(Some(format!("{error}; {hint}")))),
        (ErrorKind::Permission, None) => Ok(Listing::Unavailable(Some(error.to_string()))),
        _ => Err(error),
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Contents {
    tags: BTreeMap<Tag, Digest>,
    manifests: BTreeMap<Digest, Listed>,
}

impl Contents {
    fn add(&mut self, image: &ImageDetail) -> Result<(), Error> {
        let digest = digest(image.image_digest().unwrap_or_default())?;
        for tag in image.image_tags() {
            let tag = tag.parse().map_err(|error| malformed("tag", tag, error))?;
            self.tags.insert(tag, digest.clone());
        }
        let subject = match image.subject_manifest_digest() {
            // "The digest of the subject manifest for images that are referrers": without it, it is none.
            None => Subject::None,
            Some(subject) => Subject::Of(self::digest(subject)?),
        };
        let listed = Listed {
            media_type: image.image_manifest_media_type().map(MediaType::new),
            subject,
        };
        self.manifests.insert(digest, listed);
        Ok(())
    }
}

fn digest(text: &str) -> Result<Digest, Error> {
    text.parse().map_err(|error| malformed("digest", text, error))
}

fn malformed(what: &str, text: &str, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    let message = format!(
        "AWS answered with `{}`, which is no {what}",
        registry::printable(text)
    );
    Error::new(ErrorKind::Integrity, message).caused_by(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest_of(text: &str) -> String {
        Digest::sha256(text.as_bytes()).to_string()
    }

    #[test]
    fn images_tell_their_tags_and_what_they_are_attached_to() {
        let mut contents = Contents::default();
        let index = "application/vnd.oci.image.index.v1+json";
        let image = ImageDetail::builder()
            .image_digest(digest_of("image"))
            .image_tags("v1")
            .image_tags("latest")
            .image_manifest_media_type(index)
            .build();
        let signature = ImageDetail::builder()
            .image_digest(digest_of("signature"))
            .subject_manifest_digest(digest_of("image"))
            .build();
        contents.add(&image).unwrap();
        contents.add(&signature).unwrap();
        let of = |text: &str| digest(&digest_of(text)).unwrap();
        assert_eq!(contents.tags.len(), 2);
        assert_eq!(contents.tags[&"latest".parse().unwrap()], of("image"));
        let listed = &contents.manifests[&of("image")];
        assert_eq!(listed.media_type, Some(MediaType::new(index)));
        assert_eq!(listed.subject, Subject::None);
        assert_eq!(
            contents.manifests[&of("signature")].subject,
            Subject::Of(of("image"))
        );
    }

    #[test]
    fn an_image_without_a_digest_is_an_error() {
        let error = Contents::default()
            .add(&ImageDetail::builder().build())
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Integrity);
    }

    #[test]
    fn a_listing_that_is_refused_says_what_to_grant() {
        let refused = Error::new(ErrorKind::Permission, "no").with_hint("grant ecr:DescribeImages");
        let expected = Listing::Unavailable(Some("no; grant ecr:DescribeImages".to_owned()));
        assert_eq!(not_listed(refused).unwrap(), expected);
        let absent = Error::new(ErrorKind::NotFound, "no");
        assert_eq!(not_listed(absent).unwrap(), Listing::Absent);
        assert!(not_listed(Error::new(ErrorKind::Network, "no")).is_err());
    }
}
