//! Who gives Google's tokens: the metadata server, OAuth, the Security Token Service and IAM Credentials, in one.
//!
//! - <https://docs.cloud.google.com/compute/docs/access/authenticate-workloads#applications>
//! - <https://developers.google.com/identity/protocols/oauth2/web-server#offline>
//! - <https://docs.cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token>
//! - <https://docs.cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateAccessToken>

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::Asked;
use super::answer::{Answer, refusal, refusal_for, respond, send};
use crate::listening::{Body, Listening};

/// The service account of the machine.
pub const MACHINE: &str = "machine@my-project.iam.gserviceaccount.com";

/// The user's refresh token.
pub const REFRESH_TOKEN: &str = "1//refresh-CANARY";

/// The token that a workload shows to become a federated identity.
pub const SUBJECT_TOKEN: &str = "subject-CANARY";

/// The pool and provider of federated identities.
pub const AUDIENCE: &str =
    "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/ci/providers/github";

const MACHINE_PATH: &str = "/computeMetadata/v1/instance/service-accounts/default/";

/// The running services; they end when dropped.
pub struct Identities {
    listening: Listening,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared(Mutex<State>);

struct State {
    life: u64,
    pause: Duration,
    refusals: VecDeque<Answer>,
    actors: BTreeSet<String>,
    tokens: BTreeMap<String, String>,
    asked: Vec<Asked>,
    running: usize,
    most: usize,
}

impl Default for State {
    fn default() -> Self {
        Self {
            life: 3_600,
            pause: Duration::ZERO,
            refusals: VecDeque::new(),
            actors: BTreeSet::new(),
            tokens: BTreeMap::new(),
            asked: Vec::new(),
            running: 0,
            most: 0,
        }
    }
}

impl Identities {
    /// Listens on a free loopback port.
    ///
    /// # Panics
    /// Where no port can be had.
    pub async fn start() -> Self {
        let shared = Arc::new(Shared::default());
        let answerer = Arc::clone(&shared);
        let listening = Listening::start(move |request| serve(request, Arc::clone(&answerer))).await;
        Self { listening, shared }
    }

    /// Returns `127.0.0.1:PORT`, the host of the metadata server.
    #[must_use]
    pub fn host(&self) -> String {
        self.listening.host()
    }

    /// Returns the address of all of them.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.host())
    }

    /// Returns what `gcloud auth application-default login` writes.
    #[must_use]
    pub fn user_file(&self) -> Value {
        json!({
            "type": "authorized_user",
            "account": "ann@example.com",
            "client_id": "client.apps.googleusercontent.com",
            "client_secret": "client-secret-CANARY",
            "refresh_token": REFRESH_TOKEN,
            "quota_project_id": "quota-project",
            "token_uri": format!("{}/token", self.url()),
        })
    }

    /// Returns what `gcloud iam workload-identity-pools create-cred-config` writes, with the source of its subject's token.
    #[must_use]
    pub fn federated_file(&self, source: &Value) -> Value {
        json!({
            "type": "external_account",
            "audience": AUDIENCE,
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_url": format!("{}/sts", self.url()),
            "credential_source": source,
        })
    }

    /// Returns where `email` is acted as.
    #[must_use]
    pub fn impersonation_url(&self, email: &str) -> String {
        format!(
            "{}/v1/projects/-/serviceAccounts/{email}:generateAccessToken",
            self.url()
        )
    }

    /// Lets `actor` act as service accounts.
    pub fn may_impersonate(&self, actor: &str) {
        self.shared.state().actors.insert(actor.to_owned());
    }

    /// Gives tokens that last this many seconds from now on.
    pub fn tokens_last(&self, seconds: u64) {
        self.shared.state().life = seconds;
    }

    /// Takes this long over every token from now on.
    pub fn answer_after(&self, pause: Duration) {
        self.shared.state().pause = pause;
    }

    /// Refuses the next request for a token.
    pub fn refuse_next(&self, status: u16, body: Value) {
        let status = StatusCode::from_u16(status).expect("a status has three digits");
        self.shared.state().refusals.push_back((status, body));
    }

    /// Says whose a token is.
    #[must_use]
    pub fn owner(&self, token: &str) -> Option<String> {
        self.shared.state().tokens.get(token).cloned()
    }

    /// Returns all requests in the order of arrival.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        self.shared.state().asked.clone()
    }

    /// Returns how many tokens have been given.
    #[must_use]
    pub fn given(&self) -> usize {
        self.shared.state().tokens.len()
    }

    /// Returns how many requests for tokens there have been at one time at most.
    #[must_use]
    pub fn most_at_once(&self) -> usize {
        self.shared.state().most
    }
}

impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url())
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no holder of the state panics")
    }
}

impl State {
    fn give(&mut self, owner: &str) -> String {
        let token = format!("ya29.{}-CANARY", self.tokens.len() + 1);
        self.tokens.insert(token.clone(), owner.to_owned());
        token
    }

