//! Docker Hub's tags.

use std::collections::BTreeMap;
use std::sync::Arc;

use oci::{Manifest, ManifestReference};
use registry::{Registry, WriteRepository};
use testkit::hub::{Hub, HubServer};
use transship_provider::{Class, HubProvider, Lister, Listing, Profile};

use crate::support::{address, anonymous, digest, inventory, name, registry, rest, tag, user, why};

type Tags = Vec<(String, Option<String>)>;

/// The registry behind the API: its tags stand at an empty index.
struct Behind {
    server: loopback::Server,
}

impl Behind {
    async fn start(repository: &str, tags: &[&str]) -> (Self, String) {
        let server = loopback::Registry::in_memory()
            .serve(([127, 0, 0, 1], 0).into())
            .await
            .unwrap();
        let behind = Self { server };
        let writer: Arc<dyn WriteRepository> = behind.registry().writer(&name(repository));
        let index =
            r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;
        let index = Manifest::parse(index.into(), None).unwrap();
        for text in tags {
            writer
                .put_manifest(&ManifestReference::Tag(tag(text)), &index)
                .await
                .unwrap();
        }
        (behind, index.digest().to_string())
    }

    fn registry(&self) -> Arc<dyn Registry> {
        registry(&self.server.host(), anonymous())
    }
}

fn provider(server: &HubServer, behind: &Behind) -> HubProvider {
    let credentials = user("mirror", "dckr_pat_secret");
    HubProvider::new(
        "hub",
        credentials,
        Profile::of(Class::DockerHub),
        rest(),
        behind.registry(),
    )
    .at(address(&server.host()))
}

fn public(tags: Tags) -> Hub {
    Hub {
        user: Some(("mirror".to_owned(), "dckr_pat_secret".to_owned())),
        public: BTreeMap::from([("library/app".to_owned(), tags)]),
        ..Hub::default()
    }
}

#[tokio::test]
async fn a_public_repository_is_listed_without_a_credential_and_in_one_request_a_page() {
    let (behind, at) = Behind::start("library/app", &["v0"]).await;
    let tags = (0..230).map(|n| (format!("v{n}"), Some(at.clone()))).collect();
    let server = HubServer::start(public(tags)).await;
    let listing = provider(&server, &behind).inventory(&name("library/app")).await;
    let inventory = inventory(listing.unwrap());
    assert_eq!(inventory.names().len(), 230);
    assert_eq!(inventory.tags()[&tag("v229")].to_string(), at);
    assert_eq!(inventory.manifests(), None, "other manifests may stand there too");
    let asked = server.asked();
    assert_eq!(asked.len(), 3, "{asked:?}");
    assert!(asked.iter().all(|line| line.starts_with("GET ")), "{asked:?}");
}

#[tokio::test]
async fn a_private_repository_is_listed_after_one_sign_in() {
    let (behind, at) = Behind::start("team/app", &["v1"]).await;
    let hub = Hub {
        private: ["team/app", "team/tool"]
            .map(|name| (name.to_owned(), vec![("v1".to_owned(), Some(at.clone()))]))
            .into(),
        ..public(Vec::new())
    };
    let server = HubServer::start(hub).await;
    let provider = provider(&server, &behind);
    let listing = provider.inventory(&name("team/app")).await;
    assert_eq!(inventory(listing.unwrap()).names().len(), 1);
    let missing = provider.inventory(&name("team/none")).await;
    assert!(why(missing.unwrap()).contains("404"));
    let sign_ins = server
        .asked()
        .iter()
        .filter(|line| line.starts_with("POST"))
        .count();
    assert_eq!(sign_ins, 1, "{:?}", server.asked());
}

#[tokio::test]
async fn a_refused_sign_in_is_not_tried_again() {
    let (behind, _) = Behind::start("team/app", &["v1"]).await;
    let hub = Hub {
        user: None,
        ..public(Vec::new())
    };
    let server = HubServer::start(hub).await;
    let provider = provider(&server, &behind);
    for _ in 0..3 {
        let listing = provider.inventory(&name("team/app")).await;
        assert!(why(listing.unwrap()).contains("404"));
    }
    let sign_ins = server
        .asked()
        .iter()
        .filter(|line| line.starts_with("POST"))
        .count();
    assert_eq!(sign_ins, 1, "{:?}", server.asked());
}

#[tokio::test]
async fn what_cannot_be_relied_on_is_left_to_the_protocol() {
    let (behind, at) = Behind::start("library/app", &["v1"]).await;
    let good = vec![("v1".to_owned(), Some(at))];
    let elsewhere = vec![("v1".to_owned(), Some(digest("other").to_string()))];
    for (hub, says) in [
        (
            public(vec![("v1".to_owned(), None)]),
            "does not tell where v1 stands",
        ),
        (public(elsewhere), "disagree about v1"),
        (
            Hub {
                goes_in_a_circle: true,
                ..public(good.clone())
            },
            "go in a circle",
        ),
        (
            Hub {
                miscounts: 1,
                ..public(good.clone())
            },
            "changed while it was read",
        ),
        (
            Hub {
                refuses: Some(403),
                ..public(good.clone())
            },
            "answers 403",
        ),
    ] {
        let server = HubServer::start(hub).await;
        let listing = provider(&server, &behind).inventory(&name("library/app")).await;
        let why = why(listing.unwrap());
        assert!(why.contains(says), "{why}");
        assert!(server.asked().len() < 5, "{:?}", server.asked());
    }
}

#[tokio::test]
async fn an_api_that_wants_fewer_requests_is_left_alone() {
    let (behind, _) = Behind::start("library/app", &["v1"]).await;
    let server = HubServer::start(Hub {
        refuses: Some(429),
        ..Hub::default()
    })
    .await;
    let listing = provider(&server, &behind).inventory(&name("library/app")).await;
    assert!(why(listing.unwrap()).contains("fewer requests"));
}

#[tokio::test]
async fn names_that_are_no_repository_of_the_hub_are_not_asked_for() {
    let (behind, _) = Behind::start("library/app", &["v1"]).await;
    let server = HubServer::start(Hub::default()).await;
    for text in ["app", "a/b/c"] {
        let listing = provider(&server, &behind).inventory(&name(text)).await.unwrap();
        assert_eq!(listing, Listing::Unavailable(None), "{text}");
    }
    assert!(server.asked().is_empty());
}
