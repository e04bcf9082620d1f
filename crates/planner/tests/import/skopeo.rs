//! `skopeo sync --src yaml`.

use insta::assert_snapshot;
use transship_planner::import::{Destination, Format, Imported, Kind};

use super::{assert_told, imported, notes, shown, taken};

fn to(reference: &str) -> Destination {
    Destination {
        reference: Some(reference.to_owned()),
        ..Destination::default()
    }
}

#[track_caller]
fn read(text: &str) -> Imported {
    imported(
        Format::SkopeoSync,
        &[("sync.yaml", text)],
        &to("mirror.example/base"),
    )
}

/// Every key that the manual shows.
const MANUAL: &str = r#"registry.example.com:
  images:
    busybox: []
    redis:
      - "1.0"
      - "2.0"
      - "sha256:0000000000000000000000000000000011111111111111111111111111111111"
  images-by-tag-regex:
    nginx: ^1\.13\.[12]-alpine-perl$
  images-by-semver:
    alpine: ">= 3.12.0"
  credentials:
    username: john
    password: this is a secret
  tls-verify: true
  cert-dir: /home/john/certs
quay.io:
  tls-verify: false
  images:
    coreos/etcd:
      - latest
"#;

#[test]
fn every_key_of_the_manual() {
    assert_snapshot!(shown(&read(MANUAL)));
}

/// The traps that facts about the tool name.
const TRAPS: &str = r#"docker.io:
  images:
    busybox: [stable, stable, "not a tag"]
    team/app: null
    other/app: ["1.0"]
    "team/tagged:1": []
  images-by-tag-regex:
    team/any: "1.1"
    team/bad: "("
    busybox: "^1"
  images-by-semver:
    team/pre: ">=1.2.3-0, <2"
    team/wrong: "latest"
  image-by-semver: {}
"#;

#[test]
fn every_trap() {
    assert_snapshot!(shown(&read(TRAPS)));
}

#[test]
fn without_a_destination_a_variable_stands_for_it() {
    let imported = imported(
        Format::SkopeoSync,
        &[("sync.yaml", MANUAL)],
        &Destination::default(),
    );
    assert!(
        imported.text.contains("host: \"${DESTINATION}\""),
        "{}",
        imported.text
    );
    assert_told(&imported, Kind::ToDo, &["DESTINATION", "--dest"]);
}

#[test]
fn scoped_targets_and_suffixes_read_as_the_command_line_says() {
    let destination = Destination {
        scoped: true,
        suffix: Some("-mirror".to_owned()),
        all: true,
        ..to("docker://127.0.0.1:5000/")
    };
    let text = "docker.io: { images: { busybox: [], app: [\"sha256:0000000000000000000000000000000011111111111111111111111111111111\"] } }\n";
    assert_snapshot!(shown(&imported(
        Format::SkopeoSync,
        &[("sync.yaml", text)],
        &destination
    )));
}

#[test]
fn repositories_of_one_name_collide_and_the_second_is_left_out() {
    let read = read("quay.io: { images: { team/app: [v1], other/app: [v2], third/app: [v1] } }\n");
    assert_eq!(read.mirrors, 2, "{}", read.text);
    assert_told(
        &read,
        Kind::LeftOut,
        &["sync.yaml:1:", "two sources write into", "third/app"],
    );
    assert!(read.text.contains("  # left out, sync.yaml:1:"), "{}", read.text);
    assert!(
        read.text.contains("  # - from: quay-io/third/app"),
        "{}",
        read.text
    );
}

