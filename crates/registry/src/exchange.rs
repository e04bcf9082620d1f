//! From a call to its final reply.

use std::fmt;
use std::mem;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, stream};
use http::header::{ACCEPT_ENCODING, AUTHORIZATION, HeaderMap, HeaderValue, USER_AGENT};
use http::{Method, StatusCode};
use tokio::sync::OnceCell;
use tokio::time::Instant;
use url::Url;

use crate::auth::{Auth, Pass};
use crate::call::{Call, CallBody, Effort, Redirects, Repeat, Reply, Scope, Target};
use crate::challenge::{Challenge, challenges};
use crate::client::Chance;
use crate::gate::{Gate, Lane};
use crate::home::Home;
use crate::redirect::{Hop, is_redirect};
use crate::refusal::Refusal;
use crate::retry::{self, Budget, Decision, Outcome, decide};
use crate::traffic::Counters;
use crate::{
    ByteStream, Error, ErrorKind, Operation, Request, RequestBody, Response, SafeUrl, Transport,
    TransportError,
};

/// How much of a refusal is looked into, in bytes.
const MAX_REFUSAL: usize = 64 << 10;

/// How much of a chunk goes out at once, in bytes.
const PIECE: usize = 64 << 10;

/// Sends calls to one registry.
pub(crate) struct Exchange {
    pub(crate) home: Home,
    pub(crate) auth: Auth,
    pub(crate) gate: Gate,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) user_agent: HeaderValue,
    pub(crate) budget: Budget,
    pub(crate) tries: u32,
    pub(crate) chance: Chance,
    pub(crate) counters: Arc<Counters>,
    /// Whether the registry was asked how to sign in before anything else told.
    pub(crate) introduced: OnceCell<()>,
}

/// A call whose address stands.
struct Errand {
    method: Method,
    url: Url,
    headers: HeaderMap,
    scope: Scope,
    operation: Option<Operation>,
    repeat: Repeat,
    redirects: Redirects,
}

/// How many tokens may end on their way, one after the other, before the registry is taken at its word.
const MAX_LATE: u32 = 3;

/// A response and where it came from.
struct Landed {
    response: Response,
    hop: Hop,
}

/// Why there is no response.
enum Failure {
    /// The network's fault: perhaps not the next time.
    Transport(TransportError),
    /// Final.
    Rules(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Rules(error)
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange")
            .field("home", &self.home)
            .finish_non_exhaustive()
    }
}

impl Exchange {
    /// Sends a call, with all that belongs to it.
    pub(crate) async fn send(&self, call: Call) -> Result<Reply, Error> {
        let (errand, mut body) = self.errand(call)?;
        // A body that flows only once must not be spent on learning how to sign in.
        if matches!(body, CallBody::Stream { .. }) && self.auth.is_unknown() {
            self.introduced.get_or_try_init(|| self.introduce()).await?;
        }
        self.sent(&errand, &mut body).await
    }

    /// Asks for the front page, for its challenge alone. The request that opened a session has told already, so only who
    /// got a session from elsewhere needs it.
    async fn introduce(&self) -> Result<(), Error> {
        let (errand, mut body) = self.errand(Call::ping())?;
        self.sent(&errand, &mut body).await?.drain().await;
        Ok(())
    }

    fn errand(&self, call: Call) -> Result<(Errand, CallBody), Error> {
        let url = match call.target {
            Target::Path(path) => self.home.resolve(self.home.url(), &path)?,
            Target::Url(url) => self.home.resolve(&url, "")?,
        };
        let errand = Errand {
            method: call.method,
            url,
            headers: call.headers,
            scope: call.scope,
            operation: call.operation,
            repeat: call.repeat,
            redirects: call.redirects,
        };
        Ok((errand, call.body))
    }

