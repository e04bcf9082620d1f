//! Making a repository, and changing its settings.

use std::collections::BTreeSet;

use aws_sdk_ecr::error::BuildError;
use aws_sdk_ecr::types::{
    EncryptionConfiguration, EncryptionType, ImageScanningConfiguration, ImageTagMutability,
    ImageTagMutabilityExclusionFilter, ImageTagMutabilityExclusionFilterType, Tag,
};
use oci::RepositoryName;
use planner::Change;
use provider::Ensured;
use registry::{Error, ErrorKind};

use super::Private;
use super::drift::Found;
use crate::action::Action;
use crate::failure;
use crate::settings::{Encryption, Mutability, Settings, check_name};

impl Private {
    /// Makes a repository where there is none. Who else makes it at the same time makes it exist.
    ///
    /// The policies are calls of their own: where one fails, the repository stands without it, and a next run finds the drift.
    ///
    /// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepository.html>
    pub(crate) async fn ensure_repository(
        &self,
        repository: &RepositoryName,
        settings: &Settings,
    ) -> Result<Ensured, Error> {
        check_name(repository)?;
        let mut turns = self.pace.turns();
        let ensured = loop {
            turns.wait().await;
            let created = self.create(repository, settings).await;
            if turns.end_with(&created) {
                break created?;
            }
        };
        if ensured == Ensured::Created {
            self.set_policies(repository, settings).await.map_err(|error| {
                error.during(&format!("the repository {repository} was created, and then"))
            })?;
        }
        Ok(ensured)
    }

    async fn create(&self, repository: &RepositoryName, settings: &Settings) -> Result<Ensured, Error> {
        let created = self
            .client()
            .await
            .create_repository()
            .set_registry_id(self.registry_id())
            .repository_name(repository.as_str())
            .set_image_tag_mutability(mutability(settings))
            .set_image_tag_mutability_exclusion_filters(exclusions(settings).map_err(unbuilt)?)
            .set_image_scanning_configuration(settings.scan_on_push.map(scanning))
            .set_encryption_configuration(encryption(settings).map_err(unbuilt)?)
            .set_tags(tags(settings).map_err(unbuilt)?)
            .send()
            .await;
        match created {
            Ok(_) => Ok(Ensured::Created),
            Err(error) if failure::is(&error, "RepositoryAlreadyExistsException") => Ok(Ensured::Existed),
            Err(error) => Err(self.failure(Action::CreateRepository, Some(repository), &error)),
        }
    }

    async fn set_policies(&self, repository: &RepositoryName, settings: &Settings) -> Result<(), Error> {
        if settings.lifecycle_policy.is_some() {
            self.put_lifecycle_policy(repository, settings).await?;
        }
        if settings.repository_policy.is_some() {
            self.set_repository_policy(repository, settings).await?;
        }
        Ok(())
    }

    /// Changes what differs and can be changed.
    pub(crate) async fn update_repository(
        &self,
        repository: &RepositoryName,
        settings: &Settings,
    ) -> Result<(), Error> {
        let Some(found) = self.describe(repository, settings).await? else {
            let message = format!(
                "the repository {}/{repository} does not exist any more",
                self.session.host
            );
            return Err(Error::new(ErrorKind::NotFound, message));
        };
        let drift: BTreeSet<String> = found
            .drift(settings)
            .into_iter()
            .filter(|drift| drift.change == Change::Possible)
            .map(|drift| drift.setting)
            .collect();
        if drift.contains("tag_mutability") || drift.contains("mutability_exclusions") {
            self.put_mutability(repository, settings, &found).await?;
        }
        if drift.contains("scan_on_push") {
            self.put_scanning(repository, settings).await?;
        }
        if drift.contains("tags") {
            self.tag(repository, settings, &found).await?;
        }
        if drift.contains("lifecycle_policy") {
            self.put_lifecycle_policy(repository, settings).await?;
        }
        if drift.contains("repository_policy") {
            self.set_repository_policy(repository, settings).await?;
        }
        Ok(())
    }

    /// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutImageTagMutability.html>
    async fn put_mutability(
        &self,
        repository: &RepositoryName,
        settings: &Settings,
        found: &Found,
    ) -> Result<(), Error> {
        // The call sets both: what nobody asked for stays as it is, as long as it means the same.
        let both = Settings {
            tag_mutability: settings.tag_mutability.or(found.mutability),
            mutability_exclusions: Some(found.exclusions_under(settings).to_vec()),
            ..Settings::default()
        };
        let put = self
            .client()
            .await
            .put_image_tag_mutability()
            .set_registry_id(self.registry_id())
            .repository_name(repository.as_str())
            .set_image_tag_mutability(mutability(&both))
            .set_image_tag_mutability_exclusion_filters(exclusions(&both).map_err(unbuilt)?)
            .send()
            .await;
        put.map(drop)
            .map_err(|error| self.failure(Action::PutImageTagMutability, Some(repository), &error))
    }

    /// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutImageScanningConfiguration.html>
    async fn put_scanning(&self, repository: &RepositoryName, settings: &Settings) -> Result<(), Error> {
        let put = self
            .client()
            .await
            .put_image_scanning_configuration()
            .set_registry_id(self.registry_id())
            .repository_name(repository.as_str())
            .set_image_scanning_configuration(settings.scan_on_push.map(scanning))
            .send()
            .await;
        put.map(drop)
            .map_err(|error| self.failure(Action::PutImageScanningConfiguration, Some(repository), &error))
    }

