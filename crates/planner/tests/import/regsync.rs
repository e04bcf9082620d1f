//! regsync's file.

use insta::assert_snapshot;
use transship_planner::import::{Destination, Format, Imported, Kind};

use super::{assert_told, imported, notes, shown, taken};

#[track_caller]
fn read(text: &str) -> Imported {
    imported(Format::Regsync, &[("regsync.yml", text)], &Destination::default())
}

#[track_caller]
fn step(rest: &str) -> Imported {
    read(&format!(
        "sync:\n  - source: quay.io/team/app\n    target: site.example/app\n    type: repository\n{rest}"
    ))
}

/// What the quick start sets up.
const QUICK_START: &str = r#"version: 1
creds:
  - registry: registry:5000
    tls: disabled
  - registry: docker.io
    user: "{{env \"HUB_USER\"}}"
    pass: "{{file \"/home/appuser/.docker/hub_token\"}}"
defaults:
  ratelimit:
    min: 100
    retry: 15m
  parallel: 2
  interval: 60m
  backup: "bkup-{{.Ref.Tag}}"
sync:
  - source: busybox:latest
    target: registry:5000/library/busybox:latest
    type: image
  - source: alpine
    target: registry:5000/library/alpine
    type: repository
    tags:
      allow:
      - "latest"
      - "3"
      - "3.\\d+"
  - source: ghcr.io/regclient/regctl:latest
    target: registry:5000/regclient/regctl:latest
    type: image
"#;

#[test]
fn the_quick_start() {
    assert_snapshot!(shown(&read(QUICK_START)));
}

/// Every key of the reference, and those that do nothing.
const EVERYTHING: &str = r#"version: 1
x-step: &step { type: repository, fastCheck: true }
creds:
  - registry: site.example:5000
    hostname: registry.site.example:5000
    user: robot
    pass: hunter2-in-the-clear
    tls: insecure
    regcert: '{{file "/etc/certs/ca.pem"}}'
    clientCert: '{{file "/etc/certs/client.pem"}}'
    clientKey: '{{file "/etc/certs/client.key"}}'
    reqPerSec: 12.5
    reqConcurrent: 6
    mirrors: [a.example]
    repoAuth: true
    blobChunk: 1048576
  - registry: ecr.example
    credHelper: docker-credential-ecr-login
    credHost: other.example
  - registry: pem.example
    clientKey: |
      -----BEGIN PRIVATE KEY-----
      c2VjcmV0LWtleQ==
      -----END PRIVATE KEY-----
defaults:
  referrers: true
  digestTags: true
  fastCopy: true
  skipDockerConfig: true
  mediaTypes: [application/vnd.oci.image.index.v1+json]
  hooks: { pre: { type: exec, params: [x] } }
  backups: x
sync:
  - <<: *step
    source: quay.io/team/app
    target: site.example:5000/mirror/app
    tags: { semverRange: [">=3.18.0 <4.0.0", "^5"], deny: ['.*-rc.*'] }
    forceRecursive: true
    includeExternal: true
  - source: quay.io/team/one:v1@sha256:0000000000000000000000000000000011111111111111111111111111111111
    target: site.example:5000/mirror/one
    type: image
    platform: linux/amd64
    interval: 12h
    referrers: false
    digestTags: false
  - source: pem.example
    target: site.example:5000/all
    type: registry
    repos: { allow: ["team/.*", "base"] }
  - source: pem.example
    target: site.example:5000/some
    type: registry
    repos: { deny: ["team/.*"] }
  - source: quay.io/team/sets
    target: site.example:5000/mirror/sets
    type: repository
    tagSets:
      - { allow: ["a|b"] }
      - { semverRange: [">=1.x"] }
  - source: quay.io/team/never
    target: site.example:5000/mirror/never
    type: repository
    tags: { allow: ["("] }
  - source: ocidir:///var/lib/layout:latest
    target: site.example:5000/mirror/layout:latest
    type: image
  - source: '{{env "SOURCE"}}/team/app'
    target: site.example:5000/mirror/env
    type: repository
  - source: quay.io/team/odd
    target: site.example:5000/mirror/odd
    type: repositories
"#;

#[test]
fn every_key_and_every_trap() {
    assert_snapshot!(shown(&read(EVERYTHING)));
}

