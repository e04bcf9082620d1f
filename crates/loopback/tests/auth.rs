//! Who is let in.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails it")]

mod support;

use std::time::Duration;

use oci::Digest;
use reqwest::{Method, Response};
use support::{World, code, header, json};
use transship_loopback::{BearerOptions, Options};

fn user() -> Option<(String, String)> {
    Some(("user".to_owned(), "pass:word".to_owned()))
}

fn bearer(options: BearerOptions) -> Options {
    Options {
        basic_auth: user(),
        bearer: Some(options),
        ..Options::default()
    }
}

#[tokio::test]
async fn basic_auth_asks_for_the_one_user() {
    let world = World::memory(Options {
        basic_auth: user(),
        ..Options::default()
    })
    .await;
    let response = world.get("/v2/").await;
    assert_eq!(response.status(), 401);
    assert_eq!(header(&response, "www-authenticate"), "Basic realm=\"loopback\"");
    assert_eq!(code(response).await, "UNAUTHORIZED");
    let wrong = world
        .request(Method::GET, "/v2/")
        .basic_auth("user", Some("other"))
        .send()
        .await
        .unwrap();
    assert_eq!(wrong.status(), 401);
    let right = world
        .request(Method::GET, "/v2/")
        .basic_auth("user", Some("pass:word"))
        .send()
        .await
        .unwrap();
    assert_eq!(right.status(), 200);
}

#[tokio::test]
async fn a_challenge_says_where_tokens_are_and_which_scope_is_needed() {
    let world = World::memory(bearer(BearerOptions {
        service: "here".into(),
        ..BearerOptions::default()
    }))
    .await;
    let realm = format!("Bearer realm=\"{}\",service=\"here\"", world.url("/token"));
    let digest = Digest::sha256(b"x");
    let cases = [
        (Method::GET, "/v2/".to_owned(), String::new()),
        (
            Method::GET,
            "/v2/a/b/tags/list".to_owned(),
            ",scope=\"repository:a/b:pull\"".to_owned(),
        ),
        (
            Method::POST,
            "/v2/a/blobs/uploads/".to_owned(),
            ",scope=\"repository:a:pull,push\"".to_owned(),
        ),
        (
            Method::DELETE,
            "/v2/a/manifests/v1".to_owned(),
            ",scope=\"repository:a:delete\"".to_owned(),
        ),
        (
            Method::GET,
            "/v2/_catalog".to_owned(),
            ",scope=\"registry:catalog:*\"".to_owned(),
        ),
        (
            Method::POST,
            format!("/v2/a/blobs/uploads/?mount={digest}&from=b"),
            ",scope=\"repository:a:pull,push repository:b:pull\"".to_owned(),
        ),
    ];
    for (method, path, scope) in cases {
        let response = world.request(method, &path).send().await.unwrap();
        assert_eq!(response.status(), 401);
        assert_eq!(header(&response, "www-authenticate"), format!("{realm}{scope}"));
    }
}

#[tokio::test]
async fn a_token_allows_its_scopes_and_no_more() {
    let world = World::memory(bearer(BearerOptions::default())).await;
    let token = token(ask(&world, "repository:a:pull,push").await).await;
    assert_eq!(
        with(&world, Method::POST, "/v2/a/blobs/uploads/", &token)
            .await
            .status(),
        202
    );
    assert_eq!(with(&world, Method::GET, "/v2/", &token).await.status(), 200);
    for (method, path) in [
        (Method::DELETE, "/v2/a/manifests/v1"),
        (Method::GET, "/v2/b/tags/list"),
    ] {
        let response = with(&world, method, path, &token).await;
        assert_eq!(response.status(), 401);
        assert!(header(&response, "www-authenticate").ends_with(",error=\"insufficient_scope\""));
    }
    let several = self::token(
        ask(
            &world,
            "repository:a:pull&scope=repository:b:pull%20repository:c:*",
        )
        .await,
    )
    .await;
    for (repository, status) in [("a", 404), ("b", 404), ("c", 404), ("d", 401)] {
        let response = with(
            &world,
            Method::GET,
            &format!("/v2/{repository}/tags/list"),
            &several,
        )
        .await;
        assert_eq!(response.status(), status, "{repository}");
    }
}

