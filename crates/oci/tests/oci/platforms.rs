//! Platforms.

use serde_json::json;
use transship_oci::{Descriptor, Digest, ParsePlatformError, Platform};

use crate::common::huge;

fn platform(text: &str) -> Platform {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn a_platform_reads_back_from_its_text() {
    for text in [
        "linux/amd64",
        "linux/arm64/v8",
        "linux/arm/v7",
        "windows/amd64",
        "wasi/wasm32",
        "unknown/unknown",
    ] {
        assert_eq!(platform(text).to_string(), text);
    }
}

#[test]
fn what_is_not_a_platform_is_refused() {
    for text in [
        "",
        "linux",
        "linux/",
        "/amd64",
        "linux/amd64/",
        "linux//v8",
        "a/b/c/d",
        "linux/amd 64",
        "linux/é",
        "*/amd64",
    ] {
        assert_eq!(text.parse::<Platform>(), Err(ParsePlatformError), "{text}");
    }
    assert_eq!(huge("a/").parse::<Platform>(), Err(ParsePlatformError));
}

#[test]
fn a_part_that_is_left_out_fits_anything() {
    for other in ["linux/arm64", "linux/arm64/v8", "linux/arm64/v9"] {
        assert!(platform("linux/arm64").accepts(&platform(other)), "{other}");
    }
    for other in ["linux/amd64", "windows/arm64", "linux/arm", "Linux/arm64"] {
        assert!(!platform("linux/arm64").accepts(&platform(other)), "{other}");
    }
    assert!(!platform("linux/arm64/v9").accepts(&platform("linux/arm64/v8")));
    assert!(!platform("linux/riscv64/x").accepts(&platform("linux/riscv64")));
}

#[test]
fn an_index_may_leave_out_the_usual_variant() {
    for (asked, offered) in [
        ("linux/arm64/v8", "linux/arm64"),
        ("linux/arm/v7", "linux/arm"),
        ("linux/amd64/v1", "linux/amd64"),
    ] {
        assert!(platform(asked).accepts(&platform(offered)), "{asked}");
    }
    for (asked, offered) in [
        ("linux/arm64/v9", "linux/arm64"),
        ("linux/arm/v6", "linux/arm"),
        ("linux/amd64/v3", "linux/amd64"),
    ] {
        assert!(!platform(asked).accepts(&platform(offered)), "{asked}");
    }
}

#[test]
fn the_version_of_the_operating_system_matters_where_it_is_asked_for() {
    let windows = |version: &str| Platform {
        os_version: Some(version.to_owned()),
        ..platform("windows/amd64")
    };
    assert!(platform("windows/amd64").accepts(&windows("10.0.1")));
    assert!(windows("10.0.1").accepts(&windows("10.0.1")));
    assert!(!windows("10.0.1").accepts(&windows("10.0.2")));
    assert!(!windows("10.0.1").accepts(&platform("windows/amd64")));
}

#[test]
fn empty_and_null_parts_of_a_document_read_as_absent() {
    let read = |platform| -> Descriptor {
        let document =
            json!({"mediaType": "x/y", "digest": Digest::sha256(b""), "size": 0, "platform": platform});
        serde_json::from_value(document).unwrap()
    };
    assert_eq!(read(json!(null)).platform, None);
    for document in [
        json!({}),
        json!({"os": null, "architecture": null, "variant": null, "os.version": null, "os.features": null}),
        json!({"os": "", "architecture": "", "variant": "", "os.version": "", "os.features": []}),
    ] {
        let read = read(document).platform.unwrap();
        assert_eq!(read.to_string(), "/");
        assert_eq!(
            (read.variant, read.os_version, read.os_features),
            (None, None, Vec::new())
        );
    }
    let document =
        json!({"os": "windows", "architecture": "amd64", "os.version": "10", "os.features": ["win32k"]});
    assert_eq!(
        serde_json::to_value(read(document.clone()).platform).unwrap(),
        document
    );
}
