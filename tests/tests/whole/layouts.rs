//! Layouts stand wherever a registry can: as a target, as a source, and served.

use testkit::image::Content;
use testkit::software::{skopeo, skopeo_raw};

use crate::serving::Serving;
use crate::site::{self, Site, assert_holds};

/// Writes a configuration with a layout `usb` beside the registries.
fn configure(site: &Site, mirrors: &str) {
    let text = site
        .declarations()
        .replacen("registries:\n", "registries:\n  usb: { layout: usb }\n", 1);
    site.sandbox.write("transship.yaml", &format!("{text}{mirrors}"));
}

async fn filled(repositories: &[(&'static str, Content)]) -> Option<Site> {
    let pushed: Vec<_> = repositories
        .iter()
        .map(|(name, content)| (*name, content))
        .collect();
    let site = Site::mirroring(1, &pushed).await?;
    let mut mirrors = "mirrors:\n".to_owned();
    for (name, _) in repositories {
        mirrors.push_str(&format!(
            "  - {{ from: origin/{name}, to: [\"usb/kept/{{name}}\"] }}\n"
        ));
    }
    configure(&site, &mirrors);
    let _ = site.run(&["apply", "--auto-approve"]).await.expect(0);
    site.assert_settled().await;
    Some(site)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_repositories_travel_through_a_layout_to_another_registry() {
    let family = site::family();
    let Some(site) = filled(&family).await else { return };
    configure(
        &site,
        "mirrors:
  - { from: usb/kept/base, to: [\"alpha/mirror/{name}\"] }
  - { from: usb/kept/app, to: [\"alpha/mirror/{name}\"] }
  - { from: usb/kept/tool, to: [\"alpha/mirror/{name}\"] }
",
    );
    let _ = site.run(&["apply", "--auto-approve"]).await.expect(0);
    for (repository, content) in &family {
        assert_holds(&site.targets[0], &repository.replace("team/", "mirror/"), content).await;
    }
    site.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_layout_that_was_written_is_one_to_skopeo() {
    // An image of OCI media types: skopeo finds no others in a layout.
    let family = site::family();
    let Some(site) = filled(&family[2..]).await else {
        return;
    };
    let usb = site.sandbox.path("usb");
    let reference = format!("oci:{}:kept/tool:v2", usb.display());
    let there = skopeo(&["inspect", "--raw", &reference]).await;
    let wanted = skopeo_raw(site.source.registry.host(), "team/tool", "v2").await;
    assert_eq!(there, wanted);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_layout_is_served_as_a_registry() {
    let family = site::family();
    let Some(site) = filled(&family).await else { return };
    let serving = Serving::start(&site.sandbox, "usb").await;
    for tag in ["1.0.0", "1.1.0", "latest"] {
        let served = skopeo_raw(&serving.host, "kept/app", tag).await;
        assert_eq!(
            served,
            skopeo_raw(site.source.registry.host(), "team/app", tag).await,
            "{tag}"
        );
    }
    let tags = testkit::push::Direct::new(&serving.host).tags("kept/app").await;
    assert!(tags.contains("latest"), "{tags:?}");
    serving.end().await;
}
