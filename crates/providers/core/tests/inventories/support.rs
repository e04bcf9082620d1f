//! Who signs in, and the ways to an API and to a registry.

use std::sync::Arc;

use async_trait::async_trait;
use oci::{Digest, RepositoryName, Tag};
use planner::Inventory;
use registry::{
    Client, ClientSettings, Credential, CredentialSource, Error, HttpTransport, Reach, Registry, Rest,
    Secret, SignIn, TlsSettings,
};
use transship_provider::Listing;
use url::Url;

#[derive(Debug)]
struct Known(Option<(String, Secret)>);

#[async_trait]
impl CredentialSource for Known {
    async fn sign_in(&self) -> Result<SignIn, Error> {
        Ok(match &self.0 {
            None => SignIn::anonymous(),
            Some((username, password)) => SignIn {
                credential: Credential::Basic {
                    username: username.clone(),
                    password: password.clone(),
                },
                origin: "the test".to_owned(),
                expires: None,
            },
        })
    }
}

pub(crate) fn anonymous() -> Arc<dyn CredentialSource> {
    Arc::new(Known(None))
}

pub(crate) fn user(name: &str, password: &str) -> Arc<dyn CredentialSource> {
    Arc::new(Known(Some((name.to_owned(), Secret::new(password)))))
}

fn transport() -> Arc<HttpTransport> {
    Arc::new(HttpTransport::new(&TlsSettings::default(), "test").unwrap())
}

pub(crate) fn rest() -> Rest {
    Rest::new(transport(), Reach::Registry)
}

pub(crate) fn registry(host: &str, credentials: Arc<dyn CredentialSource>) -> Arc<dyn Registry> {
    let settings = ClientSettings {
        plain_http: true,
        retries: 0,
        ..ClientSettings::new(host.parse().unwrap())
    };
    Arc::new(Client::new(settings, transport(), credentials))
}

pub(crate) fn address(host: &str) -> Url {
    Url::parse(&format!("http://{host}/")).unwrap()
}

pub(crate) fn name(text: &str) -> RepositoryName {
    text.parse().unwrap()
}

pub(crate) fn tag(text: &str) -> Tag {
    text.parse().unwrap()
}

pub(crate) fn digest(text: &str) -> Digest {
    Digest::sha256(text.as_bytes())
}

#[track_caller]
pub(crate) fn inventory(listing: Listing) -> Inventory {
    match listing {
        Listing::Inventory(inventory) => inventory,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
pub(crate) fn why(listing: Listing) -> String {
    match listing {
        Listing::Unavailable(Some(why)) => why,
        other => panic!("{other:?}"),
    }
}
