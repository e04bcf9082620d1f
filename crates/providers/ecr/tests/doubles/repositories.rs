//! Repositories that are made, measured and changed; read back by Amazon's own client.

use planner::config::Auth;
use planner::{Change, Immutable};
use provider::{Ensured, Lister, Provider};
use serde_json::{Value, json};

use crate::inside::{boto3, in_moto, provider};

fn lifecycle(days: u32) -> Value {
    json!({ "rules": [{
        "rulePriority": 1, "description": "untagged images go", "action": { "type": "expire" },
        "selection": {
            "tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": days,
        },
    }]})
}

fn policy() -> Value {
    json!({ "Version": "2012-10-17", "Statement": [{
        "Sid": "pull", "Effect": "Allow", "Principal": { "AWS": "arn:aws:iam::210987654321:root" },
        "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
    }]})
}

fn everything() -> Value {
    json!({
        "on_drift": "update", "tag_mutability": "immutable", "mutability_exclusions": ["latest*", "dev-*"],
        "scan_on_push": true, "encryption": "kms", "kms_key": "arn:aws:kms:eu-west-1:123456789012:key/k",
        "tags": { "team": "base" }, "lifecycle_policy": lifecycle(7), "repository_policy": policy(),
    })
}

const DESCRIBE: &str = "
found = ecr.describe_repositories(repositoryNames=['base/redis'])['repositories'][0]
print(json.dumps({
  'mutability': found['imageTagMutability'],
  'filters': sorted(f['filter'] for f in found.get('imageTagMutabilityExclusionFilters', [])),
  'scan': found['imageScanningConfiguration']['scanOnPush'],
  'encryption': found['encryptionConfiguration'],
  'tags': ecr.list_tags_for_resource(resourceArn=found['repositoryArn'])['tags'],
  'lifecycle': json.loads(ecr.get_lifecycle_policy(repositoryName='base/redis')['lifecyclePolicyText']),
  'policy': json.loads(ecr.get_repository_policy(repositoryName='base/redis')['policyText']),
}))";

async fn described() -> Value {
    serde_json::from_str(&boto3(DESCRIBE).await).unwrap()
}

#[tokio::test]
async fn a_repository_is_made_with_every_setting() {
    in_moto("repositories::a_repository_is_made_with_every_setting", async {
        let provider = provider(Auth::default());
        let (redis, settings) = ("base/redis".parse().unwrap(), everything());
        assert_eq!(provider.find_repository(&redis, Some(&settings)).await.unwrap(), None);
        let ensured = provider.ensure_repository(&redis, Some(&settings)).await.unwrap();
        assert_eq!(ensured, Ensured::Created);
        assert_eq!(
            described().await,
            json!({
                "mutability": "IMMUTABLE_WITH_EXCLUSION", "filters": ["dev-*", "latest*"], "scan": true,
                "encryption": { "encryptionType": "KMS", "kmsKey": "arn:aws:kms:eu-west-1:123456789012:key/k" },
                "tags": [{ "Key": "team", "Value": "base" }], "lifecycle": lifecycle(7), "policy": policy(),
            })
        );
        let standing = provider.find_repository(&redis, Some(&settings)).await.unwrap().unwrap();
        assert_eq!(standing.drift, []);
        let mut exclusions = match standing.immutable {
            Immutable::Except(exclusions) => exclusions,
            other => panic!("{other:?}"),
        };
        exclusions.sort();
        assert_eq!(exclusions, ["dev-*", "latest*"]);
        assert_eq!(
            provider.repositories().await.unwrap().unwrap(),
            ["base/redis".parse().unwrap()]
        );
    })
    .await;
}

#[tokio::test]
async fn a_repository_without_settings_is_amazons_to_choose() {
    in_moto(
        "repositories::a_repository_without_settings_is_amazons_to_choose",
        async {
            let provider = provider(Auth::default());
            let redis = "base/redis".parse().unwrap();
            provider.ensure_repository(&redis, None).await.unwrap();
            let standing = provider.find_repository(&redis, None).await.unwrap().unwrap();
            assert_eq!(standing.immutable, Immutable::None);
            assert_eq!(standing.drift, []);
        },
    )
    .await;
}

