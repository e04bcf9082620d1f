//! Azure Resource Manager: the registry's resource, and imports.

mod import;
mod resource;

use std::sync::Arc;

use http::header::AUTHORIZATION;
use http::{Method, StatusCode};
use registry::{Error, ErrorKind, Flight, RestBody, RestReply, RestRequest};
use serde_json::Value;
use url::Url;

pub(crate) use resource::Resource;

use crate::data_plane::bearer;
use crate::session::Session;

/// The version of the registries' API that is spoken.
///
/// <https://learn.microsoft.com/rest/api/container-registry/registries>
const VERSION: &str = "2025-11-01";

/// Azure Resource Manager, as one registry needs it.
#[derive(Debug)]
pub(crate) struct Management {
    session: Arc<Session>,
    resource_id: Option<String>,
    resource: Flight<Arc<Resource>>,
}

impl Management {
    pub(crate) fn new(session: Arc<Session>, resource_id: Option<String>) -> Self {
        Self {
            session,
            resource_id,
            resource: Flight::default(),
        }
    }

    /// Returns true where the configuration names the registry's resource.
    pub(crate) fn is_configured(&self) -> bool {
        self.resource_id.is_some()
    }

    /// Returns what is known of the registry's resource, without asking.
    pub(crate) fn known(&self) -> Option<Arc<Resource>> {
        self.resource.peek()
    }

    /// Returns the id of the registry's resource, where it is known.
    pub(crate) fn id(&self) -> Option<String> {
        let known = self.known().map(|resource| resource.id.clone());
        known.or_else(|| self.resource_id.clone())
    }

    /// Describes the registry: the one that the configuration names, or the one among all that we see that answers at its host.
    ///
    /// # Errors
    /// No such registry, or none that we may see.
    pub(crate) async fn resource(&self) -> Result<Arc<Resource>, Error> {
        let make = async {
            let resource = match &self.resource_id {
                Some(id) => self.describe(id).await?,
                None => self.search().await?,
            };
            Ok(Arc::new(resource))
        };
        self.resource.get(|_| true, make).await
    }

    async fn get(&self, url: Url) -> Result<RestReply, Error> {
        self.send(RestRequest::get(url)).await
    }

    async fn post(&self, url: Url, body: Value) -> Result<RestReply, Error> {
        self.send(RestRequest::send(Method::POST, url, RestBody::Json(body)))
            .await
    }

    async fn send(&self, request: RestRequest) -> Result<RestReply, Error> {
        let signed = self.session.signed().await?;
        let Some(identity) = &signed.identity else {
            let origin = &signed.sign_in.origin;
            let message = format!("Azure Resource Manager can't be asked for nobody: {origin}");
            return Err(Error::new(ErrorKind::Auth, message).with_hint("see `auth`, or run `az login`"));
        };
        let token = identity.token(&self.session.places.management_scope).await?;
        self.session
            .management
            .send(&request.with(AUTHORIZATION, bearer(&token)?))
            .await
    }

    /// Returns an address below Resource Manager's.
    fn url(&self, path: &str, version: &str) -> Result<Url, Error> {
        let mut url = self.session.places.at_management(path)?;
        url.query_pairs_mut().append_pair("api-version", version);
        Ok(url)
    }

    /// Takes an address that Resource Manager names: our token goes there.
    fn own(&self, text: &str) -> Result<Url, Error> {
        let base = &self.session.places.management;
        base.join(text)
            .ok()
            .filter(|url| url.origin() == base.origin())
            .ok_or_else(|| {
                let message =
                    "Azure Resource Manager points to another host; the token does not follow there";
                Error::new(ErrorKind::Policy, message)
            })
    }
}

fn checked(reply: RestReply, action: &str) -> Result<RestReply, Error> {
    match reply.status {
        StatusCode::OK | StatusCode::CREATED | StatusCode::ACCEPTED | StatusCode::NO_CONTENT => Ok(reply),
        _ => Err(reply.refusal(action)),
    }
}