    fn answer(&mut self, asked: &Asked) -> Answer {
        match (&asked.method, asked.path.as_str()) {
            (&Method::POST, "/token") => self.user(asked),
            (&Method::POST, "/sts") => self.federated(asked),
            (&Method::POST, path) if path.ends_with(":generateAccessToken") => self.acting(asked),
            (&Method::GET, path) if path.starts_with(MACHINE_PATH) => self.machine(),
            _ => refusal(StatusCode::NOT_FOUND, "NOT_FOUND", "not found"),
        }
    }

    fn machine(&mut self) -> Answer {
        let token = self.give(MACHINE);
        let body = json!({ "access_token": token, "expires_in": self.life, "token_type": "Bearer" });
        (StatusCode::OK, body)
    }

    fn user(&mut self, asked: &Asked) -> Answer {
        // Google's libraries send a form, the one for Rust sends the same as a document.
        let document = asked.json();
        let is = |field: &str, value: &str| {
            document[field] == value || asked.field(field).as_deref() == Some(value)
        };
        if !is("grant_type", "refresh_token") || !is("refresh_token", REFRESH_TOKEN) {
            let error = json!({ "error": "invalid_grant", "error_description": "Token has been expired or revoked." });
            return (StatusCode::BAD_REQUEST, error);
        }
        let token = self.give("ann@example.com");
        let body =
            json!({ "access_token": token, "expires_in": self.life, "token_type": "Bearer", "scope": "" });
        (StatusCode::OK, body)
    }

    fn federated(&mut self, asked: &Asked) -> Answer {
        let is = |field: &str, value: &str| asked.field(field).as_deref() == Some(value);
        if !is("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange")
            || !is("audience", AUDIENCE)
            || !is("subject_token", SUBJECT_TOKEN)
        {
            let error =
                json!({ "error": "invalid_request", "error_description": "Invalid value for \"audience\"." });
            return (StatusCode::BAD_REQUEST, error);
        }
        let token = self.give("federated");
        let body = json!({
            "access_token": token, "expires_in": self.life, "token_type": "Bearer",
            "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
        });
        (StatusCode::OK, body)
    }

    fn acting(&mut self, asked: &Asked) -> Answer {
        let actor = asked.bearer().and_then(|token| {
            let known = self.tokens.get(token).cloned();
            // A key signs its own token; whose it is stands in it.
            known.or_else(|| super::key::claims(token)?["iss"].as_str().map(str::to_owned))
        });
        let Some(actor) = actor else {
            return refusal(
                StatusCode::UNAUTHORIZED,
                "UNAUTHENTICATED",
                "Request had invalid authentication credentials.",
            );
        };
        if !self.actors.contains(&actor) {
            return refusal_for(
                StatusCode::FORBIDDEN,
                "PERMISSION_DENIED",
                "Permission 'iam.serviceAccounts.getAccessToken' denied on resource (or it may not exist).",
                "IAM_PERMISSION_DENIED",
            );
        }
        let email = asked.path.rsplit('/').next().unwrap_or_default();
        let email = email.trim_end_matches(":generateAccessToken").replace("%40", "@");
        let token = self.give(&email);
        let end = SystemTime::now() + Duration::from_secs(self.life);
        (
            StatusCode::OK,
            json!({ "accessToken": token, "expireTime": rfc3339(end) }),
        )
    }
}

/// Writes a time in UTC.
fn rfc3339(time: SystemTime) -> String {
    let seconds = time
        .duration_since(UNIX_EPOCH)
        .expect("it is past 1970")
        .as_secs();
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Howard Hinnant's civil_from_days, for days after 1970.
    let z = days + 719_468;
    let (era, doe) = (z / 146_097, z % 146_097);
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let (day, month) = (
        doy - (153 * mp + 2) / 5 + 1,
        if mp < 10 { mp + 3 } else { mp - 9 },
    );
    let year = yoe + era * 400 + u64::from(month <= 2);
    let (h, m, s) = (second / 3_600, second % 3_600 / 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{h:02}:{m:02}:{s:02}Z")
}

async fn serve(request: Request<Incoming>, shared: Arc<Shared>) -> io::Result<Response<Body>> {
    let asked = Asked::read(request).await?;
    let path = asked.path.clone();
    shared.state().asked.push(asked.clone());
    if path.starts_with("/computeMetadata/") && asked.header("metadata-flavor") != Some("Google") {
        return send(
            StatusCode::FORBIDDEN,
            "text/html",
            "Missing Metadata-Flavor:Google header.".to_owned(),
        );
    }
    if path == format!("{MACHINE_PATH}email") {
        return send(StatusCode::OK, "application/text", MACHINE.to_owned());
    }
    if path == MACHINE_PATH && asked.parameter("recursive").is_some() {
        let account = json!({ "aliases": ["default"], "email": MACHINE, "scopes": [] });
        return respond((StatusCode::OK, account));
    }
    if path == "/subject" {
        return send(StatusCode::OK, "text/plain", SUBJECT_TOKEN.to_owned());
    }
    let pause = {
        let mut state = shared.state();
        state.running += 1;
        state.most = state.most.max(state.running);
        state.pause
    };
    tokio::time::sleep(pause).await;
    let mut state = shared.state();
    state.running -= 1;
    let answer = match state.refusals.pop_front() {
        Some(refused) => refused,
        None => state.answer(&asked),
    };
    drop(state);
    respond(answer)
}