#[test]
fn tags_are_taken_as_regsync_takes_them() {
    let tags = [
        "1.0.0",
        "1.2.0",
        "1.2.3",
        "1.2.3-rc.1",
        "v1.5.0",
        "2.0.0",
        "2.1.0-beta",
        "3.17-alpine",
        "3.18",
        "3.18.2-alpine",
        "latest",
        "latest-debug",
        "stable",
    ];
    for (filter, expected) in [
        (r"allow: [latest]", &["latest"][..]),
        (r"allow: ['latest.*']", &["latest", "latest-debug"]),
        (r"allow: ['\d+\.\d+']", &["3.18"]),
        (r"allow: ['v\d.*|stable']", &["stable", "v1.5.0"]),
        (
            r"allow: ['l|e']",
            &["3.17-alpine", "3.18.2-alpine", "latest", "latest-debug", "stable"],
        ),
        (
            r"allow: ['.*'], deny: ['.*-.*', '\d.*']",
            &["latest", "stable", "v1.5.0"],
        ),
        (r"deny: ['.*\d.*']", &["latest", "latest-debug", "stable"]),
        (
            r"semverRange: ['>=1.2 <2']",
            &["1.2.0", "1.2.3", "1.2.3-rc.1", "v1.5.0"],
        ),
        (r"semverRange: ['1.2']", &["1.2.0"]),
        (
            r"semverRange: ['>1.2 <=2']",
            &["1.2.3", "1.2.3-rc.1", "2.0.0", "v1.5.0"],
        ),
        (
            r"semverRange: ['^2', '~3.17']",
            &["2.0.0", "2.1.0-beta", "3.17-alpine"],
        ),
        (
            r"semverRange: ['>=2'], deny: ['.*-alpine']",
            &["2.0.0", "2.1.0-beta", "3.18"],
        ),
        (r"semverRange: ['>=1'], allow: ['v.*']", &["v1.5.0"]),
        (r"semverRange: ['>=1'], allow: [latest]", &[]),
        (r"semverRange: ['~3.18.1']", &["3.18.2-alpine"]),
    ] {
        let read = step(&format!("    tags: {{ {filter} }}\n"));
        assert_eq!(taken(&read, 0, &tags), expected, "{filter}");
    }
    let all = step("    tags: { allow: [], deny: [] }\n");
    assert_eq!(taken(&all, 0, &tags).len(), tags.len());
    let every = step("    tagSets: [{ allow: [latest] }, {}]\n");
    assert_eq!(taken(&every, 0, &tags).len(), tags.len());
    let either = step(
        "    tags: { allow: [latest] }\n    tagSets: [{ allow: [stable] }, { semverRange: ['1.0.0'] }]\n",
    );
    assert_eq!(taken(&either, 0, &tags), ["1.0.0", "latest", "stable"]);
}

#[test]
fn a_filter_that_cannot_be_said_never_widens() {
    let read = step("    tags: { semverRange: ['>=10.0.17763.2114'] }\n");
    assert_eq!(read.mirrors, 0);
    assert_told(
        &read,
        Kind::LeftOut,
        &["more than three parts", "quay.io/team/app"],
    );
}

#[test]
fn dead_keys_are_named() {
    let read = step("    fastCopy: true\n    hooks: {}\n    tag: {}\n");
    let ignored = notes(&read, Kind::Ignored);
    assert_eq!(ignored.len(), 3, "{ignored:?}");
    assert_told(&read, Kind::Ignored, &["fastCopy", "fastCheck"]);
    assert_told(&read, Kind::Ignored, &["`tag` is unknown", "`tags`"]);
}

#[test]
fn attachments_stay_behind_only_where_both_keys_say_so() {
    for (rest, none) in [
        ("", false),
        ("    referrers: false\n", false),
        ("    referrers: false\n    digestTags: false\n", true),
        ("    referrers: true\n    digestTags: false\n", false),
        (
            "    referrers: false\n    digestTags: false\ndefaults: { referrers: true }\n",
            true,
        ),
        ("defaults: { referrers: false, digestTags: false }\n", true),
    ] {
        assert_eq!(step(rest).text.contains("referrers: none"), none, "{rest}");
    }
}
