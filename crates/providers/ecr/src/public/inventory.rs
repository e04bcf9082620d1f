//! What stands in a repository of ECR Public, and which repositories there are.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ecrpublic::types::{ImageTagDetail, LayerAvailability};
use oci::{Digest, RepositoryName, Tag};
use planner::Inventory;
use provider::Listing;
use registry::{Error, ErrorKind};

use super::Public;
use crate::action::Action;
use crate::private::not_listed;

/// The most that the API lists at once.
const PAGE: i32 = 1_000;
/// The most blobs that the API takes at once.
const GROUP: usize = 100;

impl Public {
    /// Lists every tag with its digest. What stands there without a tag is not told: nothing of Amazon's says that the
    /// listing of images has it.
    ///
    /// Repositories of other accounts are left to the protocol's own listing.
    ///
    /// <https://docs.aws.amazon.com/AmazonECRPublic/latest/APIReference/API_DescribeImageTags.html>
    pub(crate) async fn inventory(&self, repository: &RepositoryName) -> Result<Listing, Error> {
        let ours = match self.ours(repository).await {
            Ok(Some(ours)) => ours,
            Ok(None) => return Ok(Listing::Unavailable(None)),
            // Whoever signs in nowhere reads as everybody does.
            Err(error) if error.kind() == ErrorKind::Auth && !self.session.identity.is_explicit() => {
                return Ok(Listing::Unavailable(Some(error.to_string())));
            }
            Err(error) => return not_listed(error),
        };
        let mut pages = self
            .client()
            .await
            .describe_image_tags()
            .repository_name(&ours.name)
            .into_paginator()
            .page_size(PAGE)
            .send();
        let mut tags = BTreeMap::new();
        while let Some(page) = pages.next().await {
            match page {
                Ok(page) => tags.extend(page.image_tag_details().iter().filter_map(tag)),
                Err(error) => {
                    return not_listed(self.failure(Action::DescribeImageTags, Some(repository), &error));
                }
            }
        }
        Ok(Listing::Inventory(Inventory::of_tags(tags)))
    }

    /// Lists the paths of all repositories of the caller's account.
    ///
    /// <https://docs.aws.amazon.com/AmazonECRPublic/latest/APIReference/API_DescribeRepositories.html>
    pub(crate) async fn repositories(&self) -> Result<Option<Vec<RepositoryName>>, Error> {
        let Some(alias) = self.alias().await? else {
            return Ok(Some(Vec::new()));
        };
        let mut pages = self
            .client()
            .await
            .describe_repositories()
            .into_paginator()
            .page_size(PAGE)
            .send();
        let mut paths = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| self.failure(Action::DescribeRepositories, None, &error))?;
            let names = page
                .repositories()
                .iter()
                .filter_map(|found| found.repository_name());
            paths.extend(names.filter_map(|name| format!("{alias}/{name}").parse().ok()));
        }
        Ok(Some(paths))
    }

    /// Asks for many blobs at once.
    ///
    /// <https://docs.aws.amazon.com/AmazonECRPublic/latest/APIReference/API_BatchCheckLayerAvailability.html>
    pub(crate) async fn blobs(
        &self,
        repository: &RepositoryName,
        blobs: &[Digest],
    ) -> Result<Option<BTreeSet<Digest>>, Error> {
        let Some(ours) = self.ours(repository).await? else {
            return Ok(None);
        };
        let mut found = BTreeSet::new();
        for group in blobs.chunks(GROUP) {
            let output = self
                .client()
                .await
                .batch_check_layer_availability()
                .repository_name(&ours.name)
                .set_layer_digests(Some(group.iter().map(Digest::to_string).collect()))
                .send()
                .await
                .map_err(|error| self.failure(Action::BatchCheckLayerAvailability, Some(repository), &error));
            let output = match output {
                Ok(output) => output,
                // What does not exist holds nothing.
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Some(BTreeSet::new())),
                Err(error) => return Err(error),
            };
            let stand = output
                .layers()
                .iter()
                .filter(|layer| layer.layer_availability() == Some(&LayerAvailability::Available));
            found.extend(stand.filter_map(|layer| layer.layer_digest()?.parse().ok()));
        }
        Ok(Some(found))
    }
}

fn tag(detail: &ImageTagDetail) -> Option<(Tag, Digest)> {
    let digest = detail.image_detail()?.image_digest()?;
    Some((detail.image_tag()?.parse().ok()?, digest.parse().ok()?))
}
