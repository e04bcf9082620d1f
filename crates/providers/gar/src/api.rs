//! The Artifact Registry API.
//!
//! <https://docs.cloud.google.com/artifact-registry/docs/reference/rest>

use std::sync::Arc;

use http::{Method, StatusCode};
use provider::takes_credentials;
use registry::{Error, ErrorKind, Reach, Rest, RestBody, RestReply, RestRequest, Secret};
use serde_json::Value;
use url::Url;

use crate::account::Account;
use crate::drift::{Patch, Repository};
use crate::place::Unit;
use crate::rights::{Call, Right, advice};

const DEFAULT_BASE: &str = "https://artifactregistry.googleapis.com";

/// The API, asked as whoever is signed in.
#[derive(Debug)]
pub(crate) struct Api {
    account: Arc<Account>,
    rest: Rest,
    base: Url,
}

impl Api {
    /// Makes the client; nothing is sent.
    ///
    /// # Errors
    /// An `auth.endpoint` that is no address, or would send credentials in the clear.
    pub(crate) fn new(account: Arc<Account>) -> Result<Self, Error> {
        let setup = account.setup();
        let base = setup.auth.endpoint.as_deref().unwrap_or(DEFAULT_BASE);
        let wrong = |what: &str| {
            let message = format!("auth.endpoint of registry {}: {what}", setup.name);
            Error::new(ErrorKind::Other, message).with_hint(format!("the usual one is {DEFAULT_BASE}"))
        };
        let base: Url = base.parse().map_err(|_| wrong("it is no address"))?;
        if !takes_credentials(&base, setup.plain_http) {
            return Err(match base.scheme() {
                "http" => wrong("credentials go over HTTPS only"),
                _ => wrong("it is no address of HTTPS"),
            });
        }
        let rest = Rest::new(Arc::clone(&setup.transport), Reach::Declared);
        Ok(Self { account, rest, base })
    }

    /// Describes a repository; none where it does not exist.
    ///
    /// # Errors
    /// A refusal.
    pub(crate) async fn repository(&self, unit: &Unit) -> Result<Option<Repository>, Error> {
        let request = RestRequest::get(self.url(&unit.name(), &[])?);
        let reply = self.send(request).await?;
        match reply.status {
            StatusCode::OK => reply.json("a repository").map(Some),
            StatusCode::NOT_FOUND => Ok(None),
            _ => Err(self.refused(Call::GetRepository, unit, "ask for", &reply)),
        }
    }

    /// Asks for a repository to be made, and returns whatever is answered.
    ///
    /// # Errors
    /// No answer.
    pub(crate) async fn create(&self, unit: &Unit, repository: &Value) -> Result<RestReply, Error> {
        let path = format!("{}/repositories", unit.parent());
        let url = self.url(&path, &[("repositoryId", &unit.repository)])?;
        self.send(RestRequest::send(
            Method::POST,
            url,
            RestBody::Json(repository.clone()),
        ))
        .await
    }

    /// Changes fields of a repository.
    ///
    /// # Errors
    /// A refusal.
    pub(crate) async fn update(&self, unit: &Unit, patch: Patch) -> Result<(), Error> {
        let url = self.url(&unit.name(), &[("updateMask", &patch.mask.join(","))])?;
        let request = RestRequest::send(Method::PATCH, url, RestBody::Json(patch.body));
        let reply = self.send(request).await?;
        match reply.status {
            StatusCode::OK => Ok(()),
            _ => Err(self.refused(Call::UpdateRepository, unit, "change", &reply)),
        }
    }

    /// Asks how far an operation is.
    ///
    /// # Errors
    /// No answer.
    pub(crate) async fn operation(&self, name: &str) -> Result<RestReply, Error> {
        self.send(RestRequest::get(self.url(name, &[])?)).await
    }

    /// Asks for one page of a list; none where what is listed does not exist.
    ///
    /// # Errors
    /// A refusal.
    pub(crate) async fn page(
        &self,
        call: Call,
        unit: &Unit,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<Option<RestReply>, Error> {
        let reply = self.send(RestRequest::get(self.url(path, query)?)).await?;
        match reply.status {
            StatusCode::OK => Ok(Some(reply)),
            StatusCode::NOT_FOUND => Ok(None),
            _ => Err(self.refused(call, unit, "list", &reply)),
        }
    }

    /// Makes the error of an answer that refuses, with what to do next.
    pub(crate) fn refused(&self, call: Call, unit: &Unit, verb: &str, reply: &RestReply) -> Error {
        let action = format!("{verb} repository {} of {}", unit.repository, unit.parent());
        let error = reply.refusal(&action);
        match reason(reply).as_deref() {
            Some("SERVICE_DISABLED") => error.with_hint(format!(
                "enable the API: gcloud services enable artifactregistry.googleapis.com --project {} (it takes some minutes)",
                unit.project
            )),
            Some("ACCESS_TOKEN_SCOPE_INSUFFICIENT") => error.with_hint(
                "the machine's access scopes leave out the API: \
                 gcloud compute instances set-service-account INSTANCE --scopes=cloud-platform",
            ),
            Some("BILLING_DISABLED") => error.with_hint(format!("link a billing account to project {}", unit.project)),
            _ => match advice(Right::of_call(call), Ok(unit), self.account.member().as_ref(), &error) {
                Some(advice) => advice.on(error),
                None => error,
            },
        }
    }

    fn url(&self, path: &str, query: &[(&str, &str)]) -> Result<Url, Error> {
        let base = self.base.as_str().trim_end_matches('/');
        let mut url: Url = format!("{base}/v1/{path}")
            .parse()
            .map_err(|_| Error::new(ErrorKind::Other, format!("{path} makes no address of the API")))?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }

    /// Sends a request; again with a new token where the one in hand is refused.
    async fn send(&self, request: RestRequest) -> Result<RestReply, Error> {
        let (reply, token) = self.once(request.clone()).await?;
        if reply.status != StatusCode::UNAUTHORIZED {
            return Ok(reply);
        }
        self.account.forget(&token).await;
        self.once(request).await.map(|(reply, _)| reply)
    }

    async fn once(&self, mut request: RestRequest) -> Result<(RestReply, Secret), Error> {
        let (headers, token) = self.account.headers().await?;
        request.headers.extend(headers);
        Ok((self.rest.send(&request).await?, token))
    }
}

/// Finds the reason of an `ErrorInfo`.
///
/// <https://docs.cloud.google.com/apis/design/errors#error_info>
fn reason(reply: &RestReply) -> Option<String> {
    let body: Value = serde_json::from_slice(&reply.body).ok()?;
    let details = body.pointer("/error/details")?.as_array()?;
    let reason = details.iter().find_map(|detail| detail.get("reason")?.as_str());
    reason.map(str::to_owned)
}
