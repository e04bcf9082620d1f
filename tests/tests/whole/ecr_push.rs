//! What is pushed to ECR, and read from it.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;
use testkit::binary::{Sandbox, finish};
use testkit::front::Operation;
use testkit::front::ecr::EcrRules;
use testkit::front::ecr_api::EcrApiRules;
use testkit::image::{Content, Family};
use testkit::push::Direct;

use crate::ecr::{Account, LIFECYCLE};
use crate::site::{family, named_blobs, once, single};

const FAMILY: [(&str, &str); 3] = [
    ("origin/team/base", "ecr/mirror/base"),
    ("origin/team/app", "ecr/mirror/app"),
    ("origin/team/tool", "ecr/mirror/tool"),
];

async fn seed_family(account: &Account) -> Vec<(&'static str, Content)> {
    let family = family();
    let repositories: Vec<_> = family.iter().map(|(name, content)| (*name, content)).collect();
    account.seed(&repositories).await;
    family
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn repositories_are_made_as_configured_filled_and_settled() {
    let rules = EcrRules {
        put_image_rate: Some(5),
        immutable_tags: true,
        ..EcrRules::default()
    };
    let Some(account) = Account::open_with(EcrApiRules::default(), rules).await else {
        return;
    };
    let family = seed_family(&account).await;
    let settings = format!(
        "create_repositories: {{ tag_mutability: immutable, scan_on_push: true, tags: {{ team: base }}, lifecycle_policy: {LIFECYCLE} }}, \
         profile: {{ rates: {{ put_manifest: 5 }} }}"
    );
    account.configure(&settings, &FAMILY);
    let texts = [
        "+ ecr/mirror/app (repository)",
        "+ ecr/mirror/base (repository)",
        "+ ecr/mirror/tool (repository)",
        "3 repositories to create",
        "quota: ecr takes at least ",
        " manifests at 5 a second",
    ];
    account.plan(0, &texts).await;
    assert_eq!(
        account
            .boto3("print(json.dumps(ecr.describe_repositories()['repositories']))")
            .await,
        json!([])
    );

    let report = account.apply(0).await;
    assert_eq!(report["outcome"], "succeeded");
    assert_eq!(account.front.tally().throttled(Operation::PutManifest), 0);
    for (name, content) in &family {
        let repository = name.replace("team/", "mirror/");
        assert_made_as_configured(&account, &repository).await;
        account.assert_serves(&repository, content).await;
        let direct = Direct::new(account.ministack.host());
        for digest in named_blobs(content) {
            let blob = direct.blob(&repository, &digest).await;
            assert_eq!(blob.as_ref(), content.blobs.get(&digest), "{repository} {digest}");
        }
    }
    assert_sent_once_and_mounted(&account, &family);
    account.assert_settled().await;
    let again = account.apply(0).await;
    assert_eq!(again["tags"]["written"], 0, "{again}");
}

async fn assert_made_as_configured(account: &Account, repository: &str) {
    let told = account
        .boto3(&format!(
            "found = ecr.describe_repositories(repositoryNames=['{repository}'])['repositories'][0]
print(json.dumps({{
  'mutability': found['imageTagMutability'], 'scan': found['imageScanningConfiguration']['scanOnPush'],
  'tags': ecr.list_tags_for_resource(resourceArn=found['repositoryArn'])['tags'],
  'lifecycle': json.loads(ecr.get_lifecycle_policy(repositoryName='{repository}')['lifecyclePolicyText']),
}}))"
        ))
        .await;
    let lifecycle: serde_json::Value = serde_json::from_str(LIFECYCLE).expect("it is JSON");
    let wanted = json!({
        "mutability": "IMMUTABLE", "scan": true, "tags": [{ "Key": "team", "Value": "base" }], "lifecycle": lifecycle,
    });
    assert_eq!(told, wanted, "{repository}");
}

/// The front mounts what a manifest names that was put, and opens an upload for anything else.
fn assert_sent_once_and_mounted(account: &Account, family: &[(&'static str, Content)]) {
    let exchanges = account.proxy.exchanges();
    let needed: BTreeSet<_> = family
        .iter()
        .flat_map(|(_, content)| named_blobs(content))
        .collect();
    assert_eq!(exchanges.blob_sends_to_registry(), once(needed.iter().cloned()));
    let mounts = exchanges.mounts();
    assert!(mounts.iter().all(|mount| mount.status == 201), "{mounts:#?}");
    let pairs: usize = family.iter().map(|(_, content)| named_blobs(content).len()).sum();
    assert_eq!(
        mounts.len(),
        pairs - needed.len(),
        "each but the first of a blob is mounted"
    );
}

/// Two manifests a second make a run that outlives several passwords.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_that_ends_in_the_middle_is_renewed() {
    const LIFE: Duration = Duration::from_secs(3);
    let rules = EcrApiRules {
        password_life: Some(LIFE),
        ..EcrApiRules::default()
    };
    let Some(account) = Account::open_with(rules, EcrRules::default()).await else {
        return;
    };
    let family = seed_family(&account).await;
    account.configure("profile: { rates: { put_manifest: 2 } }", &FAMILY);
    account.plan(0, &["3 repositories to create"]).await;
    let before = account.api.requests("GetAuthorizationToken");
    let report = account.apply(0).await;
    assert_eq!(report["outcome"], "succeeded");
    for (name, content) in &family {
        account
            .assert_serves(&name.replace("team/", "mirror/"), content)
            .await;
    }
    let lasted = report["elapsed_seconds"].as_f64().expect("a run takes time");
    let asked = account.api.requests("GetAuthorizationToken") - before;
    assert!(
        lasted > 2.0 * LIFE.as_secs_f64(),
        "{lasted} s outlive no password"
    );
    assert!(asked >= 3, "{asked} passwords for {lasted} s");
    // The API says when a password ends in whole seconds, a tenth before that it is renewed: once, however many wait for it.
    assert!(
        asked as f64 <= 1.0 + lasted / 1.8 + 1.0,
        "{asked} passwords for {lasted} s"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_layer_goes_in_parts_and_comes_back_by_signed_addresses() {
    let Some(account) = Account::open().await else {
        return;
    };
    let large = single("v1", 3, 12 << 20);
    account.seed(&[("team/large", &large)]).await;
    let parts = "profile: { upload: chunked, whole_up_to: 6MiB, chunk: 5MiB }";
    account.configure(parts, &[("origin/team/large", "ecr/mirror/large")]);
    account.plan(0, &["+ ecr/mirror/large:v1"]).await;
    account.apply(0).await;
    assert_eq!(account.front.tally().requests(Operation::SendChunk), 3);
    account.assert_serves("mirror/large", &large).await;

    account.configure(parts, &[("ecr/mirror/large", "origin/back/large")]);
    account.plan(0, &["+ origin/back/large:v1"]).await;
    account.apply(0).await;
    let back = Direct::new(account.origin.host());
    for digest in named_blobs(&large) {
        assert_eq!(
            back.blob("back/large", &digest).await.as_ref(),
            large.blobs.get(&digest)
        );
    }
    let statuses = account.front.downloads();
    assert!(
        statuses.len() >= 2 && statuses.iter().all(|status| *status == 200),
        "{statuses:?}"
    );
    account.assert_settled().await;
}

/// Both plans are made while there is no repository: whoever is second finds that it exists.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_runs_that_create_the_same_repository_at_once_both_succeed() {
    let Some(account) = Account::open().await else {
        return;
    };
    let mut content = single("v1", 1, 30_000);
    let layer = content.layer(Family::Oci, 2, 40_000);
    let image = content.image(Family::Oci, "linux/amd64", &[layer]);
    content.tag("v2", &image);
    account.seed(&[("team/app", &content)]).await;
    account.configure(
        "create_repositories: { scan_on_push: true }",
        &[("origin/team/app", "ecr/mirror/app")],
    );
    account.plan(0, &["+ ecr/mirror/app (repository)"]).await;
    let apply = ["apply", "plan.json"];
    let sandbox: &Sandbox = &account.sandbox;
    let [one, two] = [(), ()].map(|()| sandbox.command(&apply).spawn().expect("the binary can be run"));
    let (one, two) = tokio::join!(finish(one, &apply), finish(two, &apply));
    let (_, _) = (one.expect(0), two.expect(0));
    assert_eq!(account.api.requests("CreateRepository"), 2, "both tried");
    account.assert_serves("mirror/app", &content).await;
    account.assert_settled().await;
}
