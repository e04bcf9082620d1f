//! What other tools copy by their file, and what `import-config` and `apply` make of it: the same, but for what the report says.
//!
//! The tool writes into the first target, we into the second.

use std::collections::{BTreeMap, BTreeSet};

use oci::Digest;
use testkit::binary::{Output, Sandbox};
use testkit::image::{Content, Family};
use testkit::software::{Need, built, need_built, skopeo};

use crate::site::{self, End, Site, standing};

/// Images that are told apart, one for each tag.
fn tagged(tags: &[&str]) -> Content {
    let mut content = Content::new();
    for (seed, tag) in (500..).zip(tags) {
        let layer = content.layer(Family::Oci, seed, 300);
        let image = content.image(Family::Oci, "linux/amd64", &[layer]);
        content.tag(tag, &image);
    }
    content
}

/// Tags of a registry, `REPOSITORY:TAG`, and where they stand.
async fn tags(end: &End, repositories: &[&str]) -> BTreeMap<String, Digest> {
    let mut all = BTreeMap::new();
    for repository in repositories {
        for tag in end.direct().tags(repository).await {
            let digest = standing(end, repository, &tag).await;
            all.insert(
                format!("{repository}:{tag}"),
                digest.expect("a listed tag stands"),
            );
        }
    }
    all
}

/// Imports a file and applies what comes out.
async fn import_and_apply(site: &Site, arguments: &[&str]) -> Output {
    let arguments = [&["import-config"], arguments].concat();
    let output = site.run(&arguments).await.expect(0);
    site.sandbox.write("transship.yaml", &output.stdout);
    let _ = site.run(&["validate"]).await.expect(0);
    let _ = site.run(&["apply", "--auto-approve"]).await.expect(0);
    let _ = site.run(&["plan", "--detailed-exitcode"]).await.expect(0);
    output
}

/// Returns what stands at one of two registries alone, and asserts that all else stands at both with one digest.
fn differences(theirs: &BTreeMap<String, Digest>, ours: &BTreeMap<String, Digest>) -> [BTreeSet<String>; 2] {
    for (tag, digest) in theirs {
        if let Some(own) = ours.get(tag) {
            assert_eq!(own, digest, "{tag}");
        }
    }
    let alone = |some: &BTreeMap<String, Digest>, others: &BTreeMap<String, Digest>| {
        let alone = some.keys().filter(|tag| !others.contains_key(*tag));
        alone.cloned().collect()
    };
    [alone(theirs, ours), alone(ours, theirs)]
}

fn set<const N: usize>(tags: [&str; N]) -> BTreeSet<String> {
    tags.map(str::to_owned).into()
}

/// A source with an index, a signature, versions and a second repository of the same name.
async fn stocked() -> Option<Site> {
    let site = Site::start(2).await?;
    for (repository, content) in site::family().iter().take(2) {
        site.source.direct().push(repository, content).await;
    }
    let versions = tagged(&["1.1", "v1.10", "2.1.1", "3.0", "latest"]);
    site.source.direct().push("team/versions", &versions).await;
    site.source.direct().push("other/app", &tagged(&["9.9.9"])).await;
    Some(site)
}

fn skopeo_file(site: &Site) -> String {
    let host = site.source.registry.host();
    let text = format!(
        "'{host}':
  tls-verify: false
  images:
    team/app: []
    team/base: [v1]
    other/app: ['9.9.9']
  images-by-tag-regex:
    team/versions: '1.1'
  imagez: {{}}
"
    );
    site.sandbox.write("sync.yaml", &text).display().to_string()
}