#[test]
fn tags_are_taken_as_skopeo_takes_them() {
    let tags = [
        "1.1",
        "v1.10",
        "v2.11.1",
        "1.2.0",
        "1.2.3",
        "1.2.3-rc.1",
        "1.3.0-rc.1",
        "1.9.0",
        "2.0.0",
        "2.0.0-rc.1",
        "3.1.4",
        "latest",
        "v1.2.4",
    ];
    for (key, rule, expected) in [
        ("images-by-tag-regex", "1.1", &["1.1", "v1.10", "v2.11.1"][..]),
        ("images-by-tag-regex", "^1.1", &["1.1"]),
        ("images-by-tag-regex", "t$", &["latest"]),
        (
            "images-by-tag-regex",
            "^latest|4$",
            &["3.1.4", "latest", "v1.2.4"],
        ),
        ("images-by-tag-regex", "(?i)LATEST", &["latest"]),
        ("images-by-tag-regex", r"^v\d", &["v1.10", "v1.2.4", "v2.11.1"]),
        ("images-by-semver", ">= 2.0.0", &["2.0.0", "3.1.4", "v2.11.1"]),
        ("images-by-semver", "1.2", &["1.2.0", "1.2.3", "v1.2.4"]),
        ("images-by-semver", "~1.2.3", &["1.2.3", "v1.2.4"]),
        ("images-by-semver", "^1.9", &["1.9.0", "v1.10"]),
        ("images-by-semver", "1.2.3 - 1.9", &["1.2.3", "1.9.0", "v1.2.4"]),
        (
            "images-by-semver",
            ">1.9, <3 || 3.x",
            &["2.0.0", "3.1.4", "v1.10", "v2.11.1"],
        ),
        ("images-by-semver", ">=1.2.3-0, <1.9", &["1.2.3", "v1.2.4"]),
        (
            "images-by-semver",
            ">=1.2.3-0 <1.3.0-0",
            &["1.2.3", "1.2.3-rc.1", "v1.2.4"],
        ),
        ("images-by-semver", "!=1.2.3 <1.9", &["1.1", "1.2.0", "v1.2.4"]),
        ("images", "[v1.10, latest]", &["latest", "v1.10"]),
        (
            "images",
            "[]",
            &[
                "1.1",
                "1.2.0",
                "1.2.3",
                "1.2.3-rc.1",
                "1.3.0-rc.1",
                "1.9.0",
                "2.0.0",
                "2.0.0-rc.1",
                "3.1.4",
                "latest",
                "v1.10",
                "v1.2.4",
                "v2.11.1",
            ],
        ),
    ] {
        let rule = if key == "images" {
            rule.to_owned()
        } else {
            format!("'{rule}'")
        };
        let read = read(&format!("quay.io:\n  {key}:\n    team/app: {rule}\n"));
        assert_eq!(taken(&read, 0, &tags), expected, "{key} {rule}");
    }
}

#[test]
fn verification_that_is_off_is_said_in_our_words() {
    let text = "127.0.0.1:5000: { tls-verify: false, images: { a: [x] } }\nq.example: { tls-verify: false, images: { b: [x] } }\n";
    let read = read(text);
    assert!(
        read.text
            .contains("host: \"127.0.0.1:5000\"\n    plain_http: true\n"),
        "{}",
        read.text
    );
    assert!(
        read.text
            .contains("host: q.example\n    insecure_skip_verify: true\n"),
        "{}",
        read.text
    );
    assert_told(
        &read,
        Kind::Changed,
        &["sync.yaml:1:1, sync.yaml:2:1", "plain_http"],
    );
}

#[test]
fn two_files_make_one_configuration() {
    let files = [
        ("a.yaml", "quay.io: { images: { a: [x] } }\n"),
        ("b.yaml", "quay.io: { images: { b: [x] } }\n"),
    ];
    let imported = imported(Format::SkopeoSync, &files, &to("mirror.example"));
    assert_eq!(imported.mirrors, 2);
    assert_eq!(
        imported.text.matches("host: quay.io").count(),
        1,
        "{}",
        imported.text
    );
}

#[test]
fn whole_indexes_are_told_unless_the_command_line_copied_them() {
    let platforms = |all: bool| {
        let destination = Destination {
            all,
            ..to("mirror.example")
        };
        let imported = imported(
            Format::SkopeoSync,
            &[("s.yaml", "q.io: { images: { a: [x] } }\n")],
            &destination,
        );
        notes(&imported, Kind::Changed)
            .iter()
            .any(|note| note.contains("every platform"))
    };
    assert!(platforms(false) && !platforms(true));
}
