//! Hosts, repository names and tags.

use std::sync::LazyLock;

use proptest::prelude::{prop_assert, prop_assert_eq, prop_oneof, proptest};
use proptest::strategy::Strategy;
use regex::Regex;
use transship_oci::{Host, NameError, RepositoryName, Tag};

use crate::common::{config, huge};

// The expressions of the distribution specification, "Pulling manifests".
const REPOSITORY: &str = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*";
// The same grammar with bounds, to make names from.
const NAMES: &str = r"[a-z0-9]{1,8}((\.|_|__|-{1,3})[a-z0-9]{1,5}){0,2}(/[a-z0-9]{1,8}((\.|_|__|-{1,3})[a-z0-9]{1,5}){0,2}){0,3}";
const TAG: &str = r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}";

static REPOSITORIES: LazyLock<Regex> = LazyLock::new(|| whole(REPOSITORY));
static TAGS: LazyLock<Regex> = LazyLock::new(|| whole(TAG));

fn whole(pattern: &str) -> Regex {
    Regex::new(&format!(r"\A(?:{pattern})\z")).unwrap()
}

fn host(text: &str) -> Host {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// Texts around the grammars: most of them just inside or just outside.
fn near_names() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-c0-9._/-]{0,10}",
        "[a-cA-C0-9._:@/ é\n-]{0,8}",
        "[a-z0-9]{1,3}([._-]{1,3}[a-z0-9]{1,3}){0,3}(/[a-z0-9]{0,3}([._-]{0,3}[a-z0-9]{1,3}){0,2}){0,2}",
    ]
}

#[test]
fn a_repository_has_at_most_255_characters() {
    let longest = "a".repeat(RepositoryName::MAX);
    assert_eq!(longest.parse::<RepositoryName>().unwrap().as_str(), longest);
    assert_eq!(
        format!("{longest}a").parse::<RepositoryName>(),
        Err(NameError::RepositoryLength)
    );
}

#[test]
fn a_tag_has_at_most_128_characters() {
    let longest = "a".repeat(128);
    assert_eq!(longest.parse::<Tag>().unwrap().as_str(), longest);
    assert_eq!(format!("{longest}a").parse::<Tag>(), Err(NameError::Tag));
}

#[test]
fn paths_out_of_a_repository_are_no_names() {
    for text in [
        "", "/", "a/", "/a", "a//b", ".", "..", "a/..", "a/../b", "./a", "a/.b", "a\\b", "a b", "a\0",
    ] {
        assert!(text.parse::<RepositoryName>().is_err(), "{text:?}");
    }
    for text in ["", ".", "..", ".a", "-a", "a/b", "a:b", "a\n", "é"] {
        assert_eq!(text.parse::<Tag>(), Err(NameError::Tag), "{text:?}");
    }
}

#[test]
fn the_last_segment_of_a_name_is_behind_its_last_slash() {
    let last = |text: &str| text.parse::<RepositoryName>().unwrap().last_segment().to_owned();
    assert_eq!(last("library/alpine"), "alpine");
    assert_eq!(last("alpine"), "alpine");
}

#[test]
fn a_host_has_a_name_and_a_port() {
    for (text, name, port) in [
        ("registry.example", "registry.example", None),
        ("registry.example:5000", "registry.example", Some(5000)),
        ("localhost", "localhost", None),
        ("localhost:1", "localhost", Some(1)),
        ("10.0.0.1:65535", "10.0.0.1", Some(65535)),
        ("[::1]", "[::1]", None),
        ("[2001:db8::1]:443", "[2001:db8::1]", Some(443)),
    ] {
        assert_eq!((host(text).name(), host(text).port()), (name, port), "{text}");
        assert_eq!(host(text).as_str(), text);
        assert!(Host::looks_like(text), "{text}");
    }
}

#[test]
fn one_host_has_one_spelling() {
    for (text, spelled) in [
        ("Registry.EXAMPLE:5000", "registry.example:5000"),
        ("registry.example:05000", "registry.example:5000"),
        ("[0:0:0:0:0:0:0:1]:5000", "[::1]:5000"),
        ("[2001:DB8::0:1]", "[2001:db8::1]"),
        ("index.docker.io", "docker.io"),
        ("registry-1.docker.io", "docker.io"),
        ("Index.Docker.io", "docker.io"),
    ] {
        assert_eq!(host(text).as_str(), spelled);
    }
}

