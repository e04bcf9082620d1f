//! Files that are not the tool's, and words that name no tool.

use insta::assert_snapshot;
use transship_planner::import::{Destination, ForeignFile, Format, import};

fn refused(format: Format, text: &str) -> String {
    let file = ForeignFile {
        name: "foreign.yaml",
        text,
    };
    let problems = import(format, &[file], &Destination::default()).expect_err("the file is refused");
    problems.iter().map(ToString::to_string).collect()
}

const FORMATS: [Format; 4] = [
    Format::SkopeoSync,
    Format::Regsync,
    Format::ImageSyncer,
    Format::Dregsy,
];

#[test]
fn what_is_no_yaml_is_refused_with_its_place() {
    for format in FORMATS {
        let told = refused(format, "a: [1\nb: 2\n");
        assert!(told.contains("--> foreign.yaml:2:"), "{told}");
        assert!(refused(format, "").contains("foreign.yaml:1:1"));
    }
}

#[test]
fn what_is_no_file_of_the_tool_is_refused_with_its_place() {
    for (format, text, place) in [
        (Format::SkopeoSync, "- a\n", "foreign.yaml:1:1"),
        (
            Format::SkopeoSync,
            "quay.io:\n  images: [a]\n",
            "foreign.yaml:2:11",
        ),
        (
            Format::SkopeoSync,
            "quay.io:\n  images:\n    a: latest\n",
            "foreign.yaml:3:8",
        ),
        (
            Format::SkopeoSync,
            "quay.io:\n  tls-verify: maybe\n",
            "foreign.yaml:2:15",
        ),
        (Format::Regsync, "version: 2\n", "foreign.yaml:1:10"),
        (Format::Regsync, "sync: { a: b }\n", "foreign.yaml:1:7"),
        (Format::Regsync, "sync:\n  - source: a\n", "foreign.yaml:2:5"),
        (
            Format::Regsync,
            "creds:\n  - { registry: a.b, tls: maybe }\n",
            "foreign.yaml:2:27",
        ),
        (Format::ImageSyncer, "[a, b]\n", "foreign.yaml:1:1"),
        (Format::ImageSyncer, "auth: [a]\n", "foreign.yaml:1:7"),
        (Format::Dregsy, "tasks: a\n", "foreign.yaml:1:8"),
        (Format::Dregsy, "tasks:\n  - name: a\n", "foreign.yaml:2:5"),
        (
            Format::Dregsy,
            "tasks:\n  - source: { registry: 'a b' }\n    target: { registry: c.d }\n",
            "foreign.yaml:2:25",
        ),
        (
            Format::Dregsy,
            "tasks:\n  - source: { registry: a.b }\n    target: { registry: c.d }\n    mappings: [{ to: x }]\n",
            "foreign.yaml:4:16",
        ),
    ] {
        let told = refused(format, text);
        assert!(
            told.contains(&format!("--> {place}\n")),
            "{place} is not in {told}"
        );
    }
}

#[test]
fn all_problems_are_told_in_one_run() {
    assert_snapshot!(refused(
        Format::SkopeoSync,
        "quay.io:\n  images: [a]\n  credentials: hunter2\n"
    ));
}

#[test]
fn formats_have_their_words() {
    for (word, format) in [
        ("skopeo-sync", Format::SkopeoSync),
        ("skopeo", Format::SkopeoSync),
        ("regsync", Format::Regsync),
        ("image-syncer", Format::ImageSyncer),
        ("dregsy", Format::Dregsy),
    ] {
        assert_eq!(word.parse::<Format>(), Ok(format));
    }
    let error = "ocync".parse::<Format>().expect_err("there is no such format");
    assert!(
        error
            .to_string()
            .contains("skopeo-sync, regsync, image-syncer and dregsy")
    );
}

#[test]
fn a_file_of_another_tool_is_refused_and_recognised() {
    let skopeo = "quay.io:\n  images:\n    team/app: [v1]\n";
    let regsync =
        "version: 1\nsync:\n  - { source: quay.io/a/b, target: site.example/b, type: repository }\n";
    let dregsy = "relay: skopeo\ntasks:\n  - { name: a, source: { registry: quay.io }, target: { registry: a.b }, mappings: [{ from: a/b }] }\n";
    let syncer = "images:\n  quay.io/a/b: site.example/b\n";
    let own = "version: 1\nmirrors: []\n";
    for (format, text, lacks, like) in [
        (Format::Regsync, skopeo, "`sync`", "`skopeo-sync`"),
        (Format::Regsync, dregsy, "`sync`", "`dregsy`"),
        (Format::Regsync, syncer, "`sync`", "`image-syncer`"),
        (Format::Regsync, own, "`sync`", "configuration of transship"),
        (
            Format::Regsync,
            "version: 1\nsteps: [a]\n",
            "`sync`",
            "this one has `version`, `steps`",
        ),
        (Format::Dregsy, regsync, "`tasks`", "`regsync`"),
        (Format::Dregsy, skopeo, "`tasks`", "`skopeo-sync`"),
        (Format::ImageSyncer, skopeo, "`images`", "`skopeo-sync`"),
        (
            Format::SkopeoSync,
            "quay.io: {}\n",
            "`images-by-semver`",
            "this one has `quay.io`",
        ),
    ] {
        let told = refused(format, text);
        assert!(told.contains(lacks) && told.contains(like), "{format}: {told}");
        assert!(told.contains("this is no file of"), "{format}: {told}");
    }
}

#[test]
fn a_destination_is_a_host_and_a_path() {
    let problem = |reference: &str| {
        let reference = Some(reference.to_owned());
        Destination {
            reference,
            ..Destination::default()
        }
        .problem()
    };
    for good in ["a.b", "a.b:5000/mirror/x/", "docker://localhost/x"] {
        assert_eq!(problem(good), None, "{good}");
    }
    for bad in ["Bad Dest", "", "a.b/Upper", "a.b/x y"] {
        assert!(problem(bad).is_some(), "{bad}");
    }
}
