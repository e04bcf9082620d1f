//! References and copies without a configuration.

use insta::assert_snapshot;
use transship_planner::Spec;
use transship_planner::config::{self, CopyError, CopyOptions, LayoutForm};
use transship_planner::spec::Endpoint;

use super::lines;

const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn copy(source: &str, targets: &[&str]) -> Result<Spec, CopyError> {
    let targets: Vec<String> = targets.iter().map(|&target| target.to_owned()).collect();
    config::copy(source, &targets, CopyOptions::default())
}

#[track_caller]
fn copied(source: &str, targets: &[&str]) -> String {
    lines(&copy(source, targets).expect("the references can be copied"))
}

#[test]
fn references_read_as_in_other_tools() {
    for (text, place, manifest) in [
        ("docker.io/alpine", "docker.io/library/alpine", ""),
        ("docker://quay.io/a/b:v1", "quay.io/a/b", "v1"),
        ("localhost:5000/app", "localhost:5000/app", ""),
        ("localhost/app:v1", "localhost/app", "v1"),
        (&format!("quay.io/a/b:v1@{DIGEST}"), "quay.io/a/b", DIGEST),
        (&format!("quay.io/a/b@{DIGEST}"), "quay.io/a/b", DIGEST),
        ("oci:/media/usb", "oci:usb/image", ""),
        ("oci:/media/usb:v1", "oci:usb/image", "v1"),
        ("oci:usb:team/app:v1", "oci:usb/team/app", "v1"),
        (&format!("oci:./a b/@{DIGEST}"), "oci:a-b/image", DIGEST),
        (&format!("oci:usb:team/app@{DIGEST}"), "oci:usb/team/app", DIGEST),
        (
            &format!("oci:usb:team/app:v1@{DIGEST}"),
            "oci:usb/team/app",
            DIGEST,
        ),
        (
            &format!("docker-archive:saved.tar:alpine@{DIGEST}"),
            "docker-archive:saved.tar/alpine",
            DIGEST,
        ),
        ("oci:.", "oci:./image", ""),
        (
            "oci-archive:/media/usb.tar:team/app:v1",
            "oci-archive:usb.tar/team/app",
            "v1",
        ),
        (
            &format!("oci-archive:usb@{DIGEST}"),
            "oci-archive:usb/image",
            DIGEST,
        ),
        (
            "docker-archive:saved.tar:alpine:3",
            "docker-archive:saved.tar/alpine",
            "3",
        ),
        (
            "docker-archive:saved.tar:docker.io/library/alpine:3",
            "docker-archive:saved.tar/alpine",
            "3",
        ),
        (
            "docker-archive:saved.tar:localhost:5000/a/b:3",
            "docker-archive:saved.tar/a/b",
            "3",
        ),
        ("[::1]:5000/app", "[::1]:5000/app", ""),
    ] {
        let (read, found, _) = config::reference(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        let found = found.map_or_else(String::new, |manifest| manifest.to_string());
        assert_eq!(
            (read.to_string().as_str(), found.as_str()),
            (place, manifest),
            "{text}"
        );
    }
}

#[test]
fn a_layout_says_which_repository_is_bare() {
    let (_, _, registry) = config::reference("oci:/media/$usb/:v1").expect("a reference");
    assert_eq!(registry.endpoint, Endpoint::Layout("/media/$usb".to_owned()));
    assert_eq!(registry.connection.layout.as_deref(), Some("/media/$$usb"));
    assert_eq!(
        registry.connection.bare.map(|bare| bare.to_string()).as_deref(),
        Some("image")
    );
    let resolved = config::reference("oci:/media/$usb/:v1")
        .expect("a reference")
        .2
        .connection
        .resolve(&|_| None);
    assert_eq!(
        resolved.expect("no variables").connection.layout.as_deref(),
        Some("/media/$usb")
    );
    let (_, _, named) = config::reference("oci:/media/usb:app:v1").expect("a reference");
    assert_eq!(named.connection.bare, None);
}

#[test]
fn a_layout_is_an_archive_where_its_reference_or_its_path_says_so() {
    let directory = |path: &str| Endpoint::Layout(path.to_owned());
    let archive = |path: &str| Endpoint::OciArchive(path.to_owned());
    let docker = |path: &str| Endpoint::DockerArchive(path.to_owned());
    for (text, endpoint, said) in [
        ("oci:usb", directory("usb"), None),
        ("oci:usb.tar", directory("usb.tar"), Some(LayoutForm::Directory)),
        ("oci-archive:usb.tar", archive("usb.tar"), None),
        ("oci-archive:usb", archive("usb"), Some(LayoutForm::OciArchive)),
        (
            "docker-archive:usb.tar",
            docker("usb.tar"),
            Some(LayoutForm::DockerArchive),
        ),
    ] {
        let (_, _, registry) = config::reference(text).expect(text);
        let form = registry.endpoint.layout().map(|(form, _)| form);
        assert_eq!(registry.endpoint, endpoint, "{text}");
        assert_eq!(registry.connection.form, said, "{text}");
        assert_eq!(Some(registry.connection.layout_form()), form, "{text}");
    }
}

#[test]
fn an_archive_of_docker_save_is_no_target() {
    let error = copy("quay.io/a/b:v1", &["docker-archive:x.tar"]).expect_err("it is only read");
    assert_eq!(
        error.to_string(),
        "`docker-archive:x.tar` can't be written: archives of `docker save` are only read"
    );
}

#[test]
fn other_texts_are_refused() {
    for (text, message) in [
        ("alpine", "`alpine` is no reference"),
        ("library/alpine", "`library/alpine` is no reference"),
        ("quay.io", "`quay.io` is no reference"),
        ("quay.io/Big", "`quay.io/Big` is no reference"),
        ("oci:", "`oci:` names no layout; oci:PATH does"),
        (
            "oci-archive:",
            "`oci-archive:` names no layout; oci-archive:PATH does",
        ),
        ("oci::v1", "`oci::v1` names no layout; oci:PATH does"),
        ("oci:usb:bad!", "`oci:usb:bad!` is no reference"),
        ("oci:usb@sha256:x", "`oci:usb@sha256:x` is no reference"),
        (
            "docker-archive:x.tar:!",
            "`docker-archive:x.tar:!` is no reference",
        ),
    ] {
        let error = config::reference(text).expect_err(text);
        assert_eq!(error.to_string(), message);
    }
}

#[test]
fn a_copy_takes_the_sources_tag_unless_the_target_names_one() {
    assert_snapshot!(copied("quay.io/a/app:v1", &["site.example/app", "site.example/app:v2", "oci:out", "oci:out2:team/app:v1"]), @r#"
    oci:out = Layout("out")
    oci:out2 = Layout("out2")
    quay.io = Host(quay.io)
    site.example = Host(site.example)
    [quay.io/a/app:v1]
    quay.io/a/app:v1 -> site.example/app
    quay.io/a/app:v1 -> site.example/app:v2
    quay.io/a/app:v1 -> oci:out/app
    quay.io/a/app:v1 -> oci:out2/team/app
    "#);
}

#[test]
fn a_source_without_a_tag_is_latest() {
    assert_snapshot!(copied("docker.io/alpine", &["site.example/base/alpine"]), @r#"
    docker.io = Host(docker.io)
    site.example = Host(site.example)
    [docker.io/alpine]
    docker.io/library/alpine:latest -> site.example/base/alpine
    "#);
}

#[test]
fn a_digest_is_copied_without_a_tag_unless_one_is_named() {
    assert_snapshot!(copied(&format!("quay.io/a/app@{DIGEST}"), &["site.example/app", "other.example/app:v1"]), @r#"
    other.example = Host(other.example)
    quay.io = Host(quay.io)
    site.example = Host(site.example)
    [quay.io/a/app@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855]
    quay.io/a/app@sha256:e3b0c44298fc -> site.example/app
    quay.io/a/app@sha256:e3b0c44298fc -> other.example/app:v1
    "#);
}

#[test]
fn a_child_is_copied_under_the_tag_of_its_index() {
    let options = || CopyOptions {
        digest: Some(DIGEST.parse().expect("a digest")),
        ..CopyOptions::default()
    };
    let targets = ["a.example/app".to_owned()];
    for source in ["b.example/app:v1", "oci:kept:v1"] {
        let spec = config::copy(source, &targets, options()).expect("the references can be copied");
        let pinned = spec.mirrors[0].sources[0]
            .pinned
            .clone()
            .expect("a copy is pinned");
        assert_eq!(pinned.tag.map(|tag| tag.to_string()).as_deref(), Some("v1"));
        assert_eq!(pinned.digest, options().digest);
        let whole = config::copy(source, &targets, CopyOptions::default()).expect("so can they whole");
        assert_ne!(whole.digest, spec.digest, "another thing is wanted");
    }
}

#[test]
fn a_tag_may_be_copied_beside_itself() {
    assert_snapshot!(copied("quay.io/a/app:v1", &["quay.io/a/app:v2"]), @r#"
    quay.io = Host(quay.io)
    [quay.io/a/app:v1]
    quay.io/a/app:v1 -> quay.io/a/app:v2
    "#);
}

#[test]
fn layouts_with_the_same_last_name_stay_apart() {
    assert_snapshot!(copied("oci:/a/usb:v1", &["oci:/b/usb"]), @r#"
    oci:usb = Layout("/a/usb")
    oci:usb-2 = Layout("/b/usb")
    [oci:/a/usb:v1]
    oci:usb/image:v1 -> oci:usb-2/image
    "#);
}

#[test]
fn copies_that_make_no_sense_are_refused() {
    assert_eq!(
        copy("quay.io/a/b", &[]).expect_err("no target"),
        CopyError::NoTarget
    );
    let twice = |text: &str| CopyError::Twice {
        text: text.to_owned(),
    };
    assert_eq!(
        copy("quay.io/a/b", &["quay.io/a/b:latest"]).expect_err("itself"),
        twice("quay.io/a/b:latest")
    );
    let targets = ["site.example/b", "site.example/b:v1"];
    assert_eq!(
        copy("quay.io/a/b:v1", &targets).expect_err("one place"),
        twice("site.example/b:v1")
    );
    let digest = copy("quay.io/a/b", &[&format!("site.example/b@{DIGEST}")]);
    assert!(matches!(digest, Err(CopyError::TargetDigest { .. })));
    assert!(matches!(
        copy("b", &["site.example/b"]),
        Err(CopyError::Reference { .. })
    ));
}
