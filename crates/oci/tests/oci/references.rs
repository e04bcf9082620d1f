//! References.

use proptest::option;
use proptest::prelude::{Just, prop_assert_eq, prop_oneof, proptest};
use transship_oci::{Digest, ManifestReference, NameError, Reference, ReferenceError};

use crate::common::{config, huge};

fn reference(text: &str) -> Reference {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// Returns host, repository, tag and digest as texts.
fn parts(text: &str) -> (String, String, Option<String>, Option<String>) {
    let reference = reference(text);
    let tag = reference.tag.map(|tag| tag.to_string());
    let digest = reference.digest.map(|digest| digest.to_string());
    (
        reference.host.to_string(),
        reference.repository.to_string(),
        tag,
        digest,
    )
}

fn named(
    host: &str,
    repository: &str,
    tag: Option<&str>,
    digest: Option<&str>,
) -> (String, String, Option<String>, Option<String>) {
    (
        host.to_owned(),
        repository.to_owned(),
        tag.map(str::to_owned),
        digest.map(str::to_owned),
    )
}

#[test]
fn a_reference_has_a_host_a_repository_a_tag_and_a_digest() {
    let digest = Digest::sha256(b"").to_string();
    let digest = digest.as_str();
    for (text, expected) in [
        ("a.io/b".to_owned(), named("a.io", "b", None, None)),
        (
            "a.io/b/c/d:v1".to_owned(),
            named("a.io", "b/c/d", Some("v1"), None),
        ),
        (format!("a.io/b@{digest}"), named("a.io", "b", None, Some(digest))),
        (
            format!("a.io/b:v1@{digest}"),
            named("a.io", "b", Some("v1"), Some(digest)),
        ),
        (
            "a.io:5000/b:v1".to_owned(),
            named("a.io:5000", "b", Some("v1"), None),
        ),
        (
            format!("localhost:5000/b@{digest}"),
            named("localhost:5000", "b", None, Some(digest)),
        ),
        (
            format!("localhost:5000/b/c:1@{digest}"),
            named("localhost:5000", "b/c", Some("1"), Some(digest)),
        ),
        ("localhost/b".to_owned(), named("localhost", "b", None, None)),
        (
            "[::1]:5000/b:v1".to_owned(),
            named("[::1]:5000", "b", Some("v1"), None),
        ),
        (
            format!("[2001:db8::1]/b@{digest}"),
            named("[2001:db8::1]", "b", None, Some(digest)),
        ),
    ] {
        assert_eq!(parts(&text), expected, "{text}");
        assert_eq!(parts(&format!("docker://{text}")), expected, "{text}");
        assert_eq!(reference(&text).to_string(), text);
    }
}

#[test]
fn official_images_of_docker_hub_stand_in_library() {
    for text in [
        "docker.io/alpine:3",
        "index.docker.io/alpine:3",
        "docker://registry-1.docker.io/alpine:3",
        "docker.io/library/alpine:3",
    ] {
        assert_eq!(reference(text).to_string(), "docker.io/library/alpine:3");
    }
    assert_eq!(reference("docker.io/team/app").repository.as_str(), "team/app");
    assert_eq!(reference("a.io/alpine").repository.as_str(), "alpine");
    assert_eq!(
        reference("docker.io:5000/alpine").repository.as_str(),
        "alpine",
        "a port makes it another registry"
    );
}

#[test]
fn a_first_segment_that_is_no_host_is_never_guessed() {
    for text in [
        "",
        "alpine",
        "library/alpine",
        "team/app:v1",
        "docker://alpine",
        "/a",
        "docker:///a",
    ] {
        assert_eq!(text.parse::<Reference>(), Err(ReferenceError::NoHost), "{text}");
    }
}

#[test]
fn a_reference_without_a_repository_says_so() {
    for text in [
        "docker.io",
        "docker.io/",
        "localhost:5000",
        "localhost:5000/",
        "a.io/:v1",
    ] {
        assert_eq!(
            text.parse::<Reference>(),
            Err(ReferenceError::NoRepository),
            "{text}"
        );
    }
}

#[test]
fn a_part_outside_its_grammar_is_named() {
    use NameError::{Host, Repository, Tag};
    for (text, error) in [
        ("a..io/b", Host),
        ("a.io:x/b", Host),
        ("http://a.io/b", Host),
        ("docker://docker://a.io/b", Host),
        ("a.io/B", Repository),
        ("a.io//b", Repository),
        ("a.io/b/", Repository),
        ("a.io/../b", Repository),
        ("a.io/b:5000/c", Repository),
        ("a.io/b:1:2", Repository),
        ("a.io/b:", Tag),
        ("a.io/b:.v1", Tag),
        ("a.io/b:v1 ", Tag),
    ] {
        assert_eq!(
            text.parse::<Reference>(),
            Err(ReferenceError::Name(error)),
            "{text}"
        );
    }
    let digest = Digest::sha256(b"");
    for text in [
        "a.io/b@".to_owned(),
        "a.io/b@v1".to_owned(),
        format!("a.io/b@{digest}@{digest}"),
        format!("a.io/b@{digest}:v1"),
    ] {
        assert!(
            matches!(text.parse::<Reference>(), Err(ReferenceError::Digest(_))),
            "{text}"
        );
    }
}

#[test]
fn the_digest_decides_where_a_tag_is_written_too() {
    let digest = Digest::sha256(b"");
    let manifest = |text: &str| reference(text).manifest();
    assert_eq!(
        manifest(&format!("a.io/b:v1@{digest}")),
        Some(ManifestReference::Digest(digest))
    );
    assert_eq!(manifest("a.io/b:v1").unwrap().to_string(), "v1");
    assert_eq!(manifest("a.io/b"), None);
}

#[test]
fn ten_megabytes_are_no_reference() {
    for text in [
        huge("a.io/"),
        huge("a:"),
        huge("@"),
        huge("é"),
        format!("a.io/{}", huge("b/")),
        format!("a.io/b@sha256:{}", huge("0")),
    ] {
        assert!(text.parse::<Reference>().unwrap_err().to_string().len() < 200);
    }
}

proptest! {
    #![proptest_config(config(512))]

    #[test]
    fn a_reference_reads_back_from_its_text(
        host in prop_oneof!["[a-z0-9]{1,5}\\.[a-z]{2,3}(:[1-9][0-9]{0,3})?", Just("[::1]:5000".to_owned()), Just("localhost".to_owned())],
        repository in "[a-z0-9]{1,4}([._-][a-z0-9]{1,4})?(/[a-z0-9]{1,4}){0,3}",
        tag in option::of("[A-Za-z0-9_][A-Za-z0-9._-]{0,9}"),
        content in option::of(proptest::prelude::any::<Vec<u8>>()),
    ) {
        let mut text = format!("{host}/{repository}");
        if let Some(tag) = &tag {
            text = format!("{text}:{tag}");
        }
        if let Some(content) = &content {
            text = format!("{text}@{}", Digest::sha256(content));
        }
        let reference = reference(&text);
        prop_assert_eq!(reference.to_string(), text);
        prop_assert_eq!(reference.host.as_str(), host);
        prop_assert_eq!(reference.repository.as_str(), repository);
        prop_assert_eq!(reference.tag.map(|tag| tag.to_string()), tag);
        prop_assert_eq!(reference.digest, content.map(|content| Digest::sha256(&content)));
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "(docker://)?[a-c.:\\[\\]]{0,4}/?\\PC{0,12}") {
        if let Ok(reference) = text.parse::<Reference>() {
            prop_assert_eq!(reference.to_string().parse::<Reference>(), Ok(reference));
        }
    }
}

#[test]
fn dockers_names_lose_what_docker_leaves_out() {
    for (text, name) in [
        ("alpine:3", Some(("alpine", "3"))),
        ("docker.io/library/alpine:3", Some(("alpine", "3"))),
        ("docker.io/team/app:v1", Some(("team/app", "v1"))),
        ("quay.io/team/app:v1", Some(("quay.io/team/app", "v1"))),
        ("localhost:5000/team/app:v1", Some(("team/app", "v1"))),
        ("alpine", None),
        ("localhost:5000/app", None),
        ("Big:v1", None),
        (":v1", None),
    ] {
        let found = transship_oci::docker_name(text);
        let found = found.as_ref().map(|(name, tag)| (name.as_str(), tag.as_str()));
        assert_eq!(found, name, "{text}");
    }
}
