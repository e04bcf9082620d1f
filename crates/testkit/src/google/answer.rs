//! What the doubles answer.

use std::io;

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use serde_json::{Value, json};

use crate::listening::{Body, never};

pub(super) type Answer = (StatusCode, Value);

/// An error as [`google.rpc.Status`](https://docs.cloud.google.com/apis/design/errors#http_mapping) has it.
pub(super) fn refusal(status: StatusCode, code: &str, message: &str) -> Answer {
    let error = json!({ "code": status.as_u16(), "message": message, "status": code });
    (status, json!({ "error": error }))
}

/// The same with the reason of an [`ErrorInfo`](https://docs.cloud.google.com/apis/design/errors#error_info).
pub(super) fn refusal_for(status: StatusCode, code: &str, message: &str, reason: &str) -> Answer {
    let (status, mut body) = refusal(status, code, message);
    body["error"]["details"] = json!([{
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": reason,
        "domain": "googleapis.com",
    }]);
    (status, body)
}

pub(super) fn respond((status, body): Answer) -> io::Result<Response<Body>> {
    send(status, "application/json; charset=UTF-8", body.to_string())
}

pub(super) fn send(status: StatusCode, kind: &str, body: String) -> io::Result<Response<Body>> {
    Response::builder()
        .status(status)
        .header("content-type", kind)
        // Every answer of the metadata server has it, and nobody minds it elsewhere.
        .header("metadata-flavor", "Google")
        .body(Full::new(Bytes::from(body)).map_err(never).boxed())
        .map_err(io::Error::other)
}
