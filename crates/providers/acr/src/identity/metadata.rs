//! Whether the machine has Azure's metadata service, asked without waiting for a machine that has none.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use http::{HeaderMap, Method, StatusCode};
use registry::{Reach, Request, RequestBody, Transport};
use url::Url;

/// The service answers from the host itself, within milliseconds.
const PATIENCE: Duration = Duration::from_secs(1);
/// How much of the answer is read, in bytes.
const ENOUGH: usize = 4 << 10;
/// Where the tokens of a machine's identity are.
///
/// <https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token>
const TOKENS: &str = "http://169.254.169.254/metadata/identity/oauth2/token";

/// Asks in a way that the service refuses in its own words. A proxy on the way does not know them.
pub(super) async fn is_there(transport: &Arc<dyn Transport>) -> bool {
    tokio::time::timeout(PATIENCE, refuses_as_documented(transport))
        .await
        .unwrap_or(false)
}

async fn refuses_as_documented(transport: &Arc<dyn Transport>) -> bool {
    let Ok(url) = Url::parse(TOKENS) else {
        return false;
    };
    let question = Request {
        method: Method::GET,
        url,
        // Without `Metadata: true`: error bad_request_102.
        headers: HeaderMap::new(),
        body: RequestBody::Empty,
        reach: Reach::Declared,
    };
    let Ok(mut response) = transport.send(question).await else {
        return false;
    };
    let mut body = Vec::new();
    while let Some(Ok(chunk)) = response.body.next().await {
        body.extend_from_slice(&chunk);
        if body.len() > ENOUGH {
            return false;
        }
    }
    let answer: Option<serde_json::Value> = serde_json::from_slice(&body).ok();
    response.status == StatusCode::BAD_REQUEST && answer.is_some_and(|answer| answer.get("error").is_some())
}
