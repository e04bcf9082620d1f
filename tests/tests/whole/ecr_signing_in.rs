//! Identities that STS lends, from the configuration or from where the binary runs.

use std::collections::BTreeSet;

use serde_json::json;
use testkit::moto::Moto;
use testkit::python;

use crate::ecr::Account;
use crate::site::single;

const ROLE: &str = "arn:aws:iam::123456789012:role/mirror";

/// Asks moto itself; `call` posts to it.
async fn ask(moto: &Moto, script: &str) -> String {
    let call = r#"
import base64, json, os, urllib.request
def call(path, data=None):
    request = urllib.request.Request(os.environ["URL"] + "/moto-api/recorder/" + path, data, {"Content-Type": "text/plain"})
    return urllib.request.urlopen(request).read().decode()
"#;
    python::run(&format!("{call}{script}"), &[("URL", moto.url())]).await
}

async fn record(moto: &Moto) {
    ask(moto, "call('reset-recording', b''); call('start-recording', b'')").await;
}

/// Returns the bodies of what moto was asked.
async fn recorded(moto: &Moto) -> String {
    ask(
        moto,
        "for line in call('download-recording').splitlines():
    asked = json.loads(line)
    print(base64.b64decode(asked['body']).decode() if asked['body_encoded'] else asked['body'])",
    )
    .await
}

/// Mirrors an image into a repository that is made for it.
async fn mirror(account: &Account) {
    let content = single("v1", 1, 3_000);
    account.seed(&[("team/app", &content)]).await;
    account.plan(0, &["+ ecr/mirror/app (repository)"]).await;
    let report = account.apply(0).await;
    assert_eq!(report["tags"]["written"], json!(1));
    account.assert_serves("mirror/app", &content).await;
    account.assert_settled().await;
}

/// Every request of the API was signed by keys that STS has lent.
fn assert_lent(account: &Account) {
    let callers: BTreeSet<String> = account.api.callers();
    assert!(
        !callers.is_empty() && callers.iter().all(|caller| caller.starts_with("ASIA")),
        "{callers:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_is_assumed_with_its_external_id() {
    let Some(mut account) = Account::open().await else {
        return;
    };
    let moto = Moto::start().await;
    record(&moto).await;
    account.sandbox.set("AWS_ENDPOINT_URL_STS", moto.url());
    let auth = format!(
        "role_arn: \"{ROLE}\", external_id: tenant-7, endpoint: \"{}\"",
        account.api.url()
    );
    account.configure_as(&auth, "", &[("origin/team/app", "ecr/mirror/app")]);
    mirror(&account).await;
    assert_lent(&account);
    let recorded = recorded(&moto).await;
    let assumed = recorded
        .lines()
        .filter(|line| line.contains("Action=AssumeRole&"))
        .collect::<Vec<_>>();
    assert!(
        !assumed.is_empty() && assumed.iter().all(|line| line.contains("ExternalId=tenant-7")),
        "{recorded}"
    );
}

/// IRSA: a role and a file with the token for it, as EKS puts them into a pod's environment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pod_signs_in_with_its_web_identity_token() {
    let Some(mut account) = Account::open().await else {
        return;
    };
    let moto = Moto::start().await;
    record(&moto).await;
    let token = account.sandbox.write("token", "a.web.token");
    account
        .sandbox
        .set("AWS_WEB_IDENTITY_TOKEN_FILE", &token.display().to_string());
    account.sandbox.set("AWS_ROLE_ARN", ROLE);
    account.sandbox.set("AWS_ENDPOINT_URL_STS", moto.url());
    account.sandbox.unset("AWS_ACCESS_KEY_ID");
    account.sandbox.unset("AWS_SECRET_ACCESS_KEY");
    account.configure("", &[("origin/team/app", "ecr/mirror/app")]);
    mirror(&account).await;
    assert_lent(&account);
    let recorded = recorded(&moto).await;
    assert!(
        recorded.contains("Action=AssumeRoleWithWebIdentity") && recorded.contains("a.web.token"),
        "{recorded}"
    );
}
