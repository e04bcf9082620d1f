//! `copy` to more tags, and of one platform alone.

use oci::Descriptor;
use testkit::binary::Sandbox;
use testkit::image::{Content, Family};
use testkit::push::Direct;
use testkit::software::skopeo_raw;

use crate::site::{Site, single};

/// An index of two images; the second has an SBOM and the index has one.
fn app() -> (Content, Vec<Descriptor>, [Descriptor; 2]) {
    let mut content = Content::new();
    let images: Vec<Descriptor> = ["linux/amd64", "linux/arm64/v8"]
        .iter()
        .zip(1..)
        .map(|(platform, seed)| {
            let layer = content.layer(Family::Oci, seed, 3_000);
            content.image(Family::Oci, platform, &[layer])
        })
        .collect();
    let index = content.index(Family::Oci, &images);
    content.tag("v1", &index);
    let sboms = [content.sbom(&images[1]), content.sbom(&index)];
    content.fallback(&images[1], &sboms[..1]);
    content.fallback(&index, &sboms[1..]);
    (content, images, sboms)
}

#[tokio::test]
async fn a_copy_gets_more_tags_at_every_place() {
    let Some(site) = Site::start(2).await else { return };
    site.source
        .direct()
        .push("team/app", &single("v1", 1, 5_000))
        .await;
    let places: Vec<String> = site
        .targets
        .iter()
        .map(|target| format!("{}/mirror/app", target.registry.host()))
        .collect();
    let extra = format!("{}/other/app:v1", site.targets[0].registry.host());
    let source = format!("{}/team/app:v1", site.source.registry.host());
    let arguments = ["copy", &source, &places[0], &places[1]];
    let tags = [
        "--additional-tag",
        "latest",
        "--additional-tag",
        "1.0",
        "--additional-tag",
        &extra,
    ];
    let output = site.run(&[&arguments[..], &tags].concat()).await.expect(0);
    assert_eq!(
        output.stdout.lines().count(),
        3,
        "a line for each place: {}",
        output.stdout
    );
    let wanted = skopeo_raw(site.source.registry.host(), "team/app", "v1").await;
    for target in &site.targets {
        let listed = target.direct().tags("mirror/app").await;
        assert_eq!(listed, ["1.0", "latest", "v1"].map(str::to_owned).into());
        for tag in ["1.0", "latest"] {
            assert_eq!(
                skopeo_raw(target.registry.host(), "mirror/app", tag).await,
                wanted
            );
        }
    }
    assert_eq!(
        skopeo_raw(site.targets[0].registry.host(), "other/app", "v1").await,
        wanted
    );
    let again = site
        .run(&["copy", &source, &places[0], "--additional-tag", "v1"])
        .await
        .expect(64);
    let _ = again.warns(&["names a place that another argument names already"]);
}

#[tokio::test]
async fn one_platform_goes_alone_with_what_is_attached_to_it() {
    let Some(site) = Site::start(1).await else { return };
    let (content, images, sboms) = app();
    site.source.direct().push("team/app", &content).await;
    let source = format!("{}/team/app:v1", site.source.registry.host());
    let target = &site.targets[0];
    let place = format!("{}/mirror/app", target.registry.host());
    let arguments = [
        "copy",
        "--platform",
        "linux/arm64",
        &source,
        &place,
        "--digestfile",
        "digest",
    ];
    let output = site.run(&arguments).await.expect(0);
    let image = &images[1].digest;
    let output = output.warns(&[&format!("Copying {image} alone")]);
    assert_eq!(output.stdout, format!("{place}@{image}\n"));
    assert_eq!(site.sandbox.read("digest"), image.to_string());
    assert_eq!(
        skopeo_raw(target.registry.host(), "mirror/app", "v1").await,
        content.file(image).bytes
    );
    let direct: Direct = target.direct();
    assert!(
        direct
            .manifest("mirror/app", &sboms[0].digest.to_string())
            .await
            .is_some()
    );
    for left in [
        &images[0].digest,
        &sboms[1].digest,
        &content.tags[&"v1".parse().expect("a tag")],
    ] {
        assert!(
            direct.manifest("mirror/app", &left.to_string()).await.is_none(),
            "{left}"
        );
    }
    let output = site
        .run(&[
            "copy",
            "--platform",
            "linux/s390x",
            &source,
            &format!("{place}:x"),
        ])
        .await
        .expect(1);
    let _ = output.warns(&[
        "has no image for linux/s390x",
        "it has linux/amd64, linux/arm64/v8",
    ]);
}

