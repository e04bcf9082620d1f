//! Refusals: what AWS's authorization says, throttling, quotas.

use oci::Digest;
use planner::config::Auth;
use provider::{Ensured, Lister, Listing, Provider};
use registry::{ErrorKind, Operation};
use serde_json::json;

use crate::front::{self, Front};
use crate::inside::{World, boto3, in_moto, inside, provider};
use crate::moto;

fn at(front: &Front) -> World {
    World::of([
        ("AWS_ENDPOINT_URL_ECR", front.url.as_str()),
        ("AWS_ACCESS_KEY_ID", "k"),
        ("AWS_SECRET_ACCESS_KEY", "s"),
    ])
}

/// moto checks signatures and policies as AWS does, once it is told to.
#[tokio::test]
async fn a_missing_permission_names_who_lacks_what() {
    in_moto("refusals::a_missing_permission_names_who_lacks_what", async {
        let keys = boto3(
            "iam = boto3.client('iam')
iam.create_user(UserName='ci')
iam.put_user_policy(UserName='ci', PolicyName='plan', PolicyDocument=json.dumps({'Version': '2012-10-17', 'Statement': [
  {'Effect': 'Allow', 'Action': ['ecr:GetAuthorizationToken', 'ecr:DescribeRepositories'], 'Resource': '*'}]}))
key = iam.create_access_key(UserName='ci')['AccessKey']
os.makedirs(os.path.expanduser('~/.aws'), exist_ok=True)
print('[ci]\\naws_access_key_id = ' + key['AccessKeyId'] + '\\naws_secret_access_key = ' + key['SecretAccessKey'])",
        )
        .await;
        let home = std::env::var("HOME").unwrap();
        std::fs::create_dir_all(format!("{home}/.aws")).unwrap();
        std::fs::write(format!("{home}/.aws/credentials"), keys).unwrap();
        moto::authorize().await;
        let provider = provider(Auth {
            profile: Some("ci".to_owned()),
            ..Auth::default()
        });
        provider.credentials().sign_in().await.unwrap();
        let redis = "base/redis".parse().unwrap();
        let error = provider.ensure_repository(&redis, None).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Permission, "{error:?}");
        let hint = error.hint().unwrap();
        for part in [
            "arn:aws:iam::123456789012:user/ci lacks ecr:CreateRepository",
            r#"{"Action":["ecr:CreateRepository"],"Effect":"Allow","Resource":"arn:aws:ecr:eu-west-1:123456789012:repository/base/redis"}"#,
        ] {
            assert!(hint.contains(part), "{hint}");
        }
        let Listing::Unavailable(Some(reason)) = provider.inventory(&redis).await.unwrap() else {
            panic!("a listing that is refused is unavailable");
        };
        assert!(reason.contains("lacks ecr:DescribeImages"), "{reason}");
        // What the API called us is how refusals of the registry itself call us from now on.
        let refused = registry::Error::new(ErrorKind::Permission, "put manifest: 403 Forbidden");
        let advice = provider.advise(Operation::PutManifest, &redis, &refused).unwrap();
        assert_eq!(advice.identity, "arn:aws:iam::123456789012:user/ci");
        assert_eq!(advice.action, "ecr:PutImage");
    })
    .await;
}

/// The words of AWS's API, which moto does not have.
#[tokio::test]
async fn amazons_own_words_say_who_lacks_what() {
    let test = "refusals::amazons_own_words_say_who_lacks_what";
    if inside(test) {
        let error = provider(Auth::default()).repositories().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Permission, "{error:?}");
        let expected = "arn:aws:sts::123456789012:assumed-role/ci/transship lacks ecr:DescribeRepositories: add the statement \
                        {\"Action\":[\"ecr:DescribeRepositories\"],\"Effect\":\"Allow\",\"Resource\":\
                        \"arn:aws:ecr:eu-west-1:123456789012:repository/*\"} to its policies";
        assert_eq!(error.hint(), Some(expected));
        return;
    }
    let front = Front::start(|_| {
        front::error(
            "AccessDeniedException",
            "User: arn:aws:sts::123456789012:assumed-role/ci/transship is not authorized to perform: \
             ecr:DescribeRepositories on resource: arn:aws:ecr:eu-west-1:123456789012:repository/* because no \
             identity-based policy allows the ecr:DescribeRepositories action",
        )
    })
    .await;
    at(&front).run(test).await;
}

