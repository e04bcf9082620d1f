//! The walker finds what is there, and stops at what is not.

use bytes::Bytes;
use loopback::{Options, Registry, Server};
use oci::{Descriptor, Digest};
use transship_testkit::image::{Content, Family};
use transship_testkit::layout;
use transship_testkit::push::Direct;
use transship_testkit::software::{Need, need_python};
use transship_testkit::walker::{Ground, walk};

/// An index of one image, with a bill of materials.
struct App {
    content: Content,
    layer: Descriptor,
    image: Descriptor,
    index: Descriptor,
    sbom: Descriptor,
}

fn app() -> App {
    let mut content = Content::new();
    let layer = content.layer(Family::Oci, 1, 2_000);
    let image = content.image(Family::Oci, "linux/amd64", std::slice::from_ref(&layer));
    let index = content.index(Family::Oci, std::slice::from_ref(&image));
    content.tag("v1", &index);
    let sbom = content.sbom(&index);
    App {
        content,
        layer,
        image,
        index,
        sbom,
    }
}

/// A registry that takes manifests whose content it lacks.
async fn lax(referrers_api: bool) -> Server {
    let registry = Registry::in_memory().with_options(Options {
        referrers_api,
        sparse: true,
        ..Options::default()
    });
    registry
        .serve(([127, 0, 0, 1], 0).into())
        .await
        .expect("a loopback port is free")
}

/// Returns what the walker complains of.
async fn complaint(content: &Content) -> String {
    let server = lax(true).await;
    Direct::new(&server.host()).push("app", content).await;
    let ground = Ground::registry(&server.host(), "");
    let walked = tokio::spawn(async move { walk(&[&ground]).await }).await;
    let panic = walked.expect_err("the walker complains").into_panic();
    let text = panic.downcast_ref::<String>();
    text.expect("a panic has a text").clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_and_a_layout_of_the_same_content_are_walked_alike() {
    if need_python("http.client") == Need::Skip {
        return;
    }
    let mut app = app();
    app.content.fallback(&app.index, std::slice::from_ref(&app.sbom));
    let server = lax(true).await;
    Direct::new(&server.host()).push("app", &app.content).await;
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    layout::write(directory.path(), &app.content);
    let grounds = [
        Ground::registry(&server.host(), "app"),
        Ground::layout(directory.path(), ""),
    ];
    let walks = walk(&[&grounds[0], &grounds[1]]).await;
    let [registry, layout] = [&walks[0][""], &walks[1][""]];
    assert_eq!(registry.manifests, layout.manifests);
    assert_eq!(registry.manifests.len(), 3);
    assert_eq!(registry.blobs, layout.blobs);
    assert_eq!(registry.blobs.len(), 4);
    assert_eq!(registry.fallback, layout.fallback);
    assert_eq!(registry.attached, layout.attached);
    assert_eq!(registry.api.len(), 1);
    assert!(layout.api.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_missing_stops_the_walker() {
    if need_python("http.client") == Need::Skip {
        return;
    }
    let mut without_layer = app();
    without_layer.content.blobs.remove(&without_layer.layer.digest);
    let said = complaint(&without_layer.content).await;
    assert!(
        said.contains(&format!("lacks the blob {}", without_layer.layer.digest)),
        "{said}"
    );

    let mut without_child = app();
    let child = without_child.image.digest;
    without_child
        .content
        .manifests
        .retain(|file| file.digest != child);
    let said = complaint(&without_child.content).await;
    assert!(said.contains(&format!("{child} answers 404")), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_damaged_stops_the_walker() {
    if need_python("http.client") == Need::Skip {
        return;
    }
    let app = app();
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let mut content = app.content;
    content
        .blobs
        .insert(app.layer.digest.clone(), Bytes::from_static(b"other bytes"));
    layout::write(directory.path(), &content);
    let ground = Ground::layout(directory.path(), "");
    let walked = tokio::spawn(async move { walk(&[&ground]).await }).await;
    let panic = walked.expect_err("the walker complains").into_panic();
    let text = panic.downcast_ref::<String>().expect("a panic has a text");
    assert!(
        text.contains(&format!("{} has other bytes", app.layer.digest)),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_referrer_that_nothing_lists_is_told() {
    if need_python("http.client") == Need::Skip {
        return;
    }
    let mut app = app();
    // Reached by a tag of its own, but listed nowhere.
    app.content.tag("sbom", &app.sbom);
    let server = lax(false).await;
    Direct::new(&server.host()).push("app", &app.content).await;
    let walks = walk(&[&Ground::registry(&server.host(), "app")]).await;
    let unlisted: Vec<Digest> =
        serde_json::from_value(walks[0][""].unlisted.clone()).expect("a list of digests");
    assert_eq!(unlisted, [app.sbom.digest]);
}
