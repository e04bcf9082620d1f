//! What is attached to a manifest follows it.

use oci::Descriptor;
use testkit::image::{Content, Family, SIGNED};

use crate::site::{self, End, Site, assert_holds, standing};

fn signed() -> Content {
    let mut content = Content::new();
    let layer = content.layer(Family::Oci, 1, 2_000);
    let image = content.image(Family::Oci, "linux/amd64", &[layer]);
    let index = content.index(Family::Oci, std::slice::from_ref(&image));
    content.tag("v1", &index);
    // On a child of the index, not on the tag itself.
    content.cosign(&image);
    let sbom = content.sbom(&image);
    let signature = content.signature(&sbom);
    content.fallback(&image, std::slice::from_ref(&sbom));
    content.fallback(&sbom, &[signature]);
    content
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attachments_of_children_follow_and_are_no_tags() {
    let content = signed();
    let Some(site) = Site::mirroring(1, &[("team/app", &content)]).await else {
        return;
    };
    let plan = site.plan(0).await;
    assert_eq!(plan["summary"]["tags"]["create"], 1);
    let report = site.apply(0).await;
    assert_eq!(report["tags"]["written"], 1, "{report:#}");
    assert_holds(&site.targets[0], "mirror/app", &content).await;
    site.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signature_that_arrives_later_is_copied_though_the_tag_stands() {
    let mut content = site::single("v1", 1, 2_000);
    let Some(site) = Site::mirroring(2, &[("team/app", &content)]).await else {
        return;
    };
    site.plan(0).await;
    site.apply(0).await;
    let file = content.manifests.last().expect("there is an image").clone();
    let image = Descriptor::new(file.media_type, file.digest, file.bytes.len() as u64);
    content.cosign(&image);
    let sbom = content.sbom(&image);
    content.fallback(&image, &[sbom]);
    site.source.direct().push("team/app", &content).await;
    let output = site
        .run(&["plan", "--detailed-exitcode", "-o", "plan.json"])
        .await
        .expect(2);
    assert!(
        output.stdout.contains("Plan: 0 tags to create, 0 to update"),
        "{}",
        output.stdout
    );
    site.apply(0).await;
    for target in &site.targets {
        assert_holds(target, "mirror/app", &content).await;
    }
    site.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn referrers_of_the_target_stay_when_those_of_the_source_are_added() {
    let base = site::single("v1", 1, 2_000);
    let file = base.manifests[0].clone();
    let image = Descriptor::new(file.media_type, file.digest.clone(), file.bytes.len() as u64);
    let mut at_source = base.clone();
    let sbom = at_source.sbom(&image);
    at_source.fallback(&image, std::slice::from_ref(&sbom));
    let mut at_target = base.clone();
    let scan = at_target.artifact(&image, "application/vnd.example.scan", "clean");
    let fallback = at_target.fallback(&image, std::slice::from_ref(&scan));
    let Some(site) = Site::mirroring(1, &[("team/app", &at_source)]).await else {
        return;
    };
    let target = &site.targets[0];
    target.direct().push("mirror/app", &at_target).await;
    site.plan(0).await;
    site.apply(0).await;
    let tag = file.digest.to_string().replace(':', "-");
    let merged = target
        .direct()
        .manifest("mirror/app", &tag)
        .await
        .expect("the fallback tag stands");
    assert_ne!(merged.digest, fallback.digest);
    let index: serde_json::Value = serde_json::from_slice(&merged.bytes).expect("an index is JSON");
    let entries: Vec<_> = index["manifests"]
        .as_array()
        .expect("an index has entries")
        .iter()
        .collect();
    let digests: Vec<_> = entries
        .iter()
        .map(|entry| entry["digest"].as_str().unwrap_or_default())
        .collect();
    assert_eq!(digests, [scan.digest.to_string(), sbom.digest.to_string()]);
    assert!(
        standing(target, "mirror/app", &sbom.digest.to_string())
            .await
            .is_some()
    );
    site.assert_settled().await;
}

/// Cosign's tag of an image that source and target have signed apart from each other.
async fn countersigned(ours: &[&str], theirs: &[&str]) -> Option<(Site, String)> {
    let base = site::single("v1", 1, 2_000);
    let file = base.manifests[0].clone();
    let image = Descriptor::new(file.media_type, file.digest.clone(), file.bytes.len() as u64);
    let (mut at_source, mut at_target) = (base.clone(), base);
    at_source.cosign_by(&image, ours);
    at_target.cosign_by(&image, theirs);
    let site = Site::mirroring(1, &[("team/app", &at_source)]).await?;
    site.targets[0].direct().push("mirror/app", &at_target).await;
    let tag = format!("{}.sig", file.digest.to_string().replace(':', "-"));
    Some((site, tag))
}

/// The annotations by which signatures differ, layer by layer, and how many identities the config has for them.
async fn signatures(target: &End, tag: &str) -> (Vec<String>, usize) {
    let direct = target.direct();
    let fetched = direct.manifest("mirror/app", tag).await.expect("the tag stands");
    let image: serde_json::Value = serde_json::from_slice(&fetched.bytes).expect("a manifest is JSON");
    let layers = image["layers"].as_array().expect("an image has layers");
    let signed = |layer: &serde_json::Value| layer["annotations"][SIGNED].as_str().map(str::to_owned);
    let digest = image["config"]["digest"].as_str().expect("an image has a config");
    let config = direct
        .blob("mirror/app", &digest.parse().expect("it is a digest"))
        .await;
    let config: serde_json::Value =
        serde_json::from_slice(&config.expect("the config stands")).expect("a config is JSON");
    let identities = config["rootfs"]["diff_ids"].as_array().map_or(0, Vec::len);
    (layers.iter().filter_map(signed).collect(), identities)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signatures_of_the_target_stay_when_those_of_the_source_are_added() {
    let Some((site, tag)) = countersigned(&["bob", "alice"], &["carol", "alice"]).await else {
        return;
    };
    let drift = site.run(&["verify"]).await.expect(2);
    let drift = drift.says(&[&tag, "the cosign tag lacks 1 layer"]);
    assert!(drift.stdout.contains("Drift: 1 found."), "{}", drift.stdout);
    let plan = site
        .run(&["plan", "--detailed-exitcode", "-o", "plan.json"])
        .await;
    let _ = plan
        .expect(2)
        .says(&["~ alpha/mirror/app  1 attachment extended by 1 layer"]);
    assert_eq!(site.json("plan.json")["summary"]["attachments"], 1);
    let report = site.apply(0).await;
    assert_eq!(
        (&report["tags"]["written"], &report["ops"]["done"]),
        (&0.into(), &1.into())
    );
    let target = &site.targets[0];
    let signed = (["by carol", "by alice", "by bob"].map(str::to_owned).to_vec(), 3);
    assert_eq!(signatures(target, &tag).await, signed);
    site.assert_settled().await;
    for check in [&["verify"][..], &["verify", "--deep"]] {
        let _ = site.run(check).await.expect(0);
    }
    let united = standing(target, "mirror/app", &tag).await;
    site.apply(0).await;
    assert_eq!(
        standing(target, "mirror/app", &tag).await,
        united,
        "the same plan again changes nothing"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_with_more_signatures_than_the_source_is_as_it_should_be() {
    let Some((site, _)) = countersigned(&["alice"], &["carol", "alice"]).await else {
        return;
    };
    let _ = site.run(&["plan"]).await.expect(0).says(&[site::NO_CHANGES]);
    let _ = site.run(&["verify", "--deep"]).await.expect(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn referrers_none_leaves_everything_attached_behind() {
    let content = signed();
    let Some(site) = Site::mirroring(1, &[("team/app", &content)]).await else {
        return;
    };
    site.configure("mirrors:\n  - { from: origin/team/app, to: [alpha/mirror/app], referrers: none }\n");
    site.plan(0).await;
    site.apply(0).await;
    let tags = site.targets[0].direct().tags("mirror/app").await;
    assert_eq!(tags.into_iter().collect::<Vec<_>>(), ["v1"]);
}

/// An index whose second child and whose bill of materials have nothing attached yet.
fn unsigned() -> (Content, [Descriptor; 3]) {
    let mut content = Content::new();
    let layer = content.layer(Family::Oci, 1, 2_000);
    let image = content.image(Family::Oci, "linux/amd64", &[layer]);
    let index = content.index(Family::Oci, std::slice::from_ref(&image));
    content.tag("v1", &index);
    let sbom = content.sbom(&index);
    content.fallback(&index, std::slice::from_ref(&sbom));
    (content, [index, image, sbom])
}

/// Signs in both schemes.
fn sign(content: &mut Content, subject: &Descriptor) {
    let signature = content.signature(subject);
    content.fallback(subject, &[signature]);
    content.cosign(subject);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signature_that_arrives_later_on_what_is_attached_is_copied_though_the_tag_stands() {
    let (mut content, [_, _, sbom]) = unsigned();
    let Some(site) = Site::mirroring(2, &[("team/app", &content)]).await else {
        return;
    };
    let _ = site.run(&["apply", "--auto-approve"]).await.expect(0);
    sign(&mut content, &sbom);
    site.source.direct().push("team/app", &content).await;
    let _ = site.run(&["plan", "--detailed-exitcode"]).await.expect(2);
    let _ = site.run(&["apply", "--auto-approve"]).await.expect(0);
    for target in &site.targets {
        assert_holds(target, "mirror/app", &content).await;
    }
    site.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signature_that_arrives_later_on_a_child_is_copied_where_manifests_are_checked() {
    let (mut content, [_, image, _]) = unsigned();
    let Some(site) = Site::mirroring(2, &[("team/app", &content)]).await else {
        return;
    };
    let _ = site.run(&["apply", "--auto-approve"]).await.expect(0);
    sign(&mut content, &image);
    site.source.direct().push("team/app", &content).await;
    let _ = site.run(&["verify"]).await.expect(2);
    let check = ["--check", "manifests"];
    let _ = site
        .run(&[&["apply", "--auto-approve"], &check[..]].concat())
        .await
        .expect(0);
    for target in &site.targets {
        assert_holds(target, "mirror/app", &content).await;
    }
    let _ = site
        .run(&[&["plan", "--detailed-exitcode"], &check[..]].concat())
        .await
        .expect(0);
}