#[tokio::test]
async fn a_token_whose_time_is_over_is_invalid() {
    let world = World::memory(bearer(BearerOptions {
        lifetime: Duration::ZERO,
        ..BearerOptions::default()
    }))
    .await;
    let token = token(ask(&world, "repository:a:pull").await).await;
    for token in [token.as_str(), "made-up"] {
        let response = with(&world, Method::GET, "/v2/a/tags/list", token).await;
        assert_eq!(response.status(), 401);
        assert!(header(&response, "www-authenticate").ends_with(",error=\"invalid_token\""));
    }
}

#[tokio::test]
async fn tokens_are_issued_to_the_user_only() {
    let world = World::memory(bearer(BearerOptions::default())).await;
    assert_eq!(world.get("/token?scope=repository:a:pull").await.status(), 401);
    let wrong = world
        .request(Method::GET, "/token")
        .basic_auth("user", Some("wrong"))
        .send()
        .await
        .unwrap();
    assert_eq!(wrong.status(), 401);
    assert_eq!(
        World::memory(Options::default())
            .await
            .get("/token")
            .await
            .status(),
        404
    );
}

#[tokio::test]
async fn anonymous_tokens_pull_where_that_is_allowed() {
    let world = World::memory(bearer(BearerOptions {
        anonymous_pull: true,
        ..BearerOptions::default()
    }))
    .await;
    let token = token(world.get("/token?scope=repository:a:pull,push").await).await;
    assert_eq!(
        with(&world, Method::GET, "/v2/a/tags/list", &token)
            .await
            .status(),
        404
    );
    assert_eq!(
        with(&world, Method::POST, "/v2/a/blobs/uploads/", &token)
            .await
            .status(),
        401
    );
    let wrong = world
        .request(Method::GET, "/token")
        .basic_auth("user", Some("wrong"))
        .send()
        .await
        .unwrap();
    assert_eq!(wrong.status(), 401);
}

#[tokio::test]
async fn a_form_is_answered_and_a_refresh_token_stands_for_the_password() {
    let world = World::memory(bearer(BearerOptions::default())).await;
    let password =
        "grant_type=password&username=user&password=pass%3Aword&access_type=offline&scope=repository:a:pull";
    let answer = json(post_form(&world, password.to_owned()).await).await;
    assert_eq!(answer["token"], answer["access_token"]);
    assert_eq!(answer["expires_in"], 300);
    let refresh = answer["refresh_token"].as_str().unwrap();
    let form = format!("grant_type=refresh_token&refresh_token={refresh}&scope=repository:b:pull");
    let token = token(post_form(&world, form).await).await;
    assert_eq!(
        with(&world, Method::GET, "/v2/b/tags/list", &token)
            .await
            .status(),
        404
    );
    assert_eq!(
        with(&world, Method::GET, "/v2/b/tags/list", refresh)
            .await
            .status(),
        401
    );
    assert_eq!(
        post_form(&world, "refresh_token=made-up".to_owned())
            .await
            .status(),
        401
    );
}

async fn ask(world: &World, scope: &str) -> Response {
    let request = world.request(Method::GET, &format!("/token?service=loopback&scope={scope}"));
    request
        .basic_auth("user", Some("pass:word"))
        .send()
        .await
        .unwrap()
}

async fn post_form(world: &World, form: String) -> Response {
    let request = world
        .request(Method::POST, "/token")
        .header("content-type", "application/x-www-form-urlencoded");
    request.body(form).send().await.unwrap()
}

async fn token(response: Response) -> String {
    assert_eq!(response.status(), 200);
    json(response).await["token"].as_str().unwrap().to_owned()
}

async fn with(world: &World, method: Method, path: &str, token: &str) -> Response {
    world
        .request(method, path)
        .bearer_auth(token)
        .send()
        .await
        .unwrap()
}
