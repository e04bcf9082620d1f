//! Where a registry may send a credential: hardly anywhere.

use std::sync::Arc;

use transship_registry::{Client, ClientSettings, Credential, ErrorKind, Reach};

use crate::scripted::{Scripted, Source, answer, challenge, client, password, settings, token};

/// A registry that names `realm`, and a world in which every other address grants tokens.
fn registry(realm: &str) -> Arc<Scripted> {
    let realm = realm.to_owned();
    Scripted::new(move |request| match (request.host(), request.authorization()) {
        ("r.example", Some("Bearer t")) => answer(200),
        ("r.example", _) if request.url.path() == "/v2/" => challenge(&realm),
        _ => token("t", 300),
    })
}

#[tokio::test]
async fn a_forbidden_realm_sees_no_request_and_no_credential_is_looked_up() {
    for realm in [
        "http://r.example/token",
        "http://evil.example/token",
        "https://user:word@r.example/token",
        "https://r.example@10.0.0.1/token",
        "https://127.0.0.1/token",
        "https://localhost:8443/token",
        "https://169.254.169.254/latest/api/token",
        "https://2852039166/token",
        "https://0251.0376.0251.0376/token",
        "https://0xa9fea9fe/token",
        "https://[::ffff:a9fe:a9fe]/token",
        "https://[64:ff9b::a9fe:a9fe]/token",
        "https://[fd00:ec2::254]/token",
        "https://100.100.100.200/token",
        "https://0.0.0.0/token",
        "https://10.0.0.1/token",
        "https://metadata.google.internal/token",
        "file:///etc/passwd",
        "https://[",
    ] {
        for credential in [password("CANARY"), Credential::Anonymous] {
            let (registry, source) = (registry(realm), Source::new([credential]));
            let error = client(&registry, &source).ping().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Policy, "{realm}");
            assert_eq!(source.asked(), 0, "{realm}");
            assert_eq!(registry.seen().len(), 1, "{realm}");
        }
    }
}

#[tokio::test]
async fn another_public_host_never_gets_a_credential() {
    for credential in [password("CANARY"), Credential::IdentityToken("CANARY".into())] {
        let registry = registry("https://evil.example/token");
        let error = client(&registry, &Source::new([credential]))
            .ping()
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Policy);
        assert!(
            error
                .hint()
                .unwrap()
                .contains("auth: { realm: \"evil.example\" }"),
            "{error:?}"
        );
        assert_eq!(registry.seen().len(), 1);
    }
}

#[tokio::test]
async fn another_public_host_may_be_asked_by_nobody() {
    let registry = registry("https://tokens.example/token");
    client(&registry, &Source::new([Credential::Anonymous]))
        .ping()
        .await
        .unwrap();
    let asked = &registry.to("/token")[0];
    assert_eq!((asked.host(), asked.authorization()), ("tokens.example", None));
    assert_eq!(asked.reach, Reach::Elsewhere);
}

fn declared(realm: &str, host: &str, source: &Arc<Source>, registry: &Arc<Scripted>) -> Client {
    let settings = ClientSettings {
        host: host.parse().unwrap(),
        realm: Some(realm.to_owned()),
        ..settings()
    };
    Client::new(settings, registry.clone(), source.clone())
}

#[tokio::test]
async fn a_declared_realm_gets_the_credential() {
    let (registry, source) = (
        registry("https://tokens.corp:8443/token"),
        Source::new([password("p")]),
    );
    let client = declared("tokens.corp:8443", "r.example", &source, &registry);
    client.ping().await.unwrap();
    let asked = &registry.to("/token")[0];
    assert_eq!(
        (asked.host(), asked.authorization()),
        ("tokens.corp", Some("Basic dXNlcjpw"))
    );
    assert_eq!(asked.reach, Reach::Declared);
}

#[tokio::test]
async fn docker_hub_and_its_token_service_belong_together() {
    let hub = Scripted::new(|request| match (request.host(), request.authorization()) {
        ("registry-1.docker.io", Some("Bearer t")) => answer(200),
        ("registry-1.docker.io", _) => challenge("https://auth.docker.io/token"),
        ("auth.docker.io", Some("Basic dXNlcjpw")) => token("t", 300),
        _ => answer(500),
    });
    let settings = ClientSettings::new("docker.io".parse().unwrap());
    let client = Client::new(settings, hub.clone(), Source::new([password("p")]));
    client.ping().await.unwrap();
    let hosts: Vec<String> = hub
        .seen()
        .iter()
        .map(|request| request.host().to_owned())
        .collect();
    assert_eq!(
        hosts,
        ["registry-1.docker.io", "auth.docker.io", "registry-1.docker.io"]
    );
}
