//! The token service, tried with a real registry that checks what it signs.

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::{Client, Response, StatusCode};
use serde_json::Value;
use transship_testkit::image::{Content, Family};
use transship_testkit::layout;
use transship_testkit::process::{DockerRegistry, PASSWORD, USERNAME};
use transship_testkit::software::{Need, need, skopeo};
use transship_testkit::token_service::{Decision, Grant, SERVICE, TokenRequest, TokenService};

const PULL: &str = "repository:team/app:pull";

fn the_user(request: &TokenRequest) -> Decision {
    if request.is_from(USERNAME, PASSWORD) {
        Decision::Grant(Grant::lasting(300))
    } else {
        Decision::Refuse
    }
}

async fn granted(service: &TokenService, scope: &str) -> Value {
    let answer = Client::new()
        .get(format!("{}?service={SERVICE}&scope={scope}", service.realm()))
        .basic_auth(USERNAME, Some(PASSWORD))
        .send()
        .await
        .expect("the service answers");
    assert_eq!(answer.status(), StatusCode::OK);
    json(answer).await
}

async fn listing(registry: &DockerRegistry, token: &Value) -> StatusCode {
    let answer = Client::new()
        .get(format!("http://{}/v2/team/app/tags/list", registry.host()))
        .bearer_auth(token.as_str().expect("a token is a string"))
        .send()
        .await
        .expect("the registry answers");
    answer.status()
}

async fn json(answer: Response) -> Value {
    let bytes = answer.bytes().await.expect("the answer arrives whole");
    serde_json::from_slice(&bytes).expect("the service answers in JSON")
}

#[tokio::test]
async fn the_right_user_pushes_and_pulls_with_tokens_and_another_is_refused() {
    if need("docker-registry") == Need::Skip || need("skopeo") == Need::Skip {
        return;
    }
    let service = TokenService::start(the_user).await;
    let registry = DockerRegistry::start_with(service.access()).await;
    let mut content = Content::new();
    let layer = content.layer(Family::Oci, 5, 3_000);
    let image = content.image(Family::Oci, "linux/amd64", &[layer]);
    content.tag("v1", &image);
    let directory = tempfile::tempdir().unwrap();
    layout::write(directory.path(), &content);
    let from = format!("oci:{}:v1", directory.path().display());
    let place = format!("docker://{}/team/app:v1", registry.host());
    let creds = format!("{USERNAME}:{PASSWORD}");
    skopeo(&[
        "copy",
        "--preserve-digests",
        "--dest-creds",
        &creds,
        "--dest-tls-verify=false",
        &from,
        &place,
    ])
    .await;
    let raw = skopeo(&[
        "inspect",
        "--raw",
        "--creds",
        &creds,
        "--tls-verify=false",
        &place,
    ])
    .await;
    assert_eq!(raw, content.file(&image.digest).bytes);
    let requests = service.requests();
    assert!(requests.iter().all(|request| request.is_from(USERNAME, PASSWORD)));
    assert!(
        requests
            .iter()
            .any(|request| request.scopes == ["repository:team/app:pull,push"])
    );

    let refused = Client::new()
        .get(format!("{}?service={SERVICE}&scope={PULL}", service.realm()))
        .basic_auth(USERNAME, Some("guessed"))
        .send()
        .await
        .unwrap();
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    let anonymous = reqwest::get(format!("http://{}/v2/team/app/tags/list", registry.host()))
        .await
        .unwrap();
    assert_eq!(anonymous.status(), StatusCode::UNAUTHORIZED);
    let challenge = anonymous.headers()["www-authenticate"].to_str().unwrap();
    assert_eq!(
        challenge,
        format!(
            r#"Bearer realm="{}",service="{SERVICE}",scope="{PULL}""#,
            service.realm()
        )
    );
}

#[tokio::test]
async fn a_registry_takes_the_tokens_of_its_own_service_for_as_long_and_as_much_as_they_say() {
    if need("docker-registry") == Need::Skip {
        return;
    }
    let service = TokenService::start(the_user).await;
    let registry = DockerRegistry::start_with(service.access()).await;
    let token = granted(&service, PULL).await["token"].clone();
    // The token is good, and the repository is not there.
    assert_eq!(listing(&registry, &token).await, StatusCode::NOT_FOUND);

    let elsewhere = granted(&service, "repository:team/other:pull").await["token"].clone();
    assert_eq!(listing(&registry, &elsewhere).await, StatusCode::UNAUTHORIZED);

    service.set_policy(|_| {
        Decision::Grant(Grant {
            valid_for: 0,
            ..Grant::lasting(300)
        })
    });
    let ended = granted(&service, PULL).await;
    assert_eq!(ended["expires_in"], 300);
    assert_eq!(
        listing(&registry, &ended["token"]).await,
        StatusCode::UNAUTHORIZED
    );

    service.set_policy(|_| {
        Decision::Grant(Grant {
            scopes: Some(Vec::new()),
            ..Grant::lasting(300)
        })
    });
    let nothing = granted(&service, PULL).await["token"].clone();
    assert_eq!(listing(&registry, &nothing).await, StatusCode::UNAUTHORIZED);

    let stranger = TokenService::start(the_user).await;
    let forged = granted(&stranger, PULL).await["token"].clone();
    assert_eq!(listing(&registry, &forged).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_refresh_token_is_posted_and_answered_as_oauth_says() {
    let service = TokenService::start(|request| match request.parameter("refresh_token") {
        Some("kept") if request.parameter("grant_type") == Some("refresh_token") => Decision::Grant(Grant {
            refresh_token: Some("kept".to_owned()),
            ..Grant::lasting(60)
        }),
        _ => Decision::Refuse,
    })
    .await;
    let post = async |body: &'static str| {
        Client::new()
            .post(service.realm())
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body)
            .send()
            .await
            .unwrap()
    };
    let answer = post(
        "grant_type=refresh_token&refresh_token=kept&service=testkit\
         &scope=repository%3Ateam%2Fapp%3Apull+repository%3Ateam%2Fbase%3Apull",
    )
    .await;
    let answer = json(answer).await;
    assert_eq!(
        answer["scope"],
        "repository:team/app:pull repository:team/base:pull"
    );
    assert_eq!(answer["refresh_token"], "kept");
    assert_eq!(answer["expires_in"], 60);
    assert!(answer["access_token"].is_string());
    let refused = post("grant_type=refresh_token&refresh_token=other&service=testkit").await;
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    let requests = service.requests();
    assert_eq!(
        requests[0].scopes,
        ["repository:team/app:pull", "repository:team/base:pull"]
    );
    assert_eq!(requests[1].scopes.len(), 0);
}

#[tokio::test]
async fn requests_at_once_are_counted_by_scope() {
    let service = TokenService::start(the_user).await;
    service.answer_after(Duration::from_millis(500));
    let other = "repository:team/base:pull";
    join_all([PULL, PULL, PULL, other].map(|scope| granted(&service, scope))).await;
    granted(&service, other).await;
    assert_eq!(service.requests().len(), 5);
    assert_eq!(service.most_at_once(PULL), 3);
    assert_eq!(service.most_at_once(other), 1);
    assert_eq!(service.most_at_once(""), 0);
}
