//! The registry's own API beside the protocol, `/acr/v1`.

use std::fmt;
use std::sync::Arc;

use http::header::AUTHORIZATION;
use http::{HeaderValue, Method, StatusCode};
use oci::{RepositoryName, Tag};
use registry::{Error, ErrorKind, RestBody, RestReply, RestRequest, Secret};
use serde_json::json;
use url::Url;

use crate::access::AccessTokens;
use crate::session::Session;

/// The registry's own API.
#[derive(Debug)]
pub(crate) struct DataPlane {
    pub(crate) session: Arc<Session>,
    tokens: AccessTokens,
}

/// What a call needs: the scope of its token.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scope<'a> {
    /// To list repositories.
    Catalogue,
    /// To list what stands in a repository.
    Read(&'a RepositoryName),
    /// To change attributes.
    Write(&'a RepositoryName),
}

impl fmt::Display for Scope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Catalogue => f.write_str("registry:catalog:*"),
            Self::Read(repository) => write!(f, "repository:{repository}:metadata_read"),
            Self::Write(repository) => write!(f, "repository:{repository}:metadata_write"),
        }
    }
}

impl DataPlane {
    pub(crate) fn new(session: Arc<Session>) -> Self {
        Self {
            session,
            tokens: AccessTokens::default(),
        }
    }

    /// Returns an address below `/acr/v1`.
    ///
    /// # Errors
    /// A path that makes no address.
    pub(crate) fn url(&self, path: &str) -> Result<Url, Error> {
        self.session.places.at_registry(&format!("acr/v1/{path}"))
    }

    /// Asks, and asks once more with a new token where that is refused; `None` where nobody is signed in.
    ///
    /// # Errors
    /// No token, and no answer. Whatever the answer says is for the caller.
    pub(crate) async fn send(
        &self,
        request: &RestRequest,
        scope: Scope<'_>,
    ) -> Result<Option<RestReply>, Error> {
        let words = scope.to_string();
        let Some(access) = self.tokens.get(&self.session, &words, None).await? else {
            return Ok(None);
        };
        let reply = self.with(request, &access.secret).await?;
        if reply.status != StatusCode::UNAUTHORIZED {
            return Ok(Some(reply));
        }
        match self.tokens.get(&self.session, &words, Some(&access)).await? {
            Some(access) => self.with(request, &access.secret).await.map(Some),
            None => Ok(Some(reply)),
        }
    }

    async fn with(&self, request: &RestRequest, token: &Secret) -> Result<RestReply, Error> {
        let request = request.clone().with(AUTHORIZATION, bearer(token)?);
        self.session.rest.send(&request).await
    }

    /// Locks a tag: it can't be moved any more. One that is locked stays so.
    ///
    /// <https://learn.microsoft.com/azure/container-registry/container-registry-image-lock#lock-an-image-by-tag>
    ///
    /// # Errors
    /// A registry that refuses.
    pub(crate) async fn lock(&self, repository: &RepositoryName, tag: &Tag) -> Result<(), Error> {
        let action = format!("lock {}/{repository}:{tag}", self.session.places.host);
        let url = self.url(&format!("{repository}/_tags/{tag}"))?;
        let request = RestRequest::send(
            Method::PATCH,
            url,
            RestBody::Json(json!({ "writeEnabled": false })),
        );
        match self.send(&request, Scope::Write(repository)).await? {
            Some(reply) if reply.status.is_success() => Ok(()),
            Some(reply) => Err(reply.refusal(&action)),
            None => Err(Error::new(
                ErrorKind::Auth,
                format!("{action}: no identity of Azure's is available"),
            )
            .with_hint("locks are set by an identity of Azure's: see `auth`, or run `az login`")),
        }
    }
}

/// Returns the `Authorization` of a token.
///
/// # Errors
/// Text that no header may carry.
pub(crate) fn bearer(token: &Secret) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose()))
        .map_err(|_| Error::new(ErrorKind::Auth, "the token has characters that can't be sent"))?;
    value.set_sensitive(true);
    Ok(value)
}