#[tokio::test]
async fn one_platform_comes_out_of_a_layout_and_one_image_is_its_own_platform() {
    let Some(site) = Site::start(1).await else { return };
    let (content, images, _) = app();
    site.source.direct().push("team/app", &content).await;
    let source = format!("{}/team/app:v1", site.source.registry.host());
    let _ = site.run(&["copy", &source, "oci:kept:v1"]).await.expect(0);
    let target = &site.targets[0];
    for (from, tag) in [
        ("oci:kept:v1".to_owned(), "layout"),
        (
            format!("{}/team/app@{}", site.source.registry.host(), images[0].digest),
            "image",
        ),
    ] {
        let place = format!("{}/mirror/app:{tag}", target.registry.host());
        let output = site
            .run(&["copy", "--platform", "linux/amd64", &from, &place])
            .await
            .expect(0);
        assert_eq!(
            output.stderr.contains("alone"),
            tag == "layout",
            "{}",
            output.stderr
        );
        let there = target.direct().manifest("mirror/app", tag).await;
        assert_eq!(there.map(|there| there.digest).as_ref(), Some(&images[0].digest));
    }
}

#[tokio::test]
async fn a_line_stands_for_the_places_that_have_the_artifact_and_for_no_other() {
    let Some(site) = Site::start(2).await else { return };
    let content = single("v1", 1, 5_000);
    site.source.direct().push("team/app", &content).await;
    site.targets[0].direct().push("mirror/app", &content).await;
    let source = format!("{}/team/app:v1", site.source.registry.host());
    let _ = site.run(&["copy", &source, "oci:kept:app:v1"]).await.expect(0);
    let layer = content
        .blobs
        .keys()
        .max_by_key(|digest| content.blobs[*digest].len())
        .expect("a layer");
    site.sandbox
        .write(&format!("kept/blobs/sha256/{}", layer.hex()), "not what it was");
    let [has, lacks] = [0, 1].map(|at| format!("{}/mirror/app", site.targets[at].registry.host()));
    let arguments = ["copy", "oci:kept:app:v1", &has, &lacks, "oci:new:x"];
    let output = site.run(&arguments).await.expect(1);
    let digest = &content.tags[&"v1".parse().expect("a tag")];
    assert_eq!(output.stdout, format!("{has}@{digest}\n"));
    let output = output.warns(&[&format!("Not copied to {lacks}:v1."), "Not copied to oci:new:x."]);
    assert!(
        !output.stderr.contains(&format!("Not copied to {has}")),
        "{}",
        output.stderr
    );
    let untagged = format!("oci:kept@{digest}");
    let by_digest = ["copy", &untagged, &has, &lacks, "--format", "text"];
    let output = site.run(&by_digest).await.expect(1);
    assert_eq!(output.stdout, format!("{has}@{digest}\n"));
    let _ = output.warns(&[
        &format!("Not copied to {lacks}."),
        &format!("It stands without a tag at {has}."),
    ]);
}

#[tokio::test]
async fn a_digest_that_can_not_be_kept_is_told_before_anything_is_copied() {
    let sandbox = Sandbox::new();
    let arguments = [
        "copy",
        "oci:nowhere:v1",
        "oci:new:v1",
        "--digestfile",
        "missing/digest",
    ];
    let output = sandbox.run(&arguments).await.expect(1);
    let output = output.warns(&[
        "can't write the digest to missing/digest",
        "there is no directory",
    ]);
    assert!(!output.stderr.contains("nowhere"), "{}", output.stderr);
}
