//! Making a repository of ECR Public, and changing its settings.

use std::collections::BTreeSet;

use aws_sdk_ecrpublic::types::Tag;
use oci::RepositoryName;
use provider::Ensured;
use registry::{Error, ErrorKind};

use super::{Public, catalog};
use crate::action::Action;
use crate::failure;
use crate::public::registries::Ours;
use crate::settings::{Catalog, Settings, check_name};

impl Public {
    /// Makes a repository where there is none. Who else makes it at the same time makes it exist.
    ///
    /// <https://docs.aws.amazon.com/AmazonECRPublic/latest/APIReference/API_CreateRepository.html>
    pub(crate) async fn ensure_repository(
        &self,
        repository: &RepositoryName,
        settings: &Settings,
    ) -> Result<Ensured, Error> {
        self.check(repository, settings)?;
        let ours = self.surely_ours(repository).await?;
        let mut turns = self.pace.turns();
        let ensured = loop {
            turns.wait().await;
            let created = self.create(&ours, settings).await;
            if turns.end_with(&created) {
                break created?;
            }
        };
        if ensured == Ensured::Created && settings.repository_policy.is_some() {
            self.set_repository_policy(&ours, settings)
                .await
                .map_err(|error| {
                    error.during(&format!("the repository {repository} was created, and then"))
                })?;
        }
        Ok(ensured)
    }

    fn check(&self, repository: &RepositoryName, settings: &Settings) -> Result<(), Error> {
        check_name(repository)?;
        let keys = settings.private_keys();
        if keys.is_empty() {
            return Ok(());
        }
        let (name, keys) = (&self.session.name, keys.join("`, `"));
        let message =
            format!("`create_repositories` of registry {name}: repositories of ECR Public have no `{keys}`");
        Err(Error::new(ErrorKind::Other, message).with_hint("remove it; only private repositories have it"))
    }

    async fn create(&self, ours: &Ours<'_>, settings: &Settings) -> Result<Ensured, Error> {
        let catalog = settings
            .catalog
            .as_ref()
            .map(|wanted| catalog::input(&Catalog::default(), wanted));
        let created = self
            .client()
            .await
            .create_repository()
            .repository_name(&ours.name)
            .set_catalog_data(catalog)
            .set_tags(tags(settings))
            .send()
            .await;
        match created {
            Ok(_) => Ok(Ensured::Created),
            Err(error) if failure::is(&error, "RepositoryAlreadyExistsException") => Ok(Ensured::Existed),
            Err(error) => Err(self.failure(Action::CreateRepository, Some(ours.path), &error)),
        }
    }

    /// Changes what differs.
    pub(crate) async fn update_repository(
        &self,
        repository: &RepositoryName,
        settings: &Settings,
    ) -> Result<(), Error> {
        self.check(repository, settings)?;
        let ours = self.surely_ours(repository).await?;
        let Some(found) = self.describe(&ours, settings).await? else {
            let host = &self.session.host;
            let message = format!("the repository {host}/{repository} does not exist any more");
            return Err(Error::new(ErrorKind::NotFound, message));
        };
        let drift = found.drift(settings).into_iter();
        let drift: BTreeSet<String> = drift.map(|drift| drift.setting).collect();
        if drift.contains("tags") {
            self.tag(&ours, settings, &found.arn).await?;
        }
        if drift.contains("repository_policy") {
            self.set_repository_policy(&ours, settings).await?;
        }
        if let (true, Some(wanted)) = (drift.contains("catalog"), &settings.catalog) {
            self.put_catalog(&ours, &found.catalog, wanted).await?;
        }
        Ok(())
    }

    /// <https://docs.aws.amazon.com/AmazonECRPublic/latest/APIReference/API_TagResource.html>
    async fn tag(&self, ours: &Ours<'_>, settings: &Settings, arn: &str) -> Result<(), Error> {
        let tagged = self
            .client()
            .await
            .tag_resource()
            .resource_arn(arn)
            .set_tags(tags(settings))
            .send()
            .await;
        tagged
            .map(drop)
            .map_err(|error| self.failure(Action::TagResource, Some(ours.path), &error))
    }

    /// <https://docs.aws.amazon.com/AmazonECRPublic/latest/APIReference/API_SetRepositoryPolicy.html>
    async fn set_repository_policy(&self, ours: &Ours<'_>, settings: &Settings) -> Result<(), Error> {
        let set = self
            .client()
            .await
            .set_repository_policy()
            .repository_name(&ours.name)
            .set_policy_text(settings.policy_text())
            .send()
            .await;
        set.map(drop)
            .map_err(|error| self.failure(Action::SetRepositoryPolicy, Some(ours.path), &error))
    }

    /// <https://docs.aws.amazon.com/AmazonECRPublic/latest/APIReference/API_PutRepositoryCatalogData.html>
    async fn put_catalog(&self, ours: &Ours<'_>, found: &Catalog, wanted: &Catalog) -> Result<(), Error> {
        let put = self
            .client()
            .await
            .put_repository_catalog_data()
            .repository_name(&ours.name)
            .catalog_data(catalog::input(found, wanted))
            .send()
            .await;
        put.map(drop)
            .map_err(|error| self.failure(Action::PutRepositoryCatalogData, Some(ours.path), &error))
    }
}

fn tags(settings: &Settings) -> Option<Vec<Tag>> {
    let tag = |(key, value): (&String, &String)| Tag::builder().key(key).value(value).build();
    (!settings.tags.is_empty()).then(|| settings.tags.iter().map(tag).collect())
}
