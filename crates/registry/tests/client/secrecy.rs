//! Secrets and signatures stay where they belong.

use std::sync::Arc;

use transship_registry::{Client, Credential, Registry, Request, RequestBody};

use crate::scripted::{Scripted, Source, answer, challenge, client, failure, password, token};

/// Runs through every way to fail with a secret at hand, and collects all that can be printed.
async fn printed(registry: Arc<Scripted>, credential: Credential) -> String {
    let source = Source::new([credential]);
    let client: Client = client(&registry, &source);
    let mut text = format!("{client:?} {source:?}");
    let reader = client.reader(&"a".parse().unwrap());
    let digest = oci::Digest::sha256(b"");
    for error in [client.ping().await.err(), reader.head_blob(&digest).await.err()]
        .into_iter()
        .flatten()
    {
        text.push_str(&format!("{error} {error:?} {:?}", error.hint()));
        let mut cause = std::error::Error::source(&error);
        while let Some(error) = cause {
            text.push_str(&format!("{error} {error:?}"));
            cause = error.source();
        }
    }
    for seen in registry.seen() {
        let request = Request {
            method: http::Method::GET,
            url: seen.url.clone(),
            headers: seen.headers.clone(),
            body: RequestBody::Empty,
            reach: seen.reach,
        };
        text.push_str(&format!("{request:?}"));
        for (name, value) in &seen.headers {
            if name == "authorization" {
                text.push_str(&format!("{value:?}"));
            }
        }
    }
    text
}

#[tokio::test(start_paused = true)]
async fn no_credential_token_or_signature_can_be_printed() {
    use transship_registry::TransportErrorKind::Interrupted;
    let worlds = [
        Scripted::new(|_| answer(401).header("www-authenticate", "Basic realm=CANARY")),
        Scripted::new(|request| match request.url.path() {
            "/token" => token("CANARY", 300),
            _ => challenge("https://r.example/token"),
        }),
        Scripted::new(|request| match request.url.path() {
            "/token" => answer(200).body(r#"{"token":"CANARY\n"}"#),
            _ => challenge("https://r.example/token?key=CANARY"),
        }),
        Scripted::new(|_| answer(307).header("location", "https://127.0.0.1/?sig=CANARY")),
        Scripted::new(|_| challenge("https://10.0.0.1/?key=CANARY")),
        Scripted::new(|request| match request.host() {
            "r.example" => answer(307).header("location", "https://s3.example/?sig=CANARY"),
            _ => failure(Interrupted),
        }),
        Scripted::new(|request| match request.host() {
            "r.example" => answer(307).header("location", "https://s3.example/?sig=CANARY"),
            _ => answer(403),
        }),
    ];
    for (number, world) in worlds.into_iter().enumerate() {
        for credential in [
            password("CANARY"),
            Credential::IdentityToken("CANARY".into()),
            Credential::Bearer("CANARY".into()),
        ] {
            let text = printed(world.clone(), credential).await;
            assert!(!text.contains("CANARY"), "world {number}: {text}");
        }
    }
}
