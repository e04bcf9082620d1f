//! Answers in JSON.

use std::io;

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use serde_json::{Value, json};

use crate::listening::{Body, never};

pub(super) fn ok(body: &Value) -> io::Result<Response<Body>> {
    with(StatusCode::OK, &[], body)
}

pub(super) fn with(status: StatusCode, headers: &[(&str, &str)], body: &Value) -> io::Result<Response<Body>> {
    let bytes = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let mut response = Response::builder()
        .status(status)
        .header("content-type", "application/json; charset=utf-8");
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    let body = Full::new(Bytes::from(bytes));
    response
        .body(body.map_err(never).boxed())
        .map_err(io::Error::other)
}

/// An error as registries tell it.
pub(super) fn registry_error(
    status: StatusCode,
    headers: &[(&str, &str)],
    code: &str,
    message: &str,
    detail: &Value,
) -> io::Result<Response<Body>> {
    let error = json!({ "code": code, "message": message, "detail": detail });
    with(status, headers, &json!({ "errors": [error] }))
}

/// An error as Resource Manager tells it.
pub(super) fn management_error(status: StatusCode, code: &str, message: &str) -> io::Result<Response<Body>> {
    with(
        status,
        &[],
        &json!({ "error": { "code": code, "message": message } }),
    )
}