#[test]
fn what_is_not_a_host_is_refused() {
    for text in [
        "",
        ":",
        ":5000",
        "a:",
        "a:0",
        "a:65536",
        "a:123456",
        "a:-1",
        "a:+1",
        "a:5000:1",
        "a..b",
        ".a",
        "a.",
        "-a",
        "a-",
        "a b",
        "a/b",
        "a@b",
        "user:pass@a",
        "é.example",
        "[::1",
        "::1",
        "[::1]x",
        "[::1]:",
        "[]",
        "[g::]",
        "[fe80::1%eth0]",
        "[127.0.0.1]",
        "a_b",
        "a\n",
        "a?b",
        "a#b",
        "http://a",
    ] {
        assert_eq!(text.parse::<Host>(), Err(NameError::Host), "{text:?}");
    }
    assert!("a".repeat(63).parse::<Host>().is_ok());
    assert!("a".repeat(64).parse::<Host>().is_err());
    let long = vec!["a".repeat(49); 6].join(".");
    assert!(long[..255].parse::<Host>().is_ok());
    assert!(long[..256].parse::<Host>().is_err());
}

#[test]
fn loopback_hosts_are_known_with_and_without_a_port() {
    for text in [
        "localhost",
        "localhost:5000",
        "a.localhost",
        "LOCALHOST:1",
        "127.0.0.1",
        "127.255.0.9:80",
        "[::1]",
        "[0:0::1]:5000",
    ] {
        assert!(host(text).is_loopback(), "{text}");
    }
    for text in [
        "localhost.example",
        "notlocalhost",
        "localhost.a",
        "127.0.0.1.example",
        "127.0.0.256",
        "127.1",
        "126.0.0.1",
        "128.0.0.1",
        "0.0.0.0",
        "[::2]",
        "[::]",
        "registry.example:5000",
    ] {
        assert!(!host(text).is_loopback(), "{text}");
    }
}

#[test]
fn ten_megabytes_are_no_name() {
    for text in [
        huge("a"),
        huge("a/"),
        huge("a."),
        huge("-"),
        huge("é"),
        huge("a:1"),
    ] {
        assert!(text.parse::<Host>().is_err());
        assert!(text.parse::<RepositoryName>().is_err());
        assert!(text.parse::<Tag>().is_err());
    }
}

#[test]
fn names_keep_their_grammar_in_json() {
    assert_eq!(
        serde_json::to_string(&host("A.example:80")).unwrap(),
        r#""a.example:80""#
    );
    assert_eq!(
        serde_json::from_str::<RepositoryName>(r#""a/b""#)
            .unwrap()
            .as_str(),
        "a/b"
    );
    assert!(serde_json::from_str::<RepositoryName>(r#""A/b""#).is_err());
    assert!(serde_json::from_str::<Tag>(r#""a/b""#).is_err());
    assert!(serde_json::from_str::<Host>(r#""a/b""#).is_err());
}

proptest! {
    #![proptest_config(config(4096))]

    #[test]
    fn names_are_exactly_those_of_the_specification(text in near_names()) {
        prop_assert_eq!(text.parse::<RepositoryName>().is_ok(), REPOSITORIES.is_match(&text), "{}", text);
        prop_assert_eq!(text.parse::<Tag>().is_ok(), TAGS.is_match(&text), "{}", text);
    }
}

proptest! {
    #![proptest_config(config(512))]

    #[test]
    fn a_name_reads_back_as_it_was_written(name in NAMES, tag in TAG) {
        prop_assert!(REPOSITORIES.is_match(&name));
        prop_assert_eq!(name.parse::<RepositoryName>().unwrap().to_string(), name);
        prop_assert_eq!(tag.parse::<Tag>().unwrap().to_string(), tag);
    }

    #[test]
    fn a_hosts_spelling_reads_back_as_itself(text in r"([A-Za-z0-9-]{1,4}\.){0,3}[a-zA-Z0-9]{1,4}(:[0-9]{1,6})?") {
        if let Ok(host) = text.parse::<Host>() {
            prop_assert_eq!(host.as_str().parse::<Host>(), Ok(host.clone()));
            prop_assert_eq!(host.as_str().to_ascii_lowercase(), host.as_str());
        }
    }

    #[test]
    fn no_text_makes_a_parser_panic(text: String) {
        for parsed in [
            text.parse::<Host>().map(|host| host.to_string().len()),
            text.parse::<RepositoryName>().map(|name| name.to_string().len()),
            text.parse::<Tag>().map(|tag| tag.to_string().len()),
        ] {
            prop_assert!(parsed.is_err() || parsed.is_ok_and(|length| length <= 255));
        }
    }
}
