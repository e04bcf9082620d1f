//! A repository as it stands.

use std::collections::BTreeMap;

use oci::RepositoryName;
use planner::Standing;
use registry::{Error, ErrorKind};
use serde_json::Value;

use super::Private;
use super::drift::Found;
use crate::action::Action;
use crate::failure;
use crate::settings::{Settings, check_name};

impl Private {
    /// Describes a repository, measured by `settings`.
    pub(crate) async fn find_repository(
        &self,
        repository: &RepositoryName,
        settings: &Settings,
    ) -> Result<Option<Standing>, Error> {
        let found = self.describe(repository, settings).await?;
        Ok(found.map(|found| Standing {
            drift: found.drift(settings),
            refuses: None,
            immutable: found.immutable(),
        }))
    }

    /// Asks for what `settings` need to be compared with, and for nothing else.
    ///
    /// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeRepositories.html>
    pub(super) async fn describe(
        &self,
        repository: &RepositoryName,
        settings: &Settings,
    ) -> Result<Option<Found>, Error> {
        check_name(repository)?;
        let described = self
            .client()
            .await
            .describe_repositories()
            .set_registry_id(self.registry_id())
            .repository_names(repository.as_str())
            .send()
            .await;
        let described = match described {
            Ok(described) => described,
            Err(error) if failure::is(&error, "RepositoryNotFoundException") => {
                return Ok(None);
            }
            Err(error) => return Err(self.failure(Action::DescribeRepositories, Some(repository), &error)),
        };
        let Some(described) = described.repositories().first() else {
            return Ok(None);
        };
        let mut found = Found::of(described);
        if !settings.tags.is_empty() {
            found.tags = self.tags(repository, &found.arn).await?;
        }
        if settings.lifecycle_policy.is_some() {
            found.lifecycle = self.lifecycle_policy(repository).await?;
        }
        if settings.repository_policy.is_some() {
            found.policy = self.repository_policy(repository).await?;
        }
        Ok(Some(found))
    }

    async fn tags(&self, repository: &RepositoryName, arn: &str) -> Result<BTreeMap<String, String>, Error> {
        let output = self
            .client()
            .await
            .list_tags_for_resource()
            .resource_arn(arn)
            .send()
            .await;
        let output =
            output.map_err(|error| self.failure(Action::ListTagsForResource, Some(repository), &error))?;
        let pairs = output
            .tags()
            .iter()
            .map(|tag| (tag.key().to_owned(), tag.value().to_owned()));
        Ok(pairs.collect())
    }

    async fn lifecycle_policy(&self, repository: &RepositoryName) -> Result<Option<Value>, Error> {
        let output = self
            .client()
            .await
            .get_lifecycle_policy()
            .set_registry_id(self.registry_id())
            .repository_name(repository.as_str())
            .send()
            .await;
        match output {
            Ok(output) => self.policy(
                Action::GetLifecyclePolicy,
                repository,
                output.lifecycle_policy_text(),
            ),
            Err(error) if failure::is(&error, "LifecyclePolicyNotFoundException") => Ok(None),
            Err(error) => Err(self.failure(Action::GetLifecyclePolicy, Some(repository), &error)),
        }
    }

    async fn repository_policy(&self, repository: &RepositoryName) -> Result<Option<Value>, Error> {
        let output = self
            .client()
            .await
            .get_repository_policy()
            .set_registry_id(self.registry_id())
            .repository_name(repository.as_str())
            .send()
            .await;
        match output {
            Ok(output) => self.policy(Action::GetRepositoryPolicy, repository, output.policy_text()),
            Err(error) if failure::is(&error, "RepositoryPolicyNotFoundException") => Ok(None),
            Err(error) => Err(self.failure(Action::GetRepositoryPolicy, Some(repository), &error)),
        }
    }

    fn policy(
        &self,
        action: Action,
        repository: &RepositoryName,
        text: Option<&str>,
    ) -> Result<Option<Value>, Error> {
        text.map(serde_json::from_str).transpose().map_err(|error| {
            let doing = failure::doing(&self.session, action, Some(repository));
            let message = format!("{doing}: AWS answered with a policy that is no JSON");
            Error::new(ErrorKind::Integrity, message).caused_by(error)
        })
    }
}
