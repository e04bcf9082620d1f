//! ECR's API, asked by Amazon's own client.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use transship_testkit::front::ecr::Verdict;
use transship_testkit::front::ecr_api::{EcrApi, EcrApiRules};
use transship_testkit::image::{Content, Family};
use transship_testkit::ministack::Ministack;
use transship_testkit::push::Direct;
use transship_testkit::python;
use transship_testkit::software::{Need, need_python};

struct Api {
    ministack: Ministack,
    front: EcrApi,
}

impl Api {
    async fn start(rules: EcrApiRules) -> Option<Self> {
        if need_python("boto3") == Need::Skip || need_python("ministack") == Need::Skip {
            return None;
        }
        let ministack = Ministack::start().await;
        let front = EcrApi::start(ministack.host(), rules).await;
        Some(Self { ministack, front })
    }

    async fn boto3(&self, script: &str) -> Value {
        let url = self.front.url();
        let environment = self.ministack.environment();
        let mut environment: Vec<(&str, &str)> = environment.to_vec();
        environment.retain(|(name, _)| *name != "AWS_ENDPOINT_URL");
        environment.push(("AWS_ENDPOINT_URL", &url));
        let script = format!("import boto3, json\necr = boto3.client('ecr')\n{script}");
        let said = python::run(&script, &environment).await;
        serde_json::from_str(&said).expect("the script prints JSON")
    }
}

#[tokio::test]
async fn images_come_in_pages_with_what_they_are_attached_to() {
    let Some(api) = Api::start(EcrApiRules::default()).await else {
        return;
    };
    let mut content = Content::new();
    let layer = content.layer(Family::Oci, 1, 500);
    let image = content.image(Family::Oci, "linux/amd64", std::slice::from_ref(&layer));
    content.tag("v1", &image);
    let signature = content.signature(&image);
    let create =
        "print(json.dumps(ecr.create_repository(repositoryName='team/app')['repository']['repositoryName']))";
    assert_eq!(api.boto3(create).await, "team/app");
    Direct::new(api.ministack.host()).push("team/app", &content).await;

    let list = "pages = ecr.get_paginator('describe_images').paginate(repositoryName='team/app', PaginationConfig={'PageSize': 1})
print(json.dumps([[(i['imageDigest'], i.get('imageTags'), i.get('subjectManifestDigest')) for i in p['imageDetails']] for p in pages]))";
    let pages = api.boto3(list).await;
    let expected = json!([
        [[image.digest, ["v1"], null]],
        [[signature.digest, [], image.digest]]
    ]);
    assert_eq!(pages, expected);
    assert_eq!(api.front.requests("DescribeImages"), 2);

    let missing = oci::Digest::sha256(b"missing");
    let look = format!(
        "layers = ecr.batch_check_layer_availability(repositoryName='team/app', layerDigests=['{}', '{missing}'])['layers']
print(json.dumps([layer['layerAvailability'] for layer in layers]))",
        layer.digest
    );
    assert_eq!(api.boto3(&look).await, json!(["AVAILABLE", "UNAVAILABLE"]));
    assert_eq!(api.front.callers().into_iter().collect::<Vec<_>>(), ["testing"]);
}

#[tokio::test]
async fn more_than_the_api_takes_at_once_is_an_error_and_so_is_what_is_denied() {
    let denied = |operation: &str, input: &Value| {
        operation == "CreateRepository" && input["repositoryName"] == "no/way"
    };
    let rules = EcrApiRules {
        denied: Some(Arc::new(denied)),
        ..EcrApiRules::default()
    };
    let Some(api) = Api::start(rules).await else {
        return;
    };
    let script = "
def refused(call, **input):
    try:
        call(**input)
    except ecr.exceptions.ClientError as error:
        return [error.response['Error']['Code'], error.response['Error']['Message'].split(' because')[0]]
ecr.create_repository(repositoryName='team/app')
print(json.dumps([
  refused(ecr.batch_check_layer_availability, repositoryName='team/app', layerDigests=['sha256:' + '0' * 64] * 101)[0],
  refused(ecr.describe_images, repositoryName='no/where')[0],
  refused(ecr.create_repository, repositoryName='no/way'),
]))";
    let expected = json!([
        "InvalidParameterException",
        "RepositoryNotFoundException",
        [
            "AccessDeniedException",
            "User: arn:aws:sts::000000000000:assumed-role/ci/transship is not authorized to perform: ecr:CreateRepository on \
             resource: arn:aws:ecr:eu-west-1:000000000000:repository/no/way"
        ],
    ]);
    assert_eq!(api.boto3(script).await, expected);
}

#[tokio::test]
async fn a_password_is_good_until_it_has_ended() {
    let script = "import base64
data = ecr.get_authorization_token()['authorizationData'][0]
print(json.dumps(base64.b64decode(data['authorizationToken']).decode()))";
    for (life, verdict) in [(None, Verdict::Good), (Some(Duration::ZERO), Verdict::Expired)] {
        let rules = EcrApiRules {
            password_life: life,
            ..EcrApiRules::default()
        };
        let Some(api) = Api::start(rules).await else {
            return;
        };
        let pair = api.boto3(script).await;
        let password = pair
            .as_str()
            .and_then(|pair| pair.strip_prefix("AWS:"))
            .expect("a password");
        let judge = api.front.verifier();
        assert_eq!((judge(password), judge("another")), (verdict, Verdict::Unknown));
    }
}
