//! Permissions that are missing.

use std::sync::Arc;

use serde_json::{Value, json};
use testkit::front::ecr::{EcrRules, Verdict};
use testkit::front::ecr_api::EcrApiRules;
use testkit::moto::Moto;
use testkit::python;

use crate::ecr::Account;
use crate::site::{family, single};

/// Returns the one root cause of a report.
fn root_cause(report: &Value) -> Value {
    let failures = report["failures"].as_array().expect("failures are a list");
    assert_eq!(failures.len(), 1, "{report:#}");
    failures[0].clone()
}

fn assert_hints(cause: &Value, parts: &[&str]) {
    let hint = cause["hint"].as_str().expect("there is a hint");
    for part in parts {
        assert!(hint.contains(part), "{part} is not in {hint}");
    }
}

/// The repository that is denied shares its blobs with the others, and comes first among them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repository_that_may_not_be_created_costs_what_depends_on_it() {
    let rules = EcrApiRules {
        denied: Some(Arc::new(|operation, input| {
            operation == "CreateRepository" && input["repositoryName"] == "mirror/app"
        })),
        ..EcrApiRules::default()
    };
    let Some(account) = Account::open_with(rules, EcrRules::default()).await else {
        return;
    };
    let family = family();
    let repositories: Vec<_> = family.iter().map(|(name, content)| (*name, content)).collect();
    account.seed(&repositories).await;
    account.configure(
        "profile: { rates: { put_manifest: 1000 } }",
        &[
            ("origin/team/app", "ecr/mirror/app"),
            ("origin/team/base", "ecr/mirror/base"),
            ("origin/team/tool", "ecr/mirror/tool"),
        ],
    );
    account.plan(0, &["3 repositories to create"]).await;
    let report = account.apply(77).await;
    assert_eq!(
        (&report["outcome"], &report["exit_code"]),
        (&json!("partial"), &json!(77))
    );
    let cause = root_cause(&report);
    assert_eq!(
        json!([
            cause["kind"],
            cause["side"],
            cause["registry"],
            cause["repository"]
        ]),
        json!(["permission", "target", "ecr", "mirror/app"])
    );
    assert_hints(
        &cause,
        &[
            "arn:aws:sts::000000000000:assumed-role/ci/transship lacks ecr:CreateRepository",
            r#"{"Action":["ecr:CreateRepository"],"Effect":"Allow","Resource":"arn:aws:ecr:eu-west-1:000000000000:repository/mirror/app"}"#,
        ],
    );
    for (name, content) in family.iter().filter(|(name, _)| *name != "team/app") {
        account
            .assert_serves(&name.replace("team/", "mirror/"), content)
            .await;
    }
    let names = account
        .boto3("print(json.dumps(sorted(r['repositoryName'] for r in ecr.describe_repositories()['repositories'])))")
        .await;
    assert_eq!(names, json!(["mirror/base", "mirror/tool"]));
}

const ACCOUNT_OF_MOTO: &str = r#"
import boto3, json, urllib.request
boto3.client('ecr').create_repository(repositoryName='mirror/base')
iam = boto3.client('iam')
iam.create_user(UserName='ci')
iam.put_user_policy(UserName='ci', PolicyName='push', PolicyDocument=json.dumps({'Version': '2012-10-17', 'Statement': [
  {'Effect': 'Allow', 'Action': 'ecr:*', 'Resource': '*'},
  {'Effect': 'Deny', 'Action': 'ecr:CreateRepository', 'Resource': '*'}]}))
key = iam.create_access_key(UserName='ci')['AccessKey']
urllib.request.urlopen(urllib.request.Request(os.environ['AWS_ENDPOINT_URL'] + '/moto-api/reset-auth', b'0',
                                              {'Content-Type': 'text/plain'}))
print(json.dumps([key['AccessKeyId'], key['SecretAccessKey']]))
"#;

/// moto decides by policies who may do what, and has no registry; ministack's stands in for that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_without_creation_is_told_by_motos_own_authorization() {
    let password = |password: &str| match password {
        "123456789012-auth-token" => Verdict::Good,
        _ => Verdict::Unknown,
    };
    let rules = EcrRules {
        password: Some(Arc::new(password)),
        ..EcrRules::default()
    };
    let Some(mut account) = Account::open_with(EcrApiRules::default(), rules).await else {
        return;
    };
    let moto = Moto::start().await;
    let keys = python::run(&format!("import os\n{ACCOUNT_OF_MOTO}"), &moto.environment()).await;
    let [id, secret]: [String; 2] = serde_json::from_str(&keys).expect("the script prints two keys");
    account.sandbox.set("AWS_ACCESS_KEY_ID", &id);
    account.sandbox.set("AWS_SECRET_ACCESS_KEY", &secret);
    account
        .boto3("ecr.create_repository(repositoryName='mirror/base')")
        .await;
    let (base, new) = (single("v1", 1, 3_000), single("v1", 2, 3_000));
    account.seed(&[("team/base", &base), ("team/new", &new)]).await;
    account.configure_as(
        &format!("endpoint: \"{}\"", moto.url()),
        "",
        &[
            ("origin/team/base", "ecr/mirror/base"),
            ("origin/team/new", "ecr/mirror/new"),
        ],
    );
    account
        .plan(0, &["+ ecr/mirror/new (repository)", "1 repositories to create"])
        .await;
    let report = account.apply(77).await;
    let cause = root_cause(&report);
    assert_eq!(
        json!([cause["kind"], cause["repository"]]),
        json!(["permission", "mirror/new"])
    );
    assert_hints(
        &cause,
        &[
            "arn:aws:iam::123456789012:user/ci lacks ecr:CreateRepository",
            "repository/mirror/new",
        ],
    );
    account.assert_serves("mirror/base", &base).await;
    assert_eq!(account.api.asked().len(), 0, "moto alone was asked");
}
