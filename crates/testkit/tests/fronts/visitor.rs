//! A client that does what it is told, and what stands behind the fronts.

use oci::Digest;
use reqwest::header::{CONTENT_RANGE, LOCATION};
use reqwest::{Client, Method, RequestBuilder, Response};

pub(crate) async fn behind() -> loopback::Server {
    loopback::Registry::in_memory()
        .serve(([127, 0, 0, 1], 0).into())
        .await
        .unwrap()
}

/// Talks to a front.
pub(crate) struct Visitor {
    client: Client,
    host: String,
}

impl Visitor {
    pub(crate) fn new(host: String) -> Self {
        let client = Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        Self { client, host }
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let base = if path.starts_with('/') {
            format!("http://{}", self.host)
        } else {
            String::new()
        };
        self.client.request(method, format!("{base}{path}"))
    }

    pub(crate) async fn status(&self, method: Method, path: &str) -> u16 {
        self.request(method, path).send().await.unwrap().status().as_u16()
    }

    pub(crate) async fn start(&self) -> String {
        location(
            &self
                .request(Method::POST, "/v2/p/r/app/blobs/uploads/")
                .send()
                .await
                .unwrap(),
        )
    }

    pub(crate) async fn part(&self, session: &str, range: &str, bytes: Vec<u8>) -> Response {
        let request = self.request(Method::PATCH, session).header(CONTENT_RANGE, range);
        request.body(bytes).send().await.unwrap()
    }

    pub(crate) async fn finish(&self, session: &str, digest: &Digest, bytes: Vec<u8>) -> Response {
        let mark = if session.contains('?') { '&' } else { '?' };
        let request = self.request(Method::PUT, &format!("{session}{mark}digest={digest}"));
        request.body(bytes).send().await.unwrap()
    }
}

pub(crate) fn location(response: &Response) -> String {
    response.headers()[LOCATION].to_str().unwrap().to_owned()
}

pub(crate) async fn refusal(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    let body = response.bytes().await.unwrap();
    let document: serde_json::Value = serde_json::from_slice(&body).unwrap();
    (
        status,
        document["errors"][0]["message"].as_str().unwrap().to_owned(),
    )
}
