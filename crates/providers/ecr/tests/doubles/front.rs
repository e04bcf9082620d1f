//! A front for what no double does: pages, throttling, refusals, ECR Public. It answers as AWS's models say.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::response::Response;
use serde_json::{Value, json};

/// What was asked.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// The operation, where the protocol is AWS's JSON.
    pub(crate) operation: String,
    /// The body, where it is JSON.
    pub(crate) body: Value,
    /// How many times the operation was asked for before.
    pub(crate) before: usize,
    headers: Vec<(String, String)>,
}

impl Asked {
    /// Returns a header, or nothing.
    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }
}

/// A running front; it ends with the runtime.
#[derive(Debug)]
pub(crate) struct Front {
    pub(crate) url: String,
}

impl Front {
    pub(crate) async fn start(answer: impl Fn(&Asked) -> Response + Send + Sync + 'static) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (answer, log) = (Arc::new(answer), Arc::new(Mutex::new(Vec::<String>::new())));
        let router = Router::new().fallback(move |request: Request| {
            let (answer, log) = (Arc::clone(&answer), Arc::clone(&log));
            async move {
                let asked = read(request, &log).await;
                answer(&asked)
            }
        });
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url }
    }
}

async fn read(request: Request, log: &Mutex<Vec<String>>) -> Asked {
    let (head, body) = request.into_parts();
    let headers: Vec<(String, String)> = head
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().to_owned()))
        .collect();
    let bytes = to_bytes(body, 1 << 20).await.expect("a small body");
    let target = headers.iter().find(|(name, _)| name == "x-amz-target");
    let operation = target
        .and_then(|(_, value)| value.rsplit_once('.'))
        .map_or_else(String::new, |(_, operation)| operation.to_owned());
    let mut log = log.lock().expect("nobody panics with it");
    let before = log.iter().filter(|known| **known == operation).count();
    log.push(operation.clone());
    Asked {
        operation,
        body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        before,
        headers,
    }
}

fn answer(status: u16, kind: &str, body: String) -> Response {
    Response::builder()
        .status(status)
        .header("content-type", kind)
        .body(Body::from(body))
        .expect("an answer")
}

pub(crate) fn json(status: u16, body: &str) -> Response {
    answer(status, "application/x-amz-json-1.1", body.to_owned())
}

pub(crate) fn done(body: &Value) -> Response {
    json(200, &body.to_string())
}

/// A refusal as AWS's JSON protocol has it.
pub(crate) fn error(code: &str, message: &str) -> Response {
    json(400, &json!({ "__type": code, "message": message }).to_string())
}

/// A refusal as AWS's query protocol, STS's, has it.
pub(crate) fn xml_error(status: u16, code: &str, message: &str) -> Response {
    let body = format!(
        "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type><Code>{code}</Code>\
         <Message>{message}</Message></Error><RequestId>r</RequestId></ErrorResponse>"
    );
    answer(status, "text/xml", body)
}

/// A token as ECR gives it: `AWS:password`.
pub(crate) fn token() -> Response {
    done(&json!({ "authorizationData": [{
        "authorizationToken": "QVdTOnBhc3N3b3Jk", "expiresAt": 4_102_444_800_u64,
    }]}))
}
