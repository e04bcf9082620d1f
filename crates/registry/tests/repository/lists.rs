//! Lists in pages, from registries with odd habits.

use oci::{Digest, MediaType};
use registry::{Credential, ErrorKind, Referrers};
use serde_json::{Value, json};

use crate::scripted::{Raw, Scripted};
use crate::support::{anonymous, basic, connect, connect_with, name, settings};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";

async fn tags_of(server: &Scripted) -> Result<Option<Vec<String>>, registry::Error> {
    let repository = anonymous(&server.host()).reader(&name("a"));
    let tags = repository.tags().await?;
    Ok(tags.map(|tags| tags.iter().map(ToString::to_string).collect()))
}

fn tags(tags: &[&str]) -> Raw {
    Raw::new(200).json(&json!({ "name": "a", "tags": tags }))
}

#[tokio::test]
async fn null_means_no_tags() {
    let server = Scripted::new(|_, _| Raw::new(200).json(&json!({ "name": "a", "tags": null }))).await;
    assert_eq!(tags_of(&server).await.unwrap(), Some(vec![]));
    assert_eq!(server.lines(), ["GET /v2/a/tags/list?n=1000"]);
}

#[tokio::test]
async fn pages_are_followed_sorted_and_cleaned() {
    let server = Scripted::new(|request, _| match request.target.as_str() {
        "/v2/a/tags/list?n=1000" => tags(&["b", "sha256:0123", "c"])
            .header("Link", r#"</v2/a/tags/list?token=x%2Fy&n=2>; rel="next""#),
        "/v2/a/tags/list?token=x%2Fy&n=2" => {
            tags(&["c", "-no", "a"]).header("Link", "<list?last=c>;rel=next")
        }
        "/v2/a/tags/list?last=c" => tags(&[]),
        _ => Raw::new(500),
    })
    .await;
    assert_eq!(tags_of(&server).await.unwrap().unwrap(), ["a", "b", "c"]);
    assert_eq!(server.received().len(), 3);
}

#[tokio::test]
async fn a_page_size_that_is_refused_is_left_out() {
    let server = Scripted::new(|request, _| {
        if request.target.contains("n=") {
            Raw::new(405).json(&json!({ "errors": [{ "code": "UNSUPPORTED" }] }))
        } else {
            tags(&["v1"])
        }
    })
    .await;
    assert_eq!(tags_of(&server).await.unwrap().unwrap(), ["v1"]);
}

#[tokio::test]
async fn pages_in_a_circle_are_an_error() {
    let server = Scripted::new(|request, _| {
        let next = if request.target.ends_with("last=b") {
            "a"
        } else {
            "b"
        };
        tags(&["x"]).header("Link", format!("</v2/a/tags/list?last={next}>; rel=next"))
    })
    .await;
    let error = tags_of(&server).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Integrity);
    assert!(
        error.to_string().ends_with("the registry's pages go in a circle"),
        "{error}"
    );
    assert_eq!(server.received().len(), 3);
}

#[tokio::test]
async fn a_next_page_elsewhere_is_refused_and_not_asked_for() {
    let elsewhere = Scripted::new(|_, _| tags(&["stolen"])).await;
    let link = format!("<http://{}/v2/a/tags/list?last=b>; rel=next", elsewhere.host());
    let server = Scripted::new(move |_, _| tags(&["x"]).header("Link", &link)).await;
    let error = tags_of(&server).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Policy, "{error}");
    assert_eq!(elsewhere.lines(), Vec::<String>::new());
}

#[tokio::test]
async fn a_list_that_is_none_is_an_error_and_not_an_empty_list() {
    for document in [
        json!({ "errors": [{ "code": "UNKNOWN" }] }),
        json!({ "tags": "v1" }),
        json!([]),
    ] {
        let server = Scripted::new(move |_, _| Raw::new(200).json(&document)).await;
        let error = tags_of(&server).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Integrity, "{error}");
    }
}

#[tokio::test]
async fn an_endless_page_is_cut_off() {
    let server = Scripted::new(|_, _| Raw::new(200).unframed(&[b' '; 65_536]).endless()).await;
    let error = tags_of(&server).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Integrity);
    assert!(error.to_string().contains("longer than 8388608 bytes"), "{error}");
}

