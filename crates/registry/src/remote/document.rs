//! Small documents, read whole.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::de::{DeserializeOwned, Error as _};
use serde_json::Value;
use url::Url;

use crate::call::{Call, Reply, Scope, Target};
use crate::{Client, Error, ErrorKind, Operation};

/// How often a small body that breaks off is asked for again.
const BODY_TRIES: u32 = 3;

/// A reply whose body was read whole.
pub(super) struct Document {
    pub(super) headers: HeaderMap,
    pub(super) url: Url,
    pub(super) bytes: Bytes,
}

/// What a document was asked for with: all that a second try needs.
#[derive(Clone)]
pub(super) struct Query {
    pub(super) target: Target,
    pub(super) accept: HeaderValue,
    pub(super) scope: Scope,
    pub(super) operation: Option<Operation>,
}

/// How a document was answered.
pub(super) enum Answer {
    Document(Document),
    /// Another status than 200.
    Refused(Reply),
}

impl Document {
    /// Gets a document of at most `limit` bytes. Where its body breaks off, it is asked for again.
    pub(super) async fn get(
        client: &Client,
        action: &str,
        query: Query,
        limit: usize,
    ) -> Result<Answer, Error> {
        let mut tries = 1;
        loop {
            let Query {
                target,
                accept,
                scope,
                operation,
            } = query.clone();
            let mut call = Call {
                operation,
                ..Call::get(target, scope)
            };
            call.headers.insert(header::ACCEPT, accept);
            let reply = client.send(call).await.map_err(|error| error.during(action))?;
            if reply.status != StatusCode::OK {
                return Ok(Answer::Refused(reply));
            }
            let (headers, url) = (reply.headers.clone(), reply.url.clone());
            match reply.bytes(limit).await {
                Ok(bytes) => return Ok(Answer::Document(Self { headers, url, bytes })),
                Err(error) if error.kind() == ErrorKind::Network && tries < BODY_TRIES => tries += 1,
                Err(error) => return Err(error.during(action)),
            }
        }
    }

    /// Reads the document as a JSON object.
    pub(super) fn json<T: DeserializeOwned>(&self, what: &str) -> Result<T, Error> {
        let value = oci::read_json(&self.bytes).and_then(|value| match value {
            Value::Object(_) => Ok(serde_json::from_value(value)?),
            _ => Err(serde_json::Error::custom("not an object").into()),
        });
        value.map_err(|error| {
            Error::new(ErrorKind::Integrity, format!("{what} is malformed")).caused_by(error)
        })
    }
}
