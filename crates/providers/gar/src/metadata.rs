//! The metadata server of Google's machines.
//!
//! <https://docs.cloud.google.com/compute/docs/metadata/overview>

use std::time::Duration;

use futures_util::StreamExt as _;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use provider::Setup;
use registry::{Reach, Request, RequestBody, Response, TransportError, TransportErrorKind};
use tokio::sync::OnceCell;
use tokio::time::{sleep, timeout};
use url::Url;

/// The variable that names another server.
pub(crate) const HOST: &str = "GCE_METADATA_HOST";

/// The variable by which Google's libraries are told that there is none.
const NO_CHECK: &str = "NO_GCE_CHECK";

const DEFAULT_HOST: &str = "metadata.google.internal";

const EMAIL: &str = "/computeMetadata/v1/instance/service-accounts/default/email";

/// What the question may cost where there is no such server.
const PATIENCE: Duration = Duration::from_secs(2);

/// On a machine that has just started, the server may come up after us.
const AGAIN: Duration = Duration::from_millis(250);

/// An address is short.
const MAX_EMAIL: usize = 1 << 10;

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// A server that signs in as this service account.
    Server {
        /// Its address.
        endpoint: String,
        /// The service account.
        email: Option<String>,
    },
    /// None, and why.
    Nothing(String),
}

/// Looks for the metadata server once.
#[derive(Debug, Default)]
pub(crate) struct Metadata(OnceCell<Found>);

impl Metadata {
    pub(crate) async fn find(&self, setup: &Setup) -> Found {
        self.0.get_or_init(|| look(setup)).await.clone()
    }
}

async fn look(setup: &Setup) -> Found {
    let named = (setup.environment)(HOST).filter(|host| !host.is_empty());
    if named.is_none() && (setup.environment)(NO_CHECK).as_deref() == Some("true") {
        return Found::Nothing(format!("{NO_CHECK} is set"));
    }
    let host = named.as_deref().unwrap_or(DEFAULT_HOST);
    let endpoint = format!("http://{host}");
    let asked = timeout(PATIENCE, ask(setup, &endpoint)).await;
    let why = match asked {
        Ok(Ok(email)) => {
            return Found::Server {
                endpoint,
                email: Some(email),
            };
        }
        Ok(Err(why)) => why,
        Err(_) => format!("no answer within {} s", PATIENCE.as_secs()),
    };
    // Who names a server means it: its failure is told when it is asked for a token.
    if named.is_some() {
        return Found::Server {
            endpoint,
            email: None,
        };
    }
    Found::Nothing(format!("{host}: {why}"))
}

async fn ask(setup: &Setup, endpoint: &str) -> Result<String, String> {
    let url: Url = format!("{endpoint}{EMAIL}")
        .parse()
        .map_err(|_| "no such address".to_owned())?;
    loop {
        match once(setup, url.clone()).await {
            Ok(response) => return read(response).await,
            Err(error) if error.kind() == TransportErrorKind::Refused => sleep(AGAIN).await,
            Err(error) => return Err(error.to_string()),
        }
    }
}

async fn once(setup: &Setup, url: Url) -> Result<Response, TransportError> {
    let mut headers = HeaderMap::new();
    headers.insert("metadata-flavor", HeaderValue::from_static("Google"));
    let request = Request {
        method: Method::GET,
        url,
        headers,
        body: RequestBody::Empty,
        reach: Reach::Declared,
    };
    setup.transport.send(request).await
}

async fn read(mut response: Response) -> Result<String, String> {
    let flavour = response.headers.get("metadata-flavor");
    if flavour.is_none_or(|flavour| flavour != "Google") {
        return Err("what answers is not Google's".to_owned());
    }
    match response.status {
        StatusCode::OK => {}
        StatusCode::NOT_FOUND => return Err("the machine has no service account".to_owned()),
        status => return Err(status.to_string()),
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.body.next().await {
        body.extend_from_slice(&chunk.map_err(|error| error.to_string())?);
        if body.len() > MAX_EMAIL {
            return Err("the answer is too long".to_owned());
        }
    }
    String::from_utf8(body)
        .map(|email| email.trim().to_owned())
        .map_err(|_| "the answer is not text".to_owned())
}