#[tokio::test]
async fn a_page_that_breaks_off_is_asked_for_again() {
    let server = Scripted::new(|_, before| match before {
        0 => Raw::new(200)
            .header("Content-Length", 100)
            .unframed(b"{\"tags\":"),
        _ => tags(&["v1"]),
    })
    .await;
    assert_eq!(tags_of(&server).await.unwrap().unwrap(), ["v1"]);
}

#[tokio::test]
async fn a_refused_list_says_why() {
    let refused = json!({ "errors": [{ "code": "DENIED", "message": "no\u{1b}[31m access" }] });
    let server = Scripted::new(move |_, _| Raw::new(403).json(&refused)).await;
    let error = tags_of(&server).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Permission);
    assert_eq!(error.code(), Some("DENIED"));
    assert_eq!(error.status().map(|status| status.as_u16()), Some(403));
    let expected = format!(
        "list tags in {}/a: 403 Forbidden: denied: no[31m access",
        server.host()
    );
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn an_endless_refusal_is_cut_off() {
    let server = Scripted::new(|_, _| Raw::new(403).unframed(&[b'x'; 65_536]).endless()).await;
    let error = tags_of(&server).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Permission);
    assert!(
        error.to_string().len() < 3_000,
        "{} bytes",
        error.to_string().len()
    );
}

async fn referrers_of(server: &Scripted) -> Result<Referrers, registry::Error> {
    let repository = anonymous(&server.host()).reader(&name("a"));
    repository.referrers(&Digest::sha256(b"subject")).await
}

fn referrers(names: &[usize]) -> Raw {
    let entry = |number: &usize| {
        json!({
            "mediaType": MediaType::OCI_MANIFEST,
            "digest": Digest::sha256(&number.to_le_bytes()),
            "size": 7,
            "artifactType": "application/x",
        })
    };
    let entries: Vec<Value> = names.iter().map(entry).collect();
    let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": entries }).to_string();
    Raw::new(200)
        .header("Content-Type", format!("{INDEX}; charset=utf-8"))
        .body(index.as_bytes())
}

#[tokio::test]
async fn a_registry_without_the_referrers_api_is_no_error() {
    for status in [404, 400, 405, 406, 501] {
        let server = Scripted::new(move |_, _| Raw::new(status)).await;
        assert_eq!(
            referrers_of(&server).await.unwrap(),
            Referrers::Unsupported,
            "{status}"
        );
    }
    let page = Scripted::new(|_, _| Raw::new(200).header("Content-Type", "text/html").body(b"<html>")).await;
    assert_eq!(referrers_of(&page).await.unwrap(), Referrers::Unsupported);
}

#[tokio::test]
async fn referrers_that_must_not_be_seen_are_an_error() {
    let server = Scripted::new(|_, _| Raw::new(403)).await;
    assert_eq!(
        referrers_of(&server).await.unwrap_err().kind(),
        ErrorKind::Permission
    );
}

#[tokio::test]
async fn referrers_on_two_pages_are_listed_once_each() {
    let server = Scripted::new(|_, before| match before {
        0 => referrers(&[1, 2]).header("Link", "<?page=2>; rel=\"next\""),
        _ => referrers(&[2, 3]),
    })
    .await;
    let Referrers::List(found) = referrers_of(&server).await.unwrap() else {
        panic!("no list");
    };
    let digests: Vec<Digest> = found.into_iter().map(|entry| entry.digest).collect();
    assert_eq!(
        digests,
        [1_usize, 2, 3].map(|number| Digest::sha256(&number.to_le_bytes()))
    );
}

#[tokio::test]
async fn too_many_referrers_are_named_as_such() {
    let server = Scripted::new(|_, _| referrers(&(0..1_001).collect::<Vec<_>>())).await;
    let error = referrers_of(&server).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Policy);
    assert!(
        error
            .to_string()
            .ends_with("more than 1000 manifests refer to it"),
        "{error}"
    );
    assert!(error.hint().is_some());
}

