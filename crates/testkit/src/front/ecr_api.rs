//! Amazon ECR's API, in front of ministack's.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderMap};
use http::{Response, StatusCode};
use serde_json::{Value, json};

use super::ecr::{Verdict, Verifier};
use super::upstream::Upstream;
use super::visit::{Visit, with_text};
use crate::listening::{Body, Listening};

/// Where the name of an operation stands.
/// <https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html>
const TARGET: &str = "x-amz-target";
const SERVICE: &str = "AmazonEC2ContainerRegistry_V20150921";
/// No request is longer.
const MAX_BODY: usize = 1 << 20;
/// How many images a page has where nothing is said, and at most.
/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImages.html>
const PAGE: (u64, u64) = (100, 1_000);
/// How many blobs can be asked for at once.
/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchCheckLayerAvailability.html>
const BLOBS: usize = 100;
const PASSWORD: &str = "password-";
/// How long a password is good.
/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_AuthorizationData.html>
const LIFE: Duration = Duration::from_secs(12 * 60 * 60);

/// Says whether an operation with this input is denied.
pub type Denial = Arc<dyn Fn(&str, &Value) -> bool + Send + Sync>;

/// By which rules an [`EcrApi`] goes beside those that it always has.
#[derive(Clone, Default)]
pub struct EcrApiRules {
    /// How long a password is good, instead of for twelve hours.
    pub password_life: Option<Duration>,
    /// What the policies of the caller do not allow.
    pub denied: Option<Denial>,
}

impl fmt::Debug for EcrApiRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EcrApiRules").finish_non_exhaustive()
    }
}

/// A front of ministack's ECR that does what ministack leaves out; it ends when dropped.
///
/// It gives passwords that can be judged, lists images in pages and with what they are attached to, tells which blobs
/// stand in a repository, denies, and remembers what it was asked. All else is passed on.
#[derive(Debug)]
pub struct EcrApi {
    listening: Listening,
    api: Arc<Api>,
}

#[derive(Debug)]
struct Api {
    rules: EcrApiRules,
    upstream: Upstream,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    asked: BTreeMap<String, usize>,
    callers: BTreeSet<String>,
    /// When each password ends.
    ends: Vec<Instant>,
}

impl EcrApi {
    /// Starts a front of ministack at `upstream`, a `host:port`, on a free loopback port.
    ///
    /// # Panics
    /// Where no port can be had.
    pub async fn start(upstream: &str, rules: EcrApiRules) -> Self {
        let api = Arc::new(Api {
            rules,
            upstream: Upstream::new(upstream),
            state: Mutex::default(),
        });
        let answering = Arc::clone(&api);
        let listening = Listening::start(move |request| {
            let api = Arc::clone(&answering);
            async move { api.answer(Visit::new(request)).await }
        })
        .await;
        Self { listening, api }
    }

    /// Returns `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.listening.host())
    }

    /// Returns what judges the passwords that are given here.
    #[must_use]
    pub fn verifier(&self) -> Verifier {
        let api = Arc::clone(&self.api);
        Arc::new(move |password| api.judge(password))
    }

    /// Returns how often each operation was asked for.
    #[must_use]
    pub fn asked(&self) -> BTreeMap<String, usize> {
        self.api.lock().asked.clone()
    }

    /// Returns how often an operation was asked for.
    #[must_use]
    pub fn requests(&self, operation: &str) -> usize {
        self.api.lock().asked.get(operation).copied().unwrap_or_default()
    }

    /// Returns the access keys that requests were signed with.
    #[must_use]
    pub fn callers(&self) -> BTreeSet<String> {
        self.api.lock().callers.clone()
    }
}

impl Api {
    async fn answer(&self, mut visit: Visit) -> io::Result<Response<Body>> {
        let target = visit.headers.get(TARGET).and_then(|target| target.to_str().ok());
        let operation = target.and_then(|target| target.rsplit_once('.'));
        let operation = operation.map_or_else(String::new, |(_, operation)| operation.to_owned());
        let Some(body) = visit.read(MAX_BODY).await? else {
            return Ok(invalid("the request is too long"));
        };
        self.note(&operation, &visit);
        let input: Value = serde_json::from_slice(&body).unwrap_or_default();
        if self
            .rules
            .denied
            .as_ref()
            .is_some_and(|denied| denied(&operation, &input))
        {
            return Ok(deny(&operation, &input));
        }
        match operation.as_str() {
            "GetAuthorizationToken" => Ok(self.give_password()),
            "DescribeImages" => self.list(&visit.headers, &input).await,
            "BatchCheckLayerAvailability" => self.look(&visit.headers, &input).await,
            _ => self.upstream.pass_with(visit, body).await,
        }
    }

    fn note(&self, operation: &str, visit: &Visit) {
        let mut state = self.lock();
        *state.asked.entry(operation.to_owned()).or_default() += 1;
        let signed = visit
            .header(AUTHORIZATION)
            .and_then(|signed| signed.split_once("Credential="));
        if let Some((caller, _)) = signed.and_then(|(_, credential)| credential.split_once('/')) {
            state.callers.insert(caller.to_owned());
        }
    }

    /// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetAuthorizationToken.html>
    fn give_password(&self) -> Response<Body> {
        let life = self.rules.password_life.unwrap_or(LIFE);
        let ends = SystemTime::now() + life;
        let ends = ends.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let mut state = self.lock();
        let token = STANDARD.encode(format!("AWS:{PASSWORD}{}", state.ends.len()));
        state.ends.push(Instant::now() + life);
        done(&json!({ "authorizationData": [{ "authorizationToken": token, "expiresAt": ends }] }))
    }