    /// Tries until there is a reply to keep.
    async fn sent(&self, errand: &Errand, body: &mut CallBody) -> Result<Reply, Error> {
        let start = Instant::now();
        let repeat = match body {
            CallBody::Stream { .. } => None,
            CallBody::Empty | CallBody::Bytes(_) | CallBody::Chunk(_) | CallBody::Closing { .. } => {
                Some(errand.repeat)
            }
        };
        let mut tries = 0;
        loop {
            tries += 1;
            let landed = match self.admitted(errand, body).await {
                Err(Failure::Rules(error)) => return Err(error),
                Err(Failure::Transport(error)) => Err(error),
                Ok(landed) => Ok(landed),
            };
            let outcome = self.outcome(&landed);
            let decision = repeat.map_or(Decision::Stop, |repeat| {
                decide(outcome, repeat, tries, self.tries, self.chance.jitter)
            });
            let effort = Effort {
                tries,
                elapsed: start.elapsed(),
            };
            match decision {
                Decision::Again(after) if self.pays(outcome) => {
                    self.counters.retry();
                    if let Ok(landed) = landed {
                        self.reply(landed, effort).drain().await;
                    }
                    tokio::time::sleep(after).await;
                }
                Decision::Again(_) | Decision::Stop => {
                    let what = || format!("{} {}", errand.method, SafeUrl::new(&errand.url));
                    return landed
                        .map(|landed| self.reply(landed, effort))
                        .map_err(|error| error.into_error(&what(), effort));
                }
            }
        }
    }

    /// Tells what a try means, and lets everyone know where the registry wants less.
    fn outcome(&self, landed: &Result<Landed, TransportError>) -> Outcome {
        let landed = match landed {
            Ok(landed) => landed,
            Err(error) => return Outcome::Failed(error.kind()),
        };
        let status = landed.response.status;
        let wait = retry::retry_after(&landed.response.headers, self.chance.now);
        if let Some(wait) = wait
            && retry::is_busy(status)
            && landed.hop.at_home
        {
            self.gate.close(wait);
        }
        if !retry::is_transient(status) {
            self.budget.earn();
        }
        Outcome::Status(status, wait)
    }

    /// Pays for a retry. Being throttled is no outage, and costs nothing.
    fn pays(&self, outcome: Outcome) -> bool {
        matches!(outcome, Outcome::Status(StatusCode::TOO_MANY_REQUESTS, _)) || self.budget.spend()
    }

    /// Signs in as the registry asks, and once more where what we had is out of date.
    async fn admitted(&self, errand: &Errand, body: &mut CallBody) -> Result<Landed, Failure> {
        let mut pass = self.auth.pass(&errand.scope, None).await?;
        let (mut renewed, mut late) = (false, 0);
        loop {
            let (mut landed, asked) = self.shown(errand, body, &mut pass).await?;
            let streamed = matches!(body, CallBody::Stream { .. });
            let Some(asked) = asked else {
                if renewed || streamed || !may_mean_the_credential(&landed) {
                    return Ok(landed);
                }
                let Some(next) = self.successor(pass.as_ref(), &mut landed).await? else {
                    return Ok(landed);
                };
                self.reply(landed, Effort::default()).drain().await;
                (pass, renewed) = (Some(next), true);
                continue;
            };
            let known = self.auth.learn(&asked)?;
            // A token that ended before its answer came says nothing of a newer one.
            let ended = pass.as_ref().is_some_and(Pass::is_late_token) && late < MAX_LATE;
            late += u32::from(ended);
            let last = !ended && (renewed || pass.as_ref().is_some_and(|pass| !Auth::may_renew(pass)));
            if streamed {
                self.forget(errand, pass.as_ref()).await;
                return Ok(landed);
            }
            if last || (!known && pass.is_none()) {
                return self.refused(landed, &asked, known, pass.as_ref());
            }
            let had_none = pass.is_none();
            let next = self.auth.pass(&errand.scope, pass.as_ref()).await?;
            if next.is_none() {
                return self.refused(landed, &asked, known, None);
            }
            self.reply(landed, Effort::default()).drain().await;
            pass = next;
            renewed = !had_none;
        }
    }