const SKOPEO_REPOSITORIES: [&str; 3] = ["base/app", "base/base", "base/versions"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn skopeo_sync_and_its_import_copy_the_same_tags() {
    let Some(site) = stocked().await else { return };
    let file = skopeo_file(&site);
    let [theirs, ours] = [&site.targets[0], &site.targets[1]];
    let destination = format!("{}/base", theirs.registry.host());
    let flags = ["sync", "--all", "--preserve-digests", "--dest-tls-verify=false"];
    skopeo(
        &[
            &flags[..],
            &["--src", "yaml", "--dest", "docker", &file, &destination],
        ]
        .concat(),
    )
    .await;

    let destination = format!("{}/base", ours.registry.host());
    let flags = ["--all", "--dest-tls-verify=false", "--dest", &destination];
    let output = import_and_apply(&site, &[&["skopeo-sync", "sync.yaml"], &flags[..]].concat()).await;

    let [only_theirs, only_ours] = differences(
        &tags(theirs, &SKOPEO_REPOSITORIES).await,
        &tags(ours, &SKOPEO_REPOSITORIES).await,
    );
    // Two repositories of one name: skopeo mixes them, here the second is left out.
    assert_eq!(only_theirs, set(["base/app:9.9.9"]));
    assert_eq!(only_ours, BTreeSet::new());
    let output = output.warns(&[
        "other/app",
        "two sources write into",
        "`imagez` is unknown",
        "3 mirrors written, 1 left out",
    ]);
    let output = output.says(&["# left out, sync.yaml:"]);
    assert!(!output.stderr.contains("every platform"), "{}", output.stderr);
    assert!(
        tags(ours, &["base/app"])
            .await
            .keys()
            .any(|tag| tag.ends_with(".sig"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_all_skopeo_puts_one_platform_under_a_tag_and_the_report_says_so() {
    let Some(site) = stocked().await else { return };
    let file = skopeo_file(&site);
    let [theirs, ours] = [&site.targets[0], &site.targets[1]];
    let destination = format!("{}/base", theirs.registry.host());
    let flags = [
        "--override-arch",
        "amd64",
        "--override-os",
        "linux",
        "sync",
        // Without it layers are compressed too, and that is told as well.
        "--preserve-digests",
        "--dest-tls-verify=false",
    ];
    skopeo(
        &[
            &flags[..],
            &["--src", "yaml", "--dest", "docker", &file, &destination],
        ]
        .concat(),
    )
    .await;

    let destination = format!("{}/base", ours.registry.host());
    let flags = ["--dest-tls-verify=false", "--dest", &destination];
    let output = import_and_apply(&site, &[&["skopeo", "sync.yaml"], &flags[..]].concat()).await;
    let _ = output.warns(&[
        "every platform of an index is copied",
        "compress layers without --preserve-digests",
    ]);

    let (theirs, ours) = (
        tags(theirs, &SKOPEO_REPOSITORIES).await,
        tags(ours, &SKOPEO_REPOSITORIES).await,
    );
    let names = |tags: &BTreeMap<String, Digest>| tags.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(&names(&theirs) - &names(&ours), set(["base/app:9.9.9"]));
    assert_eq!(&names(&ours) - &names(&theirs), BTreeSet::new());
    let moved: BTreeSet<String> = ours
        .iter()
        .filter(|(tag, digest)| theirs[*tag] != **digest)
        .map(|(tag, _)| tag.clone())
        .collect();
    assert_eq!(
        moved,
        set(["base/app:1.0.0", "base/app:1.1.0", "base/app:latest"])
    );
}

const VERSIONS: [&str; 13] = [
    "3.17.9",
    "3.18",
    "3.18-alpine",
    "3.18.2",
    "3.18.2-alpine",
    "v3.20.0",
    "4.0.0",
    "4.0.0-rc.1",
    "20240101",
    "3.19.0_b1",
    "latest",
    "latest-debug",
    "stable",
];

fn regsync_file(site: &Site, target: &End) -> String {
    let (source, target) = (site.source.registry.host(), target.registry.host());
    format!(
        "version: 1
creds:
  - {{ registry: '{source}', tls: disabled }}
  - {{ registry: '{target}', tls: disabled }}
defaults: {{ parallel: 1, interval: 1h, digestTags: true, fastCopy: true }}
sync:
  - {{ source: '{source}/team/app', target: '{target}/base/app', type: repository }}
  - {{ source: '{source}/team/base:v1', target: '{target}/base/renamed:first', type: image }}
  - source: '{source}/team/versions'
    target: '{target}/base/words'
    type: repository
    tags: {{ allow: ['latest', 'sta|3'], deny: ['.*-alpine'] }}
  - source: '{source}/team/versions'
    target: '{target}/base/ranges'
    type: repository
    tags: {{ semverRange: ['>=3.18 <4'] }}
  - source: '{source}/team/versions'
    target: '{target}/base/sets'
    type: repository
    tagSets: [{{ semverRange: ['~3.18.1', '4.0'] }}, {{ allow: ['latest.*'], deny: ['.*-debug'] }}]
"
    )
}

const REGSYNC_REPOSITORIES: [&str; 5] = [
    "base/app",
    "base/renamed",
    "base/words",
    "base/ranges",
    "base/sets",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn regsync_and_its_import_copy_the_same_tags() {
    if need_built("regsync") == Need::Skip {
        return;
    }
    let Some(site) = Site::start(2).await else { return };
    for (repository, content) in site::family().iter().take(2) {
        site.source.direct().push(repository, content).await;
    }
    site.source
        .direct()
        .push("team/versions", &tagged(&VERSIONS))
        .await;
    let [theirs, ours] = [&site.targets[0], &site.targets[1]];
    let file = site
        .sandbox
        .write("theirs/regsync.yml", &regsync_file(&site, theirs));
    let home = file.parent().expect("a file has a directory");
    built("regsync", home, &["once", "--config", "regsync.yml"]).await;
    site.sandbox.write("regsync.yml", &regsync_file(&site, ours));
    let output = import_and_apply(&site, &["regsync", "regsync.yml"]).await;

    let [only_theirs, only_ours] = differences(
        &tags(theirs, &REGSYNC_REPOSITORIES).await,
        &tags(ours, &REGSYNC_REPOSITORIES).await,
    );
    // What the report says of versions: prereleases of a bound, and builds.
    assert_eq!(only_theirs, set(["base/ranges:4.0.0-rc.1"]));
    assert_eq!(
        only_ours,
        set([
            "base/ranges:3.18-alpine",
            "base/ranges:3.19.0_b1",
            "base/sets:4.0.0-rc.1"
        ])
    );
    let _ = output.warns(&[
        "`>=3.18`, `=3.18` and `~3.18` take `3.18-alpine`, `<4` and `^3` leave `4.0.0-rc.1` out",
        "one with a build part (`1.2.3_b1`) is one here",
        "`fastCopy` did nothing",
        "`interval` has no counterpart",
        "`a|b` takes whatever starts with a",
    ]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn words_and_files_that_are_wrong_have_their_codes() {
    let sandbox = Sandbox::new();
    sandbox.write("bad.yaml", "sync:\n  - source: a\n    pass: hunter2\n");
    for (arguments, code, text) in [
        (
            &["ocync", "bad.yaml"][..],
            64,
            "skopeo-sync, regsync, image-syncer and dregsy",
        ),
        (&["regsync"], 64, "FILE"),
        (&["regsync", "--dest", "a.example", "bad.yaml"], 64, "--dest"),
        (&["regsync", "nowhere.yaml"], 65, "nowhere.yaml"),
        (&["regsync", "bad.yaml"], 65, "bad.yaml:2:5"),
        (&["dregsy", "bad.yaml", "-"], 65, "standard input:1:1"),
    ] {
        let arguments = [&["import-config"], arguments].concat();
        let output = sandbox.run(&arguments).await.expect(code).warns(&[text]);
        assert!(
            output.stdout.is_empty() && !output.stderr.contains("hunter2"),
            "{output:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn data_goes_to_standard_output_and_the_report_beside_it() {
    let sandbox = Sandbox::new();
    sandbox.write("images.yaml", "quay.io/team/app:v1: site.example/app\n");
    let loud = sandbox
        .run(&["import-config", "image-syncer", "images.yaml"])
        .await
        .expect(0);
    let quiet = sandbox
        .run(&["import-config", "-q", "image-syncer", "images.yaml"])
        .await
        .expect(0);
    assert_eq!(loud.stdout, quiet.stdout);
    assert!(
        quiet.stderr.is_empty() && loud.stderr.contains("What changes"),
        "{loud:?}"
    );
}

#[tokio::test]
async fn a_destination_that_is_none_is_a_usage_error() {
    let sandbox = Sandbox::new();
    sandbox.write("sync.yaml", "quay.io:\n  images:\n    a/b: [v1]\n");
    let arguments = ["import-config", "skopeo-sync", "sync.yaml", "--dest", "Bad Dest"];
    let output = sandbox.run(&arguments).await.expect(64);
    let _ = output.warns(&["`--dest Bad Dest` names no destination", "HOST/PATH"]);
}