#[tokio::test]
async fn pages_without_end_are_an_error() {
    let server =
        Scripted::new(|_, before| referrers(&[]).header("Link", format!("<?page={before}>; rel=next"))).await;
    let error = referrers_of(&server).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Integrity);
    assert!(
        error
            .to_string()
            .ends_with("the registry has more than 1000 pages"),
        "{error}"
    );
    assert_eq!(server.received().len(), 1_000);
}

#[tokio::test]
async fn a_malformed_list_of_referrers_is_an_error() {
    let server = Scripted::new(|_, _| {
        let entry = json!({ "manifests": [{ "mediaType": "x", "digest": "sha256:../../x", "size": 1 }] });
        Raw::new(200)
            .header("Content-Type", INDEX)
            .body(entry.to_string().as_bytes())
    })
    .await;
    assert_eq!(
        referrers_of(&server).await.unwrap_err().kind(),
        ErrorKind::Integrity
    );
}

#[tokio::test]
async fn the_page_is_as_large_as_the_registry_wants_it() {
    let server = Scripted::new(|_, _| tags(&["v1"])).await;
    let mut settings = settings(&server.host());
    settings.wire.page = 100;
    let registry = connect_with(settings, Credential::Anonymous);
    registry.reader(&name("a")).tags().await.unwrap();
    assert_eq!(server.lines(), ["GET /v2/a/tags/list?n=100"]);
}

async fn catalog_of(server: &Scripted) -> Result<Option<Vec<String>>, registry::Error> {
    let names = anonymous(&server.host()).catalog().await?;
    Ok(names.map(|names| names.iter().map(ToString::to_string).collect()))
}

#[tokio::test]
async fn a_catalog_is_followed_sorted_and_cleaned() {
    let server = Scripted::new(|request, _| match request.target.as_str() {
        "/v2/_catalog?n=1000" => Raw::new(200)
            .json(&json!({ "repositories": ["b/c", "-no", 7] }))
            .header("Link", r#"</v2/_catalog?last=b%2Fc>; rel="next""#),
        "/v2/_catalog?last=b%2Fc" => Raw::new(200).json(&json!({ "repositories": ["b/c", "a"] })),
        _ => Raw::new(500),
    })
    .await;
    assert_eq!(catalog_of(&server).await.unwrap().unwrap(), ["a", "b/c"]);
    let empty = Scripted::new(|_, _| Raw::new(200).json(&json!({ "repositories": null }))).await;
    assert_eq!(catalog_of(&empty).await.unwrap(), Some(vec![]));
}

#[tokio::test]
async fn a_catalog_that_is_not_offered_is_none_and_one_that_fails_an_error() {
    for status in [404, 405, 501] {
        let server = Scripted::new(move |_, _| Raw::new(status)).await;
        assert_eq!(catalog_of(&server).await.unwrap(), None, "{status}");
    }
    let table = [(403, ErrorKind::Permission), (500, ErrorKind::Network)];
    for (status, kind) in table {
        let server = Scripted::new(move |_, _| Raw::new(status)).await;
        assert_eq!(catalog_of(&server).await.unwrap_err().kind(), kind, "{status}");
    }
    for document in [json!({}), json!({ "repositories": "a" }), json!({ "errors": [] })] {
        let server = Scripted::new(move |_, _| Raw::new(200).json(&document)).await;
        assert_eq!(
            catalog_of(&server).await.unwrap_err().kind(),
            ErrorKind::Integrity
        );
    }
}

#[tokio::test]
async fn a_catalog_whose_scope_no_token_has_is_none() {
    let server = Scripted::new(|request, _| {
        if request.target.starts_with("/token") {
            return Raw::new(200).json(&json!({ "token": "without" }));
        }
        let host = request.header("host").unwrap();
        let error = match request.header("authorization") {
            Some(_) => ",error=\"insufficient_scope\"",
            None => "",
        };
        let challenge = format!("Bearer realm=\"http://{host}/token\",service=\"s\"{error}");
        Raw::new(401).header("WWW-Authenticate", challenge)
    })
    .await;
    let registry = connect(&server.host(), basic());
    assert_eq!(registry.catalog().await.unwrap(), None);
    let asked = server.received();
    let token = asked.iter().find(|request| request.target.starts_with("/token"));
    let token = &token.unwrap().target;
    assert!(token.ends_with("&scope=registry%3Acatalog%3A*"), "{token}");
}
