//! The provider of registries that have no API beside the protocol.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use oci::{Digest, RepositoryName, Tag};
use planner::{Creation, Standing};
use registry::{CredentialSource, Error, ErrorKind, Operation};
use serde_json::Value;

use crate::{Advice, Class, Ensured, Importing, Lister, Listing, Profile, Provider};

/// A provider that knows the protocol and nothing else.
#[derive(Debug)]
pub struct GenericProvider {
    name: String,
    credentials: Arc<dyn CredentialSource>,
    profile: Profile,
}

impl GenericProvider {
    /// Makes the provider of a registry that follows the specification. `name` is how the registry is called.
    pub fn new(name: impl Into<String>, credentials: Arc<dyn CredentialSource>) -> Self {
        Self::of(name, credentials, Profile::of(Class::Other))
    }

    /// Makes the provider of a registry whose profile is known.
    ///
    /// Where its class creates repositories by a call of the vendor's own, this provider leaves it to somebody else.
    pub fn of(name: impl Into<String>, credentials: Arc<dyn CredentialSource>, mut profile: Profile) -> Self {
        let capabilities = &mut profile.capabilities;
        capabilities.listing = planner::Listing::Tags;
        capabilities.import = None;
        // Nobody can be asked for what lies above an image.
        capabilities.depth = None;
        if capabilities.creation == Creation::Call {
            capabilities.creation = without_call(profile.class);
        }
        Self {
            name: name.into(),
            credentials,
            profile,
        }
    }
}

/// What becomes of an absent repository where nobody makes the vendor's call.
fn without_call(class: Class) -> Creation {
    match class {
        // The vendor's repository is the first part of the path; what is below it comes with the first push.
        Class::Google => Creation::OnPush,
        _ => Creation::Never,
    }
}

impl fmt::Display for GenericProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

#[async_trait]
impl Lister for GenericProvider {
    async fn inventory(&self, _repository: &RepositoryName) -> Result<Listing, Error> {
        Ok(Listing::Unavailable(None))
    }

    async fn repositories(&self) -> Result<Option<Vec<RepositoryName>>, Error> {
        Ok(None)
    }

    async fn find_repository(
        &self,
        _repository: &RepositoryName,
        _settings: Option<&Value>,
    ) -> Result<Option<Standing>, Error> {
        Ok(None)
    }

    async fn blobs(
        &self,
        _repository: &RepositoryName,
        _blobs: &[Digest],
    ) -> Result<Option<BTreeSet<Digest>>, Error> {
        Ok(None)
    }
}

#[async_trait]
impl Provider for GenericProvider {
    fn profile(&self) -> &Profile {
        &self.profile
    }

    fn credentials(&self) -> Arc<dyn CredentialSource> {
        Arc::clone(&self.credentials)
    }

    fn advise(&self, _operation: Operation, _repository: &RepositoryName, _error: &Error) -> Option<Advice> {
        None
    }

    async fn ensure_repository(
        &self,
        repository: &RepositoryName,
        _settings: Option<&Value>,
    ) -> Result<Ensured, Error> {
        match self.profile.capabilities.creation {
            Creation::OnPush => Ok(Ensured::Existed),
            Creation::Call | Creation::Never => Err(self.no_call("creates", repository)),
        }
    }

    async fn update_repository(
        &self,
        repository: &RepositoryName,
        _settings: Option<&Value>,
    ) -> Result<(), Error> {
        Err(self.no_call("changes", repository))
    }

    async fn import(&self, import: &Importing) -> Result<(), Error> {
        Err(self.no_call("imports into", &import.to))
    }

    async fn seal(
        &self,
        _repository: &RepositoryName,
        _tag: &Tag,
        _settings: Option<&Value>,
    ) -> Result<(), Error> {
        Ok(())
    }
}

impl GenericProvider {
    fn no_call(&self, does: &str, repository: &RepositoryName) -> Error {
        let message = format!("no call {does} repository {repository} of {}", self.name);
        Error::new(ErrorKind::Other, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use registry::{Credential, SignIn};

    #[derive(Debug)]
    struct Nobody;

    #[async_trait]
    impl CredentialSource for Nobody {
        async fn sign_in(&self) -> Result<SignIn, Error> {
            Ok(SignIn {
                credential: Credential::Anonymous,
                origin: "anonymous".to_owned(),
                expires: None,
            })
        }
    }

    fn of_class(class: Class) -> GenericProvider {
        GenericProvider::of("site", Arc::new(Nobody), Profile::of(class))
    }

    #[test]
    fn without_the_vendors_call_an_absent_repository_is_left_to_somebody_else() {
        for class in Class::ALL {
            assert_ne!(
                of_class(class).profile().capabilities.creation,
                Creation::Call,
                "{class:?}"
            );
        }
        assert_eq!(
            of_class(Class::Ecr).profile().capabilities.creation,
            Creation::Never
        );
    }

    #[test]
    fn a_new_image_in_a_repository_of_googles_is_not_blocked() {
        assert_eq!(
            of_class(Class::Google).profile().capabilities.creation,
            Creation::OnPush
        );
    }

    #[tokio::test]
    async fn a_repository_that_the_first_push_makes_needs_no_call() {
        let repository = "base/alpine".parse().unwrap();
        let provider = GenericProvider::new("site", Arc::new(Nobody));
        assert_eq!(
            provider.ensure_repository(&repository, None).await.unwrap(),
            Ensured::Existed
        );
        let error = of_class(Class::Ecr)
            .ensure_repository(&repository, None)
            .await
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "no call creates repository base/alpine of site"
        );
    }

    #[tokio::test]
    async fn there_is_no_bulk_listing() {
        let repository = "base/alpine".parse().unwrap();
        let listing = of_class(Class::Other).inventory(&repository).await.unwrap();
        assert_eq!(listing, Listing::Unavailable(None));
    }
}