    /// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_TagResource.html>
    async fn tag(
        &self,
        repository: &RepositoryName,
        settings: &Settings,
        found: &Found,
    ) -> Result<(), Error> {
        let tagged = self
            .client()
            .await
            .tag_resource()
            .resource_arn(&found.arn)
            .set_tags(tags(settings).map_err(unbuilt)?)
            .send()
            .await;
        tagged
            .map(drop)
            .map_err(|error| self.failure(Action::TagResource, Some(repository), &error))
    }

    /// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutLifecyclePolicy.html>
    async fn put_lifecycle_policy(
        &self,
        repository: &RepositoryName,
        settings: &Settings,
    ) -> Result<(), Error> {
        let put = self
            .client()
            .await
            .put_lifecycle_policy()
            .set_registry_id(self.registry_id())
            .repository_name(repository.as_str())
            .set_lifecycle_policy_text(settings.lifecycle_text())
            .send()
            .await;
        put.map(drop)
            .map_err(|error| self.failure(Action::PutLifecyclePolicy, Some(repository), &error))
    }

    /// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_SetRepositoryPolicy.html>
    async fn set_repository_policy(
        &self,
        repository: &RepositoryName,
        settings: &Settings,
    ) -> Result<(), Error> {
        let set = self
            .client()
            .await
            .set_repository_policy()
            .set_registry_id(self.registry_id())
            .repository_name(repository.as_str())
            .set_policy_text(settings.policy_text())
            .send()
            .await;
        set.map(drop)
            .map_err(|error| self.failure(Action::SetRepositoryPolicy, Some(repository), &error))
    }
}

fn mutability(settings: &Settings) -> Option<ImageTagMutability> {
    let excludes = settings
        .mutability_exclusions
        .as_ref()
        .is_some_and(|patterns| !patterns.is_empty());
    match (settings.tag_mutability, excludes) {
        (None, false) => None,
        (Some(Mutability::Mutable), false) => Some(ImageTagMutability::Mutable),
        (Some(Mutability::Mutable) | None, true) => Some(ImageTagMutability::MutableWithExclusion),
        (Some(Mutability::Immutable), false) => Some(ImageTagMutability::Immutable),
        (Some(Mutability::Immutable), true) => Some(ImageTagMutability::ImmutableWithExclusion),
    }
}

fn exclusions(settings: &Settings) -> Result<Option<Vec<ImageTagMutabilityExclusionFilter>>, BuildError> {
    let patterns = settings.mutability_exclusions.as_deref().unwrap_or_default();
    if patterns.is_empty() {
        return Ok(None);
    }
    let filter = |pattern: &String| {
        ImageTagMutabilityExclusionFilter::builder()
            .filter_type(ImageTagMutabilityExclusionFilterType::Wildcard)
            .filter(pattern)
            .build()
    };
    patterns.iter().map(filter).collect::<Result<_, _>>().map(Some)
}

fn scanning(on_push: bool) -> ImageScanningConfiguration {
    ImageScanningConfiguration::builder()
        .scan_on_push(on_push)
        .build()
}

fn encryption(settings: &Settings) -> Result<Option<EncryptionConfiguration>, BuildError> {
    let Some(wanted) = settings.wanted_encryption() else {
        return Ok(None);
    };
    let wanted = match wanted {
        Encryption::Aes256 => EncryptionType::Aes256,
        Encryption::Kms => EncryptionType::Kms,
        Encryption::KmsDsse => EncryptionType::KmsDsse,
    };
    EncryptionConfiguration::builder()
        .encryption_type(wanted)
        .set_kms_key(settings.kms_key.clone())
        .build()
        .map(Some)
}

fn tags(settings: &Settings) -> Result<Option<Vec<Tag>>, BuildError> {
    if settings.tags.is_empty() {
        return Ok(None);
    }
    let tag = |(key, value): (&String, &String)| Tag::builder().key(key).value(value).build();
    settings.tags.iter().map(tag).collect::<Result<_, _>>().map(Some)
}

/// A request that lacks something required; all that we make have it.
fn unbuilt(error: BuildError) -> Error {
    Error::new(ErrorKind::Other, "a request to AWS can't be made").caused_by(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn exclusions_make_the_rule_one_with_exclusions() {
        for (settings, expected) in [
            (json!({}), None),
            (
                json!({ "tag_mutability": "mutable" }),
                Some(ImageTagMutability::Mutable),
            ),
            (
                json!({ "tag_mutability": "immutable", "mutability_exclusions": [] }),
                Some(ImageTagMutability::Immutable),
            ),
            (
                json!({ "tag_mutability": "immutable", "mutability_exclusions": ["latest*"] }),
                Some(ImageTagMutability::ImmutableWithExclusion),
            ),
            (
                json!({ "mutability_exclusions": ["v*"] }),
                Some(ImageTagMutability::MutableWithExclusion),
            ),
        ] {
            let wanted = Settings::read(Some(&settings), "ecr").unwrap();
            assert_eq!(mutability(&wanted), expected, "{settings}");
        }
    }
}
