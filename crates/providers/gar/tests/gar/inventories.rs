//! Everything that stands under an image's name.

use std::collections::BTreeMap;

use oci::{Digest, MediaType, Tag};
use planner::config::Auth;
use planner::{Inventory, Listed, Subject};
use provider::{Lister as _, Listing};
use testkit::google::artifact_registry::Image;
use transship_gar::GarProvider;

use crate::support::{BASE, Cloud, HOST, environment, setup};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

fn image(number: usize, tags: Vec<String>) -> Image {
    Image {
        digest: Digest::sha256(&number.to_be_bytes()).to_string(),
        media_type: MANIFEST.to_owned(),
        tags,
    }
}

fn expected(images: &[Image]) -> Listing {
    let digest = |image: &Image| image.digest.parse::<Digest>().unwrap();
    let tags: BTreeMap<Tag, Digest> = images
        .iter()
        .flat_map(|image| {
            image
                .tags
                .iter()
                .map(move |tag| (tag.parse().unwrap(), digest(image)))
        })
        .collect();
    let listed = Listed {
        media_type: Some(MediaType::new(MANIFEST)),
        subject: Subject::Untold,
    };
    let manifests = images
        .iter()
        .map(|image| (digest(image), listed.clone()))
        .collect();
    Listing::Inventory(Inventory::whole(tags, manifests))
}

#[tokio::test]
async fn twenty_images_with_five_thousand_tags_take_a_request_each() {
    let cloud = Cloud::start().await;
    let provider = cloud.provider();
    for name in 0..20 {
        let images: Vec<Image> = (0..250)
            .map(|number| image(number, vec![format!("v{number}")]))
            .collect();
        cloud
            .registry
            .add_images(BASE, &format!("team/app{name}"), images.clone());
        let path = format!("my-project/base/team/app{name}").parse().unwrap();
        assert_eq!(provider.inventory(&path).await.unwrap(), expected(&images));
    }
    assert_eq!(cloud.registry.asked().len(), 20);
    assert_eq!(cloud.identities.given(), 1);
}

#[tokio::test]
async fn pages_are_followed_to_their_end_and_untagged_manifests_are_listed() {
    let cloud = Cloud::start().await;
    cloud.registry.page_at_most(2);
    let images: Vec<Image> = (0..5)
        .map(|number| {
            image(
                number,
                if number == 3 {
                    Vec::new()
                } else {
                    vec![format!("v{number}")]
                },
            )
        })
        .collect();
    cloud.registry.add_images(BASE, "app", images.clone());
    let listing = cloud
        .provider()
        .inventory(&"my-project/base/app".parse().unwrap())
        .await;
    assert_eq!(listing.unwrap(), expected(&images));
    assert_eq!(cloud.registry.asked().len(), 3);
}

#[tokio::test]
async fn more_tags_than_a_version_tells_are_listed_by_themselves() {
    let cloud = Cloud::start().await;
    let many: Vec<String> = (0..250).map(|number| format!("build-{number}")).collect();
    let images = vec![image(1, many), image(2, vec!["latest".to_owned()])];
    cloud.registry.add_images(BASE, "app", images.clone());
    let listing = cloud
        .provider()
        .inventory(&"my-project/base/app".parse().unwrap())
        .await;
    assert_eq!(listing.unwrap(), expected(&images));
    assert_eq!(cloud.registry.asked().len(), 2);
}

#[tokio::test]
async fn an_image_that_nobody_pushed_is_absent() {
    let cloud = Cloud::start().await;
    let path = "my-project/base/app".parse().unwrap();
    assert_eq!(cloud.provider().inventory(&path).await.unwrap(), Listing::Absent);
}

#[tokio::test]
async fn what_the_api_does_not_list_to_us_is_left_to_the_protocol() {
    let path = "my-project/base/app".parse().unwrap();
    let reason = |listing| match listing {
        Listing::Unavailable(Some(reason)) => reason,
        other => panic!("{other:?}"),
    };

    let cloud = Cloud::start().await;
    cloud.registry.deny("artifactregistry.versions.list");
    let told = reason(cloud.provider().inventory(&path).await.unwrap());
    assert!(told.contains("lacks artifactregistry.versions.list"), "{told}");
    assert!(told.contains("--role=roles/artifactregistry.reader"), "{told}");

    let cloud = Cloud::start().await;
    cloud.registry.disable();
    let told = reason(cloud.provider().inventory(&path).await.unwrap());
    let command = "gcloud services enable artifactregistry.googleapis.com --project my-project";
    assert!(told.contains(command), "{told}");

    let anonymous = Auth {
        anonymous: Some(true),
        ..Auth::default()
    };
    let provider = GarProvider::new(setup(HOST, anonymous, environment(&[]))).unwrap();
    let told = reason(provider.inventory(&path).await.unwrap());
    assert!(told.contains("not signed in"), "{told}");

    let provider = cloud.provider_at("registry.example");
    let told = reason(provider.inventory(&path).await.unwrap());
    assert!(told.contains("location: europe-west1"), "{told}");
}

#[tokio::test]
async fn another_host_is_listed_where_its_location_is_told() {
    let cloud = Cloud::start().await;
    let images = vec![image(1, vec!["v1".to_owned()])];
    cloud.registry.add_images(BASE, "app", images.clone());
    let provider = cloud.provider_at("127.0.0.1:5000").located("europe-west1");
    let listing = provider.inventory(&"my-project/base/app".parse().unwrap()).await;
    assert_eq!(listing.unwrap(), expected(&images));
}
