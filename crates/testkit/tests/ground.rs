//! The ground that the end-to-end tests stand on, tried against a real registry.

use std::collections::BTreeMap;

use bytes::Bytes;
use oci::Digest;
use transship_testkit::fault::{Fault, RequestHead};
use transship_testkit::image::{Content, Family};
use transship_testkit::process::{Access, DockerRegistry, PASSWORD, USERNAME};
use transship_testkit::proxy::Proxy;
use transship_testkit::push::Direct;
use transship_testkit::software::{Need, need, skopeo, skopeo_raw};

fn sample() -> Content {
    let mut content = Content::new();
    let base = content.layer(Family::Docker, 1, 5_000);
    let empty = content.layer_empty(Family::Docker);
    let other = content.layer_sha512(Family::Docker, 2, 100);
    let image = content.image(Family::Docker, "linux/amd64", &[base, empty, other]);
    let inner = content.index(Family::Oci, std::slice::from_ref(&image));
    let index = content.index(Family::Oci, &[image, inner]);
    content.tag("v1", &index);
    let sbom = content.sbom(&index);
    content.fallback(&index, &[sbom]);
    content.cosign(&index);
    content
}

#[tokio::test]
async fn what_is_pushed_stands_in_a_real_registry() {
    if need("docker-registry") == Need::Skip || need("skopeo") == Need::Skip {
        return;
    }
    let mut registry = DockerRegistry::start().await;
    let content = sample();
    let direct = Direct::new(registry.host());
    direct.push("team/app", &content).await;
    registry.restart().await;
    let names = direct.tags("team/app").await;
    assert_eq!(names.len(), content.tags.len());
    for (tag, digest) in &content.tags {
        let fetched = direct
            .manifest("team/app", tag.as_str())
            .await
            .expect("the tag is there");
        assert_eq!(fetched.bytes, content.file(digest).bytes);
        assert_eq!(fetched.media_type, content.file(digest).media_type.as_str());
        assert_eq!(
            skopeo_raw(registry.host(), "team/app", tag.as_str()).await,
            fetched.bytes
        );
    }
    for (digest, bytes) in &content.blobs {
        assert_eq!(direct.blob("team/app", digest).await.as_ref(), Some(bytes));
    }
    assert_eq!(direct.manifest("team/app", "v2").await, None);
    assert_eq!(
        direct.blob_size("team/app", &Digest::sha256(b"absent")).await,
        None
    );
}

#[tokio::test]
async fn skopeo_pushes_a_layout_as_it_stands() {
    if need("docker-registry") == Need::Skip || need("skopeo") == Need::Skip {
        return;
    }
    let registry = DockerRegistry::start().await;
    let mut content = Content::new();
    let layer = content.layer(Family::Oci, 5, 3_000);
    let image = content.image(Family::Oci, "linux/amd64", &[layer]);
    content.tag("v1", &image);
    let directory = tempfile::tempdir().unwrap();
    transship_testkit::layout::write(directory.path(), &content);
    let from = format!("oci:{}:v1", directory.path().display());
    let to = format!("docker://{}/pushed/app:v1", registry.host());
    skopeo(&[
        "copy",
        "--all",
        "--preserve-digests",
        "--dest-tls-verify=false",
        &from,
        &to,
    ])
    .await;
    let fetched = Direct::new(registry.host())
        .manifest("pushed/app", "v1")
        .await
        .unwrap();
    assert_eq!(fetched.bytes, content.file(&image.digest).bytes);
}

#[tokio::test]
async fn a_registry_with_a_password_lets_in_its_user_alone() {
    if need("docker-registry") == Need::Skip {
        return;
    }
    let registry = DockerRegistry::start_with(Access::Password).await;
    let direct = Direct::new(registry.host()).login(USERNAME, PASSWORD);
    direct.push("team/app", &sample()).await;
    assert!(direct.manifest("team/app", "v1").await.is_some());
    let anonymous = reqwest::get(format!("http://{}/v2/", registry.host()))
        .await
        .unwrap();
    assert_eq!(anonymous.status(), 401);
}

#[tokio::test]
async fn a_proxy_counts_what_passes() {
    if need("docker-registry") == Need::Skip {
        return;
    }
    let registry = DockerRegistry::start().await;
    let proxy = Proxy::start(registry.host()).await;
    let direct = Direct::new(&proxy.host());
    let content = sample();
    direct.push("team/app", &content).await;
    let pushed = proxy.exchanges();
    let digests: BTreeMap<Digest, usize> = content.blobs.keys().map(|digest| (digest.clone(), 1)).collect();
    assert_eq!(pushed.blob_sends_to_registry(), digests);
    assert_eq!(
        pushed.blob_bytes_sent(),
        content
            .blobs
            .values()
            .map(|bytes| bytes.len() as u64)
            .sum::<u64>()
    );
    proxy.forget();
    for digest in content.blobs.keys() {
        assert!(direct.blob("team/app", digest).await.is_some());
    }
    let read = proxy.exchanges();
    assert_eq!(read.blob_reads(), digests);
    assert!(read.mutating().is_empty());
    let sizes: Vec<u64> = read.0.iter().map(|exchange| exchange.response_bytes).collect();
    assert_eq!(
        sizes,
        content
            .blobs
            .values()
            .map(|bytes| bytes.len() as u64)
            .collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn a_proxy_breaks_what_it_is_told_to() {
    if need("docker-registry") == Need::Skip {
        return;
    }
    let registry = DockerRegistry::start().await;
    let blob = Bytes::from(vec![7; 300_000]);
    let digest = Digest::sha256(&blob);
    Direct::new(registry.host())
        .put_blob("a", &digest, blob.clone())
        .await;
    let proxy = Proxy::start(registry.host()).await;
    let url = format!("http://{}/v2/a/blobs/{digest}", proxy.host());
    let read = || async { reqwest::get(&url).await?.error_for_status()?.bytes().await };

    proxy.set_faults(|_| Fault::Status(503));
    assert_eq!(
        read().await.unwrap_err().status().map(|status| status.as_u16()),
        Some(503)
    );
    proxy.set_faults(|_| Fault::Reset);
    assert!(read().await.unwrap_err().is_request());
    proxy.set_faults(|_| Fault::Cut { after: 100_000 });
    assert!(read().await.is_err());
    assert!(proxy.exchanges().0.last().unwrap().response_bytes > 100_000);
    proxy.set_faults(|_| Fault::Throttle {
        bytes_per_second: 3_000_000,
    });
    assert_eq!(read().await.unwrap(), blob);
    proxy.set_faults(|head: &RequestHead| {
        if head.before < 5 {
            Fault::Reset
        } else {
            Fault::None
        }
    });
    assert!(read().await.is_err());
    assert_eq!(read().await.unwrap(), blob);
    proxy.die();
    assert!(read().await.is_err());
}
