//! Images that Azure fetches by itself.

use std::collections::BTreeSet;
use std::process::Stdio;

use oci::Digest;
use serde_json::Value;
use testkit::azure::{Failure, Principal, Right};
use testkit::image::{Content, Family};
use tokio::process::Command;

use crate::acr_site::{AcrSite, CLIENT, SECRET, mirror};
use crate::site::{self, named_blobs};

/// What `az` would do in Azure, done by skopeo: from the source to the registry, by the words of the request.
#[derive(Clone)]
struct Copier {
    /// By which address requests name the source, and where it is.
    named: String,
    source: String,
    target: String,
    certificates: String,
    who: String,
    /// An image that can't be fetched.
    broken: Option<Digest>,
}

impl Copier {
    fn of(site: &AcrSite) -> Self {
        let (certificates, who) = site.reader();
        Self {
            named: site.source.proxy.host(),
            source: site.source.registry.host().to_owned(),
            target: site.azure.host(),
            certificates,
            who,
            broken: None,
        }
    }

    async fn copy(self, body: Value) -> Result<(), Failure> {
        let failure = |message: String| Failure {
            code: "InvalidParameters".to_owned(),
            message,
        };
        let source = &body["source"];
        if source["registryUri"] != self.named.as_str() {
            return Err(failure(format!("{} can't be reached", source["registryUri"])));
        }
        let image = source["sourceImage"].as_str().expect("the image is text");
        let (_, digest) = image.split_once('@').expect("the image is named by its digest");
        if self
            .broken
            .as_ref()
            .is_some_and(|broken| broken.to_string() == digest)
        {
            return Err(failure("Error copying blobs. Correlation ID: 42.".to_owned()));
        }
        let target = body["untaggedTargetRepositories"][0]
            .as_str()
            .expect("a target is text");
        let output = Command::new("skopeo")
            .args([
                "--insecure-policy",
                "copy",
                "--all",
                "--preserve-digests",
                "--src-tls-verify=false",
            ])
            .args(["--dest-cert-dir", &self.certificates, "--dest-creds", &self.who])
            .arg(format!("docker://{}/{image}", self.source))
            .arg(format!("docker://{}/{target}@{digest}", self.target))
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .expect("skopeo can be run");
        match output.status.success() {
            true => Ok(()),
            false => Err(failure(String::from_utf8_lossy(&output.stderr).into_owned())),
        }
    }
}

/// Lets the double import by `copier`.
fn imports_by(site: &AcrSite, copier: Copier) {
    site.azure.imports_by(move |body| copier.clone().copy(body));
}

/// Images that are imported: an index and an image, with a signature by tag and a bill of materials by fallback tag.
fn content() -> Content {
    let mut content = Content::new();
    let images: Vec<_> = ["linux/amd64", "linux/arm64"]
        .iter()
        .zip(10..)
        .map(|(platform, seed)| {
            let layer = content.layer(Family::Oci, seed, 60_000);
            content.image(Family::Oci, platform, &[layer])
        })
        .collect();
    let index = content.index(Family::Oci, &images);
    content.tag("2.0", &index);
    content.tag("latest", &index);
    content.cosign(&index);
    let layer = content.layer(Family::Oci, 20, 50_000);
    let image = content.image(Family::Oci, "linux/amd64", &[layer]);
    content.tag("1.0", &image);
    let sbom = content.sbom(&image);
    content.fallback(&image, &[sbom]);
    content
}

/// The blobs of attachments: what imports do not bring.
fn attached(content: &Content) -> BTreeSet<Digest> {
    let selected = ["2.0", "1.0"].map(|tag| content.tags[&tag.parse().expect("it is a tag")].clone());
    let mut imported = Content::new();
    imported.blobs = content.blobs.clone();
    let mut open: Vec<Digest> = selected.to_vec();
    while let Some(digest) = open.pop() {
        let file = content.file(&digest).clone();
        let manifest =
            oci::Manifest::parse(file.bytes.clone(), Some(&file.media_type)).expect("it is a manifest");
        open.extend(manifest.children().map(|child| child.digest.clone()));
        imported.manifests.push(file);
    }
    named_blobs(content)
        .difference(&named_blobs(&imported))
        .cloned()
        .collect()
}

