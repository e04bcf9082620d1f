//! Making a repository: one at a time in a project, and waiting until it stands.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::StatusCode;
use provider::Ensured;
use registry::{Error, ErrorKind, RestReply};
use serde::Deserialize;
use serde_json::Value;
use tokio::time::{Instant, sleep, sleep_until};

use crate::api::Api;
use crate::place::Unit;
use crate::rights::Call;

/// A project makes one repository in two seconds.
///
/// <https://docs.cloud.google.com/artifact-registry/quotas>
const INTERVAL: Duration = Duration::from_secs(2);

/// How often a creation is asked for where the answer was lost; a second one finds what the first has made.
const TRIES: u32 = 3;

/// How soon something is looked after, how much later each time, and for how long in all.
const FIRST_LOOK: Duration = Duration::from_millis(500);
const LAST_LOOK: Duration = Duration::from_secs(5);
const LIMIT: Duration = Duration::from_secs(180);

/// `google.rpc.Code.ALREADY_EXISTS`.
const ALREADY_EXISTS: i64 = 6;

/// When each project may make its next repository.
#[derive(Debug, Default)]
pub(crate) struct Creations(Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<Option<Instant>>>>>);

/// The looks at something that takes its time.
struct Looks {
    pause: Duration,
    end: Instant,
}

/// What goes on at Google's after an answer.
///
/// <https://docs.cloud.google.com/artifact-registry/docs/reference/rest/v1/projects.locations.operations#Operation>
#[derive(Debug, Deserialize)]
struct Operation {
    #[serde(default)]
    name: String,
    #[serde(default)]
    done: bool,
    error: Option<Status>,
}

#[derive(Debug, Deserialize)]
struct Status {
    #[serde(default)]
    code: i64,
    #[serde(default)]
    message: String,
}

impl Creations {
    /// Makes a repository and waits until it stands.
    ///
    /// # Errors
    /// A refusal, and an operation that fails or does not end.
    pub(crate) async fn create(&self, api: &Api, unit: &Unit, repository: &Value) -> Result<Ensured, Error> {
        let (reply, on_conflict) = self.ask(api, unit, repository).await?;
        match reply.status {
            StatusCode::OK => match wait(api, unit, reply.json("an operation")?).await? {
                Ensured::Created => return Ok(Ensured::Created),
                Ensured::Existed => {}
            },
            StatusCode::CONFLICT => {}
            _ => return Err(api.refused(Call::CreateRepository, unit, "create", &reply)),
        }
        appear(api, unit).await?;
        Ok(on_conflict)
    }

    /// Asks for a repository, and says whose it is where the answer is that it exists already: ours, if an earlier answer was lost.
    async fn ask(&self, api: &Api, unit: &Unit, repository: &Value) -> Result<(RestReply, Ensured), Error> {
        let lane = self.lane(&unit.project);
        let mut next = lane.lock().await;
        let mut on_conflict = Ensured::Existed;
        let mut tries = 0;
        loop {
            tries += 1;
            if let Some(at) = *next {
                sleep_until(at).await;
            }
            let answer = api.create(unit, repository).await;
            *next = Some(Instant::now() + INTERVAL);
            let lost = match &answer {
                Ok(reply) => reply.status.is_server_error(),
                Err(error) => error.kind() == ErrorKind::Network,
            };
            if !lost || tries >= TRIES {
                return answer.map(|reply| (reply, on_conflict));
            }
            on_conflict = Ensured::Created;
        }
    }

    fn lane(&self, project: &str) -> Arc<tokio::sync::Mutex<Option<Instant>>> {
        let mut lanes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(lanes.entry(project.to_owned()).or_default())
    }
}

impl Looks {
    fn new() -> Self {
        Self {
            pause: FIRST_LOOK,
            end: Instant::now() + LIMIT,
        }
    }

    /// Waits until it is time for the next look.
    ///
    /// # Errors
    /// The last one has been.
    async fn next(&mut self, unit: &Unit) -> Result<(), Error> {
        if Instant::now() >= self.end {
            let message = format!(
                "create repository {}: not done after {} s",
                unit.name(),
                LIMIT.as_secs()
            );
            return Err(Error::new(ErrorKind::Network, message).with_hint("run it again"));
        }
        sleep(self.pause).await;
        self.pause = self.pause.mul_f64(1.5).min(LAST_LOOK);
        Ok(())
    }
}

/// Waits until a repository stands that exists already, by an answer: who makes it, be it ourselves, may not have done.
async fn appear(api: &Api, unit: &Unit) -> Result<(), Error> {
    let mut looks = Looks::new();
    while api.repository(unit).await?.is_none() {
        looks.next(unit).await?;
    }
    Ok(())
}

async fn wait(api: &Api, unit: &Unit, mut operation: Operation) -> Result<Ensured, Error> {
    let mut looks = Looks::new();
    while !operation.done {
        looks.next(unit).await?;
        let reply = api.operation(&operation.name).await?;
        if reply.status != StatusCode::OK {
            return Err(api.refused(Call::GetRepository, unit, "wait for", &reply));
        }
        operation = reply.json("an operation")?;
    }
    match operation.error {
        None => Ok(Ensured::Created),
        Some(status) if status.code == ALREADY_EXISTS => Ok(Ensured::Existed),
        Some(status) => Err(failed(unit, &status)),
    }
}

/// <https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto>
fn failed(unit: &Unit, status: &Status) -> Error {
    let kind = match status.code {
        7 => ErrorKind::Permission,
        8 => ErrorKind::RateLimit,
        4 | 13 | 14 => ErrorKind::Network,
        16 => ErrorKind::Auth,
        _ => ErrorKind::Other,
    };
    let what: String = status
        .message
        .chars()
        .filter(|c| !c.is_control())
        .take(400)
        .collect();
    let error = Error::new(kind, format!("create repository {}: {what}", unit.name()));
    if what.contains("cloudkms") || what.contains("KMS") {
        return error.with_hint(format!(
            "let Artifact Registry use the key: gcloud kms keys add-iam-policy-binding KEY --location={} --keyring=RING \
             --member=serviceAccount:service-PROJECT_NUMBER@gcp-sa-artifactregistry.iam.gserviceaccount.com \
             --role=roles/cloudkms.cryptoKeyEncrypterDecrypter",
            unit.location
        ));
    }
    error
}
