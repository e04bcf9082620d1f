//! The storage that a registry's blobs are read from, by addresses that are signed.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use futures_util::StreamExt as _;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_RANGE, HeaderMap, HeaderValue, LOCATION, RANGE};
use http::{Method, Response, StatusCode};
use http_body_util::BodyExt as _;
use http_body_util::combinators::BoxBody;
use http_body_util::{Empty, StreamBody};
use hyper::body::Frame;
use oci::{Digest, RepositoryName};

use super::upstream::Upstream;
use super::visit::{Visit, with_text};
use crate::fault::Fault;
use crate::listening::{Body, Listening, never};
use crate::proxy::metered;

/// Whose storage it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// S3: `400 InvalidArgument` to two ways of signing in (renovatebot/renovate#3877).
    Amazon,
    /// Azure Blob: `400 InvalidAuthenticationInfo` to an `Authorization` that it does not know.
    /// <https://learn.microsoft.com/rest/api/storageservices/common-rest-api-error-codes>
    Azure,
}

/// A storage on a port of its own; it ends when dropped.
#[derive(Debug)]
pub(crate) struct Storage {
    listening: Listening,
    vault: Arc<Vault>,
}

#[derive(Debug)]
struct Vault {
    whose: Whose,
    upstream: Upstream,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What each signature opens, and what lets the storage read it behind.
    signed: BTreeMap<String, (RepositoryName, Digest, Option<HeaderValue>)>,
    statuses: Vec<u16>,
    /// How many downloads still break off, and after how many bytes.
    cuts: (usize, u64),
}

impl Storage {
    pub(crate) async fn open(upstream: &str, whose: Whose) -> Self {
        let vault = Arc::new(Vault {
            whose,
            upstream: Upstream::new(upstream),
            state: Mutex::default(),
        });
        let serving = Arc::clone(&vault);
        let listening = Listening::start(move |request| {
            let vault = Arc::clone(&serving);
            async move {
                let answer = vault.answer(Visit::new(request)).await?;
                vault.lock().statuses.push(answer.status().as_u16());
                Ok(answer)
            }
        })
        .await;
        Self { listening, vault }
    }

    /// Makes the redirect to a blob, by a signature of its own, for whom `headers` have let in.
    pub(crate) fn redirect(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        headers: &HeaderMap,
    ) -> Response<Body> {
        let mut state = self.vault.lock();
        let count = state.signed.len();
        let signature = Digest::sha256(format!("{count} {repository} {digest}").as_bytes()).hex();
        let query = match self.vault.whose {
            Whose::Amazon => format!(
                "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires=3600&X-Amz-SignedHeaders=host&X-Amz-Signature={signature}"
            ),
            Whose::Azure => format!("sv=2021-08-06&sr=b&sp=r&sig={signature}"),
        };
        let entrance = headers.get(AUTHORIZATION).cloned();
        state
            .signed
            .insert(signature, (repository.clone(), digest.clone(), entrance));
        let location = format!("http://{}/{}/data?{query}", self.listening.host(), digest.hex());
        Response::builder()
            .status(StatusCode::TEMPORARY_REDIRECT)
            .header(LOCATION, location)
            .body(Empty::new().map_err(never).boxed())
            .expect("a front's own answers are well-formed")
    }

    /// Breaks off the next `times` downloads after as many bytes.
    pub(crate) fn cut(&self, times: usize, after: u64) {
        self.vault.lock().cuts = (times, after);
    }

    /// Returns the statuses that were answered so far.
    pub(crate) fn statuses(&self) -> Vec<u16> {
        self.vault.lock().statuses.clone()
    }
}

impl Vault {
    async fn answer(&self, visit: Visit) -> io::Result<Response<Body>> {
        if visit.headers.contains_key(AUTHORIZATION) {
            return Ok(self.two_ways());
        }
        let signature = visit.parameter(match self.whose {
            Whose::Amazon => "X-Amz-Signature",
            Whose::Azure => "sig",
        });
        let opened = signature.and_then(|signature| self.lock().signed.get(&signature).cloned());
        match opened {
            // It is signed for GET alone.
            Some((repository, digest, entrance)) if visit.method == Method::GET => {
                let range = visit.headers.get(RANGE).cloned().map(|range| (RANGE, range));
                let entrance = entrance.map(|entrance| (AUTHORIZATION, entrance));
                let headers = range.into_iter().chain(entrance).collect();
                self.read(&repository, &digest, headers).await
            }
            _ => Ok(xml(403, "AccessDenied", "Access Denied")),
        }
    }

    fn two_ways(&self) -> Response<Body> {
        match self.whose {
            Whose::Amazon => xml(
                400,
                "InvalidArgument",
                "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string \
                 parameter or the Authorization header should be specified",
            ),
            Whose::Azure => xml(
                400,
                "InvalidAuthenticationInfo",
                "Authentication information is not given in the correct format. Check the value of Authorization header.",
            ),
        }
    }

    /// Reads a blob from the byte that is asked for, whether the registry behind can do that or not.
    async fn read(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        headers: HeaderMap,
    ) -> io::Result<Response<Body>> {
        let start = headers.get(RANGE).and_then(start);
        let answer = self.upstream.blob(repository, digest, headers).await?;
        let mut response = Response::builder().status(answer.status());
        let length = answer.content_length();
        for name in [CONTENT_LENGTH, CONTENT_RANGE] {
            if let Some(value) = answer.headers().get(&name) {
                response = response.header(name, value);
            }
        }
        let mut skip = 0;
        if let (StatusCode::OK, Some(start), Some(length)) = (answer.status(), start, length)
            && start < length
        {
            skip = start;
            response = Response::builder()
                .status(StatusCode::PARTIAL_CONTENT)
                .header(CONTENT_LENGTH, length - start)
                .header(CONTENT_RANGE, format!("bytes {start}-{}/{length}", length - 1));
        }
        let chunks = answer.bytes_stream().map(move |chunk| {
            let mut chunk = chunk.map_err(io::Error::other)?;
            let skipped = chunk.len().min(usize::try_from(skip).unwrap_or(usize::MAX));
            skip -= skipped as u64;
            Ok(chunk.split_off(skipped))
        });
        let chunks = metered(chunks, Arc::default(), self.fault());
        let body = BoxBody::new(StreamBody::new(chunks.map(|chunk| chunk.map(Frame::data))));
        response.body(body).map_err(io::Error::other)
    }

    fn fault(&self) -> Fault {
        let mut state = self.lock();
        let (times, after) = state.cuts;
        state.cuts.0 = times.saturating_sub(1);
        match times {
            0 => Fault::None,
            _ => Fault::Cut { after },
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of the state panics")
    }
}

/// Reads `bytes=5-`.
fn start(range: &HeaderValue) -> Option<u64> {
    range
        .to_str()
        .ok()?
        .strip_prefix("bytes=")?
        .strip_suffix('-')?
        .parse()
        .ok()
}

fn xml(status: u16, code: &str, message: &str) -> Response<Body> {
    let text = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
    with_text(status, "application/xml", text)
}
