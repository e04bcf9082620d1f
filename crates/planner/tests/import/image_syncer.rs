//! image-syncer's files.

use insta::assert_snapshot;
use transship_planner::import::{Destination, Format, Imported, Kind};

use super::{assert_told, imported, shown, taken};

#[track_caller]
fn read(files: &[(&str, &str)]) -> Imported {
    imported(Format::ImageSyncer, files, &Destination::default())
}

/// In JSON, as most files are, indented with tabs.
const AUTH: &str = r#"{
	"quay.io": { "username": "xxx", "password": "in-the-clear", "insecure": true },
	"registry.cn-beijing.aliyuncs.com": { "username": "xxx", "password": "also-in-the-clear" },
	"registry.cn-beijing.aliyuncs.com/team": { "username": "${ALI_USER}", "password": "$ALI_PASS" },
	"registry.hub.docker.com": { "username": "me", "password": "token" },
	"quay.io/coreos": { "username": "abc", "password": "third-in-the-clear", "insecure": true, "token": "x" }
}
"#;

const IMAGES: &str = r"quay.io/coreos/kube-rbac-proxy: quay.io/ruohe/kube-rbac-proxy
quay.io/coreos/proxy:v1.0,v2.0: registry.cn-beijing.aliyuncs.com/team/proxy
quay.io/coreos/etcd:/v3\.5\..*/:
  - registry.cn-beijing.aliyuncs.com/team/etcd
  - registry.local:5000/team/etcd
nginx:1.27: registry.local:5000/library/nginx:1.27-mirror
team/app: registry.local:5000/team/app
quay.io/a/pair:1,2: registry.local:5000/a/pair:one,two
quay.io/a/odd:1,2: registry.local:5000/a/odd:one
quay.io/a/pinned@sha256:0000000000000000000000000000000011111111111111111111111111111111: registry.local:5000/a/pinned
quay.io/a/nowhere:
quay.io/a/latest: registry.local:5000/a/latest:only
";

#[test]
fn two_files() {
    assert_snapshot!(shown(&read(&[("auth.json", AUTH), ("images.yaml", IMAGES)])));
}

#[test]
fn the_order_of_the_files_does_not_matter() {
    let one = read(&[("auth.json", AUTH), ("images.yaml", IMAGES)]);
    let other = read(&[("images.yaml", IMAGES), ("auth.json", AUTH)]);
    let body = |imported: &Imported| {
        imported
            .text
            .lines()
            .skip(1)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(body(&one), body(&other));
}

#[test]
fn one_file_of_old() {
    let text = r#"{ "auth": { "q.io": { "username": "u", "password": "in-the-clear" } },
      "images": { "q.io/a:1,1,2": ["l.io/a", "m.io/b"] }, "proc": 5 }"#;
    let read = read(&[("config.json", text)]);
    assert!(
        read.text
            .contains("to: [l-io/a, m-io/b]\n    tags: { list: [\"1\", \"2\"] }"),
        "{}",
        read.text
    );
    assert_told(&read, Kind::Ignored, &["`proc`"]);
    assert_told(&read, Kind::ToDo, &["Q_IO_PASSWORD"]);
}

#[test]
fn expressions_match_any_part_of_a_tag() {
    let tags = ["v3.5.1", "v3.50.1", "xv3.5.1", "v3.4.0", "latest"];
    for (regex, expected) in [
        (r"v3\.5\..*", &["v3.5.1", "xv3.5.1"][..]),
        (r"^v3\.5\..*$", &["v3.5.1"]),
        ("^v3.5", &["v3.5.1", "v3.50.1"]),
        ("4|t$", &["latest", "v3.4.0"]),
    ] {
        let read = read(&[("images.yaml", &format!("'q.io/etcd:/{regex}/': l.io/etcd\n"))]);
        assert_eq!(taken(&read, 0, &tags), expected, "{regex}");
    }
}

#[test]
fn several_sources_of_one_target_collide() {
    let read = read(&[(
        "images.yaml",
        "a.io/x: l.io/x\nb.io/x: l.io/x\nc.io/x:1: l.io/y:1\nd.io/x:2: l.io/y\n",
    )]);
    assert_eq!(read.mirrors, 3, "{}", read.text);
    assert_told(
        &read,
        Kind::LeftOut,
        &["images.yaml:2:1", "two sources write into `l-io/x`"],
    );
}
