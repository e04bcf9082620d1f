//! Some platforms of an index, and attachments of some types.

use oci::{Descriptor, Manifest};
use testkit::image::{Content, Family, SBOM};
use testkit::software::{skopeo, skopeo_raw};

use crate::site::{Site, standing};

const PLATFORMS: [&str; 3] = ["linux/amd64", "linux/arm64", "linux/s390x"];

/// `v1` for three platforms, signed, with a signature and a bill of materials of one of its images.
fn multi(seed: u64) -> Content {
    let mut content = Content::new();
    let images = PLATFORMS.map(|platform| {
        let layer = content.layer(
            Family::Oci,
            seed + platform.bytes().map(u64::from).sum::<u64>(),
            2_000,
        );
        content.image(Family::Oci, platform, &[layer])
    });
    let index = content.index(Family::Oci, &images);
    content.tag("v1", &index);
    content.cosign(&index);
    content.cosign(&images[0]);
    let sbom = content.sbom(&images[0]);
    content.fallback(&images[0], &[sbom]);
    content
}

fn platforms(index: &Manifest) -> Vec<String> {
    let name = |child: &Descriptor| child.platform.as_ref().map(ToString::to_string);
    index.children().filter_map(name).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_index_is_whole_for_every_registry_and_every_client() {
    let content = multi(1);
    let Some(site) = Site::mirroring(2, &[("team/app", &content)]).await else {
        return;
    };
    site.configure(
        "mirrors:
  - from: origin/team/app
    to: [everywhere/mirror/app]
    platforms: [linux/amd64, linux/arm64]
    index: rewrite
",
    );
    let output = site.run(&["plan", "-o", "plan.json"]).await.expect(0);
    assert!(
        output.stdout.contains("rewritten from sha256:"),
        "{}",
        output.stdout
    );
    assert!(
        output.stdout.contains("1 attachment is left out"),
        "{}",
        output.stdout
    );
    let report = site.apply(0).await;
    assert_eq!(report["tags"]["written"], 2, "{report:#}");
    for target in &site.targets {
        let raw = skopeo_raw(target.registry.host(), "mirror/app", "v1").await;
        let index = Manifest::parse(raw.into(), None).expect("it is a manifest");
        assert_eq!(platforms(&index), ["linux/amd64", "linux/arm64"]);
        // A client that pulls all of it misses nothing.
        let from = format!("docker://{}/mirror/app:v1", target.registry.host());
        let to = format!("oci:{}:v1", site.sandbox.path(target.name).display());
        skopeo(&[
            "copy",
            "--all",
            "--preserve-digests",
            "--src-tls-verify=false",
            &from,
            &to,
        ])
        .await;
    }
    site.assert_settled().await;
    let _ = site.run(&["verify"]).await.expect(0);
    site.source.direct().push("team/app", &multi(7)).await;
    let plan = site.plan(0).await;
    assert_eq!(plan["summary"]["tags"]["update"], 2, "{plan:#}");
    site.apply(0).await;
    site.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sparse_index_stands_in_a_layout_and_is_refused_by_a_registry_that_checks() {
    let content = multi(1);
    let Some(site) = Site::mirroring(1, &[("team/app", &content)]).await else {
        return;
    };
    let declarations = site
        .declarations()
        .replace("registries:\n", "registries:\n  usb: { layout: usb }\n");
    let mirrors = "mirrors:
  - from: origin/team/app
    to: [alpha/mirror/app, usb/mirror/app]
    platforms: [linux/arm64]
    index: sparse
";
    site.sandbox
        .write("transship.yaml", &format!("{declarations}{mirrors}"));
    let output = site.run(&["plan", "-o", "plan.json"]).await.expect(0);
    assert!(
        output.stdout.contains("whether alpha takes an index"),
        "{}",
        output.stdout
    );
    let output = site.run(&["apply", "plan.json"]).await.expect(1);
    assert!(output.stderr.contains("index: rewrite"), "{}", output.stderr);
    let _ = site.run(&["verify", "--only", "alpha/**"]).await;
    let inspected = site.run(&["digest", "oci:usb:mirror/app:v1"]).await.expect(0);
    let index = &content.tags[&"v1".parse().expect("it is a tag")];
    assert_eq!(inspected.stdout.trim(), index.to_string());
    let known = declarations.replace(
        "plain_http: true }\ngroups",
        "plain_http: true, profile: { sparse_index: refused } }\ngroups",
    );
    site.sandbox.write("transship.yaml", &format!("{known}{mirrors}"));
    let output = site.run(&["plan", "--detailed-exitcode"]).await.expect(1);
    assert!(
        output
            .stdout
            .contains("! alpha/mirror/app:v1: alpha refuses an index"),
        "{}",
        output.stdout
    );
    let alone = mirrors.replace("alpha/mirror/app, ", "");
    site.sandbox
        .write("transship.yaml", &format!("{declarations}{alone}"));
    site.assert_settled().await;
    let _ = site.run(&["verify"]).await.expect(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attachments_of_other_types_stay_behind() {
    let content = multi(1);
    let Some(site) = Site::mirroring(1, &[("team/app", &content)]).await else {
        return;
    };
    site.configure(&format!(
        "mirrors:
  - from: origin/team/app
    to: [alpha/mirror/app]
    referrers: {{ artifact_types: [{SBOM}] }}
"
    ));
    site.plan(0).await;
    site.apply(0).await;
    for (tag, digest) in &content.tags {
        let there = standing(&site.targets[0], "mirror/app", tag.as_str()).await;
        let wanted = (!tag.as_str().ends_with(".sig")).then(|| digest.clone());
        assert_eq!(there, wanted, "{tag}");
    }
    site.assert_settled().await;
    let _ = site.run(&["verify"]).await.expect(0);
}
