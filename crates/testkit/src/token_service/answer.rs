//! What a token service answers.

use std::io;

use bytes::Bytes;
use http::{Method, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use serde_json::{Value, json};

use super::{Grant, TokenKey, TokenRequest};
use crate::listening::{Body, never};

pub(super) fn token(key: &TokenKey, request: &TokenRequest, grant: &Grant) -> io::Result<Response<Body>> {
    let scopes = grant.scopes.as_ref().unwrap_or(&request.scopes);
    let token = key.token(request.subject(), &request.service, scopes, grant.valid_for);
    let mut body = json!({ "access_token": token, "expires_in": grant.expires_in });
    if request.method == Method::POST {
        body["scope"] = scopes.join(" ").into();
    } else {
        body["token"] = token.into();
    }
    if let Some(refresh) = &grant.refresh_token {
        body["refresh_token"] = refresh.as_str().into();
    }
    respond(StatusCode::OK, &body)
}

pub(super) fn refusal() -> io::Result<Response<Body>> {
    let error =
        json!({ "code": "UNAUTHORIZED", "message": "the service knows no such user", "detail": null });
    respond(StatusCode::UNAUTHORIZED, &json!({ "errors": [error] }))
}

pub(super) fn status(status: StatusCode) -> io::Result<Response<Body>> {
    respond(status, &json!({ "errors": [] }))
}

fn respond(status: StatusCode, body: &Value) -> io::Result<Response<Body>> {
    let body = Full::new(Bytes::from(body.to_string()));
    Response::builder()
        .status(status)
        .header("content-type", "application/json")
        .body(body.map_err(never).boxed())
        .map_err(io::Error::other)
}