    /// Sends a request with a pass, and tells what the registry asks for where it turned that down. A request that waited
    /// for its turn takes the pass of that moment: the one it came with may have ended, or there was none yet.
    async fn shown(
        &self,
        errand: &Errand,
        body: &mut CallBody,
        pass: &mut Option<Pass>,
    ) -> Result<(Landed, Option<Vec<Challenge>>), Failure> {
        let lane = match body {
            CallBody::Stream { .. } | CallBody::Chunk(_) | CallBody::Closing { .. } => Lane::Upload,
            CallBody::Empty | CallBody::Bytes(_) => Lane::Request,
        };
        let shown = pass.clone();
        let _turn = self.auth.turn(shown.as_ref()).await?;
        let _permit = self.gate.enter(lane, errand.operation).await?;
        let latest = self.auth.latest(&errand.scope, pass.as_ref()).await?;
        // Whoever shows a password that nobody has taken yet does so alone. With a place at the gate nobody waits for that:
        // what there was is shown then, and if it is refused, that leads back to here.
        let turn = latest.as_ref().map(Auth::turn_at_once);
        if let Some(Ok(_)) = turn {
            pass.clone_from(&latest);
        }
        let pass = pass.as_ref();
        let landed = self.walk(errand, body, pass).await?;
        let status = landed.response.status;
        let asked = challenges(&landed.response.headers);
        let refused = landed.hop.at_home && is_refusal(status, &asked);
        match pass {
            // A registry in trouble has not looked at it.
            Some(pass) if !status.is_server_error() => self.auth.note(pass, refused),
            None if status.is_success() && is_write(&errand.method) => self.auth.learn_open(),
            _ => {}
        }
        Ok((landed, refused.then_some(asked)))
    }

    async fn successor(&self, pass: Option<&Pass>, landed: &mut Landed) -> Result<Option<Pass>, Error> {
        let Some(pass) = pass.filter(|pass| Auth::may_end_unnoticed(pass)) else {
            return Ok(None);
        };
        let said = landed.says_it_ended().await;
        self.auth.successor(pass, said).await
    }

    /// A 401 that names no challenge may mean anything (Harbor answers so for what it does not have): it is the reply.
    fn refused(
        &self,
        landed: Landed,
        asked: &[Challenge],
        known: bool,
        pass: Option<&Pass>,
    ) -> Result<Landed, Failure> {
        if !known {
            return Ok(landed);
        }
        let insufficient = asked
            .iter()
            .any(|challenge| challenge.parameter("error") == Some("insufficient_scope"));
        Err(Failure::Rules(self.auth.refusal(pass, insufficient)))
    }

    /// Replaces a refused token for those that come after. What fails here fails for them.
    async fn forget(&self, errand: &Errand, pass: Option<&Pass>) {
        if let Some(pass) = pass.filter(|pass| Auth::may_renew(pass)) {
            let _told_to_the_next = self.auth.pass(&errand.scope, Some(pass)).await;
        }
    }

    /// Sends one request and follows its redirects.
    async fn walk(
        &self,
        errand: &Errand,
        body: &mut CallBody,
        pass: Option<&Pass>,
    ) -> Result<Landed, Failure> {
        let mut hop = Hop::first(errand.url.clone());
        loop {
            if self.home.owns(&hop.url) {
                self.counters.request(&errand.method);
            }
            let request = self.request(errand, &hop, pass, self.take(body));
            let response = self.transport.send(request).await.map_err(Failure::Transport)?;
            if !is_redirect(response.status) || errand.redirects == Redirects::Show {
                return Ok(Landed { response, hop });
            }
            if errand.redirects == Redirects::Refuse {
                let message = format!("{} redirects a {}", SafeUrl::new(&hop.url), errand.method);
                return Err(Error::new(ErrorKind::Policy, message).into());
            }
            let next = hop.follow(&self.home, &response.headers)?;
            self.reply(Landed { response, hop }, Effort::default())
                .drain()
                .await;
            hop = next;
        }
    }

