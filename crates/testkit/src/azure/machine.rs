//! What a machine knows of its identity: the endpoint of App Service, and the tools that people log in with.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use serde_json::json;

use super::ticket::Asked;
use super::{Azure, Shared, answer, directory};
use crate::listening::{Body, Listening};

/// The identity endpoint of App Service and Azure Functions; it ends when dropped.
///
/// <https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference>
#[derive(Debug)]
pub struct Machine {
    listening: Listening,
}

/// The `IDENTITY_HEADER` that the endpoint asks for.
const HEADER: &str = "853b9a84-5bfa-4b22-a3f3-0b9a43d9ad8a";

impl Machine {
    /// Listens on a free loopback port. `client` is the identity of the machine; others have to be asked for.
    ///
    /// # Panics
    /// Where no port can be had.
    pub async fn start(azure: &Azure, client: &str) -> Self {
        let (shared, own) = (Arc::clone(&azure.shared), client.to_owned());
        let listening =
            Listening::start(move |request| token(request, Arc::clone(&shared), own.clone())).await;
        Self { listening }
    }

    /// Returns the variables that App Service sets.
    #[must_use]
    pub fn variables(&self) -> Vec<(String, String)> {
        let endpoint = format!("http://{}/msi/token", self.listening.host());
        vec![
            ("IDENTITY_ENDPOINT".to_owned(), endpoint),
            ("IDENTITY_HEADER".to_owned(), HEADER.to_owned()),
        ]
    }
}

async fn token(request: Request<Incoming>, shared: Arc<Shared>, own: String) -> io::Result<Response<Body>> {
    let asked = Asked::read(request).await?;
    let _running = shared.directory.note(&asked);
    let header = asked
        .headers
        .get("x-identity-header")
        .and_then(|value| value.to_str().ok());
    if header != Some(HEADER) {
        return answer::with(
            StatusCode::UNAUTHORIZED,
            &[],
            &json!({ "statusCode": 401, "message": "Unauthorized" }),
        );
    }
    let client = asked.parameter("client_id").unwrap_or(&own);
    let (Some("2019-08-01"), Some(resource)) = (asked.parameter("api-version"), asked.parameter("resource"))
    else {
        return answer::with(
            StatusCode::BAD_REQUEST,
            &[],
            &json!({ "statusCode": 400, "message": "Bad request" }),
        );
    };
    if shared.directory.principal(client).is_none() {
        let text = "No Managed Identity found for specified ClientId/ResourceId/PrincipalId.";
        return answer::with(
            StatusCode::BAD_REQUEST,
            &[],
            &json!({ "statusCode": 400, "message": text }),
        );
    }
    let token = shared.directory.entra_token(client, resource);
    answer::ok(&json!({
        "access_token": token,
        "expires_on": (directory::now() + 86_399).to_string(),
        "resource": resource,
        "token_type": "Bearer",
        "client_id": client,
    }))
}

/// Writes an `az` into a directory: it knows one command, as the real one documents it, and answers for `client`.
///
/// What it was called with is appended to `az.log` beside it. Without a client, nobody is logged in.
///
/// <https://learn.microsoft.com/cli/azure/account#az-account-get-access-token>
///
/// # Panics
/// Where the file can't be written.
pub fn az(azure: &Azure, client: Option<&str>, directory: &Path) {
    let answer = client.map_or_else(
        || "echo \"Please run 'az login' to setup account.\" >&2; exit 1".to_owned(),
        |client| {
            let cases: Vec<String> = [super::REGISTRY, super::MANAGEMENT]
                .into_iter()
                .map(|audience| format!("  {audience}/.default) token={} ;;", azure.token(client, audience)))
                .collect();
            let ends = directory::now() + 3_600;
            format!(
                "case \"$scope\" in\n{}\n  *) echo \"ERROR: AADSTS500011: The resource principal named $scope was not found\" >&2; exit 1 ;;\nesac\n\
                 printf '{{\"accessToken\":\"%s\",\"expiresOn\":\"2030-01-01 00:00:00.000000\",\"expires_on\":{ends},\"subscription\":\"{}\",\"tenant\":\"{}\",\"tokenType\":\"Bearer\"}}' \"$token\"",
                cases.join("\n"),
                super::SUBSCRIPTION,
                super::TENANT,
            )
        },
    );
    let log = directory.join("az.log");
    let script = format!(
        "#!/bin/sh\necho \"$*\" >> '{}'\n\
         [ \"$1 $2\" = 'account get-access-token' ] || {{ echo \"ERROR: '$1 $2' is not known\" >&2; exit 2; }}\nshift 2\n\
         while [ $# -gt 0 ]; do case \"$1\" in -o|--output) [ \"$2\" = json ] || exit 2 ;; --scope) scope=$2 ;; --tenant) ;; *) echo \"ERROR: unrecognized arguments: $1\" >&2; exit 2 ;; esac; shift 2; done\n\
         {answer}\n",
        log.display()
    );
    let file = directory.join("az");
    fs::write(&file, script).expect("the script can be written");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("the script can be made executable");
}
