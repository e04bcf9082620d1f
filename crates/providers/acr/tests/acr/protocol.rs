//! The protocol, signed in by Azure's tokens, against a real registry.

use std::sync::Arc;

use futures_util::StreamExt as _;
use oci::{Manifest, ManifestReference, RepositoryName};
use provider::{AdvisedRegistry, Provider};
use registry::{Client, ClientSettings, ErrorKind, ManifestPut, Registry, WriteRepository};
use serde_json::json;
use testkit::azure::{Azure, Principal, Right};
use testkit::image::{Content, Family};
use testkit::software::{Need, need};
use transship_acr::AcrProvider;

use crate::support::{CLIENT, SECRET, application, inventory, setup, transport};

fn opened(azure: &Azure, provider: &Arc<AcrProvider>) -> Arc<dyn WriteRepository> {
    let settings = ClientSettings::new(azure.host().parse().unwrap());
    let client = Client::new(settings, Arc::new(transport(azure)), provider.credentials());
    let provider: Arc<dyn Provider> = Arc::clone(provider) as Arc<dyn Provider>;
    let name: RepositoryName = "team/app".parse().unwrap();
    AdvisedRegistry::new(Arc::new(client), provider).writer(&name)
}

fn image(seed: u64) -> (Content, Manifest) {
    let mut content = Content::new();
    let layer = content.layer(Family::Oci, seed, 30_000);
    let image = content.image(Family::Oci, "linux/amd64", &[layer]);
    let file = content.file(&image.digest);
    let manifest = Manifest::parse(file.bytes.clone(), Some(&file.media_type)).unwrap();
    (content, manifest)
}

async fn push(
    repository: &dyn WriteRepository,
    content: &Content,
    manifest: &Manifest,
) -> Result<ManifestPut, registry::Error> {
    for blob in manifest.blobs() {
        let session = repository.start_upload().await?;
        let bytes = content.blobs[&blob.digest].clone();
        let body = futures_util::stream::once(async move { Ok(bytes) }).boxed();
        repository.upload_blob(session, blob, body).await?;
    }
    repository
        .put_manifest(&ManifestReference::Tag("v1".parse().unwrap()), manifest)
        .await
}

#[tokio::test]
async fn an_image_is_pushed_listed_locked_and_then_stays() {
    if need("docker-registry") == Need::Skip {
        return;
    }
    let (azure, _registry) = Azure::with_registry().await;
    azure.admit(Principal::new(CLIENT, Right::ALL).secret(SECRET));
    let provider = Arc::new(AcrProvider::new(setup(&azure, application(), &[])).unwrap());
    let repository = opened(&azure, &provider);
    let (content, manifest) = image(1);
    push(&*repository, &content, &manifest).await.unwrap();
    let found = inventory(&provider, "team/app").await;
    let tag = "v1".parse().unwrap();
    assert_eq!(&found.tags()[&tag], manifest.digest());
    let settings = json!({ "lock_after_push": true });
    provider
        .seal(&"team/app".parse().unwrap(), &tag, Some(&settings))
        .await
        .unwrap();

    let (content, other) = image(2);
    let error = push(&*repository, &content, &other).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Immutable, "{error}");
    let hint = error.hint().unwrap();
    assert!(
        hint.contains("--image team/app:TAG --write-enabled true"),
        "{hint}"
    );
    let standing = repository
        .head_manifest(&ManifestReference::Tag(tag))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(&standing.digest, manifest.digest());
}

#[tokio::test]
async fn who_may_pull_or_nothing_at_all_is_told_which_role_may_push() {
    if need("docker-registry") == Need::Skip {
        return;
    }
    let (azure, _registry) = Azure::with_registry().await;
    // Who may do nothing of what is wanted gets no token at all.
    for rights in [&[Right::Pull][..], &[]] {
        azure.admit(Principal::new(CLIENT, rights.iter().copied()).secret(SECRET));
        let provider = Arc::new(AcrProvider::new(setup(&azure, application(), &[])).unwrap());
        let (content, manifest) = image(1);
        let error = push(&*opened(&azure, &provider), &content, &manifest)
            .await
            .unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::Auth | ErrorKind::Permission),
            "{error}"
        );
        let hint = error.hint().unwrap();
        assert!(
            hint.contains(&format!("--assignee oid-{CLIENT} --role \"AcrPush\"")),
            "{rights:?}: {hint}"
        );
    }
}

#[tokio::test]
async fn tokens_that_end_during_a_push_are_renewed() {
    if need("docker-registry") == Need::Skip {
        return;
    }
    let (azure, _registry) = Azure::with_registry().await;
    azure.admit(Principal::new(CLIENT, Right::ALL).secret(SECRET));
    let provider = Arc::new(AcrProvider::new(setup(&azure, application(), &[])).unwrap());
    let repository = opened(&azure, &provider);
    let (content, manifest) = image(1);
    push(&*repository, &content, &manifest).await.unwrap();
    azure.revoke();
    let (content, other) = image(2);
    push(&*repository, &content, &other).await.unwrap();
    let exchanges = azure
        .asked()
        .iter()
        .filter(|asked| asked.path == "/oauth2/exchange")
        .count();
    assert_eq!(exchanges, 2);
}
