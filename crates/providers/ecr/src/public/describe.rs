//! A repository of ECR Public as it stands.

use std::collections::BTreeMap;

use oci::RepositoryName;
use planner::{Drift, Immutable, Standing};
use registry::{Error, ErrorKind};
use serde_json::Value;

use super::{Public, catalog};
use crate::action::Action;
use crate::failure;
use crate::private::{policy_drift, tags_drift};
use crate::public::registries::Ours;
use crate::settings::{Catalog, Settings};

/// What was asked for of a repository.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) arn: String,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) policy: Option<Value>,
    pub(super) catalog: Catalog,
}

impl Found {
    pub(super) fn drift(&self, wanted: &Settings) -> Vec<Drift> {
        let catalog = wanted
            .catalog
            .as_ref()
            .and_then(|wanted| catalog::drift(&self.catalog, wanted));
        let drift = [
            tags_drift(&self.tags, wanted),
            policy_drift(self.policy.as_ref(), wanted),
            catalog,
        ];
        drift.into_iter().flatten().collect()
    }
}

impl Public {
    /// Describes a repository, measured by `settings`.
    pub(crate) async fn find_repository(
        &self,
        repository: &RepositoryName,
        settings: &Settings,
    ) -> Result<Option<Standing>, Error> {
        let ours = self.surely_ours(repository).await?;
        let found = self.describe(&ours, settings).await?;
        Ok(found.map(|found| Standing {
            drift: found.drift(settings),
            refuses: None,
            immutable: Immutable::None,
        }))
    }

    /// Asks for what `settings` need to be compared with, and for nothing else.
    ///
    /// <https://docs.aws.amazon.com/AmazonECRPublic/latest/APIReference/API_DescribeRepositories.html>
    pub(super) async fn describe(
        &self,
        ours: &Ours<'_>,
        settings: &Settings,
    ) -> Result<Option<Found>, Error> {
        let described = self
            .client()
            .await
            .describe_repositories()
            .repository_names(&ours.name)
            .send()
            .await
            .map_err(|error| self.failure(Action::DescribeRepositories, Some(ours.path), &error));
        let described = match described {
            Ok(described) => described,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let Some(described) = described.repositories().first() else {
            return Ok(None);
        };
        let mut found = Found {
            arn: described.repository_arn().unwrap_or_default().to_owned(),
            ..Found::default()
        };
        if !settings.tags.is_empty() {
            found.tags = self.tags(ours, &found.arn).await?;
        }
        if settings.repository_policy.is_some() {
            found.policy = self.repository_policy(ours).await?;
        }
        if settings.catalog.is_some() {
            found.catalog = self.catalog(ours).await?;
        }
        Ok(Some(found))
    }

    async fn tags(&self, ours: &Ours<'_>, arn: &str) -> Result<BTreeMap<String, String>, Error> {
        let output = self
            .client()
            .await
            .list_tags_for_resource()
            .resource_arn(arn)
            .send()
            .await
            .map_err(|error| self.failure(Action::ListTagsForResource, Some(ours.path), &error))?;
        let pairs = output
            .tags()
            .iter()
            .filter_map(|tag| Some((tag.key()?.to_owned(), tag.value().unwrap_or_default().to_owned())));
        Ok(pairs.collect())
    }

    async fn repository_policy(&self, ours: &Ours<'_>) -> Result<Option<Value>, Error> {
        let output = self
            .client()
            .await
            .get_repository_policy()
            .repository_name(&ours.name)
            .send()
            .await;
        let text = match output {
            Ok(output) => output.policy_text().map(str::to_owned),
            Err(error) if failure::is(&error, "RepositoryPolicyNotFoundException") => None,
            Err(error) => return Err(self.failure(Action::GetRepositoryPolicy, Some(ours.path), &error)),
        };
        text.map(|text| serde_json::from_str(&text))
            .transpose()
            .map_err(|error| {
                let doing = failure::doing(&self.session, Action::GetRepositoryPolicy, Some(ours.path));
                let message = format!("{doing}: AWS answered with a policy that is no JSON");
                Error::new(ErrorKind::Integrity, message).caused_by(error)
            })
    }

    pub(super) async fn catalog(&self, ours: &Ours<'_>) -> Result<Catalog, Error> {
        let output = self
            .client()
            .await
            .get_repository_catalog_data()
            .repository_name(&ours.name)
            .send()
            .await;
        match output {
            Ok(output) => Ok(output.catalog_data().map(catalog::found).unwrap_or_default()),
            Err(error) if failure::is(&error, "RepositoryCatalogDataNotFoundException") => {
                Ok(Catalog::default())
            }
            Err(error) => Err(self.failure(Action::GetRepositoryCatalogData, Some(ours.path), &error)),
        }
    }
}