    fn request(&self, errand: &Errand, hop: &Hop, pass: Option<&Pass>, body: RequestBody) -> Request {
        let mut headers = hop.headers(&errand.headers);
        headers.insert(USER_AGENT, self.user_agent.clone());
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if let Some(pass) = pass.filter(|_| hop.at_home) {
            headers.insert(AUTHORIZATION, pass.header.clone());
        }
        Request {
            method: errand.method.clone(),
            url: hop.url.clone(),
            headers,
            body: if hop.at_home { body } else { RequestBody::Empty },
            reach: hop.reach,
        }
    }

    /// Takes what is to be sent: bytes as often as needed, a stream once.
    fn take(&self, body: &mut CallBody) -> RequestBody {
        match body {
            CallBody::Empty => RequestBody::Empty,
            CallBody::Closing { stored } => RequestBody::Closing { stored: *stored },
            CallBody::Bytes(bytes) => RequestBody::Bytes(bytes.clone()),
            CallBody::Chunk(bytes) => RequestBody::Stream {
                length: bytes.len() as u64,
                body: self.gate.throttle(pieces(bytes.clone())),
            },
            CallBody::Stream { length, body } => RequestBody::Stream {
                length: *length,
                body: self.gate.throttle(mem::replace(body, stream::empty().boxed())),
            },
        }
    }

    fn reply(&self, landed: Landed, effort: Effort) -> Reply {
        let Landed { response, hop } = landed;
        let what = format!("read {}", SafeUrl::new(&hop.url));
        let body = response
            .body
            .map(move |chunk| chunk.map_err(|error| error.into_error(&what, effort)))
            .boxed();
        Reply {
            status: response.status,
            headers: response.headers,
            url: hop.url,
            body: self.gate.throttle(body),
            effort,
        }
    }
}

impl Landed {
    /// Looks into a refusal for words that say that the credential has ended. The body can be read again.
    async fn says_it_ended(&mut self) -> bool {
        // Asked again after its end, a body may panic.
        let mut rest = mem::replace(&mut self.response.body, stream::empty().boxed()).fuse();
        let mut read = BytesMut::new();
        let mut chunks = Vec::new();
        while read.len() < MAX_REFUSAL
            && let Some(chunk) = rest.next().await
        {
            read.extend_from_slice(chunk.as_deref().unwrap_or_default());
            chunks.push(chunk);
        }
        self.response.body = stream::iter(chunks).chain(rest).boxed();
        Refusal::parse(self.response.status, &read).kind() == ErrorKind::Auth
    }
}

/// Cuts the bytes of a chunk into pieces, whose way is watched and slowed as that of any stream.
fn pieces(mut bytes: Bytes) -> ByteStream {
    let pieces = std::iter::from_fn(move || {
        let length = bytes.len().min(PIECE);
        (length > 0).then(|| Ok(bytes.split_to(length)))
    });
    stream::iter(pieces).boxed()
}

fn is_write(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD)
}

/// A refusal with which registries also answer to a password that has ended (ECR).
fn may_mean_the_credential(landed: &Landed) -> bool {
    let status = landed.response.status;
    landed.hop.at_home && matches!(status, StatusCode::BAD_REQUEST | StatusCode::FORBIDDEN)
}

/// A 401, or another refusal that says it is about the token.
fn is_refusal(status: StatusCode, asked: &[Challenge]) -> bool {
    let names_token = || {
        asked
            .iter()
            .any(|challenge| challenge.parameter("error") == Some("invalid_token"))
    };
    match status {
        StatusCode::UNAUTHORIZED => true,
        StatusCode::BAD_REQUEST | StatusCode::FORBIDDEN => names_token(),
        _ => false,
    }
}