#[tokio::test]
async fn throttled_creation_waits_and_succeeds() {
    let test = "refusals::throttled_creation_waits_and_succeeds";
    if inside(test) {
        let ensured = provider(Auth::default())
            .ensure_repository(&"base/redis".parse().unwrap(), None)
            .await
            .unwrap();
        assert_eq!(ensured, Ensured::Created);
        return;
    }
    // More often than the SDK tries by itself.
    let front = Front::start(|asked| match asked.before {
        0..4 => front::error("ThrottlingException", "Rate exceeded"),
        _ => front::done(&json!({ "repository": { "repositoryName": "base/redis" } })),
    })
    .await;
    at(&front).run(test).await;
}

#[tokio::test]
async fn a_full_account_is_a_quota() {
    let test = "refusals::a_full_account_is_a_quota";
    if inside(test) {
        let error = provider(Auth::default())
            .ensure_repository(&"base/redis".parse().unwrap(), None)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Quota, "{error:?}");
        assert!(error.hint().unwrap().contains("Service Quotas"), "{error:?}");
        return;
    }
    let front = Front::start(|_| {
        front::error(
            "LimitExceededException",
            "The maximum number of repositories per registry has been reached",
        )
    })
    .await;
    at(&front).run(test).await;
}

#[tokio::test]
async fn an_api_that_does_not_answer_is_the_network() {
    let test = "refusals::an_api_that_does_not_answer_is_the_network";
    if inside(test) {
        let error = provider(Auth::default()).repositories().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Network, "{error:?}");
        return;
    }
    World::of([
        ("AWS_ENDPOINT_URL_ECR", "http://127.0.0.1:1"),
        ("AWS_ACCESS_KEY_ID", "k"),
        ("AWS_SECRET_ACCESS_KEY", "s"),
    ])
    .run(test)
    .await;
}

/// Pages as long as the API makes them, with the images that it leaves out unless asked for.
#[tokio::test]
async fn an_inventory_reads_every_page() {
    let test = "refusals::an_inventory_reads_every_page";
    let digest = |index: usize| Digest::sha256(index.to_string().as_bytes());
    if inside(test) {
        let provider = provider(Auth::default());
        let redis = "base/redis".parse().unwrap();
        let Listing::Inventory(inventory) = provider.inventory(&redis).await.unwrap() else {
            panic!("it is listed");
        };
        assert_eq!(inventory.tags().len(), 2_500);
        assert_eq!(inventory.tags()[&"v2499".parse().unwrap()], digest(2_499));
        assert_eq!(inventory.manifests().unwrap().len(), 2_500);
        return;
    }
    let front = Front::start(move |asked| {
        assert_eq!(asked.operation, "DescribeImages");
        assert_eq!(asked.body["maxResults"], 1_000);
        assert_eq!(asked.body["registryId"], "123456789012");
        assert_eq!(asked.body["filter"], json!({ "imageStatus": "ANY" }));
        let from: usize = asked.body["nextToken"].as_str().unwrap_or("0").parse().unwrap();
        let to = (from + 1_000).min(2_500);
        let images: Vec<_> = (from..to)
            .map(|index| json!({ "imageDigest": digest(index).to_string(), "imageTags": [format!("v{index}")] }))
            .collect();
        let next = (to < 2_500).then(|| to.to_string());
        front::done(&json!({ "imageDetails": images, "nextToken": next }))
    })
    .await;
    at(&front).run(test).await;
}

#[tokio::test]
async fn blobs_are_asked_for_a_hundred_at_a_time() {
    let test = "refusals::blobs_are_asked_for_a_hundred_at_a_time";
    let blobs: Vec<Digest> = (0..250)
        .map(|index: u32| Digest::sha256(&index.to_be_bytes()))
        .collect();
    if inside(test) {
        let redis = "base/redis".parse().unwrap();
        let found = provider(Auth::default())
            .blobs(&redis, &blobs)
            .await
            .unwrap()
            .unwrap();
        let expected = blobs.iter().step_by(2).cloned().collect();
        assert_eq!(found, expected);
        return;
    }
    let even: Vec<String> = blobs.iter().step_by(2).map(Digest::to_string).collect();
    let front = Front::start(move |asked| {
        let asked = asked.body["layerDigests"].as_array().unwrap();
        assert!(asked.len() <= 100);
        let layers: Vec<_> = asked
            .iter()
            .map(|digest| {
                let stands = even.iter().any(|even| digest == even.as_str());
                let availability = if stands { "AVAILABLE" } else { "UNAVAILABLE" };
                json!({ "layerDigest": digest, "layerAvailability": availability })
            })
            .collect();
        front::done(&json!({ "layers": layers, "failures": [] }))
    })
    .await;
    at(&front).run(test).await;
}
