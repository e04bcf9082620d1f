//! Choosing platforms and attachments.

use insta::assert_snapshot;
use transship_planner::spec::{Mirror, Platforms, Referrers};

use super::{bad, good};

fn file(keys: &str) -> String {
    format!("version: 1\nmirrors:\n  - from: quay.io/a/b\n    to: site.example/b\n{keys}")
}

#[track_caller]
fn one(keys: &str) -> Mirror {
    good(&file(keys)).mirrors.remove(0)
}

#[test]
fn platforms_go_with_what_becomes_of_the_index() {
    let two = ["linux/amd64", "linux/arm64/v8"].map(|name| name.parse().expect("it is a platform"));
    let list = "    platforms: [linux/amd64, linux/arm64/v8]\n";
    assert_eq!(
        one(&format!("{list}    index: sparse\n")).platforms,
        Platforms::Sparse(two.to_vec())
    );
    assert_eq!(
        one(&format!("{list}    index: rewrite\n")).platforms,
        Platforms::Rewrite(two.to_vec())
    );
    assert_eq!(one("    index: rewrite\n").platforms, Platforms::All);
    assert_eq!(
        one("    platforms: all\n    index: sparse\n").platforms,
        Platforms::All
    );
}

#[test]
fn defaults_may_hold_one_half_of_it() {
    let text = "version: 1\ndefaults: { index: rewrite }\nmirrors:\n  - { from: quay.io/a/b, to: site.example/b, platforms: [linux/amd64] }\n  - { from: quay.io/a/c, to: site.example/c }\n";
    let mirrors = good(text).mirrors;
    assert!(matches!(mirrors[0].platforms, Platforms::Rewrite(_)));
    assert_eq!(mirrors[1].platforms, Platforms::All);
}

#[test]
fn what_is_wanted_has_another_digest_with_other_platforms() {
    let list = "    platforms: [linux/amd64]\n";
    let digests = [
        good(&file("")).digest,
        good(&file(&format!("{list}    index: sparse\n"))).digest,
        good(&file(&format!("{list}    index: rewrite\n"))).digest,
    ];
    assert!(digests[0] != digests[1] && digests[1] != digests[2] && digests[0] != digests[2]);
}

#[test]
fn artifact_types_are_media_types() {
    let types = "    referrers: { artifact_types: [application/spdx+json, application/vnd.dev.cosign.simplesigning.v1+json] }\n";
    let wanted = [
        "application/spdx+json",
        "application/vnd.dev.cosign.simplesigning.v1+json",
    ];
    assert_eq!(
        one(types).referrers,
        Referrers::ArtifactTypes(wanted.map(str::to_owned).to_vec())
    );
    assert_snapshot!(bad(&file("    referrers: { artifact_types: [spdx, \"application/spdx json\"] }\n")), @r#"
    error: `spdx` is no artifact type
     --> transship.yaml:5:35
      |
    5 |     referrers: { artifact_types: [spdx, "application/spdx json"] }
      |                                   ^^^^
      |
      = help: an artifact type is a media type, such as application/spdx+json

    error: `application/spdx json` is no artifact type
     --> transship.yaml:5:41
      |
    5 |     referrers: { artifact_types: [spdx, "application/spdx json"] }
      |                                         ^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: an artifact type is a media type, such as application/spdx+json
    "#);
    assert_snapshot!(bad(&file("    referrers: { artifact_types: [] }\n")), @r"
    error: `artifact_types` names no type
     --> transship.yaml:5:34
      |
    5 |     referrers: { artifact_types: [] }
      |                                  ^
      |
      = help: write referrers: none to leave every attachment out
    ");
}

#[test]
fn a_list_of_platforms_needs_to_know_what_becomes_of_the_index() {
    assert_snapshot!(bad(&file("    platforms: [linux/amd64, linux]\n")), @r"
    error: some platforms of an index are not the whole index
     --> transship.yaml:5:5
      |
    5 |     platforms: [linux/amd64, linux]
      |     ^^^^^^^^^
      |
      = help: add `index: sparse` to keep the digest or `index: rewrite` to make a new index

    error: `linux` is no platform
     --> transship.yaml:5:30
      |
    5 |     platforms: [linux/amd64, linux]
      |                              ^^^^^
      |
      = help: a platform is os/architecture or os/architecture/variant, such as linux/arm64/v8
    ");
    assert_snapshot!(bad(&file("    platforms: []\n    index: sparse\n")), @r"
    error: `platforms` names no platform
     --> transship.yaml:5:16
      |
    5 |     platforms: []
      |                ^
      |
      = help: write platforms: all
    ");
    assert_snapshot!(bad(&file("    platforms: [linux/amd64]\n    index: spare\n")), @r"
    error: unknown value of `index`
     --> transship.yaml:6:12
      |
    6 |     index: spare
      |            ^^^^^ did you mean `sparse`?
    ");
    assert_snapshot!(bad(&file("    platforms: [linux/amd64]\n    index: whole\n")), @r"
    error: some platforms of an index are not the whole index
     --> transship.yaml:5:5
      |
    5 |     platforms: [linux/amd64]
      |     ^^^^^^^^^
      |
      = help: add `index: sparse` to keep the digest or `index: rewrite` to make a new index
    ");
}
