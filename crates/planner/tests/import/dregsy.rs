//! dregsy's file.

use insta::assert_snapshot;
use transship_planner::import::{Destination, Format, Imported, Kind};

use super::{assert_told, imported, notes, shown, taken};

#[track_caller]
fn read(text: &str) -> Imported {
    imported(Format::Dregsy, &[("dregsy.yaml", text)], &Destination::default())
}

#[track_caller]
fn mapping(mapping: &str) -> Imported {
    read(&format!(
        "tasks:\n  - name: t\n    source: {{ registry: q.io }}\n    target: {{ registry: l.io }}\n    mappings: [{mapping}]\n"
    ))
}

/// Every key of the manual.
const MANUAL: &str = r"relay: skopeo
watch: true
skopeo:
  binary: skopeo
  certs-dir: /etc/skopeo/certs.d
docker:
  dockerhost: unix:///var/run/docker.sock
  api-version: 1.24
lister:
  maxItems: 100
  cacheDuration: 1h
tasks:
  - name: task1
    interval: 60
    verbose: true
    source:
      registry: source-registry.acme.com
      auth: eyJ1c2VybmFtZSI6ICJhbGV4IiwgInBhc3N3b3JkIjogInNlY3JldCJ9Cg==
    target:
      registry: dest-registry.acme.com
      auth: eyJ1c2VybmFtZSI6ICJhbGV4IiwgInBhc3N3b3JkIjogImFsc29zZWNyZXQifQo=
      skip-tls-verify: true
    mappings:
      - from: test/image
        to: archive/test/image
        tags: ['0.1.0', '0.1.1']
      - from: test/another-image
      - from: test/filtered
        tags:
          - 'semver: >=1.31.0 <1.31.9'
          - 'regex: 1\.26\.[0-9]-(glibc|uclibc|musl)'
          - '1.29.4'
          - 'latest'
";

#[test]
fn every_key_of_the_manual() {
    assert_snapshot!(shown(&read(MANUAL)));
}

const TRAPS: &str = r"relay: docker
tasks:
  - name: base-images
    source: { registry: registry.hub.docker.com, auth: none, lister: { type: dockerhub } }
    target: { registry: 123456789012.dkr.ecr.eu-west-1.amazonaws.com, auth-refresh: 10h }
    mappings:
      - { from: library/busybox, to: mirror/busybox, platform: all, tags: ['semver: >=1.36.0', 'keep: .+-(glibc|musl)', 'keep: latest 5', latest] }
      - { from: library/alpine, platform: linux/arm64, tags: ['keep: latest 3'] }
      - { from: library/pinned, tags: ['3.19@sha256:0000000000000000000000000000000011111111111111111111111111111111', 'sha256:1111111111111111111111111111111100000000000000000000000000000000'] }
      - { from: 'regex:team/(.*)', to: 'regex:team/(.*),archive/$1' }
      - { from: 'regex:team/([^/]+)', to: 'regex:team/([^/]+),archive/$1' }
      - { from: 'regex:other/.*', to: mirror }
      - { from: 'regex:.*/x' }
      - { from: lib/one, to: 'regex:^lib/,new/' }
      - { from: lib/two, to: 'regex:lib/,new/' }
      - { from: lib/range, tags: ['semver: >=1.2'] }
      - { from: lib/both, tags: ['regex: a.*', 'keep: .*b'] }
      - { from: lib/not, tags: ['regex: !.*-rc.*'] }
      - { from: lib/typo, tag: [latest], digests: [] }
  - name: broken-auth
    source: { registry: q.io, auth: bm90LWpzb24= }
    target: { registry: l.io }
    mappings: [{ from: a }]
";

#[test]
fn every_trap() {
    assert_snapshot!(shown(&read(TRAPS)));
}

#[test]
fn tags_are_taken_as_dregsy_takes_them() {
    let tags = [
        "1.0.0",
        "1.1.0",
        "1.2.0",
        "1.2.0-rc.1",
        "1.3.0-glibc",
        "1.3.0-musl",
        "1.3.1-musl",
        "2.0.0",
        "latest",
        "nightly",
        "v1.4.0",
    ];
    let versions = 9;
    for (items, expected) in [
        ("latest", &["latest"][..]),
        ("latest, 1.0.0", &["1.0.0", "latest"]),
        (
            "'semver: >=1.2.0 <1.3.0'",
            &["1.2.0", "1.2.0-rc.1", "1.3.0-glibc", "1.3.0-musl"][..2],
        ),
        ("'semver: 2.0.0 || 1.1.0'", &["1.1.0", "2.0.0"]),
        ("'semver: 1.x', 'keep: v.*'", &["v1.4.0"]),
        ("'semver: >=1.2.0', 'keep: !.*-.*'", &["1.2.0", "2.0.0", "v1.4.0"]),
        ("'semver: >=1.0.0', 'keep: latest 2'", &["2.0.0", "v1.4.0"]),
        (
            "'semver: >=1.0.0', 'keep: .*-musl', 'keep: latest 1', latest",
            &["1.3.1-musl", "latest"],
        ),
        ("'regex: .*-musl'", &["1.3.0-musl", "1.3.1-musl"]),
        (
            "'regex: ^1.3.*-musl$', nightly",
            &["1.3.0-musl", "1.3.1-musl", "nightly"],
        ),
        ("'regex: night|latest'", &["latest", "nightly"]),
        ("'regex: !.*[0-9].*'", &["latest", "nightly"]),
        ("'keep: latest 1'", &["2.0.0", "latest", "nightly"]),
        ("'keep: !.*[0-9].*'", &["latest", "nightly"]),
        ("'keep: v.*'", &["v1.4.0"]),
        (
            "'regex: 1.*', 'keep: latest 2', 'keep: !.*musl'",
            &["1.2.0", "1.3.0-glibc"],
        ),
    ] {
        let read = mapping(&format!("{{ from: a, tags: [{items}] }}"));
        assert_eq!(taken(&read, 0, &tags), expected, "{items}\n{}", read.text);
    }
    let all = mapping("{ from: a }");
    assert_eq!(taken(&all, 0, &tags).len(), versions + 2);
}

#[test]
fn a_keep_that_cannot_be_said_never_widens() {
    let read = mapping(
        "{ from: a, tags: ['regex: 1.*', 'keep: ('] }, { from: b, tags: ['semver: >=1.0.0', 'keep: a.*', 'keep: .*b', latest] }",
    );
    assert_eq!(read.mirrors, 1, "{}", read.text);
    assert!(read.text.contains("tags: { list: [latest] }"), "{}", read.text);
    assert_told(&read, Kind::LeftOut, &["`keep: (`"]);
    assert_told(&read, Kind::LeftOut, &["both match"]);
}

#[test]
fn the_platform_of_a_machine_is_told() {
    let platform = |mapping_text: &str| {
        let told = notes(&mapping(mapping_text), Kind::Changed);
        told.iter().any(|note| note.contains("platform"))
    };
    assert!(platform("{ from: a }") && platform("{ from: a, platform: linux/amd64 }"));
    assert!(!platform("{ from: a, platform: all }"));
}