const IMPORTS: &str = "server_side_copy: true";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn images_are_imported_and_their_attachments_copied_and_tags_come_last() {
    let Some(site) = AcrSite::start().await else {
        return;
    };
    let content = content();
    site.source.direct().push("team/app", &content).await;
    site.configure(&[IMPORTS], &mirror("team/app"));
    imports_by(&site, Copier::of(&site));
    let (output, plan) = site.plan(0).await;
    let last = output.stdout.trim_end().lines().next_back().unwrap_or_default();
    assert!(last.contains("; 2 images to import;"), "{last}");
    let ops = plan["ops"].as_array().expect("ops are a list");
    let imports: Vec<&Value> = ops.iter().filter(|op| op["kind"] == "import_image").collect();
    assert_eq!(imports.len(), 2);
    for op in ops.iter().filter(|op| op["kind"] == "put_tag") {
        let waits = op["after"].as_array().is_some_and(|after| !after.is_empty());
        assert!(waits, "a tag comes after what it names: {op}");
    }

    site.source.proxy.forget();
    let report = site.apply(0).await;
    assert_eq!(report["outcome"], "succeeded");
    let reads: BTreeSet<Digest> = site.source.proxy.exchanges().blob_reads().into_keys().collect();
    assert_eq!(reads, attached(&content), "attachments alone pass through us");
    assert_eq!(site.azure.imports().len(), 2);
    site.assert_holds("mirror/app", &content).await;
    site.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_that_fails_costs_its_image_alone() {
    let Some(site) = AcrSite::start().await else {
        return;
    };
    let content = content();
    site.source.direct().push("team/app", &content).await;
    site.configure(&[IMPORTS], &mirror("team/app"));
    let broken = content.tags[&"1.0".parse().expect("it is a tag")].clone();
    imports_by(
        &site,
        Copier {
            broken: Some(broken.clone()),
            ..Copier::of(&site)
        },
    );
    let _ = site.plan(0).await;
    let report = site.apply(1).await;
    assert_eq!(report["outcome"], "partial");
    let failures = report["failures"].as_array().expect("failures are a list");
    assert_eq!(failures.len(), 1, "{failures:#?}");
    let error = failures[0]["error"].as_str().expect("an error is text");
    assert!(
        error.contains("InvalidParameters: Error copying blobs. Correlation ID: 42."),
        "{error}"
    );
    assert!(error.contains(&broken.to_string()), "{error}");
    assert_eq!(report["tags"]["written"], 2, "{}", report["tags"]);
    let mut landed = content.clone();
    landed
        .tags
        .retain(|tag, _| tag.as_str() == "latest" || tag.as_str() == "2.0");
    landed
        .manifests
        .retain(|file| landed.tags.values().any(|digest| *digest == file.digest));
    site.assert_holds("mirror/app", &landed).await;

    // The failure is over, and the next run does the rest.
    imports_by(&site, Copier::of(&site));
    let (output, _) = site.plan(0).await;
    assert!(output.stdout.contains("1 tags to create"), "{}", output.stdout);
    site.apply(0).await;
    site.assert_holds("mirror/app", &content).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_import_is_told_which_role_may() {
    let rights = [Right::Pull, Right::Push, Right::Describe];
    let Some(site) = AcrSite::start_as(Principal::new(CLIENT, rights).secret(SECRET)).await else {
        return;
    };
    site.source
        .direct()
        .push("team/app", &site::single("v1", 1, 20_000))
        .await;
    site.configure(&[IMPORTS], &mirror("team/app"));
    let _ = site.plan(0).await;
    let report = site.apply(77).await;
    let failure = &report["failures"][0];
    assert_eq!(failure["kind"], "permission", "{failure}");
    let error = failure["error"].as_str().expect("an error is text");
    let action = "Microsoft.ContainerRegistry/registries/importImage/action";
    assert!(
        error.contains("AuthorizationFailed") && error.contains(action),
        "{error}"
    );
    let hint = failure["hint"].as_str().expect("there is a hint");
    for part in [
        format!("application {CLIENT}"),
        action.to_owned(),
        format!("--assignee oid-{CLIENT} --role \"Container Registry Data Importer and Data Reader\""),
    ] {
        assert!(hint.contains(&part), "`{part}` is not in {hint}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_of_more_than_50_manifests_is_sent() {
    let Some(site) = AcrSite::start().await else {
        return;
    };
    let mut content = Content::new();
    let layer = content.layer(Family::Oci, 1, 10_000);
    let images: Vec<_> = (0..50)
        .map(|number| {
            content.image(
                Family::Oci,
                &format!("linux/arm64/v{number}"),
                std::slice::from_ref(&layer),
            )
        })
        .collect();
    let index = content.index(Family::Oci, &images);
    content.tag("many", &index);
    let fits = content.index(Family::Oci, &images[..49]);
    content.tag("fewer", &fits);
    site.source.direct().push("team/app", &content).await;
    site.configure(&[IMPORTS], &mirror("team/app"));
    imports_by(&site, Copier::of(&site));
    let (output, plan) = site.plan(0).await;
    assert!(
        output.stdout.contains("; 1 images to import;"),
        "{}",
        output.stdout
    );
    let ops = plan["ops"].as_array().expect("ops are a list");
    let imported = ops
        .iter()
        .find(|op| op["kind"] == "import_image")
        .expect("one is imported");
    assert_eq!(imported["digest"], fits.digest.to_string());
    site.apply(0).await;
    assert_eq!(site.azure.imports().len(), 1);
    for (tag, digest) in &content.tags {
        let raw = site.raw("mirror/app", tag.as_str()).await;
        assert_eq!(Digest::sha256(&raw), *digest, "{tag}");
    }
    site.assert_settled().await;
}
