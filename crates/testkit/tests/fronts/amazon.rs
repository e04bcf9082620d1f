//! ECR.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use oci::Digest;
use registry::Operation;
use reqwest::Method;
use serde_json::json;
use transship_testkit::front::ecr::{EcrFront, EcrRules, Verdict};
use transship_testkit::push::Direct;

use crate::visitor::{Visitor, behind, location, refusal};

const MIB: usize = 1 << 20;

#[tokio::test]
async fn amazon_asks_everyone_for_a_password_and_tells_when_it_ended() {
    let server = behind().await;
    let ended = Arc::new(AtomicBool::new(false));
    let now = Arc::clone(&ended);
    let verifier = move |password: &str| match (password, now.load(Ordering::SeqCst)) {
        ("good", false) => Verdict::Good,
        ("good", true) => Verdict::Expired,
        _ => Verdict::Unknown,
    };
    let rules = EcrRules {
        password: Some(Arc::new(verifier)),
        ..EcrRules::default()
    };
    let front = EcrFront::start(&server.host(), rules).await;
    let visitor = Visitor::new(front.host());
    let as_user = |user: &str, password: &str| {
        let request = visitor.request(Method::GET, "/v2/");
        request.basic_auth(user, Some(password)).send()
    };
    let bare = visitor.request(Method::GET, "/v2/").send().await.unwrap();
    assert_eq!(bare.status(), 401);
    assert!(
        bare.headers()["www-authenticate"]
            .to_str()
            .unwrap()
            .starts_with("Basic realm=")
    );
    assert_eq!(as_user("user", "good").await.unwrap().status(), 401);
    assert_eq!(as_user("AWS", "bad").await.unwrap().status(), 401);
    assert_eq!(as_user("AWS", "good").await.unwrap().status(), 200);
    ended.store(true, Ordering::SeqCst);
    let (status, message) = refusal(as_user("AWS", "good").await.unwrap()).await;
    assert_eq!((status, message.contains("has expired")), (403, true));
}

#[tokio::test]
async fn amazon_judges_a_part_when_the_next_one_comes_and_counts_strictly() {
    let server = behind().await;
    let front = EcrFront::start(&server.host(), EcrRules::default()).await;
    let visitor = Visitor::new(front.host());
    let large = vec![1; 5 * MIB];

    let session = visitor.start().await;
    let first = visitor.part(&session, "0-5242879", large.clone()).await;
    assert_eq!(
        (first.status().as_u16(), &first.headers()["range"]),
        (201, &"0-5242879".parse().unwrap())
    );
    let second = visitor.part(&session, "5242880-10485759", large.clone()).await;
    assert_eq!(&second.headers()["range"], "0-5242879", "it is stuck");
    let (status, message) = refusal(visitor.part(&session, "0-5242879", large.clone()).await).await;
    assert_eq!(status, 416);
    assert_eq!(message, "First byte of the layer part is 0 instead of 10485760");
    assert_eq!(
        visitor.status(Method::GET, &session).await,
        404,
        "nobody is told how far it is"
    );
    assert_eq!(
        visitor
            .part(&session, "10485760-10485760", vec![2])
            .await
            .status(),
        201
    );
    let (status, message) = refusal(visitor.part(&session, "10485761-10485761", vec![3]).await).await;
    assert_eq!((status, message.contains("at least 5MB")), (400, true));
    let whole = [large.clone(), large, vec![2]].concat();
    let with_body = visitor.finish(&session, &Digest::sha256(&whole), vec![3]).await;
    assert_eq!(
        with_body.status(),
        400,
        "a body makes what came before a part that is not the last"
    );
    let empty = visitor
        .finish(&session, &Digest::sha256(&whole), Vec::new())
        .await;
    assert_eq!(empty.status(), 201);
}

#[tokio::test]
async fn amazon_takes_one_request_whole_and_one_part_without_a_range() {
    let server = behind().await;
    let front = EcrFront::start(&server.host(), EcrRules::default()).await;
    let visitor = Visitor::new(front.host());
    let bytes = vec![7; 1_000];
    let session = visitor.start().await;
    let whole = visitor
        .finish(&session, &Digest::sha256(&bytes), bytes.clone())
        .await;
    assert_eq!(whole.status(), 201);
    let session = visitor.start().await;
    let part = visitor
        .request(Method::PATCH, &session)
        .body(bytes.clone())
        .send()
        .await
        .unwrap();
    assert!(part.status().is_success());
    let empty = visitor
        .finish(&location(&part), &Digest::sha256(&bytes), Vec::new())
        .await;
    assert_eq!(empty.status(), 201);
}

