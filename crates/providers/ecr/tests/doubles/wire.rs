//! ministack: the control plane and the registry in one, so that what one makes the other has.

use std::collections::BTreeMap;
use std::env;

use oci::{Digest, Tag};
use planner::Subject;
use planner::config::Auth;
use provider::{Lister, Listing, Provider};
use serde_json::json;
use testkit::image::{Content, Family};
use testkit::ministack::Ministack;
use testkit::push::Direct;
use testkit::software::{Need, need, need_python, skopeo_raw};

use crate::inside::{World, boto3, inside};

#[tokio::test]
async fn what_was_pushed_into_a_repository_of_ours_is_listed() {
    let test = "wire::what_was_pushed_into_a_repository_of_ours_is_listed";
    if inside(test) {
        return body().await;
    }
    if need_python("ministack") == Need::Skip || need("skopeo") == Need::Skip {
        return;
    }
    let ministack = Ministack::start().await;
    World::of(ministack.environment()).run(test).await;
}

async fn body() {
    let url = env::var("AWS_ENDPOINT_URL").unwrap();
    let host = url.strip_prefix("http://").unwrap();
    let provider = provider_of_ministack();
    let (repository, settings) = (
        "team/app".parse().unwrap(),
        json!({ "scan_on_push": true, "tags": { "team": "base" } }),
    );
    assert_eq!(provider.inventory(&repository).await.unwrap(), Listing::Absent);
    provider
        .ensure_repository(&repository, Some(&settings))
        .await
        .unwrap();
    let standing = provider
        .find_repository(&repository, Some(&settings))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(standing.drift, []);

    let mut content = Content::new();
    let layer = content.layer(Family::Oci, 1, 2_000);
    let image = content.image(Family::Oci, "linux/amd64", std::slice::from_ref(&layer));
    let index = content.index(Family::Oci, std::slice::from_ref(&image));
    let docker = content.image(Family::Docker, "linux/amd64", &[layer]);
    content.tag("v1", &index);
    content.tag("latest", &index);
    content.tag("docker", &docker);
    Direct::new(host).push("team/app", &content).await;

    let Listing::Inventory(inventory) = provider.inventory(&repository).await.unwrap() else {
        panic!("it is listed");
    };
    assert_eq!(*inventory.tags(), content.tags);
    for (tag, digest) in inventory.tags() {
        let seen = Digest::sha256(&skopeo_raw(host, "team/app", tag.as_str()).await);
        assert_eq!(seen, *digest, "{tag}");
    }
    let listed = inventory.manifests().unwrap();
    for manifest in &content.manifests {
        let found = &listed[&manifest.digest];
        assert_eq!(found.media_type.as_ref(), Some(&manifest.media_type));
        assert_eq!(found.subject, Subject::None);
    }
    assert_eq!(told_by_boto3().await, content.tags);
}

fn provider_of_ministack() -> transship_ecr::EcrProvider {
    // Its account is another than that of moto.
    let auth = Auth {
        region: Some("eu-west-1".to_owned()),
        ..Auth::default()
    };
    let setup = crate::inside::setup("127.0.0.1:5000", auth);
    transship_ecr::EcrProvider::new(setup).unwrap()
}

async fn told_by_boto3() -> BTreeMap<Tag, Digest> {
    let told = boto3(
        "print(json.dumps({tag: image['imageDigest'] for image in ecr.describe_images(repositoryName='team/app')['imageDetails'] \
         for tag in image.get('imageTags', [])}))",
    )
    .await;
    serde_json::from_str(&told).unwrap()
}
