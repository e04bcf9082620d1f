//! Which registries of ECR Public are the caller's: its paths begin with an alias, which the API knows nothing of.

use aws_sdk_ecrpublic::types::{RegistryAlias, RegistryAliasStatus};
use oci::RepositoryName;
use registry::{Error, ErrorKind};

use super::Public;
use crate::action::Action;
use crate::failure;

/// The registry of the caller's account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Registries {
    /// The primary one first: Amazon shows it in the repositories' addresses.
    aliases: Vec<String>,
}

/// A repository by its path and by the name that the API has for it.
#[derive(Debug)]
pub(super) struct Ours<'a> {
    pub(super) path: &'a RepositoryName,
    pub(super) name: String,
}

impl Public {
    /// Returns a repository as the API names it; `None` where its alias is another account's, of which the API tells nothing.
    ///
    /// <https://docs.aws.amazon.com/AmazonECRPublic/latest/APIReference/API_DescribeRegistries.html>
    pub(super) async fn ours<'a>(&self, repository: &'a RepositoryName) -> Result<Option<Ours<'a>>, Error> {
        let registries = self
            .registries
            .get_or_try_init(|| self.describe_registries())
            .await?;
        Ok(registries.name(repository).map(|name| Ours {
            path: repository,
            name: name.to_owned(),
        }))
    }

    /// Returns a repository as the API names it.
    ///
    /// # Errors
    /// A path that begins with no alias of the caller's.
    pub(super) async fn surely_ours<'a>(&self, repository: &'a RepositoryName) -> Result<Ours<'a>, Error> {
        if let Some(ours) = self.ours(repository).await? {
            return Ok(ours);
        }
        let host = &self.session.host;
        let aliases = self
            .registries
            .get()
            .cloned()
            .unwrap_or_default()
            .aliases
            .join(", ");
        let caller = self.session.caller();
        let message =
            format!("{host}/{repository} is in no registry of {caller}, which has the aliases: {aliases}");
        Err(Error::new(ErrorKind::Permission, message).with_hint(format!(
            "begin the path with an alias of the account, {host}/ALIAS/NAME, or sign in to the account that has it"
        )))
    }

    async fn describe_registries(&self) -> Result<Registries, Error> {
        let mut pages = self.client().await.describe_registries().into_paginator().send();
        let mut aliases = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| match failure::nobody(&self.session, &error) {
                Some(tried) => Error::new(ErrorKind::Auth, tried),
                None => self.failure(Action::DescribeRegistries, None, &error),
            })?;
            for registry in page.registries() {
                self.session.belongs_to(registry.registry_id());
                aliases.extend_from_slice(registry.aliases());
            }
        }
        Ok(Registries::of(aliases))
    }

    /// Returns the alias that paths of the account's repositories begin with.
    pub(super) async fn alias(&self) -> Result<Option<String>, Error> {
        let registries = self
            .registries
            .get_or_try_init(|| self.describe_registries())
            .await?;
        Ok(registries.aliases.first().cloned())
    }
}

impl Registries {
    /// Takes the aliases that are active: one that waits for Amazon's consent, or did not get it, leads nowhere and may be another's.
    ///
    /// <https://docs.aws.amazon.com/AmazonECRPublic/latest/APIReference/API_RegistryAlias.html>
    fn of(mut aliases: Vec<RegistryAlias>) -> Self {
        aliases.retain(|alias| *alias.status() == RegistryAliasStatus::Active);
        aliases.sort_by(|one, other| one.name().cmp(other.name()));
        aliases.sort_by_key(|alias| !alias.primary_registry_alias());
        Self {
            aliases: aliases.into_iter().map(|alias| alias.name).collect(),
        }
    }

    fn name<'a>(&self, repository: &'a RepositoryName) -> Option<&'a str> {
        let (alias, name) = repository.as_str().split_once('/')?;
        self.aliases.iter().any(|ours| ours == alias).then_some(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_paths_under_our_aliases_are_ours() {
        let registries = Registries {
            aliases: vec!["acme".to_owned(), "a1b2c3d4".to_owned()],
        };
        let name = |path: &str| registries.name(&path.parse().unwrap()).map(str::to_owned);
        assert_eq!(name("acme/team/app").as_deref(), Some("team/app"));
        assert_eq!(name("a1b2c3d4/app").as_deref(), Some("app"));
        assert_eq!(name("docker/library/alpine"), None);
        assert_eq!(name("acme"), None);
    }
    #[test]
    fn only_active_aliases_count_and_the_primary_one_is_first() {
        let alias = |name: &str, status, primary| {
            RegistryAlias::builder()
                .name(name)
                .status(status)
                .primary_registry_alias(primary)
                .default_registry_alias(!primary)
                .build()
                .unwrap()
        };
        let registries = Registries::of(vec![
            alias("a1b2c3d4", RegistryAliasStatus::Active, false),
            alias("docker", RegistryAliasStatus::Rejected, false),
            alias("aaa", RegistryAliasStatus::Pending, false),
            alias("zed", RegistryAliasStatus::Active, true),
        ]);
        assert_eq!(registries.aliases, ["zed", "a1b2c3d4"]);
    }
}
