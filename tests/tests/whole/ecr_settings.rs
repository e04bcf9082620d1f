//! Repositories that stand already: settings that drifted, and tags that can't be moved.

use serde_json::{Value, json};
use testkit::push::Direct;

use crate::ecr::Account;
use crate::site::single;

const WANTED: &str = "tag_mutability: immutable, scan_on_push: true, encryption: kms, tags: { team: base }";

async fn settings(account: &Account) -> Value {
    account
        .boto3(
            "found = ecr.describe_repositories(repositoryNames=['mirror/app'])['repositories'][0]
tags = ecr.list_tags_for_resource(resourceArn=found['repositoryArn'])['tags']
print(json.dumps({
  'mutability': found['imageTagMutability'], 'scan': found['imageScanningConfiguration']['scanOnPush'],
  'encryption': found['encryptionConfiguration']['encryptionType'],
  'tags': {tag['Key']: tag['Value'] for tag in tags},
}))",
        )
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_that_drifted_are_told_and_changed_where_that_is_said() {
    let Some(account) = Account::open().await else {
        return;
    };
    let content = single("v1", 1, 3_000);
    account.seed(&[("team/app", &content)]).await;
    account
        .boto3("ecr.create_repository(repositoryName='mirror/app', tags=[{'Key': 'cost', 'Value': '7'}, {'Key': 'team', 'Value': 'web'}])")
        .await;
    let before = settings(&account).await;

    let mirrors = [("origin/team/app", "ecr/mirror/app")];
    account.configure(&format!("create_repositories: {{ {WANTED} }}"), &mirrors);
    let told = [
        "note: ecr/mirror/app: tag_mutability is mutable, and immutable in the configuration; `on_drift: update` would change it",
        "note: ecr/mirror/app: scan_on_push is false, and true in the configuration; `on_drift: update` would change it",
        "note: ecr/mirror/app: tags is team=web, and team=base in the configuration; `on_drift: update` would change it",
    ];
    let never = "note: ecr/mirror/app: encryption is aes256, and kms in the configuration; only a new repository could have it";
    let planned = account
        .plan(0, &[&told[..], &[never, "+ ecr/mirror/app:v1"]].concat())
        .await;
    assert!(!planned.contains("~ ecr/mirror/app (repository)"), "{}", planned);
    account.apply(0).await;
    account.assert_serves("mirror/app", &content).await;
    assert_eq!(settings(&account).await, before, "nobody asked for a change");
    let kept = account.assert_settled().await;
    assert!(kept.contains(told[0]) && kept.contains(never), "{kept}");

    account.configure(
        &format!("create_repositories: {{ {WANTED}, on_drift: update }}"),
        &mirrors,
    );
    let planned = account
        .plan(0, &["~ ecr/mirror/app (repository)", never, "1 to update"])
        .await;
    for change in [
        "tag_mutability mutable -> immutable",
        "scan_on_push false -> true",
        "tags team=web -> team=base",
    ] {
        assert!(planned.contains(change), "{change} is not in:\n{planned}");
    }
    assert!(!planned.contains("encryption aes256 -> kms"), "{}", planned);
    let kinds = account.json("plan.json")["ops"].clone();
    let kinds: Vec<_> = kinds
        .as_array()
        .into_iter()
        .flatten()
        .map(|op| op["kind"].clone())
        .collect();
    assert_eq!(kinds, ["update_repository"]);
    let report = account.apply(0).await;
    assert_eq!(report["ops"]["done"], 1, "{report}");
    assert_eq!(
        settings(&account).await,
        json!({
            "mutability": "IMMUTABLE", "scan": true, "encryption": "AES256", "tags": { "cost": "7", "team": "base" },
        })
    );
    assert!(account.assert_settled().await.contains(never));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_immutable_tag_that_differs_is_blocked_and_all_else_lands() {
    let Some(account) = Account::open().await else {
        return;
    };
    let mut content = single("v1", 1, 3_000);
    content.tags.extend(single("v2", 2, 3_000).tags);
    let second = single("v2", 2, 3_000);
    content.blobs.extend(second.blobs);
    content.manifests.extend(second.manifests);
    account.seed(&[("team/app", &content)]).await;
    account
        .boto3("ecr.create_repository(repositoryName='mirror/app', imageTagMutability='IMMUTABLE')")
        .await;
    let standing = single("v1", 9, 3_000);
    Direct::new(account.ministack.host())
        .push("mirror/app", &standing)
        .await;

    account.configure("", &[("origin/team/app", "ecr/mirror/app")]);
    account
        .plan(
            1,
            &[
                "! ecr/mirror/app:v1: ",
                "immutable",
                "+ ecr/mirror/app:v2",
                "; 1 blocked.",
            ],
        )
        .await;
    let blocked = &account.json("plan.json")["blocked"];
    assert_eq!(blocked.as_array().map(Vec::len), Some(1), "{blocked}");
    assert_eq!(
        (&blocked[0]["kind"], &blocked[0]["tag"]),
        (&json!("immutable"), &json!("v1")),
        "{blocked}"
    );
    let report = account.apply(1).await;
    assert_eq!(
        (&report["outcome"], &report["exit_code"]),
        (&json!("partial"), &json!(1)),
        "{report}"
    );
    assert_eq!(
        (report["failures"].clone(), report["tags"]["written"].clone()),
        (json!([]), json!(1))
    );
    assert_eq!(report["blocked"][0]["kind"], "immutable");

    let mut expected = content.clone();
    expected.tags.extend(standing.tags);
    expected.manifests.extend(standing.manifests);
    account.assert_serves("mirror/app", &expected).await;
}
