//! The provider of registries that have no API beside the protocol.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use oci::RepositoryName;
use planner::{Capabilities, Creation};
use registry::{CredentialSource, Error, ErrorKind};

use crate::{Class, Ensured, Inventory, Provider};

/// A provider that knows the protocol and nothing else.
#[derive(Debug)]
pub struct GenericProvider {
    name: String,
    credentials: Arc<dyn CredentialSource>,
    capabilities: Capabilities,
}

impl GenericProvider {
    /// Makes the provider of a registry that follows the specification. `name` is how the registry is called.
    pub fn new(name: impl Into<String>, credentials: Arc<dyn CredentialSource>) -> Self {
        Self::of_class(name, credentials, Class::Other)
    }

    /// Makes the provider of a registry whose class is known.
    ///
    /// Where that class creates repositories by a call of the vendor's own, this provider leaves it to somebody else.
    pub fn of_class(name: impl Into<String>, credentials: Arc<dyn CredentialSource>, class: Class) -> Self {
        let mut capabilities = class.capabilities();
        if capabilities.creation == Creation::Call {
            capabilities.creation = without_call(class);
        }
        Self {
            name: name.into(),
            credentials,
            capabilities,
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
impl Provider for GenericProvider {
    fn capabilities(&self) -> Capabilities {
        self.capabilities.clone()
    }

    fn credentials(&self) -> Arc<dyn CredentialSource> {
        Arc::clone(&self.credentials)
    }

    async fn ensure_repository(
        &self,
        repository: &RepositoryName,
        _settings: Option<&serde_json::Value>,
    ) -> Result<Ensured, Error> {
        match self.capabilities.creation {
            Creation::OnPush => Ok(Ensured::Existed),
            Creation::Call | Creation::Never => Err(Error::new(
                ErrorKind::Other,
                format!("no call creates repository {repository} of {}", self.name),
            )),
        }
    }

    async fn inventory(&self, _repository: &RepositoryName) -> Result<Option<Inventory>, Error> {
        Ok(None)
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
            })
        }
    }

    fn of_class(class: Class) -> GenericProvider {
        GenericProvider::of_class("site", Arc::new(Nobody), class)
    }

    #[test]
    fn without_the_vendors_call_an_absent_repository_is_left_to_somebody_else() {
        for class in Class::ALL {
            assert_ne!(
                of_class(class).capabilities().creation,
                Creation::Call,
                "{class:?}"
            );
        }
        assert_eq!(of_class(Class::Ecr).capabilities().creation, Creation::Never);
    }

    #[test]
    fn a_new_image_in_a_repository_of_googles_is_not_blocked() {
        assert_eq!(of_class(Class::Google).capabilities().creation, Creation::OnPush);
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
        assert_eq!(of_class(Class::Other).inventory(&repository).await.unwrap(), None);
    }
}