#[tokio::test]
async fn amazons_storage_takes_its_signature_and_nothing_besides() {
    let server = behind().await;
    let front = EcrFront::start(&server.host(), EcrRules::default()).await;
    let visitor = Visitor::new(front.host());
    let bytes = vec![7; 1_000];
    let digest = Digest::sha256(&bytes);
    Direct::new(&server.host())
        .put_blob("p/r/app", &digest, bytes.clone().into())
        .await;
    let path = format!("/v2/p/r/app/blobs/{digest}");
    let redirect = visitor.request(Method::GET, &path).send().await.unwrap();
    assert_eq!(redirect.status(), 307);
    let signed = location(&redirect);
    let both = visitor
        .request(Method::GET, &signed)
        .basic_auth("AWS", Some("x"))
        .send()
        .await
        .unwrap();
    assert_eq!(both.status(), 400);
    assert!(
        both.text()
            .await
            .unwrap()
            .contains("Only one auth mechanism allowed")
    );
    let unsigned = signed.split('?').next().unwrap();
    assert_eq!(visitor.status(Method::GET, unsigned).await, 403);
    assert_eq!(visitor.status(Method::HEAD, &signed).await, 403);
    let rest = visitor
        .request(Method::GET, &signed)
        .header("range", "bytes=400-");
    let rest = rest.send().await.unwrap();
    assert_eq!(rest.status(), 206);
    assert_eq!(&rest.headers()["content-range"], "bytes 400-999/1000");
    assert_eq!(rest.bytes().await.unwrap(), bytes[400..]);
    assert_eq!(
        visitor.status(Method::HEAD, &path).await,
        200,
        "only a read is redirected"
    );
    let missing = format!("/v2/p/r/app/blobs/{}", Digest::sha256(b"missing"));
    assert_eq!(visitor.status(Method::GET, &missing).await, 404);
}

#[tokio::test]
async fn amazon_throttles_manifests_and_limits_pages() {
    let server = behind().await;
    let rules = EcrRules {
        put_image_rate: Some(1),
        ..EcrRules::default()
    };
    let front = EcrFront::start(&server.host(), rules).await;
    let visitor = Visitor::new(front.host());
    let index = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [],
    });
    let mut statuses = Vec::new();
    for tag in 0..5 {
        let put = visitor.request(Method::PUT, &format!("/v2/p/r/app/manifests/v{tag}"));
        let put = put.header("content-type", "application/vnd.oci.image.index.v1+json");
        statuses.push(
            put.body(index.to_string())
                .send()
                .await
                .unwrap()
                .status()
                .as_u16(),
        );
    }
    assert_eq!(statuses[0], 201);
    assert!(statuses.contains(&429), "{statuses:?}");
    let throttled = statuses.iter().filter(|status| **status == 429).count();
    assert_eq!(front.tally().throttled(Operation::PutManifest), throttled);
    assert_eq!(front.tally().requests(Operation::PutManifest), 5);
    assert_eq!(
        visitor.status(Method::GET, "/v2/p/r/app/tags/list?n=1000").await,
        200
    );
    let page = visitor
        .request(Method::GET, "/v2/p/r/app/tags/list?n=1001")
        .send()
        .await
        .unwrap();
    let (status, message) = refusal(page).await;
    assert_eq!(
        (status, message.contains("less than or equal to 1000")),
        (405, true)
    );
}

#[tokio::test]
async fn each_of_amazons_rules_can_be_switched_off() {
    let server = behind().await;
    let rules = EcrRules {
        part_minimum: None,
        in_order: false,
        stuck_range: false,
        page_limit: None,
        redirects: false,
        committed_mounts: false,
        ..EcrRules::default()
    };
    let front = EcrFront::start(&server.host(), rules).await;
    let visitor = Visitor::new(front.host());
    let session = visitor.start().await;
    assert_eq!(visitor.part(&session, "0-0", vec![1]).await.status(), 202);
    let second = visitor.part(&session, "1-1", vec![2]).await;
    assert_eq!(&second.headers()["range"], "0-1");
    assert_eq!(visitor.status(Method::GET, &session).await, 204);
    let digest = Digest::sha256(&[1, 2]);
    assert_eq!(visitor.finish(&session, &digest, Vec::new()).await.status(), 201);
    assert_eq!(
        visitor
            .status(Method::GET, &format!("/v2/p/r/app/blobs/{digest}"))
            .await,
        200
    );
    assert_ne!(
        visitor.status(Method::GET, "/v2/p/r/app/tags/list?n=1001").await,
        405
    );
    let mount = format!("/v2/p/r/other/blobs/uploads/?mount={digest}&from=p/r/app");
    assert_eq!(visitor.status(Method::POST, &mount).await, 201);
}
