//! The API of ECR Public.

use std::sync::Arc;

use aws_sdk_ecrpublic::Client;
use aws_sdk_ecrpublic::config::Builder;
use aws_sdk_ecrpublic::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ecrpublic::primitives::DateTime;
use oci::RepositoryName;
use registry::Error;
use tokio::sync::OnceCell;

use super::registries::Registries;
use crate::action::Action;
use crate::failure;
use crate::pace::Pace;
use crate::session::Session;
use crate::sign_in::{Answer, Token};

/// The API of ECR Public, asked as one identity.
#[derive(Debug)]
pub(crate) struct Public {
    pub(crate) session: Arc<Session>,
    pub(super) pace: Pace,
    pub(super) registries: OnceCell<Registries>,
    client: OnceCell<Client>,
}

impl Public {
    pub(crate) fn new(session: Arc<Session>) -> Self {
        Self {
            session,
            pace: Pace::default(),
            registries: OnceCell::new(),
            client: OnceCell::new(),
        }
    }

    pub(super) async fn client(&self) -> &Client {
        self.client
            .get_or_init(async || {
                let mut builder = Builder::from(self.session.config().await);
                if let Some(endpoint) = &self.session.address.endpoint {
                    // An address that is given is asked as it is: the SDK refuses to make variants of it.
                    builder = builder
                        .endpoint_url(endpoint)
                        .use_fips(false)
                        .use_dual_stack(false);
                }
                Client::from_conf(builder.build())
            })
            .await
    }

    pub(super) fn failure<E>(
        &self,
        action: Action,
        repository: Option<&RepositoryName>,
        error: &SdkError<E>,
    ) -> Error
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        failure::failure(&self.session, action, repository, error)
    }

    /// Asks for the password of the registry's token service.
    ///
    /// <https://docs.aws.amazon.com/AmazonECRPublic/latest/APIReference/API_GetAuthorizationToken.html>
    pub(crate) async fn token(&self) -> Result<Answer, Error> {
        let output = match self.client().await.get_authorization_token().send().await {
            Ok(output) => output,
            Err(error) => {
                return match failure::nobody(&self.session, &error) {
                    Some(tried) => Ok(Answer::Nobody(tried)),
                    None => Err(self.failure(Action::GetAuthorizationToken, None, &error)),
                };
            }
        };
        let data = output.authorization_data();
        Ok(Answer::Token(Token {
            encoded: data
                .and_then(|data| data.authorization_token())
                .map(str::to_owned),
            expires: data.and_then(|data| data.expires_at()).map(DateTime::secs),
        }))
    }
}
