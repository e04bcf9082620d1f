//! The API of ECR private.

use std::sync::Arc;

use aws_sdk_ecr::Client;
use aws_sdk_ecr::config::Builder;
use aws_sdk_ecr::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ecr::primitives::DateTime;
use oci::RepositoryName;
use registry::Error;
use tokio::sync::OnceCell;

use crate::action::Action;
use crate::failure;
use crate::pace::Pace;
use crate::session::Session;
use crate::sign_in::{Answer, Token};

/// The API of one registry.
#[derive(Debug)]
pub(crate) struct Private {
    pub(crate) session: Arc<Session>,
    pub(super) pace: Pace,
    client: OnceCell<Client>,
}

impl Private {
    pub(crate) fn new(session: Arc<Session>) -> Self {
        Self {
            session,
            pace: Pace::default(),
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

    /// Returns whose registry it is, for calls that would else ask the caller's own.
    pub(super) fn registry_id(&self) -> Option<String> {
        self.session.address.account.clone()
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

    /// Asks for the password of the registry.
    ///
    /// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetAuthorizationToken.html>
    pub(crate) async fn token(&self) -> Result<Answer, Error> {
        let action = Action::GetAuthorizationToken;
        let output = match self.client().await.get_authorization_token().send().await {
            Ok(output) => output,
            Err(error) => {
                return match failure::nobody(&self.session, &error) {
                    Some(tried) => Ok(Answer::Nobody(tried)),
                    None => Err(self.failure(action, None, &error)),
                };
            }
        };
        let data = output.authorization_data().first();
        Ok(Answer::Token(Token {
            encoded: data
                .and_then(|data| data.authorization_token())
                .map(str::to_owned),
            expires: data.and_then(|data| data.expires_at()).map(DateTime::secs),
        }))
    }
}
