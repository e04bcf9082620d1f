//! Tags, repositories and referrers.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails it")]

mod support;

use oci::Digest;
use serde_json::{Value, json};
use support::{INDEX, World, code, header, json};
use transship_loopback::Options;

#[tokio::test]
async fn tags_come_in_order_and_page_by_page() {
    for world in World::both(Options::default()).await {
        for tag in ["b", "a", "C", "d"] {
            world.push_image("r/s", tag).await;
        }
        let list = json(world.get("/v2/r/s/tags/list").await).await;
        assert_eq!(list, json!({ "name": "r/s", "tags": ["C", "a", "b", "d"] }));
        let response = world.get("/v2/r/s/tags/list?n=2").await;
        assert_eq!(
            header(&response, "link"),
            "</v2/r/s/tags/list?n=2&last=a>; rel=\"next\""
        );
        assert_eq!(json(response).await["tags"], json!(["C", "a"]));
        let response = world.get("/v2/r/s/tags/list?n=2&last=a").await;
        assert!(!response.headers().contains_key("link"));
        assert_eq!(json(response).await["tags"], json!(["b", "d"]));
        assert_eq!(
            json(world.get("/v2/r/s/tags/list?last=b").await).await["tags"],
            json!(["d"])
        );
        let response = world.get("/v2/r/s/tags/list?n=0").await;
        assert!(!response.headers().contains_key("link"));
        assert_eq!(json(response).await["tags"], json!([]));
        assert_eq!(world.get("/v2/r/s/tags/list?n=many").await.status(), 400);
    }
}

#[tokio::test]
async fn a_registry_may_make_pages_smaller() {
    let world = World::memory(Options {
        page_size: Some(2),
        ..Options::default()
    })
    .await;
    for tag in ["a", "b", "c", "d", "e"] {
        world.push_image("r", tag).await;
    }
    let pages = pages(&world, "/v2/r/tags/list?n=100", "tags").await;
    assert_eq!(pages, [json!(["a", "b"]), json!(["c", "d"]), json!(["e"])]);
}

#[tokio::test]
async fn a_repository_that_is_not_there_has_no_tags() {
    for world in World::both(Options::default()).await {
        let response = world.get("/v2/r/tags/list").await;
        assert_eq!(response.status(), 404);
        assert_eq!(code(response).await, "NAME_UNKNOWN");
    }
}

#[tokio::test]
async fn the_catalog_lists_repositories() {
    for world in World::both(Options::default()).await {
        for repository in ["b/c", "a", "b"] {
            world.push_image(repository, "v1").await;
        }
        let all = json(world.get("/v2/_catalog").await).await;
        assert_eq!(all, json!({ "repositories": ["a", "b", "b/c"] }));
        let pages = pages(&world, "/v2/_catalog?n=1", "repositories").await;
        assert_eq!(pages, [json!(["a"]), json!(["b"]), json!(["b/c"])]);
    }
}

#[tokio::test]
async fn referrers_are_listed_with_type_and_annotations() {
    for world in World::both(Options::default()).await {
        let (_, subject) = world.push_image("r", "v1").await;
        let sbom = world.push_referrer("r", &subject, "a/sbom+json").await;
        world.push_referrer("r", &subject, "a/signature").await;
        world
            .push_referrer("r", &Digest::sha256(b"other"), "a/sbom+json")
            .await;
        let response = world.get(&format!("/v2/r/referrers/{subject}")).await;
        assert_eq!(header(&response, "content-type"), INDEX);
        assert!(!response.headers().contains_key("oci-filters-applied"));
        let list = json(response).await;
        assert_eq!(
            (&list["schemaVersion"], &list["mediaType"]),
            (&json!(2), &json!(INDEX))
        );
        assert_eq!(list["manifests"].as_array().unwrap().len(), 2);
        for filter in ["a/sbom%2Bjson", "a/sbom+json"] {
            let response = world
                .get(&format!("/v2/r/referrers/{subject}?artifactType={filter}"))
                .await;
            assert_eq!(header(&response, "oci-filters-applied"), "artifactType");
            let list = json(response).await["manifests"].clone();
            assert_eq!(list.as_array().unwrap().len(), 1);
            assert_eq!(list[0]["digest"], sbom.to_string());
            assert_eq!(list[0]["artifactType"], "a/sbom+json");
            assert_eq!(list[0]["annotations"], json!({ "kind": "a/sbom+json" }));
        }
    }
}

#[tokio::test]
async fn a_deleted_referrer_is_not_listed() {
    for world in World::both(Options::default()).await {
        let subject = Digest::sha256(b"subject");
        let referrer = world.push_referrer("r", &subject, "a/b").await;
        assert_eq!(referrers(&world, &subject).await, 1);
        world.delete(&format!("/v2/r/manifests/{referrer}")).await;
        assert_eq!(referrers(&world, &subject).await, 0);
    }
}

#[tokio::test]
async fn nothing_refers_to_what_is_not_there() {
    let world = World::memory(Options::default()).await;
    assert_eq!(referrers(&world, &Digest::sha256(b"x")).await, 0);
    assert_eq!(world.get("/v2/r/referrers/latest").await.status(), 400);
}

#[tokio::test]
async fn long_lists_of_referrers_have_pages_that_keep_the_filter() {
    let world = World::memory(Options {
        page_size: Some(1),
        ..Options::default()
    })
    .await;
    let subject = Digest::sha256(b"subject");
    for kind in ["a/b", "a/c"] {
        world.push_referrer("r", &subject, kind).await;
    }
    assert_eq!(
        pages(&world, &format!("/v2/r/referrers/{subject}"), "manifests")
            .await
            .len(),
        2
    );
    let filtered = pages(
        &world,
        &format!("/v2/r/referrers/{subject}?artifactType=a/b"),
        "manifests",
    )
    .await;
    assert_eq!(filtered.len(), 1);
}

async fn referrers(world: &World, subject: &Digest) -> usize {
    let response = world.get(&format!("/v2/r/referrers/{subject}")).await;
    assert_eq!(response.status(), 200);
    json(response).await["manifests"].as_array().unwrap().len()
}

/// Follows the links from page to page, and returns the lists of all.
async fn pages(world: &World, path: &str, list: &str) -> Vec<Value> {
    let mut pages = Vec::new();
    let mut next = Some(path.to_owned());
    while let Some(path) = next {
        let response = world.get(&path).await;
        assert_eq!(response.status(), 200);
        let link = response
            .headers()
            .get("link")
            .map(|link| link.to_str().unwrap().to_owned());
        next = link.map(|link| link[1..link.find('>').unwrap()].to_owned());
        pages.push(json(response).await[list].clone());
    }
    pages
}
