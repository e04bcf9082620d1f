//! Harbor's artifacts.

use std::collections::BTreeMap;
use std::sync::Arc;

use planner::Subject;
use registry::{CredentialSource, ErrorKind, Operation};
use testkit::harbor::{Harbor, HarborArtifact, HarborServer};
use transship_provider::{Class, Ensured, HarborProvider, Lister, Listing, Profile, Provider};

use crate::support::{address, anonymous, digest, inventory, name, registry, rest, tag, user, why};

const ROBOT: &str = "robot$team+mirror";

fn provider(server: &HarborServer, credentials: Arc<dyn CredentialSource>) -> HarborProvider {
    let host = server.host();
    HarborProvider::new(
        "site",
        Arc::clone(&credentials),
        Profile::of(Class::Harbor),
        rest(),
        address(&host),
        registry(&host, credentials),
    )
}

fn image(text: &str, tags: &[&str]) -> HarborArtifact {
    HarborArtifact {
        digest: digest(text).to_string(),
        tags: tags.iter().map(|tag| ((*tag).to_owned(), false)).collect(),
        ..HarborArtifact::default()
    }
}

fn attached(text: &str, subject: &str, kind: &str) -> HarborArtifact {
    HarborArtifact {
        attached: Some((digest(subject).to_string(), kind.to_owned())),
        ..image(text, &[])
    }
}

fn holding(repository: &str, artifacts: Vec<HarborArtifact>) -> Harbor {
    Harbor {
        projects: BTreeMap::from([("team".to_owned(), false)]),
        repositories: BTreeMap::from([(repository.to_owned(), artifacts)]),
        ..Harbor::default()
    }
}

fn pages(server: &HarborServer) -> usize {
    server
        .asked()
        .iter()
        .filter(|path| path.contains("&page="))
        .count()
}

#[tokio::test]
async fn everything_in_a_repository_is_listed_in_one_request_a_page() {
    let mut artifacts: Vec<_> = (0..250)
        .map(|n| image(&n.to_string(), &[&format!("v{n}")]))
        .collect();
    artifacts.push(image("untagged", &[]));
    let mut index = image("index", &["latest"]);
    index.children = vec![digest("child").to_string()];
    index.tags[0].1 = true;
    artifacts.extend([index, image("child", &[])]);
    let server = HarborServer::start(holding("team/deep/app", artifacts)).await;
    let listing = provider(&server, anonymous())
        .inventory(&name("team/deep/app"))
        .await;
    let inventory = inventory(listing.unwrap());
    assert_eq!(inventory.names().len(), 251);
    assert_eq!(inventory.tags()[&tag("v249")], digest("249"));
    assert!(inventory.is_locked(&tag("latest")) && !inventory.is_locked(&tag("v1")));
    let manifests = inventory.manifests().expect("everything was told of");
    assert_eq!(manifests.len(), 253);
    assert_eq!(manifests[&digest("child")].subject, Subject::None);
    assert_eq!(pages(&server), 3);
}

#[tokio::test]
async fn what_is_attached_is_listed_with_its_tags_and_with_what_is_attached_to_it() {
    let mut signature = attached("sig", "app", "signature.cosign");
    signature.tags = vec![("sha256-1.sig".to_owned(), false)];
    let artifacts = vec![
        image("app", &["v1"]),
        signature,
        attached("sbom", "app", "subject.accessory"),
        attached("nested", "sbom", "signature.notation"),
    ];
    let server = HarborServer::start(holding("team/app", artifacts)).await;
    let listing = provider(&server, anonymous()).inventory(&name("team/app")).await;
    let inventory = inventory(listing.unwrap());
    assert_eq!(inventory.tags()[&tag("sha256-1.sig")], digest("sig"));
    let manifests = inventory.manifests().expect("everything was told of");
    assert_eq!(manifests[&digest("sbom")].subject, Subject::Of(digest("app")));
    assert_eq!(manifests[&digest("nested")].subject, Subject::Of(digest("sbom")));
    assert_eq!(manifests[&digest("sig")].subject, Subject::Untold);
}

#[tokio::test]
async fn pages_that_are_cut_before_attached_artifacts_are_left_out_are_read_to_their_end() {
    let mut artifacts = vec![image("app", &["v1"])];
    artifacts.extend((0..99).map(|n| attached(&format!("s{n}"), "app", "signature.notation")));
    artifacts.extend((0..100).map(|n| image(&n.to_string(), &[&format!("w{n}")])));
    let harbor = Harbor {
        cuts_first: true,
        ..holding("team/app", artifacts)
    };
    let server = HarborServer::start(harbor).await;
    let listing = provider(&server, anonymous()).inventory(&name("team/app")).await;
    let inventory = inventory(listing.unwrap());
    assert_eq!(inventory.names().len(), 101);
    assert_eq!(inventory.manifests().map(BTreeMap::len), Some(200));
}

#[tokio::test]
async fn where_much_is_attached_only_the_tags_are_told() {
    let mut artifacts = vec![image("app", &["v1"])];
    artifacts.extend((0..101).map(|n| attached(&format!("s{n}"), "app", "signature.notation")));
    let server = HarborServer::start(holding("team/app", artifacts)).await;
    let listing = provider(&server, anonymous()).inventory(&name("team/app")).await;
    let inventory = inventory(listing.unwrap());
    assert_eq!(inventory.tags()[&tag("v1")], digest("app"));
    assert_eq!(inventory.manifests(), None);
}

