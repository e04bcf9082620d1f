//! The chain: the first way in which Azure knows us is taken, and no other in its place.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use azure_core::credentials::TokenCredential;
use oci::Host;
use planner::config::Auth;
use registry::{Error, ErrorKind, Secret};

use super::failure::judge;
use super::link::{Link, Missing, Sources};
use crate::cloud::registry_name;
use crate::jwt::Claims;

/// A link that does not answer within this is given up. The CLIs are slow, and the SDK's own patience is a minute and more.
const PATIENCE: Duration = Duration::from_secs(30);

/// The ways in which Azure may know us, in order.
#[derive(Debug)]
pub(crate) struct Chain {
    links: Vec<Link>,
    explicit: bool,
    /// Why nobody signs in, whoever Azure knows.
    withheld: Option<String>,
    sources: Sources,
    /// The link that gave a token: it alone is asked from then on.
    settled: OnceLock<usize>,
}

/// What the chain came to.
pub(crate) enum Resolved {
    /// Azure knows us.
    Identity(Box<Identity>),
    /// It does not; the text says why, link by link.
    Nobody(String),
}

/// Whom Azure knows us as.
#[derive(Clone)]
pub(crate) struct Identity {
    credential: Arc<dyn TokenCredential>,
    link: Link,
    tenant: Option<String>,
    /// What the first token said.
    pub(crate) claims: Claims,
    /// That token.
    pub(crate) token: Secret,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({self})")
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.link)?;
        match self.claims.subject() {
            Some(subject) => write!(f, " ({subject})"),
            None => Ok(()),
        }
    }
}

impl Chain {
    /// Makes the chain that `auth` asks for at `host`.
    ///
    /// # Errors
    /// A secret without its application or tenant.
    pub(crate) fn new(host: &Host, auth: &Auth, sources: Sources) -> Result<Self, Error> {
        let explicit = auth.tenant_id.is_some() || auth.client_id.is_some() || auth.client_secret.is_some();
        Ok(Self {
            links: links(auth, &sources)?,
            explicit,
            withheld: (!explicit).then(|| withheld(host)).flatten(),
            sources,
            settled: OnceLock::new(),
        })
    }

    /// Finds out whom Azure knows us as, by a token for `scope`. Credentials are made anew: files may have changed.
    ///
    /// # Errors
    /// A link that is available and gives no token; and no link at all, where the configuration asks for one.
    pub(crate) async fn resolve(&self, scope: &str) -> Result<Resolved, Error> {
        if let Some(why) = &self.withheld {
            return Ok(Resolved::Nobody(why.clone()));
        }
        let mut absent = Vec::new();
        for (index, link) in self.links.iter().enumerate() {
            if self.settled.get().is_some_and(|settled| *settled != index) {
                continue;
            }
            match self.attempt(link, scope).await {
                Ok(identity) => {
                    let _ = self.settled.set(index);
                    return Ok(Resolved::Identity(Box::new(identity)));
                }
                Err(Missing::Absent(reason)) => absent.push(format!("{link}: {reason}")),
                Err(Missing::Failed(error)) => return Err(told(error, &absent)),
            }
        }
        let reasons = absent.join("; ");
        if !self.explicit && self.settled.get().is_none() {
            return Ok(Resolved::Nobody(reasons));
        }
        let message = format!("no identity of Azure's is available here: {reasons}");
        Err(Error::new(ErrorKind::Auth, message)
            .with_hint("give `auth` a client_secret, run where the identity is available, or run `az login`"))
    }

    async fn attempt(&self, link: &Link, scope: &str) -> Result<Identity, Missing> {
        let credential = link.credential(&self.sources).await?;
        let tenant = self.sources.tenant.clone();
        let token = token(&*credential, link, tenant.as_deref(), scope).await?;
        Ok(Identity {
            credential,
            link: link.clone(),
            tenant,
            claims: Claims::read(token.expose()).unwrap_or_default(),
            token,
        })
    }
}

impl Identity {
    /// Gets a token for another scope, or a newer one. The SDK keeps tokens until shortly before they end.
    ///
    /// # Errors
    /// No token.
    pub(crate) async fn token(&self, scope: &str) -> Result<Secret, Error> {
        match token(&*self.credential, &self.link, self.tenant.as_deref(), scope).await {
            Ok(token) => Ok(token),
            Err(Missing::Failed(error)) => Err(error),
            Err(Missing::Absent(reason)) => {
                Err(Error::new(ErrorKind::Auth, format!("{}: {reason}", self.link)))
            }
        }
    }
}

async fn token(
    credential: &dyn TokenCredential,
    link: &Link,
    tenant: Option<&str>,
    scope: &str,
) -> Result<Secret, Missing> {
    let scopes = [scope];
    let asked = credential.get_token(&scopes, None);
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(Ok(token)) => Ok(Secret::new(token.token.secret())),
        Ok(Err(error)) => Err(judge(link, &error, tenant)),
        Err(_) => {
            let message = format!("{link}: no token within {} s", PATIENCE.as_secs());
            Err(Missing::Failed(Error::new(ErrorKind::Network, message)))
        }
    }
}

/// Adds what was passed over before the link that failed.
fn told(error: Error, absent: &[String]) -> Error {
    if absent.is_empty() {
        return error;
    }
    let before = format!("(not available before it: {})", absent.join("; "));
    let message = format!("{} {before}", error.message());
    let again = Error::new(error.kind(), message);
    match error.hint() {
        Some(hint) => again.with_hint(hint),
        None => again,
    }
}

/// Says why whoever happens to be known here does not sign in at a host: it would get a token that every registry of Azure's takes
/// from it. On loopback, nobody else gets it.
fn withheld(host: &Host) -> Option<String> {
    let is_safe = registry_name(host).is_some() || host.is_loopback();
    (!is_safe).then(|| {
        format!(
            "{host} is no host of Azure's, where only an identity that `auth` names signs in (`tenant_id`, `client_id`)"
        )
    })
}

fn links(auth: &Auth, sources: &Sources) -> Result<Vec<Link>, Error> {
    if let Some(secret) = &auth.client_secret {
        let lacks = |key: &str| {
            let message = format!("`client_secret` without `{key}`");
            Error::new(ErrorKind::Auth, message).with_hint(format!("add `{key}` beside it"))
        };
        let variable = |name: &str| (sources.environment)(name).filter(|value| !value.is_empty());
        return Ok(vec![Link::ClientSecret {
            tenant: (auth.tenant_id.clone())
                .or_else(|| variable("AZURE_TENANT_ID"))
                .ok_or_else(|| lacks("tenant_id"))?,
            client: auth.client_id.clone().ok_or_else(|| lacks("client_id"))?,
            secret: secret.clone(),
        }]);
    }
    if let Some(client) = &auth.client_id {
        let client = Some(client.clone());
        return Ok(vec![Link::Workload(client.clone()), Link::Managed(client)]);
    }
    Ok(vec![
        Link::EnvironmentSecret,
        Link::Workload(None),
        Link::Managed(None),
        Link::AzureCli,
        Link::AzureDeveloperCli,
    ])
}