#[tokio::test]
async fn two_that_make_it_at_once_both_succeed() {
    in_moto("repositories::two_that_make_it_at_once_both_succeed", async {
        let redis = "base/redis".parse().unwrap();
        let (ours, theirs) = (provider(Auth::default()), provider(Auth::default()));
        let settings = json!({ "tags": { "team": "base" } });
        let (one, two) = tokio::join!(
            ours.ensure_repository(&redis, Some(&settings)),
            theirs.ensure_repository(&redis, Some(&settings)),
        );
        let ended = [one.unwrap(), two.unwrap()];
        assert!(
            ended.contains(&Ensured::Created) && ended.contains(&Ensured::Existed),
            "{ended:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn settings_that_drifted_are_shown_and_changed_where_they_can_be() {
    let test = "repositories::settings_that_drifted_are_shown_and_changed_where_they_can_be";
    in_moto(test, async {
        boto3(
            "ecr.create_repository(repositoryName='base/redis', tags=[{'Key': 'cost', 'Value': '7'}, {'Key': 'team', 'Value': 'web'}])
ecr.set_repository_policy(repositoryName='base/redis', policyText=json.dumps({'Version': '2012-10-17', 'Statement': [
  {'Sid': 'pull', 'Effect': 'Deny', 'Principal': '*', 'Action': 'ecr:BatchGetImage'}]}))",
        )
        .await;
        let provider = provider(Auth::default());
        let (redis, settings) = ("base/redis".parse().unwrap(), everything());
        let lines = async || -> Vec<String> {
            let standing = provider.find_repository(&redis, Some(&settings)).await.unwrap().unwrap();
            let line = |drift: planner::Drift| {
                let never = if drift.change == Change::Never { " (never)" } else { "" };
                format!("{}: {} -> {}{never}", drift.setting, drift.found, drift.wanted)
            };
            standing.drift.into_iter().map(line).collect()
        };
        let never = [
            "encryption: aes256 -> kms (never)",
            "kms_key: none -> arn:aws:kms:eu-west-1:123456789012:key/k (never)",
        ];
        assert_eq!(
            lines().await,
            [
                "tag_mutability: mutable -> immutable",
                "mutability_exclusions: none -> dev-*, latest*",
                "scan_on_push: false -> true",
                never[0],
                never[1],
                "tags: team=web -> team=base",
                "lifecycle_policy: none -> 1 rule",
                "repository_policy: 1 statement -> 1 statement, of other words",
            ]
        );
        provider.update_repository(&redis, Some(&settings)).await.unwrap();
        assert_eq!(lines().await, never);
        let described = described().await;
        assert_eq!(described["mutability"], "IMMUTABLE_WITH_EXCLUSION");
        assert_eq!(described["policy"], policy());
        let tags = described["tags"].to_string();
        assert!(tags.contains("cost") && tags.contains("base"), "{tags}");
    })
    .await;
}

#[tokio::test]
async fn what_was_excluded_from_a_rule_is_not_excluded_from_its_opposite() {
    let test = "repositories::what_was_excluded_from_a_rule_is_not_excluded_from_its_opposite";
    in_moto(test, async {
        boto3(
            "ecr.create_repository(repositoryName='base/redis', imageTagMutability='IMMUTABLE_WITH_EXCLUSION',
  imageTagMutabilityExclusionFilters=[{'filterType': 'WILDCARD', 'filter': 'latest*'}])",
        )
        .await;
        let provider = provider(Auth::default());
        let (redis, settings) = (
            "base/redis".parse().unwrap(),
            json!({ "on_drift": "update", "tag_mutability": "mutable" }),
        );
        provider.update_repository(&redis, Some(&settings)).await.unwrap();
        let standing = provider
            .find_repository(&redis, Some(&settings))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(standing.immutable, Immutable::None);
        assert_eq!(standing.drift, []);
    })
    .await;
}