// Harbor hides an artifact whose subject was never pushed, and nothing lists it.
#[tokio::test]
async fn a_tag_that_only_the_registry_knows_leaves_the_listing_to_the_protocol() {
    let mut lost = attached("sig", "never pushed", "signature.cosign");
    lost.tags = vec![("lost".to_owned(), false)];
    let server = HarborServer::start(holding("team/app", vec![image("app", &["v1"]), lost])).await;
    let listing = provider(&server, anonymous()).inventory(&name("team/app")).await;
    assert_eq!(
        why(listing.unwrap()),
        "Harbor's API does not tell where lost stands"
    );
}

#[tokio::test]
async fn listings_that_end_nowhere_and_refusals_leave_it_to_the_protocol() {
    let circle = Harbor {
        goes_in_a_circle: true,
        ..holding("team/app", vec![image("app", &["v1"])])
    };
    let hidden = Harbor {
        hides_artifacts: true,
        ..holding("team/app", vec![image("app", &["v1"])])
    };
    for (harbor, says) in [(circle, "go in a circle"), (hidden, "\"List Artifact\"")] {
        let server = HarborServer::start(harbor).await;
        let listing = provider(&server, anonymous()).inventory(&name("team/app")).await;
        let why = why(listing.unwrap());
        assert!(why.contains(says), "{why}");
        assert!(server.asked().len() < 10, "{:?}", server.asked());
    }
}

#[tokio::test]
async fn a_repository_that_does_not_exist_is_absent_though_its_listing_is_empty() {
    let server = HarborServer::start(holding("team/app", Vec::new())).await;
    let provider = provider(&server, anonymous());
    assert_eq!(
        provider.inventory(&name("team/other")).await.unwrap(),
        Listing::Absent
    );
    let empty = inventory(provider.inventory(&name("team/app")).await.unwrap());
    assert!(empty.names().is_empty() && empty.manifests().is_some());
}

#[tokio::test]
async fn a_robot_signs_in_and_is_named_where_it_may_not() {
    let harbor = Harbor {
        user: Some((ROBOT.to_owned(), "secret".to_owned())),
        ..holding("team/app", vec![image("app", &["v1"])])
    };
    let server = HarborServer::start(harbor).await;
    let good = provider(&server, user(ROBOT, "secret"));
    let listing = good.inventory(&name("team/app")).await;
    assert_eq!(inventory(listing.unwrap()).names().len(), 1);
    let error = registry::Error::new(ErrorKind::Permission, "denied");
    let advice = good
        .advise(Operation::PutManifest, &name("team/app"), &error)
        .unwrap();
    assert_eq!(
        advice.to_string(),
        "robot$team+mirror lacks \"Push Repository\" in project team: give the robot account that permission for project \
         team, or the user the role Developer there; Harbor says the same where the project does not exist"
    );
    assert_eq!(
        good.advise(Operation::GetBlob, &name("team/app"), &error)
            .unwrap()
            .action,
        "\"Pull Repository\" in project team"
    );
    let throttled = registry::Error::new(ErrorKind::RateLimit, "busy");
    assert_eq!(
        good.advise(Operation::PutManifest, &name("team/app"), &throttled),
        None
    );

    let refused = provider(&server, user(ROBOT, "guess"));
    let error = refused.repositories().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Auth);
    assert!(error.hint().unwrap().contains("\"List Repository\""), "{error:?}");
    assert!(!format!("{error:?} {refused:?}").contains("guess"));
}

#[tokio::test]
async fn repositories_are_listed_page_by_page() {
    let names: Vec<String> = (0..230).map(|n| format!("team/app{n:03}")).collect();
    let harbor = Harbor {
        repositories: names.iter().map(|name| (name.clone(), Vec::new())).collect(),
        ..Harbor::default()
    };
    let server = HarborServer::start(harbor).await;
    let listed = provider(&server, anonymous())
        .repositories()
        .await
        .unwrap()
        .unwrap();
    assert_eq!(listed.iter().map(ToString::to_string).collect::<Vec<_>>(), names);
    assert_eq!(server.asked().len(), 3);
}

#[tokio::test]
async fn a_project_is_looked_for_and_never_made() {
    let mut harbor = holding("team/app", Vec::new());
    harbor.projects.insert("cache".to_owned(), true);
    let server = HarborServer::start(harbor).await;
    let provider = provider(&server, anonymous());
    let standing = provider.find_repository(&name("team"), None).await.unwrap();
    assert_eq!(standing.map(|standing| standing.refuses), Some(None));
    let cache = provider
        .find_repository(&name("cache/x"), None)
        .await
        .unwrap()
        .unwrap();
    assert!(cache.refuses.unwrap().contains("proxy cache"));
    let error = provider
        .find_repository(&name("nobody/x"), None)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(
        provider.ensure_repository(&name("team/new"), None).await.unwrap(),
        Ensured::Existed
    );
    let error = provider
        .ensure_repository(&name("nobody/x"), None)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.hint().unwrap().contains("create the project nobody"));
}