    fn judge(&self, password: &str) -> Verdict {
        let number = password
            .strip_prefix(PASSWORD)
            .and_then(|number| number.parse::<usize>().ok());
        match number.and_then(|number| self.lock().ends.get(number).copied()) {
            None => Verdict::Unknown,
            Some(ends) if ends <= Instant::now() => Verdict::Expired,
            Some(_) => Verdict::Good,
        }
    }

    /// Lists a page of images, and what each is attached to.
    async fn list(&self, headers: &HeaderMap, input: &Value) -> io::Result<Response<Body>> {
        let (usual, most) = PAGE;
        let size = input["maxResults"].as_u64().unwrap_or(usual);
        if size > most {
            return Ok(invalid(
                "Invalid parameter at 'maxResults' failed to satisfy constraint",
            ));
        }
        let (status, output) = self.ask(headers, "DescribeImages", input).await?;
        if status != StatusCode::OK {
            return Ok(json_of(status, &output));
        }
        let images = output["imageDetails"].as_array().cloned().unwrap_or_default();
        let from: usize = input["nextToken"]
            .as_str()
            .and_then(|token| token.parse().ok())
            .unwrap_or(0);
        let to = images
            .len()
            .min(from + usize::try_from(size).map_err(io::Error::other)?);
        let mut page = images.get(from..to).unwrap_or_default().to_vec();
        let subjects = self.subjects(headers, input, &page).await?;
        for image in &mut page {
            if let Some(subject) = image["imageDigest"]
                .as_str()
                .and_then(|digest| subjects.get(digest))
            {
                image["subjectManifestDigest"] = json!(subject);
            }
        }
        let mut output = json!({ "imageDetails": page });
        if to < images.len() {
            output["nextToken"] = json!(to.to_string());
        }
        Ok(done(&output))
    }

    /// Reads the manifests of a page, and returns what each is attached to.
    async fn subjects(
        &self,
        headers: &HeaderMap,
        input: &Value,
        page: &[Value],
    ) -> io::Result<BTreeMap<String, String>> {
        let ids: Vec<Value> = page
            .iter()
            .map(|image| json!({ "imageDigest": image["imageDigest"] }))
            .collect();
        let wanted = json!({ "repositoryName": input["repositoryName"], "imageIds": ids });
        let (_, output) = self.ask(headers, "BatchGetImage", &wanted).await?;
        let images = output["images"].as_array().cloned().unwrap_or_default();
        let subject = |image: &Value| {
            let manifest: Value = serde_json::from_str(image["imageManifest"].as_str()?).ok()?;
            let subject = manifest["subject"]["digest"].as_str()?;
            Some((
                image["imageId"]["imageDigest"].as_str()?.to_owned(),
                subject.to_owned(),
            ))
        };
        Ok(images.iter().filter_map(subject).collect())
    }

    /// Tells which blobs stand in a repository.
    async fn look(&self, headers: &HeaderMap, input: &Value) -> io::Result<Response<Body>> {
        let digests = input["layerDigests"].as_array().cloned().unwrap_or_default();
        if digests.len() > BLOBS {
            return Ok(invalid(
                "Invalid parameter at 'layerDigests' failed to satisfy constraint",
            ));
        }
        let (status, mut output) = self.ask(headers, "BatchCheckLayerAvailability", input).await?;
        let repository = input["repositoryName"].as_str().unwrap_or_default();
        for layer in output["layers"].as_array_mut().into_iter().flatten() {
            let digest = layer["layerDigest"].as_str().unwrap_or_default();
            let path = format!("/v2/{repository}/blobs/{digest}");
            if self.upstream.has(&path, &HeaderMap::new()).await? {
                layer["layerAvailability"] = json!("AVAILABLE");
            }
        }
        Ok(json_of(status, &output))
    }

    /// Asks ministack, as whoever asks here.
    async fn ask(
        &self,
        headers: &HeaderMap,
        operation: &str,
        input: &Value,
    ) -> io::Result<(StatusCode, Value)> {
        let mut headers = headers.clone();
        let target = format!("{SERVICE}.{operation}")
            .parse()
            .map_err(io::Error::other)?;
        headers.insert(TARGET, target);
        let answer = self.upstream.post("/", headers, input.to_string().into()).await?;
        let status = answer.status();
        let bytes: Bytes = answer.bytes().await.map_err(io::Error::other)?;
        Ok((status, serde_json::from_slice(&bytes).map_err(io::Error::other)?))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of the state panics")
    }
}

fn done(output: &Value) -> Response<Body> {
    json_of(StatusCode::OK, output)
}

fn json_of(status: StatusCode, output: &Value) -> Response<Body> {
    with_text(status.as_u16(), "application/x-amz-json-1.1", output.to_string())
}

fn invalid(message: &str) -> Response<Body> {
    json_of(
        StatusCode::BAD_REQUEST,
        &json!({ "__type": "InvalidParameterException", "message": message }),
    )
}

/// Denies in AWS's words.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html>
fn deny(operation: &str, input: &Value) -> Response<Body> {
    let repository = input["repositoryName"].as_str().unwrap_or("*");
    let message = format!(
        "User: arn:aws:sts::000000000000:assumed-role/ci/transship is not authorized to perform: ecr:{operation} on \
         resource: arn:aws:ecr:eu-west-1:000000000000:repository/{repository} because no identity-based policy allows \
         the ecr:{operation} action"
    );
    json_of(
        StatusCode::BAD_REQUEST,
        &json!({ "__type": "AccessDeniedException", "message": message }),
    )
}
